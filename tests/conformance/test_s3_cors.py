"""CORS: rules as boto3 puts them, and what a browser is then told over plain HTTP."""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.refusals import refused
from tests.conformance.signed_http import Answer, SignedHttp
from urllib3.filepost import encode_multipart_formdata

ORIGIN = "https://app.example"
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
RULE = {
    "ID": "the app",
    "AllowedMethods": ["GET", "PUT", "POST"],
    "AllowedOrigins": ["https://*.example", "http://localhost:3000"],
    "AllowedHeaders": ["x-amz-*", "Content-Type"],
    "ExposeHeaders": ["ETag", "x-amz-request-id"],
    "MaxAgeSeconds": 600,
}
TOLD = {
    "access-control-allow-origin": ORIGIN,
    "access-control-allow-methods": "GET, PUT, POST",
    "access-control-expose-headers": "ETag, x-amz-request-id",
    "access-control-max-age": "600",
    "access-control-allow-credentials": "true",
    "vary": VARY,
}


@pytest.fixture(scope="module")
def http(cloud: Any) -> SignedHttp:
    return SignedHttp(cloud)


@pytest.fixture
def shared(s3: Any, bucket: str) -> str:
    put(s3, bucket, RULE)
    return bucket


def put(s3: Any, bucket: str, *rules: Any) -> None:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": list(rules)})


def unsigned(http: SignedHttp, method: str, target: str, **headers: str) -> Answer:
    return http.send_raw(method, target, {"Host": http.host, **{n.replace("_", "-"): v for n, v in headers.items()}})


def told(answer: Answer) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n.startswith("access-control-") or n == "vary"}


def error_of(answer: Answer) -> dict[str, str]:
    members = {member.tag: member.text or "" for member in ET.fromstring(answer.body)}
    return {name: text for name, text in members.items() if name not in {"RequestId", "HostId"}}


def test_rules_are_kept_as_they_are_given(s3: Any, new_bucket: Callable[[], str]) -> None:
    bucket = new_bucket()
    absent = refused("NoSuchCORSConfiguration", 404, "The CORS configuration does not exist", BucketName=bucket)
    with absent:
        s3.get_bucket_cors(Bucket=bucket)
    least = {"AllowedMethods": ["HEAD", "DELETE"], "AllowedOrigins": ["", "http://test.com:80"]}
    put(s3, bucket, RULE, least)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [RULE, least]
    put(s3, bucket, least)
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [least]
    s3.delete_bucket_cors(Bucket=bucket)
    s3.delete_bucket_cors(Bucket=bucket)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)


def test_rules_go_away_with_their_bucket(s3: Any, shared: str) -> None:
    s3.delete_bucket(Bucket=shared)
    s3.create_bucket(Bucket=shared)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=shared)


METHODS = {"AllowedMethods": ["GET"]}
ORIGINS = {"AllowedOrigins": ["*"]}
LEAST = {**METHODS, **ORIGINS}
MALFORMED = (
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
)
UNSUPPORTED = "Found unsupported HTTP method in CORS config. Unsupported method is "
NO_WILDCARD = "contains wildcard. We currently do not support wildcard for ExposeHeader."


