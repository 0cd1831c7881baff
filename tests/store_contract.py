"""What every engine must do, said once. An engine's test module subclasses this and gives the fixture `store_factory`,
which makes a store, and may be told what time it is by: `store_factory(now)`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from atoll.store import ABSENT, Conflict, Store, Tx, stamps, sums
from atoll.store.contract import KEY_BYTES_MAX, SCAN_ROWS_MAX
from atoll.store.limits import VALUE_BYTES_MAX

P = b"shelf"
Scenario = Callable[[Store], Awaitable[Any]]


async def everything(store: Store, p: bytes = P) -> list[tuple[bytes, bytes]]:
    return await store.scan(p, b"", None, SCAN_ROWS_MAX)


class StoreContract:
    @pytest.fixture
    def run(self, store_factory: Callable[[], Store]) -> Callable[[Scenario], Any]:
        def run_scenario(scenario: Scenario) -> Any:
            async def opened() -> Any:
                store = store_factory()
                try:
                    return await asyncio.wait_for(scenario(store), 30)
                finally:
                    await store.close()

            return asyncio.run(opened())

        return run_scenario

    def test_what_is_put_is_got(self, run) -> None:
        async def scenario(store: Store) -> None:
            assert await store.get(P, b"a") is None
            await store.write([(P, b"a", b"1"), (P, b"empty", b""), (b"other", b"a", b"2"), (b"", b"", b"bare")])
            assert await store.get(P, b"a") == b"1"
            assert await store.get(P, b"empty") == b""
            assert await store.get_many([(b"other", b"a"), (P, b"none"), (P, b"a")]) == [b"2", None, b"1"]
            assert await store.get_many([]) == []
            assert await store.get(b"", b"") == b"bare"

        run(scenario)

    def test_a_put_replaces_and_a_delete_removes(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"a", b"1"), (P, b"b", b"1")])
            await store.write([(P, b"a", b"2")], deletes=[(P, b"b"), (P, b"was never there")])
            assert await everything(store) == [(b"a", b"2")]

        run(scenario)

    def test_in_one_write_deletes_come_before_puts_and_the_last_put_stands(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"a", b"1"), (P, b"a", b"2")], deletes=[(P, b"a")])
            assert await everything(store) == [(b"a", b"2")]

        run(scenario)

    def test_a_scan_goes_by_the_order_of_bytes_and_stays_on_its_shelf(self, run) -> None:
        async def scenario(store: Store) -> None:
            ordered = [b"", b"\x00", b"\x00\xff", b"a", b"a\x00", b"ab", b"b", b"\x7f", b"\x80", b"\xff", b"\xff\xff"]
            await store.write([(P, k, b"v") for k in reversed(ordered)])
            await store.write([(P[:-1], b"z", b"x"), (P + b"\x00", b"", b"x"), (P + b"a", b"a", b"x")])
            found = [k for k, _ in await store.scan(P, b"", None, 100)]
            assert found == sorted(ordered)
            assert [k for k, _ in await store.scan(P, b"", None, 100, reverse=True)] == sorted(ordered, reverse=True)

        run(scenario)

    def test_a_scan_takes_its_lower_end_and_leaves_its_upper(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"%d" % n, b"v%d" % n) for n in range(10)])
            assert await store.scan(P, b"3", b"6", 10) == [(b"3", b"v3"), (b"4", b"v4"), (b"5", b"v5")]
            assert await store.scan(P, b"3", b"6", 2, reverse=True) == [(b"5", b"v5"), (b"4", b"v4")]
            assert await store.scan(P, b"8", None, 1) == [(b"8", b"v8")]
            assert await store.scan(P, b"8", None, 1, reverse=True) == [(b"9", b"v9")]
            assert await store.scan(P, b"6", b"3", 10) == []
            assert await store.scan(P, b"6", b"3", 10, reverse=True) == []
            assert await store.scan(P, b"", None, 0) == []
            assert await store.scan(P, b"", None, -1) == []
            assert await store.scan(b"no shelf", b"", None, 10) == []

        run(scenario)

    def test_a_failed_check_writes_nothing(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"a", b"1")], checks=[(P, b"a", ABSENT)])
            for check in [(P, b"a", ABSENT), (P, b"a", b"2"), (P, b"b", b"1"), (P, b"a", b"")]:
                with pytest.raises(Conflict):
                    await store.write([(P, b"x", b"1")], deletes=[(P, b"a")], checks=[(P, b"a", b"1"), check])
            assert await everything(store) == [(b"a", b"1")]
            await store.write([], deletes=[(P, b"a")], checks=[(P, b"a", b"1"), (P, b"b", ABSENT)])
            assert await everything(store) == []

        run(scenario)

    def test_of_many_who_create_one_row_one_succeeds(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def create(n: int) -> bool:
                try:
                    await store.write([(P, b"name", b"%d" % n), (P, b"of %d" % n, b"")], checks=[(P, b"name", ABSENT)])
                except Conflict:
                    return False
                return True

            created = await asyncio.gather(*(create(n) for n in range(50)))
            assert sum(created) == 1
            winner = b"%d" % created.index(True)
            assert await everything(store) == [(b"name", winner), (b"of " + winner, b"")]

        run(scenario)

    def test_a_transaction_sees_its_own_changes(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"%d" % n, b"old") for n in range(6)])

            async def change(tx: Tx) -> list[Any]:
                tx.put(P, b"2", b"new")
                tx.delete(P, b"0")
                tx.delete(P, b"3")
                tx.put(P, b"25", b"new")
                tx.put(P, b"9", b"gone again")
                tx.delete(P, b"9")
                tx.put(b"elsewhere", b"1", b"not here")
                return [
                    await tx.get(P, b"2"),
                    await tx.get_many([(P, b"3"), (P, b"4")]),
                    await tx.scan(P, b"", None, 3),
                    await tx.scan(P, b"", b"4", 10, reverse=True),
                    await tx.scan(P, b"3", b"4", 10),
                ]

            assert await store.run(change) == [
                b"new",
                [None, b"old"],
                [(b"1", b"old"), (b"2", b"new"), (b"25", b"new")],
                [(b"25", b"new"), (b"2", b"new"), (b"1", b"old")],
                [],
            ]
            assert [k for k, _ in await everything(store)] == [b"1", b"2", b"25", b"4", b"5"]

        run(scenario)

    def test_a_transaction_that_raises_writes_nothing(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def fail(tx: Tx) -> None:
                tx.put(P, b"a", b"1")
                raise LookupError("no such thing")

            with pytest.raises(LookupError, match="no such thing"):
                await store.run(fail)
            assert await everything(store) == []

        run(scenario)

    def test_sixty_four_who_count_together_lose_no_count(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def count(tx: Tx) -> int:
                seen = int(await tx.get(P, b"count") or b"0") + 1
                tx.put(P, b"count", b"%d" % seen)
                return seen

            async def client() -> list[int]:
                return [await store.run(count) for _ in range(10)]

            answers = await asyncio.gather(*(client() for _ in range(64)))
            assert sorted(seen for mine in answers for seen in mine) == list(range(1, 641))
            assert await store.get(P, b"count") == b"640"

        run(scenario)

    def test_what_a_scan_did_not_find_is_watched_too(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def join(name: bytes) -> bool:
                async def take(tx: Tx) -> bool:
                    if len(await tx.scan(P, b"seat", None, 10)) >= 3:
                        return False
                    tx.put(P, b"seat " + name, b"")
                    return True

                return await store.run(take)

            taken = await asyncio.gather(*(join(b"%02d" % n) for n in range(20)))
            assert sum(taken) == 3
            assert len(await everything(store)) == 3

        run(scenario)

    def test_one_who_raises_after_being_overtaken_raises_what_is_true(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def claim(tx: Tx) -> None:
                if await tx.get(P, b"claimed") is not None:
                    raise LookupError("taken")
                tx.put(P, b"claimed", b"")

            results = await asyncio.gather(*(store.run(claim) for _ in range(10)), return_exceptions=True)
            assert sorted(map(repr, results)) == ["LookupError('taken')"] * 9 + ["None"]

        run(scenario)

    def test_a_snapshot_does_not_change(self, run) -> None:
        async def scenario(store: Store) -> None:
            await store.write([(P, b"a", b"1"), (P, b"b", b"1")])
            async with store.snapshot() as view:
                assert await view.get(P, b"a") == b"1"
                await store.write([(P, b"a", b"2"), (P, b"c", b"2")], deletes=[(P, b"b")])
                assert await view.get(P, b"a") == b"1"
                assert await view.get_many([(P, b"b"), (P, b"c")]) == [b"1", None]
                assert await view.scan(P, b"", None, 10) == [(b"a", b"1"), (b"b", b"1")]
            assert await everything(store) == [(b"a", b"2"), (b"c", b"2")]

        run(scenario)

    def test_a_snapshot_left_by_an_error_is_left(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def fail() -> None:
                async with store.snapshot() as view:
                    await view.get(P, b"a")
                    raise LookupError

            for _ in range(100):
                with pytest.raises(LookupError):
                    await fail()
            await store.write([(P, b"a", b"1")])
            async with store.snapshot() as view:
                assert await view.get(P, b"a") == b"1"

        run(scenario)

    def test_large_keys_and_values_are_kept_and_larger_refused(self, run) -> None:
        async def scenario(store: Store) -> None:
            key = b"k" * (KEY_BYTES_MAX - len(P))
            value = bytes(range(256)) * 4096
            await store.write([(P, key, value)])
            assert await store.get(P, key) == value
            over = key + b"k"

            async def put(tx: Tx) -> None:
                tx.put(P, over, b"")

            async def delete(tx: Tx) -> None:
                tx.delete(P, over)

            for refused in (
                store.write([(P, over, b"")]),
                store.write([], deletes=[(P, over)]),
                store.write([(P, b"a", bytes(VALUE_BYTES_MAX + 1))]),
                store.write([(P, b"a", "text")]),  # type: ignore[list-item]
                store.run(put),
                store.run(delete),
                store.scan(P, b"", None, SCAN_ROWS_MAX + 1),
            ):
                with pytest.raises(ValueError):
                    await refused
            assert await everything(store) == [(key, value)]

        run(scenario)

    def test_a_transaction_that_awaits_the_world_is_refused(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def wait(tx: Tx) -> None:
                tx.put(P, b"a", b"1")
                await asyncio.sleep(0)

            with pytest.raises(RuntimeError, match="other than its Tx"):
                await store.run(wait)
            assert await everything(store) == []

        run(scenario)

    def test_a_writer_that_gives_up_harms_nobody(self, run) -> None:
        async def scenario(store: Store) -> None:
            for n in range(20):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0):
                        await asyncio.gather(
                            *(store.write([(P, b"%d/%d" % (n, m), b"")]) for m in range(5)), asyncio.sleep(9)
                        )
                await store.write([(P, b"after", b"%d" % n)])
            assert await store.get(P, b"after") == b"19"

        run(scenario)

    def test_an_appended_row_lies_at_its_prefix_and_a_stamp_of_its_time(self, store_factory) -> None:
        async def scenario() -> None:
            store = store_factory(lambda: 1_700_000_000.25)

            async def append(tx: Tx) -> int:
                tx.append(P, b"log/", b"first")
                tx.append(P, b"log/", b"second")
                tx.append(b"other", b"", b"third")
                return len(await tx.scan(P, b"", None, 10))

            assert await store.run(append) == 0
            first, second = await everything(store)
            ((third, value),) = await everything(store, b"other")
            assert [first[1], second[1], value] == [b"first", b"second", b"third"]
            assert first[0] == b"log/" + stamps.at(1_700_000_000.25)
            assert first[0] < second[0] < b"log/" + third
            assert [stamps.time_of(k) for k in (first[0][4:], second[0][4:], third)] == [1_700_000_000.25] * 3
            await store.close()

        asyncio.run(scenario())

    def test_stamps_increase_in_the_order_of_commits_whatever_the_clock_does(self, store_factory) -> None:
        times = iter([100.0, 100.0, 200.0, 50.0, 50.0, 199.0, 0.0, 200.5, -5.0])
        told = [100.0, 100.0, 200.0, 200.0, 200.0, 200.0, 200.0, 200.5, 200.5]

        async def scenario() -> None:
            store = store_factory(lambda: next(times))
            for n in range(len(told)):

                async def append(tx: Tx, n: int = n) -> None:
                    tx.append(P, b"", b"%d" % n)

                await store.run(append)
            rows = await everything(store)
            assert [v for _, v in rows] == [b"%d" % n for n in range(len(told))]
            assert [stamps.time_of(k) for k, _ in rows] == told
            await store.close()

        asyncio.run(scenario())

    def test_a_log_holds_its_records_in_the_order_in_which_their_rows_changed(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def change(tx: Tx) -> None:
                seen = int(await tx.get(P, b"count") or b"0") + 1
                tx.put(P, b"count", b"%d" % seen)
                tx.append(b"log", b"", b"%d" % seen)

            await asyncio.gather(*(store.run(change) for _ in range(200)))
            assert [v for _, v in await everything(store, b"log")] == [b"%d" % n for n in range(1, 201)]

        run(scenario)

    def test_sums_are_kept_and_a_row_of_zeros_is_none(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def add(*deltas: int) -> tuple[int, ...]:
                async def fn(tx: Tx) -> None:
                    tx.add(P, b"sum", *deltas)

                await store.run(fn)
                return sums.read(await store.get(P, b"sum"), 3)

            assert await add(0, 0) == (0, 0, 0)
            assert await add(1, -2) == (1, -2, 0)
            assert await add(5) == (6, -2, 0)
            assert await add(0, 2, 2**62) == (6, 0, 2**62)
            assert len(await everything(store)) == 1
            with pytest.raises(OverflowError):
                await add(1, 1, 2**62)
            assert await add(-6, 0, -(2**62)) == (0, 0, 0)
            assert await everything(store) == []
            await store.write([(P, b"sum", b"no sum")])
            with pytest.raises(ValueError, match="6 bytes"):
                await add(1)
            assert await everything(store) == [(b"sum", b"no sum")]

        run(scenario)

    def test_a_transaction_sees_the_sums_it_makes(self, run) -> None:
        async def scenario(store: Store) -> None:
            one, four = sums.pack([1]), sums.pack([4])
            assert one
            assert four
            await store.write([(P, b"%d" % n, one) for n in range(5)])

            async def change(tx: Tx) -> list[Any]:
                tx.add(P, b"0", -1)
                tx.add(P, b"2", 2)
                tx.add(P, b"2", 1)
                tx.put(P, b"1", one)
                tx.add(P, b"1", 3)
                tx.delete(P, b"3")
                tx.add(P, b"3", 4)
                tx.add(P, b"4", 9)
                tx.delete(P, b"4")
                tx.add(P, b"5", 7)
                tx.put(P, b"5", four)
                tx.add(P, b"6", 4)
                return [
                    await tx.get(P, b"0"),
                    await tx.get_many([(P, b"2"), (P, b"4")]),
                    await tx.scan(P, b"", None, 3),
                    await tx.scan(P, b"", None, 3, reverse=True),
                ]

            assert await store.run(change) == [
                None,
                [four, None],
                [(b"1", four), (b"2", four), (b"3", four)],
                [(b"6", four), (b"5", four), (b"3", four)],
            ]
            assert await everything(store) == [(b"%d" % n, four) for n in (1, 2, 3, 5, 6)]

        run(scenario)

    def test_who_adds_or_appends_neither_overtakes_nor_is_overtaken(self, run) -> None:
        async def scenario(store: Store) -> None:
            runs: list[int] = []

            async def count(tx: Tx, n: int) -> None:
                runs.append(n)
                await tx.get(P, b"%d" % n)
                tx.add(P, b"sum", 1, 10)
                tx.append(b"log", b"", b"%d" % n)

            for _ in range(10):
                await asyncio.gather(*(store.run(lambda tx, n=n: count(tx, n)) for n in range(64)))
            assert len(runs) == 640
            assert sums.read(await store.get(P, b"sum"), 2) == (640, 6400)
            assert len(await everything(store, b"log")) == 640

        run(scenario)

    def test_who_reads_a_sum_reads_what_is_true_when_it_commits(self, run) -> None:
        async def scenario(store: Store) -> None:
            async def add(tx: Tx) -> None:
                tx.add(P, b"sum", 1)

            async def take_number(tx: Tx) -> int:
                tx.add(P, b"sum", 1)
                (seen,) = sums.read(await tx.get(P, b"sum"), 1)
                tx.put(b"taken", b"%d" % seen, b"")
                return seen

            both = [store.run(take_number if n % 2 else add) for n in range(100)]
            numbers = [seen for seen in await asyncio.gather(*both) if seen is not None]
            assert len(set(numbers)) == 50
            assert len(await everything(store, b"taken")) == 50
            assert sums.read(await store.get(P, b"sum"), 1) == (100,)

        run(scenario)

    def test_keys_too_long_are_refused_where_they_are_added_or_appended(self, run) -> None:
        async def scenario(store: Store) -> None:
            key = b"k" * (KEY_BYTES_MAX - len(P))

            async def append(tx: Tx, prefix: bytes) -> None:
                tx.append(P, prefix, b"")

            async def add(tx: Tx) -> None:
                tx.add(P, key + b"k", 1)

            for refused in (store.run(lambda tx: append(tx, key[: 1 - stamps.STAMP_BYTES])), store.run(add)):
                with pytest.raises(ValueError, match="above"):
                    await refused
            assert await everything(store) == []
            await store.run(lambda tx: append(tx, key[: -stamps.STAMP_BYTES]))
            assert len(await everything(store)) == 1

        run(scenario)


class SharedStoreContract:
    """What an engine must do whose stores outlive a process: `store_factory` opens the same rows each time."""

    def test_stamps_increase_over_a_restart_with_a_clock_that_has_stepped_back(self, store_factory) -> None:
        async def append(tx: Tx) -> None:
            tx.append(P, b"", b"")

        async def scenario() -> list[bytes]:
            for now in (5000.0, 4000.0, 6000.0):
                store = store_factory(lambda now=now: now)
                await store.run(append)
                rows = await everything(store)
                await store.close()
            return [k for k, _ in rows]

        found = asyncio.run(scenario())
        assert [stamps.time_of(k) for k in found] == [5000.0, 5000.0, 6000.0]

    def test_stamps_of_two_stores_with_clocks_apart_increase_in_the_order_of_commits(self, store_factory) -> None:
        async def scenario() -> None:
            stores = [store_factory(lambda now=now: now) for now in (9000.0, 1000.0)]
            for n in range(20):

                async def append(tx: Tx, n: int = n) -> None:
                    tx.append(P, b"", b"%02d" % n)
                    tx.add(b"sums", b"all", n)

                await stores[n % 2].run(append)
            for store in stores:
                assert [v for _, v in await everything(store)] == [b"%02d" % n for n in range(20)]
                assert sums.read(await store.get(b"sums", b"all"), 1) == (190,)
                await store.close()

        asyncio.run(scenario())
