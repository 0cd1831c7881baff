"""TransactWriteItems and TransactGetItems: all of it, or nothing and the reason of each.

the request is wrong              ValidationException, ResourceNotFoundException; nothing else is looked at
an action does not fit its table  TransactionCanceledException: ValidationError for the first such, None for the rest
conditions, and what updates meet TransactionCanceledException: a reason for each that fails
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

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
    request_expressions,
    stored,
    tables,
    throttling,
    tokens,
    values,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.changes import Written
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.expressions.updates import Update, compile_update
from atoll.services.dynamodb.mutations import Mutation, Outcome
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

TRANSACTION_BYTES_MAX = 4 * 1024 * 1024

_SEVERAL_KINDS = "TransactItems can only contain one of Check, Put, Update or Delete"
_NO_KIND = "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"
_SAME_ITEM = "Transaction request cannot include multiple operations on one item"
_TOO_LARGE = f"Transaction payload size cannot exceed {TRANSACTION_BYTES_MAX} bytes"
_EXPRESSIONS = {
    "Put": ("ConditionExpression",),
    "Update": ("UpdateExpression", "ConditionExpression"),
    "Delete": ("ConditionExpression",),
    "ConditionCheck": ("ConditionExpression",),
}
_NONE = {"Code": "None"}
_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "ItemCollectionSizeLimitExceededException": "ItemCollectionSizeLimitExceeded",
    "ProvisionedThroughputExceededException": "ProvisionedThroughputExceeded",
    "ThrottlingException": "ThrottlingError",
    "ValidationException": "ValidationError",
    "DuplicateItemException": "DuplicateItem",
    "ResourceNotFoundException": "ResourceNotFound",
}
"""What an error of a single request is called as one of a transaction's reasons."""


@dataclass(slots=True)
class Action:
    """One mutation of a transaction. `given`: the table's name in the request."""

    mutation: Mutation
    given: str
    with_item: bool = False  # ReturnValuesOnConditionCheckFailure is ALL_OLD


@dataclass(slots=True)
class _Asked:
    """An action as far as it can be read without its table."""

    kind: str
    given: str
    item: Item  # or the key
    size_bytes: int
    payload_bytes: int  # what it counts for in the transaction: the values of its expressions, too
    condition: Condition | None
    update: Update | None
    with_item: bool


@dynamodb.write("TransactWriteItems")
async def transact_write_items(call: Call, request: Request) -> Reply:
    wanted = request["TransactItems"]
    asked = [_read_action(action) for action in wanted]
    if sum(one.payload_bytes for one in asked) > TRANSACTION_BYTES_MAX:
        raise validation(_TOO_LARGE)
    meter = Meter(request.get("ReturnConsumedCapacity"))
    actions = await carry_out_once(call, request, wanted, partial(_fit_all, call, asked), meter)
    reply: Reply = meter.report_all()
    if actions is not None and request.get("ReturnItemCollectionMetrics") == "SIZE":
        done = [(action.given, action.mutation) for action in actions if action.mutation.kind != "check"]
        reply["ItemCollectionMetrics"] = await item_collections.metrics_of_all(call.tx, done)
    return reply


async def carry_out_once(
    call: Call, request: Request, wanted: Any, fit: Callable[[], Awaitable[list[Action]]], meter: Meter
) -> list[Action] | None:
    """Carries out what `fit` makes of `wanted`. None: the request's token says that it is done, and only paid for again."""
    token = request.get("ClientRequestToken")
    digest = b"" if token is None else tokens.digest(wanted)
    kept = None if token is None else await tokens.kept(call, token, digest)
    if kept is not None:
        await _meter_again(call, meter, kept)
        return None
    actions = await fit()
    written = await _carry_out(call, actions, meter)
    if token is not None:
        sizes = [[action.given, one.after or one.before or 0] for action, one in zip(actions, written, strict=True)]
        tokens.keep(call, token, digest, msgspec.msgpack.encode(sizes))
    return actions


async def _carry_out(call: Call, actions: Sequence[Action], meter: Meter) -> list[Written]:
    """Writes all of it. Raises ValidationException when two are of one item, TransactionCanceledException when one fails."""
    check_different([(action.mutation.table.uid, action.mutation.place) for action in actions])
    outcomes = await mutations.evaluate_all(call.tx, [action.mutation for action in actions])
    for outcome in outcomes:
        if isinstance(outcome, AwsError) and key_rules.tells_of_emptiness(outcome):
            raise outcome
    errors: list[AwsError | None] = []
    for action, outcome in zip(actions, outcomes, strict=True):
        error = throttling.refusal_of_write(call, action.mutation.table, key=action.mutation.key) or _error_of(
            action, outcome
        )
        errors.append(error)
    if any(errors):
        for action, outcome in zip(actions, outcomes, strict=True):
            before = None if isinstance(outcome, AwsError) else stored.size_of(outcome.before)
            meter.write_failed(action.mutation.table, before, transactional=True)
        throttling.charge(call, meter)
        raise cancelled(errors)
    return await _write_all(call, actions, outcomes, meter)


async def _write_all(
    call: Call, actions: Sequence[Action], outcomes: Sequence[Outcome | AwsError], meter: Meter
) -> list[Written]:
    all_written: list[Written] = []
    errors: list[AwsError | None] = [None] * len(actions)
    for position, (action, outcome) in enumerate(zip(actions, outcomes, strict=True)):
        assert isinstance(outcome, Outcome), "an action that failed is carried out"
        mutation = action.mutation
        written = mutations.apply(call.tx, mutation, outcome)
        errors[position] = await item_collections.refusal(call.tx, mutation.table, mutation.key, written)
        meter.name(mutation.table, action.given)
        meter.write(mutation.table, written, transactional=True)
        all_written.append(written)
    throttling.charge(call, meter)
    if any(errors):
        raise cancelled(errors)
    return all_written


