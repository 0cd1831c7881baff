"""The store in one SQLite file that several processes share.

Reads run in the caller's thread on pooled connections and never suspend; writes go through one commit thread per process.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from atoll.base.clock import SystemClock
from atoll.store.contract import Busy, Check, Row, Tx
from atoll.store.limits import check_key, check_limit, check_row
from atoll.store.overlay import Changes, Key, Overlay, Wanted, drive
from atoll.store.sqlite_checkpoint import Checkpointer
from atoll.store.sqlite_commit import Committer, Operation, after
from atoll.store.sqlite_lock import WriteLock
from atoll.store.sqlite_rows import Rows

READERS_MAX = 512
READERS_IDLE_MAX = 16

T = TypeVar("T")


class _Pool:
    """Connections to read through. The last given back is taken first: its cache is warm."""

    __slots__ = ("_idle", "_open", "_path")

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[Rows] = []
        self._open = 0

    def take(self) -> Rows:
        # list.pop and append are atomic: the commit thread, too, may run code that reads.
        try:
            return self._idle.pop()
        except IndexError:
            if self._open >= READERS_MAX:
                raise Busy("too many snapshots are open") from None
        rows = Rows(self._path)
        rows.execute("PRAGMA query_only = 1")
        self._open += 1
        return rows

    def give_back(self, rows: Rows) -> None:
        if len(self._idle) < READERS_IDLE_MAX:
            self._idle.append(rows)
        else:
            self._open -= 1
            rows.close()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class Snapshot:
    """A view as of its first read. It has a connection to itself until it is left."""

    __slots__ = ("_pool", "_rows")
    _rows: Rows

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> "Snapshot":
        self._rows = self._pool.take()
        self._rows.execute("BEGIN")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        rows = self._rows
        del self._rows  # A read after the end fails, rather than read on another's connection.
        rows.execute("COMMIT")
        self._pool.give_back(rows)

    async def get(self, p: bytes, k: bytes) -> bytes | None:
        return self._rows.get(p, k)

    async def get_many(self, keys: Sequence[Key]) -> list[bytes | None]:
        get = self._rows.get
        return [get(p, k) for p, k in keys]

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        check_limit(limit)
        return self._rows.scan(p, lo, hi, limit, reverse=reverse)


class SqliteStore:
    """To be made after a fork, never before: SQLite's locks do not survive one.

    `broken` is called, in the commit thread, when a bug has ended that thread: reads go on, writes never will.
    `now` is what stamps go by.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        broken: Callable[[], None] = lambda: None,
        now: Callable[[], float] | None = None,
    ) -> None:
        name = os.fspath(path)
        _create(name)
        self._pool = _Pool(name)
        self._checkpointer = Checkpointer(name)
        self._committer = Committer(name, self._checkpointer.told, broken, now or SystemClock().now)

    async def get(self, p: bytes, k: bytes) -> bytes | None:
        rows = self._pool.take()
        try:
            return rows.get(p, k)
        finally:
            self._pool.give_back(rows)

    async def get_many(self, keys: Sequence[Key]) -> list[bytes | None]:
        async with self.snapshot() as view:
            return await view.get_many(keys)

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        check_limit(limit)
        rows = self._pool.take()
        try:
            return rows.scan(p, lo, hi, limit, reverse=reverse)
        finally:
            self._pool.give_back(rows)

    def snapshot(self) -> Snapshot:
        return Snapshot(self._pool)

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
        expected = [((p, k), v if isinstance(v, bytes) else None) for p, k, v in checks]
        await self._committer.commit(Operation(Wanted(changes), expected))

    async def run(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        if self._committer.is_short():
            done: T = await self._committer.commit(Operation(None, fn=fn))
            return done
        rows = self._pool.take()
        overlay = Overlay(rows)
        try:
            rows.execute("BEGIN")
            try:
                result = drive(fn(overlay))
            finally:
                rows.execute("COMMIT")
        finally:
            self._pool.give_back(rows)
        if not (overlay.changes or overlay.appended or overlay.added):
            return result  # All it read was true at one moment.
        committed: T = await self._committer.commit(after(fn, overlay, result))
        return committed

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._committer.close()
        self._checkpointer.close()
        self._pool.close()


def _create(path: str) -> None:
    # Under the lock, so that of several processes that start at once, one makes the file and the others find it.
    lock = WriteLock(path)
    try:
        with lock:
            rows = Rows(path)
            rows.create()
            rows.close()
            directory = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    finally:
        lock.close()
