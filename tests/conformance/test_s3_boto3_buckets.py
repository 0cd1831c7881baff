"""Buckets: made, found, listed, deleted, and refused."""

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused


def test_a_new_bucket_is_found_listed_and_located(s3: Any, new_bucket: Callable[..., str]) -> None:
    before = datetime.now(UTC)
    name = new_bucket()
    assert s3.head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    listed = {b["Name"]: b for b in s3.list_buckets()["Buckets"]}
    assert abs((listed[name]["CreationDate"] - before).total_seconds()) < 60
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0


def test_create_answers_with_the_location(s3: Any) -> None:
    name = f"t-{uuid.uuid4().hex}"
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.delete_bucket(Bucket=name)


def test_head_bucket_names_its_region(s3: Any, bucket: str, cloud: CloudUnderTest) -> None:
    answer = s3.head_bucket(Bucket=bucket)
    assert answer["BucketRegion"] == cloud.region
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == cloud.region


def test_list_buckets_names_the_owner(s3: Any, bucket: str) -> None:
    first, second = s3.list_buckets(), s3.list_buckets()
    assert first["Owner"]["ID"]
    assert first["Owner"] == second["Owner"]


def test_list_buckets_is_sorted_and_pages(s3: Any, new_bucket: Callable[..., str]) -> None:
    made = sorted(new_bucket() for _ in range(5))
    everything = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert everything == sorted(everything)
    assert set(made) <= set(everything)
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
    assert all(len(page["Buckets"]) <= 2 for page in pages)
    assert [b["Name"] for page in pages for b in page["Buckets"]] == everything


def test_list_buckets_by_prefix(s3: Any, new_bucket: Callable[..., str]) -> None:
    name, _ = new_bucket(), new_bucket()
    answer = s3.list_buckets(Prefix=name)
    assert [b["Name"] for b in answer["Buckets"]] == [name]
    assert answer["Prefix"] == name


def test_a_deleted_bucket_is_gone(s3: Any, new_bucket: Callable[..., str]) -> None:
    name = new_bucket()
    assert s3.delete_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("404", 404):
        s3.head_bucket(Bucket=name)
    with refused("NoSuchBucket", 404, "The specified bucket does not exist", BucketName=name):
        s3.list_objects_v2(Bucket=name)
    assert name not in {b["Name"] for b in s3.list_buckets()["Buckets"]}


def test_a_bucket_made_again_under_an_old_name_is_empty(s3: Any, new_bucket: Callable[..., str]) -> None:
    name = new_bucket()
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=name, Key="k", Body=b"x")["VersionId"]
    s3.delete_object(Bucket=name, Key="k", VersionId=version)
    s3.delete_bucket(Bucket=name)
    s3.create_bucket(Bucket=name)
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    assert s3.list_object_versions(Bucket=name).get("Versions", []) == []


def test_a_bucket_with_objects_is_not_deleted(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("BucketNotEmpty", 409, "The bucket you tried to delete is not empty", BucketName=bucket):
        s3.delete_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_bucket_with_only_a_delete_marker_is_not_deleted(s3: Any, versioned_bucket: str) -> None:
    s3.delete_object(Bucket=versioned_bucket, Key="k")
    with refused(
        "BucketNotEmpty",
        409,
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    ):
        s3.delete_bucket(Bucket=versioned_bucket)


@pytest.mark.parametrize(
    "call",
    [
        lambda s3, name: s3.delete_bucket(Bucket=name),
        lambda s3, name: s3.list_objects(Bucket=name),
        lambda s3, name: s3.list_object_versions(Bucket=name),
        lambda s3, name: s3.list_multipart_uploads(Bucket=name),
        lambda s3, name: s3.put_object(Bucket=name, Key="k", Body=b"x"),
        lambda s3, name: s3.get_object(Bucket=name, Key="k"),
        lambda s3, name: s3.delete_object(Bucket=name, Key="k"),
        lambda s3, name: s3.create_multipart_upload(Bucket=name, Key="k"),
        lambda s3, name: s3.get_bucket_versioning(Bucket=name),
        lambda s3, name: s3.get_bucket_location(Bucket=name),
        lambda s3, name: s3.get_bucket_tagging(Bucket=name),
        lambda s3, name: s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "k"}]}),
    ],
)
def test_every_call_on_a_missing_bucket_says_so(s3: Any, call: Callable[[Any, str], Any]) -> None:
    name = f"t-{uuid.uuid4().hex}"
    with refused("NoSuchBucket", 404, "The specified bucket does not exist", BucketName=name):
        call(s3, name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Upper-case",
        "under_score",
        "-starts-with-a-hyphen",
        "ends-with-a-hyphen-",
        "two..dots",
        ".starts-with-a-dot",
        "ends-with-a-dot.",
        "192.168.5.4",
        "xn--punycode",
        "alias-s3alias",
        "sthree-reserved",
    ],
)
def test_a_bad_name_is_refused(cloud: CloudUnderTest, name: str) -> None:
    s3 = cloud.client("s3")
    s3.meta.events.unregister("before-parameter-build.s3", _validator(s3))
    with refused("InvalidBucketName", 400, "The specified bucket is not valid.", BucketName=name):
        s3.create_bucket(Bucket=name)


