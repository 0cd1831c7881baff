"""Jobs: each gets its turn, whatever becomes of the others."""

import asyncio
from typing import Any

import msgspec
import pytest

from atoll.services.dynamodb import jobs
from atoll.services.dynamodb.jobs import Job
from atoll.store.memory import MemoryStore


class Count(msgspec.Struct):
    left: int


def started(*left: int) -> MemoryStore:
    store = MemoryStore(lambda: 0.0)

    async def start(tx: Any) -> None:
        for number, count in enumerate(left):
            jobs.start(tx, jobs.key("count", "account", "region", f"{number:04d}"), Count(count))

    asyncio.run(store.run(start))
    return store


def run(store: MemoryStore, *, failing: frozenset[int] = frozenset()) -> list[int]:
    """The counts of those that were taken up, in that order. A count of 0 waits."""
    seen: list[int] = []

    async def turn(job: Job[Count]) -> bool:
        left = job.record.left
        seen.append(left)
        if left in failing:
            raise ConnectionError(str(left))
        if left == 0:
            return False
        await jobs.step(store, job, Count(left - 1) if left > 1 else None)
        return True

    asyncio.run(jobs.each(store, "count", Count, turn))
    return seen


def test_turns_go_round_until_nothing_moves() -> None:
    assert run(started(2, 0, 1)) == [2, 0, 1, 1, 0, 0]


def test_jobs_that_wait_do_not_hide_those_behind_them() -> None:
    assert 7 in run(started(*[0] * 250, 7))


def test_a_job_that_fails_does_not_keep_the_others_waiting() -> None:
    store = started(9, 2, 8, 1)
    with pytest.raises(ConnectionError, match="9"):
        run(store, failing=frozenset({9}))
    assert asyncio.run(jobs.waiting(store, "count", Count))[0].record.left == 9
    store = started(9, 2, 8, 1)
    with pytest.raises(BaseExceptionGroup, match="2 jobs failed") as caught:
        run(store, failing=frozenset({9, 7}))
    assert sorted(map(str, caught.value.exceptions)) == ["7", "9"]
    left = asyncio.run(jobs.waiting(store, "count", Count))
    assert [job.record.left for job in left] == [9, 7]


def test_what_is_cancelled_takes_up_no_other_job() -> None:
    store, begun = started(1, 1), asyncio.Event()
    taken: list[bytes] = []

    async def turn(job: Job[Count]) -> bool:
        taken.append(job.key)
        begun.set()
        await asyncio.Event().wait()
        return True

    async def cancelled() -> None:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(jobs.each(store, "count", Count, turn))
            await begun.wait()
            working.cancel()
        assert working.cancelled()

    asyncio.run(cancelled())
    assert len(taken) == 1
