"""Who a request turns out to come from: known keys, unknown ones, tokens, nobody, and the dev mode."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from atoll.aws import chunked, sigv4
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireRequest
from atoll.gateway.authentication import ANONYMOUS, Authenticated, Authenticator, service_of
from atoll.operation import Credential, Identity

NOW = 1_780_000_000.0
USER = Identity("111122223333", "arn:aws:iam::111122223333:user/ana", "AIDA", "AKIAANA", "user")
ROLE = Identity("111122223333", "arn:aws:sts::111122223333:assumed-role/r/s", "AROA:s", "ASIATEMP", "assumed-role")
KEYS = {
    "AKIAANA": Credential("secret", USER),
    "ASIATEMP": Credential("secret", ROLE, session_token="token", expires=NOW + 60),
}
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
TARGET = {"content-type": "application/x-amz-json-1.0", "x-amz-target": "DynamoDB_20120810.ListTables"}


@pytest.fixture(autouse=True)
def _at_now(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import UTC, datetime

    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda *_, **__: datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    )


def _signed(
    credentials: Credentials, service: str = "s3", *, region: str = "eu-west-1", headers: dict[str, str] | None = None,
    body: bytes = b"", signer: Any = None,
) -> WireRequest:  # fmt: skip
    request = AWSRequest("POST" if body else "GET", "http://localhost:4566/bkt/key", headers or {}, body)
    signer = signer or (S3SigV4Auth if service == "s3" else SigV4Auth)
    signer(credentials, service, region).add_auth(request)
    query = request.url.partition("?")[2]
    items = [("Host", "localhost:4566"), *request.headers.items()]
    return WireRequest(request.method, "/bkt/key", query, Headers(items), body)


def _authenticate(wire: WireRequest, service: str = "s3", *, dev: bool = False, now: float = NOW) -> Authenticated:
    async def find(access_key_id: str) -> Credential | None:
        return KEYS.get(access_key_id)

    return asyncio.run(Authenticator(find, lambda: now, "eu-west-1", dev).authenticate(wire, service))


def _refusal(wire: WireRequest, service: str = "s3", *, dev: bool = False, now: float = NOW) -> tuple[str, int | None]:
    with pytest.raises(AwsError) as caught:
        _authenticate(wire, service, dev=dev, now=now)
    return caught.value.code, caught.value.status


def test_a_known_key_is_its_owner() -> None:
    authenticated = _authenticate(_signed(Credentials("AKIAANA", "secret"), body=b"data"))
    assert authenticated.identity is USER
    assert authenticated.payload.content_hash == sha256(b"data").hexdigest()
    presigned = _authenticate(_signed(Credentials("AKIAANA", "secret"), signer=S3SigV4QueryAuth))
    assert presigned.identity is USER
    assert presigned.payload.content_hash == "UNSIGNED-PAYLOAD"


def test_a_wrong_secret_is_nobody() -> None:
    wrong = Credentials("AKIAANA", "guess")
    assert _refusal(_signed(wrong)) == ("SignatureDoesNotMatch", 403)
    assert _refusal(_signed(wrong, signer=S3SigV4QueryAuth)) == ("SignatureDoesNotMatch", 403)
    assert _refusal(_signed(wrong, "iam", headers=FORM, body=b"Action=ListUsers"), "iam") == (
        "SignatureDoesNotMatch",
        403,
    )


def test_an_unknown_key_is_refused_in_each_service_s_way() -> None:
    unknown = Credentials("AKIANOBODY", "secret")
    with pytest.raises(AwsError) as caught:
        _authenticate(_signed(unknown))
    assert (caught.value.code, caught.value.status) == ("InvalidAccessKeyId", 403)
    assert caught.value.fields == {"AWSAccessKeyId": "AKIANOBODY"}
    assert _refusal(_signed(unknown, "iam", headers=FORM), "iam") == ("InvalidClientTokenId", 403)
    assert _refusal(_signed(unknown, "dynamodb", headers=TARGET), "dynamodb") == ("UnrecognizedClientException", 400)
    assert _refusal(_signed(unknown, "lambda"), "lambda") == ("UnrecognizedClientException", 403)


def test_a_temporary_key_needs_its_own_token_in_time() -> None:
    good = _signed(Credentials("ASIATEMP", "secret", "token"))
    assert _authenticate(good).identity is ROLE
    assert _authenticate(_signed(Credentials("ASIATEMP", "secret", "token"), signer=S3SigV4QueryAuth)).identity is ROLE
    assert _refusal(good, now=NOW + 60) == ("ExpiredToken", 400)
    assert _refusal(_signed(Credentials("ASIATEMP", "secret", "other"))) == ("InvalidToken", 400)
    assert _refusal(_signed(Credentials("ASIATEMP", "secret"))) == ("InvalidAccessKeyId", 403)
    assert _refusal(_signed(Credentials("AKIAANA", "secret", "token"))) == ("InvalidToken", 400)
    for service, headers, codes in (
        ("iam", FORM, [("ExpiredToken", 403), ("InvalidClientTokenId", 403)]),
        ("dynamodb", TARGET, [("ExpiredTokenException", 400), ("UnrecognizedClientException", 400)]),
    ):
        late = _signed(Credentials("ASIATEMP", "secret", "token"), service, headers=headers)
        other = _signed(Credentials("ASIATEMP", "secret", "\u00e9"), service, headers=headers)
        assert [_refusal(late, service, now=NOW + 60), _refusal(other, service)] == codes


def test_nobody_may_ask_s3_and_s3_alone() -> None:
    unsigned = WireRequest("GET", "/bkt/key", "", Headers([("Host", "localhost")]))
    assert _authenticate(unsigned).identity is ANONYMOUS
    assert _authenticate(unsigned, dev=True).identity is ANONYMOUS
    assert _refusal(unsigned, "lambda") == ("MissingAuthenticationTokenException", 403)
    assert _refusal(WireRequest("POST", "/", "", Headers(FORM.items())), "sts") == ("MissingAuthenticationToken", 403)
    assert _refusal(WireRequest("POST", "/", "", Headers(TARGET.items())), "dynamodb") == (
        "MissingAuthenticationTokenException",
        400,
    )


def test_nobody_cannot_sign_chunks() -> None:
    headers = Headers([("x-amz-content-sha256", chunked.SIGNED), ("x-amz-decoded-content-length", "1")])
    assert _refusal(WireRequest("PUT", "/bkt/key", "", headers)) == ("InvalidRequest", 400)


def test_dev_mode_lets_unknown_keys_in_as_root_and_checks_known_ones() -> None:
    for wire, service in (
        (_signed(Credentials("test", "test"), region="mars"), "s3"),
        (_signed(Credentials("test", "test", "made-up"), "iam", headers=FORM, body=b"Action=ListUsers"), "iam"),
    ):
        authenticated = _authenticate(wire, service, dev=True)
        assert authenticated.identity == Identity(
            "000000000000", "arn:aws:iam::000000000000:root", "000000000000", "test", "root"
        )
    assert authenticated.payload.whole == b"Action=ListUsers"
    assert _refusal(_signed(Credentials("AKIAANA", "guess")), dev=True) == ("SignatureDoesNotMatch", 403)
    assert _authenticate(_signed(Credentials("AKIAANA", "secret")), dev=True).identity is USER


def test_other_services_sign_the_body_whatever_its_header_says() -> None:
    wire = _signed(Credentials("AKIAANA", "secret"), "iam", headers=FORM, body=b"Action=ListUsers")
    assert _authenticate(wire, "iam").payload.whole == b"Action=ListUsers"
    wire.body = b"Action=DeleteUser"
    assert _refusal(wire, "iam") == ("SignatureDoesNotMatch", 403)


def test_other_services_bound_the_body_before_they_hash_it() -> None:
    wire = _signed(Credentials("AKIAANA", "secret"), "iam", headers=FORM, body=b"Action=ListUsers")
    wire.body = bytes(1024 * 1024 + 1)
    assert _refusal(wire, "iam") == ("EntityTooLarge", 400)


def test_a_global_service_may_be_signed_for_its_home_region() -> None:
    home = _signed(Credentials("AKIAANA", "secret"), "iam", region="us-east-1", headers=FORM)
    assert _authenticate(home, "iam").identity is USER
    assert _refusal(_signed(Credentials("AKIAANA", "secret"), region="us-east-1")) == (
        "AuthorizationHeaderMalformed",
        400,
    )


def test_s3_wants_a_payload_hash_that_means_something() -> None:
    wire = _signed(Credentials("AKIAANA", "secret"))
    wire.headers = Headers((n, v) for n, v in wire.headers.items if n != "X-Amz-Content-SHA256")
    assert _refusal(wire) == ("InvalidRequest", 400)
    wire.headers = Headers([*wire.headers.items, ("x-amz-content-sha256", "nonsense")])
    assert _refusal(wire) == ("InvalidArgument", 400)


def test_a_signed_stream_starts_its_chain_at_the_request_s_signature() -> None:
    class Streaming(S3SigV4Auth):
        def payload(self, request: AWSRequest) -> str:
            return chunked.SIGNED

    length = {"x-amz-decoded-content-length": "3"}
    wire = _signed(Credentials("AKIAANA", "secret"), headers=length, signer=Streaming)
    rules = _authenticate(wire).payload
    assert (rules.content_hash, rules.decoded_length) == (chunked.SIGNED, 3)
    assert rules.chain is not None
    assert wire.headers.lower()["authorization"].endswith(rules.chain.previous)
    key = sigv4.signing_key("secret", "20260528", "eu-west-1", "s3")
    assert rules.chain.key is key
    assert rules.chain.scope == "20260528/eu-west-1/s3/aws4_request"


@pytest.mark.parametrize(
    ("scope", "service"),
    [
        ("s3", "s3"),
        ("iam", "iam"),
        ("monitoring", "cloudwatch"),
        ("elasticloadbalancing", "elbv2"),
        ("..", "s3"),
        ("", "s3"),
    ],
)
def test_a_request_is_for_the_service_it_is_signed_for(scope: str, service: str) -> None:
    credential = f"AKIA/20260101/eu-west-1/{scope}/aws4_request"
    header = Headers([("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0")])
    assert service_of(WireRequest("GET", "/", "", header)) == service
    query = f"X-Amz-Credential={credential.replace('/', '%2F')}&X-Amz-Signature=0"
    assert service_of(WireRequest("GET", "/", query, Headers())) == service


def test_an_unsigned_request_is_for_what_it_targets_or_for_s3() -> None:
    assert service_of(WireRequest("POST", "/", "", Headers(TARGET.items()))) == "dynamodb"
    assert service_of(WireRequest("GET", "/", "", Headers())) == "s3"
    assert service_of(WireRequest("GET", "/", "", Headers([("authorization", "Basic x")]))) == "s3"
    streams = [
        ("authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/r/dynamodb/aws4_request,"),
        ("x-amz-target", "DynamoDBStreams_20120810.ListStreams"),
    ]
    assert service_of(WireRequest("POST", "/", "", Headers(streams))) == "dynamodbstreams"
