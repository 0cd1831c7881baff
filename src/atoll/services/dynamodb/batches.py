"""BatchGetItem and BatchWriteItem: many items of many tables in one request, each on its own as far as throttling goes."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import (
    contributors,
    item_collections,
    items,
    key_rules,
    mutations,
    places,
    records,
    tables,
    throttling,
    values,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.expressions.projections import Projection
from atoll.services.dynamodb.mutations import Mutation
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

GETS_MAX = 100
WRITES_MAX = 25
REPLY_BYTES_MAX = 16 * 1024 * 1024

_DUPLICATES = "Provided list of item keys contains duplicates"
_TOO_MANY = "Too many items requested for the {} call"
_REQUIRED = "The requestItems parameter is required for {}"
_ONE_OF_TWO = "must contain exactly one of the supported datatypes"


@dataclass(slots=True)
class _Get:
    """One item that is asked for, and how."""

    table: Table
    given: str  # the table's name in the request, by which it is answered
    key: Item
    place: bytes
    consistent: bool
    projection: Projection | None


@dynamodb.read("BatchGetItem")
async def batch_get_item(call: Call, request: Request) -> Reply:
    asked = request["RequestItems"]
    _check_count("BatchGetItem", {given: part["Keys"] for given, part in asked.items()}, GETS_MAX)
    for part in asked.values():
        for key in part["Keys"]:
            values.take_item(key)
    projections = items.projections_of(asked)
    gets: list[_Get] = []
    for given, part in asked.items():
        table = await tables.find(call, given)
        gets += _gets(table, given, part, projections[given])
    rows = await call.tx.get_many([(records.items_shelf(get.table), get.place) for get in gets])
    meter = Meter(request.get("ReturnConsumedCapacity"))
    answered: dict[str, list[Any]] = {given: [] for given in asked}
    unprocessed: list[_Get] = []
    refusal, room_bytes = None, REPLY_BYTES_MAX
    for get, row in zip(gets, rows, strict=True):
        size_bytes = 0 if row is None else records.item_size(row)
        refused = throttling.refusal_of_read(call, get.table, key=get.key)
        if refused is not None or room_bytes < size_bytes:
            refusal = refusal or refused
            unprocessed.append(get)
            continue
        room_bytes -= size_bytes
        meter.name(get.table, get.given)
        meter.read(get.table, None, size_bytes, consistent=get.consistent)
        contributors.accessed(get.table, None, get.key)
        throttling.charge(call, meter)
        if row is not None:
            answered[get.given].append(items.answered(row, get.projection))
    if refusal is not None and len(unprocessed) == len(gets):
        raise refusal
    return {"Responses": answered, "UnprocessedKeys": _left(asked, unprocessed), **meter.report_all()}


def _gets(table: Table, given: str, part: Request, projection: Projection | None) -> list[_Get]:
    consistent = part.get("ConsistentRead", False)
    gets = []
    for key in part["Keys"]:
        key_rules.check_key(table, key)
        gets.append(_Get(table, given, key, places.place(table, key), consistent, projection))
    check_different([get.place for get in gets])
    return gets


def check_different(targets: Sequence[Hashable]) -> None:
    if len(set(targets)) < len(targets):
        raise validation(_DUPLICATES)


def _left(asked: Mapping[str, Request], unprocessed: list[_Get]) -> dict[str, Request]:
    """A request for what was not answered."""
    left: dict[str, Request] = {}
    for get in unprocessed:
        left.setdefault(get.given, {**asked[get.given], "Keys": []})["Keys"].append(get.key)
    return left


@dynamodb.write("BatchWriteItem")
async def batch_write_item(call: Call, request: Request) -> Reply:
    asked = request["RequestItems"]
    _check_count("BatchWriteItem", asked, WRITES_MAX)
    sizes = {given: [_take_write(write) for write in writes] for given, writes in asked.items()}
    wanted: list[tuple[str, Request, Mutation]] = []
    for given, writes in asked.items():
        table = await tables.find(call, given)
        batch = [_mutation(table, write, size) for write, size in zip(writes, sizes[given], strict=True)]
        check_different([mutation.place for mutation in batch])
        wanted += [(given, write, mutation) for write, mutation in zip(writes, batch, strict=True)]
    outcomes = await mutations.evaluate_all(call.tx, [mutation for _, _, mutation in wanted])
    meter = Meter(request.get("ReturnConsumedCapacity"))
    unprocessed: dict[str, list[Request]] = {}
    refusal = None
    done: list[tuple[str, Mutation]] = []
    for (given, write, mutation), outcome in zip(wanted, outcomes, strict=True):
        assert not isinstance(outcome, AwsError), "puts and deletes without conditions can't fail"
        refused = throttling.refusal_of_write(call, mutation.table, key=mutation.key)
        if refused is not None:
            refusal = refusal or refused
            unprocessed.setdefault(given, []).append(write)
            continue
        written = mutations.apply(call.tx, mutation, outcome)
        await item_collections.check_growth(call.tx, mutation.table, mutation.key, written)
        meter.name(mutation.table, given)
        meter.write(mutation.table, written)
        throttling.charge(call, meter)
        done.append((given, mutation))
    if refusal is not None and not done:
        raise refusal
    reply: Reply = {"UnprocessedItems": unprocessed, **meter.report_all()}
    if request.get("ReturnItemCollectionMetrics") == "SIZE":
        reply["ItemCollectionMetrics"] = await item_collections.metrics_of_all(call.tx, done)
    return reply


def _take_write(write: Request) -> int:
    """The size of the item to put, or of the key of the one to delete."""
    if len(write) != 1:
        what = "is empty" if not write else "has more than one datatypes set"
        raise validation(f"Supplied AttributeValue {what}, {_ONE_OF_TWO}")
    if "PutRequest" not in write:
        return values.take_item(write["DeleteRequest"]["Key"])
    size_bytes = values.take_item(write["PutRequest"]["Item"])
    mutations.check_size(size_bytes)
    return size_bytes


def _mutation(table: Table, write: Request, size_bytes: int) -> Mutation:
    if "PutRequest" in write:
        item = write["PutRequest"]["Item"]
        # Of a wrong key a batch tells less than PutItem.
        key_rules.check_key(table, {name: item[name] for name in table.key_names if name in item})
        return mutations.put(table, item, size_bytes)
    return mutations.delete(table, write["DeleteRequest"]["Key"])


def _check_count(operation: str, asked: Mapping[str, list[Any]], most: int) -> None:
    if not asked:
        raise validation(_REQUIRED.format(operation))
    if sum(map(len, asked.values())) > most:
        raise validation(_TOO_MANY.format(operation))
