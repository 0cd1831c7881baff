"""Single items through boto3: written, read, updated and deleted, with every condition and every way to be answered."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.refusals import refused

Table = Callable[..., str]

_EVERYTHING: dict[str, Any] = {
    "p": {"S": "all"},
    "s": {"S": "text, even 日本"},
    "n": {"N": "-12.5"},
    "b": {"B": b"\x00\xff"},
    "t": {"BOOL": True},
    "f": {"BOOL": False},
    "o": {"NULL": True},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": [b"x", b"y"]},
    "l": {"L": [{"S": "in"}, {"L": []}, {"N": "3"}]},
    "m": {"M": {"k": {"M": {}}, " ": {"S": "a blank name"}}},
    "es": {"S": ""},
    "eb": {"B": b""},
}


def _key(text: str = "a") -> dict[str, Any]:
    return {"p": {"S": text}}


def _body(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def _item(dynamodb: Any, table: str, key: dict[str, Any] | None = None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = dynamodb.get_item(TableName=table, Key=key or _key(), ConsistentRead=True).get(
        "Item"
    )
    return found


def test_what_is_put_is_got(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    assert _body(dynamodb.put_item(TableName=table, Item=_EVERYTHING)) == {}
    assert _body(dynamodb.get_item(TableName=table, Key=_key("all"))) == {"Item": _EVERYTHING}


def test_numbers_come_back_in_their_one_form(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    dynamodb.put_item(
        TableName=table, Item={**_key(), "n": {"N": "0012.500"}, "e": {"N": "1e3"}, "ns": {"NS": ["1.0"]}}
    )
    assert _item(dynamodb, table) == {**_key(), "n": {"N": "12.5"}, "e": {"N": "1000"}, "ns": {"NS": ["1"]}}


def test_what_is_not_there_is_answered_by_nothing(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    assert _body(dynamodb.get_item(TableName=table, Key=_key())) == {}
    assert _body(dynamodb.delete_item(TableName=table, Key=_key(), ReturnValues="ALL_OLD")) == {}


def test_a_table_may_be_named_by_its_arn(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.put_item(TableName=arn, Item=_key())
    reply = dynamodb.get_item(TableName=arn, Key=_key(), ReturnConsumedCapacity="TOTAL")
    assert _body(reply) == {"Item": _key(), "ConsumedCapacity": {"TableName": arn, "CapacityUnits": 0.5}}


def test_projections_answer_a_part(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item=_EVERYTHING)
    reply = dynamodb.get_item(
        TableName=table,
        Key=_key("all"),
        ProjectionExpression="#s, l[1], m.k, nothing",
        ExpressionAttributeNames={"#s": "s"},
    )
    assert reply["Item"] == {"s": _EVERYTHING["s"], "l": {"L": [{"L": []}]}, "m": {"M": {"k": {"M": {}}}}}
    assert dynamodb.get_item(TableName=table, Key=_key("all"), AttributesToGet=["n", "x"])["Item"] == {
        "n": _EVERYTHING["n"]
    }
    assert dynamodb.get_item(TableName=table, Key=_key("all"), ProjectionExpression="nothing")["Item"] == {}


def test_a_put_replaces_the_item_and_answers_the_old_one(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    first, second = {**_key(), "a": {"S": "1"}}, {**_key(), "b": {"S": "2"}}
    assert _body(dynamodb.put_item(TableName=table, Item=first, ReturnValues="ALL_OLD")) == {}
    assert _body(dynamodb.put_item(TableName=table, Item=second, ReturnValues="ALL_OLD")) == {"Attributes": first}
    assert _body(dynamodb.delete_item(TableName=table, Key=_key(), ReturnValues="ALL_OLD")) == {"Attributes": second}
    assert _item(dynamodb, table) is None


@pytest.mark.parametrize("operation", ["put_item", "delete_item"])
@pytest.mark.parametrize("wanted", ["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_only_updates_answer_what_is_new(dynamodb: Any, new_table: Table, operation: str, wanted: str) -> None:
    table = new_table()
    given = {"Item": _key()} if operation == "put_item" else {"Key": _key()}
    with refused("ValidationException", 400, "ReturnValues can only be ALL_OLD or NONE"):
        getattr(dynamodb, operation)(TableName=table, ReturnValues=wanted, **given)


@pytest.mark.parametrize(
    ("wanted", "attributes"),
    [
        ("NONE", None),
        (
            "ALL_OLD",
            {"p": {"S": "a"}, "a": {"N": "1"}, "b": {"S": "old"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}},
        ),
        (
            "ALL_NEW",
            {"p": {"S": "a"}, "a": {"N": "6"}, "c": {"S": "new"}, "m": {"M": {"x": {"N": "9"}, "y": {"N": "2"}}}},
        ),
        ("UPDATED_OLD", {"a": {"N": "1"}, "b": {"S": "old"}, "m": {"M": {"x": {"N": "1"}}}}),
        ("UPDATED_NEW", {"a": {"N": "6"}, "c": {"S": "new"}, "m": {"M": {"x": {"N": "9"}}}}),
    ],
)
def test_an_update_answers_what_is_asked_for(
    dynamodb: Any, new_table: Table, wanted: str, attributes: dict[str, Any] | None
) -> None:
    table = new_table()
    item = {**_key(), "a": {"N": "1"}, "b": {"S": "old"}, "m": {"M": {"x": {"N": "1"}, "y": {"N": "2"}}}}
    dynamodb.put_item(TableName=table, Item=item)
    reply = dynamodb.update_item(
        TableName=table,
        Key=_key(),
        UpdateExpression="SET a = a + :five, c = :new, m.x = :nine REMOVE b",
        ExpressionAttributeValues={":five": {"N": "5"}, ":new": {"S": "new"}, ":nine": {"N": "9"}},
        ReturnValues=wanted,
    )
    assert _body(reply) == ({} if attributes is None else {"Attributes": attributes})


def test_an_update_makes_the_item_unless_it_only_removes(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    dynamodb.update_item(TableName=table, Key=_key("removed"), UpdateExpression="REMOVE a")
    assert _item(dynamodb, table, _key("removed")) is None
    dynamodb.update_item(TableName=table, Key=_key("bare"))
    assert _item(dynamodb, table, _key("bare")) == _key("bare")
    dynamodb.update_item(
        TableName=table, Key=_key("added"), UpdateExpression="ADD n :n", ExpressionAttributeValues={":n": {"N": "4"}}
    )
    assert _item(dynamodb, table, _key("added")) == {**_key("added"), "n": {"N": "4"}}


def test_the_key_stays(dynamodb: Any, new_table: Table) -> None:
    table = new_table(range=True)
    key = {**_key(), "c": {"S": "b"}}
    for name in ("p", "c"):
        message = f"One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
        with refused("ValidationException", 400, message):
            dynamodb.update_item(
                TableName=table,
                Key=key,
                UpdateExpression="SET #k = :v",
                ExpressionAttributeNames={"#k": name},
                ExpressionAttributeValues={":v": {"S": "other"}},
            )


@pytest.mark.parametrize("operation", ["put", "update", "delete"])
def test_a_condition_that_fails_changes_nothing_and_shows_the_item_when_asked(
    dynamodb: Any, new_table: Table, operation: str
) -> None:
    table = new_table()
    item = {**_key(), "v": {"N": "1"}}
    dynamodb.put_item(TableName=table, Item=item)
    call: Any = {
        "put": lambda **more: dynamodb.put_item(TableName=table, Item={**_key(), "v": {"N": "9"}}, **more),
        "update": lambda **more: dynamodb.update_item(TableName=table, Key=_key(), UpdateExpression="REMOVE v", **more),
        "delete": lambda **more: dynamodb.delete_item(TableName=table, Key=_key(), **more),
    }[operation]
    condition = {"ConditionExpression": "v = :v", "ExpressionAttributeValues": {":v": {"N": "2"}}}
    for told, more in ((None, {}), (None, {"ReturnValuesOnConditionCheckFailure": "NONE"})):
        with pytest.raises(ClientError) as caught:
            call(**condition, **more)
        assert caught.value.response["Error"] == {
            "Code": "ConditionalCheckFailedException",
            "Message": "The conditional request failed",
        }
        assert caught.value.response.get("Item") == told
    with pytest.raises(ClientError) as caught:
        call(**condition, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert caught.value.response["Item"] == item
    assert _item(dynamodb, table) == item
    condition["ExpressionAttributeValues"] = {":v": {"N": "1.0"}}
    call(**condition)
    assert _item(dynamodb, table) != item


def test_a_condition_on_what_is_not_there_shows_no_item(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    with pytest.raises(ClientError) as caught:
        dynamodb.put_item(
            TableName=table,
            Item=_key(),
            ConditionExpression="attribute_exists(p)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert "Item" not in caught.value.response


def test_expected_is_the_condition_of_old_clients(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item={**_key(), "v": {"N": "1"}}, Expected={"p": {"Exists": False}})
    with refused("ConditionalCheckFailedException", 400):
        dynamodb.put_item(TableName=table, Item=_key(), Expected={"p": {"Exists": False}})
    with refused("ConditionalCheckFailedException", 400):
        dynamodb.delete_item(
            TableName=table,
            Key=_key(),
            Expected={
                "v": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "5"}]},
                "w": {"ComparisonOperator": "NOT_NULL"},
            },
            ConditionalOperator="OR",
        )
    dynamodb.delete_item(TableName=table, Key=_key(), Expected={"v": {"Value": {"N": "1"}}})
    assert _item(dynamodb, table) is None


def test_attribute_updates_are_the_updates_of_old_clients(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    item = {**_key(), "n": {"N": "1"}, "s": {"SS": ["a", "b"]}, "gone": {"S": "x"}}
    dynamodb.put_item(TableName=table, Item=item)
    reply = dynamodb.update_item(
        TableName=table,
        Key=_key(),
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "2"}},
            "s": {"Action": "DELETE", "Value": {"SS": ["b"]}},
            "gone": {"Action": "DELETE"},
            "new": {"Value": {"S": "y"}},
        },
        ReturnValues="ALL_NEW",
    )
    assert reply["Attributes"] == {**_key(), "n": {"N": "3"}, "s": {"SS": ["a"]}, "new": {"S": "y"}}


def test_old_and_new_conditions_do_not_mix(dynamodb: Any, new_table: Table) -> None:
    message = (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"
    )
    with refused("ValidationException", 400, message):
        dynamodb.put_item(
            TableName=new_table(),
            Item=_key(),
            Expected={"p": {"Exists": False}},
            ConditionExpression="attribute_not_exists(p)",
        )


def test_names_and_values_without_an_expression_are_refused(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    only = "can only be specified when using expressions"
    with refused("ValidationException", 400, f"ExpressionAttributeValues {only}: ConditionExpression is null"):
        dynamodb.put_item(TableName=table, Item=_key(), ExpressionAttributeValues={":v": {"S": "x"}})
    with refused("ValidationException", 400, f"ExpressionAttributeNames {only}"):
        dynamodb.get_item(TableName=table, Key=_key(), ExpressionAttributeNames={"#n": "x"})
    unused = "unused in expressions: keys:"
    with refused("ValidationException", 400, f"Value provided in ExpressionAttributeNames {unused} {{#n}}"):
        dynamodb.delete_item(
            TableName=table,
            Key=_key(),
            ConditionExpression="attribute_exists(p)",
            ExpressionAttributeNames={"#n": "x"},
        )


@pytest.mark.parametrize("operation", ["get_item", "delete_item", "update_item"])
@pytest.mark.parametrize("key", [{}, {"c": {"S": "b"}}, {"p": {"N": "1"}}, {"p": {"S": "a"}, "c": {"S": "b"}}], ids=str)
def test_a_key_is_the_table_s_and_nothing_else(
    dynamodb: Any, new_table: Table, operation: str, key: dict[str, Any]
) -> None:
    with refused("ValidationException", 400, "The provided key element does not match the schema"):
        getattr(dynamodb, operation)(TableName=new_table(), Key=key)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, "One or more parameter values were invalid: Missing the key p in the item"),
        (
            {"p": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key p expected: S actual: N",
        ),
        (
            {"p": {"S": ""}},
            "One or more parameter values are not valid. "
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: p",
        ),
        (
            {"p": {"S": "x" * 2049}},
            "One or more parameter values were invalid: "
            "Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            {"p": {"S": "a"}, "s": {"SS": []}},
            "One or more parameter values were invalid: An string set  may not be empty",
        ),
        (
            {"p": {"S": "a"}, "s": {"SS": ["x", "x"]}},
            "One or more parameter values were invalid: Input collection [x, x] contains duplicates.",
        ),
        ({"p": {"S": "a"}, "d": {"S": "x" * 400 * 1024}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_what_can_t_be_an_item_is_refused(dynamodb: Any, new_table: Table, item: dict[str, Any], message: str) -> None:
    with refused("ValidationException", 400, message):
        dynamodb.put_item(TableName=new_table(), Item=item)


def test_an_item_may_have_400_kilobytes_and_not_one_byte_more(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    largest = 400 * 1024 - len("pad")
    dynamodb.put_item(TableName=table, Item={**_key(), "d": {"S": "x" * largest}})
    with refused("ValidationException", 400, "Item size to update has exceeded the maximum allowed size"):
        dynamodb.update_item(
            TableName=table,
            Key=_key(),
            UpdateExpression="SET d = :d",
            ExpressionAttributeValues={":d": {"S": "x" * (largest + 1)}},
        )


def test_a_table_that_is_not_there_is_not_found(dynamodb: Any) -> None:
    for call in (
        lambda: dynamodb.get_item(TableName="no-such-table", Key=_key()),
        lambda: dynamodb.put_item(TableName="no-such-table", Item=_key()),
        lambda: dynamodb.update_item(TableName="no-such-table", Key=_key()),
        lambda: dynamodb.delete_item(TableName="no-such-table", Key=_key()),
    ):
        with refused("ResourceNotFoundException", 400, "Requested resource not found"):
            call()


def _indexed(new_table: Table) -> str:
    names = [("p", "S"), ("c", "S"), ("x", "S")]
    return new_table(
        range=True,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "x", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def test_an_index_refuses_a_value_it_can_t_take(dynamodb: Any, new_table: Table) -> None:
    table = _indexed(new_table)
    key = {**_key(), "c": {"S": "b"}}
    message = "One or more parameter values were invalid: Type mismatch for Index Key x Expected: S Actual: N IndexName: local"
    with refused("ValidationException", 400, message):
        dynamodb.put_item(TableName=table, Item={**key, "x": {"N": "1"}})
    with refused("ValidationException", 400, message):
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET x = :x",
            ExpressionAttributeValues={":x": {"N": "1"}},
        )
    assert _item(dynamodb, table, key) is None


def test_item_collections_tell_their_size(dynamodb: Any, new_table: Table) -> None:
    table = _indexed(new_table)
    key = {**_key(), "c": {"S": "b"}}
    metrics = {"ItemCollectionKey": _key(), "SizeEstimateRangeGB": [0.0, 1.0]}
    wanted = {"TableName": table, "ReturnItemCollectionMetrics": "SIZE"}
    assert _body(dynamodb.put_item(**wanted, Item=key)) == {"ItemCollectionMetrics": metrics}
    assert _body(dynamodb.update_item(**wanted, Key=key)) == {"ItemCollectionMetrics": metrics}
    assert _body(dynamodb.delete_item(**wanted, Key=key)) == {"ItemCollectionMetrics": metrics}
    plain = dynamodb.put_item(TableName=new_table(), Item=_key(), ReturnItemCollectionMetrics="SIZE")
    assert _body(plain) == {}
