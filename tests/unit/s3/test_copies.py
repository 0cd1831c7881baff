"""CopyObject."""

import base64
import hashlib

import pytest
from tests.unit.s3.cloud import BIG, OTHER, S3

from atoll.blobs import references
from atoll.services.s3.copies import Source, parse_source
from atoll.services.s3.records import decode_version, encode


def copy(s3, source, key="copy", **request):
    return s3("CopyObject", CopySource=source, Key=key, **request)


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def put_in_parts(s3, key, *bodies):
    upload_id = s3("CreateMultipartUpload", Key=key)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        tag = s3("UploadPart", Key=key, UploadId=upload_id, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    s3("CompleteMultipartUpload", Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts})
    return b"".join(bodies)


@pytest.mark.parametrize("body", [b"", b"small", BIG])
def test_a_copy_has_the_bytes_and_facts_of_its_source(body):
    s3 = S3()
    given = {"ContentType": "text/plain", "Metadata": {"a": "1"}, "Tagging": "t=1"}
    put = s3.put("k", body, **given)
    blobs = len(s3.cloud.blobs.data)
    reply = copy(s3, "bucket/k")
    assert reply == {"CopyObjectResult": {**put, "LastModified": "2027-01-15T08:00:00.000Z"}}
    assert s3("HeadObject", Key="copy") == s3("HeadObject", Key="k")
    assert s3.read("copy") == body
    assert len(s3.cloud.blobs.data) == blobs, "bytes are shared"
    s3("DeleteObject", Key="k")
    assert s3.read("copy") == body
    held = [k for p, k in s3.cloud.store.rows if p == references.REFS]
    assert len(held) == blobs


def test_facts_are_replaced_when_asked():
    s3 = S3()
    s3.put("k", b"x", ContentType="text/plain", Metadata={"a": "1"}, Tagging="t=1")
    ignored = {"ContentType": "a/b", "Metadata": {"b": "2"}, "Tagging": "u=2"}
    copy(s3, "bucket/k", "kept", **ignored)
    kept = s3("HeadObject", Key="kept")
    assert (kept["ContentType"], kept["Metadata"]) == ("text/plain", {"a": "1"})
    assert s3("GetObjectTagging", Key="kept")["TagSet"] == [{"Key": "t", "Value": "1"}]
    copy(s3, "bucket/k", "new", MetadataDirective="REPLACE", TaggingDirective="REPLACE", **ignored)
    new = s3("HeadObject", Key="new")
    assert (new["ContentType"], new["Metadata"]) == ("a/b", {"b": "2"})
    assert s3("GetObjectTagging", Key="new")["TagSet"] == [{"Key": "u", "Value": "2"}]
    copy(s3, "bucket/k", "bare", MetadataDirective="REPLACE", TaggingDirective="REPLACE")
    assert s3("HeadObject", Key="bare")["ContentType"] == "binary/octet-stream"
    assert "TagCount" not in s3("HeadObject", Key="bare")


@pytest.mark.parametrize("member", ["MetadataDirective", "TaggingDirective"])
def test_a_directive_is_one_of_two(member):
    s3 = S3()
    s3.put("k")
    assert s3.code("CopyObject", CopySource="bucket/k", Key="c", **{member: "MOVE"}) == "InvalidArgument"


