"""For tests of a table's past: a table of one number an item, which can be written and looked at without any expression."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from tests.support import ACCOUNT, TestCloud
from tests.unit.dynamodb.writing import write

from atoll.services.dynamodb import (
    backfill,
    backup_jobs,
    backups,
    jobs,
    moments,
    records,
    recovery,
    restore_jobs,
    restores,
)
from atoll.services.dynamodb.moments import Pace
from atoll.services.dynamodb.records import Table
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Tx

REGION = "us-east-1"
Contents = dict[str, str]
OPERATIONS = (backups, recovery, restores)  # Importing them is what makes them known.


class Unhurried(Pace):
    """Three rows at a time, however small they are."""

    def __init__(self) -> None:
        super().__init__(rows=3)

    def heed(self, rows: int, size_bytes: int) -> None:
        return None


class Past:
    def __init__(self) -> None:
        self.cloud = TestCloud(dynamodb)
        self.random = random.Random(7)

    def __call__(self, operation: str, **request: Any) -> Any:
        return asyncio.run(self.cloud(operation, **request))

    def make(self, name: str = "source", **more: Any) -> None:
        self(
            "CreateTable",
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}]
            + [{"AttributeName": "v", "AttributeType": "N"}] * ("GlobalSecondaryIndexes" in more),
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            **more,
        )

    async def table(self, name: str = "source") -> Table:
        table = await records.get_table(self.cloud.store, ACCOUNT, REGION, name)
        assert table is not None, name
        return table

    async def write(self, key: str, value: str | None, name: str = "source") -> None:
        """Through the one write path. None deletes."""

        async def attempt(tx: Tx) -> None:
            table = await records.get_table(tx, ACCOUNT, REGION, name)
            assert table is not None
            item = {"k": {"S": key}, "v": {"N": value or "0"}}
            await write(tx, table, item, None if value is None else item)

        await self.cloud.store.run(attempt)

    async def disturb(self, writes: int, name: str = "source") -> None:
        for _ in range(writes):
            self.cloud.time += 0.001
            key, value = f"k{self.random.randrange(60)}", self.random.choice((None, str(self.random.randrange(1000))))
            await self.write(key, value, name)

    async def contents(self, name: str = "source") -> Contents:
        rows = await self.cloud.store.scan(records.items_shelf(await self.table(name)), b"", None, 10_000)
        items = [records.decode_item(row) for _, row in rows]
        return {item["k"]["S"]: item["v"]["N"] for item in items}

    async def work(self) -> None:
        """What the reconcilers do, until they are through."""
        await backup_jobs.copy_all(self.cloud.cloud)
        await backup_jobs.forget_all(self.cloud.cloud)
        await restore_jobs.restore_all(self.cloud.cloud)
        await backfill.sweep(self.cloud.store)

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(what)

    def disturbed(self, monkeypatch: Any, writes: int = 4) -> None:
        """From now on the source is written to after every step of every job; and the steps are small."""
        step = jobs.step

        async def disturbed_step(*arguments: Any) -> None:
            await step(*arguments)
            if await records.get_table(self.cloud.store, ACCOUNT, REGION, "source") is not None:
                await self.disturb(writes)

        monkeypatch.setattr(jobs, "step", disturbed_step)
        monkeypatch.setattr(moments, "_TAIL_ROWS", 5)
        for module in (backup_jobs, restore_jobs):
            monkeypatch.setattr(module, "Pace", Unhurried)
