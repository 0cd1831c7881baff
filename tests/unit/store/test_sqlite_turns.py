"""Which thread applies a batch: the event loop's where several operations wait, the commit thread where the loop does not come."""

import asyncio
import threading
import time
from pathlib import Path

import pytest

from atoll.store import Tx, sqlite_commit
from atoll.store.sqlite import SqliteStore

P = b"shelf"


def _appliers(tmp_path: Path, *, blocked_seconds: float) -> tuple[list[str], int]:
    """The threads that ran twenty transactions handed in at once, while the loop then did nothing else for a time; the sum they made."""
    threads: list[str] = []

    async def add_one(tx: Tx) -> None:
        threads.append(threading.current_thread().name)
        row = await tx.get(P, b"n")
        tx.put(P, b"n", str(int(row or b"0") + 1).encode())

    async def all_at_once() -> int:
        store = SqliteStore(tmp_path / "atoll.db")
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(store.run(add_one))
            await asyncio.sleep(0)  # They are in the queue now.
            time.sleep(blocked_seconds)
        row = await store.get(P, b"n")
        await store.close()
        return int(row or b"0")

    return threads, asyncio.run(all_at_once())


def test_what_waits_together_is_applied_by_the_loops_own_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_commit, "TURN_SECONDS_MAX", 10.0)
    threads, total = _appliers(tmp_path, blocked_seconds=0.0)
    assert (total, threads.count("MainThread") > 1) == (20, True)


def test_a_loop_that_does_not_come_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_commit, "TURN_SECONDS_MAX", 0.01)
    threads, total = _appliers(tmp_path, blocked_seconds=0.5)
    assert (total, set(threads)) == (20, {"store commits"})
