"""What AWS says of values that its model does not allow. Sentences as AWS sends them."""

import json
from typing import Any

import pytest

from atoll.aws.codec import codec_for
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireRequest

dynamodb = codec_for("dynamodb")
SELECT = "[SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]"
MAP_VALUE = "Member must have length less than or equal to 25, Member must have length greater than or equal to 1"
NAME_PATTERN = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
HASH = {"AttributeName": "a", "KeyType": "HASH"}


def decode(operation: str, document: Any) -> dict[str, Any]:
    wire = WireRequest("POST", "/", "", Headers(), json.dumps(document).encode())
    return dynamodb.decode(operation, wire)


def refusal(operation: str, document: Any) -> str:
    with pytest.raises(AwsError) as caught:
        decode(operation, document)
    assert caught.value.code == "ValidationException"
    return caught.value.message


ONE = (
    ("PutItem", {"Item": {}}, "Value null at 'tableName' failed to satisfy constraint: Member must not be null"),
    (
        "PutItem",
        {"TableName": "", "Item": {}},
        "Value '' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
    (
        "PutItem",
        {"TableName": "ab", "Item": {}},
        "Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3",
    ),
    (
        "PutItem",
        {"TableName": "a" * 256, "Item": {}},
        f"Value '{'a' * 256}' at 'tableName' failed to satisfy constraint: Member must have length less than or equal to 255",
    ),
    (
        "PutItem",
        {"TableName": "bad table!@#", "Item": {}},
        f"Value 'bad table!@#' at 'tableName' failed to satisfy constraint: {NAME_PATTERN}",
    ),
    (
        "CreateTable",
        {"TableName": "abc", "KeySchema": [HASH] * 3},
        "Value '[KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=a, keyType=HASH), "
        "KeySchemaElement(attributeName=a, keyType=HASH)]' at 'keySchema' failed to satisfy constraint: "
        "Member must have length less than or equal to 2",
    ),
    (
        "CreateTable",
        {"TableName": "abc", "KeySchema": [{"AttributeName": "a", "KeyType": "X"}]},
        "Value 'X' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum value set: [HASH, RANGE]",
    ),
    (
        "CreateTable",
        {"TableName": "abc", "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "SS"}]},
        "Value 'SS' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [B, N, S]",
    ),
    (
        "TransactWriteItems",
        {"TransactItems": []},
        "Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
    ),
    (
        "BatchWriteItem",
        {"RequestItems": {"abc": []}},
        f"Value '{{abc=[]}}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [{MAP_VALUE}]",
    ),
    (
        "BatchWriteItem",
        {"RequestItems": {"Abc": [{"PutRequest": {}}]}},
        "Value null at 'requestItems.Abc.member.1.member.putRequest.item' failed to satisfy constraint: Member must not be null",
    ),
    (
        "BatchWriteItem",
        {"RequestItems": {"abc": [None]}},
        "Value null at 'requestItems.abc.member.1.member' failed to satisfy constraint: Member must not be null",
    ),
    (
        "BatchGetItem",
        {"RequestItems": {"Abc": {"Keys": [{}] * 101}}},
        "Value at 'RequestItems.Abc.member.Keys' failed to satisfy constraint: Member must have length less than or equal to 100",
    ),
    (
        "Query",
        {"TableName": "abc", "Limit": 0},
        "Value at 'Limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ),
    (
        "Query",
        {"TableName": "abc", "Select": "dog"},
        f"Value 'dog' at 'select' failed to satisfy constraint: Member must satisfy enum value set: {SELECT}",
    ),
    (
        "Scan",
        {"TableName": "abc", "Limit": 0},
        "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
    ),
    (
        "ListTables",
        {"Limit": 101},
        "Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100",
    ),
)


@pytest.mark.parametrize(("operation", "document", "complaint"), ONE)
def test_one_thing_wrong_is_told(operation: str, document: Any, complaint: str) -> None:
    assert refusal(operation, document) == f"1 validation error detected: {complaint}"


def test_several_are_told_together() -> None:
    document = {"TableName": "a;", "Item": {}, "ReturnValues": "X"}
    assert refusal("PutItem", document) == (
        f"3 validation errors detected: Value 'a;' at 'tableName' failed to satisfy constraint: {NAME_PATTERN}; "
        "Value 'a;' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; "
        "Value 'X' at 'returnValues' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"
    )


def test_no_more_than_ten_are_told() -> None:
    keys = [{"KeyType": "X"}, {"KeyType": "Y"}]
    index = {"IndexName": "abc", "KeySchema": keys, "Projection": {}}
    message = refusal("CreateTable", {"TableName": "abc", "LocalSecondaryIndexes": [index] * 3})
    assert message.startswith("10 validation errors detected: ")
    assert message.count("; ") == 9


def test_a_table_that_is_not_named_where_tables_are_made_is_told_in_other_words() -> None:
    for operation in ("CreateTable", "DeleteTable", "DescribeTable", "UpdateTable"):
        expected = "The parameter 'TableName' is required but was not present in the request"
        assert refusal(operation, {}) == expected


def test_a_table_may_be_named_by_its_arn() -> None:
    request = {"TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/abc", "Key": {}}
    assert decode("GetItem", request) == request


def test_lengths_count_as_java_counts() -> None:
    tags = [{"Key": "k", "Value": "\U0001f600" * 128}]
    assert decode("TagResource", {"ResourceArn": "a", "Tags": tags}) == {"ResourceArn": "a", "Tags": tags}
    assert "less than or equal to 256" in refusal(
        "TagResource", {"ResourceArn": "a", "Tags": [{"Key": "k", "Value": "x" * 257}]}
    )


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_a_batch_of_no_tables_has_words_of_its_own(operation: str) -> None:
    message = f"The requestItems parameter is required for {operation}"
    assert refusal(operation, {"RequestItems": {}}) == message


def test_of_a_great_value_only_the_beginning_is_told() -> None:
    """All of it would take seconds to say, and as many megabytes."""
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(10_000)]
    many = [{"Get": {"TableName": "abc", "Key": {"p": {"S": str(number)}}}} for number in range(10_000)]
    start = "Value '[TransactGetItem(get=Get(key={p=AttributeValue(S=0, N=null, "
    message = refusal("TransactGetItems", {"TransactItems": many})
    assert message.startswith(f"1 validation error detected: {start}")
    assert message.endswith(
        "...]' at 'transactItems' failed to satisfy constraint: Member must have length less than or equal to 100"
    )
    assert 16 * 1024 < len(message) < 17 * 1024
    assert len(refusal("PutItem", {"TableName": "a" * 10**6, "Item": {}})) < 17 * 1024
    assert len(decode("TagResource", {"ResourceArn": "arn", "Tags": tags})["Tags"]) == 10_000


def test_what_is_too_much_is_not_looked_into_any_further() -> None:
    one = {"Get": {"TableName": "abc", "Key": {}}}
    bad = {"Get": {"TableName": "", "Key": {}}}
    assert refusal("TransactGetItems", {"TransactItems": [one] * 100 + [bad]}).count("failed to satisfy") == 1
    assert refusal("TransactGetItems", {"TransactItems": [one] * 99 + [bad] * 2}).count("failed to satisfy") == 2
    empty = {f"t{number:03d}": {} for number in range(200)}
    assert refusal("BatchGetItem", {"RequestItems": empty}).startswith(
        "10 validation errors detected: Value at 'RequestItems'"
    )
