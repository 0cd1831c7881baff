"""S3's wire, byte for byte, where botocore's own parser would not notice a mistake."""

from datetime import UTC, datetime
from typing import Any

import pytest

from atoll.aws.codec import codec_for
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest

XML = b'<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = b'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
IDS = [("x-amz-request-id", "R"), ("x-amz-id-2", "R")]
DOCUMENT = ("Content-Type", "application/xml")
s3 = codec_for("s3")


def request(method: str, target: str, body: Any = b"", **headers: str) -> WireRequest:
    path, _, query = target.partition("?")
    fields = Headers([(name.replace("_", "-"), value) for name, value in headers.items()])
    return WireRequest(method, path, query, fields, body)


def read(method: str, target: str, body: Any = b"", **headers: str) -> tuple[str, dict[str, Any]]:
    wire = request(method, target, body, **headers)
    operation = s3.route(wire)
    return operation, s3.decode(operation, wire)


def refusal(method: str, target: str, body: bytes = b"", **headers: str) -> tuple[str, str, int | None]:
    with pytest.raises(AwsError) as caught:
        read(method, target, body, **headers)
    return caught.value.code, caught.value.message, caught.value.status


ROUTES = (
    ("GET", "/", "ListBuckets"),
    ("GET", "/?x-id=ListBuckets", "ListBuckets"),
    ("GET", "/b", "ListObjects"),
    ("GET", "/b/", "ListObjects"),
    ("PUT", "/b/k?list-type=3", "PutObject"),
    ("GET", "/b?prefix=x&list-type=2", "ListObjectsV2"),
    ("GET", "/b?versions", "ListObjectVersions"),
    ("GET", "/b?uploads=", "ListMultipartUploads"),
    ("GET", "/b?location", "GetBucketLocation"),
    ("GET", "/b?inventory&id=1", "GetBucketInventoryConfiguration"),
    ("GET", "/b?inventory", "ListBucketInventoryConfigurations"),
    ("GET", "/b?lifecycle", "GetBucketLifecycleConfiguration"),
    ("HEAD", "/b", "HeadBucket"),
    ("PUT", "/b", "CreateBucket"),
    ("PUT", "/b?encryption", "PutBucketEncryption"),
    ("DELETE", "/b", "DeleteBucket"),
    ("DELETE", "/b?lifecycle", "DeleteBucketLifecycle"),
    ("POST", "/b?delete", "DeleteObjects"),
    ("GET", "/b/k", "GetObject"),
    ("GET", "/b/k?partNumber=1", "GetObject"),
    ("GET", "/b/k?versionId=x&x-id=GetObject", "GetObject"),
    ("GET", "/b/k?uploadId=u", "ListParts"),
    ("GET", "/b/k?acl", "GetObjectAcl"),
    ("HEAD", "/b/k", "HeadObject"),
    ("PUT", "/b/k", "PutObject"),
    ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
    ("PUT", "/b/k?encryption", "UpdateObjectEncryption"),
    ("POST", "/b/k?uploads", "CreateMultipartUpload"),
    ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
    ("POST", "/b/k?restore", "RestoreObject"),
    ("DELETE", "/b/k", "DeleteObject"),
    ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"),
    ("DELETE", "/b/k?tagging", "DeleteObjectTagging"),
)


@pytest.mark.parametrize(("method", "target", "operation"), ROUTES)
def test_a_request_line_means_an_operation(method: str, target: str, operation: str) -> None:
    assert s3.route(request(method, target)) == operation


def test_a_copy_is_told_by_its_source() -> None:
    assert s3.route(request("PUT", "/b/k", x_amz_copy_source="b/other")) == "CopyObject"
    target = "/b/k?partNumber=1&uploadId=u"
    assert s3.route(request("PUT", target, x_amz_copy_source="b/other")) == "UploadPartCopy"


