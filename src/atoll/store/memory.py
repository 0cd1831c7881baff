"""The store in a sorted list, for tests. It keeps every promise of the contract but durability."""

import bisect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from atoll.store.contract import ABSENT, Check, Conflict, Reader, Row, Tx

T = TypeVar("T")
Key = tuple[bytes, bytes]


class _View:
    """Reads over a dict and its sorted keys."""

    def __init__(self, rows: dict[Key, bytes], order: list[Key]) -> None:
        self.rows = rows
        self.order = order

    async def get(self, p: bytes, k: bytes) -> bytes | None:
        return self.rows.get((p, k))

    async def get_many(self, keys: Sequence[Key]) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        start = bisect.bisect_left(self.order, (p, lo))
        stop = bisect.bisect_left(self.order, (p + b"\x00", b"") if hi is None else (p, hi))
        keys = self.order[start:stop]
        if reverse:
            keys.reverse()
        return [(key[1], self.rows[key]) for key in keys[: max(0, limit)]]

    def apply(self, key: Key, value: bytes | None) -> None:
        present = key in self.rows
        if value is None:
            if present:
                del self.rows[key]
                del self.order[bisect.bisect_left(self.order, key)]
            return
        if not present:
            bisect.insort(self.order, key)
        self.rows[key] = value


class _MemoryTx(_View):
    """A private copy, so that reads see the transaction's own puts and nobody else's."""

    def __init__(self, base: _View) -> None:
        super().__init__(dict(base.rows), list(base.order))
        self.changes: dict[Key, bytes | None] = {}

    def put(self, p: bytes, k: bytes, v: bytes) -> None:
        self.changes[p, k] = v
        self.apply((p, k), v)

    def delete(self, p: bytes, k: bytes) -> None:
        self.changes[p, k] = None
        self.apply((p, k), None)


class MemoryStore(_View):
    def __init__(self) -> None:
        super().__init__({}, [])

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Reader]:
        yield _View(dict(self.rows), list(self.order))

    async def write(
        self,
        puts: Sequence[tuple[bytes, bytes, bytes]],
        deletes: Sequence[Key] = (),
        checks: Sequence[Check] = (),
    ) -> None:
        for p, k, expected in checks:
            found = self.rows.get((p, k))
            if found is not None if expected is ABSENT else found != expected:
                raise Conflict(f"a row of {p!r} is not as expected")
        for p, k in deletes:
            self.apply((p, k), None)
        for p, k, v in puts:
            self.apply((p, k), v)

    async def run(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        # fn awaits nothing but its Tx, and these reads never suspend: nobody can come between.
        tx = _MemoryTx(self)
        result = await fn(tx)
        for key, value in tx.changes.items():
            self.apply(key, value)
        return result

    async def close(self) -> None:
        return None
