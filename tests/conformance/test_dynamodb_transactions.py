"""Transactions through boto3: all or nothing, the reason of each, and once for each token."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refused

Table = Callable[..., str]

_FAILED = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}


def _key(p: str) -> dict[str, Any]:
    return {"p": {"S": p}}


def _put(table: str, p: str, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": _key(p), **more}}


def _delete(table: str, p: str, **more: Any) -> dict[str, Any]:
    return {"Delete": {"TableName": table, "Key": _key(p), **more}}


def _check(table: str, p: str, condition: str) -> dict[str, Any]:
    return {"ConditionCheck": {"TableName": table, "Key": _key(p), "ConditionExpression": condition}}


def _add(table: str, p: str, number: str = "1", **more: Any) -> dict[str, Any]:
    values = {":n": {"N": number}}
    update = {"TableName": table, "Key": _key(p), "UpdateExpression": "ADD n :n", "ExpressionAttributeValues": values}
    return {"Update": {**update, **more}}


def _items(dynamodb: Any, table: str) -> list[dict[str, Any]]:
    found = dynamodb.scan(TableName=table)["Items"]
    return sorted(found, key=lambda item: str(item["p"]["S"]))


def _body(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def _cancelled(dynamodb: Any, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    """The reasons. The message has to name the same codes."""
    with pytest.raises(ClientError) as caught:
        dynamodb.transact_write_items(TransactItems=list(actions))
    return _reasons(caught.value)


def _reasons(error: ClientError) -> list[dict[str, Any]]:
    response: dict[str, Any] = error.response
    reasons: list[dict[str, Any]] = response["CancellationReasons"]
    codes = ", ".join(reason["Code"] for reason in reasons)
    assert response["Error"]["Code"] == "TransactionCanceledException"
    assert response["Error"]["Message"] == (
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    )
    return reasons


def test_a_transaction_does_all_in_several_tables(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    dynamodb.put_item(TableName=one, Item=_key("gone"))
    reply = dynamodb.transact_write_items(
        TransactItems=[
            _put(one, "new", ConditionExpression="attribute_not_exists(p)"),
            _delete(one, "gone", ConditionExpression="attribute_exists(p)"),
            _add(other, "counter", "7"),
            _check(other, "absent", "attribute_not_exists(p)"),
        ]
    )
    assert _body(reply) == {}
    assert _items(dynamodb, one) == [_key("new")]
    assert _items(dynamodb, other) == [{**_key("counter"), "n": {"N": "7"}}]


def test_one_condition_that_fails_cancels_all_and_each_is_told_its_reason(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    there = {**_key("there"), "n": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=there)
    condition = {"ConditionExpression": "attribute_not_exists(p)"}
    shown = {**condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    assert _cancelled(
        dynamodb,
        _put(table, "new", **condition),
        _delete(table, "there", **shown),
        _check(table, "absent", "attribute_exists(p)"),
        _put(table, "other", ConditionExpression="attribute_exists(p)", ReturnValuesOnConditionCheckFailure="ALL_OLD"),
    ) == [{"Code": "None"}, {**_FAILED, "Item": there}, _FAILED, _FAILED]
    assert _items(dynamodb, table) == [there]


def test_an_action_that_does_not_fit_its_table_cancels_before_conditions_are_asked(
    dynamodb: Any, new_table: Table
) -> None:
    table = new_table()
    wrong = {"Put": {"TableName": table, "Item": {"p": {"N": "7"}}}}
    message = "One or more parameter values were invalid: Type mismatch for key p expected: S actual: N"
    assert _cancelled(dynamodb, _put(table, "a"), wrong, wrong, _check(table, "b", "attribute_exists(p)")) == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": message},
        {"Code": "None"},
        {"Code": "None"},
    ]
    assert _items(dynamodb, table) == []


def test_an_update_that_meets_another_type_cancels(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item={**_key("a"), "n": {"S": "text"}})
    reasons = _cancelled(dynamodb, _add(table, "a"), _check(table, "b", "attribute_exists(p)"))
    assert reasons == [
        {
            "Code": "ValidationError",
            "Message": "An operand in the update expression has an incorrect data type",
        },
        _FAILED,
    ]


def test_an_index_key_that_becomes_empty_is_refused_not_cancelled(dynamodb: Any, new_table: Table) -> None:
    index = {"IndexName": "by-x", "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}]}
    table = new_table(
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "px"],
        GlobalSecondaryIndexes=[{**index, "Projection": {"ProjectionType": "ALL"}}],
    )
    change = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": ""}}}
    message = (
        "One or more parameter values are not valid. "
        "The update expression attempted to update a secondary index key to a value that is not supported. "
        "The AttributeValue for a key attribute cannot contain an empty string value."
    )
    with refused("ValidationException", 400, message):
        dynamodb.transact_write_items(
            TransactItems=[_put(table, "a"), {"Update": {"TableName": table, "Key": _key("b"), **change}}]
        )
    assert _items(dynamodb, table) == []


def test_two_actions_on_one_item_are_refused(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    message = "Transaction request cannot include multiple operations on one item"
    with refused("ValidationException", 400, message):
        dynamodb.transact_write_items(
            TransactItems=[_put(table, "a"), _put(table, "b"), _check(table, "a", "attribute_exists(p)")]
        )
    get = {"Get": {"TableName": table, "Key": _key("a")}}
    with refused("ValidationException", 400, message):
        dynamodb.transact_get_items(TransactItems=[get, get])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ConditionExpression": "hello!"}, 'Invalid ConditionExpression: Syntax error; token: "!", near: "hello!"'),
        (
            {"ConditionExpression": "attribute_exists(p)", "ExpressionAttributeNames": {"#x": "x"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}",
        ),
        (
            {"Item": {"p": {"S": ""}}},
            "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: p",
        ),
    ],
)
def test_a_request_that_can_t_be_read_is_refused_as_a_whole(
    dynamodb: Any, new_table: Table, change: dict[str, Any], message: str
) -> None:
    with refused("ValidationException", 400, message):
        dynamodb.transact_write_items(TransactItems=[{"Put": {**_put(new_table(), "a")["Put"], **change}}])


def test_an_action_is_of_one_kind(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    message = "TransactItems can only contain one of Check, Put, Update or Delete"
    with refused("ValidationException", 400, message):
        dynamodb.transact_write_items(TransactItems=[{**_put(table, "a"), **_delete(table, "b")}])


def test_a_table_that_is_not_there_fails_the_request(dynamodb: Any) -> None:
    with refused("ResourceNotFoundException", 400, "Requested resource not found"):
        dynamodb.transact_write_items(TransactItems=[_put("no-such-table", "a")])
    with refused("ResourceNotFoundException", 400, "Requested resource not found"):
        dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": "no-such-table", "Key": _key("a")}}])


def test_a_transaction_brings_at_most_4_megabytes(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    large = {"S": "x" * 399_000}
    puts = [{"Put": {"TableName": table, "Item": {**_key(str(number)), "d": large}}} for number in range(11)]
    with pytest.raises(ClientError, match="size cannot exceed"):
        dynamodb.transact_write_items(TransactItems=puts)
    dynamodb.transact_write_items(TransactItems=puts[:10])
    # What counts is what the request brings, not what it deletes.
    dynamodb.transact_write_items(TransactItems=[_delete(table, str(number)) for number in range(10)])
    assert _items(dynamodb, table) == []


def test_a_token_makes_a_transaction_happen_once(dynamodb: Any, new_table: Table) -> None:
    table, token = new_table(), uuid.uuid4().hex
    wanted = {"TransactItems": [_add(table, "a", "5")], "ClientRequestToken": token, "ReturnConsumedCapacity": "TOTAL"}
    first, again = dynamodb.transact_write_items(**wanted), dynamodb.transact_write_items(**wanted)
    assert first["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}]
    assert again["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}]
    assert _items(dynamodb, table) == [{**_key("a"), "n": {"N": "5"}}]
    # Said in other words, it is the same.
    dynamodb.transact_write_items(TransactItems=[_add(table, "a", "5.0")], ClientRequestToken=token)
    assert _items(dynamodb, table) == [{**_key("a"), "n": {"N": "5"}}]


def test_a_token_stands_for_one_request(dynamodb: Any, new_table: Table) -> None:
    table, token = new_table(), uuid.uuid4().hex
    dynamodb.transact_write_items(TransactItems=[_put(table, "a")], ClientRequestToken=token)
    with refused("IdempotentParameterMismatchException", 400):
        dynamodb.transact_write_items(TransactItems=[_put(table, "b")], ClientRequestToken=token)
    assert _items(dynamodb, table) == [_key("a")]


def test_a_token_of_a_transaction_that_failed_may_be_used_again(dynamodb: Any, new_table: Table) -> None:
    table, token = new_table(), uuid.uuid4().hex
    wanted = {
        "TransactItems": [_put(table, "a", ConditionExpression="attribute_exists(p)")],
        "ClientRequestToken": token,
    }
    with refused("TransactionCanceledException", 400):
        dynamodb.transact_write_items(**wanted)
    dynamodb.put_item(TableName=table, Item={**_key("a"), "old": {"BOOL": True}})
    dynamodb.transact_write_items(**wanted)
    assert _items(dynamodb, table) == [_key("a")]


def test_transactions_get_items_of_several_tables_in_order(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    dynamodb.put_item(TableName=one, Item={**_key("a"), "d": {"S": "1"}, "e": {"S": "2"}})
    dynamodb.put_item(TableName=other, Item=_key("b"))
    reply = dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": other, "Key": _key("b")}},
            {"Get": {"TableName": one, "Key": _key("absent")}},
            {"Get": {"TableName": one, "Key": _key("a"), "ProjectionExpression": "e"}},
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert _body(reply) == {
        "Responses": [{"Item": _key("b")}, {}, {"Item": {"e": {"S": "2"}}}],
        "ConsumedCapacity": [
            {"TableName": other, "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0},
            {"TableName": one, "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0},
        ],
    }


def test_a_get_with_the_wrong_key_cancels(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    with pytest.raises(ClientError) as caught:
        dynamodb.transact_get_items(
            TransactItems=[
                {"Get": {"TableName": table, "Key": _key("a")}},
                {"Get": {"TableName": table, "Key": {"q": {"S": "a"}}}},
            ]
        )
    assert _reasons(caught.value) == [
        {"Code": "None"},
        {"Code": "ValidationError", "Message": "The provided key element does not match the schema"},
    ]


def test_transactions_tell_what_they_cost(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    reply = dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": {**_key("a"), "d": {"S": "x" * 1024}}}},
            _check(table, "b", "attribute_not_exists(p)"),
        ],
        ReturnConsumedCapacity="INDEXES",
    )
    assert reply["ConsumedCapacity"] == [
        {
            "TableName": table,
            "CapacityUnits": 6.0,
            "WriteCapacityUnits": 6.0,
            "Table": {"CapacityUnits": 6.0, "WriteCapacityUnits": 6.0},
        }
    ]
