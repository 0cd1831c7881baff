"""Copies: the same bytes under another name, with old or new metadata."""

import os
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused
from tests.conformance.signed_http import SignedHttp

FAILED = "At least one of the pre-conditions you specified did not hold"
TO_ITSELF = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


@pytest.mark.parametrize("size", [0, 10, 100_000, 6_000_000])
def test_a_copy_has_the_bytes_and_outlives_its_source(s3: Any, bucket: str, size: int) -> None:
    data = os.urandom(size)
    etag = s3.put_object(Bucket=bucket, Key="a", Body=data)["ETag"]
    result = s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})["CopyObjectResult"]
    assert result["ETag"] == etag
    s3.delete_object(Bucket=bucket, Key="a")
    got = s3.get_object(Bucket=bucket, Key="b")
    assert (got["Body"].read(), got["ETag"]) == (data, etag)
    assert got["LastModified"] == result["LastModified"].replace(microsecond=0)


def test_a_copy_goes_to_another_bucket(s3: Any, bucket: str, new_bucket: Any) -> None:
    other = new_bucket()
    s3.put_object(Bucket=bucket, Key="ü & +/%41", Body=b"data")
    s3.copy_object(Bucket=other, Key="k", CopySource={"Bucket": bucket, "Key": "ü & +/%41"})
    assert s3.get_object(Bucket=other, Key="k")["Body"].read() == b"data"


@pytest.mark.parametrize("form", ["{}/a%2Fb%20c", "/{}/a/b%20c", "{}/a/b c", "%2F{}%2Fa%2Fb%20c"])
def test_every_spelling_of_the_source_is_understood(cloud: CloudUnderTest, s3: Any, bucket: str, form: str) -> None:
    # boto3 would quote the header again.
    s3.put_object(Bucket=bucket, Key="a/b c", Body=b"data")
    answer = SignedHttp(cloud).send("PUT", f"/{bucket}/k", **{"x-amz-copy-source": form.format(bucket)})
    assert answer.status == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_metadata_is_copied_unless_it_is_replaced(s3: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "a"}
    s3.put_object(
        **source, Body=b"x", Metadata={"a": "1"}, ContentType="text/a", CacheControl="no-cache", Tagging="t=1"
    )
    s3.copy_object(Bucket=bucket, Key="copied", CopySource=source, Metadata={"ignored": "1"})
    head = s3.head_object(Bucket=bucket, Key="copied")
    assert (head["Metadata"], head["ContentType"], head["CacheControl"]) == ({"a": "1"}, "text/a", "no-cache")
    assert s3.get_object_tagging(Bucket=bucket, Key="copied")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(
        Bucket=bucket,
        Key="replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/b",
        TaggingDirective="REPLACE",
        Tagging="u=2",
    )
    head = s3.head_object(Bucket=bucket, Key="replaced")
    assert (head["Metadata"], head["ContentType"], "CacheControl" in head) == ({"b": "2"}, "text/b", False)
    assert s3.get_object_tagging(Bucket=bucket, Key="replaced")["TagSet"] == [{"Key": "u", "Value": "2"}]


def test_a_copy_to_itself_must_change_something(s3: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "a"}
    s3.put_object(**source, Body=b"x", Metadata={"a": "1"})
    with refused("InvalidRequest", 400, TO_ITSELF):
        s3.copy_object(**source, CopySource=source)
    s3.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    got = s3.get_object(**source)
    assert (got["Body"].read(), got["Metadata"]) == (b"x", {"b": "2"})


def test_a_missing_source_is_refused(s3: Any, bucket: str) -> None:
    with refused("NoSuchKey", 404, "The specified key does not exist.", Key="missing"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "missing"})
    with refused("NoSuchBucket", 404, "The specified bucket does not exist", BucketName=f"{bucket}-no"):
        s3.copy_object(Bucket=bucket, Key="k", CopySource={"Bucket": f"{bucket}-no", "Key": "a"})


def test_a_copy_may_be_of_an_old_version(s3: Any, versioned_bucket: str) -> None:
    first = s3.put_object(Bucket=versioned_bucket, Key="a", Body=b"1")["VersionId"]
    s3.put_object(Bucket=versioned_bucket, Key="a", Body=b"2")
    source = {"Bucket": versioned_bucket, "Key": "a", "VersionId": first}
    answer = s3.copy_object(Bucket=versioned_bucket, Key="a", CopySource=source)
    assert answer["CopySourceVersionId"] == first
    assert answer["VersionId"] not in {first, None}
    assert s3.get_object(Bucket=versioned_bucket, Key="a")["Body"].read() == b"1"


def test_a_delete_marker_cannot_be_copied(s3: Any, versioned_bucket: str) -> None:
    s3.put_object(Bucket=versioned_bucket, Key="a", Body=b"1")
    marker = s3.delete_object(Bucket=versioned_bucket, Key="a")["VersionId"]
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=versioned_bucket, Key="b", CopySource={"Bucket": versioned_bucket, "Key": "a"})
    source = {"Bucket": versioned_bucket, "Key": "a", "VersionId": marker}
    with refused(
        "InvalidRequest",
        400,
        "The source of a copy request may not specifically refer to a delete marker by version id.",
    ):
        s3.copy_object(Bucket=versioned_bucket, Key="b", CopySource=source)


def test_a_copy_only_if_the_source_is_what_the_caller_believes(s3: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "a"}
    etag = s3.put_object(**source, Body=b"x")["ETag"]
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfMatch=etag)
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfNoneMatch='"other"')
    with refused("PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-Match"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfMatch='"other"')
    with refused("PreconditionFailed", 412, FAILED, Condition="x-amz-copy-source-If-None-Match"):
        s3.copy_object(Bucket=bucket, Key="b", CopySource=source, CopySourceIfNoneMatch=etag)


def test_a_copy_of_a_multipart_object_is_one_object(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    bodies = [os.urandom(5 * 2**20), b"end"]
    parts = [
        {
            "PartNumber": n,
            "ETag": s3.upload_part(Bucket=bucket, Key="a", UploadId=upload, PartNumber=n, Body=body)["ETag"],
        }
        for n, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(Bucket=bucket, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    s3.delete_object(Bucket=bucket, Key="a")
    assert s3.get_object(Bucket=bucket, Key="b")["Body"].read() == b"".join(bodies)


def test_a_copy_can_ask_for_a_checksum(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    answer = s3.copy_object(
        Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"}, ChecksumAlgorithm="SHA256"
    )
    wanted = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="
    assert answer["CopyObjectResult"]["ChecksumSHA256"] == wanted
    assert s3.head_object(Bucket=bucket, Key="b", ChecksumMode="ENABLED")["ChecksumSHA256"] == wanted
