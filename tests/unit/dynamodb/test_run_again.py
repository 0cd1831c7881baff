"""A store may run a transaction again: what the second run sees of the request must mean what the first one saw."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
import pytest
from tests.support import TestCloud

from atoll.services.dynamodb import batches, items, tables, transactions  # noqa: F401 - operations
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Tx
from atoll.store.memory import MemoryStore
from atoll.store.overlay import Overlay, drive

T = TypeVar("T")


class _TwiceStore(MemoryStore):
    """Runs every transaction once for nothing: as if it had been overtaken."""

    async def run(self, fn: Callable[[Tx], Awaitable[T]]) -> T:
        drive(fn(Overlay(self._rows)))
        return await super().run(fn)


_KEY = {"p": {"N": "1.0"}}
_ITEM = {**_KEY, "n": {"N": "0012.50"}, "s": {"NS": ["2.0", "1"]}, "b": {"B": "YR=="}, "l": {"L": [{"N": "1e2"}]}}
_VALUES = {":n": {"N": "5.00"}}
_REQUESTS: dict[str, dict[str, Any]] = {
    "PutItem": {
        "TableName": "table",
        "Item": _ITEM,
        "ConditionExpression": "n <> :n",
        "ExpressionAttributeValues": _VALUES,
        "ReturnValues": "ALL_OLD",
        "ReturnConsumedCapacity": "INDEXES",
    },
    "UpdateItem": {
        "TableName": "table",
        "Key": _KEY,
        "UpdateExpression": "SET n = n + :n REMOVE gone",
        "ExpressionAttributeValues": _VALUES,
        "ReturnValues": "ALL_NEW",
        "ReturnConsumedCapacity": "TOTAL",
    },
    "DeleteItem": {"TableName": "table", "Key": _KEY, "ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "TOTAL"},
    "BatchWriteItem": {
        "RequestItems": {"table": [{"PutRequest": {"Item": _ITEM}}, {"DeleteRequest": {"Key": {"p": {"N": "02"}}}}]},
        "ReturnConsumedCapacity": "TOTAL",
    },
    "TransactWriteItems": {
        "TransactItems": [
            {"Put": {"TableName": "table", "Item": {**_ITEM, "p": {"N": "3.0"}}}},
            {
                "Update": {
                    "TableName": "table",
                    "Key": _KEY,
                    "UpdateExpression": "ADD n :n",
                    "ExpressionAttributeValues": _VALUES,
                }
            },
        ],
        "ClientRequestToken": "token",
        "ReturnConsumedCapacity": "TOTAL",
    },
}


def _cloud(store: type[MemoryStore]) -> TestCloud:
    cloud = TestCloud(dynamodb)
    asyncio.run(
        cloud(
            "CreateTable",
            TableName="table",
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "N"}],
            BillingMode="PAY_PER_REQUEST",
        )
    )
    asyncio.run(cloud("PutItem", TableName="table", Item={"p": {"N": "1"}, "n": {"N": "1"}, "gone": {"S": "x"}}))
    cloud.store.__class__ = store
    return cloud


def _ask(cloud: TestCloud, operation: str) -> bytes:
    return orjson.dumps(asyncio.run(cloud(operation, **copy.deepcopy(_REQUESTS[operation]))))


def _items(cloud: TestCloud) -> list[Any]:
    keys = {"table": {"Keys": [{"p": {"N": number}} for number in "123"]}}
    replied = orjson.loads(orjson.dumps(asyncio.run(cloud("BatchGetItem", RequestItems=keys))))
    found: list[Any] = replied["Responses"]["table"]
    return found


@pytest.mark.parametrize("operation", list(_REQUESTS))
def test_what_runs_twice_answers_and_does_as_what_runs_once(operation: str) -> None:
    once, twice = _cloud(MemoryStore), _cloud(_TwiceStore)
    assert _ask(twice, operation) == _ask(once, operation)
    assert _items(twice) == _items(once)
    assert twice.store.rows.keys() - _table_rows(twice) == once.store.rows.keys() - _table_rows(once)


def test_a_token_is_the_same_token_after_a_run_for_nothing() -> None:
    cloud = _cloud(_TwiceStore)
    _ask(cloud, "TransactWriteItems")
    before = _items(cloud)
    again = orjson.loads(_ask(cloud, "TransactWriteItems"))
    assert "ReadCapacityUnits" in again["ConsumedCapacity"][0]
    assert _items(cloud) == before


def _table_rows(cloud: TestCloud) -> set[tuple[bytes, bytes]]:
    """Shelves are named by a table's own random id."""
    return {key for key in cloud.store.rows if b"/dynamodb/" in key[0] and b"/tokens" not in key[0]}
