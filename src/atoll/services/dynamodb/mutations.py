"""One wanted change of one item: judged by the item that is there, then carried out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import changes, contributors, key_rules, places, records, stored, values
from atoll.services.dynamodb.changes import Written
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.expressions.updates import Update
from atoll.services.dynamodb.records import ITEM_BYTES_MAX, Item, Table
from atoll.services.dynamodb.stored import Stored

Kind = Literal["put", "update", "delete", "check"]


@dataclass(slots=True)
class Mutation:
    kind: Kind
    table: Table
    key: Item  # the key attributes alone
    place: bytes
    item: Item | None = None  # of a put: taken and checked
    size_bytes: int = 0  # of that item
    update: Update | None = None
    condition: Condition | None = None
    must_exist: bool = False  # PartiQL's UPDATE of what is not there fails like a condition
    is_new: bool = False  # PartiQL's INSERT of what is there already fails


@dataclass(slots=True)
class Outcome:
    before: Stored | None
    after: Stored | None
    holds: bool


def put(table: Table, item: Item, size_bytes: int, condition: Condition | None = None) -> Mutation:
    """`item` has been taken by `values.take_item`, which told its size."""
    check_size(size_bytes)
    key_rules.check_item(table, item)
    key = {name: item[name] for name in table.key_names}
    return Mutation("put", table, key, places.place(table, item), item, size_bytes, condition=condition)


def update(table: Table, key: Item, change: Update, condition: Condition | None = None) -> Mutation:
    key_rules.check_key(table, key)
    key_rules.check_not_updated(table, change.attributes)
    return Mutation("update", table, key, places.place(table, key), update=change, condition=condition)


def delete(table: Table, key: Item, condition: Condition | None = None) -> Mutation:
    key_rules.check_key(table, key)
    return Mutation("delete", table, key, places.place(table, key), condition=condition)


def check(table: Table, key: Item, condition: Condition) -> Mutation:
    key_rules.check_key(table, key)
    return Mutation("check", table, key, places.place(table, key), condition=condition)


def check_size(size_bytes: int) -> None:
    if size_bytes > ITEM_BYTES_MAX:
        raise AwsError("ValidationException", "Item size has exceeded the maximum allowed size")


async def evaluate(tx: Any, mutation: Mutation) -> Outcome:
    return judge(mutation, await tx.get(records.items_shelf(mutation.table), mutation.place))


async def evaluate_all(tx: Any, mutations: Sequence[Mutation]) -> list[Outcome | AwsError]:
    """Each alone: what one raises is its own answer."""
    rows = await tx.get_many([(records.items_shelf(m.table), m.place) for m in mutations])
    outcomes: list[Outcome | AwsError] = []
    for mutation, row in zip(mutations, rows, strict=True):
        try:
            outcomes.append(judge(mutation, row))
        except AwsError as error:
            outcomes.append(error)
    return outcomes


def judge(mutation: Mutation, row: bytes | None) -> Outcome:
    """What the mutation makes of the item in `row`. Raises ValidationException where an update can't be."""
    contributors.accessed(mutation.table, None, mutation.key)
    before = None if row is None else stored.read(row)
    if mutation.must_exist and before is None:
        return Outcome(None, None, holds=False)
    if mutation.is_new and before is not None:
        raise AwsError("DuplicateItemException", "Duplicate primary key exists in table")
    condition = mutation.condition
    if condition is not None and not condition.matches({} if before is None else before.item):
        return Outcome(before, before, holds=False)
    if mutation.kind == "put":
        assert mutation.item is not None, "a put of nothing"
        return Outcome(before, stored.new(mutation.item, mutation.size_bytes), holds=True)
    if mutation.kind == "update":
        return Outcome(before, _updated(mutation, before), holds=True)
    return Outcome(before, None if mutation.kind == "delete" else before, holds=True)


def _updated(mutation: Mutation, before: Stored | None) -> Stored | None:
    change = mutation.update
    assert change is not None, "an update without a change"
    if before is not None:
        item = change.apply(before.item)
    elif change.creates:
        # To the update, a new item's key is not there yet: it can't be copied from.
        item = {**mutation.key, **change.apply({})}
    else:
        return None
    size_bytes = values.item_size(item)
    if size_bytes > ITEM_BYTES_MAX:
        raise AwsError("ValidationException", "Item size to update has exceeded the maximum allowed size")
    if mutation.table.indexes or mutation.table.vectors:
        written = change.attributes if before is not None else change.attributes.union(mutation.key)
        key_rules.check_indexes(mutation.table, item, written)
    return stored.new(item, size_bytes)


def apply(tx: Any, mutation: Mutation, outcome: Outcome) -> Written:
    assert outcome.holds, "a change whose condition failed"
    return changes.write(tx, mutation.table, mutation.place, outcome.before, outcome.after)
