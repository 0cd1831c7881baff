"""Takes the body of PutObject and UploadPart in: counted, hashed, checked, and put where an object's bytes lie.

Up to INLINE_BYTES_MAX they stay in memory for the record; more goes into one blob, which is durable when `ingest` returns and
belongs to nobody until a transaction names it. Whatever fails, the blob is aborted.
"""

import asyncio
import hashlib
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.blobs.contract import Blobs, BlobWriter
from atoll.operation import Body, Call
from atoll.services.s3 import integrity
from atoll.services.s3.integrity import Declared
from atoll.services.s3.records import INLINE_BYTES_MAX, Piece

UPLOAD_BYTES_MAX = 5 * 1024**3  # AWS's limit on one PutObject or UploadPart.
BLOCK_BYTES = 1024 * 1024  # Each block costs two thread switches; 64 KiB blocks cost a sixth of the speed.
LANE_BLOCKS_MAX = 4
_LENGTH_HEADERS = frozenset({"content-length", "transfer-encoding"})
LANE_FROM_BYTES = 4 * BLOCK_BYTES  # Below, starting a thread costs more than it saves.


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    etag: str  # without quotes
    md5: bytes
    inline: bytes | None
    pieces: list[Piece]
    checksum_algorithm: str
    checksum: str  # base64
    checksum_type: str
    crc64: int


async def ingest(call: Call, request: Mapping[str, Any], limit: int = UPLOAD_BYTES_MAX, keep: str = "") -> Stored:
    """Reads request["Body"] to its end. `keep` names the checksum to store; without it, the declared one or CRC64NVME."""
    said = integrity.declared(request, call.http.headers)
    keep = keep or said.algorithm or integrity.DEFAULT
    body = request.get("Body", b"")
    if isinstance(body, bytes):  # A call made in process.
        data: bytes | None = body
        trailers: Mapping[str, str] = {}
    else:
        _check_length(call, body, limit)
        data = body.in_memory()
        trailers = body.trailers
    if data is None:
        return await _take_stream(call, body, Intake(call.blobs, said, keep, limit, body.length))
    if len(data) > limit:
        raise too_large(len(data), limit)
    if len(data) <= INLINE_BYTES_MAX:
        return take_small(data, said, trailers, keep)
    intake = Intake(call.blobs, said, keep, limit, len(data))
    return await asyncio.get_running_loop().run_in_executor(None, intake.take_all, data, trailers)


def _check_length(call: Call, body: Body, limit: int) -> None:
    # HTTP reads a request without any length as one without a body; S3 wants that said.
    if not body.length and _LENGTH_HEADERS.isdisjoint(call.http.headers) and (body.length is None or call.http.headers):
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    if body.length is not None and body.length > limit:
        raise too_large(body.length, limit)


def too_large(proposed: int, limit: int) -> AwsError:
    return AwsError(
        "EntityTooLarge",
        "Your proposed upload exceeds the maximum allowed size",
        400,
        ProposedSize=str(proposed),
        MaxSizeAllowed=str(limit),
    )


