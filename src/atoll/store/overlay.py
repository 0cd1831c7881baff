"""A transaction in memory: what it has read of a source, and what it wants to change. Engines commit it.

It records every read, so that an engine can ask again at commit whether they still hold.
"""

from collections.abc import Awaitable, Sequence
from typing import Protocol, TypeVar

from atoll.store import stamps, sums
from atoll.store.contract import Row
from atoll.store.limits import check_key, check_limit, check_row

T = TypeVar("T")
Key = tuple[bytes, bytes]
Changes = dict[Key, bytes | None]
"""Rows to put; None deletes."""
Added = dict[Key, tuple[int, ...]]
"""What is to be added to rows whose values nobody has asked for."""
Appended = list[tuple[bytes, bytes, bytes]]
"""(p, prefix, v): rows whose stamps are given at commit."""
ScanRead = tuple[bytes, bytes, bytes | None, int, bool, tuple[Row, ...]]
"""(p, lo, hi, limit, reverse, the rows found)."""


class Wanted:
    """What a transaction wants to happen at its commit. No row is in both `changes` and `added`."""

    __slots__ = ("added", "appended", "changes")

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.added: Added = {}
        self.appended: Appended = []


class Source(Protocol):
    """Reads that cannot wait."""

    def get(self, p: bytes, k: bytes) -> bytes | None: ...

    def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool) -> list[Row]: ...


class Overlay(Wanted):
    """A Tx over a source. Its coroutines never suspend."""

    __slots__ = ("_source", "gets", "scans")

    def __init__(self, source: Source) -> None:
        super().__init__({})
        self._source = source
        self.gets: Changes = {}
        self.scans: list[ScanRead] = []

    async def get(self, p: bytes, k: bytes) -> bytes | None:
        return self._get((p, k))

    async def get_many(self, keys: Sequence[Key]) -> list[bytes | None]:
        return [self._get(key) for key in keys]

    def _get(self, key: Key) -> bytes | None:
        if key in self.changes:
            return self.changes[key]
        if key not in self.gets:
            self.gets[key] = self._source.get(*key)
        if key in self.added:
            return sums.plus(self.gets[key], self.added[key])
        return self.gets[key]

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        check_limit(limit)
        if limit <= 0:
            return []
        mine = {
            key[1]: value
            for key, value in self.changes.items()
            if key[0] == p and lo <= key[1] and (hi is None or key[1] < hi)
        }
        added = [key[1] for key in self.added if key[0] == p and lo <= key[1] and (hi is None or key[1] < hi)]
        # As many more as this transaction may hide, so that `limit` rows are left if there are that many.
        wanted = limit + sum(value is None for value in mine.values()) + len(added)
        rows = self._source.scan(p, lo, hi, wanted, reverse=reverse)
        self.scans.append((p, lo, hi, wanted, reverse, tuple(rows)))
        if not mine and not added:
            return rows
        merged: dict[bytes, bytes | None] = {**dict(rows), **mine}
        for k in added:
            # One that is there but was not found stands behind `limit` others, and its wrong sum is cut off with it.
            merged[k] = sums.plus(merged.get(k), self.added[p, k])
        return sorted(((k, v) for k, v in merged.items() if v is not None), reverse=reverse)[:limit]

    def put(self, p: bytes, k: bytes, v: bytes) -> None:
        check_row(p, k, v)
        self.changes[p, k] = v
        if self.added:
            self.added.pop((p, k), None)

    def delete(self, p: bytes, k: bytes) -> None:
        check_key(p, k)
        self.changes[p, k] = None
        if self.added:
            self.added.pop((p, k), None)

    def append(self, p: bytes, prefix: bytes, v: bytes) -> None:
        check_row(p, prefix + bytes(stamps.STAMP_BYTES), v)
        self.appended.append((p, prefix, v))

    def add(self, p: bytes, k: bytes, *deltas: int) -> None:
        check_key(p, k)
        key = (p, k)
        if not any(deltas):
            return
        if key in self.changes:
            self.changes[key] = sums.plus(self.changes[key], deltas)
        else:
            self.added[key] = sums.combine(self.added.get(key, ()), deltas)


def summed(source: Source, added: Added) -> Changes:
    """What becomes of the rows that are added to."""
    changes: Changes = {}
    for key, deltas in added.items():
        before = source.get(*key)
        after = sums.plus(before, deltas)
        if after != before:
            changes[key] = after
    return changes


def stamped(appended: Appended, last: int, now: float) -> tuple[Changes, int]:
    """The rows with their stamps, and the last of these."""
    changes: Changes = {}
    for p, prefix, v in appended:
        last = stamps.following(last, now)
        changes[p, prefix + stamps.pack(last)] = v
    return changes, last


def drive(awaitable: Awaitable[T]) -> T:
    """Runs what never suspends to its end, on any thread."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    steps.close()
    raise RuntimeError("a transaction awaited something other than its Tx")
