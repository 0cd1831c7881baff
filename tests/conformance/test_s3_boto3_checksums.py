"""Checksums: what the sender computed is compared, kept, and told again, for every algorithm and both ways of sending."""

import base64
import hashlib
import os
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from awscrt import checksums as crt
from botocore.config import Config
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused

LEAST = 5 * 2**20


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


# The expected values come from libraries of their own, not from the client under whose hand they travel.
ALGORITHMS: dict[str, Callable[[bytes], str]] = {
    "CRC32": lambda data: _b64(zlib.crc32(data).to_bytes(4, "big")),
    "CRC32C": lambda data: _b64(crt.crc32c(data).to_bytes(4, "big")),
    "CRC64NVME": lambda data: _b64(crt.crc64nvme(data).to_bytes(8, "big")),
    "SHA1": lambda data: _b64(hashlib.sha1(data).digest()),
    "SHA256": lambda data: _b64(hashlib.sha256(data).digest()),
    "MD5": lambda data: _b64(hashlib.md5(data).digest()),
}
CHECKSUMS = [name for name in ALGORITHMS if name != "MD5"]
algorithms = pytest.mark.parametrize("algorithm", CHECKSUMS)


@pytest.fixture
def plain(cloud: CloudUnderTest) -> Any:
    """A client that adds no checksums of its own accord."""
    return cloud.client(
        "s3",
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )


@algorithms
@pytest.mark.parametrize("size", [0, 10, 200_000, 3_000_000])
def test_a_checksum_in_a_header_is_kept(plain: Any, bucket: str, algorithm: str, size: int) -> None:
    data = os.urandom(size)
    member = f"Checksum{algorithm}"
    wanted = ALGORITHMS[algorithm](data)
    answer = plain.put_object(Bucket=bucket, Key="k", Body=data, **{member: wanted})
    assert (answer[member], answer["ChecksumType"]) == (wanted, "FULL_OBJECT")
    for read in (plain.get_object, plain.head_object):
        assert read(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[member] == wanted
        assert member not in read(Bucket=bucket, Key="k")
    (listed,) = plain.list_objects_v2(Bucket=bucket)["Contents"]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == ([algorithm], "FULL_OBJECT")


@algorithms
@pytest.mark.parametrize("size", [0, 10, 200_000, 3_000_000])
def test_a_checksum_in_a_trailer_is_kept(cloud: CloudUnderTest, bucket: str, algorithm: str, size: int) -> None:
    data = os.urandom(size)
    s3 = cloud.client("s3")
    s3.meta.events.register("before-call.s3.PutObject", _ask_for_a_trailer)
    sent: list[tuple[str, str]] = []
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(_framing(request.headers)))
    answer = s3.put_object(Bucket=bucket, Key="k", Body=data, ChecksumAlgorithm=algorithm)
    assert sent == [(f"x-amz-checksum-{algorithm.lower()}", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")]
    assert answer[f"Checksum{algorithm}"] == ALGORITHMS[algorithm](data)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (got["Body"].read(), got[f"Checksum{algorithm}"]) == (data, ALGORITHMS[algorithm](data))
    assert "ContentEncoding" not in got, "aws-chunked is the sender's framing, not the object's encoding"


def _ask_for_a_trailer(params: dict[str, Any], **_: Any) -> None:
    """boto3 sends trailers only over TLS; they are the same without."""
    params["context"]["checksum"]["request_algorithm"]["in"] = "trailer"


def _framing(headers: Any) -> tuple[str, str]:
    return tuple(  # type: ignore[return-value]
        value.decode() if isinstance(value, bytes) else value
        for value in (headers["x-amz-trailer"], headers["x-amz-content-sha256"])
    )


@algorithms
@pytest.mark.parametrize("size", [10, 200_000])
def test_a_wrong_checksum_is_refused_and_stores_nothing(plain: Any, bucket: str, algorithm: str, size: int) -> None:
    plain.put_object(Bucket=bucket, Key="k", Body=b"before")
    wrong = ALGORITHMS[algorithm](b"something else")
    with refused("BadDigest", 400, f"The {algorithm} you specified did not match the calculated checksum."):
        plain.put_object(Bucket=bucket, Key="k", Body=os.urandom(size), **{f"Checksum{algorithm}": wrong})
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"before"


@algorithms
def test_what_is_no_checksum_is_refused(plain: Any, bucket: str, algorithm: str) -> None:
    with refused("InvalidRequest", 400, f"Value for x-amz-checksum-{algorithm.lower()} header is invalid."):
        plain.put_object(Bucket=bucket, Key="k", Body=b"x", **{f"Checksum{algorithm}": "c2hvcnQ="})


def test_two_checksums_at_once_are_refused(plain: Any, bucket: str) -> None:
    with refused(
        "InvalidRequest", 400, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    ):
        plain.put_object(
            Bucket=bucket,
            Key="k",
            Body=b"x",
            ChecksumCRC32=ALGORITHMS["CRC32"](b"x"),
            ChecksumSHA256=ALGORITHMS["SHA256"](b"x"),
        )


def test_an_object_sent_without_any_gets_crc64nvme(plain: Any, bucket: str) -> None:
    answer = plain.put_object(Bucket=bucket, Key="k", Body=b"data")
    assert answer["ChecksumCRC64NVME"] == ALGORITHMS["CRC64NVME"](b"data")
    assert answer["ChecksumType"] == "FULL_OBJECT"


def test_content_md5_is_compared(plain: Any, bucket: str) -> None:
    plain.put_object(Bucket=bucket, Key="k", Body=b"data", ContentMD5=ALGORITHMS["MD5"](b"data"))
    with refused("BadDigest", 400, "The Content-MD5 you specified did not match what we received."):
        plain.put_object(Bucket=bucket, Key="k", Body=b"other", ContentMD5=ALGORITHMS["MD5"](b"data"))
    for nonsense in ("nonsense", "c2hvcnQ="):
        with refused("InvalidDigest", 400, "The Content-MD5 you specified was invalid."):
            plain.put_object(Bucket=bucket, Key="k", Body=b"data", ContentMD5=nonsense)
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def _upload(plain: Any, bucket: str, bodies: list[bytes], algorithm: str, kind: str | None) -> Any:
    settings = {} if kind is None else {"ChecksumType": kind}
    made = plain.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, **settings)
    assert made["ChecksumAlgorithm"] == algorithm
    upload = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    parts = []
    for number, body in enumerate(bodies, 1):
        checksum = {f"Checksum{algorithm}": ALGORITHMS[algorithm](body)}
        answer = plain.upload_part(**upload, PartNumber=number, Body=body, **checksum)
        assert answer[f"Checksum{algorithm}"] == checksum[f"Checksum{algorithm}"]
        parts.append({"PartNumber": number, "ETag": answer["ETag"], **checksum})
    listed = plain.list_parts(**upload)
    assert listed["ChecksumAlgorithm"] == algorithm
    assert [p[f"Checksum{algorithm}"] for p in listed["Parts"]] == [p[f"Checksum{algorithm}"] for p in parts]
    return upload, parts


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_a_composite_checksum_is_one_of_the_parts_checksums(plain: Any, bucket: str, algorithm: str) -> None:
    bodies = [os.urandom(LEAST), os.urandom(LEAST + 1), b"end"]
    upload, parts = _upload(plain, bucket, bodies, algorithm, "COMPOSITE")
    done = plain.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    joined = b"".join(base64.b64decode(ALGORITHMS[algorithm](body)) for body in bodies)
    wanted = f"{ALGORITHMS[algorithm](joined)}-3"
    assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (wanted, "COMPOSITE")
    head = plain.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[f"Checksum{algorithm}"], head["ChecksumType"]) == (wanted, "COMPOSITE")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_full_checksum_is_that_of_the_whole_object(plain: Any, bucket: str, algorithm: str) -> None:
    bodies = [os.urandom(LEAST), os.urandom(LEAST + 1), b"end"]
    upload, parts = _upload(plain, bucket, bodies, algorithm, "FULL_OBJECT")
    wanted = ALGORITHMS[algorithm](b"".join(bodies))
    with refused("BadDigest", 400):
        plain.complete_multipart_upload(
            **upload,
            MultipartUpload={"Parts": parts},
            ChecksumType="FULL_OBJECT",
            **{f"Checksum{algorithm}": ALGORITHMS[algorithm](b"other")},
        )
    done = plain.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}, ChecksumType="FULL_OBJECT", **{f"Checksum{algorithm}": wanted}
    )
    assert (done[f"Checksum{algorithm}"], done["ChecksumType"]) == (wanted, "FULL_OBJECT")


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("CRC64NVME", "COMPOSITE"), ("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT")]
)
def test_a_kind_of_checksum_that_cannot_be_is_refused(plain: Any, bucket: str, algorithm: str, kind: str) -> None:
    message = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
    with refused("InvalidRequest", 400, message):
        plain.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind)


