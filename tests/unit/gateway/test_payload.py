"""Bodies against what was signed of them: at once when in memory, while draining when not."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

import pytest

from atoll.aws import chunked
from atoll.aws.errors import AwsError
from atoll.aws.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, signing_key
from atoll.gateway.payload import PayloadRules, VerifiedBody, read_raw, s3_rules
from atoll.operation import Sink

CHUNKED = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
CHUNKED_RULES = PayloadRules(chunked.UNSIGNED_TRAILER, 5, ("x-amz-checksum-crc32",))


class Streamed:
    """A RawBody that has to be drained."""

    def __init__(self, *pieces: bytes, length: int | None = None) -> None:
        self.pieces = pieces
        self.length = length
        self.drained = 0

    def in_memory(self) -> bytes | None:
        return None

    async def drain(self, sink: Sink) -> None:
        self.drained += 1
        for piece in self.pieces:
            sink.write(memoryview(piece))


class InMemory(Streamed):
    def in_memory(self) -> bytes | None:
        return b"".join(self.pieces)


class Kept:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: memoryview) -> None:
        self.data += data


def _drained(body: VerifiedBody) -> bytes:
    sink = Kept()
    asyncio.run(body.drain(sink))
    return sink.data


def _hash(data: bytes) -> PayloadRules:
    return PayloadRules(sha256(data).hexdigest())


GOOD: Sequence[tuple[PayloadRules, bytes]] = [
    (PayloadRules(), b"hello"),
    (_hash(b"hello"), b"hello"),
    (CHUNKED_RULES, CHUNKED),
]


@pytest.mark.parametrize(("rules", "raw"), GOOD)
def test_a_body_that_keeps_its_promise_is_delivered(rules: PayloadRules, raw: bytes) -> None:
    for whole in (InMemory(raw[:3], raw[3:], length=len(raw)), raw):
        body = VerifiedBody(whole, rules)
        assert body.in_memory() == b"hello"
        assert body.length == 5
        assert _drained(body) == b"hello"
        assert asyncio.run(body.read(5)) == b"hello"
    streamed = Streamed(raw[:3], raw[3:], length=len(raw))
    body = VerifiedBody(streamed, rules)
    assert body.in_memory() is None
    assert body.length == 5
    assert _drained(body) == b"hello"
    assert asyncio.run(VerifiedBody(Streamed(raw), rules).read(5)) == b"hello"


def test_trailers_are_there_once_the_body_is() -> None:
    assert VerifiedBody(CHUNKED, CHUNKED_RULES).trailers == {"x-amz-checksum-crc32": "NhCmhg=="}
    body = VerifiedBody(Streamed(CHUNKED), CHUNKED_RULES)
    assert body.trailers == {}
    _drained(body)
    assert body.trailers == {"x-amz-checksum-crc32": "NhCmhg=="}


def test_a_body_that_is_not_what_was_signed_is_refused() -> None:
    for attempt in (
        lambda: VerifiedBody(b"hallo", _hash(b"hello")),
        lambda: _drained(VerifiedBody(Streamed(b"hal", b"lo"), _hash(b"hello"))),
        lambda: asyncio.run(VerifiedBody(Streamed(b"hallo"), _hash(b"hello")).read(100)),
    ):
        with pytest.raises(AwsError) as caught:
            attempt()
        assert (caught.value.code, caught.value.status) == ("XAmzContentSHA256Mismatch", 400)
        assert caught.value.message == "The provided 'x-amz-content-sha256' header does not match what was computed."
        assert caught.value.fields == {
            "ClientComputedContentSHA256": sha256(b"hello").hexdigest(),
            "S3ComputedContentSHA256": sha256(b"hallo").hexdigest(),
        }


def test_a_body_where_none_was_signed_is_refused() -> None:
    assert VerifiedBody(b"", PayloadRules(EMPTY_SHA256)).in_memory() == b""
    with pytest.raises(AwsError) as caught:
        VerifiedBody(b"x", PayloadRules(EMPTY_SHA256))
    assert caught.value.code == "XAmzContentSHA256Mismatch"


def test_a_stream_cut_short_is_refused() -> None:
    for attempt in (
        lambda: VerifiedBody(CHUNKED[:-2], CHUNKED_RULES),
        lambda: _drained(VerifiedBody(Streamed(CHUNKED[:-2]), CHUNKED_RULES)),
    ):
        with pytest.raises(AwsError) as caught:
            attempt()
        assert caught.value.code == "IncompleteBody"


def test_signed_chunks_are_checked_by_the_chain() -> None:
    key = signing_key("secret", "20260101", "eu-west-1", "s3")

    def chain() -> chunked.SignatureChain:
        return chunked.SignatureChain(key, "20260101T000000Z", "20260101/eu-west-1/s3/aws4_request", "0" * 64)

    signer = chain()
    first = signer.advance(sha256(b"hello").hexdigest())
    last = signer.advance(EMPTY_SHA256)
    raw = f"5;chunk-signature={first}\r\nhello\r\n0;chunk-signature={last}\r\n\r\n".encode()
    assert VerifiedBody(raw, PayloadRules(chunked.SIGNED, 5, chain=chain())).in_memory() == b"hello"
    with pytest.raises(AwsError) as caught:
        VerifiedBody(raw.replace(b"hello", b"hallo"), PayloadRules(chunked.SIGNED, 5, chain=chain()))
    assert caught.value.code == "SignatureDoesNotMatch"


def test_read_stops_at_its_limit() -> None:
    for body in (
        VerifiedBody(b"hello", PayloadRules()),
        VerifiedBody(Streamed(b"hello", length=5), PayloadRules()),
        VerifiedBody(Streamed(b"hel", b"lo"), PayloadRules()),
    ):
        with pytest.raises(AwsError) as caught:
            asyncio.run(body.read(4))
        assert (caught.value.code, caught.value.status) == ("EntityTooLarge", 400)
        assert caught.value.fields["MaxSizeAllowed"] == "4"


def test_what_is_announced_too_long_is_not_even_drained() -> None:
    raw = Streamed(b"hello", length=5)
    with pytest.raises(AwsError):
        asyncio.run(VerifiedBody(raw, PayloadRules()).read(4))
    assert raw.drained == 0


def test_a_long_body_in_memory_is_written_off_the_loop() -> None:
    data = bytes(1024 * 1024)
    assert _drained(VerifiedBody(data, PayloadRules())) == data


def test_a_body_that_authentication_read_is_not_read_again() -> None:
    raw = Streamed(b"Action=ListUsers")
    whole = asyncio.run(read_raw(raw, 100))
    body = VerifiedBody(raw, PayloadRules(whole=whole))
    assert body.in_memory() == b"Action=ListUsers"
    assert asyncio.run(body.read(100)) == b"Action=ListUsers"
    assert raw.drained == 1


def test_rules_come_from_the_headers() -> None:
    assert s3_rules({}, UNSIGNED_PAYLOAD) == PayloadRules()
    assert s3_rules({}, "ab" * 32) == PayloadRules("ab" * 32)
    headers = {"x-amz-decoded-content-length": "5", "x-amz-trailer": "X-Amz-Checksum-Crc32, x-other,"}
    assert s3_rules(headers, chunked.UNSIGNED_TRAILER) == PayloadRules(
        chunked.UNSIGNED_TRAILER, 5, ("x-amz-checksum-crc32", "x-other")
    )


@pytest.mark.parametrize(
    ("headers", "content_hash", "code", "status"),
    [
        ({}, "", "InvalidArgument", 400),
        ({}, "AB" * 32, "InvalidArgument", 400),
        ({}, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "InvalidArgument", 400),
        ({}, chunked.SIGNED, "MissingContentLength", 411),
        ({"x-amz-decoded-content-length": "-1"}, chunked.SIGNED, "InvalidArgument", 400),
        ({"x-amz-decoded-content-length": "9" * 5000}, chunked.SIGNED, "InvalidArgument", 400),
        ({"x-amz-decoded-content-length": str(5 * 1024**4 + 1)}, chunked.SIGNED, "InvalidArgument", 400),
    ],
)
def test_rules_that_make_no_sense_are_refused(
    headers: dict[str, str], content_hash: str, code: str, status: int
) -> None:
    with pytest.raises(AwsError) as caught:
        s3_rules(headers, content_hash)
    assert (caught.value.code, caught.value.status) == (code, status)
