"""Moves committed pages from the write-ahead log into the database file, on a thread of its own.

A log that has been moved whole is written again from its start: it stays a file of a few times CHECKPOINT_BYTES whose
blocks exist already, which makes each commit's flush cheaper and lets deletes through on a full disk.
"""

import threading

import apsw

from atoll.store.sqlite_lock import WriteLock
from atoll.store.sqlite_rows import PAGE_BYTES, Rows

CHECKPOINT_BYTES = 16 * 1024 * 1024
TRUNCATE_BYTES = 128 * 1024 * 1024
BUSY_MILLISECONDS = 100


class Checkpointer:
    def __init__(self, path: str) -> None:
        self._rows = Rows(path)
        # Only cutting the log off waits for readers, and commits wait meanwhile.
        self._rows.connection.set_busy_timeout(BUSY_MILLISECONDS)
        self._log_pages = 0
        self._told_pages = 0
        self._lock = WriteLock(path)
        self._wanted = threading.Event()
        self._running = threading.Lock()
        self._closing = False
        self._due_pages = CHECKPOINT_BYTES // PAGE_BYTES
        self._thread = threading.Thread(target=self._loop, name="store checkpoints", daemon=True)
        self._thread.start()

    def told(self, log_pages: int) -> None:
        """From the commit thread, after each commit."""
        if log_pages < self._told_pages:  # The log is written from its start again.
            self._due_pages = CHECKPOINT_BYTES // PAGE_BYTES
        self._told_pages = log_pages
        if log_pages >= self._due_pages:
            self._wanted.set()

    def _loop(self) -> None:
        while True:
            self._wanted.wait()
            # Before the work and the look at _closing: what is asked for from here on must not be forgotten.
            self._wanted.clear()
            if self._closing:
                return
            if self._told_pages < self._due_pages:
                continue  # Asked for while the last run was already at it.
            self.run()
            # A reader may keep the log from starting again: the next try is worth its cost only after more has come.
            self._due_pages = self._log_pages + CHECKPOINT_BYTES // PAGE_BYTES

    def run(self) -> int:
        """Answers how many pages could not be moved."""
        with self._running:
            return self._run()

    def _run(self) -> int:
        # The bulk first, with commits going on; the lock is then held for the few pages that came meanwhile.
        left = self._move(apsw.SQLITE_CHECKPOINT_PASSIVE)
        if left is None:
            return 0
        with self._lock:
            left = self._move(apsw.SQLITE_CHECKPOINT_PASSIVE)
            if left == 0 and self._log_pages * PAGE_BYTES > TRUNCATE_BYTES:
                self._move(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        return left or 0

    def _move(self, mode: int) -> int | None:
        try:
            pages, moved = self._rows.connection.wal_checkpoint(mode=mode)
        except (apsw.BusyError, apsw.LockedError):
            return None  # Another process is at it.
        except (apsw.FullError, apsw.IOError):
            return None  # The log still has everything; the next commit on a full disk tells its caller.
        self._log_pages = pages
        return pages - moved

    def close(self) -> None:
        self._closing = True
        self._wanted.set()
        self._thread.join()
        self._rows.close()
        self._lock.close()
