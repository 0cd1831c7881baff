"""A request's body, checked against what was signed: the payload's hash, its chunks' signatures, its length.

A body that is already in memory is checked at once, before any operation sees it; a longer one while it is drained.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from atoll.aws import chunked
from atoll.aws.errors import AwsError
from atoll.aws.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD
from atoll.gateway.incoming import LOOP_WRITE_BYTES_MAX
from atoll.operation import Lender, Sink

OBJECT_BYTES_MAX = 5 * 1024**4  # No decoded length may be more: 5 TiB, S3's own limit of an object.
_HEX = frozenset("0123456789abcdef")


class RawBody(Protocol):
    """A body as it came: bytes as framed by HTTP and nothing taken away or checked but that."""

    @property
    def length(self) -> int | None: ...

    def in_memory(self) -> bytes | None:
        """The whole of it, if it is already here."""
        ...

    async def drain(self, sink: Sink) -> None:
        """Hands the bytes over from a thread. Raises AwsError IncompleteBody when the client breaks off."""
        ...


@dataclass(frozen=True, slots=True)
class PayloadRules:
    """What a body must be. The default: anything."""

    content_hash: str = UNSIGNED_PAYLOAD  # 64 hex digits, UNSIGNED-PAYLOAD, or one of chunked.MODES
    decoded_length: int | None = None
    trailers: tuple[str, ...] = ()
    chain: chunked.SignatureChain | None = None
    whole: bytes | None = None  # The body itself, where authentication had to read (and so has checked) it.


_COMMON = {content_hash: PayloadRules(content_hash) for content_hash in (UNSIGNED_PAYLOAD, EMPTY_SHA256)}


def s3_rules(headers: Mapping[str, str], content_hash: str) -> PayloadRules:
    """From what an S3 request says of its payload. Raises AwsError when it says nothing that makes sense."""
    common = _COMMON.get(content_hash)
    if common is not None:
        return common
    if _is_sha256(content_hash):
        return PayloadRules(content_hash)
    if content_hash not in chunked.MODES:
        raise AwsError(
            "InvalidArgument",
            f"x-amz-content-sha256 must be {UNSIGNED_PAYLOAD}, {', '.join(sorted(chunked.MODES))}, or a valid sha256 value.",
            400,
            ArgumentName="x-amz-content-sha256",
            ArgumentValue=content_hash,
        )
    length = headers.get("x-amz-decoded-content-length")
    if length is None:
        raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
    if not (length.isascii() and length.isdigit()) or len(length) > 16 or int(length) > OBJECT_BYTES_MAX:
        raise AwsError(
            "InvalidArgument",
            "x-amz-decoded-content-length must be the length of the payload in bytes.",
            400,
            ArgumentName="x-amz-decoded-content-length",
            ArgumentValue=length,
        )
    names = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")]
    return PayloadRules(content_hash, int(length), tuple(name for name in names if name))


def missing_content_hash() -> AwsError:
    return AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 400)


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and _HEX.issuperset(text)


class VerifiedBody:
    """An operation.Body over a RawBody (or over bytes, of a request that never came over HTTP)."""

    __slots__ = ("_raw", "_rules", "_whole", "length", "trailers")

    def __init__(self, raw: "RawBody | bytes", rules: PayloadRules) -> None:
        self.trailers: Mapping[str, str] = {}
        self._raw = raw
        self._rules = rules
        self._whole: bytes | None
        if rules.whole is not None:
            self._whole = rules.whole
        else:
            self._whole = self._checked(raw if isinstance(raw, bytes) else raw.in_memory())
        self.length: int | None
        if self._whole is not None:
            self.length = len(self._whole)
        elif rules.decoded_length is not None or isinstance(raw, bytes):
            self.length = rules.decoded_length
        else:
            self.length = raw.length

    def in_memory(self) -> bytes | None:
        return self._whole

    async def read(self, limit: int) -> bytes:
        if self._whole is not None:
            if len(self._whole) > limit:
                raise too_large(len(self._whole), limit)
            return self._whole
        if self.length is not None and self.length > limit:
            raise too_large(self.length, limit)
        collected = Collected(limit)
        await self.drain(collected)
        return bytes(collected.data)

    async def drain(self, sink: Sink) -> None:
        if self._whole is not None:
            if len(self._whole) > LOOP_WRITE_BYTES_MAX:
                await asyncio.to_thread(sink.write, memoryview(self._whole))  # A sink may block.
            elif self._whole:
                sink.write(memoryview(self._whole))
            return
        raw, rules = self._raw, self._rules
        assert not isinstance(raw, bytes)
        if rules.content_hash == UNSIGNED_PAYLOAD:
            await raw.drain(sink)
        elif rules.content_hash in chunked.MODES:
            decoding = _Decoding(_decoder(rules), sink)
            await raw.drain(decoding)
            decoding.decoder.finish()
            self.trailers = decoding.decoder.trailers
        else:
            hashing = _LendingHashing(sink) if isinstance(sink, Lender) else _Hashing(sink)
            await raw.drain(hashing)
            _compare(rules.content_hash, hashing.hash.hexdigest())

    def _checked(self, whole: bytes | None) -> bytes | None:
        content_hash = self._rules.content_hash
        if whole is None or content_hash == UNSIGNED_PAYLOAD:
            return whole
        if content_hash in chunked.MODES:
            decoder = _decoder(self._rules)
            data = b"".join(decoder.feed(memoryview(whole)))
            decoder.finish()
            self.trailers = decoder.trailers
            return data
        if whole or content_hash != EMPTY_SHA256:
            _compare(content_hash, sha256(whole).hexdigest())
        return whole


class _Hashing:
    def __init__(self, sink: Sink) -> None:
        self.hash = sha256()
        self._sink = sink

    def write(self, data: memoryview) -> None:
        self.hash.update(data)
        self._sink.write(data)


class _LendingHashing(_Hashing):
    def __init__(self, sink: Lender) -> None:
        super().__init__(sink)
        self._lender = sink
        self._lent = memoryview(b"")

    def lend(self) -> memoryview:
        self._lent = self._lender.lend()
        return self._lent

    def took(self, count: int) -> None:
        self.hash.update(self._lent[:count])
        self._lender.took(count)


class _Decoding:
    def __init__(self, decoder: chunked.Decoder, sink: Sink) -> None:
        self.decoder = decoder
        self._sink = sink

    def write(self, data: memoryview) -> None:
        for piece in self.decoder.feed(data):
            self._sink.write(piece)


class Collected:
    """A sink that keeps what it gets, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def write(self, data: memoryview) -> None:
        if len(self.data) + len(data) > self._limit:
            raise too_large(None, self._limit)
        self.data += data


async def read_raw(raw: "RawBody | bytes", limit: int) -> bytes:
    """All of a body that nothing has been checked of. Raises AwsError above `limit` bytes."""
    whole = raw if isinstance(raw, bytes) else raw.in_memory()
    if whole is None:
        return await VerifiedBody(raw, PayloadRules()).read(limit)
    if len(whole) > limit:
        raise too_large(len(whole), limit)
    return whole


def too_large(size_bytes: int | None, limit_bytes: int) -> AwsError:
    proposed = {} if size_bytes is None else {"ProposedSize": str(size_bytes)}
    text = "Your proposed upload exceeds the maximum allowed size"
    return AwsError("EntityTooLarge", text, 400, None, **proposed, MaxSizeAllowed=str(limit_bytes))


def _decoder(rules: PayloadRules) -> chunked.Decoder:
    assert rules.decoded_length is not None
    return chunked.Decoder(rules.content_hash, rules.decoded_length, trailers=rules.trailers, chain=rules.chain)


def _compare(claimed: str, computed: str) -> None:
    if not hmac.compare_digest(claimed, computed):
        raise AwsError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            400,
            ClientComputedContentSHA256=claimed,
            S3ComputedContentSHA256=computed,
        )
