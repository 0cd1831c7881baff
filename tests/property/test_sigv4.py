"""Signatures against botocore's own signers: what they sign is accepted, and nothing else is."""

from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from atoll.aws import sigv4
from atoll.aws.canonical import canonical_request, canonical_request_normalised
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireRequest

NOW = 1_780_000_000
KEY = "AKIAIOSFODNN7EXAMPLE"
HOST = "127.0.0.1:4566"

# Keys are any text; headers what HTTP carries. Spaces, slashes, percents and dots are where canonical forms differ.
hostile = st.text(
    st.one_of(
        st.sampled_from(" /%+~.-_=&?#;:@!$'()*,[]\"<>\\^`{|}\u00e9\u4e2d"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=20,
)
paths = st.lists(hostile, max_size=4).map(lambda parts: "/" + quote("/".join(parts), safe="/~"))
# Not the names of signatures themselves: a request that has two is refused, and tested elsewhere.
query_names = hostile.filter(lambda name: not name.startswith(("X-Amz-", "AWSAccessKeyId", "Signature")))
queries = st.lists(st.tuples(query_names, hostile), max_size=5, unique_by=lambda pair: pair[0]).map(dict)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
names = st.from_regex(r"(x-amz-meta-|content-|range|if-)[a-z0-9-]{1,8}", fullmatch=True)
headers = st.dictionaries(names, values, max_size=5)
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=64)
tokens = st.none() | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)


def _signed(signer: Any, request: AWSRequest) -> WireRequest:
    moment = datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    prepared = request.prepare()
    url = urlsplit(prepared.url)
    return WireRequest(
        request.method,
        url.path,
        url.query,
        Headers([("Host", HOST), *((k, v) for k, v in prepared.headers.items())]),
        request.body or b"",
    )


def _verify(wire: WireRequest, secret: str, service: str, payload_hash: str | None = None) -> sigv4.Signature:
    signature = sigv4.parse(wire, service)
    assert signature is not None
    sigv4.check_scope(signature, wire, NOW, region="eu-west-1", services=(service,))
    sigv4.verify(signature, wire, secret, payload_hash or signature.payload_hash or "")
    return signature


@given(paths, queries, headers, st.tuples(secrets, tokens), st.sampled_from(["GET", "PUT", "HEAD"]))
def test_s3_accepts_what_botocore_signs_in_headers(
    path: str, query: dict[str, str], extra: dict[str, str], keys: tuple[str, str | None], method: str
) -> None:
    request = AWSRequest(method, f"http://{HOST}{path}", dict(extra), b"payload", params=query)
    wire = _signed(S3SigV4Auth(Credentials(KEY, *keys), "s3", "eu-west-1"), request)
    signature = _verify(wire, keys[0], "s3")
    assert (signature.scope.access_key_id, signature.session_token) == (KEY, keys[1] or "")
    assert not signature.presigned


@given(paths, queries, headers, st.tuples(secrets, tokens))
def test_s3_accepts_what_botocore_presigns(
    path: str, query: dict[str, str], extra: dict[str, str], keys: tuple[str, str | None]
) -> None:
    request = AWSRequest("GET", f"http://{HOST}{path}", dict(extra), params=query)
    wire = _signed(S3SigV4QueryAuth(Credentials(KEY, *keys), "s3", "eu-west-1", expires=60), request)
    signature = _verify(wire, keys[0], "s3")
    assert signature.presigned
    assert (signature.lifetime_seconds, signature.session_token) == (60, keys[1] or "")
    assert signature.payload_hash == "UNSIGNED-PAYLOAD"


@given(paths, queries, headers, secrets)
def test_other_services_accept_what_botocore_signs(
    path: str, query: dict[str, str], extra: dict[str, str], secret: str
) -> None:
    digest = "d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1"  # Of b"pass".
    request = AWSRequest("POST", f"http://{HOST}{path}", dict(extra), b"pass", params=query)
    wire = _signed(SigV4Auth(Credentials(KEY, secret), "iam", "eu-west-1"), request)
    _verify(wire, secret, "iam", digest)


@given(queries, secrets)
def test_other_services_accept_what_botocore_presigns(query: dict[str, str], secret: str) -> None:
    request = AWSRequest("GET", f"http://{HOST}/", {}, params=query)
    wire = _signed(SigV4QueryAuth(Credentials(KEY, secret), "sts", "eu-west-1", expires=900), request)
    assert _verify(wire, secret, "sts", sigv4.EMPTY_SHA256).presigned


@settings(max_examples=60)
@given(paths, queries, headers, st.data())
def test_one_changed_character_anywhere_is_refused(
    path: str, query: dict[str, str], extra: dict[str, str], data: st.DataObject
) -> None:
    request = AWSRequest("GET", f"http://{HOST}{path}", dict(extra), params=query)
    wire = _signed(S3SigV4Auth(Credentials(KEY, "secret"), "s3", "eu-west-1"), request)
    items = wire.headers.items
    where = data.draw(st.sampled_from(["method", "path", "query", "hash", "header", "added"]))
    at = data.draw(st.integers(0, len(items) - 1))
    name, value = items[at]
    changed = {
        "method": WireRequest("DELETE", wire.path, wire.query, wire.headers),
        "path": WireRequest("GET", wire.path + "x", wire.query, wire.headers),
        "query": WireRequest("GET", wire.path, f"{wire.query}&acl" if wire.query else "acl", wire.headers),
        "hash": wire,
        "header": WireRequest(
            "GET", wire.path, wire.query, Headers([*items[:at], (name, f"{value}0"), *items[at + 1 :]])
        ),
        "added": WireRequest("GET", wire.path, wire.query, Headers([*items, ("x-amz-acl", "public-read")])),
    }[where]
    with pytest.raises(AwsError):
        _verify(changed, "secret", "s3", "0" * 64 if where == "hash" else None)


@given(st.text(st.characters(max_codepoint=0xFF), min_size=1, max_size=60))
def test_any_authorization_header_is_read_or_refused(text: str) -> None:
    for value in (
        text,
        f"AWS4-HMAC-SHA256 {text}",
        f"AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host, Signature={text}",
    ):
        for service in ("s3", "iam"):
            wire = WireRequest(
                "GET", "/", "", Headers([("host", HOST), ("x-amz-date", "20260528T202640Z"), ("authorization", value)])
            )
            with pytest.raises(AwsError):
                _verify(wire, "secret", service, "0" * 64)


@given(st.text(st.characters(max_codepoint=0xFF), max_size=60), st.text(st.characters(max_codepoint=0xFF), max_size=60))
def test_any_path_and_query_have_a_canonical_form_which_is_their_own(path: str, query: str) -> None:
    wire = WireRequest("GET", f"/{path}", query, Headers([("host", HOST)]))
    for canonicalise in (canonical_request, canonical_request_normalised):
        assert canonicalise(wire, ("host",), "host", "UNSIGNED-PAYLOAD").startswith(b"GET\n/")
    once = canonical_request(wire, ("host",), "host", "UNSIGNED-PAYLOAD")
    _, canonical_path, canonical_query, *_ = once.decode().split("\n")
    again = WireRequest("GET", canonical_path, canonical_query, wire.headers)
    assert canonical_request(again, ("host",), "host", "UNSIGNED-PAYLOAD") == once
