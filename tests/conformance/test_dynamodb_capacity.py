"""ConsumedCapacity to the byte, of tables and of indexes, and what comes when it is used up."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conformance.refusals import refused

Table = Callable[..., str]

_KB = 1024
_NAMES = len("p") + len("d")


def _key(p: str = "a") -> dict[str, Any]:
    return {"p": {"S": p}}


def _sized(size_bytes: int, p: str = "a") -> dict[str, Any]:
    """An item of this size by DynamoDB's rules."""
    return {**_key(p), "d": {"S": "x" * (size_bytes - _NAMES - len(p))}}


def _units(reply: dict[str, Any]) -> float:
    units: float = reply["ConsumedCapacity"]["CapacityUnits"]
    return units


@pytest.mark.parametrize(("size_bytes", "units"), [(100, 1), (4 * _KB, 1), (4 * _KB + 1, 2), (8 * _KB + 1, 3)])
def test_reads_go_by_4_kilobytes(dynamodb: Any, new_table: Table, size_bytes: int, units: float) -> None:
    table = new_table()
    dynamodb.put_item(TableName=table, Item=_sized(size_bytes))
    asked = {"TableName": table, "Key": _key(), "ReturnConsumedCapacity": "TOTAL", "ProjectionExpression": "p"}
    assert _units(dynamodb.get_item(**asked)) == units / 2
    assert _units(dynamodb.get_item(**asked, ConsistentRead=True)) == units


def test_what_is_missing_costs_like_what_is_small(dynamodb: Any, new_table: Table) -> None:
    asked = {"TableName": new_table(), "Key": _key("absent"), "ReturnConsumedCapacity": "TOTAL"}
    assert _units(dynamodb.get_item(**asked)) == 0.5
    assert _units(dynamodb.delete_item(**asked)) == 1


def test_writes_go_by_the_larger_of_what_was_and_is(dynamodb: Any, new_table: Table) -> None:
    told = {"TableName": new_table(), "ReturnConsumedCapacity": "TOTAL"}
    assert _units(dynamodb.put_item(Item=_sized(_KB), **told)) == 1
    assert _units(dynamodb.put_item(Item=_sized(_KB + 1), **told)) == 2
    assert _units(dynamodb.put_item(Item=_sized(2 * _KB + 1), **told)) == 3
    assert _units(dynamodb.put_item(Item=_sized(10), **told)) == 3
    assert _units(dynamodb.put_item(Item=_sized(10), **told)) == 1
    values = {":d": {"S": "x" * 3 * _KB}}
    update = {"Key": _key(), "UpdateExpression": "SET d = :d", "ExpressionAttributeValues": values}
    assert _units(dynamodb.update_item(**update, **told)) == 4
    assert _units(dynamodb.update_item(Key=_key(), UpdateExpression="REMOVE d", **told)) == 4
    assert _units(dynamodb.delete_item(Key=_key(), **told)) == 1


def _indexed(new_table: Table) -> str:
    names = [("p", "S"), ("c", "S"), ("x", "S")]
    return new_table(
        range=True,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in names],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "x", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "x", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def _told(table: str, whole: float, own: float, global_units: float = 0, local_units: float = 0) -> dict[str, Any]:
    told: dict[str, Any] = {"TableName": table, "CapacityUnits": whole, "Table": {"CapacityUnits": own}}
    if global_units:
        told["GlobalSecondaryIndexes"] = {"global": {"CapacityUnits": global_units}}
    if local_units:
        told["LocalSecondaryIndexes"] = {"local": {"CapacityUnits": local_units}}
    return told


def test_each_index_that_is_written_costs(dynamodb: Any, new_table: Table) -> None:
    table = _indexed(new_table)
    key = {**_key(), "c": {"S": "b"}}

    def put(**attributes: str) -> Any:
        item = {**key, **{name: {"S": text} for name, text in attributes.items()}}
        return dynamodb.put_item(TableName=table, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]

    assert put() == _told(table, 1, 1)
    assert put(x="1") == _told(table, 3, 1, 1, 1)
    # Only what is projected is written: the keys stay as they are.
    assert put(x="1", d="x" * _KB) == _told(table, 4, 2, 0, 2)
    assert put(x="1", d="x" * _KB) == _told(table, 2, 2)
    # An entry that moves is one deleted and one put.
    assert put(x="2", d="x" * _KB) == _told(table, 8, 2, 2, 4)
    assert put(d="x" * _KB) == _told(table, 5, 2, 1, 2)
    assert put(d="y") == _told(table, 2, 2)


def test_reads_by_key_cost_no_index(dynamodb: Any, new_table: Table) -> None:
    table = _indexed(new_table)
    key = {**_key(), "c": {"S": "b"}}
    dynamodb.put_item(TableName=table, Item={**key, "x": {"S": "1"}})
    reply = dynamodb.get_item(TableName=table, Key=key, ReturnConsumedCapacity="INDEXES")
    assert reply["ConsumedCapacity"] == _told(table, 0.5, 0.5)


def test_what_is_provisioned_is_all_there_is(dynamodb: Any, new_table: Table) -> None:
    table = new_table(
        BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    )
    # Five minutes are saved up, and a request may go into debt.
    dynamodb.put_item(TableName=table, Item=_sized(299 * _KB))
    dynamodb.put_item(TableName=table, Item=_sized(299 * _KB))
    message = (
        "The level of configured provisioned throughput for the table was exceeded. "
        "Consider increasing your provisioning level with the UpdateTable API."
    )
    with refused("ProvisionedThroughputExceededException", 400, message):
        dynamodb.put_item(TableName=table, Item=_key())
    assert dynamodb.get_item(TableName=table, Key=_key())["Item"] == _sized(299 * _KB)


def test_on_demand_may_have_a_maximum(dynamodb: Any, new_table: Table) -> None:
    table = new_table(OnDemandThroughput={"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 1})
    for _ in range(2):
        dynamodb.put_item(TableName=table, Item=_sized(299 * _KB))
    with refused("ThrottlingException", 400):
        dynamodb.put_item(TableName=table, Item=_key())
