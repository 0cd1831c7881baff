"""A backup's bytes: the rows of its items, a page of them a chunk.

    {account}/{region}/dynamodb/b/{backup id}   number (8 bytes)   Chunk

    a chunk: zlib of, for each item, length (4 bytes) + row

A chunk lies in a blob, or in its record when it is small. Blobs rather than rows: a backup is written once, read seldom and
kept long, and would only make the store's tree deeper for everybody.
"""

import os
import zlib

import msgspec

from atoll.aws.checksums import crc64nvme
from atoll.blobs import references
from atoll.blobs.contract import Blobs
from atoll.services.dynamodb import records
from atoll.store import Reader, Tx, keys

_INLINE_BYTES_MAX = 16 * 1024
_LENGTH_BYTES = 4
_DROP_CHUNKS = 500
_FAST = 1  # zlib's level: three times as fast as its default, for a few percent of size.


class Damaged(Exception):
    """A backup's bytes are not those that were written."""


class Chunk(msgspec.Struct, array_like=True):
    items: int
    size_bytes: int  # packed
    crc64: int
    blob_id: str = ""
    inline: bytes = b""


def shelf(account: str, region: str, backup_id: str) -> bytes:
    return records.shelf(account, region, f"b/{backup_id}")


def pack(blobs: Blobs, rows: list[bytes]) -> Chunk:
    """Blocks while it writes: the bytes are durable on return, but nobody's until `put`."""
    packed = zlib.compress(b"".join(len(row).to_bytes(_LENGTH_BYTES, "big") + row for row in rows), _FAST)
    if len(packed) <= _INLINE_BYTES_MAX:
        return Chunk(len(rows), len(packed), crc64nvme(packed), inline=packed)
    writer = blobs.new()
    try:
        writer.write(packed)
        return Chunk(len(rows), len(packed), writer.crc64, blob_id=writer.finish())
    finally:
        writer.abort()


def unpack(blobs: Blobs, chunk: Chunk) -> list[bytes]:
    """Blocks. Raises Damaged."""
    packed = chunk.inline or _read(blobs, chunk)
    if len(packed) != chunk.size_bytes or crc64nvme(packed) != chunk.crc64:
        raise Damaged(f"blob {chunk.blob_id} does not hold what was written to it")
    data = zlib.decompress(packed)
    rows, start = [], 0
    while start < len(data):
        end = start + _LENGTH_BYTES + int.from_bytes(data[start : start + _LENGTH_BYTES], "big")
        rows.append(data[start + _LENGTH_BYTES : end])
        start = end
    if len(rows) != chunk.items:
        raise Damaged(f"{len(rows)} items instead of {chunk.items}")
    return rows


def _read(blobs: Blobs, chunk: Chunk) -> bytes:
    try:
        descriptor = blobs.open(chunk.blob_id)
    except FileNotFoundError as error:
        raise Damaged(f"blob {chunk.blob_id} is missing") from error
    try:
        read = b""
        while len(read) < chunk.size_bytes:
            more = os.pread(descriptor, chunk.size_bytes - len(read), len(read))
            if not more:
                break
            read += more
        return read
    finally:
        os.close(descriptor)


def put(tx: Tx, of: bytes, number: int, chunk: Chunk) -> None:
    """`of` is the backup's shelf, and the owner of its blobs."""
    tx.put(of, keys.pack(number), msgspec.msgpack.encode(chunk))
    if chunk.blob_id:
        references.adopt(tx, [chunk.blob_id], of.decode())


async def find(reader: Reader, of: bytes, number: int) -> Chunk:
    row = await reader.get(of, keys.pack(number))
    assert row is not None, f"no chunk {number} of {of!r}"
    return msgspec.msgpack.decode(row, type=Chunk)


async def drop(tx: Tx, of: bytes, now: float) -> bool:
    """Forgets a piece of a backup; answers whether there is more."""
    rows = await tx.scan(of, b"", None, _DROP_CHUNKS)
    chunks = [msgspec.msgpack.decode(row, type=Chunk) for _, row in rows]
    references.drop(tx, [chunk.blob_id for chunk in chunks if chunk.blob_id], of.decode(), now)
    for k, _ in rows:
        tx.delete(of, k)
    return len(rows) == _DROP_CHUNKS
