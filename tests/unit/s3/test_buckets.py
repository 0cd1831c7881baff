"""Buckets: names, owners, regions, listing, versioning, deletion."""

import pytest
from tests.unit.s3.cloud import BIG, OTHER, S3

from atoll.services.s3.names import canonical_id

PLACED = "CreateBucketConfiguration"


def test_a_bucket_is_made_found_and_deleted():
    s3 = S3()
    made = s3("CreateBucket", Bucket="second")
    assert made == {"Location": "/second", "BucketArn": "arn:aws:s3:::second"}
    head = {"BucketRegion": "us-east-1", "BucketArn": "arn:aws:s3:::second", "AccessPointAlias": False}
    assert s3("HeadBucket", Bucket="second") == head
    assert s3("GetBucketLocation", Bucket="second") == {}
    assert s3("DeleteBucket", Bucket="second") == {}
    error = s3.refused("HeadBucket", Bucket="second")
    assert (error.code, error.status, error.fields) == ("NoSuchBucket", 404, {"BucketName": "second"})


def test_your_own_bucket_made_again_is_as_it_was_where_s3_began():
    s3 = S3(versioning="Enabled")
    s3.put("k", b"kept")
    assert s3("CreateBucket")["Location"] == "/bucket"
    assert s3.read("k") == b"kept"
    assert s3("GetBucketVersioning") == {"Status": "Enabled"}


def test_your_own_bucket_made_again_elsewhere_is_refused():
    s3 = S3()
    s3("CreateBucket", Bucket="north", **{PLACED: {"LocationConstraint": "eu-north-1"}})
    error = s3.refused("CreateBucket", Bucket="north", **{PLACED: {"LocationConstraint": "eu-north-1"}})
    assert (error.code, error.status) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.code("CreateBucket", Bucket="north") == "BucketAlreadyOwnedByYou"


def test_anothers_bucket_is_neither_made_nor_reached():
    s3 = S3()
    s3.put("k", b"")
    error = s3.refused("CreateBucket", identity=OTHER)
    assert (error.code, error.status) == ("BucketAlreadyExists", 409)
    for operation in ("HeadBucket", "ListObjectsV2", "DeleteBucket", "GetBucketVersioning"):
        error = s3.refused(operation, identity=OTHER)
        assert (error.code, error.status) == ("AccessDenied", 403)
    assert s3.code("GetObject", Key="k", identity=OTHER) == "AccessDenied"
    assert s3.code("PutObject", Key="k", Body=b"", identity=OTHER) == "AccessDenied"


def test_an_owner_who_is_not_as_expected_stops_everything():
    s3 = S3()
    s3("HeadBucket", ExpectedBucketOwner="000000000001")
    error = s3.refused("HeadBucket", ExpectedBucketOwner="000000000002")
    assert (error.code, error.status) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("wanted", "region"), [("eu-west-1", "eu-west-1"), ("EU", "eu-west-1"), ("us-gov-west-1", "us-gov-west-1")]
)
def test_the_global_endpoint_makes_buckets_anywhere(wanted, region):
    s3 = S3()
    s3("CreateBucket", Bucket="placed", **{PLACED: {"LocationConstraint": wanted}})
    assert s3("GetBucketLocation", Bucket="placed") == {"LocationConstraint": region}
    assert s3("HeadBucket", Bucket="placed")["BucketRegion"] == region


@pytest.mark.parametrize("wanted", ["us-east-1", "nowhere-1", ""])
def test_no_region_of_that_name(wanted):
    error = S3().refused("CreateBucket", Bucket="placed", **{PLACED: {"LocationConstraint": wanted}})
    assert (error.code, error.status) == ("InvalidLocationConstraint", 400)


@pytest.mark.parametrize("configuration", [{}, {"LocationConstraint": "eu-west-1"}])
def test_other_endpoints_make_their_own_buckets_only(configuration):
    s3 = S3()
    s3.cloud.cloud.region = "eu-north-1"
    error = s3.refused("CreateBucket", Bucket="placed", **{PLACED: configuration})
    assert (error.code, error.status) == ("IllegalLocationConstraintException", 400)
    s3("CreateBucket", Bucket="placed", **{PLACED: {"LocationConstraint": "eu-north-1"}})
    assert s3("HeadBucket", Bucket="placed")["BucketRegion"] == "eu-north-1"


