"""DynamoDB's tables on a memory store, called without waiting: `tables("CreateTable", TableName="t", ...)`."""

import asyncio

import pytest
from tests.support import TestCloud
from tests.unit.dynamodb.writing import write

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import backfill, records, table_updates, tables  # noqa: F401
from atoll.services.dynamodb.service import dynamodb

REGION = "us-east-1"


def keys(*names):
    """A key schema: the first is the partition key."""
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def attributes(**kinds):
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()]


def global_index(name, *names, **others):
    return {"IndexName": name, "KeySchema": keys(*names), "Projection": {"ProjectionType": "ALL"}, **others}


class Control:
    def __init__(self):
        self.cloud = TestCloud(dynamodb)

    def __call__(self, operation, identity=None, **request):
        return asyncio.run(self.cloud(operation, None, identity, **request))

    def refused(self, operation, **request):
        with pytest.raises(AwsError) as caught:
            self(operation, **request)
        return caught.value.code, caught.value.message

    def create(self, name="music", **request):
        plain = {"KeySchema": keys("p"), "AttributeDefinitions": attributes(p="S"), "BillingMode": "PAY_PER_REQUEST"}
        return self("CreateTable", TableName=name, **plain | request)["TableDescription"]

    def invalid(self, **request):
        """What CreateTable says of a bad request."""
        with pytest.raises(AwsError) as caught:
            self.create(**request)
        assert caught.value.code == "ValidationException"
        return caught.value.message

    def describe(self, name="music"):
        return self("DescribeTable", TableName=name)["Table"]

    def table(self, name="music"):
        row = self.get(records.tables_shelf(self.cloud.identity.account, REGION), records.table_key(name))
        return records.decode_own_table(row)

    def get(self, shelf, key):
        return asyncio.run(self.cloud.store.get(shelf, key))

    def rows(self, shelf):
        return asyncio.run(self.cloud.store.scan(shelf, b"", None, 10_000))

    def put(self, item, name="music"):
        """As an operation on items would."""

        async def attempt(tx):
            table = await records.get_table(tx, self.cloud.identity.account, REGION, name)
            await write(tx, table, item, item)

        asyncio.run(self.cloud.store.run(attempt))

    def reconcile(self):
        asyncio.run(backfill.fill_indexes(self.cloud.store))
        asyncio.run(backfill.empty_indexes(self.cloud.store))
        asyncio.run(backfill.sweep(self.cloud.store))
