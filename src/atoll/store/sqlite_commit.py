"""The one thread of a process that writes: it takes what is queued, and commits it together.

    lock -> BEGIN IMMEDIATE -> each operation: its reads still hold? apply it -> COMMIT (one fdatasync) -> tell all

There is no timer: a batch is what piled up while the last one was flushed. An operation whose checks fail drops out
alone. A transaction runs under the lock, where nothing can overtake it: so every round makes progress, however many want
the same row. While many wait, it has run before it came here, and runs again only if its reads were overtaken: the lock is
then what is scarce. What is added and appended depends on nothing read before: it is summed and stamped here, in the order
of the operations, which is that of commits.

Where several operations wait, the event loop's thread applies them, while this one rests and keeps the lock. Side by side,
the two would hand each other the interpreter at every row, which costs more than the row.
"""

import asyncio
import os
import threading
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import apsw

from atoll.store import stamps
from atoll.store.contract import Busy, Conflict, Full, Row, Tx, Unknown
from atoll.store.overlay import Appended, Changes, Key, Overlay, ScanRead, Wanted, drive, stamped, summed
from atoll.store.sqlite_lock import WriteLock
from atoll.store.sqlite_rows import Rows

BATCH_OPERATIONS_MAX = 1024
BATCH_BYTES_MAX = 4 * 1024 * 1024
QUEUE_OPERATIONS_MAX = 16 * 1024
QUEUE_SHORT_OPERATIONS = 128  # They take some 20 ms under the lock.
TURN_SECONDS_MAX = 0.05  # A loop that is busy for longer must not keep other processes from the lock.
QUEUE_BYTES_MAX = 256 * 1024 * 1024
RESERVE_BYTES = (
    32 * 1024 * 1024
)  # Room that only deletions may use: they, too, write to the log before they free anything.
RESERVE_SHARE = 8  # On a small disk, an eighth of it.
HOUSEKEEPING = b"cloud/"  # Shelves whose rows are always taken: without its lease the sweeper could not free anything.


class Operation:
    """One write on its way: what must hold, what changes, and who waits for it."""

    __slots__ = ("error", "fn", "future", "gets", "result", "scans", "size_bytes", "wanted")

    def __init__(
        self,
        wanted: Wanted | None,
        gets: Collection[tuple[Key, bytes | None]] = (),
        fn: Callable[[Tx], Awaitable[Any]] | None = None,
    ) -> None:
        self.wanted = wanted  # None: its function is still to say.
        self.gets = gets
        self.scans: Sequence[ScanRead] = ()
        self.fn = fn
        self.result: Any = None
        self.error: Exception | None = None
        self.size_bytes = 0 if wanted is None else _size_of(wanted)
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


def after(fn: Callable[[Tx], Awaitable[Any]], overlay: Overlay, result: Any) -> Operation:
    """The operation of a transaction that has run; it runs again only if what it has read does not hold."""
    operation = Operation(overlay, overlay.gets.items(), fn)
    operation.scans = overlay.scans
    operation.result = result
    return operation


def _size_of(wanted: Wanted) -> int:
    size_bytes = sum(len(v) for v in wanted.changes.values() if v is not None)
    return size_bytes + sum(len(v) for _, _, v in wanted.appended) if wanted.appended else size_bytes


class _Carried:
    """Takes whatever a transaction's function raises, to be raised where it is awaited."""

    error: Exception | None = None

    def taken(self) -> Exception | None:
        # Not kept: an error holds the frames it has come through, and this is in one of them. Such rings, with the
        # requests in them, would lie about until the next great collection.
        error, self.error = self.error, None
        return error

    def __enter__(self) -> "_Carried":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        # The engine's own errors end the whole batch.
        if not isinstance(error, Exception) or isinstance(error, apsw.Error):
            return False
        self.error = error
        return True


def _frees(changes: Changes) -> bool:
    return any(v is None or p.startswith(HOUSEKEEPING) for (p, _), v in changes.items())


