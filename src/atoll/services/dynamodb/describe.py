"""What DescribeTable and its kin tell of a table: TableDescription, with the counts as they are now."""

from typing import TYPE_CHECKING, Any

from atoll.operation import Call
from atoll.services.dynamodb import changes, vector_rules
from atoll.services.dynamodb.provisioning import NO_LIMIT, ON_DEMAND, decreases_today, warm_units
from atoll.services.dynamodb.records import (
    ACTIVE,
    CREATING,
    DELETING,
    UPDATING,
    Index,
    Table,
    Throughput,
    counters_shelf,
)
from atoll.store import Reader, sums

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types


async def describe(call: Call, table: Table, status: str | None = None) -> "types.TableDescription":
    """`status` says what is being created, updated or deleted, though to us it already is."""
    sizes = await _sizes(call.tx, table)
    description: Any = {
        "TableName": table.name,
        "TableStatus": status or _status(table),
        "ProvisionedThroughput": _provisioned(table.throughput, table.billing, call.now),
        "TableSizeBytes": sizes[""][1],
        "ItemCount": sizes[""][0],
        "TableArn": table.arn,
        "TableId": table.id,
        "DeletionProtectionEnabled": table.deletion_protection,
    }
    description |= _billing(table) | _stream(table) | _rest(table)
    if status != DELETING:
        description |= _schema(table) | _indexes(table, sizes, status, call.now)
    return description  # type: ignore[no-any-return]


def _status(table: Table) -> str:
    if table.status == ACTIVE and any(index.status != ACTIVE for index in table.indexes):
        return UPDATING
    return table.status


def _schema(table: Table) -> dict[str, Any]:
    return {
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in table.attributes.items()],
        "KeySchema": table_key_schema(table),
        "CreationDateTime": table.created,
        "WarmThroughput": _warm(table.throughput, table),
    }


def _key_schema(hashes: list[str], ranges: list[str]) -> list[dict[str, str]]:
    elements = [{"AttributeName": name, "KeyType": "HASH"} for name in hashes]
    return elements + [{"AttributeName": name, "KeyType": "RANGE"} for name in ranges]


def table_key_schema(table: Table) -> list[dict[str, str]]:
    return _key_schema([table.hash], [] if table.range is None else [table.range])


def index_definition(index: Index) -> dict[str, Any]:
    """What a request that makes such an index says of it, but for its throughput."""
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.include:
        projection["NonKeyAttributes"] = index.include
    return {
        "IndexName": index.name,
        "KeySchema": _key_schema(index.hash, index.range),
        "Projection": projection,
    }


def provisioned_units(throughput: Throughput) -> dict[str, int]:
    return {"ReadCapacityUnits": throughput.read or 0, "WriteCapacityUnits": throughput.write or 0}


async def _sizes(reader: Reader, table: Table) -> dict[str, tuple[int, ...]]:
    """(items, bytes) of the table, named "", and of each index."""
    shelf = counters_shelf(table)
    places = [changes.TABLE_COUNTER, *(changes.counter_of_index(index) for index in table.indexes)]
    rows = await reader.get_many([(shelf, place) for place in places])
    names = ["", *(index.name for index in table.indexes)]
    return {name: sums.read(row, 2) for name, row in zip(names, rows, strict=True)}


def _provisioned(throughput: Throughput, billing: str, now: float) -> dict[str, Any]:
    on_demand = billing == ON_DEMAND
    told: dict[str, Any] = {
        "NumberOfDecreasesToday": decreases_today(throughput, now),
        "ReadCapacityUnits": 0 if on_demand else throughput.read or 0,
        "WriteCapacityUnits": 0 if on_demand else throughput.write or 0,
    }
    if throughput.increased:
        told["LastIncreaseDateTime"] = throughput.increased
    if throughput.decreased:
        told["LastDecreaseDateTime"] = throughput.decreased
    return told


def _warm(throughput: Throughput, table: Table) -> dict[str, Any]:
    read, write = warm_units(throughput, table.billing)
    return {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write, "Status": ACTIVE}


def _on_demand(throughput: Throughput) -> dict[str, Any]:
    if throughput.max_read is None and throughput.max_write is None:
        return {}
    told = {"MaxReadRequestUnits": throughput.max_read, "MaxWriteRequestUnits": throughput.max_write}
    return {"OnDemandThroughput": {name: NO_LIMIT if units is None else units for name, units in told.items()}}


def _billing(table: Table) -> dict[str, Any]:
    if table.billing != ON_DEMAND and not table.billing_changed:
        return {}
    summary: dict[str, Any] = {"BillingMode": table.billing}
    if table.billing_changed:
        summary["LastUpdateToPayPerRequestDateTime"] = table.billing_changed
    return {"BillingModeSummary": summary}


def _indexes(table: Table, sizes: dict[str, tuple[int, ...]], status: str | None, now: float) -> dict[str, Any]:
    local = [_index(table, index, sizes[index.name]) for index in table.indexes if not index.is_global]
    others = [
        _index(table, index, sizes[index.name]) | _global(table, index, now)
        for index in table.indexes
        if index.is_global
    ]
    if status == CREATING:
        others = [{**told, "IndexStatus": CREATING} for told in others]
    told = {"LocalSecondaryIndexes": local, "GlobalSecondaryIndexes": others}
    return {name: indexes for name, indexes in told.items() if indexes}


def _index(table: Table, index: Index, size: tuple[int, ...]) -> dict[str, Any]:
    return {
        **index_definition(index),
        "IndexSizeBytes": size[1],
        "ItemCount": size[0],
        "IndexArn": table.index_arn(index.name),
    }


def _global(table: Table, index: Index, now: float) -> dict[str, Any]:
    told = {
        "IndexStatus": index.status,
        "ProvisionedThroughput": _provisioned(index.throughput, table.billing, now),
        "WarmThroughput": _warm(index.throughput, table),
        **_on_demand(index.throughput),
    }
    if index.status == CREATING:
        told["Backfilling"] = index.backfilling
    return told


def _stream(table: Table) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if table.streams:
        newest = table.streams[-1]
        told = {"LatestStreamLabel": newest.label, "LatestStreamArn": table.stream_arn(newest.label)}
    if table.stream is not None:
        told["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": table.stream.view}
    return told


def _rest(table: Table) -> dict[str, Any]:
    told = _on_demand(table.throughput)
    if table.table_class != "STANDARD" or table.table_class_changed:
        told["TableClassSummary"] = {"TableClass": table.table_class}
        if table.table_class_changed:
            told["TableClassSummary"]["LastUpdateDateTime"] = table.table_class_changed
    if table.restored:
        told["RestoreSummary"] = table.restored
    if table.vectors:
        told["VectorIndexes"] = vector_rules.described(table)
    if table.sse:
        told["SSEDescription"] = table.sse
    return told
