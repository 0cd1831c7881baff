"""What nobody refers to goes, after a grace and after its readers; what somebody refers to stays."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from atoll.blobs import references
from atoll.blobs.files import FileBlobs
from atoll.blobs.scrub import Damage, scrub
from atoll.blobs.sweep import Sweeper
from atoll.store import Tx
from atoll.store.contract import SCAN_ROWS_MAX
from atoll.store.memory import MemoryStore


class Place:
    """A store, blobs, and a clock that starts at the files' own time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.time = time.time()
        self.store = MemoryStore()
        self.blobs = FileBlobs(directory, self)
        self.sweeper = Sweeper(self.store, self.blobs, self)

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    def put(self, data: bytes = b"bytes") -> str:
        new = self.blobs.new()
        new.write(data)
        return new.finish()

    async def adopt(self, owner: str, *blob_ids: str) -> None:
        async def change(tx: Tx) -> None:
            references.adopt(tx, blob_ids, owner)

        await self.store.run(change)

    async def drop(self, owner: str, *blob_ids: str) -> None:
        async def change(tx: Tx) -> None:
            references.drop(tx, blob_ids, owner, self.time)

        await self.store.run(change)

    def exists(self, blob_id: str) -> bool:
        return self.blobs.verify(blob_id) is None

    async def dropped_rows(self) -> int:
        return len(await self.store.scan(references.DROPPED, b"", None, SCAN_ROWS_MAX))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "blobs")


def test_a_dropped_blob_goes_after_the_grace(place: Place) -> None:
    async def scenario() -> None:
        kept, dropped = place.put(), place.put()
        await place.adopt("s3/a", kept, dropped)
        await place.drop("s3/a", dropped)
        place.time += 59
        assert await place.sweeper.sweep_dropped() == 0
        place.time += 2
        assert await place.sweeper.sweep_dropped() == 1
        assert (place.exists(kept), place.exists(dropped)) == (True, False)
        assert await place.dropped_rows() == 0
        assert await place.sweeper.sweep_dropped() == 0

    asyncio.run(scenario())


def test_a_blob_with_another_owner_stays_until_that_one_drops_it(place: Place) -> None:
    async def scenario() -> None:
        blob = place.put()
        await place.adopt("s3/original", blob)
        await place.adopt("s3/copy", blob)
        await place.drop("s3/original", blob)
        place.time += 100
        assert await place.sweeper.sweep_dropped() == 0
        assert place.exists(blob)
        assert await place.dropped_rows() == 0
        await place.drop("s3/copy", blob)
        place.time += 100
        assert await place.sweeper.sweep_dropped() == 1
        assert not place.exists(blob)

    asyncio.run(scenario())


def test_a_blob_waits_for_who_may_be_reading_it(place: Place) -> None:
    async def scenario() -> None:
        blob = place.put()
        await place.adopt("s3/a", blob)
        with place.blobs.hold():
            place.time += 10
            await place.drop("s3/a", blob)
            place.time += 10_000
            assert await place.sweeper.sweep_dropped() == 0
            # Nor does the other sweep take it, for which it has been without an owner long enough.
            assert await place.sweeper.sweep_orphans() == 0
            assert place.exists(blob)
        assert await place.sweeper.sweep_dropped() == 1

    asyncio.run(scenario())


def test_a_reader_that_began_within_the_grace_of_a_drop_is_waited_for(place: Place) -> None:
    """A drop is dated by the start of its call: one who began later may still have seen the record."""

    async def scenario() -> None:
        blob = place.put()
        await place.adopt("s3/a", blob)
        await place.drop("s3/a", blob)
        place.time += 5
        with place.blobs.hold():
            place.time += 10_000
            assert await place.sweeper.sweep_dropped() == 0
        assert await place.sweeper.sweep_dropped() == 1

    asyncio.run(scenario())


def test_a_later_reader_does_not_keep_what_was_dropped_long_before(place: Place) -> None:
    async def scenario() -> None:
        blob = place.put()
        await place.adopt("s3/a", blob)
        await place.drop("s3/a", blob)
        place.time += 100
        with place.blobs.hold():
            assert await place.sweeper.sweep_dropped() == 1

    asyncio.run(scenario())


def test_a_sweep_cut_off_between_file_and_row_is_finished_by_the_next(place: Place) -> None:
    async def scenario() -> None:
        blob = place.put()
        await place.adopt("s3/a", blob)
        await place.drop("s3/a", blob)
        place.blobs.delete(blob)
        place.time += 100
        await place.sweeper.sweep_dropped()
        assert await place.dropped_rows() == 0

    asyncio.run(scenario())


def test_more_drops_than_a_page_are_all_swept(place: Place) -> None:
    async def scenario() -> None:
        blobs = [f"{n:032x}" for n in range(1201)]
        await place.adopt("s3/a", *blobs)
        await place.drop("s3/a", *blobs[:-1])
        place.time += 100
        assert await place.sweeper.sweep_dropped() == 1200
        assert await place.dropped_rows() == 0

    asyncio.run(scenario())


def test_an_upload_that_never_got_to_its_commit_goes_after_an_hour(place: Place) -> None:
    async def scenario() -> None:
        orphan, kept = place.put(), place.put()
        await place.adopt("s3/a", kept)
        place.time += 3500
        assert await place.sweeper.sweep_orphans() == 0
        place.time += 200
        assert await place.sweeper.sweep_orphans() == 1
        assert (place.exists(orphan), place.exists(kept)) == (False, True)

    asyncio.run(scenario())


def test_a_partial_file_of_a_dead_process_goes_after_an_hour(place: Place) -> None:
    async def scenario() -> None:
        partial = place.directory / "ab" / ("ab" + "0" * 30 + ".partial")
        partial.write_bytes(b"half")
        place.time += 3700
        assert await place.sweeper.sweep_orphans() == 1
        assert not partial.exists()

    asyncio.run(scenario())


def test_the_orphan_sweep_goes_on_where_it_stopped(place: Place) -> None:
    async def scenario() -> None:
        for _ in range(20):
            place.put()
        place.time += 3700
        assert sum([await place.sweeper.sweep_orphans(shelves=64) for _ in range(4)]) == 20

    asyncio.run(scenario())


def test_a_scrub_tells_what_is_damaged_and_whose_it_is(place: Place) -> None:
    async def scenario() -> None:
        sound, damaged, missing, ownerless = (place.put(os.urandom(1000)) for _ in range(4))
        await place.adopt("s3/a", sound, damaged, missing)
        await place.adopt("s3/b", damaged)
        place.blobs.delete(missing)
        for blob_id in (damaged, ownerless):
            path = place.directory / blob_id[:2] / blob_id
            path.write_bytes(b"x" + path.read_bytes()[1:])
        found = [damage async for damage in scrub(place.store, place.blobs, place, bytes_per_second=1e9)]
        expected = [Damage(damaged, "checksum differs", ("s3/a", "s3/b")), Damage(missing, "missing", ("s3/a",))]
        assert sorted(found, key=repr) == sorted(expected, key=repr)

    asyncio.run(scenario())


def test_a_scrub_keeps_to_its_rate(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)
        place.time += seconds

    async def scenario() -> None:
        began = place.time
        await place.adopt("s3/a", *(place.put(bytes(968)) for _ in range(10)))  # 1,000 bytes with the footer
        assert [damage async for damage in scrub(place.store, place.blobs, place, bytes_per_second=100)] == []
        assert naps == pytest.approx([10.0] * 10)
        assert place.time - began == pytest.approx(100)

    monkeypatch.setattr(asyncio, "sleep", nap)
    asyncio.run(scenario())
