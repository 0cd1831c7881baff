"""The lock under which one process of all that share the file commits. The kernel frees it when its holder dies.

    take  flock(turn) -> flock(write) -> unlock(turn)      free  unlock(write)

Without `turn`, who frees the lock takes it again before the one it has just woken gets to run; SQLite's own
lock, polled with growing pauses, is less fair still.
"""

import fcntl
import os
from types import TracebackType


class WriteLock:
    """Not re-entrant, and for one thread: each thread that locks has its own."""

    __slots__ = ("_turn", "_write")

    def __init__(self, path: str) -> None:
        # flock belongs to the open file, so two WriteLocks exclude each other even within one process.
        self._write = os.open(f"{path}-lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._turn = os.open(f"{path}-turn", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._write, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._write, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._write)
        os.close(self._turn)
