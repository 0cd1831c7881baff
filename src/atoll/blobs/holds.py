"""Who is reading: files that say since when, each locked by the process that made it. A dead process's lock is gone.

    holds/{milliseconds since the epoch}-{random}

Holds that start within SHARE_SECONDS share one file: it says the earliest of their starts, which protects them all.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from atoll.base import ids
from atoll.base.clock import Clock

SHARE_SECONDS = 5.0


@dataclass(slots=True)
class _Hold:
    path: str
    descriptor: int
    since: float
    holders: int = 0


class Holds:
    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._lock = threading.Lock()
        self._current: _Hold | None = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            now = self._clock.now()
            if self._current is None or not 0 <= now - self._current.since < SHARE_SECONDS:
                self._current = self._new(now)
            mine = self._current
            mine.holders += 1
        try:
            yield
        finally:
            with self._lock:
                mine.holders -= 1
                if mine.holders == 0:
                    if self._current is mine:
                        self._current = None
                    os.unlink(mine.path)
                    os.close(mine.descriptor)

    def _new(self, now: float) -> _Hold:
        while True:
            path = os.path.join(self._directory, f"{int(now * 1000)}-{ids.new_hex(16)}")
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return _Hold(path, descriptor, now)
            # A sweeper came between open and flock, and took the file for a dead process's.
            os.close(descriptor)

    def oldest(self) -> float | None:
        """Since when the longest reader of any process has been at it. Removes what dead processes left."""
        starts = [self._start_if_live(name) for name in os.listdir(self._directory)]
        return min((start for start in starts if start is not None), default=None)

    def _start_if_live(self, name: str) -> float | None:
        path = os.path.join(self._directory, name)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(name.partition("-")[0]) / 1000
        else:
            # Unlinked while locked: see _new.
            if os.fstat(descriptor).st_nlink:
                os.unlink(path)
            return None
        finally:
            os.close(descriptor)
