"""Presigned URLs of Signature Version 2, held to botocore's own signer."""

from urllib.parse import urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from atoll.aws import presigned_v2
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireRequest

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def presigned(method: str, url: str, *, headers: dict[str, str] | None = None, token: str | None = None) -> WireRequest:
    request = AWSRequest(method, url, headers=headers or {})
    HmacV1QueryAuth(Credentials(KEY, SECRET, token), expires=900).add_auth(request)
    made = urlsplit(request.url)
    return WireRequest(method, made.path, made.query, Headers([("Host", made.netloc)]))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566/bucket/key",
        "http://127.0.0.1:4566/bucket/a%20b/%C3%BC%2B%2541//x",
        "http://127.0.0.1:4566/bucket/key?versionId=abc&response-content-type=text%2Fplain%3B%20charset%3Dutf-8",
        "http://127.0.0.1:4566/bucket/key?partNumber=2&uploadId=u%2Bv",
        "http://127.0.0.1:4566/bucket?list-type=2&prefix=a%2F",
        "http://127.0.0.1:4566/bucket?uploads",
    ],
)
@pytest.mark.parametrize("token", [None, "a/session+token=="])
def test_what_botocore_presigns_is_accepted_until_it_expires(url: str, token: str | None) -> None:
    wire = presigned("GET", url, token=token)
    signature = presigned_v2.parse(wire)
    assert signature is not None
    assert (signature.access_key_id, signature.session_token) == (KEY, token or "")
    presigned_v2.verify(signature, wire, SECRET, None, signature.expires - 1)
    with pytest.raises(AwsError) as late:
        presigned_v2.verify(signature, wire, SECRET, None, signature.expires)
    assert (late.value.code, late.value.status, late.value.message) == ("AccessDenied", 403, "Request has expired")


@pytest.mark.parametrize(
    ("name", "value"),
    [("method", "PUT"), ("path", "/bucket/other"), ("query", None), ("headers", Headers([("x-amz-acl", "private")]))],
)
def test_a_changed_request_is_refused(name: str, value: object) -> None:
    wire = presigned("GET", "http://h/bucket/key?versionId=1")
    signature = presigned_v2.parse(wire)
    assert signature is not None
    if name == "query":
        wire.query = wire.query.replace("versionId=1", "versionId=2")
        signature = presigned_v2.parse(wire)
        assert signature is not None
    else:
        setattr(wire, name, value)
    with pytest.raises(AwsError) as caught:
        presigned_v2.verify(signature, wire, SECRET, None, signature.expires - 1)
    assert (caught.value.code, caught.value.status) == ("SignatureDoesNotMatch", 403)


def test_the_bucket_of_the_host_is_signed() -> None:
    wire = presigned("GET", "http://h/bucket/key")
    wire.path = "/key"
    signature = presigned_v2.parse(wire)
    assert signature is not None
    presigned_v2.verify(signature, wire, SECRET, "bucket", signature.expires - 1)
    with pytest.raises(AwsError):
        presigned_v2.verify(signature, wire, SECRET, "another", signature.expires - 1)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("AWSAccessKeyId=A&Expires=9", "AccessDenied"),
        ("AWSAccessKeyId=A&Expires=soon&Signature=x", "AccessDenied"),
        ("AWSAccessKeyId=A&AWSAccessKeyId=B&Expires=9&Signature=x", "AuthorizationQueryParametersError"),
        ("AWSAccessKeyId=A&Expires=9&Signature=x&X-Amz-Signature=y", "InvalidArgument"),
    ],
)
def test_half_a_signature_is_none(query: str, code: str) -> None:
    with pytest.raises(AwsError) as caught:
        presigned_v2.parse(WireRequest("GET", "/b/k", query, Headers([("Host", "h")])))
    assert caught.value.code == code


def test_other_queries_are_left_alone() -> None:
    assert presigned_v2.parse(WireRequest("GET", "/b/k", "Signature=x", Headers([("Host", "h")]))) is None
