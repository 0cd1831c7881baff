"""DynamoDB on a memory store with a clock that tests move: items are written, and streams and expiry looked at."""

import asyncio
from typing import Any

import msgspec
import pytest
from tests.support import ACCOUNT, TestCloud
from tests.unit.dynamodb.writing import write

from atoll.aws.errors import AwsError
from atoll.operation import Call, perform
from atoll.services.dynamodb import (  # noqa: F401
    changes,
    log_trim,
    places,
    records,
    stored,
    stream_records,
    streams,
    tables,
    ttl,
    values,
)
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.service import dynamodb, dynamodbstreams

REGION = "us-east-1"


class StreamingCloud:
    def __init__(self) -> None:
        self.cloud = TestCloud(dynamodb)
        self.store = self.cloud.store

    @property
    def now(self) -> float:
        return self.cloud.time

    def later(self, seconds: float) -> None:
        self.cloud.time += seconds

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        return asyncio.run(self.cloud(operation, **request))

    def stream(self, operation: str, **request: Any) -> dict[str, Any]:
        return asyncio.run(perform(Call(self.cloud.cloud, dynamodbstreams, self.cloud.identity), operation, request))

    def refused(self, operation: str, **request: Any) -> tuple[str, str]:
        with pytest.raises(AwsError) as caught:
            (self.stream if operation in dynamodbstreams.operations else self)(operation, **request)
        return caught.value.code, caught.value.message

    def create(self, name: str = "table", view: str | None = "NEW_AND_OLD_IMAGES") -> str:
        """Answers the stream's ARN, or "" when there is none."""
        stream = {"StreamEnabled": True, "StreamViewType": view} if view else {"StreamEnabled": False}
        description = self(
            "CreateTable",
            TableName=name,
            KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "p", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=stream,
        )["TableDescription"]
        return str(description.get("LatestStreamArn", ""))

    def put(self, p: str, name: str = "table", **attributes: dict[str, Any]) -> None:
        self._write(name, {"p": {"S": p}}, {"p": {"S": p}, **attributes})

    def delete(self, p: str, name: str = "table") -> None:
        self._write(name, {"p": {"S": p}}, None)

    def _write(self, name: str, key: Item, item: Item | None) -> None:
        asyncio.run(self.store.run(lambda tx: write(tx, self.table(name), key, item)))

    def items(self, name: str = "table") -> list[str]:
        shelf = records.items_shelf(self.table(name))
        return sorted(records.decode_item(row)["p"]["S"] for (p, _), row in self.store.rows.items() if p == shelf)

    def table(self, name: str = "table") -> Table:
        row = self.store.rows[records.tables_shelf(ACCOUNT, REGION), records.table_key(name)]
        return records.decode_own_table(row)

    def change(self, name: str = "table", **members: Any) -> None:
        table = msgspec.structs.replace(self.table(name), **members)
        self.store.rows[records.tables_shelf(ACCOUNT, REGION), records.table_key(name)] = records.encode(table)

    def disable_stream(self, name: str = "table") -> None:
        last = msgspec.structs.replace(self.table(name).streams[-1], enabled=False, disabled=self.now)
        self.change(name, streams=[*self.table(name).streams[:-1], last])

    def enable_stream(self, label: str, name: str = "table") -> str:
        stream = records.Stream(label, "NEW_AND_OLD_IMAGES", created=self.now)
        self.change(name, streams=[*self.table(name).streams, stream])
        return f"{self.table(name).arn}/stream/{label}"

    def shards(self, arn: str, **more: Any) -> list[dict[str, Any]]:
        described: list[dict[str, Any]] = self.stream("DescribeStream", StreamArn=arn, **more)["StreamDescription"][
            "Shards"
        ]
        return described

    def iterator(self, arn: str, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
        reply = self.stream("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType=kind, **more)
        return str(reply["ShardIterator"])

    def read(self, arn: str) -> list[dict[str, Any]]:
        """All records, shard by shard from the oldest on."""
        found = []
        for shard in self.shards(arn):
            token: str | None = self.iterator(arn, shard["ShardId"])
            while token is not None:
                reply = self.stream("GetRecords", ShardIterator=token)
                found += reply["Records"]
                token = reply.get("NextShardIterator") if reply["Records"] else None
        return found

    def changes(self, arn: str) -> list[tuple[str, str]]:
        return sorted((told["eventName"], told["dynamodb"]["Keys"]["p"]["S"]) for told in self.read(arn))
