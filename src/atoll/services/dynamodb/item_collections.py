"""Item collections: all items of one partition key, and their entries in the local indexes of a table that has some."""

from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import changes, records
from atoll.services.dynamodb.changes import Written
from atoll.services.dynamodb.records import Item, Table
from atoll.store import sums

COLLECTION_BYTES_MAX = 10 * 1024**3
_GB_BYTES = 1024**3


def are_kept(table: Table) -> bool:
    return any(not index.is_global for index in table.indexes)


async def size_bytes(tx: Any, table: Table, key: Item) -> int:
    """What this transaction has written counts in."""
    counter = changes.counter_of_collection(changes.partition_of(table, key))
    return sums.read(await tx.get(records.counters_shelf(table), counter), 1)[0]


async def check_growth(tx: Any, table: Table, key: Item, written: Written) -> None:
    """Raises when what was just written has made a collection too large."""
    if not are_kept(table) or (written.after or 0) <= (written.before or 0):
        return
    if await size_bytes(tx, table, key) > COLLECTION_BYTES_MAX:
        raise AwsError("ItemCollectionSizeLimitExceededException", "Collection size exceeded.")


async def metrics(tx: Any, table: Table, key: Item) -> dict[str, Any]:
    """ItemCollectionMetrics: the size to within a gigabyte."""
    whole = await size_bytes(tx, table, key) // _GB_BYTES
    return {"ItemCollectionKey": {table.hash: key[table.hash]}, "SizeEstimateRangeGB": [float(whole), whole + 1.0]}
