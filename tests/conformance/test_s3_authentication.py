"""Who is let in: only whoever holds a key, signing this very request, now, for this place. Everyone else is refused by name."""

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import botocore.auth
import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.refusals import refused
from tests.conformance.signed_http import Answer, SignedHttp

MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


@pytest.fixture
def raw(cloud: CloudUnderTest) -> SignedHttp:
    return SignedHttp(cloud)


@pytest.fixture
def target(s3: Any, bucket: str) -> str:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    return f"/{bucket}/k"


def check_refused(answer: Answer, status: int, code: str, message: str | None = None) -> dict[str, str | None]:
    error = {child.tag: child.text for child in ElementTree.fromstring(answer.body)}
    assert (answer.status, error["Code"]) == (status, code)
    if message is not None:
        assert error["Message"] == message
    return error


def test_a_signed_request_is_let_in(raw: SignedHttp, target: str) -> None:
    assert raw.send("GET", target).body == b"data"


def test_without_a_signature_nothing_private_is_given(raw: SignedHttp, target: str) -> None:
    bucket = target.split("/")[1]
    for method, where, body in [
        ("GET", target, b""),
        ("PUT", target, b"mine"),
        ("DELETE", target, b""),
        ("GET", f"/{bucket}", b""),
        ("PUT", f"/{bucket}-new", b""),
    ]:
        headers = {"Host": raw.host, "Content-Length": str(len(body))}
        check_refused(raw.send_raw(method, where, headers, body), 403, "AccessDenied", "Access Denied")
    assert raw.send("GET", target).body == b"data"


def test_an_unknown_key_is_refused_by_name(cloud: CloudUnderTest, target: str) -> None:
    stranger = SignedHttp(cloud, access_key="AKIANOBODYKNOWSTHIS0")
    error = check_refused(
        stranger.send("GET", target),
        403,
        "InvalidAccessKeyId",
        "The AWS Access Key Id you provided does not exist in our records.",
    )
    assert error["AWSAccessKeyId"] == "AKIANOBODYKNOWSTHIS0"


def test_a_wrong_secret_is_refused(cloud: CloudUnderTest, target: str) -> None:
    thief = SignedHttp(cloud, secret_key=cloud.secret_key[:-1] + "x")
    error = check_refused(thief.send("GET", target), 403, "SignatureDoesNotMatch", MISMATCH)
    # So that a client's author can compare: what the server signed, and never the secret.
    assert error["StringToSign"] is not None
    assert error["CanonicalRequest"] is not None
    assert error["AWSAccessKeyId"] == cloud.access_key
    assert cloud.secret_key not in str(error)


def test_a_request_of_another_time_is_refused(raw: SignedHttp, target: str) -> None:
    for minutes in (-16, 16):
        with _clock_set(minutes):
            headers = raw.sign("GET", target)
        check_refused(
            raw.send_raw("GET", target, headers),
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        )
    for minutes in (-14, 14):
        with _clock_set(minutes):
            headers = raw.sign("GET", target)
        assert raw.send_raw("GET", target, headers).status == 200


