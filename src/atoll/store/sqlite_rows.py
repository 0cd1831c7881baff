"""One SQLite connection: how it is set up, and the statements that read and change kv through it.

Every connection is used by one thread at a time: who takes it from the pool has it alone.
"""

from collections.abc import Callable
from typing import Any

import apsw

from atoll.store.contract import Row
from atoll.store.overlay import Changes

# Measured with rows of 250 B and 4 KiB: larger pages make each get and each group commit dearer.
PAGE_BYTES = 4096
# Another connection's commit empties this connection's page cache; mapped pages need no copy to be read again.
MMAP_BYTES = 1 << 30
CACHE_KIB = 8192
BUSY_MILLISECONDS = 10_000

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS kv(p BLOB NOT NULL, k BLOB NOT NULL, v BLOB NOT NULL, PRIMARY KEY(p, k)) WITHOUT ROWID"
)
_GET = "SELECT v FROM kv WHERE p = ? AND k = ?"
_PUT = "REPLACE INTO kv VALUES (?, ?, ?)"
_DELETE = "DELETE FROM kv WHERE p = ? AND k = ?"
_SCAN = "SELECT k, v FROM kv WHERE p = ? AND k >= ? AND k < ? ORDER BY k LIMIT ?"
_SCAN_REVERSE = "SELECT k, v FROM kv WHERE p = ? AND k >= ? AND k < ? ORDER BY k DESC LIMIT ?"
_SCAN_TO_END = "SELECT k, v FROM kv WHERE p = ? AND k >= ? ORDER BY k LIMIT ?"
_SCAN_TO_END_REVERSE = "SELECT k, v FROM kv WHERE p = ? AND k >= ? ORDER BY k DESC LIMIT ?"


class Rows:
    """A `Source` over one connection."""

    __slots__ = ("_cursor", "connection")

    def __init__(self, path: str) -> None:
        self.connection = apsw.Connection(path)
        # Before anything else: what follows may meet another process's lock.
        self.connection.set_busy_timeout(BUSY_MILLISECONDS)
        for pragma in (
            "synchronous = FULL",
            "wal_autocheckpoint = 0",
            f"mmap_size = {MMAP_BYTES}",
            f"cache_size = -{CACHE_KIB}",
        ):
            self.connection.execute(f"PRAGMA {pragma}")
        self._cursor = self.connection.cursor()

    def create(self) -> None:
        """Makes the table where there is none. The caller holds the write lock."""
        self.connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        mode = self.connection.pragma("journal_mode", "wal")
        assert mode == "wal", f"the filesystem does not let SQLite share memory between processes: {mode}"
        self.connection.execute(_SCHEMA)

    def execute(self, statement: str) -> None:
        self._cursor.execute(statement)

    def get(self, p: bytes, k: bytes) -> bytes | None:
        value: bytes | None = self._cursor.execute(_GET, (p, k)).get
        return value

    def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool) -> list[Row]:
        if limit <= 0:  # SQLite reads a negative limit as none.
            return []
        if hi is None:
            statement = _SCAN_TO_END_REVERSE if reverse else _SCAN_TO_END
            found: list[Any] = self._cursor.execute(statement, (p, lo, limit)).fetchall()
        else:
            statement = _SCAN_REVERSE if reverse else _SCAN
            found = self._cursor.execute(statement, (p, lo, hi, limit)).fetchall()
        return found

    def change(self, changes: Changes) -> None:
        puts = [(p, k, v) for (p, k), v in changes.items() if v is not None]
        if puts:
            # In key order: neighbours share a page, and the next is found from the last.
            puts.sort()
            self._cursor.executemany(_PUT, puts)
        if len(puts) < len(changes):
            self._cursor.executemany(_DELETE, sorted(key for key, v in changes.items() if v is None))

    @property
    def in_transaction(self) -> bool:
        return self.connection.in_transaction

    def on_commit(self, told: Callable[[int], None]) -> None:
        """`told` learns after each commit how many pages the write-ahead log holds."""

        def hook(_connection: apsw.Connection, _database: str, pages: int) -> int:
            told(pages)
            return apsw.SQLITE_OK

        self.connection.set_wal_hook(hook)

    def close(self) -> None:
        self.connection.close()