@pytest.mark.parametrize(
    ("rules", "code", "message"),
    [
        ([], *MALFORMED),
        ([LEAST] * 101, *MALFORMED),
        ([{**METHODS, "AllowedOrigins": []}], *MALFORMED),
        ([{**ORIGINS, "AllowedMethods": []}], *MALFORMED),
        ([{**LEAST, "MaxAgeSeconds": -1}], *MALFORMED),
        ([LEAST, {**ORIGINS, "AllowedMethods": ["OPTIONS"]}], "InvalidRequest", UNSUPPORTED + "OPTIONS"),
        ([{**ORIGINS, "AllowedMethods": ["get"]}], "InvalidRequest", UNSUPPORTED + "get"),
        (
            [{**METHODS, "AllowedOrigins": ["*a*.example"]}],
            "InvalidRequest",
            'AllowedOrigin "*a*.example" can not have more than one wildcard.',
        ),
        (
            [{**LEAST, "AllowedHeaders": ["x-*-*"]}],
            "InvalidRequest",
            'AllowedHeader "x-*-*" can not have more than one wildcard.',
        ),
        ([{**LEAST, "ExposeHeaders": ["x-*"]}], "InvalidRequest", f'ExposeHeader "x-*" {NO_WILDCARD}'),
        (
            [{**LEAST, "ExposeHeaders": ["a\nSet-Cookie: b"]}],
            "InvalidRequest",
            'ExposeHeader "a\nSet-Cookie: b" is not the name of a header.',
        ),
        ([{**LEAST, "ID": "i" * 256}], "InvalidRequest", "ID length should not exceed allowed limit of 255"),
    ],
)
def test_what_are_no_rules_is_refused(s3: Any, shared: str, rules: list[Any], code: str, message: str) -> None:
    with refused(code, 400, message):
        put(s3, shared, *rules)
    assert s3.get_bucket_cors(Bucket=shared)["CORSRules"] == [RULE]


def test_a_hundred_rules_are_not_too_many_but_their_size_may_be(s3: Any, bucket: str) -> None:
    put(s3, bucket, *[LEAST] * 100)
    with refused("MaxMessageLengthExceeded", 400, "Your request was too big.", MaxMessageLengthBytes="65536"):
        put(s3, bucket, {**METHODS, "AllowedOrigins": ["https://" + "a" * 65_536]})


def test_a_preflight_asks_for_one_request(http: SignedHttp, shared: str) -> None:
    answer = unsigned(
        http,
        "OPTIONS",
        f"/{shared}/not/there",
        Origin=ORIGIN,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="X-Amz-Date,content-type",
    )
    assert (answer.status, answer.body) == (200, b"")
    assert told(answer) == {**TOLD, "access-control-allow-headers": "x-amz-date, content-type"}
    assert answer.headers["x-amz-request-id"]


def test_a_preflight_of_a_presigned_url_needs_no_signature_of_its_own(s3: Any, http: SignedHttp, shared: str) -> None:
    url = s3.generate_presigned_url("put_object", {"Bucket": shared, "Key": "k"})
    target = url[url.index("/", 8) :]
    asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "PUT"}
    assert told(unsigned(http, "OPTIONS", target, **asked)) == TOLD
    host = f"{shared}.s3.localhost:{http.port}"
    assert told(unsigned(http, "OPTIONS", "/k", Host=host, **asked)) == TOLD


NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


@pytest.mark.parametrize(
    "asked",
    [
        {"Origin": "https://app.elsewhere", "Access_Control_Request_Method": "PUT"},
        {"Origin": ORIGIN, "Access_Control_Request_Method": "DELETE"},
        {"Origin": ORIGIN, "Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-other"},
    ],
)
@pytest.mark.parametrize(("path", "kind"), [("", "BUCKET"), ("/k", "OBJECT")])
def test_a_preflight_that_no_rule_fits_is_refused(
    http: SignedHttp, shared: str, asked: dict[str, str], path: str, kind: str
) -> None:
    answer = unsigned(http, "OPTIONS", f"/{shared}{path}", **asked)
    assert (answer.status, told(answer)) == (403, {})
    assert error_of(answer) == {
        "Code": "AccessForbidden",
        "Message": NOT_ALLOWED,
        "Method": asked["Access_Control_Request_Method"],
        "ResourceType": kind,
    }


