"""A cloud in memory for tests: the memory store, blobs in memory, a clock that stands still, and bodies cut in any way."""

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

from atoll.aws.checksums import crc64nvme
from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import BlobBody, Call, Cloud, HttpFacts, Identity, Service, perform
from atoll.store import Full
from atoll.store.memory import MemoryStore

ACCOUNT = "000000000001"
ROOT = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "AKIATEST", "root")
NOW = 1_800_000_000.0


class MemoryBlobs:
    """Blobs in a dict. `open` hands out real descriptors, so readers read as they do from files."""

    def __init__(self, room_bytes: int = 1 << 40) -> None:
        self.data: dict[str, bytes] = {}
        self.open_writers = 0
        self.room_bytes = room_bytes

    def new(self) -> "MemoryWriter":
        return MemoryWriter(self)

    def put(self, data: bytes) -> str:
        writer = self.new()
        writer.write(data)
        return writer.finish()

    def open(self, blob_id: str) -> int:
        if blob_id not in self.data:
            raise FileNotFoundError(blob_id)
        descriptor = os.memfd_create("blob")
        os.write(descriptor, self.data[blob_id])
        return descriptor

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        yield


def bytes_of(body: bytes | BlobBody) -> bytes:
    """What a reply's body holds. It is closed, as the gateway closes it."""
    if isinstance(body, bytes):
        return body
    if body.first is not None:
        os.close(body.first)
    if body.close is not None:
        body.close()
    assert isinstance(body.blobs, MemoryBlobs)
    data = body.blobs.data
    return b"".join(data[part.blob_id][part.offset : part.offset + part.length] for part in body.segments)


def open_blobs() -> list[str]:
    """The descriptors that `MemoryBlobs.open` has handed out and nobody has closed."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # The listing's own.
            if os.readlink(f"/proc/self/fd/{name}").startswith("/memfd:blob"):
                found.append(name)
    return found


class MemoryWriter:
    def __init__(self, blobs: MemoryBlobs) -> None:
        self._blobs = blobs
        self._parts = bytearray()
        self._open = True
        blobs.open_writers += 1

    @property
    def crc64(self) -> int:
        return crc64nvme(bytes(self._parts))

    def write(self, data: bytes | memoryview) -> None:
        assert self._open
        if len(self._parts) + len(data) > self._blobs.room_bytes:
            raise Full("no room")
        self._parts += data

    def finish(self) -> str:
        blob_id = ids.new_hex(32)
        self._blobs.data[blob_id] = bytes(self._parts)
        self._close()
        return blob_id

    def abort(self) -> None:
        self._close()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._blobs.open_writers -= 1


class MemoryBody:
    """A request body that comes in pieces of `step` bytes on a pool thread; `error` strikes after the last piece."""

    def __init__(
        self,
        data: bytes,
        trailers: Mapping[str, str] | None = None,
        *,
        step: int = 64 * 1024,
        here: bool | None = None,
        length_known: bool = True,
        error: AwsError | None = None,
    ) -> None:
        self._data = data
        self._step = step
        self._here = len(data) <= 16 * 1024 if here is None else here
        self._error = error
        self.length = len(data) if length_known else None
        self.trailers: Mapping[str, str] = {}
        self._trailers = dict(trailers or {})
        if self._here:
            self.trailers = self._trailers

    def in_memory(self) -> bytes | None:
        return self._data if self._here else None

    async def read(self, limit: int) -> bytes:
        if len(self._data) > limit:
            raise AwsError("EntityTooLarge", "too large")
        self.trailers = self._trailers
        return self._data

    async def drain(self, sink: Any) -> None:
        await asyncio.to_thread(self._pour, sink)
        if self._error is not None:
            raise self._error
        self.trailers = self._trailers

    def _pour(self, sink: Any) -> None:
        # One buffer for all pieces, overwritten after each, as the HTTP core's is.
        buffer = bytearray(self._step)
        for start in range(0, len(self._data), self._step):
            piece = self._data[start : start + self._step]
            buffer[: len(piece)] = piece
            sink.write(memoryview(buffer)[: len(piece)])
            buffer[: len(piece)] = bytes(len(piece))


async def _allow(_call: Call, _permissions: Any) -> None:
    return None


class TestCloud:
    """One service on a memory store: `await cloud("PutObject", Bucket=..., ...)`."""

    __test__ = False

    def __init__(self, service: Service, *, identity: Identity = ROOT) -> None:
        self.time = NOW
        self.store = MemoryStore(lambda: self.time)
        self.blobs = MemoryBlobs()
        self.service = service
        self.identity = identity
        self.cloud = Cloud(self.store, self.blobs, {service.name: service}, _allow, lambda: self.time)

    def call(self, headers: Mapping[str, str] | None = None, identity: Identity | None = None) -> Call:
        return Call(self.cloud, self.service, identity or self.identity, http=HttpFacts(headers=dict(headers or {})))

    async def __call__(
        self, operation: str, headers: Mapping[str, str] | None = None, identity: Identity | None = None, **request: Any
    ) -> dict[str, Any]:
        """A Body given as bytes comes as the gateway would bring it."""
        body = request.get("Body")
        if isinstance(body, bytes):
            request["Body"] = MemoryBody(body)
        return await perform(self.call(headers, identity), operation, request)
