"""Who contributes most to a table's traffic: accesses and throttled requests by key, counted where contributor insights are on.

    {account}/{region}/dynamodb/n/{uid}   pack(minute, index, rule) + JSON of the key   count   (kept by Tx.add)

Counts are gathered in the process and added to the store once a minute. What a minute brings of keys beyond the room there
is, is counted for the keys that are asked for most, and lost for those asked for least: top contributors are what is wanted.
"""

import os
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import orjson

from atoll.base.clock import Clock
from atoll.operation import Call, Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import records, tables
from atoll.services.dynamodb.records import Index, Item, Table
from atoll.store import Reader, Row, Store, Tx, keys, sums

EVERY_SECONDS = 60.0
KEPT_MINUTES = 15 * 24 * 60
GATHERED_MAX = 20_000
_KEY_BYTES_MAX = 1024
_ROWS_PER_COMMIT = 500
# Every process hands in its own counts, so each has a lease of its own; names are used again, or they would pile up.
_PROCESSES_MAX = 1024


class Rule(StrEnum):
    PARTITION_ACCESSED = "PKC"
    PARTITION_THROTTLED = "PKT"
    ITEM_ACCESSED = "SKC"
    ITEM_THROTTLED = "SKT"


_gathered: Counter[tuple[bytes, str, Rule, bytes]] = Counter()
"""By shelf, index name, rule and key."""


def accessed(table: Table, index: Index | None, item_key: Item) -> None:
    """A request has touched this item. Costs nothing where insights are off."""
    if table.insights:
        _count(table, index, item_key, Rule.PARTITION_ACCESSED, Rule.ITEM_ACCESSED)


def accessed_all(table: Table, index: Index | None, rows: Sequence[Row]) -> None:
    """A page of items, or of an index's entries, has been read."""
    if table.insights:
        for _, row in rows:
            accessed(table, index, records.decode_item(row))


def throttled(table: Table, index: Index | None, item_key: Item) -> None:
    if table.insights:
        _count(table, index, item_key, Rule.PARTITION_THROTTLED, Rule.ITEM_THROTTLED)


def rules(table: Table, index: Index | None, mode: str) -> list[Rule]:
    """That are counted: by item only where there is a sort key."""
    found = (
        [Rule.PARTITION_THROTTLED] if mode == "THROTTLED_KEYS" else [Rule.PARTITION_ACCESSED, Rule.PARTITION_THROTTLED]
    )
    if _names(table, index)[1]:
        found += [Rule.ITEM_THROTTLED] if mode == "THROTTLED_KEYS" else [Rule.ITEM_ACCESSED, Rule.ITEM_THROTTLED]
    return found


def setting_of(table: Table, index: Index | None) -> dict[str, Any] | None:
    """None: never set. An index that was dropped and made again has none of what its predecessor had."""
    setting = table.insights.get(index.name if index is not None else "")
    return None if setting is None or (index is not None and index.created > setting["created"]) else setting


def shelf_of(table: Table) -> bytes:
    return records.shelf(table.account, table.region, f"n/{table.uid}")


def _names(table: Table, index: Index | None) -> tuple[list[str], list[str]]:
    if index is not None:
        return index.hash, index.range
    return [table.hash], [table.range] if table.range is not None else []


def _count(table: Table, index: Index | None, item_key: Item, partition_rule: Rule, item_rule: Rule) -> None:
    name = index.name if index is not None else ""
    setting = setting_of(table, index)
    if setting is None or not setting["enabled"]:
        return
    counted = rules(table, index, setting["mode"])
    shelf = shelf_of(table)
    hash_names, range_names = _names(table, index)
    for rule, names in ((partition_rule, hash_names), (item_rule, [*hash_names, *range_names])):
        if rule in counted and all(part in item_key for part in names):
            key = orjson.dumps({part: item_key[part] for part in names})[:_KEY_BYTES_MAX]
            _gathered[shelf, name, rule, key] += 1
    if len(_gathered) > GATHERED_MAX:
        for entry, _ in _gathered.most_common()[GATHERED_MAX // 2 :]:
            del _gathered[entry]


async def sweep_with_table(call: Call, table: Table) -> frozenset[bytes]:
    if table.insights:
        tables.sweep(call.tx, table, [shelf_of(table)])
    return frozenset()


tables.before_delete.append(sweep_with_table)


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    async def hand_in_all(_: int) -> None:
        await hand_in(cloud.store, clock.now())

    name = f"dynamodb-contributors-{os.getpid() % _PROCESSES_MAX}"
    return [Reconciler(name, hand_in_all, cloud.store, clock, every_seconds=EVERY_SECONDS)]


async def hand_in(store: Store, now: float) -> None:
    """Adds what this process has counted to the minute that is now, and takes away what is too old."""
    minute = int(now // 60)
    counts = list(_gathered.items())
    _gathered.clear()
    for start in range(0, len(counts), _ROWS_PER_COMMIT):
        some = counts[start : start + _ROWS_PER_COMMIT]

        async def add(tx: Tx, some: list[tuple[tuple[bytes, str, Rule, bytes], int]] = some) -> None:
            for (shelf, index, rule, key), count in some:
                tx.add(shelf, keys.pack(minute, index, rule.value) + key, count)

        await store.run(add)
    for shelf in {shelf for (shelf, *_), _ in counts}:
        old = await store.scan(shelf, b"", keys.pack(max(0, minute - KEPT_MINUTES)), _ROWS_PER_COMMIT)
        await store.write((), [(shelf, key) for key, _ in old])


async def top(
    reader: Reader, table: Table, index: str, rule: Rule, *, minutes: tuple[int, int], most: int
) -> list[tuple[Item, int]]:
    """The keys with the highest counts over these minutes, the first to before the last."""
    found: Counter[bytes] = Counter()
    for minute in range(*minutes):
        prefix = keys.pack(minute, index, rule.value)
        for key, row in await reader.scan(shelf_of(table), prefix, keys.after(prefix), GATHERED_MAX // 2):
            found[key[len(prefix) :]] += sums.read(row, 1)[0]
    return [(orjson.loads(key), count) for key, count in found.most_common(most)]
