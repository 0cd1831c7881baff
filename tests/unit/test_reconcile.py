"""Passes run when woken and every so often, in one process at a time, and slow down while they fail."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from atoll import reconcile
from atoll.reconcile import LEASE_SECONDS, Reconciler
from atoll.store import Full, Store
from atoll.store.memory import MemoryStore


class StillClock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


class Passes:
    """Work that counts itself. `fail` is raised by each pass while it is set."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.fail: Exception | None = None
        self.done = asyncio.Event()

    async def __call__(self, epoch: int) -> None:
        self.epochs.append(epoch)
        self.done.set()
        if self.fail is not None:
            raise self.fail

    async def next(self) -> None:
        self.done.clear()
        async with asyncio.timeout(5):
            await self.done.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def play(scenario: Callable[[Store, StillClock, asyncio.TaskGroup], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            await scenario(MemoryStore(), StillClock(), group)

    asyncio.run(main())


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def test_a_pass_runs_at_the_start_and_when_woken() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        passes = Passes()
        reconciler = Reconciler("sweep", passes, store, clock, every_seconds=1000)
        task = group.create_task(reconciler.run())
        await passes.next()
        await settle()
        assert len(passes.epochs) == 1
        reconciler.wake()
        await passes.next()
        await settle()
        assert passes.epochs == [1, 1]
        await stop(task)

    play(scenario)


def test_a_pass_runs_every_so_often_without_being_woken() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        passes = Passes()
        task = group.create_task(Reconciler("sweep", passes, store, clock, every_seconds=0.001).run())
        for _ in range(3):
            await passes.next()
        await stop(task)

    play(scenario)


def test_waking_during_a_pass_brings_another() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        ran = 0

        async def work(_epoch: int) -> None:
            nonlocal ran
            ran += 1
            if ran == 1:
                reconciler.wake()

        reconciler = Reconciler("sweep", work, store, clock, every_seconds=1000)
        task = group.create_task(reconciler.run())
        await settle()
        assert ran == 2
        await stop(task)

    play(scenario)


def test_one_of_two_runs_and_the_other_takes_over_when_it_stops() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        first, second = Passes(), Passes()
        running = group.create_task(Reconciler("sweep", first, store, clock, every_seconds=0.001).run())
        await first.next()
        waiting = group.create_task(Reconciler("sweep", second, store, clock, every_seconds=0.001).run())
        for _ in range(3):
            await first.next()
        assert second.epochs == []
        await stop(running)
        await second.next()
        assert second.epochs[0] == 2
        await stop(waiting)

    play(scenario)


def test_a_process_that_died_is_followed_when_its_lease_runs_out() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        dead = Reconciler("sweep", Passes(), store, clock, every_seconds=1)
        assert await dead._acquire() == 1
        passes = Passes()
        task = group.create_task(Reconciler("sweep", passes, store, clock, every_seconds=0.001).run())
        clock.time += LEASE_SECONDS - 1
        await asyncio.sleep(0.01)
        assert passes.epochs == []
        clock.time += 2
        await passes.next()
        assert passes.epochs[0] == 2
        assert await dead._acquire() is None
        await stop(task)

    play(scenario)


def test_jobs_of_different_names_do_not_wait_for_each_other() -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        first, second = Passes(), Passes()
        tasks = [
            group.create_task(Reconciler("sweep", first, store, clock, every_seconds=1000).run()),
            group.create_task(Reconciler("scrub", second, store, clock, every_seconds=1000).run()),
        ]
        await settle()
        assert (first.epochs, second.epochs) == ([1], [1])
        for task in tasks:
            await stop(task)

    play(scenario)


def test_a_fresh_lease_is_not_written_again_and_an_older_one_is() -> None:
    async def scenario(store: Store, clock: StillClock, _group: asyncio.TaskGroup) -> None:
        reconciler = Reconciler("sweep", Passes(), store, clock, every_seconds=1)
        key = (reconcile.LEASES, reconcile.keys.pack("sweep"))
        await reconciler._acquire()
        first = await store.get(*key)
        clock.time += 5
        assert await reconciler._acquire() == 1
        assert await store.get(*key) == first
        clock.time += 10
        assert await reconciler._acquire() == 1
        assert await store.get(*key) != first

    play(scenario)


def test_a_pass_whose_lease_is_lost_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reconcile, "RENEW_SECONDS", 0.001)
    caplog.set_level(logging.WARNING)

    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        cut_off = asyncio.Event()

        async def work(_epoch: int) -> None:
            clock.time += LEASE_SECONDS + 1
            assert await Reconciler("sweep", Passes(), store, clock, every_seconds=1)._acquire() == 2
            try:
                await asyncio.sleep(1000)
            finally:
                cut_off.set()

        task = group.create_task(Reconciler("sweep", work, store, clock, every_seconds=1000).run())
        async with asyncio.timeout(5):
            await cut_off.wait()
        await settle()
        await stop(task)

    play(scenario)
    assert [r.getMessage() for r in caplog.records] == ["sweep gave up a pass: its lease went to another process"]


def test_a_pass_that_fails_is_logged_once_and_tried_ever_more_slowly(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    naps: list[float] = []
    nap = asyncio.sleep

    async def noted(seconds: float) -> None:
        if seconds in (reconcile.RENEW_SECONDS, 0):
            await nap(seconds)
            return
        naps.append(seconds)
        if len(naps) == 10:
            passes.fail = None
        await nap(0)

    passes: Passes

    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        nonlocal passes
        passes = Passes()
        passes.fail = LookupError("the disk is on holiday")
        reconciler = Reconciler("sweep", passes, store, clock, every_seconds=2)
        task = group.create_task(reconciler.run())
        await settle()
        reconciler.wake()  # Must not hasten what fails.
        for _ in range(20):
            await settle()
        await stop(task)

    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "sleep", noted)
        play(scenario)
    assert naps == [4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert [r.getMessage() for r in caplog.records] == [
        "a pass of sweep failed",
        "sweep works again after 10 failed passes",
    ]
    assert caplog.records[0].exc_info is not None


def test_a_store_that_can_not_write_the_lease_stops_the_pass_not_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: Store, clock: StillClock, group: asyncio.TaskGroup) -> None:
        passes = Passes()

        async def full(_fn: object) -> None:
            raise Full("no room")

        with monkeypatch.context() as patch:
            patch.setattr(store, "run", full)
            task = group.create_task(Reconciler("sweep", passes, store, clock, every_seconds=0.001).run())
            await settle()
            assert passes.epochs == []
        await passes.next()
        assert passes.epochs[0] == 1
        await stop(task)

    play(scenario)
