"""DeleteObjects."""

import pytest
from tests.unit.s3.cloud import S3


def delete(s3, *objects, **given):
    return s3("DeleteObjects", Delete={"Objects": list(objects), **given.pop("delete", {})}, **given)


def test_keys_are_deleted_whether_or_not_they_exist():
    s3 = S3()
    s3.put("a")
    s3.put("b")
    reply = delete(s3, {"Key": "a"}, {"Key": "missing"})
    assert reply == {"Deleted": [{"Key": "a"}, {"Key": "missing"}], "Errors": []}
    assert s3.keys() == ["b"]


def test_a_quiet_delete_tells_only_errors():
    s3 = S3()
    s3.put("a", b"1")
    reply = delete(s3, {"Key": "a", "ETag": '"x"'}, {"Key": "b"}, delete={"Quiet": True})
    message = "At least one of the pre-conditions you specified did not hold"
    assert reply == {"Errors": [{"Key": "a", "Code": "PreconditionFailed", "Message": message}]}
    assert s3.keys() == ["a"]


def test_versions_and_markers_are_told_apart():
    s3 = S3(versioning="Enabled")
    first = s3.put("a")["VersionId"]
    (made,) = delete(s3, {"Key": "a"})["Deleted"]
    marker = made["DeleteMarkerVersionId"]
    assert made == {"Key": "a", "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    reply = delete(s3, {"Key": "a", "VersionId": first}, {"Key": "a", "VersionId": marker})
    assert reply["Deleted"] == [
        {"Key": "a", "VersionId": first},
        {"Key": "a", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker},
    ]
    assert s3.rows("o") == {}


def test_each_key_has_its_own_outcome():
    s3 = S3(versioning="Enabled")
    s3.put("a", b"1")
    etag = s3.put("b", b"2")["ETag"]
    s3.denied.add(("s3:DeleteObject", "arn:aws:s3:::bucket/a"))
    reply = delete(
        s3,
        {"Key": "a"},
        {"Key": "b", "ETag": etag},
        {"Key": "c", "ETag": "*"},
        {"Key": "d" * 1025},
        {"Key": "e", "VersionId": "bad"},
    )
    assert [entry["Key"] for entry in reply["Deleted"]] == ["b"]
    assert [(error["Key"][0], error["Code"]) for error in reply["Errors"]] == [
        ("a", "AccessDenied"),
        ("c", "NoSuchKey"),
        ("d", "KeyTooLongError"),
        ("e", "InvalidArgument"),
    ]
    assert reply["Errors"][3]["VersionId"] == "bad"
    assert s3.keys() == ["a"]


def test_a_condition_on_the_tag_asks_for_the_right_to_read():
    s3 = S3()
    s3.asked.clear()
    delete(s3, {"Key": "a"}, {"Key": "b", "ETag": '"x"'}, {"Key": "c", "ETag": "*"})
    assert [(asked.action, asked.resource[-1]) for asked in s3.asked] == [
        ("s3:DeleteObject", "a"),
        ("s3:DeleteObject", "b"),
        ("s3:GetObject", "b"),
        ("s3:DeleteObject", "c"),
    ]


@pytest.mark.parametrize("objects", [[], [{"Key": "k"}] * 1001, [{"Key": ""}]])
def test_a_request_names_between_one_and_a_thousand_keys(objects):
    assert S3().code("DeleteObjects", Delete={"Objects": objects}) == "MalformedXML"


def test_a_thousand_keys_go_at_once():
    s3 = S3()
    for number in range(20):
        s3.put(f"{number}")
    assert len(delete(s3, *({"Key": f"{number}"} for number in range(1000)))["Deleted"]) == 1000
    assert s3.keys() == []


def test_conditions_of_directory_buckets_are_refused():
    s3 = S3()
    s3.put("a")
    assert s3.code("DeleteObjects", Delete={"Objects": [{"Key": "a", "Size": 0}]}) == "NotImplemented"
    assert s3.keys() == ["a"]


def test_a_missing_bucket_is_one_error():
    assert S3().code("DeleteObjects", Delete={"Objects": [{"Key": "a"}]}, Bucket="missing") == "NoSuchBucket"
    assert S3().code("DeleteObjects", Delete={"Objects": [{"Key": "a"}]}, ExpectedBucketOwner="1") == "AccessDenied"
