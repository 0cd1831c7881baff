"""The store in a sorted list, for tests. It keeps every promise of the contract but durability."""

import bisect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from atoll.base.clock import SystemClock
from atoll.store.contract import ABSENT, Check, Conflict, Reader, Row, Tx
from atoll.store.limits import check_key, check_limit, check_row
from atoll.store.overlay import Changes, Key, Overlay, drive, stamped, summed

T = TypeVar("T")


class _Rows:
    """A `Source` over a dict and its sorted keys."""

    def __init__(self, rows: dict[Key, bytes], order: list[Key]) -> None:
        self.rows = rows
        self.order = order

    def get(self, p: bytes, k: bytes) -> bytes | None:
        return self.rows.get((p, k))

    def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool) -> list[Row]:
        start = bisect.bisect_left(self.order, (p, lo))
        stop = bisect.bisect_left(self.order, (p + b"\x00", b"") if hi is None else (p, hi))
        first = max(start, stop - limit) if reverse else start
        keys = self.order[first : min(stop, first + limit)]
        return [(key[1], self.rows[key]) for key in (reversed(keys) if reverse else keys)]

    def change(self, changes: Changes) -> None:
        for key, value in changes.items():
            present = key in self.rows
            if value is not None:
                if not present:
                    bisect.insort(self.order, key)
                self.rows[key] = value
            elif present:
                del self.rows[key]
                del self.order[bisect.bisect_left(self.order, key)]


class _View:
    """A Reader over rows."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    async def get(self, p: bytes, k: bytes) -> bytes | None:
        return self._rows.get(p, k)

    async def get_many(self, keys: Sequence[Key]) -> list[bytes | None]:
        return [self._rows.get(p, k) for p, k in keys]

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        check_limit(limit)
        return self._rows.scan(p, lo, hi, max(0, limit), reverse=reverse)


class MemoryStore(_View):
    def __init__(self, now: Callable[[], float] | None = None) -> None:
        super().__init__(_Rows({}, []))
        self._now = now or SystemClock().now
        self._stamp = 0

    @property
    def rows(self) -> dict[Key, bytes]:
        """All of them, for tests to look at."""
        return self._rows.rows

    @property
    def order(self) -> list[Key]:
        return self._rows.order

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        yield _View(_Rows(dict(self._rows.rows), list(self._rows.order)))

    async def write(
        self,
        puts: Sequence[tuple[bytes, bytes, bytes]],
        deletes: Sequence[Key] = (),
        checks: Sequence[Check] = (),
    ) -> None:
        changes: Changes = {}
        for p, k in deletes:
            check_key(p, k)
            changes[p, k] = None
        for p, k, v in puts:
            check_row(p, k, v)
            changes[p, k] = v
        for p, k, expected in checks:
            if self._rows.get(p, k) != (None if expected is ABSENT else expected):
                raise Conflict(f"a row of {p!r} is not as expected")
        self._rows.change(changes)

    async def run(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        # fn awaits nothing but its Tx, and these reads never suspend: nobody can come between.
        overlay = Overlay(self._rows)
        result = drive(fn(overlay))
        sums = summed(self._rows, overlay.added)
        appended, self._stamp = stamped(overlay.appended, self._stamp, self._now())
        self._rows.change({**overlay.changes, **sums, **appended})
        return result

    async def close(self) -> None:
        return None