class _Batch:
    """A `Source`: the rows as the operations applied so far leave them. Changes are held back, to be written in one go.

    `tight`: the disk is down to its reserve, so only operations that delete something are taken.
    """

    def __init__(self, rows: Rows, now: Callable[[], float], *, tight: bool) -> None:
        self._rows = rows
        self._now = now
        self._tight = tight
        self._stamp: int | None = None  # The last one given, once this batch has had to know it.
        self.size_bytes = 0
        self._changes: Changes = {}
        self._shelves: dict[bytes, list[bytes]] = {}  # By p, in order: the keys that are held back.

    def get(self, p: bytes, k: bytes) -> bytes | None:
        if (p, k) in self._changes:
            return self._changes[p, k]
        return self._rows.get(p, k)

    def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool) -> list[Row]:
        keys = self._shelves.get(p)
        if keys:
            # Flushed one by one, a batch's rows cost twice as much; and most scans look where nothing has changed.
            first = bisect_left(keys, lo)
            if first < len(keys) and (hi is None or keys[first] < hi):
                self.flush()
        return self._rows.scan(p, lo, hi, limit, reverse=reverse)

    def holds(self, operation: Operation) -> bool:
        return all(self.get(p, k) == expected for (p, k), expected in operation.gets) and all(
            tuple(self.scan(p, lo, hi, limit, reverse=reverse)) == found
            for p, lo, hi, limit, reverse, found in operation.scans
        )

    def apply(self, operation: Operation) -> None:
        if operation.wanted is not None and self.holds(operation):
            with _Carried() as carried:
                self._take(operation.wanted)
            operation.error = carried.taken()
        elif operation.fn is None:
            operation.error = Conflict("a row is not as expected")
        else:
            overlay = Overlay(self)
            with _Carried() as carried:
                operation.result = drive(operation.fn(overlay))
                self._take(overlay)
            operation.error = carried.taken()

    def _take(self, wanted: Wanted) -> None:
        changes = wanted.changes
        if self._tight and (changes or wanted.appended or wanted.added) and not _frees(changes):
            raise Full("what room is left is kept for deletions")
        if wanted.added:
            changes = {**changes, **summed(self, wanted.added)}
        if wanted.appended:
            changes = {**changes, **self._stamped(wanted.appended)}
        self.size_bytes += _size_of(wanted)
        for p, k in changes:
            if (p, k) not in self._changes:
                insort(self._shelves.setdefault(p, []), k)
        self._changes.update(changes)

    def _stamped(self, appended: Appended) -> Changes:
        if self._stamp is None:
            # Other processes give stamps, too; from here to the end of the batch, the lock keeps them from it.
            last = self._rows.get(stamps.SHELF, stamps.LAST)
            self._stamp = 0 if last is None else stamps.unpack(last)
        changes, self._stamp = stamped(appended, self._stamp, self._now())
        return changes

    def end(self) -> None:
        if self._stamp is not None:
            self._changes[stamps.SHELF, stamps.LAST] = stamps.pack(self._stamp)
        self.flush()

    def flush(self) -> None:
        # Some errors make SQLite roll back by itself; each statement would then commit alone.
        assert self._rows.in_transaction, "the transaction has ended before its commit"
        self._rows.change(self._changes)
        self._changes = {}
        self._shelves.clear()


