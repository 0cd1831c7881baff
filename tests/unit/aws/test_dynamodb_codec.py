"""DynamoDB's wire, byte for byte: values as they come, AWS's words for what it can't read, checksums, error documents."""

import json
import zlib
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from atoll.aws.codec import codec_for
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest

dynamodb, streams = codec_for("dynamodb"), codec_for("dynamodbstreams")


def wire(body: bytes, target: str = "") -> WireRequest:
    return WireRequest("POST", "/", "", Headers([("X-Amz-Target", target)]), body)


def decode(operation: str, document: Any) -> dict[str, Any]:
    return dynamodb.decode(operation, wire(json.dumps(document).encode()))


def refusal(operation: str, body: bytes) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        dynamodb.decode(operation, wire(body))
    return caught.value.code, caught.value.message


def answer(status: int, body: bytes) -> WireReply:
    headers = [
        ("x-amzn-RequestId", "R"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amz-crc32", str(zlib.crc32(body))),
    ]
    return WireReply(status, headers, body)


def test_an_operation_is_found_by_its_target() -> None:
    assert dynamodb.route(wire(b"", "DynamoDB_20120810.GetItem")) == "GetItem"
    assert streams.route(wire(b"", "DynamoDBStreams_20120810.GetRecords")) == "GetRecords"
    for target in ("DynamoDB_20120810.Fly", "DynamoDB_20111205.GetItem", "GetItem", ""):
        with pytest.raises(AwsError) as caught:
            dynamodb.route(wire(b"", target))
        assert dynamodb.encode_error(None, caught.value, "R") == answer(
            400, b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'
        )


def test_attribute_values_stay_as_they_came() -> None:
    item = {
        "s": {"S": "\u00fc"},
        "n": {"N": "1.50"},
        "b": {"B": "AP8="},
        "l": {"L": [{"M": {"x": {"NULL": True}}}, {"BOOL": False}]},
        "ss": {"SS": ["a"]},
        "ns": {"NS": ["1"]},
        "bs": {"BS": ["AA=="]},
    }
    assert decode("PutItem", {"TableName": "abc", "Item": item}) == {"TableName": "abc", "Item": item}


def test_nulls_and_unknown_members_are_as_if_not_given() -> None:
    document = {"TableName": "abc", "Colour": {"a": [1]}, "ReturnValues": None, "Item": {"a": {"S": "1", "Z": 1}}}
    assert decode("PutItem", document) == {"TableName": "abc", "Item": {"a": {"S": "1"}}}


def test_an_attribute_value_that_is_null_has_no_type() -> None:
    document = {"TableName": "abc", "Item": {"a": None, "l": {"L": [None]}}}
    assert decode("PutItem", document) == {"TableName": "abc", "Item": {"a": {}, "l": {"L": [{}]}}}


def test_what_aws_reads_leniently_is_read_so() -> None:
    assert decode("ListTables", {"Limit": 1.9}) == {"Limit": 1}
    for text, meant in (("yes", True), ("TRUE", True), ("1", True), ("no", False), ("False", False), ("0", False)):
        read = decode("GetItem", {"TableName": "abc", "Key": {}, "ConsistentRead": text})
        assert read == {"TableName": "abc", "Key": {}, "ConsistentRead": meant}


def test_times_are_moments() -> None:
    read = decode("ListBackups", {"BackupType": "USER", "TimeRangeLowerBound": 1_795_358_136.25})
    moment = datetime(2026, 11, 22, 14, 35, 36, 250_000, tzinfo=UTC)
    assert read == {"BackupType": "USER", "TimeRangeLowerBound": moment}


_JAVA = "com.amazonaws.dynamodb.v20120810"
_PARAMETERIZED = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class "
    "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
)
UNREADABLE = (
    ("PutItem", b"", ""),
    ("PutItem", b"{", ""),
    ("PutItem", b"\xff", ""),
    ("PutItem", b'{"TableName":"\xff"}', ""),
    ("PutItem", b"[]", f"Unrecognized collection type class {_JAVA}.PutItemInput"),
    ("PutItem", b'{"TableName":1}', "NUMBER_VALUE cannot be converted to String"),
    ("PutItem", b'{"TableName":1.5}', "DECIMAL_VALUE cannot be converted to String"),
    ("PutItem", b'{"TableName":true}', "TRUE_VALUE cannot be converted to String"),
    ("PutItem", b'{"TableName":[]}', "Unrecognized collection type class java.lang.String"),
    ("PutItem", b'{"TableName":{}}', "Start of structure or map found where not expected"),
    ("PutItem", b'{"Item":"x"}', "Unexpected field type"),
    (
        "PutItem",
        b'{"Item":[]}',
        f"Unrecognized collection type java.util.Map<java.lang.String, {_JAVA}.AttributeValue>",
    ),
    ("PutItem", b'{"Item":{"a":1}}', "Unexpected value type in payload"),
    ("PutItem", b'{"Item":{"a":[]}}', f"Unrecognized collection type class {_JAVA}.AttributeValue"),
    ("PutItem", b'{"Item":{"a":{"N":3}}}', "NUMBER_VALUE cannot be converted to String"),
    ("PutItem", b'{"Item":{"a":{"B":3}}}', "only base-64-encoded strings are convertible to bytes"),
    ("PutItem", b'{"Item":{"a":{"L":{}}}}', "Start of structure or map found where not expected"),
    ("GetItem", b'{"ConsistentRead":1}', "NUMBER_VALUE cannot be converted to Boolean"),
    ("GetItem", b'{"ConsistentRead":"dog"}', "Unexpected token received from parser"),
    ("Scan", b'{"Limit":"1"}', "STRING_VALUE cannot be converted to Integer"),
    ("Scan", b'{"Limit":false}', "FALSE_VALUE cannot be converted to Integer"),
    ("BatchWriteItem", b'{"RequestItems":{"abc":1}}', _PARAMETERIZED),
    (
        "BatchWriteItem",
        b'{"RequestItems":[]}',
        f"Unrecognized collection type java.util.Map<java.lang.String, java.util.List<{_JAVA}.WriteRequest>>",
    ),
)


