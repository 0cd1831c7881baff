"""A table with indexes on a memory store, for tests of what reads it: `table("Query", ...)`. Replies come as JSON brings them."""

import asyncio

import orjson
import pytest
from tests.support import TestCloud

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import (  # noqa: F401
    items,
    queries,
    scans,
    statement_batches,
    statement_transactions,
    statements,
    tables,
)
from atoll.services.dynamodb.service import dynamodb

_PARTIAL = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kept"]}


def text(value):
    return {"S": value}


def number(value):
    return {"N": str(value)}


def key_schema(*names, hashes=1):
    return [{"AttributeName": name, "KeyType": "HASH" if at < hashes else "RANGE"} for at, name in enumerate(names)]


def index(name, *names, hashes=1, projection=None):
    return {
        "IndexName": name,
        "KeySchema": key_schema(*names, hashes=hashes),
        "Projection": projection or {"ProjectionType": "ALL"},
    }


class Reading:
    """Partition key p, sort key c. Indexes: by-x (global, whole), few-x (global, keeps `kept`), by-n and few-n (local, the same),
    and many (global, of x and y, sorted by n and c)."""

    def __init__(self, **settings):
        self.cloud = TestCloud(dynamodb)
        request = {
            "TableName": "music",
            "KeySchema": key_schema("p", "c"),
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind}
                for name, kind in {"p": "S", "c": "S", "x": "S", "y": "S", "n": "N"}.items()
            ],
            "BillingMode": "PAY_PER_REQUEST",
            "GlobalSecondaryIndexes": [
                index("by-x", "x"),
                index("few-x", "x", projection=_PARTIAL),
                index("many", "x", "y", "n", "c", hashes=2),
            ],
            "LocalSecondaryIndexes": [index("by-n", "p", "n"), index("few-n", "p", "n", projection=_PARTIAL)],
        }
        request |= settings
        self("CreateTable", **{member: value for member, value in request.items() if value is not None})

    def __call__(self, operation, **request):
        if operation in ("Query", "Scan", "PutItem", "GetItem"):
            request.setdefault("TableName", "music")
        return orjson.loads(orjson.dumps(asyncio.run(self.cloud(operation, **request)), default=str))

    def refused(self, operation, **request):
        with pytest.raises(AwsError) as caught:
            self(operation, **request)
        return caught.value

    def invalid(self, operation, **request):
        error = self.refused(operation, **request)
        assert error.code == "ValidationException"
        return error.message

    def put(self, p, c, **others):
        item = {"p": text(p), "c": text(c), **others}
        self("PutItem", Item=item)
        return item

    def get(self, p, c):
        return self("GetItem", Key={"p": text(p), "c": text(c)}).get("Item")

    def query(self, condition="p = :p", filtered=None, values=None, **request):
        given = {":p": text("a"), **(values or {})}
        more = {} if filtered is None else {"FilterExpression": filtered}
        return self("Query", KeyConditionExpression=condition, ExpressionAttributeValues=given, **more, **request)

    def execute(self, statement, *parameters, **request):
        if parameters:
            request["Parameters"] = list(parameters)
        return self("ExecuteStatement", Statement=statement, **request)

    def refuses(self, statement, *parameters, **request):
        if parameters:
            request["Parameters"] = list(parameters)
        return self.refused("ExecuteStatement", Statement=statement, **request)

    def all_pages(self, operation, **request):
        """The items of all pages, and how many pages there were."""
        found, count = [], 0
        while True:
            page = self(operation, **request)
            found += page["Items"]
            count += 1
            assert count < 10_000, "the pages have no end"
            if "LastEvaluatedKey" not in page:
                return found, count
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def sort_keys(reply):
    return [item["c"]["S"] for item in reply["Items"]]
