"""aws-chunked bodies: each chunk and the trailer under a signature that hangs on the one before. Signed here by hand.

<hex size>;chunk-signature=<64 hex>\r\n<bytes>\r\n ... 0;chunk-signature=<64 hex>\r\n[trailers]\r\n
"""

import base64
import hashlib
import hmac
import os
import re
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.signed_http import Answer, SignedHttp

EMPTY = hashlib.sha256(b"").hexdigest()
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
Change = Callable[[bytes], bytes]


class ChunkedUpload:
    """One PUT whose body is framed and signed chunk by chunk, and may be changed on its way."""

    def __init__(self, cloud: CloudUnderTest, target: str) -> None:
        self.raw = SignedHttp(cloud)
        self.target = target
        self.secret = cloud.secret_key
        self.region = cloud.region

    def send(
        self,
        data: bytes,
        *,
        mode: str = SIGNED,
        size: int = 65_536,
        change: Change = lambda body: body,
        trailer: tuple[str, str] | None = None,
        decoded: int | None = None,
        **headers: str,
    ) -> Answer:
        headers = {"x-amz-decoded-content-length": str(len(data) if decoded is None else decoded), **headers}
        if trailer is not None:
            headers["x-amz-trailer"] = trailer[0]
        signed = self.raw.sign("PUT", self.target, payload=mode, **{"Content-Encoding": "aws-chunked", **headers})
        body = change(self.body(data, signed, mode=mode, size=size, trailer=trailer))
        signed["Content-Length"] = str(len(body))
        return self.raw.send_raw("PUT", self.target, signed, body)

    def body(
        self, data: bytes, signed: dict[str, str], *, mode: str, size: int, trailer: tuple[str, str] | None
    ) -> bytes:
        chunks = [data[at : at + size] for at in range(0, len(data), size)] + [b""]
        if mode == UNSIGNED_TRAILER:
            framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks[:-1]) + b"0\r\n"
            assert trailer is not None
            return framed + f"{trailer[0]}:{trailer[1]}\r\n\r\n".encode()
        previous = signed["Authorization"][-64:]
        framed = b""
        for chunk in chunks:
            previous = self._sign("PAYLOAD", f"{previous}\n{EMPTY}\n{hashlib.sha256(chunk).hexdigest()}", signed)
            framed += b"%x;chunk-signature=%b\r\n" % (len(chunk), previous.encode()) + chunk
            framed += b"\r\n" if chunk or trailer is None else b""
        if trailer is not None:
            line = f"{trailer[0]}:{trailer[1]}\n"
            last = self._sign("TRAILER", f"{previous}\n{hashlib.sha256(line.encode()).hexdigest()}", signed)
            framed += f"{trailer[0]}:{trailer[1]}\r\nx-amz-trailer-signature:{last}\r\n\r\n".encode()
        return framed

    def _sign(self, kind: str, text: str, signed: dict[str, str]) -> str:
        date = signed["X-Amz-Date"]
        scope = f"{date[:8]}/{self.region}/s3/aws4_request"
        key = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, f"AWS4-HMAC-SHA256-{kind}\n{date}\n{scope}\n{text}".encode(), "sha256").hex()


@pytest.fixture
def upload(cloud: CloudUnderTest, bucket: str) -> ChunkedUpload:
    return ChunkedUpload(cloud, f"/{bucket}/k")


def crc32(data: bytes) -> tuple[str, str]:
    return "x-amz-checksum-crc32", base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


SIZES = [0, 1, 65_536, 65_537, 1_500_000]


@pytest.mark.parametrize("size", SIZES)
def test_signed_chunks_become_the_object(upload: ChunkedUpload, s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    answer = upload.send(data)
    assert (answer.status, answer.headers["etag"]) == (200, f'"{hashlib.md5(data).hexdigest()}"')
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["ContentLength"], "ContentEncoding" in got) == (data, size, False)


@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("size", SIZES)
def test_a_trailer_brings_the_checksum(upload: ChunkedUpload, s3: Any, bucket: str, size: int, mode: str) -> None:
    data = os.urandom(size)
    assert upload.send(data, mode=mode, trailer=crc32(data)).status == 200
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got["ChecksumCRC32"]) == (data, crc32(data)[1])