def test_a_part_with_a_wrong_checksum_is_refused(plain: Any, bucket: str) -> None:
    upload, _ = _upload(plain, bucket, [b"x"], "CRC32C", None)
    with refused("BadDigest", 400, "The CRC32C you specified did not match the calculated checksum."):
        plain.upload_part(**upload, PartNumber=2, Body=b"y", ChecksumCRC32C=ALGORITHMS["CRC32C"](b"x"))
    assert len(plain.list_parts(**upload)["Parts"]) == 1


def test_a_completion_that_names_a_wrong_part_checksum_is_refused(plain: Any, bucket: str) -> None:
    upload, parts = _upload(plain, bucket, [b"x"], "SHA256", None)
    parts[0]["ChecksumSHA256"] = ALGORITHMS["SHA256"](b"y")
    with refused("InvalidPart", 400):
        plain.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})


def test_boto3_as_it_comes_finds_its_own_checksums_right(s3: Any, bucket: str) -> None:
    data = os.urandom(100_000)
    answer = s3.put_object(Bucket=bucket, Key="k", Body=data)
    assert answer["ChecksumCRC32"] == ALGORITHMS["CRC32"](data)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["ChecksumCRC32"] == ALGORITHMS["CRC32"](data)
    assert got["Body"].read() == data  # boto3 raises here when the checksum and the bytes differ.


def test_a_range_carries_no_checksum_of_the_whole(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789", ChecksumAlgorithm="CRC32")
    answer = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4", ChecksumMode="ENABLED")
    assert answer["Body"].read() == b"234"
    assert "ChecksumCRC32" not in answer