def _clock_set(minutes: int) -> Any:
    """botocore's signer sees another time; the rest of the world does not."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment)


def test_a_date_that_is_not_the_scopes_is_refused(raw: SignedHttp, target: str) -> None:
    headers = raw.sign("GET", target)
    scope = re.search(r"/(\d{8})/", headers["Authorization"])
    assert scope is not None
    headers["Authorization"] = headers["Authorization"].replace(scope[1], "20200101")
    assert raw.send_raw("GET", target, headers).status in {400, 403}


def test_a_request_for_another_region_is_told_which(raw: SignedHttp, target: str) -> None:
    raw.region = "eu-west-1"
    error = check_refused(
        raw.send("GET", target),
        400,
        "AuthorizationHeaderMalformed",
        "The authorization header is malformed; the region 'eu-west-1' is wrong; expecting 'us-east-1'",
    )
    assert error["Region"] == "us-east-1"


def test_boto3_follows_to_the_right_region(cloud: CloudUnderTest, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    lost = cloud.client("s3", region_name="eu-west-1")
    assert lost.get_object(Bucket=bucket, Key="k")["Body"].read() == b"data"


def test_a_request_for_another_service_does_not_reach_s3(cloud: CloudUnderTest, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"data")
    raw = SignedHttp(cloud)
    with mock.patch.object(botocore.auth.S3SigV4Auth, "__init__", _sign_for_sts):
        answer = raw.send("GET", f"/{bucket}/k")
    assert answer.status >= 400
    assert b"data" not in answer.body


def _sign_for_sts(self: Any, credentials: Any, _service: str, region: str) -> None:
    botocore.auth.SigV4Auth.__init__(self, credentials, "sts", region)


def test_a_request_signed_for_another_host_is_refused(raw: SignedHttp, target: str) -> None:
    headers = raw.sign("GET", target, Host="s3.amazonaws.com")
    assert raw.send_raw("GET", target, headers).status == 200  # What was signed is what was sent.
    headers["Host"] = raw.host
    check_refused(raw.send_raw("GET", target, headers), 403, "SignatureDoesNotMatch", MISMATCH)


def tampered(raw: SignedHttp, target: str) -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """A PUT of `data`, changed after it was signed in every way that must be noticed."""
    more = {"x-amz-meta-a": "1", "Content-Type": "text/plain"}
    headers = raw.sign("PUT", target, b"data", **more) | {"Content-Length": "4"}
    assert "content-type" in headers["Authorization"]
    yield "DELETE", target, headers, b"data"
    yield "PUT", target + "2", headers, b"data"
    yield "PUT", target + "?versionId=null", headers, b"data"
    yield "PUT", target + "?acl", headers, b"data"
    yield "PUT", target, headers | {"x-amz-meta-a": "2"}, b"data"
    yield "PUT", target, headers | {"Content-Type": "text/html"}, b"data"
    yield "PUT", target, {k: v for k, v in headers.items() if k != "x-amz-meta-a"}, b"data"
    yield "PUT", target, headers | {"X-Amz-Date": "20260101T000000Z"}, b"data"
    signature = headers["Authorization"][-64:]
    for changed in (signature[::-1], signature.upper(), signature[:-1], "0" * 64, "", "é" * 64):
        yield "PUT", target, headers | {"Authorization": headers["Authorization"][:-64] + changed}, b"data"


def test_whatever_is_changed_after_signing_is_noticed(raw: SignedHttp, target: str) -> None:
    for number, (method, where, headers, body) in enumerate(tampered(raw, target)):
        answer = raw.send_raw(method, where, headers, body)
        assert answer.status in {400, 403}, f"change {number}: {answer}"
        got = raw.send("GET", target)
        assert (got.status, got.headers.get("x-amz-meta-a")) == (200, None), f"change {number}"


def test_a_header_of_amazons_that_was_not_signed_is_refused(raw: SignedHttp, target: str) -> None:
    headers = raw.sign("PUT", target, b"data") | {"Content-Length": "4"}
    error = check_refused(
        raw.send_raw("PUT", target, headers | {"x-amz-meta-added": "1"}, b"data"),
        403,
        "AccessDenied",
        "There were headers present in the request which were not signed",
    )
    assert error["HeadersNotSigned"] == "x-amz-meta-added"


@pytest.mark.parametrize("size", [4, 300_000, 3_000_000])
def test_a_payload_that_is_not_the_signed_one_is_refused_and_not_stored(
    raw: SignedHttp, target: str, size: int
) -> None:
    headers = raw.sign("PUT", target, b"x" * size) | {"Content-Length": str(size)}
    error = check_refused(
        raw.send_raw("PUT", target, headers, b"x" * (size - 1) + b"y"),
        400,
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
    assert error["ClientComputedContentSHA256"] == headers["X-Amz-Content-SHA256"]
    assert raw.send("GET", target).body == b"data"


def test_the_payload_hash_itself_is_under_the_signature(raw: SignedHttp, target: str) -> None:
    headers = raw.sign("PUT", target, b"data") | {"Content-Length": "5", "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    check_refused(raw.send_raw("PUT", target, headers, b"other"), 403, "SignatureDoesNotMatch", MISMATCH)
    del headers["X-Amz-Content-SHA256"]
    assert raw.send_raw("PUT", target, headers, b"other").status in {400, 403}
    assert raw.send("GET", target).body == b"data"


@pytest.mark.parametrize(
    "authorization",
    [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c",
        "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=, Signature=c",
        "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, SignedHeaders=host",
        "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/s3/aws4_request, SignedHeaders=host, Signature=00",
        "AWS AKIA:c2lnbmF0dXJl",
        "Basic dXNlcjpwYXNzd29yZA==",
        "Bearer token",
        "AWS4-HMAC-SHA256 " + "Credential=" * 2000,
        "\xff\xfe",
    ],
)
def test_what_is_no_signature_is_refused_without_ado(raw: SignedHttp, target: str, authorization: str) -> None:
    headers = raw.sign("GET", target) | {"Authorization": authorization}
    answer = raw.send_raw("GET", target, headers)
    assert answer.status in {400, 403}
    assert b"data" not in answer.body


def test_an_empty_signature_is_none(raw: SignedHttp, bucket: str, target: str) -> None:
    for method, path in (("GET", target), ("PUT", target), ("PUT", f"/{bucket}-new")):
        headers = raw.sign(method, path) | {"Authorization": "", "Content-Length": "0"}
        check_refused(raw.send_raw(method, path, headers), 403, "AccessDenied", "Access Denied")


def test_a_signature_does_not_open_a_second_request_on_the_connection(raw: SignedHttp, target: str) -> None:
    headers = raw.sign("GET", target)
    unsigned = {"Host": raw.host}
    connection = http.client.HTTPConnection("127.0.0.1", raw.port, timeout=10)
    for sent, wanted in ((headers, 200), (unsigned, 403), (headers, 200)):
        connection.request("GET", target, headers=sent)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == wanted
    connection.close()


def test_a_made_up_session_token_is_refused(cloud: CloudUnderTest, bucket: str) -> None:
    s3 = cloud.client("s3", aws_session_token="made-up")
    with refused("InvalidToken", 400, "The provided token is malformed or otherwise invalid."):
        s3.list_objects_v2(Bucket=bucket)