def take_small(data: bytes, said: Declared, trailers: Mapping[str, str], keep: str) -> Stored:
    """What stays in its record."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    digest = md5.digest()
    crc64 = checksums.crc64nvme(data)
    sums = {checksums.CRC64NVME: crc64.to_bytes(8, "big")}
    for name in (keep, said.algorithm):
        if name and name not in sums:
            sums[name] = checksums.compute(name, data)
    integrity.verify(said, trailers, digest, sums)
    return Stored(
        size=len(data),
        etag=digest.hex(),
        md5=digest,
        inline=data,
        pieces=[],
        checksum_algorithm=keep,
        checksum=checksums.encode(sums[keep]),
        checksum_type=integrity.FULL_OBJECT,
        crc64=crc64,
    )


async def _take_stream(call: Call, body: Body, intake: "Intake") -> Stored:
    loop = asyncio.get_running_loop()
    try:
        await body.drain(intake)
    except BaseException:
        # In a thread, and behind the intake's lock: a cancelled drain may have one last write under way.
        await loop.run_in_executor(None, intake.abort)
        raise
    return await loop.run_in_executor(None, intake.finish, body.trailers)


class _Md5Lane:
    """MD5 in a thread of its own: at 640 MB/s it is the slowest step of an upload, so nothing may wait for it in line.

    Blocks go round between writer and lane: fresh memory for each would cost as much in page faults as the copy into it.
    """

    def __init__(self, md5: "hashlib._Hash") -> None:
        self._md5 = md5
        self._full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        for _ in range(LANE_BLOCKS_MAX):
            self._free.put(bytearray(BLOCK_BYTES))
        self._thread = threading.Thread(target=self._run, name="s3-md5", daemon=True)
        self._thread.start()

    def put(self, block: bytearray, size: int) -> None:
        self._full.put((block, size))

    def empty(self) -> bytearray:
        """A block to fill; waits while the lane is behind."""
        return self._free.get()

    def end(self) -> None:
        self._full.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (item := self._full.get()) is not None:
            block, size = item
            self._md5.update(memoryview(block)[:size])
            self._free.put(block)


class Intake:
    """The sink of one upload. `write` may run on any thread; a lock keeps `abort` from cutting into it."""

    def __init__(self, blobs: Blobs, said: Declared, keep: str, limit: int, length: int | None) -> None:
        self._blobs = blobs
        self._said = said
        self._keep = keep
        self._limit = limit
        self._length = length
        self._lock = threading.Lock()
        self._size = 0
        self._block = bytearray(BLOCK_BYTES if length is None else min(max(length, INLINE_BYTES_MAX + 1), BLOCK_BYTES))
        self._filled = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._lane: _Md5Lane | None = None
        # CRC64NVME the blob's writer computes anyway.
        self._sums = {name: checksums.new(name) for name in {keep, said.algorithm} - {"", checksums.CRC64NVME}}
        self._writer: BlobWriter | None = None
        self._closed = False

    def write(self, data: memoryview | bytes) -> None:
        with self._lock:
            if self._closed:
                return
            self._grow(len(data))
            rest = memoryview(data)
            while len(rest) > 0:
                # The copy is what lets the HTTP core refill its buffer while MD5 still reads these bytes.
                count = min(len(rest), len(self._block) - self._filled)
                self._block[self._filled : self._filled + count] = rest[:count]
                self._filled += count
                rest = rest[count:]
                if self._filled == len(self._block):
                    self._pass_on()

    def lend(self) -> memoryview:
        """What is left of the block: bytes received there need no copy."""
        with self._lock:
            # Nobody looks at what comes after an abort.
            return memoryview(bytearray(BLOCK_BYTES) if self._closed else self._block)[self._filled :]

    def took(self, count: int) -> None:
        with self._lock:
            if self._closed:
                return
            self._grow(count)
            self._filled += count
            if self._filled == len(self._block):
                self._pass_on()

    def _grow(self, count: int) -> None:
        self._size += count
        if self._size > self._limit:
            raise too_large(self._size, self._limit)

    def take_all(self, data: bytes, trailers: Mapping[str, str]) -> Stored:
        try:
            self.write(data)
        except BaseException:
            self.abort()
            raise
        return self.finish(trailers)

    def finish(self, trailers: Mapping[str, str]) -> Stored:
        """Blocks for the disk. Aborts the blob itself if the bytes are not what was declared."""
        with self._lock:
            try:
                return self._finish(trailers)
            except BaseException:
                self._abort()
                raise

    def _finish(self, trailers: Mapping[str, str]) -> Stored:
        if self._size <= INLINE_BYTES_MAX:
            return take_small(bytes(self._block[: self._filled]), self._said, trailers, self._keep)
        if self._filled:
            self._pass_on()
        self._end_lane()
        assert self._writer is not None
        digest = self._md5.digest()
        sums = {name: running.digest() for name, running in self._sums.items()}
        sums[checksums.CRC64NVME] = self._writer.crc64.to_bytes(8, "big")
        integrity.verify(self._said, trailers, digest, sums)
        blob_id = self._writer.finish()
        self._closed = True
        return Stored(
            size=self._size,
            etag=digest.hex(),
            md5=digest,
            inline=None,
            pieces=[Piece(blob_id, 0, self._size)],
            checksum_algorithm=self._keep,
            checksum=checksums.encode(sums[self._keep]),
            checksum_type=integrity.FULL_OBJECT,
            crc64=int.from_bytes(sums[checksums.CRC64NVME], "big"),
        )

    def abort(self) -> None:
        with self._lock:
            self._abort()

    def _abort(self) -> None:
        self._closed = True
        self._end_lane()
        if self._writer is not None:
            self._writer.abort()

    def _end_lane(self) -> None:
        if self._lane is not None:
            self._lane.end()
            self._lane = None

    def _pass_on(self) -> None:
        if self._writer is None:
            self._writer = self._blobs.new()
            if self._length is None or self._length >= LANE_FROM_BYTES:
                self._lane = _Md5Lane(self._md5)
        block, size = self._block, self._filled
        view = memoryview(block)[:size]
        self._filled = 0
        if self._lane is not None:
            self._lane.put(block, size)
        else:
            self._md5.update(view)
        for running in self._sums.values():
            running.update(view)
        self._writer.write(view)
        if self._lane is not None:
            # Only now: the lane may hand this very block back.
            self._block = self._lane.empty()
