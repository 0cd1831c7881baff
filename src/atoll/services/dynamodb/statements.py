"""ExecuteStatement, and what it shares with batches and transactions of statements.

They are streams in name only: whether a statement reads or writes shows when it has been parsed.
"""

from typing import Any

import orjson

from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import (
    item_collections,
    items,
    mutations,
    records,
    stored,
    tables,
    throttling,
    values,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.mutations import Mutation, Outcome
from atoll.services.dynamodb.partiql import plans, selects
from atoll.services.dynamodb.partiql.parser import parse
from atoll.services.dynamodb.partiql.selects import Asked
from atoll.services.dynamodb.partiql.tree import Delete, Exists, Returning, Select, Statement, Update, Write
from atoll.services.dynamodb.records import Item
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

NOT_OF_INDEX = "This operation is not supported on an index"
NO_KEY = "Select statements within {} must specify the primary key in the where clause."


@dynamodb.stream("ExecuteStatement")
async def execute_statement(call: Call, request: Request) -> Reply:
    statement = parse_request(request)
    if isinstance(statement, Select):
        select = statement
        return await call.read(lambda call: _select(call, request, select))
    if "NextToken" in request:
        raise validation("NextToken is only valid on a SELECT statement")
    write = statement
    return await call.write(lambda call: _write(call, request, write))


def parse_request(request: Request) -> Select | Write:
    """Of a statement that is alone, or in a batch. Raises ValidationException."""
    parameters = request.get("Parameters", [])
    for value in parameters:
        values.take_value(value)
    statement = parse(request["Statement"], parameters)
    if isinstance(statement, Update | Delete) and statement.target.index is not None:
        raise validation(NOT_OF_INDEX)
    if isinstance(statement, Exists):
        raise validation("EXISTS can only be used in ExecuteTransaction write requests.")
    return statement


async def _select(call: Call, request: Request, select: Select) -> Reply:
    meter = Meter(request.get("ReturnConsumedCapacity"))
    digest = selects.digest_of(request["Statement"], request.get("Parameters", []))
    consistent = bool(request.get("ConsistentRead"))
    asked = Asked(select, consistent, request.get("Limit"), request.get("NextToken"), digest)
    found = await selects.run(call, asked, meter)
    reply: Reply = {"Items": found.items}
    if found.token is not None:
        reply["NextToken"] = found.token
    if found.last_key is not None:
        reply["LastEvaluatedKey"] = found.last_key
    return reply | meter.report_one()


async def _write(call: Call, request: Request, write: Write) -> Reply:
    check_returning(write)
    table = await tables.find(call, write.target.table)
    mutation = plans.plan_write(table, write)
    throttling.admit_write(call, table)
    meter = Meter(request.get("ReturnConsumedCapacity"))
    meter.name(table, write.target.table)
    outcome = await mutations.evaluate(call.tx, mutation)
    if not outcome.holds:
        meter.write_failed(table, stored.size_of(outcome.before))
        throttling.charge(call, meter)
        with_item = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        raise items.conditional_check_failed(outcome.before, with_item=with_item)
    await apply(call, mutation, outcome, meter)
    item = returned(write, mutation, outcome)
    return {"Items": [] if item is None else [item], **meter.report_one()}


async def apply(call: Call, mutation: Mutation, outcome: Outcome, meter: Meter) -> None:
    written = mutations.apply(call.tx, mutation, outcome)
    await item_collections.check_growth(call.tx, mutation.table, mutation.key, written)
    meter.write(mutation.table, written)
    throttling.charge(call, meter)


def check_returning(write: Write) -> None:
    returning = returning_of(write)
    if isinstance(write, Delete) and returning not in (None, Returning("ALL", "OLD")):
        assert returning is not None
        raise validation(
            f"Invalid returning clause: RETURNING {returning.which} {returning.when} *. "
            "Only RETURNING ALL OLD * is allowed in DELETE statements."
        )


def returning_of(statement: Statement) -> Returning | None:
    return statement.returning if isinstance(statement, Update | Delete) else None


def returned(write: Write, mutation: Mutation, outcome: Outcome) -> Item | orjson.Fragment | None:
    returning = returning_of(write)
    if returning is None:
        return None
    side = outcome.before if returning.when == "OLD" else outcome.after
    if side is None:
        return None
    if returning.which == "ALL":
        return orjson.Fragment(side.json)
    assert mutation.update is not None, "what was modified by a deletion"
    # Nothing of it there: no item, rather than an empty one.
    return mutation.update.part_of(side.item) or None


def size_of(row: bytes | None) -> int:
    return 0 if row is None else records.item_size(row)


def answered(row: bytes | None, select: Select) -> Any:
    if row is None:
        return None
    columns = selects.columns_of(select)
    return orjson.Fragment(records.item_json(row)) if columns is None else columns.apply(records.decode_item(row))