def test_a_preflight_says_what_it_lacks(http: SignedHttp, shared: str, new_bucket: Callable[[], str]) -> None:
    def code_and_message(path: str, **asked: str) -> tuple[int, str, str]:
        answer = unsigned(http, "OPTIONS", path, **asked)
        error = error_of(answer)
        return answer.status, error["Code"], error["Message"]

    needed = "Insufficient information. Origin request header needed."
    assert code_and_message(f"/{shared}") == (400, "BadRequest", needed)
    method = "Invalid Access-Control-Request-Method: "
    assert code_and_message(f"/{shared}", Origin=ORIGIN) == (400, "BadRequest", f"{method}null")
    asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "PATCH"}
    assert code_and_message(f"/{shared}", **asked) == (400, "BadRequest", f"{method}PATCH")
    disabled = (403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
    assert code_and_message(f"/{new_bucket()}", Origin=ORIGIN) == disabled
    absent = (403, "AccessForbidden", "CORSResponse: Bucket not found")
    assert code_and_message("/no-such-bucket-here", Origin=ORIGIN) == absent
    assert code_and_message("/%zz", Origin=ORIGIN)[1] == "InvalidURI"


def test_answers_to_a_page_carry_what_its_rule_says(s3: Any, http: SignedHttp, shared: str) -> None:
    s3.put_object(Bucket=shared, Key="k", Body=b"data")
    big = b"b" * 100_000
    for method, target, body in (
        ("GET", f"/{shared}/k", b""),
        ("GET", f"/{shared}?list-type=2", b""),
        ("PUT", f"/{shared}/big", big),
        ("GET", f"/{shared}/big", b""),
    ):
        answer = http.send(method, target, body, Origin=ORIGIN)
        assert (answer.status, told(answer)) == (200, TOLD)
        assert told(http.send(method, target, body)) == {}
        assert told(http.send(method, target, body, Origin="https://app.elsewhere")) == {}


def test_a_method_without_a_rule_is_served_without_a_word(s3: Any, http: SignedHttp, shared: str) -> None:
    s3.put_object(Bucket=shared, Key="k")
    answer = http.send("HEAD", f"/{shared}/k", Origin=ORIGIN)
    assert (answer.status, told(answer)) == (200, {})
    answer = http.send("DELETE", f"/{shared}/k", Origin=ORIGIN)
    assert (answer.status, told(answer)) == (204, {})


def test_a_page_may_read_why_it_was_refused(http: SignedHttp, shared: str) -> None:
    answer = http.send("GET", f"/{shared}/absent", Origin=ORIGIN)
    assert (answer.status, told(answer)) == (404, TOLD)
    answer = unsigned(http, "GET", f"/{shared}/absent", Origin=ORIGIN)
    assert (answer.status, told(answer)) == (403, TOLD)
    answer = unsigned(http, "PUT", f"/{shared}/k", Origin=ORIGIN, Authorization="nonsense", Content_Length="0")
    assert (answer.status, told(answer)) == (400, TOLD)


def test_a_page_may_read_the_answer_to_its_form(s3: Any, http: SignedHttp, shared: str) -> None:
    fields = s3.generate_presigned_post(shared, "k")["fields"]
    for status, given in ((204, fields), (403, {"key": "k"})):
        body, content_type = encode_multipart_formdata([*given.items(), ("file", ("f", b"data"))])
        headers = {"Host": http.host, "Content-Type": content_type, "Content-Length": str(len(body)), "Origin": ORIGIN}
        answer = http.send_raw("POST", f"/{shared}", headers, body)
        assert (answer.status, told(answer)) == (status, TOLD)


def test_everyone_may_be_let_in(s3: Any, http: SignedHttp, bucket: str) -> None:
    put(s3, bucket, {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]})
    answer = http.send("GET", f"/{bucket}?list-type=2", Origin="null")
    expected = {"access-control-allow-origin": "*", "access-control-allow-methods": "GET", "vary": VARY}
    assert told(answer) == expected


def test_rules_need_a_permission(cloud: Any, s3: Any, shared: str) -> None:
    iam = cloud.client("iam")
    name = f"pages-{shared}"
    iam.create_user(UserName=name)
    keys = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        other = cloud.client("s3", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"])
        for act in (other.get_bucket_cors, other.delete_bucket_cors):
            with refused("AccessDenied", 403):
                act(Bucket=shared)
        with refused("AccessDenied", 403):
            put(other, shared, LEAST)
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=keys["AccessKeyId"])
        iam.delete_user(UserName=name)