def check_different(targets: Sequence[Any]) -> None:
    if len(set(targets)) < len(targets):
        raise validation(_SAME_ITEM)


def cancelled(errors: Sequence[AwsError | None]) -> AwsError:
    """Of the reasons of all actions, in their order; None where there was none."""
    reasons = [_NONE if error is None else _reason(error) for error in errors]
    codes = ", ".join(str(reason["Code"]) for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return AwsError("TransactionCanceledException", message, CancellationReasons=reasons)


def _reason(error: AwsError) -> dict[str, Any]:
    reason: dict[str, Any] = {"Code": _CODES[error.code], "Message": error.message}
    if "Item" in error.fields:
        reason["Item"] = error.fields["Item"]
    return reason


def _error_of(action: Action, outcome: Outcome | AwsError) -> AwsError | None:
    if isinstance(outcome, AwsError):
        return outcome
    if outcome.holds:
        return None
    return items.conditional_check_failed(outcome.before, with_item=action.with_item)


def _read_action(action: Request) -> _Asked:
    if len(action) != 1:
        raise validation(_SEVERAL_KINDS if action else _NO_KIND)
    kind, members = next(iter(action.items()))
    bindings = request_expressions.bind(members, _EXPRESSIONS[kind])
    item = members["Item"] if kind == "Put" else members["Key"]
    size_bytes = values.take_item(item)
    update = None
    if kind == "Update":
        assert bindings is not None, "the model lets no update through without an expression"
        update = compile_update(members["UpdateExpression"], bindings)
    condition = request_expressions.condition(members, bindings)
    if bindings is not None:
        bindings.check_all_used()
    payload_bytes = size_bytes + sum(map(values.value_size, members.get("ExpressionAttributeValues", {}).values()))
    with_item = members.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    return _Asked(kind, members["TableName"], item, size_bytes, payload_bytes, condition, update, with_item)


async def _fit_all(call: Call, asked: Sequence[_Asked]) -> list[Action]:
    found = {given: await tables.find(call, given) for given in {one.given: None for one in asked}}
    for one in asked:
        # Empty keys are the one misfit that fails the request instead of cancelling the transaction.
        key_rules.check_not_empty(found[one.given], one.item)
    actions: list[Action] = []
    for position, one in enumerate(asked):
        try:
            actions.append(Action(_fit(found[one.given], one), one.given, one.with_item))
        except AwsError as error:
            raise cancelled(_only(error, position, len(asked))) from None
    return actions


def _fit(table: Table, one: _Asked) -> Mutation:
    if one.kind == "Put":
        return mutations.put(table, one.item, one.size_bytes, one.condition)
    if one.kind == "Delete":
        return mutations.delete(table, one.item, one.condition)
    if one.kind == "Update":
        assert one.update is not None, "an update without a change"
        return mutations.update(table, one.item, one.update, one.condition)
    assert one.condition is not None, "the model lets no check through without a condition"
    return mutations.check(table, one.item, one.condition)


def _only(error: AwsError, position: int, count: int) -> list[AwsError | None]:
    errors: list[AwsError | None] = [None] * count
    errors[position] = error
    return errors


async def _meter_again(call: Call, meter: Meter, kept: bytes) -> None:
    """Asked again, a transaction costs what reading its items would."""
    for given, size_bytes in msgspec.msgpack.decode(kept, type=list[tuple[str, int]]):
        table = await tables.find(call, given)
        meter.name(table, given)
        meter.read(table, None, size_bytes, consistent=True, transactional=True)
    throttling.charge(call, meter)


@dynamodb.read("TransactGetItems")
async def transact_get_items(call: Call, request: Request) -> Reply:
    gets = [action["Get"] for action in request["TransactItems"]]
    for get in gets:
        values.take_item(get["Key"])
    projections = [items.projection_of(get) for get in gets]
    found = [await tables.find(call, get["TableName"]) for get in gets]
    places_of = _places(found, [get["Key"] for get in gets])
    check_different([(table.uid, place) for table, place in zip(found, places_of, strict=True)])
    refusals = [throttling.refusal_of_read(call, table) for table in found]
    if any(refusals):
        raise cancelled(refusals)
    wanted = [(records.items_shelf(table), place) for table, place in zip(found, places_of, strict=True)]
    rows = await call.tx.get_many(wanted)
    sizes = [0 if row is None else records.item_size(row) for row in rows]
    if sum(sizes) > TRANSACTION_BYTES_MAX:
        raise validation(_TOO_LARGE)
    meter = Meter(request.get("ReturnConsumedCapacity"))
    for get, table, size_bytes in zip(gets, found, sizes, strict=True):
        meter.name(table, get["TableName"])
        meter.read(table, None, size_bytes, consistent=True, transactional=True)
        contributors.accessed(table, None, get["Key"])
    throttling.charge(call, meter)
    responses = [
        {} if row is None else {"Item": items.answered(row, projection)}
        for row, projection in zip(rows, projections, strict=True)
    ]
    return {"Responses": responses, **meter.report_all()}


def _places(found: Sequence[Table], keys: Sequence[Item]) -> list[bytes]:
    for table, key in zip(found, keys, strict=True):
        key_rules.check_not_empty(table, key)
    for position, (table, key) in enumerate(zip(found, keys, strict=True)):
        try:
            key_rules.check_key(table, key)
        except AwsError as error:
            raise cancelled(_only(error, position, len(keys))) from None
    return [places.place(table, key) for table, key in zip(found, keys, strict=True)]
