"""POST Object: a browser's form, authenticated by its signed policy, performed as the PutObject it stands for.

The fields before the file are read here; the file then streams into the operation like any other body.
"""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atoll.aws import post_object, post_policy
from atoll.aws.codec import Codec
from atoll.aws.codecs.s3 import split_path
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.form import FormReader, boundary_of
from atoll.aws.post_object import Place
from atoll.aws.post_policy import PostPolicy
from atoll.aws.wire import WireReply, WireRequest
from atoll.gateway.authentication import Authenticator
from atoll.gateway.connection import HttpRequest
from atoll.gateway.incoming import LOOP_WRITE_BYTES_MAX, RawBody
from atoll.gateway.payload import Collected, too_large
from atoll.operation import Call, Cloud, HttpFacts, Sink, perform

if TYPE_CHECKING:
    from collections.abc import Mapping

PERFORMED = "PutObject"


def is_form(routed: WireRequest) -> bool:
    """POST of a bucket itself: no operation of S3's model is that."""
    if routed.method != "POST" or routed.query:
        return False
    try:
        bucket, key = split_path(routed.path)
    except Malformed:
        return False  # The codec says what is wrong with it.
    return bool(bucket) and not key


@dataclass(frozen=True, slots=True)
class FormUploads:
    """Takes the forms of one worker's clients in."""

    cloud: Cloud
    authenticator: Authenticator

    async def upload(self, http: HttpRequest, routed: WireRequest, codec: Codec, request_id: str) -> WireReply:
        """Raises AwsError."""
        reader = FormReader(boundary_of(http.headers.get("content-type") or ""))
        begun = await _read_fields(http.body, reader)
        place = _place(http, routed)
        fields = post_object.named(reader.fields, reader.filename)
        post_object.key_of(fields)
        identity = await self.authenticator.authenticate_form(fields)
        policy = post_policy.parse(fields["policy"].value) if "policy" in fields else None
        if policy is not None:
            policy.check(fields, place.bucket, self.cloud.now())
        wire = post_object.put_request(fields, place.bucket)
        wire.body = FileBody(http.body, reader, begun, policy)
        request = codec.decode(PERFORMED, wire)
        facts = HttpFacts(http.method, routed.path, "", http.headers.lower(), http.source_ip, http.secure)
        call = Call(self.cloud, self.cloud.services["s3"], identity, request_id=request_id, http=facts)
        stored = codec.encode(PERFORMED, await perform(call, PERFORMED, request), request_id)
        return post_object.answer(fields, place, stored)


async def _read_fields(raw: RawBody, reader: FormReader) -> bytes:
    """Up to the file. Answers the file's first bytes, if they have come along."""
    begun = b""
    while not reader.in_file:
        data = await raw.next_bytes()
        begun = reader.feed(data)
        if not data:
            reader.finish()
    return begun


def _place(http: HttpRequest, routed: WireRequest) -> Place:
    bucket, _ = split_path(routed.path)
    host = http.headers.get("host") or ""
    root = f"{'https' if http.secure else 'http'}://{host}/" if host else "/"
    return Place(bucket, root if routed.path != http.path else f"{root}{bucket}/")


class FileBody:
    """The file in a form, as an operation.Body. Its size is known only at its end, and so is whether the form was whole."""

    __slots__ = ("_begun", "_policy", "_raw", "_reader", "_size_bytes", "_whole", "length", "trailers")

    def __init__(self, raw: RawBody, reader: FormReader, begun: bytes, policy: PostPolicy | None) -> None:
        self.trailers: Mapping[str, str] = {}
        self.length: int | None = None
        self._raw = raw
        self._reader = reader
        self._policy = policy
        self._begun = begun
        self._size_bytes = 0
        self._whole: bytes | None = None
        rest = raw.in_memory()
        if rest is not None:
            self._whole = begun + reader.feed(rest)
            self.length = len(self._whole)
            self._count(self.length)
            self._end()

    def in_memory(self) -> bytes | None:
        return self._whole

    async def read(self, limit: int) -> bytes:
        if self._whole is not None:
            if len(self._whole) > limit:
                raise too_large(len(self._whole), limit)
            return self._whole
        collected = Collected(limit)
        await self.drain(collected)
        return bytes(collected.data)

    async def drain(self, sink: Sink) -> None:
        if self._whole is not None:
            if len(self._whole) > LOOP_WRITE_BYTES_MAX:
                await asyncio.to_thread(sink.write, memoryview(self._whole))
            elif self._whole:
                sink.write(memoryview(self._whole))
            return
        begun, self._begun = self._begun, b""
        if begun:
            self._count(len(begun))
            await asyncio.to_thread(sink.write, memoryview(begun))
        await self._raw.drain(_Unwrapping(self, sink))
        self._end()

    def unwrap(self, data: memoryview) -> bytes:
        piece = self._reader.feed(data)
        self._count(len(piece))
        return piece

    def _count(self, count: int) -> None:
        self._size_bytes += count
        most = self._policy.size_max if self._policy else None
        if most is not None and self._size_bytes > most:
            raise post_policy.too_large(self._size_bytes, most)

    def _end(self) -> None:
        self._reader.finish()
        least = self._policy.size_min if self._policy else 0
        if self._size_bytes < least:
            raise post_policy.too_small(self._size_bytes, least)


class _Unwrapping:
    """From a form's bytes to its file's."""

    def __init__(self, body: FileBody, sink: Sink) -> None:
        self._body = body
        self._sink = sink

    def write(self, data: memoryview) -> None:
        piece = self._body.unwrap(data)
        if piece:
            self._sink.write(memoryview(piece))
