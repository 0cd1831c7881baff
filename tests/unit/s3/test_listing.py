"""The shape of listings; their content is held to a model in tests/property/test_s3_listing.py."""

import pytest
from tests.unit.s3.cloud import BIG, S3

from atoll.services.s3.names import owner

MODIFIED = "2027-01-15T08:00:00.000Z"
OWNER = owner("000000000001")


def entry(key, put, **more):
    checksum = {"ChecksumAlgorithm": ["CRC64NVME"], "ChecksumType": "FULL_OBJECT"}
    return {"Key": key, "LastModified": MODIFIED, "ETag": put["ETag"], "StorageClass": "STANDARD", **checksum, **more}


def test_version_one_tells_owners_and_markers():
    s3 = S3()
    a = s3.put("a", b"1")
    s3.put("b/1")
    s3.put("b/2")
    s3.put("c", BIG)
    assert s3("ListObjects", Delimiter="/", MaxKeys=2) == {
        "Name": "bucket",
        "Prefix": "",
        "Delimiter": "/",
        "Marker": "",
        "NextMarker": "b/",
        "MaxKeys": 2,
        "IsTruncated": True,
        "Contents": [entry("a", a, Size=1, Owner=OWNER)],
        "CommonPrefixes": [{"Prefix": "b/"}],
    }
    rest = s3("ListObjects", Delimiter="/", Marker="b/")
    assert (rest["Marker"], [e["Key"] for e in rest["Contents"]], rest["CommonPrefixes"]) == ("b/", ["c"], [])
    # A marker inside a common prefix: what comes after it still stands under that prefix.
    assert s3("ListObjects", Delimiter="/", Marker="b/1")["CommonPrefixes"] == [{"Prefix": "b/"}]


def test_version_two_counts_and_continues():
    s3 = S3()
    put = {key: s3.put(key, b"1") for key in ("a", "b", "c")}
    first = s3("ListObjectsV2", MaxKeys=1, StartAfter="a")
    token = first.pop("NextContinuationToken")
    assert first == {
        "Name": "bucket",
        "Prefix": "",
        "StartAfter": "a",
        "MaxKeys": 1,
        "KeyCount": 1,
        "IsTruncated": True,
        "Contents": [entry("b", put["b"], Size=1)],
        "CommonPrefixes": [],
    }
    rest = s3("ListObjectsV2", StartAfter="a", ContinuationToken=token, FetchOwner=True)
    assert rest["Contents"] == [entry("c", put["c"], Size=1, Owner=OWNER)]
    assert (rest["ContinuationToken"], rest["StartAfter"], rest["IsTruncated"]) == (token, "a", False)
    for text in ("no token", "nonsense", token[:-4], "A" + token[1:]):
        error = s3.refused("ListObjectsV2", ContinuationToken=text)
        assert (error.code, error.fields["ArgumentName"]) == ("InvalidArgument", "continuation-token")


def test_an_empty_token_is_none_and_is_told_again():
    s3 = S3()
    put = s3.put("k", b"1")
    listed = s3("ListObjectsV2", ContinuationToken="")
    assert (listed["ContinuationToken"], listed["Contents"]) == ("", [entry("k", put, Size=1)])
    assert s3("ListObjectsV2", ContinuationToken="", StartAfter="k")["Contents"] == []


def test_versions_are_told_with_their_markers():
    s3 = S3()
    null = s3.put("k", b"1")
    s3.set_versioning("Enabled")
    second = s3.put("k", b"22")
    marker = s3("DeleteObject", Key="k")["VersionId"]
    versions = [
        entry("k", second, Size=2, Owner=OWNER, VersionId=second["VersionId"], IsLatest=False),
        entry("k", null, Size=1, Owner=OWNER, VersionId="null", IsLatest=False),
    ]
    gone = {"Key": "k", "VersionId": marker, "IsLatest": True, "LastModified": MODIFIED, "Owner": OWNER}
    page = {"Name": "bucket", "Prefix": "", "MaxKeys": 1000, "IsTruncated": False, "CommonPrefixes": []}
    assert s3("ListObjectVersions") == {
        **page,
        "KeyMarker": "",
        "VersionIdMarker": "",
        "Versions": versions,
        "DeleteMarkers": [gone],
    }
    first = s3("ListObjectVersions", MaxKeys=2)
    assert (first["NextKeyMarker"], first["NextVersionIdMarker"]) == ("k", second["VersionId"])
    rest = s3("ListObjectVersions", KeyMarker="k", VersionIdMarker=second["VersionId"])
    assert (rest["Versions"], rest["DeleteMarkers"]) == (versions[1:], [])
    assert s3("ListObjectVersions", KeyMarker="k")["Versions"] == []
    assert s3.keys() == []


def test_a_version_marker_may_be_gone():
    s3 = S3(versioning="Enabled")
    first = s3.put("k", b"1")["VersionId"]
    second = s3.put("k", b"2")["VersionId"]
    s3("DeleteObject", Key="k", VersionId=second)
    (listed,) = s3("ListObjectVersions", KeyMarker="k", VersionIdMarker=second)["Versions"]
    assert (listed["VersionId"], listed["IsLatest"]) == (first, True)


@pytest.mark.parametrize("marker", [{"VersionIdMarker": "null"}, {"KeyMarker": "k", "VersionIdMarker": "bad"}])
def test_markers_that_are_none(marker):
    assert S3(versioning="Enabled").code("ListObjectVersions", **marker) == "InvalidArgument"


def test_many_older_versions_do_not_fill_a_page():
    s3 = S3(versioning="Enabled")
    for number in range(60):
        s3.put("a", b"")
        if number % 20 == 0:
            s3.put(f"b{number}")
    s3("DeleteObject", Key="b20")
    assert s3.keys() == ["a", "b0", "b40"]
    assert s3.keys(MaxKeys=2) == ["a", "b0"]


@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2", "ListObjectVersions"])
def test_a_page_has_up_to_a_thousand(operation):
    s3 = S3()
    s3.put("k")
    none = s3(operation, MaxKeys=0)
    assert (none["MaxKeys"], none["IsTruncated"], none["CommonPrefixes"]) == (0, False, [])
    assert s3(operation, MaxKeys=5000)["MaxKeys"] == 1000
    for most in (-1, 2**31):
        error = s3.refused(operation, MaxKeys=most)
        assert (error.code, error.status) == ("InvalidArgument", 400)
    assert s3.code(operation, EncodingType="base64") == "InvalidArgument"
    assert s3.code(operation, Bucket="missing") == "NoSuchBucket"


def test_a_page_is_cut_at_a_thousand():
    s3 = S3()
    for number in range(1001):
        s3.put(f"{number:04}")
    first = s3("ListObjectsV2")
    assert (len(first["Contents"]), first["IsTruncated"]) == (1000, True)
    assert s3.keys(ContinuationToken=first["NextContinuationToken"]) == ["1000"]


def test_names_are_url_encoded_when_asked():
    s3 = S3()
    for key in ("asdf+b", "foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "é"):
        s3.put(key)
    reply = s3("ListObjects", Delimiter="/", EncodingType="url", Prefix="", Marker=" ")
    assert [e["Key"] for e in reply["Contents"]] == ["asdf%2Bb", "%C3%A9"]
    assert [e["Prefix"] for e in reply["CommonPrefixes"]] == ["foo%2B1/", "foo/", "quux%20ab/"]
    assert (reply["EncodingType"], reply["Marker"], reply["Delimiter"]) == ("url", "%20", "/")


def test_an_empty_delimiter_is_none():
    reply = S3()("ListObjects", Delimiter="")
    assert "Delimiter" not in reply
