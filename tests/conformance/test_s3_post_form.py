"""Uploads from a browser's form: what is stored, and how S3 answers."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.config import Config
from tests.conformance.forms import MIB, VERSIONS, Sign, error_of, form, keys_in, post, post_raw, signer
from tests.conformance.signed_http import SignedHttp
from urllib3.filepost import encode_multipart_formdata


@pytest.fixture(scope="module")
def http(cloud: Any) -> SignedHttp:
    return SignedHttp(cloud)


@pytest.fixture(params=VERSIONS)
def sign(request: pytest.FixtureRequest, cloud: Any, bucket: str) -> Sign:
    return signer(cloud, bucket, request.param)


def test_a_signed_form_uploads_its_file(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    answer = post(http, bucket, sign())
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers
    etag = f'"{hashlib.md5(b"purr").hexdigest()}"'
    assert answer.headers["etag"] == etag
    assert answer.headers["location"] == f"http://{http.host}/{bucket}/cat.txt"
    stored = s3.get_object(Bucket=bucket, Key="cat.txt")
    assert (stored["Body"].read(), stored["ETag"], stored["ContentType"]) == (b"purr", etag, "binary/octet-stream")


def test_the_fields_become_what_the_object_tells(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    given = {
        "Content-Type": "text/plain",
        "Cache-Control": "max-age=60",
        "Content-Disposition": 'attachment; filename="katze.txt"',
        "Content-Encoding": "identity",
        "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
        "x-amz-meta-MOOD": "sleepy",
        "x-amz-storage-class": "STANDARD",
        "acl": "bucket-owner-full-control",
        "x-ignore-this": "nobody looks",
        "x-amz-checksum-sha256": base64.b64encode(hashlib.sha256(b"purr").digest()).decode(),
    }
    conditions = [{name: value} for name, value in given.items() if name != "x-ignore-this"]
    answer = post(http, bucket, sign(Fields=given, Conditions=conditions))
    assert answer.status == 204, answer.body
    assert answer.headers["x-amz-checksum-sha256"] == given["x-amz-checksum-sha256"]
    told = s3.head_object(Bucket=bucket, Key="cat.txt")
    assert told["ContentType"] == "text/plain"
    assert told["CacheControl"] == "max-age=60"
    assert told["ContentDisposition"] == 'attachment; filename="katze.txt"'
    assert told["ContentEncoding"] == "identity"
    assert told["ExpiresString"] == "Thu, 01 Dec 2033 16:00:00 GMT"
    assert told["Metadata"] == {"mood": "sleepy"}


def test_tags_come_as_a_document(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    tags = "<Tagging><TagSet><Tag><Key>who = what</Key><Value>cat é</Value></Tag></TagSet></Tagging>"
    conditions = [["starts-with", "$tagging", ""]]
    assert post(http, bucket, sign(Fields={"tagging": tags}, Conditions=conditions)).status == 204
    found = s3.get_object_tagging(Bucket=bucket, Key="cat.txt")["TagSet"]
    assert found == [{"Key": "who = what", "Value": "cat é"}]
    answer = post(http, bucket, sign(Fields={"tagging": "not xml"}, Conditions=conditions))
    assert (answer.status, error_of(answer)["Code"]) == (400, "MalformedXML")


@pytest.mark.parametrize(
    ("filename", "key"),
    [("my cat.txt", "pets/my cat.txt"), ("C:\\pets\\é.txt", "pets/é.txt"), ("a/b.txt", "pets/b.txt"), ("", "pets/")],
)
def test_the_files_name_goes_into_the_key(
    s3: Any, http: SignedHttp, bucket: str, sign: Sign, filename: str, key: str
) -> None:
    fields = sign(
        "pets/${filename}", Fields={"success_action_status": "201"}, Conditions=[{"success_action_status": "201"}]
    )
    answer = post(http, bucket, fields, filename=filename)
    assert answer.status == 201, answer.body
    assert keys_in(s3, bucket) == [key]


def test_a_file_without_a_name_leaves_the_place_for_it(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    assert post(http, bucket, sign("pets/${filename}"), filename=None).status == 204
    assert keys_in(s3, bucket) == ["pets/${filename}"]


def test_a_part_is_a_field_whatever_its_filename(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    parts: list[Any] = [(name, (name, value)) for name, value in sign("${filename}").items()]
    body, content_type = encode_multipart_formdata([*parts, ("file", ("foo.txt", b"bar"))])
    assert post_raw(http, f"/{bucket}", body, content_type).status == 204
    assert keys_in(s3, bucket) == ["foo.txt"]


def test_names_of_fields_and_conditions_have_no_case(http: SignedHttp, bucket: str, sign: Sign) -> None:
    fields = sign(Fields={"cAche-Control": "private"}, Conditions=[["StArTs-WiTh", "$CACHE-control", "priv"]])
    assert post(http, bucket, {name.upper(): value for name, value in fields.items()}).status == 204


def test_what_follows_the_file_is_not_looked_at(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    parts: list[Any] = [*sign().items(), ("file", ("a", b"first")), ("key", "other"), ("file", ("b", b"second"))]
    body, content_type = encode_multipart_formdata(parts)
    assert post_raw(http, f"/{bucket}", body, content_type).status == 204
    assert s3.get_object(Bucket=bucket, Key="cat.txt")["Body"].read() == b"first"


@pytest.mark.parametrize("status", ["200", "201", "204", "404", ""])
def test_the_form_chooses_the_status(http: SignedHttp, bucket: str, sign: Sign, status: str) -> None:
    key = "pets/a & b é.txt"
    conditions = [["starts-with", "$success_action_status", ""]]
    answer = post(http, bucket, sign(key, Fields={"success_action_status": status}, Conditions=conditions))
    location = f"http://{http.host}/{bucket}/pets%2Fa%20%26%20b%20%C3%A9.txt"
    assert answer.headers["location"] == location
    if status != "201":
        assert (answer.status, answer.body) == (200 if status == "200" else 204, b"")
        return
    assert (answer.status, answer.headers["content-type"]) == (201, "application/xml")
    document = ET.fromstring(answer.body)
    assert document.tag == "PostResponse"
    assert [(member.tag, member.text) for member in document] == [
        ("Location", location),
        ("Bucket", bucket),
        ("Key", key),
        ("ETag", answer.headers["etag"]),
    ]


@pytest.mark.parametrize("name", ["success_action_redirect", "redirect"])
@pytest.mark.parametrize("query", ["", "?done=1"])
def test_the_form_chooses_where_to_go_next(http: SignedHttp, bucket: str, sign: Sign, name: str, query: str) -> None:
    url = f"https://example.com/thank you{query}"
    answer = post(http, bucket, sign("pets/a b", Fields={name: url}, Conditions=[{name: url}]))
    assert (answer.status, answer.body) == (303, b"")
    location = answer.headers["location"]
    assert location.startswith("https://example.com/thank%20you?")
    found = dict(parse_qsl(urlsplit(location).query))
    assert found == {**dict(parse_qsl(query[1:])), "bucket": bucket, "key": "pets/a b", "etag": answer.headers["etag"]}


@pytest.mark.parametrize("url", ["/relative", "javascript:alert(1)", "", "http://", "https://[", "//example.com"])
def test_what_is_no_address_is_not_gone_to(http: SignedHttp, bucket: str, sign: Sign, url: str) -> None:
    name = "success_action_redirect"
    assert post(http, bucket, sign(Fields={name: url}, Conditions=[["starts-with", f"${name}", ""]])).status == 204


def test_lines_in_fields_never_become_headers(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    given = {
        "success_action_redirect": "http://example.com/\r\nX-Bad: 1",
        "Content-Type": "text/plain\r\nX-Bad: 1",
        "x-amz-meta-a": "1\r\nX-Bad: 1",
        "Cache-Control": "— max-age=1",
    }
    answer = post(http, bucket, sign(Fields=given, Conditions=[{name: value} for name, value in given.items()]))
    assert (answer.status, "x-bad" in answer.headers) == (303, False)
    told = s3.get_object(Bucket=bucket, Key="cat.txt")
    assert told["ContentType"] == "text/plain  X-Bad: 1"
    assert told["CacheControl"].strip() == "max-age=1"
    assert "x-bad" not in told["ResponseMetadata"]["HTTPHeaders"]


@pytest.mark.parametrize("size", [20 * MIB + 7, MIB, 70_000])
def test_a_large_file_streams_in(s3: Any, http: SignedHttp, bucket: str, sign: Sign, size: int) -> None:
    # Full of what might start a delimiter.
    data = (b"\r\n--" + bytes(range(256)) * 41 + b"\r")[:size] * (size // 10_000 + 1)
    data = data[:size]
    answer = post(http, bucket, sign(Conditions=[["content-length-range", size, size]]), data)
    assert answer.status == 204, answer.body
    stored = s3.get_object(Bucket=bucket, Key="cat.txt")
    assert hashlib.sha256(stored["Body"].read()).digest() == hashlib.sha256(data).digest()
    assert answer.headers["etag"] == f'"{hashlib.md5(data).hexdigest()}"'


def test_a_form_may_come_in_chunks_of_its_own(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    data = b"0123456789" * 300_000
    body, content_type = form(sign(), data)
    pieces = [body[at : at + 65_537] for at in range(0, len(body), 65_537)]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    headers = {"Host": http.host, "Content-Type": content_type, "Transfer-Encoding": "chunked"}
    assert http.send_raw("POST", f"/{bucket}", headers, chunked).status == 204
    assert s3.get_object(Bucket=bucket, Key="cat.txt")["Body"].read() == data


def test_the_bucket_may_be_in_the_host(s3: Any, http: SignedHttp, bucket: str, sign: Sign) -> None:
    host = f"{bucket}.s3.localhost:{http.port}"
    answer = post_raw(http, "/", *form(sign("a/b")), host=host)
    assert (answer.status, answer.headers.get("location")) == (204, f"http://{host}/a%2Fb")
    assert keys_in(s3, bucket) == ["a/b"]


def test_a_versioned_bucket_tells_the_version(s3: Any, http: SignedHttp, versioned_bucket: str, sign: Sign) -> None:
    answer = post(http, versioned_bucket, sign())
    assert answer.headers["x-amz-version-id"] == s3.head_object(Bucket=versioned_bucket, Key="cat.txt")["VersionId"]


@pytest.mark.parametrize("version", VERSIONS)
def test_temporary_keys_sign_forms_together_with_their_token(
    cloud: Any, http: SignedHttp, bucket: str, version: str
) -> None:
    keys = cloud.client("sts").get_session_token()["Credentials"]
    client = cloud.client(
        "s3",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        config=Config(signature_version=version),
    )
    fields = client.generate_presigned_post(bucket, "cat.txt")["fields"]
    assert post(http, bucket, fields).status == 204
    del fields["x-amz-security-token"]
    answer = post(http, bucket, fields)
    assert (answer.status, error_of(answer)["Code"]) == (403, "InvalidAccessKeyId")
    answer = post(http, bucket, fields | {"x-amz-security-token": "another"})
    assert (answer.status, error_of(answer)["Code"]) == (400, "InvalidToken")


def open_to_all(s3: Any, bucket: str, statement: dict[str, Any]) -> None:
    s3.delete_public_access_block(Bucket=bucket)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", **statement}]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def test_nobody_in_particular_may_upload_where_a_policy_lets_everyone(s3: Any, http: SignedHttp, bucket: str) -> None:
    open_to_all(s3, bucket, {"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/in/*"})
    for key, status in (("in/a", 201), ("out/a", 403)):
        assert post(http, bucket, {"key": key, "success_action_status": "201"}).status == status
    assert keys_in(s3, bucket) == ["in/a"]


def test_nobody_in_particular_may_upload_where_an_acl_lets_everyone(s3: Any, http: SignedHttp, new_bucket: Any) -> None:
    bucket = new_bucket(ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(http, bucket, {"key": "a", "acl": "public-read"}).status == 204
    assert keys_in(s3, bucket) == ["a"]


def test_a_form_gives_its_object_an_acl(s3: Any, http: SignedHttp, cloud: Any, new_bucket: Any) -> None:
    bucket = new_bucket(ObjectOwnership="ObjectWriter")
    s3.delete_public_access_block(Bucket=bucket)
    fields = cloud.client("s3").generate_presigned_post(
        bucket, "a", Fields={"acl": "public-read"}, Conditions=[{"acl": "public-read"}]
    )["fields"]
    assert post(http, bucket, fields).status == 204
    assert http.send_raw("GET", f"/{bucket}/a", {"Host": http.host}).body == b"purr"