NOT_ALLOWED = ("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)
REFUSALS = (
    ("POST", "/b/k?acl", NOT_ALLOWED),
    ("DELETE", "/b?acl", NOT_ALLOWED),
    ("HEAD", "/b/k?tagging", NOT_ALLOWED),
    ("POST", "/b/k", NOT_ALLOWED),
    ("POST", "/b", NOT_ALLOWED),
    ("PATCH", "/b/k", NOT_ALLOWED),
    ("GET", "/b/k?versions", ("InvalidRequest", "There is no such thing as the ?versions sub-resource for a key", None)),
    ("GET", "/b?torrent", ("InvalidRequest", "There is no such thing as the ?torrent sub-resource for a bucket", None)),
    ("PUT", "/b/k?acl&tagging", ("InvalidArgument", "Conflicting query string parameters: acl, tagging", None)),
    ("PUT", "/b/k?uploadId=u", ("InvalidArgument", "This operation does not accept a query parameter uploadId", None)),
    ("PUT", "/b/k?partNumber=1", ("InvalidArgument", "This operation does not accept a query parameter partNumber", None)),
    ("GET", "/b?list-type=3", ("InvalidArgument", "Invalid List Type specified in Request", 400)),
    ("GET", "/b?list-type=1", ("InvalidArgument", "Invalid List Type specified in Request", 400)),
    ("GET", "/b?list-type", ("InvalidArgument", "Invalid List Type specified in Request", 400)),
    ("GET", "/b/%2", ("InvalidURI", "Couldn't parse the specified URI.", None)),
    ("GET", "/b/%ff%FE", ("InvalidURI", "Couldn't parse the specified URI.", None)),
    ("GET", "/b/%ED%A0%80", ("InvalidURI", "Couldn't parse the specified URI.", None)),
    ("GET", "/b\xff/k", ("InvalidURI", "Couldn't parse the specified URI.", None)),
    ("OPTIONS", "*", ("InvalidURI", "Couldn't parse the specified URI.", None)),
    ("GET", "/b?max-keys=1_0", ("InvalidArgument", "Provided max-keys not an integer or within integer range", None)),
    ("GET", "/b?max-keys=2147483648", ("InvalidArgument", "Provided max-keys not an integer or within integer range", None)),
    ("GET", "/b/k?attributes", ("InvalidRequest", "Missing required header for this request: x-amz-object-attributes", None)),
    ("DELETE", "/b?metrics", ("InvalidArgument", "Missing required parameter for this request: id", None)),
)  # fmt: skip


@pytest.mark.parametrize(("method", "target", "expected"), REFUSALS)
def test_a_request_line_that_means_none_is_refused(
    method: str, target: str, expected: tuple[str, str, int | None]
) -> None:
    assert refusal(method, target) == expected


KEYS = (
    ("/b/a%20b/%C3%BC%2B%2541//x", "a b/ü+%41//x"),
    ("/b//x", "/x"),
    ("/b///", "//"),
    ("/b/../etc/./passwd", "../etc/./passwd"),
    ("/b/a%2fb%2F..", "a/b/.."),
    ("/b/a+b", "a+b"),
    ("/b/%C2%AE%C2%8A-", "\xae\x8a-"),
    ("/b/%00", "\x00"),
    ("/b/k/", "k/"),
)


@pytest.mark.parametrize(("target", "key"), KEYS)
def test_a_key_is_decoded_once_and_otherwise_left_alone(target: str, key: str) -> None:
    assert read("GET", target) == ("GetObject", {"Bucket": "b", "Key": key})


def test_query_strings_are_forms_where_a_plus_is_a_space() -> None:
    operation, values = read("GET", "/b?list-type=2&prefix=a+b%2Bc&delimiter=%2F&max-keys=&start-after=%C3%BC")
    assert (operation, values) == (
        "ListObjectsV2",
        {"Bucket": "b", "Prefix": "a b+c", "Delimiter": "/", "StartAfter": "ü"},
    )


def test_headers_become_members_and_metadata_loses_its_case() -> None:
    body = object()
    operation, values = read(
        "PUT",
        "/b/k",
        body,
        Content_Type="a/b",
        X_AMZ_META_Name="caf\xe9",
        Expires="soon",
        If_None_Match="*",
        x_amz_object_lock_retain_until_date="2026-11-22T14:35:36Z",
        Content_Length="3",
    )
    assert (operation, values) == (
        "PutObject",
        {
            "Bucket": "b",
            "Key": "k",
            "Body": body,
            "ContentType": "a/b",
            "ContentLength": 3,
            "Metadata": {"name": "caf\xe9"},
            "Expires": "soon",
            "IfNoneMatch": "*",
            "ObjectLockRetainUntilDate": datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC),
        },
    )
    assert s3.body_streams("PutObject")
    assert not s3.body_streams("DeleteObjects")


@pytest.mark.parametrize(
    "text", ["Sun, 22 Nov 2026 14:35:36 GMT", "Sunday, 22-Nov-26 14:35:36 GMT", "Sun Nov 22 14:35:36 2026"]
)
def test_a_condition_takes_each_form_of_http_date(text: str) -> None:
    _, values = read("GET", "/b/k", If_Modified_Since=text)
    assert values["IfModifiedSince"] == datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)


def test_a_condition_whose_date_is_none_is_as_good_as_not_given() -> None:
    assert read("GET", "/b/k", If_Modified_Since="yesterday") == ("GetObject", {"Bucket": "b", "Key": "k"})