def _validator(s3: Any) -> Any:
    """boto3's own check of bucket names, which would keep the request from being sent."""
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name


@pytest.mark.parametrize("name", ["abc", "a" * 63, "0-9", "with.dots.in-it", "1.2.3", "a.b-c"])
def test_a_good_name_is_taken(s3: Any, name: str) -> None:
    unique = name if len(name) == 63 else f"{name}{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=unique)
    s3.head_bucket(Bucket=unique)
    s3.delete_bucket(Bucket=unique)


def test_making_ones_own_bucket_again_in_us_east_1_changes_nothing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.create_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_location_constraint_that_is_no_region_is_refused(s3: Any) -> None:
    with refused("InvalidLocationConstraint", 400, "The specified location-constraint is not valid"):
        s3.create_bucket(
            Bucket=f"t-{uuid.uuid4().hex}", CreateBucketConfiguration={"LocationConstraint": "no-such-region-1"}
        )


def test_bucket_tags_are_kept_replaced_and_deleted(s3: Any, bucket: str) -> None:
    with refused("NoSuchTagSet", 404, "The TagSet does not exist", BucketName=bucket):
        s3.get_bucket_tagging(Bucket=bucket)
    tags = [{"Key": "team", "Value": "böats"}, {"Key": "empty", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert sorted(s3.get_bucket_tagging(Bucket=bucket)["TagSet"], key=lambda t: t["Key"]) == sorted(
        tags, key=lambda t: t["Key"]
    )
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "one", "Value": "1"}]})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "one", "Value": "1"}]
    s3.delete_bucket_tagging(Bucket=bucket)
    with refused("NoSuchTagSet", 404):
        s3.get_bucket_tagging(Bucket=bucket)


def test_two_bucket_tags_of_one_name_are_refused(s3: Any, bucket: str) -> None:
    with refused("InvalidTag", 400, "Cannot provide multiple Tags with the same key"):
        s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
        )


def test_waiters_agree_with_the_cloud(s3: Any, new_bucket: Callable[..., str]) -> None:
    name = new_bucket()
    config = {"Delay": 1, "MaxAttempts": 2}
    s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig=config)
    s3.put_object(Bucket=name, Key="k", Body=b"")
    s3.get_waiter("object_exists").wait(Bucket=name, Key="k", WaiterConfig=config)
    s3.delete_object(Bucket=name, Key="k")
    s3.get_waiter("object_not_exists").wait(Bucket=name, Key="k", WaiterConfig=config)
    s3.delete_bucket(Bucket=name)
    s3.get_waiter("bucket_not_exists").wait(Bucket=name, WaiterConfig=config)


def test_answers_carry_the_request_id(s3: Any, bucket: str) -> None:
    first = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]
    second = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]
    assert re.fullmatch("[0-9A-Z]{16}", first["RequestId"])  # One, and not two joined by a comma.
    assert first["RequestId"] != second["RequestId"]
    assert first["HTTPHeaders"]["x-amz-request-id"] == first["RequestId"]
