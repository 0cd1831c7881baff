"""DynamoDB's endpoint below the SDKs: compression both ways, checksums, browsers, health, limits, and whom it lets in."""

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.signed_http import Answer

TABLE = "http-door"
JSON = "application/x-amz-json-1.0"
KEY = {"TableName": TABLE, "Key": {"p": {"S": "x"}}}
SERVICE = "com.amazon.coral.service"


@dataclass(frozen=True)
class Door:
    cloud: CloudUnderTest

    def send(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.cloud.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())
        finally:
            connection.close()

    def call(self, operation: str, body: bytes, **after_signing: str) -> Answer:
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}", "Content-Type": JSON}
        request = AWSRequest("POST", f"{self.cloud.endpoint}/", headers, body)
        credentials = Credentials(self.cloud.access_key, self.cloud.secret_key)
        SigV4Auth(credentials, "dynamodb", self.cloud.region).add_auth(request)
        added = {name.replace("_", "-"): value for name, value in after_signing.items()}
        return self.send("POST", "/", body, {**dict(request.headers.items()), **added})


@pytest.fixture(scope="module")
def door(cloud: CloudUnderTest) -> Iterator[Door]:
    client: Any = cloud.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
    client.put_item(TableName=TABLE, Item={"p": {"S": "x"}, "data": {"S": "y" * 5000}})
    yield Door(cloud)
    client.delete_table(TableName=TABLE)


def document(answer: Answer) -> tuple[int, Any]:
    return answer.status, json.loads(answer.body)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_an_answer_has_its_id_type_and_checksum(door: Door) -> None:
    for answer in (door.call("GetItem", encoded(KEY)), door.call("GetItem", b"{}"), door.call("Fly", b"{}")):
        assert answer.headers["content-type"] == JSON
        assert answer.headers["x-amz-crc32"] == str(zlib.crc32(answer.body))
        assert len(answer.headers["x-amzn-requestid"]) == 52


def test_a_request_may_come_compressed(door: Door) -> None:
    for coding, body in (("gzip", gzip.compress(encoded(KEY))), ("deflate", zlib.compress(encoded(KEY)))):
        status, reply = document(door.call("GetItem", body, Content_Encoding=coding))
        assert (status, reply["Item"]["p"]) == (200, {"S": "x"})
    status, reply = document(door.call("GetItem", encoded(KEY), Content_Encoding="gzip"))
    assert (status, reply["__type"]) == (500, "com.amazonaws.dynamodb.v20120810#InternalServerError")


def test_an_answer_goes_compressed_to_who_wishes_it(door: Door) -> None:
    plain = door.call("GetItem", encoded(KEY), Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    for coding, read in (("gzip", gzip.decompress), ("deflate", zlib.decompress)):
        answer = door.call("GetItem", encoded(KEY), Accept_Encoding=f"br, {coding}")
        assert answer.headers["content-encoding"] == coding
        assert answer.headers["x-amz-crc32"] == str(zlib.crc32(answer.body))
        assert read(answer.body) == plain.body


@pytest.mark.parametrize("megabytes", [17, 40])
def test_a_body_of_more_than_16_megabytes_is_refused(door: Door, megabytes: int) -> None:
    status, reply = document(door.call("GetItem", encoded(KEY) + b" " * megabytes * 1024 * 1024))
    assert (status, reply["__type"]) == (413, f"{SERVICE}#RequestEntityTooLargeException")


def test_a_compressed_body_counts_as_what_comes_out(door: Door) -> None:
    bomb = gzip.compress(encoded(KEY) + b" " * 20 * 1024 * 1024)
    status, reply = document(door.call("GetItem", bomb, Content_Encoding="gzip"))
    assert (status, reply["__type"]) == (413, f"{SERVICE}#RequestEntityTooLargeException")


def test_a_head_of_more_than_16_kilobytes_is_refused(door: Door) -> None:
    assert door.call("GetItem", encoded(KEY), one="x" * 8192, two="y" * 8192).status == 400


def test_nesting_without_end_is_refused_and_harms_nobody(door: Door) -> None:
    deep = (
        b'{"TableName":"http-door","Item":{"p":{"S":"x"},"a":' + b'{"M":{"a":' * 20_000 + b"1" + b"}}" * 20_001 + b"}"
    )
    status, reply = document(door.call("PutItem", deep))
    assert (status, reply) == (400, {"__type": f"{SERVICE}#SerializationException"})
    assert door.call("GetItem", encoded(KEY)).status == 200


def test_a_browser_of_any_origin_may_call(door: Door) -> None:
    origin = {"Origin": "https://app.example"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
    preflight = door.send("OPTIONS", "/", b"", {**origin, **asked})
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "POST"
    assert preflight.headers["access-control-allow-headers"] == "x-amz-target"
    assert door.call("GetItem", encoded(KEY), **origin).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in door.call("GetItem", encoded(KEY)).headers


def test_its_root_says_that_it_is_healthy(door: Door) -> None:
    answer = door.send("GET", "/", b"", {})
    assert (answer.status, answer.body) == (200, f"healthy: 127.0.0.1:{door.cloud.port} ".encode())


SIGNED = "AWS4-HMAC-SHA256 Credential=someone/2/3/4/aws4_request SignedHeaders=x-amz-date;host Signature=123"
STRANGERS = (
    ({}, "MissingAuthenticationTokenException", "Request is missing Authentication Token"),
    (
        {"Authorization": SIGNED, "X-Amz-Date": "20170101T010101Z"},
        "InvalidSignatureException",
        "Signature expired: 20170101T010101Z is now earlier than ",
    ),
    (
        {"Authorization": SIGNED, "X-Amz-Date": "30200101T010101Z"},
        "InvalidSignatureException",
        "Signature not yet current: 30200101T010101Z is still later than ",
    ),
)


@pytest.mark.parametrize(("headers", "code", "message"), STRANGERS)
def test_who_does_not_sign_in_time_is_refused(door: Door, headers: dict[str, str], code: str, message: str) -> None:
    target = {"X-Amz-Target": "DynamoDB_20120810.DescribeEndpoints", "Content-Type": JSON}
    status, reply = document(door.send("POST", "/", b"{}", {**target, **headers}))
    assert (status, reply["__type"]) == (400, f"{SERVICE}#{code}")
    assert reply["message"].startswith(message)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"aws_access_key_id": "AKIANOBODY"}, "UnrecognizedClientException"),
        ({"aws_secret_access_key": "guess"}, "InvalidSignatureException"),
        ({"region_name": "mars-1"}, "InvalidSignatureException"),
    ],
)
def test_who_signs_wrongly_is_refused(cloud: CloudUnderTest, settings: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as caught:
        cloud.client("dynamodb", **settings).describe_limits()
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
