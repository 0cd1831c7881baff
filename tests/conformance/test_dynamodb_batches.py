"""BatchGetItem and BatchWriteItem through boto3: many items, several tables, and what is too much."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refused

Table = Callable[..., str]

_DUPLICATES = "Provided list of item keys contains duplicates"


def _put(**attributes: str) -> dict[str, Any]:
    return {"PutRequest": {"Item": {name: {"S": text} for name, text in attributes.items()}}}


def _delete(p: str) -> dict[str, Any]:
    return {"DeleteRequest": {"Key": {"p": {"S": p}}}}


def _keys(*names: str) -> list[dict[str, Any]]:
    return [{"p": {"S": name}} for name in names]


def _body(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in reply.items() if name != "ResponseMetadata"}


def test_a_batch_puts_and_deletes_in_several_tables(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    dynamodb.put_item(TableName=one, Item={"p": {"S": "old"}})
    reply = dynamodb.batch_write_item(
        RequestItems={one: [_put(p="a", d="1"), _delete("old")], other: [_put(p="a", d="2")]}
    )
    assert _body(reply) == {"UnprocessedItems": {}}
    got = dynamodb.batch_get_item(RequestItems={one: {"Keys": _keys("a", "old")}, other: {"Keys": _keys("a")}})
    assert _body(got) == {
        "Responses": {one: [{"p": {"S": "a"}, "d": {"S": "1"}}], other: [{"p": {"S": "a"}, "d": {"S": "2"}}]},
        "UnprocessedKeys": {},
    }


def test_what_is_not_there_is_left_out(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    assert _body(dynamodb.batch_get_item(RequestItems={table: {"Keys": _keys("a", "b")}})) == {
        "Responses": {table: []},
        "UnprocessedKeys": {},
    }


def test_each_table_of_a_batch_has_its_own_projection(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    dynamodb.batch_write_item(RequestItems={one: [_put(p="a", d="1", e="2")], other: [_put(p="a", d="3", e="4")]})
    by_d = {"Keys": _keys("a"), "ProjectionExpression": "#d", "ExpressionAttributeNames": {"#d": "d"}}
    by_e = {"Keys": _keys("a"), "ProjectionExpression": "e", "ConsistentRead": True}
    reply = dynamodb.batch_get_item(RequestItems={one: by_d, other: by_e})
    assert reply["Responses"] == {one: [{"d": {"S": "1"}}], other: [{"e": {"S": "4"}}]}
    old_d, old_e = ({"Keys": _keys("a"), "AttributesToGet": [name]} for name in "de")
    reply = dynamodb.batch_get_item(RequestItems={one: old_e, other: old_d})
    assert reply["Responses"] == {one: [{"e": {"S": "2"}}], other: [{"d": {"S": "3"}}]}
    message = (
        "Can not use both expression and non-expression parameters in the same request: "
        "Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}"
    )
    with refused("ValidationException", 400, message):
        dynamodb.batch_get_item(RequestItems={one: by_d, other: old_e})


def test_the_same_key_twice_is_refused(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    with refused("ValidationException", 400, _DUPLICATES):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": _keys("a", "b", "a")}})
    for writes in ([_put(p="a"), _put(p="a", d="1")], [_put(p="a"), _delete("a")], [_delete("a"), _delete("a")]):
        with refused("ValidationException", 400, _DUPLICATES):
            dynamodb.batch_write_item(RequestItems={table: writes})


def test_numbers_that_are_the_same_are_the_same_key(dynamodb: Any, new_table: Table) -> None:
    table = new_table(AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "N"}])
    puts = [{"PutRequest": {"Item": {"p": {"N": text}}}} for text in ("1000", "1e3")]
    with refused("ValidationException", 400, _DUPLICATES):
        dynamodb.batch_write_item(RequestItems={table: puts})


@pytest.mark.parametrize("item", [{"d": {"S": "no key"}}, {"p": {"N": "7"}}, {"p": {"L": []}}])
def test_a_batch_with_a_wrong_key_writes_nothing(dynamodb: Any, new_table: Table, item: dict[str, Any]) -> None:
    table = new_table()
    for wrong in ({"PutRequest": {"Item": item}}, {"DeleteRequest": {"Key": item}}):
        with refused("ValidationException", 400, "The provided key element does not match the schema"):
            dynamodb.batch_write_item(RequestItems={table: [_put(p="a"), wrong]})
    assert dynamodb.scan(TableName=table)["Count"] == 0


@pytest.mark.parametrize(
    ("write", "what"),
    [({}, "is empty"), ({**_put(p="a"), **_delete("b")}, "has more than one datatypes set")],
    ids=["none", "both"],
)
def test_a_write_is_a_put_or_a_delete(dynamodb: Any, new_table: Table, write: dict[str, Any], what: str) -> None:
    message = f"Supplied AttributeValue {what}, must contain exactly one of the supported datatypes"
    with refused("ValidationException", 400, message):
        dynamodb.batch_write_item(RequestItems={new_table(): [write]})


def test_a_batch_has_at_most_25_writes_over_all_tables(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    puts = [_put(p=str(number)) for number in range(13)]
    message = "Too many items requested for the BatchWriteItem call"
    with refused("ValidationException", 400, message):
        dynamodb.batch_write_item(RequestItems={one: puts, other: puts})
    dynamodb.batch_write_item(RequestItems={one: puts, other: puts[1:]})
    assert (dynamodb.scan(TableName=one)["Count"], dynamodb.scan(TableName=other)["Count"]) == (13, 12)


def test_a_batch_has_at_most_100_gets_over_all_tables(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    keys = _keys(*map(str, range(51)))
    message = "Too many items requested for the BatchGetItem call"
    with refused("ValidationException", 400, message):
        dynamodb.batch_get_item(RequestItems={one: {"Keys": keys}, other: {"Keys": keys[1:]}})
    dynamodb.batch_get_item(RequestItems={one: {"Keys": keys[1:]}, other: {"Keys": keys[1:]}})


def test_no_tables_at_all_are_refused(dynamodb: Any) -> None:
    with refused("ValidationException", 400, "The requestItems parameter is required for BatchGetItem"):
        dynamodb.batch_get_item(RequestItems={})
    with refused("ValidationException", 400, "The requestItems parameter is required for BatchWriteItem"):
        dynamodb.batch_write_item(RequestItems={})


def test_one_table_that_is_not_there_fails_the_batch(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    with refused("ResourceNotFoundException", 400, "Requested resource not found"):
        dynamodb.batch_write_item(RequestItems={table: [_put(p="a")], "no-such-table": [_put(p="a")]})
    with refused("ResourceNotFoundException", 400, "Requested resource not found"):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": _keys("a")}, "no-such-table": {"Keys": _keys("a")}})
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_what_does_not_fit_16_megabytes_is_left_to_ask_again(dynamodb: Any, new_table: Table) -> None:
    table = new_table()
    large = "x" * (400 * 1024 - 10)
    for number in range(42):
        dynamodb.put_item(TableName=table, Item={"p": {"S": f"{number:02}"}, "d": {"S": large}})
    asked = {"Keys": _keys(*(f"{number:02}" for number in range(42))), "ConsistentRead": True}
    first = dynamodb.batch_get_item(RequestItems={table: {**asked, "ProjectionExpression": "p"}})
    assert len(first["Responses"][table]) == 40
    left = first["UnprocessedKeys"]
    assert left == {table: {"Keys": _keys("40", "41"), "ConsistentRead": True, "ProjectionExpression": "p"}}
    rest = dynamodb.batch_get_item(RequestItems=left)
    assert _body(rest) == {"Responses": {table: _keys("40", "41")}, "UnprocessedKeys": {}}


def test_what_throughput_does_not_reach_for_is_left_to_write_again(dynamodb: Any, new_table: Table) -> None:
    table = new_table(
        BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    )
    # Five minutes are saved up: 300 units of 1 KB. The fourth item still finds something left, the fifth nothing.
    writes = [_put(p=str(number), d="x" * 90_000) for number in range(5)]
    reply = dynamodb.batch_write_item(RequestItems={table: writes}, ReturnConsumedCapacity="TOTAL")
    assert _body(reply) == {
        "UnprocessedItems": {table: [writes[4]]},
        "ConsumedCapacity": [{"TableName": table, "CapacityUnits": 352.0}],
    }
    with refused("ProvisionedThroughputExceededException", 400):
        dynamodb.batch_write_item(RequestItems=reply["UnprocessedItems"])


def test_batches_tell_what_each_table_cost(dynamodb: Any, new_table: Table) -> None:
    one, other = new_table(), new_table()
    written = dynamodb.batch_write_item(
        RequestItems={one: [_put(p="a"), _put(p="b", d="x" * 1024)], other: [_delete("a")]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert written["ConsumedCapacity"] == [
        {"TableName": one, "CapacityUnits": 3.0},
        {"TableName": other, "CapacityUnits": 1.0},
    ]
    got = dynamodb.batch_get_item(
        RequestItems={one: {"Keys": _keys("a", "missing")}, other: {"Keys": _keys("a"), "ConsistentRead": True}},
        ReturnConsumedCapacity="INDEXES",
    )
    assert got["ConsumedCapacity"] == [
        {"TableName": one, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}},
        {"TableName": other, "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}},
    ]
