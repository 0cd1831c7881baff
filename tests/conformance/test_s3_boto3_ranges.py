"""Parts of an object: ranges of bytes, and what is asked of none."""

import os
from typing import Any

import pytest
from tests.conformance.refusals import refused

DATA = os.urandom(1_500_000)
SMALL = bytes(range(100))


@pytest.fixture
def objects(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="large", Body=DATA)
    s3.put_object(Bucket=bucket, Key="small", Body=SMALL)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    return bucket


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=4-7", 4, 7),
        ("bytes=4-", 4, None),
        ("bytes=-7", -7, None),
        ("bytes=0-", 0, None),
        ("bytes=0-99999999999", 0, None),
        ("bytes=-99999999999", 0, None),
        ("bytes=99-99", 99, 99),
    ],
)
@pytest.mark.parametrize(("key", "data"), [("small", SMALL), ("large", DATA)])
def test_a_range_answers_exactly_its_bytes(
    s3: Any, objects: str, asked: str, first: int, last: int | None, key: str, data: bytes
) -> None:
    answer = s3.get_object(Bucket=objects, Key=key, Range=asked)
    start = first if first >= 0 else len(data) + first
    wanted = data[start : len(data) if last is None else last + 1]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert answer["Body"].read() == wanted
    assert answer["ContentRange"] == f"bytes {start}-{start + len(wanted) - 1}/{len(data)}"
    assert answer["ContentLength"] == len(wanted)
    head = s3.head_object(Bucket=objects, Key=key, Range=asked)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (len(wanted), 206)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_outside_the_object_is_refused(s3: Any, objects: str, asked: str) -> None:
    with refused(
        "InvalidRange", 416, "The requested range is not satisfiable", ActualObjectSize="100", RangeRequested=asked
    ):
        s3.get_object(Bucket=objects, Key="small", Range=asked)


def test_any_range_of_an_empty_object_is_refused(s3: Any, objects: str) -> None:
    with refused("InvalidRange", 416, "The requested range is not satisfiable", ActualObjectSize="0"):
        s3.get_object(Bucket=objects, Key="empty", Range="bytes=0-0")


@pytest.mark.parametrize("asked", ["bytes=7-4", "octets=0-3", "bytes=a-b", "bytes", "bytes=0-1,4-5"])
def test_what_is_no_single_range_is_answered_in_full(s3: Any, objects: str, asked: str) -> None:
    answer = s3.get_object(Bucket=objects, Key="small", Range=asked)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert answer["Body"].read() == SMALL


def test_a_range_across_the_parts_of_a_multipart_object(s3: Any, bucket: str) -> None:
    parts = [os.urandom(5 * 2**20), os.urandom(5 * 2**20 + 1), os.urandom(77)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    etags = [
        s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=n, Body=body)["ETag"]
        for n, body in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="m",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(etags, 1)]},
    )
    whole = b"".join(parts)
    border = 5 * 2**20
    for first, last in [(border - 1, border), (border - 100, 2 * border + 50), (2 * border, len(whole) - 1), (0, 0)]:
        answer = s3.get_object(Bucket=bucket, Key="m", Range=f"bytes={first}-{last}")
        assert answer["Body"].read() == whole[first : last + 1]
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == whole
