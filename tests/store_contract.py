"""What every engine must do, said once. An engine's test module subclasses this and gives the fixture `store_factory`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from atoll.store import ABSENT, Conflict, Store, Tx
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