class _Turn:
    """Work for whichever of two threads gets to it first: the event loop's, or the one that waits, when the loop does not come."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._claim = threading.Lock()
        self._open = threading.Lock()  # Held until the work is done.
        self._open.acquire()
        self._error: BaseException | None = None

    def take(self) -> None:
        if self._claim.acquire(blocking=False):
            with self:
                self._work()

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._error = error  # To be raised where it is waited for.
        self._open.release()
        return True

    def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self.take)
        except RuntimeError:  # It is closed.
            self.take()
        if not self._open.acquire(timeout=TURN_SECONDS_MAX):
            self.take()
            self._open.acquire()  # If the loop has just begun, until it is done.
        if self._error is not None:
            raise self._error


class Committer:
    def __init__(
        self, path: str, told: Callable[[int], None], broken: Callable[[], None], now: Callable[[], float]
    ) -> None:
        self._broken = broken
        self._now = now
        self._directory = os.path.dirname(os.path.abspath(path))
        self._lock = WriteLock(path)
        self._rows = Rows(path)
        self._rows.on_commit(told)
        self._queue: SimpleQueue[Operation | None] = SimpleQueue()
        # Each is changed by one thread only; their difference is what is queued.
        self._bytes_in = 0
        self._bytes_out = 0
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="store commits", daemon=True)
        self._thread.start()

    async def commit(self, operation: Operation) -> Any:
        if self._closed:
            raise RuntimeError("the store is closed")
        queued_bytes = self._bytes_in - self._bytes_out
        if self._queue.qsize() >= QUEUE_OPERATIONS_MAX or queued_bytes > QUEUE_BYTES_MAX:
            raise Busy("too many writes are waiting")
        self._bytes_in += operation.size_bytes
        self._queue.put(operation)
        return await operation.future

    def is_short(self) -> bool:
        return self._queue.qsize() < QUEUE_SHORT_OPERATIONS

    def close(self) -> None:
        """What is queued is committed first. Blocks."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._rows.close()
        self._lock.close()

    def _loop(self) -> None:
        try:
            while (operation := self._queue.get()) is not None:
                self._commit_from(operation)
        except BaseException:
            # A bug of ours. This process can't write any more; whoever made the store decides what becomes of it.
            self._broken()
            raise
        finally:
            self._closed = True
            queued = [self._queue.get() for _ in range(self._queue.qsize())]
            left = [operation for operation in queued if operation is not None]
            _fail(left, Busy("the store has been closed"))
            _settle_in_loops(left)

    def _commit_from(self, first: Operation) -> None:
        taken: list[Operation] = []
        error: Exception | None = Unknown("the commit thread failed")
        try:
            error = self._try_commit(first, taken)
        finally:
            if error is not None:
                _fail(taken, error)
            _settle_in_loops(taken)

    def _try_commit(self, first: Operation, taken: list[Operation]) -> Exception | None:
        taken.append(first)
        committing = False
        try:
            with self._lock:
                try:
                    self._rows.execute("BEGIN IMMEDIATE")
                    if self._queue.empty():
                        self._apply_queued(taken)
                    else:
                        _Turn(partial(self._apply_queued, taken)).wait(first.future.get_loop())
                    committing = True
                    self._rows.execute("COMMIT")
                finally:
                    if self._rows.in_transaction:
                        self._rows.execute("ROLLBACK")
        except apsw.Error as error:
            return _outcome(error, committing=committing)
        except OSError as error:
            return Busy(f"the write lock could not be taken: {error}")
        return None

    def _is_tight(self) -> bool:
        disk = os.statvfs(self._directory)
        reserve_bytes = min(RESERVE_BYTES, disk.f_blocks * disk.f_frsize // RESERVE_SHARE)
        return disk.f_bavail * disk.f_frsize < reserve_bytes

    def _apply_queued(self, taken: list[Operation]) -> None:
        batch = _Batch(self._rows, self._now, tight=self._is_tight())
        while True:
            operation = taken[-1]
            self._bytes_out += operation.size_bytes
            batch.apply(operation)
            if len(taken) >= BATCH_OPERATIONS_MAX or batch.size_bytes >= BATCH_BYTES_MAX or self._queue.empty():
                break
            following = self._queue.get()
            if following is None:
                self._queue.put(None)  # The end comes after this batch.
                break
            taken.append(following)
        batch.end()


def _outcome(error: apsw.Error, *, committing: bool) -> Exception:
    if isinstance(error, apsw.FullError):
        return Full(str(error))
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return Busy(str(error))
    if isinstance(error, apsw.IOError):
        # The commit's frame may be on the disk or not, and recovery would take it for committed.
        unsynced = getattr(error, "extendedresult", 0) in (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)
        return Unknown(str(error)) if committing and unsynced else Full(str(error))
    return error


def _fail(operations: list[Operation], error: Exception) -> None:
    # What one of them found out, it may have found in what another did not get to commit.
    for operation in operations:
        operation.error = type(error)(*error.args)


def _settle_in_loops(operations: list[Operation]) -> None:
    loops: dict[asyncio.AbstractEventLoop, list[Operation]] = {}
    for operation in operations:
        loops.setdefault(operation.future.get_loop(), []).append(operation)
    for loop, mine in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, mine)


def _settle(operations: list[Operation]) -> None:
    for operation in operations:
        future, error, operation.error = operation.future, operation.error, None
        del operation.future  # It has the error, whose frames have the operation.
        if future.done():
            continue  # Who waited was cancelled.
        if error is None:
            future.set_result(operation.result)
        else:
            future.set_exception(error)
