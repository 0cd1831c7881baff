"""Uploads from a browser's form: signed by boto3, written by urllib3, answered as S3 does."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from botocore.config import Config
from tests.conformance.signed_http import Answer, SignedHttp
from urllib3.filepost import encode_multipart_formdata

VERSIONS = ("s3v4", "s3")
MIB = 1024 * 1024
Sign = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def http(cloud: Any) -> SignedHttp:
    return SignedHttp(cloud)


@pytest.fixture(params=VERSIONS)
def sign(request: pytest.FixtureRequest, cloud: Any, bucket: str) -> Sign:
    """boto3's own generate_presigned_post, in either version of the signature."""
    client = cloud.client("s3", config=Config(signature_version=request.param))

    def presigned(key: str = "cat.txt", **settings: Any) -> dict[str, Any]:
        return dict(client.generate_presigned_post(bucket, key, **settings)["fields"])

    return presigned


def form(fields: Mapping[str, Any], file: bytes = b"purr", filename: str | None = "my cat.txt") -> tuple[bytes, str]:
    last = ("file", (filename, file, "text/x-of-the-part")) if filename is not None else ("file", file)
    return encode_multipart_formdata([*fields.items(), last])


def post(http: SignedHttp, bucket: str, fields: Mapping[str, Any], file: bytes = b"purr", **settings: Any) -> Answer:
    body, content_type = form(fields, file, **settings)
    return post_raw(http, f"/{bucket}", body, content_type)


def post_raw(http: SignedHttp, target: str, body: bytes, content_type: str, host: str = "") -> Answer:
    headers = {"Host": host or http.host, "Content-Type": content_type, "Content-Length": str(len(body))}
    return http.send_raw("POST", target, headers, body)


def error_of(answer: Answer) -> dict[str, str]:
    """Its members, without those that name the request."""
    members = {member.tag: member.text or "" for member in ET.fromstring(answer.body)}
    return {name: text for name, text in members.items() if name not in {"RequestId", "HostId"}}


