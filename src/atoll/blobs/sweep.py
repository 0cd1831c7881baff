"""Deletes the blobs nobody refers to: those that were dropped, and those whose upload never got to its commit.

The file goes first, then the row that told of it, so a crash between the two leaves work to do again, never a file forgotten.
A blob without a row in REFS stays without: only who has a record that names it can adopt it.
"""

import asyncio
from collections.abc import Iterable

from atoll.base.clock import Clock
from atoll.blobs.files import FileBlobs
from atoll.blobs.references import DROPPED, REFS
from atoll.store import Reader, Store, keys

DROPPED_GRACE_SECONDS = 60.0
ORPHAN_GRACE_SECONDS = 3600.0
PAGE_ROWS = 500


class Sweeper:
    def __init__(
        self,
        store: Store,
        blobs: FileBlobs,
        clock: Clock,
        *,
        dropped_grace_seconds: float = DROPPED_GRACE_SECONDS,
        orphan_grace_seconds: float = ORPHAN_GRACE_SECONDS,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._dropped_grace_seconds = dropped_grace_seconds
        self._orphan_grace_seconds = orphan_grace_seconds
        self._next_shelf = 0

    async def sweep_dropped(self) -> int:
        """Answers how many blobs it deleted."""
        now = self._clock.now()
        oldest = await asyncio.to_thread(self._blobs.oldest_hold)
        # The grace comes off the hold too: a drop is dated by the start of its call, so a reader that began after that date
        # may still have seen the record, and clocks of several hosts differ.
        limit = min(now, now if oldest is None else oldest) - self._dropped_grace_seconds
        hi = keys.pack(max(0, int(limit * 1000)))
        lo = b""
        deleted = 0
        while rows := await self._store.scan(DROPPED, lo, hi, PAGE_ROWS):
            lo = rows[-1][0] + b"\x00"
            told = {key: _blob_id(key) for key, _ in rows}
            async with self._store.snapshot() as view:
                free = await _unreferenced(view, told.values())
            await asyncio.to_thread(self._delete, free)
            await self._store.write((), deletes=[(DROPPED, key) for key in told])
            deleted += len(free)
        return deleted

    async def sweep_orphans(self, shelves: int = 256) -> int:
        """Looks through the next `shelves` of the directory's 256; answers how many files it deleted."""
        deleted = 0
        for _ in range(shelves):
            deleted += await self._sweep_shelf(self._next_shelf)
            self._next_shelf = (self._next_shelf + 1) % 256
        return deleted

    async def _sweep_shelf(self, shelf: int) -> int:
        limit = self._clock.now() - self._orphan_grace_seconds
        old = [
            found for found in await asyncio.to_thread(lambda: list(self._blobs.found(shelf))) if found.changed < limit
        ]
        deleted = 0
        for start in range(0, len(old), PAGE_ROWS):
            page = old[start : start + PAGE_ROWS]
            async with self._store.snapshot() as view:
                free = await _unreferenced(view, [found.blob_id for found in page])
                # Dropped ones are the other sweep's: it knows who may be reading them.
                if free:
                    free -= await _dropped_among(view, free)
            gone = [found.path for found in page if found.blob_id in free]
            await asyncio.to_thread(self._blobs.unlink, gone)
            deleted += len(gone)
        return deleted

    def _delete(self, blob_ids: Iterable[str]) -> None:
        for blob_id in blob_ids:
            self._blobs.delete(blob_id)


def _blob_id(dropped_key: bytes) -> str:
    return keys.unpack_text(dropped_key, 8)[0].decode()


async def _unreferenced(view: Reader, blob_ids: Iterable[str]) -> set[str]:
    free = set()
    for blob_id in blob_ids:
        prefix = keys.pack(blob_id)
        if not await view.scan(REFS, prefix, keys.after(prefix), 1):
            free.add(blob_id)
    return free


async def _dropped_among(view: Reader, blob_ids: set[str]) -> set[str]:
    dropped: set[str] = set()
    lo = b""
    while rows := await view.scan(DROPPED, lo, None, PAGE_ROWS):
        dropped |= blob_ids & {_blob_id(key) for key, _ in rows}
        lo = rows[-1][0] + b"\x00"
    return dropped
