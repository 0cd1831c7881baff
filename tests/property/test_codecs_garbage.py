"""Whatever the bytes, a codec answers with a value or an AwsError: never with another exception, and never slowly.

ATOLL_EXAMPLES multiplies the tries.
"""

import os
from functools import lru_cache
from urllib.parse import quote

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.property.shapes import values_of

from atoll.aws.codec import codec_for
from atoll.aws.codecs import cbor_body, xml_reader
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireRequest

TRIES = 20 * int(os.environ.get("ATOLL_EXAMPLES", "1"))
SPOKEN = (
    ("s3", "rest-xml"),
    ("cloudfront", "rest-xml"),
    ("iam", "query"),
    ("cloudwatch", "query"),
    ("cloudwatch", "json"),
    ("cloudwatch", "smithy-rpc-v2-cbor"),
    ("ec2", "ec2"),
    ("dynamodb", "json"),
    ("ce", "json"),
    ("lambda", "rest-json"),
)
METHODS = st.sampled_from(("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "\x00"))
LATIN = st.text(st.characters(max_codepoint=255), max_size=30)
PIECES = st.sampled_from(
    (
        "/",
        "b",
        "k",
        "%",
        "%2",
        "%zz",
        "%00",
        "%ff",
        "..",
        "//",
        "?",
        "service",
        "operation",
        "2015-03-31",
        "functions",
        "{",
        "é",
    )
)
PATHS = st.one_of(LATIN, st.lists(PIECES, max_size=8).map("".join).map(lambda text: "/" + text))
QUERY_PIECES = st.sampled_from(
    (
        "acl",
        "uploads",
        "uploadId=",
        "partNumber=x",
        "list-type=2",
        "list-type=9",
        "max-keys=1e9",
        "&",
        "=",
        "%",
        "%ff",
        "+",
        "id",
    )
)
QUERIES = st.one_of(LATIN, st.lists(QUERY_PIECES, max_size=6).map("&".join))
HEADER_NAMES = st.sampled_from(
    ("x-amz-target", "x-amz-copy-source", "x-amz-meta-", "content-length", "if-modified-since", "x-amz-object-attributes", "range",
     "x-amz-object-lock-retain-until-date", "x-amz-mp-object-size", "expires", "content-type")
)  # fmt: skip
HEADERS = st.lists(st.tuples(HEADER_NAMES, LATIN), max_size=4).map(Headers)


def deep(opening: bytes, closing: bytes = b"", middle: bytes = b"") -> bytes:
    return opening * 20_000 + middle + closing * 20_000


NASTY = (
    b"",
    b"\x00",
    b"\xff\xfe<\x00a\x00/\x00>\x00",
    b"<a/>",
    b'<?xml version="1.0" encoding="cp037"?><Delete/>',
    b'<?xml version="1.0" encoding="utf-7"?><Delete/>',
    b'<!DOCTYPE a [<!ENTITY b "cccc"><!ENTITY d "&b;&b;&b;">]><Tagging>&d;</Tagging>',
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><Tagging/>',
    b"<Tagging>&undefined;</Tagging>",
    deep(b"<a>", b"</a>"),
    deep(b"[", b"]"),
    deep(b'{"a":', b"}", b"1"),
    deep(b'{"Filter":{"And":[', b"]}}"),
    deep(b"\x81"),
    deep(b"\x9f"),
    deep(b"\xa1\x61a"),
    deep(b"\xc1"),
    b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xc1\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00",
    b"1" * 10_000,
    b'{"Limit":' + b"9" * 5000 + b"}",
    b'{"TableName":"\\ud800"}',
    b'{"TableName":NaN}',
    b"Action=CreateUser&" + b"a." * 40_000 + b"=1",
    b"Action=CreateUser&UserName=%ff",
    b"Action=CreateUser&Tags.member.999999999999.Key=1",
    b"Action=RunInstances&MinCount=" + b"9" * 5000,
    b"&".join(b"a%d=1" % index for index in range(20_000)),
)
BODIES = st.one_of(st.binary(max_size=60), st.sampled_from(NASTY))

tries = settings(
    max_examples=TRIES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def swallow(service: str, protocol: str, wire: WireRequest, operation: str | None = None) -> None:
    """Only AwsError may come out, and it can always be told to the caller."""
    codec = codec_for(service, protocol)
    refusal = None
    try:
        codec.decode(operation or codec.route(wire), wire)
    except AwsError as error:
        refusal = codec.encode_error(None, error, "r")
    assert refusal is None or 400 <= refusal.status < 500


@lru_cache
def model_of(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@lru_cache
def operations_of(service: str) -> list[str]:
    # Of S3's there is one that botocore itself refuses to write with most values.
    return sorted(name for name in model_of(service).operation_names if name != "WriteGetObjectResponse")


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_no_bytes_make_a_codec_raise_anything_but_an_aws_error(service: str, protocol: str) -> None:
    @tries
    @given(METHODS, PATHS, QUERIES, HEADERS, BODIES)
    def routed(method: str, path: str, query: str, headers: Headers, body: bytes) -> None:
        swallow(service, protocol, WireRequest(method, path, query, headers, body))

    @tries
    @given(st.sampled_from(operations_of(service)), PATHS, QUERIES, HEADERS, BODIES)
    def decoded(operation: str, path: str, query: str, headers: Headers, body: bytes) -> None:
        swallow(service, protocol, WireRequest("POST", path, query, headers, body), operation)

    routed()
    decoded()


@pytest.mark.parametrize(("service", "protocol"), SPOKEN)
def test_a_damaged_request_makes_a_codec_raise_nothing_but_an_aws_error(service: str, protocol: str) -> None:
    serializer = create_serializer(protocol, include_validation=False)

    @tries
    @given(st.data())
    def damaged(data: st.DataObject) -> None:
        operation = model_of(service).operation_model(data.draw(st.sampled_from(operations_of(service))))
        value = data.draw(values_of(operation.input_shape))
        wire = serializer.serialize_to_request(value, operation)
        body = wire["body"]
        if isinstance(body, dict):
            body = "&".join(f"{quote(name)}={quote(str(item))}" for name, item in body.items()).encode()
        for _ in range(data.draw(st.integers(1, 3))):
            body = damage(data, body)
        swallow(
            service,
            protocol,
            WireRequest("POST", wire["url_path"].partition("?")[0], "", Headers(), body),
            operation.name,
        )

    damaged()


def damage(data: st.DataObject, body: bytes) -> bytes:
    start = data.draw(st.integers(0, len(body)))
    end = min(len(body), start + data.draw(st.integers(0, 4)))
    return body[:start] + data.draw(st.binary(max_size=3)) + body[end:]


@given(st.binary(max_size=80))
@tries
def test_cbor_of_any_kind_is_a_value_or_malformed(body: bytes) -> None:
    try:
        cbor_body.parse(body)
    except Malformed:
        return


@given(st.binary(max_size=80))
@tries
def test_xml_of_any_kind_is_an_element_or_malformed(body: bytes) -> None:
    try:
        assert xml_reader.parse(b"<a>" + body + b"</a>").tag == "a"
    except Malformed:
        return