def keys_in(s3: Any, bucket: str) -> list[str]:
    return [found["Key"] for found in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


# What succeeds


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
    fields = sign(Fields={"aCl": "private"}, Conditions=[["StArTs-WiTh", "$AcL", "priv"]])
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


# What is refused: nothing may be stored then.


@pytest.fixture
def refused(s3: Any, http: SignedHttp, bucket: str) -> Callable[..., dict[str, str]]:
    def check(fields: Mapping[str, Any], status: int, file: bytes = b"purr", to: str = "") -> dict[str, str]:
        answer = post(http, to or bucket, fields, file)
        assert answer.status == status, answer.body
        assert keys_in(s3, bucket) == []
        return error_of(answer)

    return check


def invalid(name: str, value: str, message: str) -> dict[str, str]:
    return {"Code": "InvalidArgument", "Message": message, "ArgumentName": name, "ArgumentValue": value}


def missing(name: str) -> dict[str, str]:
    message = (
        f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
    )
    return invalid(name, "", message)


def denied(reason: str) -> dict[str, str]:
    return {"Code": "AccessDenied", "Message": f"Invalid according to Policy: {reason}"}


def test_a_policy_that_was_changed_is_not_the_signed_one(refused: Any, sign: Sign) -> None:
    fields = sign()
    signature = fields.get("x-amz-signature") or fields["signature"]
    policy = base64.b64encode(base64.b64decode(fields["policy"]).replace(b"cat", b"dog")).decode()
    error = refused({**fields, "policy": policy}, 403)
    assert error.pop("AWSAccessKeyId") in (fields.get("AWSAccessKeyId") or fields["x-amz-credential"])
    assert error == {
        "Code": "SignatureDoesNotMatch",
        "Message": "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method.",
        "StringToSign": policy,
        "SignatureProvided": signature,
        "StringToSignBytes": policy.encode().hex(" "),
    }


def test_a_key_nobody_has_is_refused(cloud: Any, refused: Any, bucket: str) -> None:
    for version in VERSIONS:
        client = cloud.client("s3", aws_access_key_id="AKIANOBODY", config=Config(signature_version=version))
        error = refused(client.generate_presigned_post(bucket, "cat.txt")["fields"], 403)
        assert (error["Code"], error["AWSAccessKeyId"]) == ("InvalidAccessKeyId", "AKIANOBODY")


def test_a_policy_is_over_when_it_says(refused: Any, sign: Sign) -> None:
    fields = sign(ExpiresIn=1)
    time.sleep(1.1)
    assert refused(fields, 403) == denied("Policy expired.")


def test_a_field_that_was_changed_does_not_meet_its_condition(refused: Any, sign: Sign) -> None:
    assert refused({**sign(), "key": "dog.txt"}, 403) == denied('Policy Condition failed: ["eq", "$key", "cat.txt"]')


def test_a_field_that_was_added_has_no_condition(refused: Any, sign: Sign) -> None:
    assert refused({**sign(), "x-amz-meta-Mood": "evil"}, 403) == denied("Extra input fields: x-amz-meta-Mood")


def test_a_policy_is_for_its_bucket(refused: Any, bucket: str, sign: Sign, new_bucket: Callable[[], str]) -> None:
    error = refused({**sign(Conditions=[["starts-with", "$bucket", ""]]), "bucket": bucket}, 403, to=new_bucket())
    assert error == denied(f'Policy Condition failed: ["eq", "$bucket", "{bucket}"]')


@pytest.mark.parametrize("size", [4, 11, 3 * MIB])
def test_a_file_keeps_to_its_range(refused: Any, sign: Sign, size: int) -> None:
    error = refused(sign(Conditions=[["content-length-range", 5, 10]]), 400, b"x" * size)
    if size < 5:
        assert error == {
            "Code": "EntityTooSmall",
            "Message": "Your proposed upload is smaller than the minimum allowed size",
            "ProposedSize": "4",
            "MinSizeAllowed": "5",
        }
        return
    proposed = int(error.pop("ProposedSize"))
    assert 10 < proposed <= size
    assert error == {
        "Code": "EntityTooLarge",
        "Message": "Your proposed upload exceeds the maximum allowed size",
        "MaxSizeAllowed": "10",
    }


def test_a_large_file_may_be_too_small(refused: Any, sign: Sign) -> None:
    error = refused(sign(Conditions=[["content-length-range", 4 * MIB, 5 * MIB]]), 400, b"x" * (3 * MIB))
    assert (error["Code"], error["ProposedSize"]) == ("EntityTooSmall", str(3 * MIB))


def test_a_checksum_must_fit_the_file(refused: Any, sign: Sign) -> None:
    name = "x-amz-checksum-sha256"
    other = base64.b64encode(hashlib.sha256(b"hiss").digest()).decode()
    for value, code in ((other, "BadDigest"), ("sailorjerry", "InvalidRequest")):
        assert refused(sign(Fields={name: value}, Conditions=[{name: value}]), 400)["Code"] == code


def test_a_form_needs_every_field_of_its_signature(refused: Any, sign: Sign) -> None:
    fields = sign()
    names = {"AWSAccessKeyId": "AWSAccessKeyId", "signature": "Signature", "policy": "Policy"}
    if "x-amz-signature" in fields:
        names = {name: name.title() for name in fields if name.startswith("x-amz-")} | {"policy": "Policy"}
    for name, shown in names.items():
        assert refused({given: value for given, value in fields.items() if given != name}, 400) == missing(shown)
    assert refused({name: value for name, value in fields.items() if name != "key"}, 400) == missing("key")
    empty = invalid("key", "", "User key must have a length greater than 0.")
    assert refused({**fields, "key": ""}, 400) == empty


def test_nobody_may_upload_where_nobody_was_let_in(refused: Any) -> None:
    assert refused({"key": "cat.txt"}, 403) == {"Code": "AccessDenied", "Message": "Access Denied"}


def signed_by_hand(cloud: Any, conditions: list[Any], **settings: Any) -> dict[str, str]:
    """What no SDK would sign."""
    document: Any = {"expiration": "2099-01-01T00:00:00Z", "conditions": conditions} | settings
    policy = base64.b64encode(json.dumps(document).encode())
    signature = base64.b64encode(hmac.digest(cloud.secret_key.encode(), policy, "sha1"))
    return {
        "key": "cat.txt",
        "AWSAccessKeyId": cloud.access_key,
        "policy": policy.decode(),
        "signature": signature.decode(),
    }


def test_a_policy_must_be_one(cloud: Any, refused: Any) -> None:
    one = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
    assert refused(signed_by_hand(cloud, [{}]), 400) == {
        "Code": "InvalidPolicyDocument",
        "Message": f"Invalid Policy: {one}",
    }
    error = refused(signed_by_hand(cloud, [], expiration="tomorrow"), 400)
    assert error["Message"] == "Invalid Policy: Invalid 'expiration' value: 'tomorrow'"


@pytest.mark.parametrize(
    ("name", "value", "message", "shown"),
    [
        ("x-amz-algorithm", "AWS4", 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"', "X-Amz-Algorithm"),
        ("x-amz-date", "today", "X-Amz-Date must be formated via ISO8601 Long format", "X-Amz-Date"),
        (
            "x-amz-credential",
            "AKIA/20260102/eu-north-1/s3/aws4_request",
            "the region 'eu-north-1' is wrong; expecting 'us-east-1'",
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "AKIA/20260102/us-east-1/sqs/aws4_request",
            'incorrect service "sqs". This endpoint belongs to "s3".',
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "/20260102/us-east-1/s3/aws4_request",
            "a non-empty Access Key (AKID) must be provided in the credential.",
            "X-Amz-Credential",
        ),
        (
            "x-amz-credential",
            "AKIA",
            'the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
            "X-Amz-Credential",
        ),
    ],
)
def test_a_scope_must_be_this_place(
    cloud: Any, refused: Any, bucket: str, name: str, value: str, message: str, shown: str
) -> None:
    client = cloud.client("s3", config=Config(signature_version="s3v4"))
    error = refused({**client.generate_presigned_post(bucket, "cat.txt")["fields"], name: value}, 400)
    error.pop("Region", None)
    assert error == invalid(shown, value, message)


def test_a_user_uploads_what_its_policies_allow(cloud: Any, http: SignedHttp, s3: Any, bucket: str) -> None:
    iam = cloud.client("iam")
    name = f"poster-{bucket}"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/mine/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        client = cloud.client(
            "s3", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"]
        )
        for key, status in (("mine/a", 204), ("yours/a", 403)):
            assert post(http, bucket, client.generate_presigned_post(bucket, key)["fields"]).status == status
        assert keys_in(s3, bucket) == ["mine/a"]
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=keys["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="p")
        iam.delete_user(UserName=name)


def test_a_bucket_that_is_not_there(cloud: Any, refused: Any) -> None:
    fields = cloud.client("s3").generate_presigned_post("no-such-bucket-here", "cat.txt")["fields"]
    assert refused(fields, 404, to="no-such-bucket-here")["Code"] == "NoSuchBucket"


def test_what_is_no_form_is_refused(http: SignedHttp, bucket: str) -> None:
    answer = post_raw(http, f"/{bucket}", b"key=cat", "application/x-www-form-urlencoded")
    assert (answer.status, error_of(answer)) == (
        412,
        {
            "Code": "PreconditionFailed",
            "Message": "At least one of the pre-conditions you specified did not hold",
            "Condition": "Bucket POST must be of the enclosure-type multipart/form-data",
        },
    )


def test_a_form_must_have_a_file(http: SignedHttp, bucket: str, sign: Sign) -> None:
    body, content_type = encode_multipart_formdata(sign())
    answer = post_raw(http, f"/{bucket}", body, content_type)
    message = "POST requires exactly one file upload per request."
    assert (answer.status, error_of(answer)) == (400, invalid("file", "0", message))


@pytest.mark.parametrize("size", [10, 3 * MIB])
def test_a_form_cut_short_stores_nothing(http: SignedHttp, s3: Any, bucket: str, sign: Sign, size: int) -> None:
    body, content_type = form(sign(), b"x" * size)
    answer = post_raw(http, f"/{bucket}", body[: body.rindex(b"\r\n--")], content_type)
    assert (answer.status, error_of(answer)) == (
        400,
        {
            "Code": "MalformedPOSTRequest",
            "Message": "The body of your POST request is not well-formed multipart/form-data.",
        },
    )
    assert keys_in(s3, bucket) == []


def test_fields_are_few(refused: Any) -> None:
    error = refused({"key": "k", "x-amz-meta-long": "m" * 30_000}, 400)
    assert (error["Code"], error["MaxPostPreDataLengthBytes"]) == ("MaxPostPreDataLengthExceeded", "20480")
