"""Operations on single items."""

from collections.abc import Mapping
from typing import Any

import orjson

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import (
    contributors,
    item_collections,
    key_rules,
    mutations,
    places,
    records,
    request_expressions,
    stored,
    tables,
    throttling,
    values,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.expressions.projections import Projection, compile_projection, from_attributes
from atoll.services.dynamodb.expressions.updates import compile_update
from atoll.services.dynamodb.mutations import Mutation, Outcome
from atoll.services.dynamodb.service import dynamodb
from atoll.services.dynamodb.stored import Stored

_CONDITION = ("ConditionExpression",)
_EXPECTED = ("Expected", "ConditionalOperator")
_UPDATE = ("UpdateExpression", "ConditionExpression")
_ATTRIBUTE_UPDATES = ("AttributeUpdates", "Expected", "ConditionalOperator")
_PROJECTION = ("ProjectionExpression",)
_ATTRIBUTES = ("AttributesToGet",)


@dynamodb.read("GetItem")
async def get_item(call: Call, request: Request) -> Reply:
    key = request["Key"]
    values.take_item(key)
    projection = projection_of(request)
    name = request["TableName"]
    table = await tables.find(call, name)
    key_rules.check_key(table, key)
    throttling.admit_read(call, table, key=key)
    row = await call.tx.get(records.items_shelf(table), places.place(table, key))
    meter = Meter(request.get("ReturnConsumedCapacity"))
    meter.name(table, name)
    size_bytes = 0 if row is None else records.item_size(row)
    meter.read(table, None, size_bytes, consistent=request.get("ConsistentRead", False))
    contributors.accessed(table, None, key)
    throttling.charge(call, meter)
    reply: Reply = {}
    if row is not None:
        reply["Item"] = answered(row, projection)
    return reply | meter.report_one()


@dynamodb.write("PutItem")
async def put_item(call: Call, request: Request) -> Reply:
    bindings = request_expressions.bind(request, _CONDITION, _EXPECTED)
    item = request["Item"]
    size_bytes = values.take_item(item)
    _check_return_values(request)
    mutations.check_size(size_bytes)
    condition = request_expressions.condition(request, bindings)
    if bindings is not None:
        bindings.check_all_used()
    table = await tables.find(call, request["TableName"])
    return await _carry_out(call, request, mutations.put(table, item, size_bytes, condition))


@dynamodb.write("UpdateItem")
async def update_item(call: Call, request: Request) -> Reply:
    bindings = request_expressions.bind(request, _UPDATE, _ATTRIBUTE_UPDATES)
    key = request["Key"]
    values.take_item(key)
    if bindings is not None and "UpdateExpression" in request:
        update = compile_update(request["UpdateExpression"], bindings)
    else:
        update = legacy.attribute_updates(request.get("AttributeUpdates") or {})
    condition = request_expressions.condition(request, bindings)
    if bindings is not None:
        bindings.check_all_used()
    table = await tables.find(call, request["TableName"])
    return await _carry_out(call, request, mutations.update(table, key, update, condition))


@dynamodb.write("DeleteItem")
async def delete_item(call: Call, request: Request) -> Reply:
    bindings = request_expressions.bind(request, _CONDITION, _EXPECTED)
    key = request["Key"]
    values.take_item(key)
    _check_return_values(request)
    condition = request_expressions.condition(request, bindings)
    if bindings is not None:
        bindings.check_all_used()
    table = await tables.find(call, request["TableName"])
    return await _carry_out(call, request, mutations.delete(table, key, condition))


def projection_of(request: Request) -> Projection | None:
    """Of a request that gets items by key, or of the part of one. None is everything."""
    bindings = request_expressions.bind(request, _PROJECTION, _ATTRIBUTES)
    if bindings is not None:
        projection = compile_projection(request["ProjectionExpression"], bindings)
        bindings.check_all_used()
        return projection
    attributes = request.get("AttributesToGet")
    return None if attributes is None else from_attributes(attributes)


def projections_of(parts: Mapping[str, Request]) -> dict[str, Projection | None]:
    # One part in the old language and another in the new are mixed, too.
    legacy.check_not_mixed({member: True for part in parts.values() for member in part}, _PROJECTION, _ATTRIBUTES)
    return {name: projection_of(part) for name, part in parts.items()}


def answered(row: bytes, projection: Projection | None) -> Any:
    """An item as a reply carries it."""
    if projection is None:
        return orjson.Fragment(records.item_json(row))
    return projection.apply(records.decode_item(row))


def conditional_check_failed(before: Stored | None, *, with_item: bool) -> AwsError:
    fields: dict[str, Any] = {"Item": orjson.Fragment(before.json)} if with_item and before is not None else {}
    return AwsError("ConditionalCheckFailedException", "The conditional request failed", **fields)


async def _carry_out(call: Call, request: Request, mutation: Mutation) -> Reply:
    table = mutation.table
    throttling.admit_write(call, table, key=mutation.key)
    outcome = await mutations.evaluate(call.tx, mutation)
    meter = Meter(request.get("ReturnConsumedCapacity"))
    meter.name(table, request["TableName"])
    if not outcome.holds:
        meter.write_failed(table, stored.size_of(outcome.before))
        throttling.charge(call, meter)
        with_item = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        raise conditional_check_failed(outcome.before, with_item=with_item)
    written = mutations.apply(call.tx, mutation, outcome)
    await item_collections.check_growth(call.tx, table, mutation.key, written)
    meter.write(table, written)
    throttling.charge(call, meter)
    reply = _returned(request.get("ReturnValues"), mutation, outcome) | meter.report_one()
    if request.get("ReturnItemCollectionMetrics") == "SIZE" and item_collections.are_kept(table):
        reply["ItemCollectionMetrics"] = await item_collections.metrics(call.tx, table, mutation.key)
    return reply


def _check_return_values(request: Request) -> None:
    if request.get("ReturnValues") not in (None, "NONE", "ALL_OLD"):
        raise AwsError("ValidationException", "ReturnValues can only be ALL_OLD or NONE")


def _returned(wanted: str | None, mutation: Mutation, outcome: Outcome) -> Reply:
    if wanted is None or wanted == "NONE":
        return {}
    side = outcome.before if wanted.endswith("_OLD") else outcome.after
    if side is None:
        return {}
    if wanted.startswith("ALL_"):
        return {"Attributes": orjson.Fragment(side.json)}
    assert mutation.update is not None, f"ReturnValues {wanted} of a {mutation.kind}"
    part = mutation.update.part_of(side.item)
    return {"Attributes": part} if part else {}
