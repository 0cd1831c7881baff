"""Reads every blob in use from the disk, at a bounded rate, and tells which can't be trusted any more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from atoll.base.clock import Clock
from atoll.blobs.files import FileBlobs
from atoll.blobs.references import REFS
from atoll.store import Store, keys

BYTES_PER_SECOND = 32 * 1024 * 1024
PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Damage:
    blob_id: str
    reason: str
    owners: tuple[str, ...]
    """As given to references.adopt."""


async def scrub(
    store: Store, blobs: FileBlobs, clock: Clock, *, bytes_per_second: float = BYTES_PER_SECOND
) -> AsyncIterator[Damage]:
    """One pass over all blobs that have an owner, so a file that is missing is found as well."""
    started = clock.monotonic()
    bytes_read = 0
    blob_id = ""
    while (blob_id := await _after(store, blob_id)) != "":
        bytes_read += await asyncio.to_thread(_size, blobs, blob_id)
        reason = await asyncio.to_thread(blobs.verify, blob_id)
        # Asked again only now: a blob that was dropped meanwhile may be gone rightly.
        if reason is not None and (owners := await _owners(store, blob_id)):
            yield Damage(blob_id, reason, owners)
        ahead = bytes_read / bytes_per_second - (clock.monotonic() - started)
        if ahead > 0:
            await asyncio.sleep(ahead)


async def _after(store: Store, blob_id: str) -> str:
    lo = keys.after(keys.pack(blob_id)) if blob_id else b""
    assert lo is not None
    rows = await store.scan(REFS, lo, None, 1)
    return keys.unpack_text(rows[0][0])[0].decode() if rows else ""


async def _owners(store: Store, blob_id: str) -> tuple[str, ...]:
    prefix = keys.pack(blob_id)
    rows = await store.scan(REFS, prefix, keys.after(prefix), PAGE_ROWS)
    return tuple(keys.unpack_text(key, len(prefix))[0].decode() for key, _ in rows)


def _size(blobs: FileBlobs, blob_id: str) -> int:
    try:
        return blobs.size(blob_id)
    except FileNotFoundError:
        return 0
