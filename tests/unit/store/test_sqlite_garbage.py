"""What the SQLite store leaves to the collector of garbage: nothing."""

import asyncio
import gc
import weakref
from functools import partial
from pathlib import Path

import pytest

from atoll.store import Tx
from atoll.store.sqlite import SqliteStore


class Request:
    pass


def test_a_transaction_that_fails_is_forgotten_at_once(tmp_path: Path) -> None:
    """An error holds the frames it came through: were it held by one of them, all would wait for a great collection."""

    async def refuse(tx: Tx, request: Request) -> None:
        raise LookupError(str(request))

    async def main() -> None:
        store = SqliteStore(tmp_path / "atoll.db")
        try:
            alive: list[weakref.ref[Request]] = []
            for _ in range(4):
                request = Request()
                alive.append(weakref.ref(request))
                with pytest.raises(LookupError):
                    await store.run(partial(refuse, request=request))
            # The last one is still in the hands of the commit thread, which waits for the next.
            assert [reference() for reference in alive[:-1]] == [None] * 3
        finally:
            await store.close()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