def test_only_an_empty_bucket_is_deleted():
    s3 = S3(versioning="Enabled")
    version_id = s3.put("k")["VersionId"]
    marker = s3("DeleteObject", Key="k")["VersionId"]
    error = s3.refused("DeleteBucket")
    assert (error.code, error.status) == ("BucketNotEmpty", 409)
    assert error.message.endswith("not empty. You must delete all versions in the bucket.")
    s3("DeleteObject", Key="k", VersionId=version_id)
    assert s3.code("DeleteBucket") == "BucketNotEmpty"
    s3("DeleteObject", Key="k", VersionId=marker)
    assert s3("DeleteBucket") == {}


def test_unfinished_uploads_go_with_their_bucket():
    s3 = S3()
    upload_id = s3("CreateMultipartUpload", Key="k")["UploadId"]
    for number in (1, 2):
        s3("UploadPart", Key="k", UploadId=upload_id, PartNumber=number, Body=BIG)
    assert s3("DeleteBucket") == {}
    left = {p for p, _ in s3.cloud.store.rows}
    assert left == {b"blobs/dropped"}
    assert sum(p == b"blobs/dropped" for p, _ in s3.cloud.store.rows) == 2


def test_a_bucket_made_again_under_its_old_name_starts_empty():
    s3 = S3(versioning="Enabled")
    s3("DeleteBucket")
    s3("CreateBucket")
    assert s3("GetBucketVersioning") == {}
    assert s3.keys() == []


def test_buckets_are_listed_by_name_for_their_owner():
    s3 = S3()
    for name in ("b-2", "a-1", "b-1"):
        s3("CreateBucket", Bucket=name)
    s3("CreateBucket", Bucket="not-mine", identity=OTHER)
    listed = s3("ListBuckets")
    assert listed["Owner"]["ID"] == canonical_id("000000000001")
    assert [bucket["Name"] for bucket in listed["Buckets"]] == ["a-1", "b-1", "b-2", "bucket"]
    assert listed["Buckets"][0] == {
        "Name": "a-1",
        "CreationDate": "2027-01-15T08:00:00.000Z",
        "BucketArn": "arn:aws:s3:::a-1",
    }
    assert "ContinuationToken" not in listed


def test_buckets_are_listed_in_pages():
    s3 = S3()
    for name in ("b-2", "a-1", "b-1"):
        s3("CreateBucket", Bucket=name)
    first = s3("ListBuckets", MaxBuckets=2, Prefix="b")
    assert [(bucket["Name"], bucket["BucketRegion"]) for bucket in first["Buckets"]] == [
        ("b-1", "us-east-1"),
        ("b-2", "us-east-1"),
    ]
    assert first["Prefix"] == "b"
    rest = s3("ListBuckets", MaxBuckets=2, Prefix="b", ContinuationToken=first["ContinuationToken"])
    assert [bucket["Name"] for bucket in rest["Buckets"]] == ["bucket"]
    assert "ContinuationToken" not in rest


def test_buckets_are_listed_by_region():
    s3 = S3()
    s3("CreateBucket", Bucket="north", **{PLACED: {"LocationConstraint": "eu-north-1"}})
    assert [bucket["Name"] for bucket in s3("ListBuckets", BucketRegion="eu-north-1")["Buckets"]] == ["north"]


@pytest.mark.parametrize("most", [0, -1, 10_001])
def test_a_page_of_buckets_has_limits(most):
    assert S3().code("ListBuckets", MaxBuckets=most) == "InvalidArgument"


def test_versioning_is_off_until_it_is_asked_for():
    s3 = S3()
    assert s3("GetBucketVersioning") == {}
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.set_versioning(status)
        assert s3("GetBucketVersioning") == {"Status": status}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({}, "IllegalVersioningConfigurationException"),
        ({"Status": "Off"}, "MalformedXML"),
        ({"Status": "Enabled", "MFADelete": "Enabled"}, "NotImplemented"),
    ],
)
def test_what_versioning_cannot_be(wanted, code):
    s3 = S3()
    assert s3.code("PutBucketVersioning", VersioningConfiguration=wanted) == code
    assert s3("GetBucketVersioning") == {}


def test_a_bucket_has_a_proper_name():
    assert S3().code("CreateBucket", Bucket="No") == "InvalidBucketName"