def test_other_encodings_than_the_framing_are_kept(upload: ChunkedUpload, s3: Any, bucket: str) -> None:
    assert upload.send(b"data", **{"Content-Encoding": "aws-chunked,gzip"}).status == 200
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"


def flip(pattern: bytes, replacement: bytes) -> Change:
    def change(body: bytes) -> bytes:
        changed = re.sub(pattern, replacement, body, count=1, flags=re.DOTALL)
        assert changed != body
        return changed

    return change


FIRST_SIGNATURE = re.compile(rb"chunk-signature=([0-9a-f]{64})")


def swap_two_chunks(body: bytes) -> bytes:
    ends = [match.start() for match in re.finditer(rb"[0-9a-f]+;chunk-signature=", body)]
    return body[ends[1] : ends[2]] + body[: ends[1]] + body[ends[2] :]


def drop_a_chunk(body: bytes) -> bytes:
    ends = [match.start() for match in re.finditer(rb"[0-9a-f]+;chunk-signature=", body)]
    return body[: ends[1]] + body[ends[2] :]


@pytest.mark.parametrize("size", [200_000, 3_000_000])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (flip(rb"A{100}", b"B" * 100), "SignatureDoesNotMatch"),
        (lambda body: FIRST_SIGNATURE.sub(b"chunk-signature=" + b"0" * 64, body, count=1), "SignatureDoesNotMatch"),
        (swap_two_chunks, "SignatureDoesNotMatch"),
        (drop_a_chunk, "SignatureDoesNotMatch"),
        (lambda body: body[: body.rindex(b"0;chunk-signature=")], "IncompleteBody"),
        (flip(rb"^10000;", b"zzzzz;"), None),
        (flip(rb"^10000;", b"-1;"), None),
        (flip(rb"^10000;", b"ffffffffffffffffffff;"), None),
        (flip(rb"^10000;chunk-signature=", b"10000;other="), None),
    ],
)
def test_a_body_changed_on_its_way_is_refused_and_not_stored(
    upload: ChunkedUpload, s3: Any, bucket: str, size: int, change: Change, code: str | None
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    answer = upload.send(b"A" * size, change=change)
    assert answer.status in {400, 403}
    assert code is None or f"<Code>{code}</Code>".encode() in answer.body
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


def test_a_changed_trailer_is_refused(upload: ChunkedUpload, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    data = b"A" * 100_000
    changes: list[tuple[str, Change]] = [
        (SIGNED_TRAILER, flip(rb"x-amz-checksum-crc32:....", b"x-amz-checksum-crc32:AAAA")),
        (SIGNED_TRAILER, flip(rb"x-amz-trailer-signature:....", b"x-amz-trailer-signature:0000")),
        (SIGNED_TRAILER, flip(rb"x-amz-trailer-signature:.{64}\r\n", b"")),
        (UNSIGNED_TRAILER, flip(rb"x-amz-checksum-crc32:....", b"x-amz-checksum-crc32:AAAA")),
        (UNSIGNED_TRAILER, flip(rb"x-amz-checksum-crc32:.{8}\r\n", b"")),
    ]
    for mode, change in changes:
        answer = upload.send(data, mode=mode, trailer=crc32(data), change=change)
        assert answer.status in {400, 403}, (mode, answer)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


@pytest.mark.parametrize("decoded", [0, 99_999, 100_001])
def test_a_decoded_length_that_is_not_true_is_refused(
    upload: ChunkedUpload, s3: Any, bucket: str, decoded: int
) -> None:
    answer = upload.send(b"A" * 100_000, decoded=decoded)
    assert answer.status == 400
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_chain_begun_for_another_request_is_refused(upload: ChunkedUpload, s3: Any, bucket: str) -> None:
    headers = {"x-amz-decoded-content-length": "4", "Content-Encoding": "aws-chunked"}
    mine = upload.raw.sign("PUT", upload.target, payload=SIGNED, **headers)
    other = upload.raw.sign("PUT", f"/{bucket}/other", payload=SIGNED, **headers)
    body = upload.body(b"data", other, mode=SIGNED, size=65_536, trailer=None)
    answer = upload.raw.send_raw("PUT", upload.target, mine | {"Content-Length": str(len(body))}, body)
    assert (answer.status, b"<Code>SignatureDoesNotMatch</Code>" in answer.body) == (403, True)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