@pytest.mark.parametrize(("operation", "body", "message"), UNREADABLE)
def test_what_can_not_be_read_is_a_serialization_exception(operation: str, body: bytes, message: str) -> None:
    assert refusal(operation, body) == ("SerializationException", message)


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 10_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"TableName":"abc","Item":{"a":' + b'{"L":[' * 400 + b"1" + b"]}" * 400 + b"}}",
        b'{"TableName":"abc","Item":{"a":' + b'{"M":{"b":' * 5_000 + b'{"S":"x"}' + b"}}" * 5_000 + b"}}",
    ],
)
def test_endless_nesting_is_refused(body: bytes) -> None:
    assert refusal("PutItem", body)[0] == "SerializationException"


def test_replies_of_items_go_out_as_they_are() -> None:
    reply = {
        "Item": orjson.Fragment(b'{"a":{"B":"AP8="}}'),
        "ConsumedCapacity": {"TableName": "t", "CapacityUnits": 0.5},
    }
    body = b'{"Item":{"a":{"B":"AP8="}},"ConsumedCapacity":{"TableName":"t","CapacityUnits":0.5}}'
    assert dynamodb.encode("GetItem", reply, "R") == answer(200, body)


def test_replies_of_tables_are_written_by_the_model() -> None:
    moment = datetime(2026, 11, 22, 14, 35, 36, tzinfo=UTC)
    for when in (moment, 1_795_358_136):
        reply = {"TableDescription": {"CreationDateTime": when, "TableName": "t", "TableClassSummary": None}}
        body = b'{"TableDescription":{"CreationDateTime":1795358136,"TableName":"t"}}'
        assert dynamodb.encode("CreateTable", reply, "R") == answer(200, body)


def test_an_operation_that_answers_nothing_has_an_empty_body() -> None:
    assert dynamodb.encode("TagResource", {}, "R") == answer(200, b"")


def test_a_reply_the_model_does_not_know_is_our_bug() -> None:
    for operation, reply in (("GetItem", {"Items": {}}), ("DescribeTable", {"Table": {"Colour": "red"}})):
        with pytest.raises(AssertionError):
            dynamodb.encode(operation, reply, "R")


ERRORS = (
    (
        AwsError("ResourceNotFoundException", "m"),
        400,
        b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"m"}',
    ),
    (
        AwsError("ValidationException", "m"),
        400,
        b'{"__type":"com.amazon.coral.validate#ValidationException","message":"m"}',
    ),
    (
        AwsError("SerializationException", "m"),
        400,
        b'{"__type":"com.amazon.coral.service#SerializationException","Message":"m"}',
    ),
    (AwsError("SerializationException", ""), 400, b'{"__type":"com.amazon.coral.service#SerializationException"}'),
    (
        AwsError("UnrecognizedClientException", "m"),
        400,
        b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"m"}',
    ),
    (
        AwsError("AccessDeniedException", "m"),
        400,
        b'{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"m"}',
    ),
    (
        AwsError("ConditionalCheckFailedException", "m", Item=orjson.Fragment(b'{"a":{"S":"1"}}')),
        400,
        b'{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"m","Item":{"a":{"S":"1"}}}',
    ),
    (
        AwsError("TransactionCanceledException", "m", CancellationReasons=[{"Code": "None"}]),
        400,
        b'{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","Message":"m","CancellationReasons":[{"Code":"None"}]}',
    ),
    (
        AwsError("InternalServerError", "m"),
        500,
        b'{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"m"}',
    ),
)


@pytest.mark.parametrize(("error", "status", "body"), ERRORS)
def test_errors_are_documents_of_the_package_they_are_from(error: AwsError, status: int, body: bytes) -> None:
    assert dynamodb.encode_error("GetItem", error, "R") == answer(status, body)


def test_a_request_with_times_in_it_is_no_megabyte() -> None:
    """Only the slow reader reads times: 16 MB would be many seconds of it."""
    document = {"BackupType": "USER", "TableName": "abc"}
    assert decode("ListBackups", document | {"Colour": "x" * 1_000_000}) == document
    code, _ = refusal("ListBackups", json.dumps(document | {"Colour": "x" * 2**20}).encode())
    assert code == "RequestEntityTooLargeException"