def test_a_copy_onto_itself_must_change_something():
    s3 = S3()
    s3.put("k", BIG, Metadata={"a": "1"})
    error = s3.refused("CopyObject", CopySource="bucket/k", Key="k")
    assert (error.code, error.status) == ("InvalidRequest", 400)
    copy(s3, "bucket/k", "k", MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3("HeadObject", Key="k")["Metadata"] == {"b": "2"}
    assert s3.read("k") == BIG
    (held,) = [k for p, k in s3.cloud.store.rows if p == references.REFS]
    (row,) = s3.rows("o").values()
    assert held == references.keys.pack(decode_version(row).pieces[0].blob_id, decode_version(row).ref)
    copy(s3, "bucket/k", "k", ChecksumAlgorithm="SHA256")
    assert s3("HeadObject", Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256(BIG)


def test_an_older_version_is_copied_onto_its_key():
    s3 = S3(versioning="Enabled")
    first = s3.put("k", b"1")["VersionId"]
    s3.put("k", b"2")
    reply = copy(s3, f"bucket/k?versionId={first}", "k")
    assert reply["CopySourceVersionId"] == first
    assert s3("HeadObject", Key="k")["VersionId"] == reply["VersionId"]
    assert s3.read("k") == b"1"


@pytest.mark.parametrize("body", [b"small", BIG])
def test_another_checksum_is_computed(body):
    s3 = S3()
    s3.put("k", body)
    result = copy(s3, "bucket/k", ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    assert (result["ChecksumSHA256"], result["ChecksumType"]) == (sha256(body), "FULL_OBJECT")
    assert "ChecksumCRC64NVME" not in result
    assert s3.code("CopyObject", CopySource="bucket/k", Key="c", ChecksumAlgorithm="ROT13") == "InvalidRequest"


def test_a_copy_of_parts_is_one_part():
    s3 = S3()
    whole = put_in_parts(s3, "k", BIG * 53, b"the end")
    result = copy(s3, "bucket/k")["CopyObjectResult"]
    assert result["ETag"] == f'"{hashlib.md5(whole).hexdigest()}"'
    assert s3.read("copy") == whole
    assert "PartsCount" not in s3("HeadObject", Key="copy", PartNumber=1)


def test_damaged_bytes_get_no_new_checksum():
    s3 = S3()
    s3.put("k", BIG)
    (blob_id,) = s3.cloud.blobs.data
    s3.cloud.blobs.data[blob_id] = BIG[:-1] + b"?"
    with pytest.raises(RuntimeError, match="checksum"):
        copy(s3, "bucket/k", ChecksumAlgorithm="SHA256")
    s3.cloud.blobs.data[blob_id] = BIG[:-1]
    with pytest.raises(RuntimeError, match="ends at"):
        copy(s3, "bucket/k", ChecksumAlgorithm="SHA256")


def test_sources_that_cannot_be_read():
    s3 = S3(versioning="Enabled")
    version_id = s3.put("k", b"1")["VersionId"]
    marker = s3("DeleteObject", Key="k")["VersionId"]

    def outcome(source, **request):
        error = s3.refused("CopyObject", CopySource=source, Key="copy", **request)
        return error.status, error.code

    assert outcome("bucket/missing") == (404, "NoSuchKey")
    assert outcome("missing/k") == (404, "NoSuchBucket")
    assert outcome("bucket/k") == (404, "NoSuchKey")
    assert outcome(f"bucket/k?versionId={marker}") == (400, "InvalidRequest")
    assert outcome(f"bucket/other?versionId={version_id}") == (404, "NoSuchVersion")
    source = f"bucket/k?versionId={version_id}"
    assert outcome(source, Bucket="missing") == (404, "NoSuchBucket")
    assert outcome(source, CopySourceIfMatch='"x"') == (412, "PreconditionFailed")
    assert outcome(source, ExpectedSourceBucketOwner="000000000002") == (403, "AccessDenied")
    assert outcome(source, identity=OTHER) == (403, "AccessDenied")
    s3.denied.add(("s3:GetObjectVersion", "arn:aws:s3:::bucket/k"))
    assert outcome(source) == (403, "AccessDenied")


def test_copying_tags_asks_for_the_right_to_read_them():
    s3 = S3()
    s3.put("k", b"x", Tagging="t=1")
    s3.denied.add(("s3:GetObjectTagging", "arn:aws:s3:::bucket/k"))
    assert s3.code("CopyObject", CopySource="bucket/k", Key="c") == "AccessDenied"
    copy(s3, "bucket/k", "c", TaggingDirective="REPLACE")


def test_a_copy_is_made_only_where_none_is():
    s3 = S3()
    s3.put("k", b"1")
    copy(s3, "bucket/k", IfNoneMatch="*")
    assert s3.code("CopyObject", CopySource="bucket/k", Key="copy", IfNoneMatch="*") == "PreconditionFailed"
    copy(s3, "bucket/k", IfMatch=s3("HeadObject", Key="copy")["ETag"])


def test_a_source_has_a_greatest_size():
    s3 = S3()
    s3.put("k", BIG)
    (row_key, row), (shelf,) = next(iter(s3.rows("o").items())), {p for p, _ in s3.cloud.store.rows if b"/s3/o/" in p}
    version = decode_version(row)
    version.size = 5 * 1024**3 + 1
    s3.cloud.store.rows[shelf, row_key] = encode(version)
    error = s3.refused("CopyObject", CopySource="bucket/k", Key="c")
    assert (error.code, error.status) == ("InvalidRequest", 400)


def test_a_source_that_changes_meanwhile_is_read_again():
    s3 = S3()
    s3.put("k", b"old")
    run = s3.cloud.store.run

    async def first_changed(fn):
        s3.cloud.store.run = run
        await s3.cloud("PutObject", Bucket="bucket", Key="k", Body=b"new")
        return await run(fn)

    s3.cloud.store.run = first_changed
    assert copy(s3, "bucket/k")["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"new").hexdigest()}"'
    assert s3.read("copy") == b"new"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("b/k", Source("b", "k", None)),
        ("/b/k", Source("b", "k", None)),
        ("b/a/b/c", Source("b", "a/b/c", None)),
        ("b//k", Source("b", "/k", None)),
        ("b/a+b%2Bc%20d", Source("b", "a b+c d", None)),
        ("%2Fb%2Fk", Source("b", "k", None)),
        ("b/%C3%A9?versionId=x%2By", Source("b", "é", "x+y")),
        ("b/k%3FversionId=1", Source("b", "k?versionId=1", None)),
        ("b/k?a=1", Source("b", "k?a=1", None)),
        ("b/k?versionId=", Source("b", "k", "")),
    ],
)
def test_what_names_a_source(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    "text", ["", "/", "b", "b/", "/b", "//k", "b/%FF", "arn:aws:s3:us-east-1:1:accesspoint/a/object/k"]
)
def test_what_names_none(text):
    s3 = S3()
    error = s3.refused("CopyObject", CopySource=text, Key="c")
    assert (error.code, error.status) == ("InvalidArgument", 400)
