"""Versions: nothing overwritten is lost, and a deletion is a marker."""

import os
from typing import Any

import pytest
from tests.conformance.refusals import refused


def put(s3: Any, bucket: str, key: str, body: bytes) -> str:
    version: str = s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]
    return version


def listed(s3: Any, bucket: str) -> list[tuple[str, str, bool, bool]]:
    """(key, version, whether it is the latest, whether it is a marker), in the order of the listing's two lists."""
    answer = s3.list_object_versions(Bucket=bucket)
    versions = [(v["Key"], v["VersionId"], v["IsLatest"], False) for v in answer.get("Versions", [])]
    return versions + [(m["Key"], m["VersionId"], m["IsLatest"], True) for m in answer.get("DeleteMarkers", [])]


def test_versioning_is_off_until_asked_for(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ("Enabled", "Suspended", "Enabled"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status


def test_an_unversioned_object_has_the_null_version(s3: Any, bucket: str) -> None:
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert listed(s3, bucket) == [("k", "null", True, False)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"x"


@pytest.mark.parametrize("size", [10, 200_000])
def test_every_version_stays_readable(s3: Any, versioned_bucket: str, size: int) -> None:
    bodies = [os.urandom(size) for _ in range(4)]
    versions = [put(s3, versioned_bucket, "k", body) for body in bodies]
    assert len(set(versions)) == 4
    for version, body in zip(versions, bodies, strict=True):
        answer = s3.get_object(Bucket=versioned_bucket, Key="k", VersionId=version)
        assert (answer["VersionId"], answer["Body"].read()) == (version, body)
    current = s3.get_object(Bucket=versioned_bucket, Key="k")
    assert (current["VersionId"], current["Body"].read()) == (versions[-1], bodies[-1])


def test_versions_are_listed_newest_first(s3: Any, versioned_bucket: str) -> None:
    first, second = put(s3, versioned_bucket, "a", b"1"), put(s3, versioned_bucket, "a", b"22")
    other = put(s3, versioned_bucket, "b", b"3")
    assert listed(s3, versioned_bucket) == [
        ("a", second, True, False),
        ("a", first, False, False),
        ("b", other, True, False),
    ]
    sizes = [v["Size"] for v in s3.list_object_versions(Bucket=versioned_bucket)["Versions"]]
    assert sizes == [2, 1, 1]


def test_a_delete_leaves_a_marker_and_the_versions(s3: Any, versioned_bucket: str) -> None:
    version = put(s3, versioned_bucket, "k", b"data")
    answer = s3.delete_object(Bucket=versioned_bucket, Key="k")
    assert answer["DeleteMarker"] is True
    marker = answer["VersionId"]
    with refused("NoSuchKey", 404, "The specified key does not exist."):
        s3.get_object(Bucket=versioned_bucket, Key="k")
    assert s3.list_objects_v2(Bucket=versioned_bucket)["KeyCount"] == 0
    assert s3.get_object(Bucket=versioned_bucket, Key="k", VersionId=version)["Body"].read() == b"data"
    assert listed(s3, versioned_bucket) == [("k", version, False, False), ("k", marker, True, True)]


def test_an_answer_about_a_marker_says_that_it_is_one(s3: Any, versioned_bucket: str) -> None:
    put(s3, versioned_bucket, "k", b"data")
    marker = s3.delete_object(Bucket=versioned_bucket, Key="k")["VersionId"]
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=versioned_bucket, Key="k")
    meta = caught.value.response["ResponseMetadata"]
    assert meta["HTTPStatusCode"] == 404
    assert meta["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    assert meta["HTTPHeaders"]["x-amz-version-id"] == marker


def test_a_marker_itself_cannot_be_read(s3: Any, versioned_bucket: str) -> None:
    put(s3, versioned_bucket, "k", b"data")
    marker = s3.delete_object(Bucket=versioned_bucket, Key="k")["VersionId"]
    with refused(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
        Method="GET",
        ResourceType="DeleteMarker",
    ):
        s3.get_object(Bucket=versioned_bucket, Key="k", VersionId=marker)
    with refused("405", 405):
        s3.head_object(Bucket=versioned_bucket, Key="k", VersionId=marker)


def test_deleting_the_marker_brings_the_object_back(s3: Any, versioned_bucket: str) -> None:
    put(s3, versioned_bucket, "k", b"data")
    marker = s3.delete_object(Bucket=versioned_bucket, Key="k")["VersionId"]
    answer = s3.delete_object(Bucket=versioned_bucket, Key="k", VersionId=marker)
    assert (answer["DeleteMarker"], answer["VersionId"]) == (True, marker)
    assert s3.get_object(Bucket=versioned_bucket, Key="k")["Body"].read() == b"data"


def test_deleting_a_version_is_for_ever_and_uncovers_the_one_below(s3: Any, versioned_bucket: str) -> None:
    first, second = put(s3, versioned_bucket, "k", b"1"), put(s3, versioned_bucket, "k", b"2")
    answer = s3.delete_object(Bucket=versioned_bucket, Key="k", VersionId=second)
    assert (answer["VersionId"], "DeleteMarker" in answer) == (second, False)
    assert s3.get_object(Bucket=versioned_bucket, Key="k")["VersionId"] == first
    with refused("NoSuchVersion", 404, "The specified version does not exist.", Key="k", VersionId=second):
        s3.get_object(Bucket=versioned_bucket, Key="k", VersionId=second)


def test_deleting_a_version_that_never_was_is_no_error(s3: Any, versioned_bucket: str) -> None:
    version = put(s3, versioned_bucket, "k", b"1")
    s3.delete_object(Bucket=versioned_bucket, Key="k", VersionId=version)
    assert s3.delete_object(Bucket=versioned_bucket, Key="k", VersionId=version)["VersionId"] == version


def test_a_version_id_that_cannot_be_one_is_refused(s3: Any, versioned_bucket: str) -> None:
    put(s3, versioned_bucket, "k", b"1")
    with refused(
        "InvalidArgument", 400, "Invalid version id specified", ArgumentName="versionId", ArgumentValue="nonsense"
    ):
        s3.get_object(Bucket=versioned_bucket, Key="k", VersionId="nonsense")


def test_what_was_there_before_versioning_is_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = put(s3, bucket, "k", b"new")
    assert listed(s3, bucket) == [("k", version, True, False), ("k", "null", False, False)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"old"


def test_while_suspended_the_null_version_is_overwritten_and_the_others_stay(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = put(s3, bucket, "k", b"kept")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"n1", b"n2"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert listed(s3, bucket) == [("k", "null", True, False), ("k", version, False, False)]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"n2"
    answer = s3.delete_object(Bucket=bucket, Key="k")
    assert (answer["VersionId"], answer["DeleteMarker"]) == ("null", True)
    assert listed(s3, bucket) == [("k", version, False, False), ("k", "null", True, True)]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == b"kept"


def test_delete_objects_takes_versions_and_leaves_markers(s3: Any, versioned_bucket: str) -> None:
    first, second = put(s3, versioned_bucket, "a", b"1"), put(s3, versioned_bucket, "b", b"2")
    answer = s3.delete_objects(
        Bucket=versioned_bucket, Delete={"Objects": [{"Key": "a", "VersionId": first}, {"Key": "b"}]}
    )
    by_key = {d["Key"]: d for d in answer["Deleted"]}
    assert by_key["a"] == {"Key": "a", "VersionId": first}
    assert by_key["b"]["DeleteMarker"] is True
    marker = by_key["b"]["DeleteMarkerVersionId"]
    assert listed(s3, versioned_bucket) == [("b", second, False, False), ("b", marker, True, True)]


def test_a_long_history_is_listed_in_pages(s3: Any, versioned_bucket: str) -> None:
    wanted = []
    for key in ("a", "b/1", "b/2"):
        history = [put(s3, versioned_bucket, key, bytes([n])) for n in range(7)]
        wanted += [(key, version) for version in reversed(history)]
    for size in (1, 2, 5, 21, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(
            Bucket=versioned_bucket, PaginationConfig={"PageSize": size}
        )
        seen = [(v["Key"], v["VersionId"]) for page in pages for v in page.get("Versions", [])]
        assert seen == wanted


def test_versions_are_listed_by_prefix_and_delimiter(s3: Any, versioned_bucket: str) -> None:
    for key in ("a", "b/1", "b/2", "c/x"):
        put(s3, versioned_bucket, key, b"")
    answer = s3.list_object_versions(Bucket=versioned_bucket, Delimiter="/")
    assert [v["Key"] for v in answer["Versions"]] == ["a"]
    assert [p["Prefix"] for p in answer["CommonPrefixes"]] == ["b/", "c/"]
    answer = s3.list_object_versions(Bucket=versioned_bucket, Prefix="b/")
    assert [v["Key"] for v in answer["Versions"]] == ["b/1", "b/2"]


def test_a_version_marker_without_a_key_marker_is_refused(s3: Any, versioned_bucket: str) -> None:
    version = put(s3, versioned_bucket, "k", b"")
    with refused("InvalidArgument", 400, "A version-id marker cannot be specified without a key marker."):
        s3.list_object_versions(Bucket=versioned_bucket, VersionIdMarker=version)
