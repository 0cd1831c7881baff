"""What every engine promises. One table, kv(p, k, v): p places a row, k orders it within p, v is its record.

Every acknowledged write is atomic, durable (it survives power loss) and serialisable with all others,
whichever process made it. One suite, tests/store_contract.py, is run against every engine.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, TypeVar

KEY_BYTES_MAX = 2600  # PostgreSQL's B-tree refuses rows of 2,704 bytes; p and k share the space.
SCAN_ROWS_MAX = 10_000

T = TypeVar("T")
Row = tuple[bytes, bytes]
"""(k, v) as a scan yields them."""


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
Check = tuple[bytes, bytes, "bytes | _Absent"]
"""(p, k, the value the row must have at commit, or ABSENT)."""


class Conflict(Exception):
    """A check failed, or a transaction met others until its retries were used up. Nothing was written."""


class Busy(Exception):
    """The engine can't take more just now. Nothing was written; try again."""


class Full(Exception):
    """The disk has no room. Nothing was written; reads go on."""


class Unknown(Exception):
    """The answer to a commit was lost: it may or may not have happened."""


class Reader(Protocol):
    async def get(self, p: bytes, k: bytes) -> bytes | None: ...

    async def get_many(self, keys: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]: ...

    async def scan(self, p: bytes, lo: bytes, hi: bytes | None, limit: int, *, reverse: bool = False) -> list[Row]:
        """At most `limit` rows of p with lo <= k < hi (hi None: to the end of p), in the order of k's bytes."""
        ...


class Tx(Reader, Protocol):
    """Reads see what this transaction has put, deleted and added. All of it takes effect together at commit, or not at all."""

    def put(self, p: bytes, k: bytes, v: bytes) -> None: ...

    def delete(self, p: bytes, k: bytes) -> None: ...

    def append(self, p: bytes, prefix: bytes, v: bytes) -> None:
        """Puts v at prefix + stamp. Stamps strictly increase in the order of commits (see `stamps`), and within a
        transaction in the order of its appends. They are given at commit: this transaction's own reads find none of it."""
        ...

    def add(self, p: bytes, k: bytes, *deltas: int) -> None:
        """Adds to a row of eight-byte signed integers (see `sums`); none is all zeros, and one that comes to that is deleted.

        It reads nothing, so it overtakes nobody and nobody overtakes it: only who has read the row runs again.
        Raises OverflowError, at the latest from `run`."""
        ...


class Store(Reader, Protocol):
    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """One unchanging view. Keep it short: engines pin old pages while it is open."""
        ...

    async def write(
        self,
        puts: Sequence[tuple[bytes, bytes, bytes]],
        deletes: Sequence[tuple[bytes, bytes]] = (),
        checks: Sequence[Check] = (),
    ) -> None:
        """All or nothing, durable on return. Raises Conflict, Busy, Full, Unknown."""
        ...

    async def run(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        """Serialisable read-modify-write. `fn` may run several times and touches nothing but its Tx.

        `fn` awaits nothing but its Tx. An exception from `fn` ends the transaction with nothing written, and is raised
        only if what `fn` had read was true at one moment. Raises Conflict, Busy, Full, Unknown.
        """
        ...

    async def close(self) -> None: ...
