"""Item collections: all items of one partition key, and their entries in the local indexes of a table that has some."""

from collections.abc import Iterable
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import changes, records
from atoll.services.dynamodb.changes import Written
from atoll.services.dynamodb.mutations import Mutation
from atoll.services.dynamodb.records import Item, Table
from atoll.store import Reader, sums

COLLECTION_BYTES_MAX = 10 * 1024**3
_GB_BYTES = 1024**3


def are_kept(table: Table) -> bool:
    return any(not index.is_global for index in table.indexes)


async def size_bytes(tx: Reader, table: Table, key: Item) -> int:
    """What this transaction has written counts in."""
    counter = changes.counter_of_collection(changes.partition_of(table, key))
    return sums.read(await tx.get(records.counters_shelf(table), counter), 1)[0]


async def refusal(tx: Reader, table: Table, key: Item, written: Written) -> AwsError | None:
    """When what was just written has made a collection too large."""
    if not are_kept(table) or (written.after or 0) <= (written.before or 0):
        return None
    if await size_bytes(tx, table, key) <= COLLECTION_BYTES_MAX:
        return None
    return AwsError("ItemCollectionSizeLimitExceededException", "Collection size exceeded.")


async def check_growth(tx: Reader, table: Table, key: Item, written: Written) -> None:
    """Raises it."""
    error = await refusal(tx, table, key, written)
    if error is not None:
        raise error


async def metrics(tx: Reader, table: Table, key: Item) -> dict[str, Any]:
    """ItemCollectionMetrics: the size to within a gigabyte."""
    whole = await size_bytes(tx, table, key) // _GB_BYTES
    return {"ItemCollectionKey": {table.hash: key[table.hash]}, "SizeEstimateRangeGB": [float(whole), whole + 1.0]}


async def metrics_of_all(tx: Reader, done: Iterable[tuple[str, Mutation]]) -> dict[str, list[dict[str, Any]]]:
    """By the table's name as it was given: each collection once."""
    found: dict[str, dict[bytes, dict[str, Any]]] = {}
    for given, mutation in done:
        if are_kept(mutation.table):
            partition = changes.partition_of(mutation.table, mutation.key)
            found.setdefault(given, {})[partition] = await metrics(tx, mutation.table, mutation.key)
    return {given: list(by_partition.values()) for given, by_partition in found.items()}
