"""A collection of a table with a local index has at most 10 GB; it may always shrink."""

import asyncio
from typing import Any

import pytest
from tests.support import TestCloud

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import batches, changes, item_collections, items, records, tables, transactions  # noqa: F401
from atoll.services.dynamodb.records import Table
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Tx

_KEY = {"p": {"S": "a"}, "c": {"S": "b"}}
_MESSAGE = "Collection size exceeded."


def _cloud_with_a_full_collection(*, bytes_left: int) -> TestCloud:
    cloud = TestCloud(dynamodb)
    keys = {name: [{"AttributeName": n, "KeyType": k} for n, k in (("p", "HASH"), (name, "RANGE"))] for name in "cx"}
    asyncio.run(
        cloud(
            "CreateTable",
            TableName="table",
            KeySchema=keys["c"],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pcx"],
            LocalSecondaryIndexes=[
                {"IndexName": "local", "KeySchema": keys["x"], "Projection": {"ProjectionType": "ALL"}}
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    )

    async def find(call: Call) -> Table:
        return await tables.find(call, "table")

    table = asyncio.run(cloud.call().read(find))
    counter = changes.counter_of_collection(changes.partition_of(table, _KEY))

    async def fill(tx: Tx) -> None:
        tx.add(records.counters_shelf(table), counter, item_collections.COLLECTION_BYTES_MAX - bytes_left)

    asyncio.run(cloud.store.run(fill))
    return cloud


def _run(cloud: TestCloud, operation: str, **request: Any) -> dict[str, Any]:
    return asyncio.run(cloud(operation, **request))


def test_the_last_byte_fits_and_no_more() -> None:
    cloud = _cloud_with_a_full_collection(bytes_left=4)
    put = {"TableName": "table", "ReturnItemCollectionMetrics": "SIZE"}
    assert _run(cloud, "PutItem", Item=_KEY, **put)["ItemCollectionMetrics"] == {
        "ItemCollectionKey": {"p": {"S": "a"}},
        "SizeEstimateRangeGB": [10.0, 11.0],
    }
    with pytest.raises(AwsError) as caught:
        _run(cloud, "PutItem", Item={**_KEY, "d": {"S": "x"}}, **put)
    assert (caught.value.code, caught.value.message) == ("ItemCollectionSizeLimitExceededException", _MESSAGE)
    _run(cloud, "PutItem", Item={"p": {"S": "other"}, "c": {"S": "b"}, "d": {"S": "x"}}, **put)
    _run(cloud, "DeleteItem", Key=_KEY, TableName="table")


def test_entries_of_local_indexes_count() -> None:
    cloud = _cloud_with_a_full_collection(bytes_left=10)
    with pytest.raises(AwsError, match=_MESSAGE):
        _run(cloud, "PutItem", TableName="table", Item={**_KEY, "x": {"S": "1"}})
    _run(cloud, "PutItem", TableName="table", Item={**_KEY, "y": {"S": "1"}})


def test_a_transaction_is_cancelled_and_told_which_action_was_too_much() -> None:
    cloud = _cloud_with_a_full_collection(bytes_left=4)
    puts = [{"Put": {"TableName": "table", "Item": {**_KEY, "c": {"S": name}}}} for name in "bd"]
    with pytest.raises(AwsError) as caught:
        _run(cloud, "TransactWriteItems", TransactItems=puts)
    assert caught.value.fields["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "ItemCollectionSizeLimitExceeded", "Message": _MESSAGE},
    ]
    found = _run(cloud, "BatchGetItem", RequestItems={"table": {"Keys": [_KEY]}})
    assert found["Responses"] == {"table": []}
