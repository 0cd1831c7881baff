"""DynamoDB's door: browsers, health checks, compressed bodies, limits, and who is at the root of a host."""

import asyncio
import gzip
import zlib

import pytest

from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest
from atoll.gateway.connection import HttpRequest
from atoll.gateway.dynamodb_manners import HEAD_BYTES_MAX, DynamoDbManners, is_its_root
from atoll.gateway.incoming import RawBody

JSON = "application/x-amz-json-1.0"
manners = DynamoDbManners()


def request(method: str = "POST", path: str = "/", query: str = "", body: bytes = b"", **headers: str) -> HttpRequest:
    fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HttpRequest(method, path, query, Headers([("Host", "localhost:1"), *fields]), RawBody.of(body), "::1", False)


def routed(http: HttpRequest) -> WireRequest:
    return asyncio.run(manners.routed(http))


def answered(http: HttpRequest) -> WireReply | None:
    return asyncio.run(manners.answered(http, routed(http), "R"))


def finished(body: bytes, **headers: str) -> WireReply:
    reply = WireReply(200, [("x-amz-crc32", "1"), ("Server", "Atoll")], body)
    asyncio.run(manners.finished(request(**headers), reply))
    return reply


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_the_root_is_dynamodbs_for_who_does_not_sign(method: str) -> None:
    assert is_its_root(request(method), ("localhost",))


@pytest.mark.parametrize(
    "http",
    [
        request("PUT"),
        request("GET", "/bucket"),
        request("GET", "/", "X-Amz-Signature=x"),
        request("GET", Authorization="AWS4-HMAC-SHA256 x"),
        request("POST", Content_Type="application/x-www-form-urlencoded"),
        request("POST", Content_Type="multipart/form-data; boundary=x"),
    ],
)
def test_the_rest_is_s3s(http: HttpRequest) -> None:
    assert not is_its_root(http, ("localhost",))


@pytest.mark.parametrize(("host", "its"), [("photos.localhost", False), ("s3.localhost:1", False), ("10.0.0.1", True)])
def test_a_host_that_names_a_bucket_or_s3_is_s3s(host: str, its: bool) -> None:
    http = HttpRequest("GET", "/", "", Headers([("Host", host)]), RawBody.of(b""), "::1", False)
    assert is_its_root(http, ("localhost",)) is its


def test_a_health_check_is_told_the_host() -> None:
    body = b"healthy: localhost:1 "
    expected = WireReply(200, [("x-amzn-RequestId", "R"), ("x-amz-crc32", str(zlib.crc32(body)))], body)
    assert answered(request("GET")) == expected


@pytest.mark.parametrize(
    "http",
    [
        request("GET", "/x"),
        request("PUT", body=b"{}"),
        request(body=b"{}"),
        request(body=b"{}", Content_Type="text/plain"),
    ],
)
def test_what_is_no_call_is_not_found(http: HttpRequest) -> None:
    reply = answered(http)
    assert reply is not None
    assert (reply.status, reply.body) == (404, b"<UnknownOperationException/>\n")


@pytest.mark.parametrize("kind", [JSON, "application/json", f"{JSON}; charset=utf-8", "Application/JSON"])
def test_a_call_is_left_to_its_operation(kind: str) -> None:
    assert answered(request(body=b"{}", Content_Type=kind)) is None


def test_any_origin_is_welcome() -> None:
    exposed = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
    origin = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", exposed)]
    asked = {"Access_Control_Request_Method": "dog", "Access_Control_Request_Headers": "cat, mouse"}
    for method in ("GET", "POST"):
        assert asyncio.run(manners.told(routed(request(method, **asked)))) == origin
    preflight = request("OPTIONS", **asked)
    assert asyncio.run(manners.told(routed(preflight))) == [
        *origin,
        ("Access-Control-Max-Age", "172800"),
        ("Access-Control-Allow-Headers", "cat, mouse"),
        ("Access-Control-Allow-Methods", "dog"),
    ]
    assert answered(preflight) == WireReply(200, [("x-amzn-RequestId", "R")])


def test_a_compressed_document_is_read_after_it_was_signed() -> None:
    body = gzip.compress(b"{}")
    wire = routed(request(body=body, Content_Encoding="gzip"))
    assert wire.body == body
    assert asyncio.run(manners.document(wire, body)) == b"{}"
    plain = routed(request(body=b"{}", Content_Encoding="identity"))
    assert asyncio.run(manners.document(plain, b"{}")) == b"{}"


@pytest.mark.parametrize(
    ("body", "coding", "error"),
    [
        (b"{}", "gzip", ("InternalServerError", 500)),
        (b"{}", "dog", ("InternalServerError", 500)),
        (gzip.compress(b" " * (16 * 1024 * 1024 + 1)), "gzip", ("RequestEntityTooLargeException", 413)),
    ],
)
def test_a_document_that_can_not_be_decompressed_is_refused(body: bytes, coding: str, error: tuple[str, int]) -> None:
    wire = routed(request(body=body, Content_Encoding=coding))
    with pytest.raises(AwsError) as caught:
        asyncio.run(manners.document(wire, body))
    assert (caught.value.code, caught.value.status) == error


def test_long_answers_are_compressed_for_who_wishes_it() -> None:
    body = b"x" * 4096
    reply = finished(body, Accept_Encoding="gzip")
    assert gzip.decompress(reply.body) == body
    checksum = str(zlib.crc32(reply.body))
    assert reply.headers == [("Server", "Atoll"), ("Content-Encoding", "gzip"), ("x-amz-crc32", checksum)]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"x" * 4095, {"Accept_Encoding": "gzip"}),
        (b"x" * 4096, {}),
        (b"x" * 4096, {"Accept_Encoding": "identity"}),
        (b"x" * 4096, {"Accept_Encoding": "br"}),
    ],
)
def test_other_answers_stay_as_they_are(body: bytes, headers: dict[str, str]) -> None:
    assert finished(body, **headers) == WireReply(200, [("x-amz-crc32", "1"), ("Server", "Atoll")], body)


def test_of_several_wishes_the_first_counts() -> None:
    headers = Headers([("Accept-Encoding", "identity"), ("Accept-Encoding", "gzip")])
    reply = WireReply(200, [], b"x" * 5000)
    asyncio.run(manners.finished(HttpRequest("POST", "/", "", headers, RawBody.of(b""), "::1", False), reply))
    assert reply.headers == []


@pytest.mark.parametrize("http", [request(path="/" + "x" * HEAD_BYTES_MAX), request(A="x" * 8192, B="y" * 8192)])
def test_a_head_that_is_too_long_is_refused(http: HttpRequest) -> None:
    with pytest.raises(AwsError) as caught:
        routed(http)
    assert caught.value.status == 400


def test_its_ids_are_long() -> None:
    one, other = manners.new_request_id(), manners.new_request_id()
    assert one != other
    assert len(one) == len(other) == 52
    assert one.isalnum()
    assert one.upper() == one