def test_header_lists_are_split_at_commas_outside_quotes() -> None:
    _, values = read("GET", "/b/k?attributes", x_amz_object_attributes='ETag, "Object,Size"')
    assert values["ObjectAttributes"] == ["ETag", "Object,Size"]


@pytest.mark.parametrize("mark", ["", 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', 'xmlns="urn:other"'])
def test_a_completion_is_read_with_any_namespace(mark: str) -> None:
    body = (
        f"<CompleteMultipartUpload {mark}>\n  <Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
        "<Part><ETag>b</ETag><PartNumber> 2 </PartNumber></Part></CompleteMultipartUpload>"
    ).encode()
    assert read("POST", "/b/k?uploadId=u", body) == (
        "CompleteMultipartUpload",
        {
            "Bucket": "b",
            "Key": "k",
            "UploadId": "u",
            "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"a"'}, {"ETag": "b", "PartNumber": 2}]},
        },
    )


def test_a_grantee_is_told_by_an_attribute() -> None:
    body = (
        b'<AccessControlPolicy><AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:type="Group"><URI>u</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>'
    )
    _, values = read("PUT", "/b?acl", body)
    assert values["AccessControlPolicy"] == {
        "Grants": [{"Grantee": {"Type": "Group", "URI": "u"}, "Permission": "READ"}]
    }


MALFORMED = (
    b"",
    b"<Delete>",
    b"<Deletes><Object><Key>a</Key></Object></Deletes>",
    b"<Delete></Delete>",
    b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
    b"<Delete><Object><Key>a</Key></Object><Surprise/></Delete>",
    b"<Delete><Object><Key><b/></Key></Object></Delete>",
    b"<Delete><Object><Key>a</Key></Object><Quiet>perhaps</Quiet></Delete>",
    b"<Delete><Object><Key>\xff</Key></Object></Delete>",
    b'<!DOCTYPE d [<!ENTITY e "k">]><Delete><Object><Key>&e;</Key></Object></Delete>',
)


@pytest.mark.parametrize("body", MALFORMED)
def test_xml_that_the_schema_does_not_allow_is_malformed(body: bytes) -> None:
    message = "The XML you provided was not well-formed or did not validate against our published schema"
    assert refusal("POST", "/b?delete", body) == ("MalformedXML", message, None)


def test_a_listing_is_written_as_s3_writes_it() -> None:
    reply = {
        "Name": "b",
        "IsTruncated": False,
        "KeyCount": 1,
        "StartAfter": None,
        "Contents": [
            {
                "Key": "a&<b>\r\n\x01\udcff/ü",
                "LastModified": "2026-11-22T14:35:36.000Z",
                "ETag": '"e"',
                "ChecksumAlgorithm": ["CRC32", "SHA1"],
                "Size": 5,
                "Owner": {"ID": "i"},
            }
        ],
        "CommonPrefixes": [{"Prefix": "x/"}, {"Prefix": "y/"}],
    }
    assert s3.encode("ListObjectsV2", reply, "R") == WireReply(
        200,
        [*IDS, DOCUMENT],
        XML
        + b"<ListBucketResult "
        + NAMESPACE
        + b"><Name>b</Name><IsTruncated>false</IsTruncated><KeyCount>1</KeyCount>"
        b"<Contents><Key>a&amp;&lt;b&gt;&#xd;\n&#x1;\xef\xbf\xbd/\xc3\xbc</Key>"
        b"<LastModified>2026-11-22T14:35:36.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
        b"<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumAlgorithm>SHA1</ChecksumAlgorithm><Size>5</Size>"
        b"<Owner><ID>i</ID></Owner></Contents>"
        b"<CommonPrefixes><Prefix>x/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>y/</Prefix></CommonPrefixes>"
        b"</ListBucketResult>",
    )


def test_lists_that_are_not_flat_have_their_own_tags_and_times_have_milliseconds() -> None:
    made = datetime(2026, 11, 22, 14, 35, 36, 5678, tzinfo=UTC)
    reply = {"Buckets": [{"Name": "b", "CreationDate": made}], "Owner": {"ID": "o"}}
    assert s3.encode("ListBuckets", reply, "R").body == (
        XML + b"<ListAllMyBucketsResult " + NAMESPACE + b"><Buckets><Bucket><Name>b</Name>"
        b"<CreationDate>2026-11-22T14:35:36.005Z</CreationDate></Bucket></Buckets><Owner><ID>o</ID></Owner>"
        b"</ListAllMyBucketsResult>"
    )
    assert s3.encode("GetBucketTagging", {"TagSet": [{"Key": "k", "Value": ""}]}, "R").body == (
        XML + b"<Tagging " + NAMESPACE + b"><TagSet><Tag><Key>k</Key><Value></Value></Tag></TagSet></Tagging>"
    )


def test_a_grantee_is_written_with_its_attribute() -> None:
    grants = [{"Grantee": {"ID": "i", "Type": "Canonical\tUser"}, "Permission": "READ"}]
    assert s3.encode("GetBucketAcl", {"Grants": grants}, "R").body == (
        XML + b"<AccessControlPolicy " + NAMESPACE + b"><AccessControlList><Grant>"
        b'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Canonical&#x9;User"><ID>i</ID></Grantee>'
        b"<Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"
    )


def test_the_location_is_the_root_itself() -> None:
    assert s3.encode("GetBucketLocation", {}, "R").body == XML + b"<LocationConstraint " + NAMESPACE + b"/>"
    assert s3.encode("GetBucketLocation", {"LocationConstraint": "eu-west-1"}, "R").body == (
        XML + b"<LocationConstraint " + NAMESPACE + b">eu-west-1</LocationConstraint>"
    )


def test_a_policy_is_the_body_as_it_is() -> None:
    assert s3.encode("GetBucketPolicy", {"Policy": '{"a":"ü"}'}, "R") == WireReply(200, IDS, '{"a":"ü"}'.encode())


def test_an_object_is_headers_and_a_body_passed_through() -> None:
    body = object()
    reply = {
        "Body": body,
        "LastModified": "2026-11-22T14:35:36.000Z",
        "ContentLength": 7,
        "ContentType": "a/b",
        "Expires": "2026-11-22",
        "DeleteMarker": False,
        "Metadata": {"name": "caf\xe9", "far": "日", "cut": "a\r\nX: y"},
        "ObjectLockRetainUntilDate": datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC),
        "ContentDisposition": "日",
    }
    assert s3.encode("GetObject", reply, "R") == WireReply(
        200,
        [
            *IDS,
            ("Last-Modified", "Sun, 22 Nov 2026 14:35:36 GMT"),
            ("Content-Length", "7"),
            ("Content-Type", "a/b"),
            ("Expires", "2026-11-22"),
            ("x-amz-delete-marker", "false"),
            ("x-amz-meta-name", "caf\xe9"),
            ("x-amz-meta-far", "=?UTF-8?B?5pel?="),
            ("x-amz-meta-cut", "a  X: y"),
            ("x-amz-object-lock-retain-until-date", "2026-11-22T14:35:36.000Z"),
            ("Content-Disposition", "\xe6\x97\xa5"),
        ],
        body,
    )


def test_a_range_is_partial_content_and_a_deletion_has_none() -> None:
    assert s3.encode("GetObject", {"ContentRange": "bytes 0-1/2", "Body": b"ab"}, "R").status == 206
    assert s3.encode("DeleteObject", {"VersionId": "v"}, "R") == WireReply(204, [*IDS, ("x-amz-version-id", "v")], b"")


@pytest.mark.parametrize(
    ("operation", "reply"),
    [("PutObject", {"Size_": 1}), ("ListObjectsV2", {"Contents": [{"Keys": "k"}]}), ("DeleteBucket", {"Name": "b"})],
)
def test_a_reply_with_members_the_model_does_not_know_is_our_bug(operation: str, reply: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        s3.encode(operation, reply, "R")


def test_an_error_tells_its_fields() -> None:
    error = AwsError("NoSuchKey", "The <key> is gone.", Key="a&b", Size=3, Absent=None)
    assert s3.encode_error("GetObject", error, "R") == WireReply(
        404,
        [*IDS, DOCUMENT],
        XML
        + b"<Error><Code>NoSuchKey</Code><Message>The &lt;key&gt; is gone.</Message><Key>a&amp;b</Key><Size>3</Size>"
        b"<RequestId>R</RequestId><HostId>R</HostId></Error>",
    )


def test_not_modified_has_no_body_but_its_headers() -> None:
    error = AwsError("NotModified", "Not Modified", headers={"ETag": '"e"'})
    assert s3.encode_error("GetObject", error, "R") == WireReply(304, [*IDS, ("ETag", '"e"')], b"")


@pytest.mark.parametrize(
    ("code", "given", "status"),
    [("AccessDenied", None, 403), ("InvalidRange", None, 416), ("Anything", None, 400), ("AccessDenied", 401, 401)],
)
def test_an_error_has_the_status_it_says_or_s3_gives(code: str, given: int | None, status: int) -> None:
    assert s3.encode_error(None, AwsError(code, "m", given), "R").status == status
