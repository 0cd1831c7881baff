"""The wire of JSON, rest-json and CBOR, byte for byte, and how a service of several protocols is told which."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from atoll.aws import model as models
from atoll.aws.codec import Codec, codec_for, codec_of
from atoll.aws.codecs import cbor_body
from atoll.aws.codecs.json import Json
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest

MOMENT = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)
SECONDS = 1_795_358_136
# DynamoDB's shapes, in the JSON of everybody else.
dynamodb = Codec(models.load("dynamodb"), "json", Json(models.load("dynamodb")))
ssm, ce = codec_for("ssm"), codec_for("ce")
cbor, awslambda = codec_for("cloudwatch"), codec_for("lambda")
CBOR_PATH = "/service/GraniteServiceVersion20100801/operation/"


def json_wire(target: str, body: bytes) -> WireRequest:
    return WireRequest("POST", "/", "", Headers([("X-Amz-Target", target)]), body)


def refusal(codec: Codec, operation: str, body: bytes) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        codec.decode(operation, json_wire("", body))
    return caught.value.code, caught.value.message


def test_json_is_routed_by_its_target() -> None:
    assert dynamodb.route(json_wire("DynamoDB_20120810.GetItem", b"{}")) == "GetItem"
    for target in ("DynamoDB_20120810.Fly", "GetItem", "AmazonSSM.GetParameter", ""):
        with pytest.raises(AwsError) as caught:
            dynamodb.route(json_wire(target, b"{}"))
        assert caught.value.code == "UnknownOperationException"


def test_json_becomes_python_and_null_is_not_given() -> None:
    body = b'{"TableName":"t","Item":{"a":{"B":"AP8="},"n":{"N":"1.50"},"l":{"L":[{"M":{}},{"BOOL":true}]}},"ReturnValues":null}'
    assert dynamodb.decode("PutItem", json_wire("", body)) == {
        "TableName": "t",
        "Item": {"a": {"B": b"\x00\xff"}, "n": {"N": "1.50"}, "l": {"L": [{"M": {}}, {"BOOL": True}]}},
    }


def test_times_in_json_are_seconds() -> None:
    tables = {"TableDescription": {"CreationDateTime": MOMENT, "TableName": "t"}}
    assert dynamodb.encode("CreateTable", tables, "R") == WireReply(
        200,
        [("x-amzn-RequestId", "R"), ("Content-Type", "application/x-amz-json-1.0")],
        b'{"TableDescription":{"CreationDateTime":%d,"TableName":"t"}}' % SECONDS,
    )
    text = {"TableDescription": {"CreationDateTime": "2026-11-22T14:35:36.250Z"}}
    assert (
        dynamodb.encode("CreateTable", text, "R").body == b'{"TableDescription":{"CreationDateTime":%d.25}}' % SECONDS
    )
    body = b'{"BackupType":"USER","TimeRangeLowerBound":%d.25}' % SECONDS
    assert dynamodb.decode("ListBackups", json_wire("", body)) == {
        "BackupType": "USER",
        "TimeRangeLowerBound": MOMENT.replace(microsecond=250_000),
    }


NULL = "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"
EXPECTED = "a value of another type stands where {} is expected"
JSON_REFUSALS = (
    (b"", "ValidationException", NULL),
    (b"{}", "ValidationException", NULL),
    (b"[]", "SerializationException", EXPECTED.format("a structure")),
    (b'{"TableName":1}', "SerializationException", EXPECTED.format("a string")),
    (b'{"TableName":"t","Limit":1.0}', "SerializationException", EXPECTED.format("an integer")),
    (b'{"TableName":"t","Limit":true}', "SerializationException", EXPECTED.format("an integer")),
    (b'{"TableName":"t","Limit":2147483648}', "SerializationException", "2147483648 is out of range for type integer"),
    (b'{"TableName":"t","ConsistentRead":"true"}', "SerializationException", EXPECTED.format("a boolean")),
    (b'{"TableName":"t","AttributesToGet":{}}', "SerializationException", EXPECTED.format("a list")),
    (b'{"TableName":"t","AttributesToGet":[null]}', "SerializationException", EXPECTED.format("a string")),
    (b'{"TableName":"t","ExclusiveStartKey":[]}', "SerializationException", EXPECTED.format("a map")),
    (
        b'{"TableName":"t","ExclusiveStartKey":{"a":{"B":"?"}}}',
        "SerializationException",
        "a binary value is not base64",
    ),
    (b'{"TableName":"t","Colour":1}', "SerializationException", "'Colour' is not a member of ScanInput"),
)


@pytest.mark.parametrize(("body", "code", "message"), JSON_REFUSALS)
def test_json_that_the_model_does_not_allow_is_refused(body: bytes, code: str, message: str) -> None:
    assert refusal(dynamodb, "Scan", body) == (code, message)


def test_json_that_is_none_or_endless_is_refused() -> None:
    code, message = refusal(dynamodb, "Scan", b'{"TableName":')
    assert (code, message[:24]) == ("SerializationException", "the body is not JSON: un")
    deep = b'{"Filter":' + b'{"Not":' * 500 + b"{}" + b"}" * 500 + b"}"
    assert refusal(ce, "GetCostAndUsage", deep) == ("SerializationException", "nested too deeply")


def test_a_json_error_names_its_type_and_message_as_the_service_does() -> None:
    error = AwsError("ResourceNotFoundException", "no table")
    headers = [
        ("x-amzn-RequestId", "R"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-ErrorType", "ResourceNotFoundException"),
    ]
    body = b'{"__type":"ResourceNotFoundException","message":"no table"}'
    assert dynamodb.encode_error("GetItem", error, "R") == WireReply(400, headers, body)
    cancelled = AwsError("TransactionCanceledException", "m", CancellationReasons=[{"Code": "None"}])
    assert dynamodb.encode_error(None, cancelled, "R").body == (
        b'{"__type":"TransactionCanceledException","Message":"m","CancellationReasons":[{"Code":"None"}]}'
    )
    assert dynamodb.encode_error(None, AwsError("InternalServerError", "m"), "R").status == 500


def test_a_reply_the_model_does_not_know_is_our_bug() -> None:
    for codec, operation, reply in (
        (dynamodb, "GetItem", {"Items": {}}),
        (dynamodb, "GetItem", {"Item": {"a": {"Z": "1"}}}),
        (dynamodb, "GetItem", {"Item": {"a": {"S": 1}}}),
        (cbor, "ListMetrics", {"Metrics": [{"Colour": "red"}]}),
        (awslambda, "GetFunction", {"Colour": "red"}),
    ):
        with pytest.raises(AssertionError):
            codec.encode(operation, reply, "R")


def cbor_wire(path: str, body: bytes = b"", method: str = "POST") -> WireRequest:
    return WireRequest(method, path, "", Headers([("smithy-protocol", "rpc-v2-cbor")]), body)


def test_cbor_is_routed_by_its_path() -> None:
    assert cbor.route(cbor_wire(CBOR_PATH + "PutMetricData")) == "PutMetricData"
    for wire in (
        cbor_wire(CBOR_PATH + "Fly"),
        cbor_wire(CBOR_PATH + "PutMetricData/x"),
        cbor_wire("/service/Other/operation/PutMetricData"),
        cbor_wire(CBOR_PATH + "PutMetricData", method="GET"),
    ):
        with pytest.raises(AwsError) as caught:
            cbor.route(wire)
        assert (caught.value.code, caught.value.status) == ("UnknownOperationException", 404)


CBOR_ITEMS: tuple[tuple[str, Any], ...] = (
    ("00", 0), ("1818", 24), ("1903e8", 1000), ("1bffffffffffffffff", 2**64 - 1), ("20", -1), ("3903e7", -1000),
    ("40", b""), ("4301ff00", b"\x01\xff\x00"), ("5f42010243030405ff", b"\x01\x02\x03\x04\x05"),
    ("60", ""), ("62c3bc", "ü"), ("7f657374726561646d696e67ff", "streaming"),
    ("80", []), ("83010203", [1, 2, 3]), ("9fff", []), ("9f018202039f0405ffff", [1, [2, 3], [4, 5]]),
    ("a0", {}), ("a1616101", {"a": 1}), ("bf6346756ef563416d7421ff", {"Fun": True, "Amt": -2}),
    ("f4", False), ("f5", True), ("f6", None), ("f7", None),
    ("f93c00", 1.0), ("f90001", 5.960464477539063e-08), ("fa47c35000", 100000.0), ("fb3ff199999999999a", 1.1),
    ("f97c00", float("inf")), ("c11a6b02fdb8", MOMENT), ("c1fb41dac0bf6e080000", MOMENT.replace(microsecond=125_000)),
)  # fmt: skip


@pytest.mark.parametrize(("octets", "value"), CBOR_ITEMS)
def test_cbor_items_are_read(octets: str, value: Any) -> None:
    assert cbor_body.parse(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    "octets",
    [
        "18", "1c", "1f", "3f", "41", "5f4101", "5f6161ff", "61ff", "81", "9f", "a1", "a101f5", "a2616101616102", "bf6161ff",
        "c0f6", "c16161", "c2420100", "d81c80", "c1f97e00", "c1fb7fefffffffffffff", "e0", "f818", "fe", "ff", "0000",
        "9b7fffffffffffffff", "81" * 200,
    ],
)  # fmt: skip
def test_cbor_that_is_none_is_malformed(octets: str) -> None:
    with pytest.raises(Malformed):
        cbor_body.parse(bytes.fromhex(octets))


def test_cbor_replies_are_definite_and_tag_their_times() -> None:
    reply = {"Label": "l", "Datapoints": [{"Timestamp": MOMENT, "Average": 1.5, "SampleCount": 3}]}
    assert cbor.encode("GetMetricStatistics", reply, "R") == WireReply(
        200,
        [("x-amzn-RequestId", "R"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Type", "application/cbor")],
        bytes.fromhex("a2") + b"\x65Label\x61l" + b"\x6aDatapoints\x81\xa3" + b"\x69Timestamp\xc1\x1a\x6b\x02\xfd\xb8"
        b"\x67Average\xfb\x3f\xf8\x00\x00\x00\x00\x00\x00" + b"\x6bSampleCount\xfb\x40\x08\x00\x00\x00\x00\x00\x00",
    )  # fmt: skip


def test_a_cbor_error_tells_old_query_clients_their_code() -> None:
    answer = cbor.encode_error(None, AwsError("InvalidParameterInput", "m"), "R")
    assert answer.status == 400
    assert ("x-amzn-query-error", "InvalidParameterInput;Sender") in answer.headers
    document = cbor_body.parse(answer.body)
    assert document["__type"] == "com.amazonaws.cloudwatch#DashboardInvalidInputError"
    assert document["message"] == "m"


def test_a_service_of_several_protocols_is_told_which_by_marks() -> None:
    def speaks(*headers: tuple[str, str]) -> str:
        return codec_of("cloudwatch", WireRequest("POST", "/", "", Headers(headers))).protocol

    assert speaks(("smithy-protocol", "rpc-v2-cbor")) == "smithy-rpc-v2-cbor"
    assert speaks(("X-Amz-Target", "GraniteServiceVersion20100801.ListMetrics")) == "json"
    assert speaks(("Content-Type", "application/x-www-form-urlencoded")) == "query"
    assert codec_of("iam", WireRequest("POST", "/", "", Headers())) is codec_for("iam")


def test_rest_json_is_bound_to_path_query_and_body() -> None:
    def rest(method: str, path: str, query: str = "", body: bytes = b"") -> tuple[str, dict[str, Any]]:
        wire = WireRequest(method, path, query, Headers([("X-Amz-Log-Type", "Tail")]), body)
        operation = awslambda.route(wire)
        return operation, awslambda.decode(operation, wire)

    assert rest("GET", "/2015-03-31/functions/", "MaxItems=5") == ("ListFunctions", {"MaxItems": 5})
    assert rest("POST", "/2015-03-31/functions/a%3Ab/invocations", "Qualifier=1", b"\x01") == (
        "Invoke",
        {"FunctionName": "a:b", "LogType": "Tail", "Qualifier": "1", "Payload": b"\x01"},
    )
    assert rest("PUT", "/2017-10-31/functions/f/concurrency", "", b'{"ReservedConcurrentExecutions":3}') == (
        "PutFunctionConcurrency",
        {"FunctionName": "f", "ReservedConcurrentExecutions": 3},
    )


def test_rest_json_replies_have_the_status_and_headers_of_their_members() -> None:
    reply = {"StatusCode": 202, "FunctionError": "Unhandled", "Payload": b"{}"}
    headers = [("x-amzn-RequestId", "R"), ("X-Amz-Function-Error", "Unhandled")]
    assert awslambda.encode("Invoke", reply, "R") == WireReply(202, headers, b"{}")
    error = awslambda.encode_error(None, AwsError("ResourceNotFoundException", "m", Type="User"), "R")
    assert (error.status, json.loads(error.body)) == (404, {"Message": "m", "Type": "User"})
    assert ("x-amzn-ErrorType", "ResourceNotFoundException") in error.headers
