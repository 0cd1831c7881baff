"""For the scrubber: every version whose bytes can't be trusted any more, by name.

Bytes in rows are checked here; those in blobs are checked by the blobs' own scrubber, which tells ids that are given names here.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from atoll.aws import checksums
from atoll.services.s3.records import (
    BUCKETS,
    Bucket,
    Part,
    Piece,
    Version,
    decode_bucket,
    decode_part,
    decode_upload,
    decode_version,
)
from atoll.store import Row, Store, keys

ROWS_PER_PAGE = 250
PAUSE_SECONDS = 0.02  # Between pages, so that a pass leaves the store to its callers.


@dataclass(frozen=True, slots=True)
class Damaged:
    """`version_id` is empty for a part of an unfinished upload, which the reason then names."""

    bucket: str
    key: str
    version_id: str
    reason: str


async def scrub(
    store: Store, bad_blobs: Mapping[str, str], *, pause_seconds: float = PAUSE_SECONDS
) -> AsyncIterator[Damaged]:
    """One pass over all buckets. `bad_blobs` are the ids the blob scrubber found, and why."""
    walk = _Walk(store, bad_blobs, pause_seconds)
    async for row in walk.rows(BUCKETS):
        bucket = decode_bucket(row[1])
        async for damaged in walk.versions(bucket):
            yield damaged
        async for damaged in walk.parts(bucket):
            yield damaged


class _Walk:
    def __init__(self, store: Store, bad_blobs: Mapping[str, str], pause_seconds: float) -> None:
        self._store = store
        self._bad_blobs = bad_blobs
        self._pause_seconds = pause_seconds

    async def rows(self, shelf: bytes) -> AsyncIterator[Row]:
        lo = b""
        while True:
            rows = await self._store.scan(shelf, lo, None, ROWS_PER_PAGE)
            for row in rows:
                yield row
            if len(rows) < ROWS_PER_PAGE:
                return
            lo = rows[-1][0] + b"\x00"
            await asyncio.sleep(self._pause_seconds)

    async def versions(self, bucket: Bucket) -> AsyncIterator[Damaged]:
        async for row_key, row in self.rows(bucket.shelf("o")):
            version = decode_version(row)
            if version.inline:
                reason = await self._inline_reason(bucket, row_key, row, version)
            else:
                reason = self._blob_reason(version.pieces, version.size)
            if reason:
                key = keys.unpack_text(row_key)[0].decode("utf-8", "surrogateescape")
                yield Damaged(bucket.name, key, version.version_id, reason)

    async def parts(self, bucket: Bucket) -> AsyncIterator[Damaged]:
        named = {}
        async for _, row in self.rows(bucket.shelf("u")):
            upload = decode_upload(row)
            named[upload.upload_id] = upload.key
        async for row_key, row in self.rows(bucket.shelf("p")):
            upload_id = keys.unpack_text(row_key)[0].decode()
            part = decode_part(row)
            reason = self._part_reason(part)
            # An upload that began after its bucket's were listed is named in the next pass.
            if reason and upload_id in named:
                yield Damaged(bucket.name, named[upload_id], "", f"part {part.number} of upload {upload_id}: {reason}")

    async def _inline_reason(self, bucket: Bucket, row_key: bytes, row: bytes, version: Version) -> str:
        data = await self._store.get(bucket.shelf("d"), row_key)
        reason = _bytes_reason(data, version.size, version.crc64)
        # The two reads are not of one moment: what has changed in between was whole.
        if reason and await self._store.get(bucket.shelf("o"), row_key) != row:
            return ""
        return reason

    def _part_reason(self, part: Part) -> str:
        if part.pieces:
            return self._blob_reason(part.pieces, part.size)
        return _bytes_reason(part.inline, part.size, part.crc64)

    def _blob_reason(self, pieces: list[Piece], size: int) -> str:
        for piece in pieces:
            if piece.blob_id in self._bad_blobs:
                return f"blob {piece.blob_id}: {self._bad_blobs[piece.blob_id]}"
        if sum(piece.length for piece in pieces) != size:
            return "its pieces do not make up its size"
        return ""


def _bytes_reason(data: bytes | None, size: int, crc64: int) -> str:
    if data is None:
        return "its inline bytes are gone"
    if len(data) != size:
        return f"its inline bytes are {len(data)}, not {size}"
    return "" if checksums.crc64nvme(data) == crc64 else "its inline bytes do not have their checksum"
