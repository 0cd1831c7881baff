"""What goes wrong below the SDKs: odd methods, odd bodies, odd queries. Always S3's XML, never a trace."""

import http.client
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.signed_http import Answer, SignedHttp


@pytest.fixture
def http_client(cloud: CloudUnderTest) -> SignedHttp:
    return SignedHttp(cloud)


def told(answer: Answer) -> dict[str, str | None]:
    assert answer.headers.get("content-type") == "application/xml", answer
    assert answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    root = ElementTree.fromstring(answer.body)
    assert root.tag == "Error"
    return {child.tag: child.text for child in root}


def test_an_error_is_a_whole_document(http_client: SignedHttp, bucket: str) -> None:
    answer = http_client.send("GET", f"/{bucket}/missing")
    error = told(answer)
    assert answer.status == 404
    assert (error["Code"], error["Message"], error["Key"]) == (
        "NoSuchKey",
        "The specified key does not exist.",
        "missing",
    )
    assert error["RequestId"] == answer.headers["x-amz-request-id"]
    assert error["HostId"]
    assert answer.headers["x-amz-id-2"] == error["HostId"]


def test_an_error_to_head_has_no_body(http_client: SignedHttp, bucket: str) -> None:
    answer = http_client.send("HEAD", f"/{bucket}/missing")
    assert (answer.status, answer.body) == (404, b"")


@pytest.mark.parametrize("method", ["PATCH", "PROPFIND", "TRACE"])
def test_a_method_s3_does_not_know(http_client: SignedHttp, bucket: str, method: str) -> None:
    answer = http_client.send(method, f"/{bucket}/k")
    error = told(answer)
    assert (answer.status, error["Code"]) == (405, "MethodNotAllowed")
    assert error["Message"] == "The specified method is not allowed against this resource."


def test_a_method_nobody_knows_is_a_bad_request(http_client: SignedHttp, bucket: str) -> None:
    assert http_client.send("BREW", f"/{bucket}/k").status == 400


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"<Delete", b"<Other></Other>", b"<Delete></Delete>", b"\xff\xfe", b"<a>" * 5000]
)
def test_a_body_that_is_not_the_xml_it_should_be(http_client: SignedHttp, bucket: str, body: bytes) -> None:
    answer = http_client.send("POST", f"/{bucket}?delete", body, content_md5=True)
    assert (answer.status, told(answer)["Code"] in {"MalformedXML", "MissingRequestBodyError"}) == (400, True)


def test_no_entity_is_expanded(http_client: SignedHttp, bucket: str) -> None:
    bomb = (
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
        b'<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        b"<Delete><Object><Key>&b;&e;</Key></Object></Delete>"
    )
    answer = http_client.send("POST", f"/{bucket}?delete", bomb, content_md5=True)
    assert (answer.status, told(answer)["Code"]) == (400, "MalformedXML")


def test_a_bulk_delete_without_a_digest_is_refused(http_client: SignedHttp, bucket: str) -> None:
    body = b"<Delete><Object><Key>k</Key></Object></Delete>"
    answer = http_client.send("POST", f"/{bucket}?delete", body)
    assert (answer.status, told(answer)["Code"]) == (400, "InvalidRequest")


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("max-keys=many", "max-keys", "many"),
        ("max-keys=-1", "maxKeys", "-1"),
        ("max-keys=2147483648", "max-keys", "2147483648"),
        ("list-type=3", "list-type", "3"),
        ("encoding-type=latin", "encoding-type", "latin"),
    ],
)
def test_a_query_out_of_bounds(http_client: SignedHttp, bucket: str, query: str, name: str, value: str) -> None:
    answer = http_client.send("GET", f"/{bucket}?{query}")
    error = told(answer)
    assert (answer.status, error["Code"]) == (400, "InvalidArgument")
    assert (error["ArgumentName"], error["ArgumentValue"]) == (name, value)


def test_a_put_without_a_length_is_refused(http_client: SignedHttp, bucket: str) -> None:
    headers = http_client.sign("PUT", f"/{bucket}/k", payload="UNSIGNED-PAYLOAD")
    answer = http_client.send_raw("PUT", f"/{bucket}/k", headers)
    assert answer.status == 411
    error = told(answer)
    assert (error["Code"], error["Message"]) == (
        "MissingContentLength",
        "You must provide the Content-Length HTTP header.",
    )


def test_an_object_of_more_than_5_gib_at_once_is_refused(http_client: SignedHttp, bucket: str) -> None:
    answer = http_client.send("PUT", f"/{bucket}/k", b"", payload="UNSIGNED-PAYLOAD", length=5 * 2**30 + 1, expect=True)
    error = told(answer)
    assert (answer.status, error["Code"]) == (400, "EntityTooLarge")
    assert error["Message"] == "Your proposed upload exceeds the maximum allowed size"


def test_a_key_of_more_than_1024_bytes_is_refused(http_client: SignedHttp, bucket: str) -> None:
    assert http_client.send("PUT", f"/{bucket}/{'k' * 1024}", b"data").status == 200
    answer = http_client.send("PUT", f"/{bucket}/{'k' * 1025}", b"data")
    error = told(answer)
    assert (answer.status, error["Code"], error["Message"]) == (400, "KeyTooLongError", "Your key is too long")
    assert (error["Size"], error["MaxSizeAllowed"]) == ("1025", "1024")


def test_what_atoll_has_not_says_so(http_client: SignedHttp, bucket: str) -> None:
    for query in ("torrent", "analytics&id=1", "metrics&id=1", "intelligent-tiering&id=1"):
        answer = http_client.send("GET", f"/{bucket}?{query}" if query != "torrent" else f"/{bucket}/k?torrent")
        assert (answer.status, told(answer)["Code"]) == (501, "NotImplemented"), query


def test_a_header_that_is_not_honoured_is_refused(http_client: SignedHttp, bucket: str) -> None:
    answer = http_client.send("PUT", f"/{bucket}/k", b"data", **{"x-amz-server-side-encryption": "rot13"})
    assert answer.status in {400, 501}
    assert http_client.send("GET", f"/{bucket}/k").status == 404


def test_a_connection_goes_on_after_an_error(cloud: CloudUnderTest, http_client: SignedHttp, bucket: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    statuses: list[Any] = []
    for path in (f"/{bucket}/missing", f"/{bucket}", f"/{bucket}/missing"):
        request = http_client.sign("GET", path)
        connection.request("GET", path, headers=request)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [404, 200, 404]
    connection.close()
