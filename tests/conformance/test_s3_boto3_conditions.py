"""Conditional reads and writes: only if it is, or is not, what the caller believes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refused

FAILED = "At least one of the pre-conditions you specified did not hold"
OTHER_ETAG = '"00000000000000000000000000000000"'


@pytest.fixture
def stored(s3: Any, bucket: str) -> dict[str, Any]:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    head = s3.head_object(Bucket=bucket, Key="k")
    return {"Bucket": bucket, "Key": "k", "etag": head["ETag"], "modified": head["LastModified"]}


def at(stored: dict[str, Any]) -> dict[str, str]:
    return {"Bucket": stored["Bucket"], "Key": stored["Key"]}


def test_if_match(s3: Any, stored: dict[str, Any]) -> None:
    for etag in (stored["etag"], stored["etag"].strip('"'), "*", f"{OTHER_ETAG}, {stored['etag']}"):
        assert s3.get_object(**at(stored), IfMatch=etag)["Body"].read() == b"data"
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.get_object(**at(stored), IfMatch=OTHER_ETAG)
    with refused("412", 412):
        s3.head_object(**at(stored), IfMatch=OTHER_ETAG)


def test_if_none_match(s3: Any, stored: dict[str, Any]) -> None:
    assert s3.get_object(**at(stored), IfNoneMatch=OTHER_ETAG)["Body"].read() == b"data"
    for etag in (stored["etag"], "*"):
        with refused("304", 304):
            s3.get_object(**at(stored), IfNoneMatch=etag)
        with refused("304", 304):
            s3.head_object(**at(stored), IfNoneMatch=etag)


def test_not_modified_still_tells_the_etag(s3: Any, stored: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_object(**at(stored), IfNoneMatch=stored["etag"])
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["etag"] == stored["etag"]
    assert "last-modified" in headers


def test_if_modified_since(s3: Any, stored: dict[str, Any]) -> None:
    assert (
        s3.get_object(**at(stored), IfModifiedSince=stored["modified"] - timedelta(hours=1))["Body"].read() == b"data"
    )
    with refused("304", 304):
        s3.get_object(**at(stored), IfModifiedSince=stored["modified"])


def test_if_unmodified_since(s3: Any, stored: dict[str, Any]) -> None:
    assert s3.get_object(**at(stored), IfUnmodifiedSince=stored["modified"])["Body"].read() == b"data"
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Unmodified-Since"):
        s3.get_object(**at(stored), IfUnmodifiedSince=stored["modified"] - timedelta(hours=1))


def test_an_etag_that_matches_outweighs_the_date(s3: Any, stored: dict[str, Any]) -> None:
    past = stored["modified"] - timedelta(hours=1)
    answer = s3.get_object(**at(stored), IfMatch=stored["etag"], IfUnmodifiedSince=past)
    assert answer["Body"].read() == b"data"
    with refused("304", 304):
        s3.get_object(**at(stored), IfNoneMatch=stored["etag"], IfModifiedSince=past)


def test_put_only_if_nothing_is_there(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"first", IfNoneMatch="*")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"first"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=b"third", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"third"


def test_a_delete_marker_is_nothing_there(s3: Any, versioned_bucket: str) -> None:
    s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"first")
    s3.delete_object(Bucket=versioned_bucket, Key="k")
    s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"second", IfNoneMatch="*")
    assert s3.get_object(Bucket=versioned_bucket, Key="k")["Body"].read() == b"second"


def test_put_only_over_what_the_caller_knows(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["ETag"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"second", IfMatch=first)["ETag"]
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"third", IfMatch=first)
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == second
    with refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="missing", Body=b"x", IfMatch=first)


def test_if_none_match_of_an_etag_is_not_implemented_for_writes(s3: Any, bucket: str) -> None:
    with refused("NotImplemented", 501, "A header you provided implies functionality that is not implemented"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", IfNoneMatch=OTHER_ETAG)


def test_delete_only_what_the_caller_knows(s3: Any, stored: dict[str, Any]) -> None:
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        s3.delete_object(**at(stored), IfMatch=OTHER_ETAG)
    assert s3.head_object(**at(stored))["ETag"] == stored["etag"]
    s3.delete_object(**at(stored), IfMatch=stored["etag"])
    with refused("404", 404):
        s3.head_object(**at(stored))


def complete_conditionally(s3: Any, bucket: str, **condition: str) -> Any:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"parts")["ETag"]
    return s3.complete_multipart_upload(
        Bucket=bucket,
        Key="k",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
        **condition,
    )


def test_a_multipart_upload_completes_only_if_nothing_is_there(s3: Any, bucket: str) -> None:
    complete_conditionally(s3, bucket, IfNoneMatch="*")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-None-Match"):
        complete_conditionally(s3, bucket, IfNoneMatch="*")
    with refused("PreconditionFailed", 412, FAILED, Condition="If-Match"):
        complete_conditionally(s3, bucket, IfMatch=OTHER_ETAG)
    complete_conditionally(s3, bucket, IfMatch=s3.head_object(Bucket=bucket, Key="k")["ETag"])


def check_lost(error: ClientError) -> None:
    # AWS answers 409 to those who lost while the winner was still under way.
    assert error.response["Error"]["Code"] in {"PreconditionFailed", "ConditionalRequestConflict"}


def race(count: int, attempt: Callable[[int], Any]) -> list[int]:
    """The numbers of those who won."""

    def won(number: int) -> bool:
        try:
            attempt(number)
        except ClientError as error:
            check_lost(error)
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        return [number for number, ok in enumerate(pool.map(won, range(count))) if ok]


def test_of_many_who_create_one_key_exactly_one_wins(s3: Any, bucket: str) -> None:
    for turn in range(5):
        key = f"lock/{turn}"
        winners = race(8, lambda n, key=key: s3.put_object(Bucket=bucket, Key=key, Body=str(n), IfNoneMatch="*"))  # type: ignore[misc]
        assert len(winners) == 1
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == str(winners[0]).encode()


def test_a_counter_in_an_object_loses_no_increment(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="count", Body=b"0")

    def increment(_: int) -> None:
        while True:
            seen = s3.get_object(Bucket=bucket, Key="count")
            value = int(seen["Body"].read()) + 1
            try:
                s3.put_object(Bucket=bucket, Key="count", Body=str(value), IfMatch=seen["ETag"])
                return
            except ClientError as error:
                check_lost(error)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(increment, range(30)))
    assert s3.get_object(Bucket=bucket, Key="count")["Body"].read() == b"30"
