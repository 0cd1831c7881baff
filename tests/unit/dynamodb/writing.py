"""A table on a memory store that is written to by the one write path, and looked at row by row."""

import asyncio
from typing import Any

from atoll.services.dynamodb import changes, places, records, stored, values
from atoll.services.dynamodb.changes import Written
from atoll.services.dynamodb.records import Index, Item, Table
from atoll.store import Tx, sums
from atoll.store.memory import MemoryStore

ACCOUNT, REGION = "000000000001", "us-east-1"


def new_table(**settings: Any) -> Table:
    """Of partition key p and sort key c; x is what its indexes go by."""
    defaults: dict[str, Any] = {
        "name": "table",
        "id": "00000000-0000-4000-8000-000000000000",
        "uid": "t1",
        "account": ACCOUNT,
        "region": REGION,
        "created": 0.0,
        "attributes": {"p": "S", "c": "S", "x": "S"},
        "hash": "p",
        "range": "c",
        "billing": "PAY_PER_REQUEST",
    }
    return Table(**{**defaults, **settings})


def by_x(**settings: Any) -> Index:
    defaults: dict[str, Any] = {
        "name": "by-x",
        "uid": "g1",
        "is_global": True,
        "hash": ["x"],
        "range": [],
        "projection": "KEYS_ONLY",
    }
    return Index(**{**defaults, **settings})


def local_by_x(**settings: Any) -> Index:
    return by_x(**{"name": "local", "uid": "l1", "is_global": False, "hash": ["p"], "range": ["x"], **settings})


def text_item(**attributes: str) -> Item:
    return {name: {"S": text} for name, text in attributes.items()}


async def write(tx: Tx, table: Table, key: Item, item: Item | None) -> Written:
    """By the one write path, as every operation does. No item: what is there goes."""
    place = places.place(table, key)
    row = await tx.get(records.items_shelf(table), place)
    after = None if item is None else stored.new(item, values.take_item(item))
    return changes.write(tx, table, place, None if row is None else stored.read(row), after)


class TableInMemory:
    """One table, and the store it is in."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.store = MemoryStore(lambda: 1_800_000_000.0)

    def put(self, item: Item) -> Written:
        return self._change(item, item)

    def delete(self, key: Item) -> Written:
        return self._change(key, None)

    def _change(self, key: Item, item: Item | None) -> Written:
        return asyncio.run(self.store.run(lambda tx: write(tx, self.table, key, item)))

    def rows(self, shelf: bytes) -> list[tuple[bytes, bytes]]:
        return [(k, v) for (p, k), v in sorted(self.store.rows.items()) if p == shelf]

    def items(self) -> list[Item]:
        return [records.decode_item(row) for _, row in self.rows(records.items_shelf(self.table))]

    def entries(self, index: Index) -> list[Item]:
        return [records.decode_item(row) for _, row in self.rows(records.index_shelf(self.table, index))]

    def changes(self) -> list[tuple[Item | None, Item | None]]:
        """What the log tells, in the order of its rows: old and new."""
        told = [records.decode_change(row) for _, row in self.rows(records.log_shelf(self.table))]
        return [(_item(change.old), _item(change.new)) for change in told]

    def counted(self, counter: bytes, count: int = 2) -> tuple[int, ...]:
        return sums.read(self.store.rows.get((records.counters_shelf(self.table), counter)), count)


def _item(row: bytes | None) -> Item | None:
    return None if row is None else records.decode_item(row)
