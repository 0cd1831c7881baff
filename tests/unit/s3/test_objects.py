"""Reading and writing single objects."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from tests.support import bytes_of
from tests.unit.s3.cloud import ANONYMOUS, BIG, S3

from atoll.aws import checksums
from atoll.services.s3.records import INLINE_BYTES_MAX, ORDER_UNVERSIONED, version_key
from atoll.store import Conflict

MODIFIED = "2027-01-15T08:00:00.000Z"


def etag(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def crc64(data):
    return checksums.encode(checksums.compute("CRC64NVME", data))


def test_an_object_is_told_as_it_was_given():
    s3 = S3()
    given = {
        "ContentType": "text/plain",
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "aws-chunked, gzip",
        "ContentLanguage": "en",
        "Expires": datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        "Metadata": {"Colour": "Blue", "empty": ""},
        "Tagging": "a=1&b=2",
    }
    put = s3.put("k", b"hello", **given)
    assert put == {"ETag": etag(b"hello"), "ChecksumCRC64NVME": crc64(b"hello"), "ChecksumType": "FULL_OBJECT"}
    told = {
        "AcceptRanges": "bytes",
        "LastModified": MODIFIED,
        "ContentLength": 5,
        "ETag": etag(b"hello"),
        "ContentType": "text/plain",
        "CacheControl": "no-cache",
        "ContentDisposition": "inline",
        "ContentEncoding": "gzip",
        "ContentLanguage": "en",
        "Expires": "2030-01-02T03:04:05.000Z",
        "Metadata": {"colour": "Blue", "empty": ""},
        "TagCount": 2,
    }
    assert s3("HeadObject", Key="k") == told
    assert s3("GetObject", Key="k") == {**told, "Body": b"hello"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("aws-chunked, deflate, gzip", "deflate, gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("deflate,gzip", "deflate,gzip"),
        ("gzip, AWS-Chunked", "gzip"),
        ("gzip, aws-chunked,br", "gzip,br"),
        ("aws-chunked, aws-chunked", None),
    ],
)
def test_an_encoding_less_its_framing_is_kept_as_it_was_written(given, kept):
    s3 = S3()
    s3.put("k", b"", ContentEncoding=given)
    assert s3("HeadObject", Key="k").get("ContentEncoding") == kept


def test_what_nobody_gave_is_not_told():
    s3 = S3()
    s3.put("k", b"", ContentEncoding="aws-chunked", ContentType="")
    assert s3("GetObject", Key="k") == {
        "AcceptRanges": "bytes",
        "LastModified": MODIFIED,
        "ContentLength": 0,
        "ETag": etag(b""),
        "ContentType": "binary/octet-stream",
        "Metadata": {},
        "Body": b"",
    }


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, 100_000])
def test_bytes_come_back_whatever_their_number(size):
    s3 = S3()
    s3.put("k", BIG[:size])
    assert s3.read("k") == BIG[:size]
    s3.put("k", b"shorter")
    assert s3.read("k") == b"shorter"
    s3.put("k", BIG)
    assert s3.read("k") == BIG
    assert s3.rows("d") == {}


@pytest.mark.parametrize("data", [BIG[:1000], BIG])
def test_a_range_is_answered_with_its_place(data):
    s3 = S3()
    s3.put("k", data)
    reply = s3("GetObject", Key="k", Range="bytes=10-19", ChecksumMode="ENABLED")
    assert bytes_of(reply.pop("Body")) == data[10:20]
    assert (reply["ContentLength"], reply["ContentRange"]) == (10, f"bytes 10-19/{len(data)}")
    assert "ChecksumCRC64NVME" not in reply
    assert s3("HeadObject", Key="k", Range="bytes=10-19")["ContentLength"] == 10
    whole = s3("HeadObject", Key="k", Range="bytes=0-1,3-4")
    assert (whole["ContentLength"], "ContentRange" in whole) == (len(data), False)
    assert s3.code("GetObject", Key="k", Range=f"bytes={len(data)}-") == "InvalidRange"


def test_checksums_are_told_when_asked_for():
    s3 = S3()
    value = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    put = s3.put("k", b"hello", ChecksumSHA256=value)
    assert (put["ChecksumSHA256"], put["ChecksumType"]) == (value, "FULL_OBJECT")
    assert s3("HeadObject", Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == value
    assert "ChecksumSHA256" not in s3("HeadObject", Key="k")
    assert s3("GetObject", Key="k", ChecksumMode="ENABLED", Range="bytes=0-")["ChecksumSHA256"] == value


def test_a_part_is_read_by_its_number():
    s3 = S3()
    upload_id = s3("CreateMultipartUpload", Key="k")["UploadId"]
    first, second = BIG * 53, b"the end"
    parts = []
    for number, data in ((1, first), (2, second)):
        tag = s3("UploadPart", Key="k", UploadId=upload_id, PartNumber=number, Body=data)["ETag"]
        parts.append({"PartNumber": number, "ETag": tag})
    s3("CompleteMultipartUpload", Key="k", UploadId=upload_id, MultipartUpload={"Parts": parts})
    reply = s3("GetObject", Key="k", PartNumber=2)
    assert bytes_of(reply["Body"]) == second
    assert (reply["PartsCount"], reply["ContentLength"]) == (2, len(second))
    assert reply["ContentRange"] == f"bytes {len(first)}-{len(first) + 6}/{len(first) + 7}"
    across = s3("GetObject", Key="k", Range=f"bytes={len(first) - 2}-{len(first) + 2}")
    assert bytes_of(across["Body"]) == first[-2:] + second[:3]
    assert "PartsCount" not in s3("HeadObject", Key="k")
    error = s3.refused("GetObject", Key="k", PartNumber=3)
    assert (error.code, error.status) == ("InvalidPartNumber", 416)
    assert s3.code("GetObject", Key="k", PartNumber=1, Range="bytes=0-1") == "InvalidRequest"


def test_an_object_put_at_once_is_its_own_first_part():
    s3 = S3()
    s3.put("k", b"hello")
    reply = s3("GetObject", Key="k", PartNumber=1, ChecksumMode="ENABLED")
    assert (reply["Body"], reply["ContentRange"]) == (b"hello", "bytes 0-4/5")
    assert reply["ChecksumCRC64NVME"] == crc64(b"hello")
    assert "PartsCount" not in reply
    assert s3.code("HeadObject", Key="k", PartNumber=2) == "InvalidPartNumber"


def test_a_missing_object_is_missing():
    s3 = S3()
    error = s3.refused("GetObject", Key="k")
    assert (error.code, error.status, error.fields, error.headers) == ("NoSuchKey", 404, {"Key": "k"}, {})
    assert s3.code("HeadObject", Key="k") == "NoSuchKey"
    assert s3.code("GetObject", Key="k", Bucket="missing") == "NoSuchBucket"
    assert s3.code("GetObject", Key="k" * 1025) == "KeyTooLongError"
    assert s3.code("PutObject", Key="k" * 1025, Body=b"") == "KeyTooLongError"


def test_who_may_not_list_is_not_told_that_a_key_is_missing():
    s3 = S3()
    s3.denied.add(("s3:ListBucket", "arn:aws:s3:::bucket"))
    error = s3.refused("GetObject", Key="k")
    assert (error.code, error.status) == ("AccessDenied", 403)


def test_a_deleted_object_says_so():
    s3 = S3(versioning="Enabled")
    first = s3.put("k", b"1")["VersionId"]
    marker = s3("DeleteObject", Key="k")["VersionId"]
    told = {"x-amz-delete-marker": "true", "x-amz-version-id": marker}
    error = s3.refused("GetObject", Key="k")
    assert (error.code, error.status, error.headers) == ("NoSuchKey", 404, told)
    error = s3.refused("HeadObject", Key="k", VersionId=marker)
    assert (error.code, error.status) == ("MethodNotAllowed", 405)
    assert error.headers == {**told, "Allow": "DELETE", "Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT"}
    assert s3("GetObject", Key="k", VersionId=first)["VersionId"] == first
    s3("DeleteObject", Key="k", VersionId=marker)
    assert s3.read("k") == b"1"


def test_version_ids_that_are_none():
    s3 = S3(versioning="Enabled")
    version_id = s3.put("k", b"1")["VersionId"]
    error = s3.refused("GetObject", Key="other", VersionId=version_id)
    assert (error.code, error.status) == ("NoSuchVersion", 404)
    assert s3.code("GetObject", Key="k", VersionId="null") == "NoSuchVersion"
    for text in ("", "x", "é", version_id + "A", version_id[:-1]):
        error = s3.refused("GetObject", Key="k", VersionId=text)
        assert (error.code, error.status) == ("InvalidArgument", 400)


def test_response_headers_can_be_asked_for():
    s3 = S3()
    s3.put("k", b"x", ContentType="text/plain", CacheControl="no-cache")
    reply = s3("GetObject", Key="k", ResponseContentType="a/b", ResponseContentDisposition="attachment")
    assert (reply["ContentType"], reply["ContentDisposition"], reply["CacheControl"]) == (
        "a/b",
        "attachment",
        "no-cache",
    )
    s3.publish()
    assert s3.code("GetObject", Key="k", ResponseContentType="a/b", identity=ANONYMOUS) == "InvalidRequest"


def test_reads_have_preconditions():
    s3 = S3()
    s3.put("k", b"x")
    assert s3.refused("GetObject", Key="k", IfMatch='"no"').status == 412
    assert s3.refused("HeadObject", Key="k", IfNoneMatch=etag(b"x")).status == 304


def test_an_object_is_made_only_where_none_is():
    s3 = S3()
    s3.put("k", b"1", IfNoneMatch="*")
    error = s3.refused("PutObject", Key="k", Body=b"2", IfNoneMatch="*")
    assert (error.code, error.status, error.fields) == ("PreconditionFailed", 412, {"Condition": "If-None-Match"})
    assert s3.read("k") == b"1"
    s3("DeleteObject", Key="k")
    s3.put("k", b"3", IfNoneMatch="*")
    assert s3.refused("PutObject", Key="k", Body=b"", IfNoneMatch='"x"').status == 501


def test_an_object_is_replaced_only_while_it_is_what_it_was():
    s3 = S3()
    assert s3.refused("PutObject", Key="k", Body=b"2", IfMatch=etag(b"1")).code == "NoSuchKey"
    s3.put("k", b"1")
    s3.put("k", b"2", IfMatch=etag(b"1"))
    assert s3.code("PutObject", Key="k", Body=b"3", IfMatch=etag(b"1")) == "PreconditionFailed"
    assert s3.read("k") == b"2"


def test_a_conditional_write_that_never_gets_through_is_a_conflict():
    s3 = S3()

    async def run(_fn):
        raise Conflict("again and again")

    s3.cloud.store.run = run
    error = s3.refused("PutObject", Key="k", Body=b"", IfNoneMatch="*")
    assert (error.code, error.status) == ("ConditionalRequestConflict", 409)
    with pytest.raises(Conflict):
        s3.put("k")


def test_user_metadata_has_two_kilobytes():
    s3 = S3()
    s3.put("k", Metadata={"a": "x" * 2047})
    error = s3.refused("PutObject", Key="k", Body=b"", Metadata={"a": "x" * 2048})
    assert (error.code, error.status) == ("MetadataTooLarge", 400)
    assert error.fields == {"Size": 2049, "MaxSizeAllowed": 2048}


def test_metadata_beyond_ascii_is_told_in_mail_words():
    s3 = S3()
    s3.put("k", Metadata={"a": "Ä", "b": "plain"})
    assert s3("HeadObject", Key="k")["Metadata"] == {"a": "=?UTF-8?B?w4Q=?=", "b": "plain"}


def test_tags_are_counted_for_those_who_may_read_them():
    s3 = S3()
    s3.put("k", b"", Tagging="a=1")
    s3.denied.add(("s3:GetObjectTagging", "arn:aws:s3:::bucket/k"))
    assert "TagCount" not in s3("HeadObject", Key="k")


@pytest.mark.parametrize("damage", [lambda row: row[:-1], lambda row: row[:-1] + b"?", lambda row: b""])
def test_damaged_bytes_are_never_answered(damage):
    s3 = S3()
    s3.put("k", b"hello")
    (row_key,) = s3.rows("d")
    assert row_key == version_key("k", ORDER_UNVERSIONED)
    shelf = next(p for p, _ in s3.cloud.store.rows if b"/s3/d/" in p)
    s3.cloud.store.rows[shelf, row_key] = damage(b"hello")
    with pytest.raises(RuntimeError, match="damaged"):
        s3("GetObject", Key="k")
    s3("HeadObject", Key="k")


def test_a_body_for_a_missing_bucket_is_not_taken():
    s3 = S3()
    assert s3.code("PutObject", Key="k", Body=BIG, Bucket="missing") == "NoSuchBucket"
    assert s3.cloud.blobs.data == {}


def test_a_body_that_fails_its_checksum_leaves_nothing():
    s3 = S3()
    assert s3.code("PutObject", Key="k", Body=BIG, ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==") == "BadDigest"
    assert (s3.cloud.blobs.data, s3.keys()) == ({}, [])


def test_a_delete_can_ask_for_the_tag():
    s3 = S3()
    assert s3.code("DeleteObject", Key="k", IfMatch="*") == "NoSuchKey"
    s3.put("k", b"1")
    assert s3.code("DeleteObject", Key="k", IfMatch='"x"') == "PreconditionFailed"
    assert s3("DeleteObject", Key="k", IfMatch=etag(b"1")) == {}
    assert s3.keys() == []
    s3.put("k", b"1")
    assert s3("DeleteObject", Key="k", IfMatch="*") == {}


def test_deleting_nothing_succeeds():
    s3 = S3()
    assert s3("DeleteObject", Key="k") == {}
    assert s3("DeleteObject", Key="k", VersionId="null") == {"VersionId": "null"}
    assert s3.code("DeleteObject", Key="k", Bucket="missing") == "NoSuchBucket"


def test_each_operation_asks_for_its_own_permissions():
    s3 = S3(versioning="Enabled")
    version_id = s3.put("k", b"x", Tagging="a=1")["VersionId"]
    assert [p.action for p in s3.asked[-2:]] == ["s3:PutObject", "s3:PutObjectTagging"]
    assert s3.asked[-1].resource == "arn:aws:s3:::bucket/k"
    s3.asked.clear()
    s3("GetObject", Key="k", VersionId=version_id)
    assert (s3.asked[0].action, s3.asked[0].context) == ("s3:GetObjectVersion", {"s3:VersionId": version_id})
    s3.asked.clear()
    s3("ListObjectsV2", Prefix="a/", Delimiter="/", MaxKeys=3)
    (asked,) = s3.asked
    assert (asked.action, asked.resource) == ("s3:ListBucket", "arn:aws:s3:::bucket")
    assert asked.context == {"s3:prefix": "a/", "s3:delimiter": "/", "s3:max-keys": "3"}
    s3.asked.clear()
    s3("DeleteObject", Key="k", VersionId=version_id, IfMatch=etag(b"x"))
    assert [p.action for p in s3.asked] == ["s3:DeleteObjectVersion", "s3:GetObjectVersion"]
