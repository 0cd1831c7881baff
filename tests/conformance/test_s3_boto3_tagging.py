"""Tags of objects: sent with them, or set afterwards, for each version apart."""

from typing import Any

import pytest
from tests.conformance.refusals import refused


def tags(s3: Any, bucket: str, key: str = "k", **version: str) -> dict[str, str]:
    answer = s3.get_object_tagging(Bucket=bucket, Key=key, **version)
    return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}


def tag_set(**pairs: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def test_an_object_without_tags_has_an_empty_set(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert tags(s3, bucket) == {}
    assert "TagCount" not in s3.get_object(Bucket=bucket, Key="k")


def test_tags_sent_with_the_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b%20c=%C3%BC&empty=")
    assert tags(s3, bucket) == {"a": "1", "b c": "ü", "empty": ""}
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 3


def test_tags_are_replaced_as_a_whole_and_deleted(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1")
    before = s3.head_object(Bucket=bucket, Key="k")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(b="2", c="3"))
    assert tags(s3, bucket) == {"b": "2", "c": "3"}
    after = s3.head_object(Bucket=bucket, Key="k")
    assert (after["ETag"], after["LastModified"]) == (before["ETag"], before["LastModified"])
    assert s3.delete_object_tagging(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags(s3, bucket) == {}
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_an_overwrite_forgets_the_tags(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert tags(s3, bucket) == {}


def test_each_version_has_its_own_tags(s3: Any, versioned_bucket: str) -> None:
    first = s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"", Tagging="v=1")["VersionId"]
    second = s3.put_object(Bucket=versioned_bucket, Key="k", Body=b"", Tagging="v=2")["VersionId"]
    answer = s3.put_object_tagging(Bucket=versioned_bucket, Key="k", VersionId=first, Tagging=tag_set(v="one"))
    assert answer["VersionId"] == first
    assert tags(s3, versioned_bucket, VersionId=first) == {"v": "one"}
    assert tags(s3, versioned_bucket, VersionId=second) == tags(s3, versioned_bucket) == {"v": "2"}


def test_tags_of_a_missing_object_are_refused(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="missing"):
        s3.get_object_tagging(Bucket=bucket, Key="missing")
    with refused("NoSuchKey", 404):
        s3.put_object_tagging(Bucket=bucket, Key="missing", Tagging=tag_set(a="1"))


def test_ten_tags_are_taken_and_eleven_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    ten = {f"t{n}": str(n) for n in range(10)}
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(**ten))
    assert tags(s3, bucket) == ten
    with refused("BadRequest", 400, "Object tags cannot be greater than 10"):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(**ten, more="11"))
    with refused("BadRequest", 400, "Object tags cannot be greater than 10"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="&".join(f"t{n}=1" for n in range(11)))
    assert tags(s3, bucket) == ten


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("k" * 129, "v", "The TagKey you have provided is invalid"),
        ("k", "v" * 257, "The TagValue you have provided is invalid"),
        ("aws:reserved", "v", "System tags cannot be added/updated by requester"),
    ],
)
def test_a_tag_out_of_bounds_is_refused(s3: Any, bucket: str, key: str, value: str, message: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("InvalidTag", 400, message):
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": key, "Value": value}]})
    assert tags(s3, bucket) == {}


def test_the_longest_tags_are_taken(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging=tag_set(**{"ü" * 128: "v" * 256}))
    assert tags(s3, bucket) == {"ü" * 128: "v" * 256}


def test_two_tags_of_one_name_are_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("InvalidTag", 400, "Cannot provide multiple Tags with the same key"):
        s3.put_object_tagging(
            Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
        )
