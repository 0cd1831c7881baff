"""ExecuteTransaction: up to 100 statements that only read, or only write, all of them or none."""

from collections.abc import Sequence
from functools import partial

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import (
    contributors,
    key_rules,
    places,
    records,
    statements,
    tables,
    throttling,
    transactions,
    values,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.mutations import Mutation, check
from atoll.services.dynamodb.partiql import plans, rendering
from atoll.services.dynamodb.partiql.parser import parse
from atoll.services.dynamodb.partiql.tree import Delete, Exists, Select, Statement, Update, Write
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import not_found, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.services.dynamodb.transactions import Action

_MIXED = "ExecuteTransaction API does not support both read and write operations in the same request."
_NO_CONDITION = "EXISTS() must contain a single item read with additional condition"
_NO_RETURNING = "RETURNING clause is not supported in ExecuteTransaction."
_NO_INDEX = "Reads on indices are not supported within transactions."


@dynamodb.stream("ExecuteTransaction")
async def execute_transaction(call: Call, request: Request) -> Reply:
    asked = [_parse(position, one) for position, one in enumerate(request["TransactStatements"])]
    selecting = [statement for statement in asked if isinstance(statement, Select)]
    writing = [statement for statement in asked if not isinstance(statement, Select)]
    if selecting and writing:
        raise validation(_MIXED)
    if selecting:
        return await call.read(lambda call: _read_all(call, request, selecting))
    return await call.write(lambda call: _write_all(call, request, writing))


def _parse(position: int, request: Request) -> Statement:
    for value in request.get("Parameters", []):
        values.take_value(value)
    statement = parse(request["Statement"], request.get("Parameters", []))
    target = statement.select.target if isinstance(statement, Exists) else statement.target
    if statements.returning_of(statement) is not None:
        raise _invalid(position, _NO_RETURNING)
    if target.index is not None:
        reading = isinstance(statement, Select | Exists)
        raise _invalid(position, _NO_INDEX if reading else statements.NOT_OF_INDEX)
    return statement


async def _read_all(call: Call, request: Request, selecting: Sequence[Select]) -> Reply:
    errors: list[AwsError | None] = []
    targets: list[tuple[Table, bytes]] = []
    for position, select in enumerate(selecting):
        table = await tables.get(call, select.target.table)
        key = None if table is None else plans.names_one_item(table, select.where)
        if table is None:
            errors.append(not_found())
        elif key is None:
            raise _invalid(position, statements.NO_KEY.format("ExecuteTransaction"))
        elif _misfits(table, key):
            errors.append(key_rules.mismatch())
        else:
            contributors.accessed(table, None, key)
            targets.append((table, places.place(table, key)))
            errors.append(throttling.refusal_of_read(call, table))
    if any(errors):
        raise transactions.cancelled(errors)
    transactions.check_different([(table.uid, place) for table, place in targets])
    rows = await call.tx.get_many([(records.items_shelf(table), place) for table, place in targets])
    meter = Meter(request.get("ReturnConsumedCapacity"))
    responses: list[Reply] = []
    for select, (table, _), row in zip(selecting, targets, rows, strict=True):
        meter.name(table, select.target.table)
        meter.read(table, None, statements.size_of(row), consistent=True, transactional=True)
        responses.append({} if row is None else {"Item": statements.answered(row, select)})
    throttling.charge(call, meter)
    return {"Responses": responses, **meter.report_all()}


def _misfits(table: Table, key: Item) -> bool:
    try:
        key_rules.check_key(table, key)
    except AwsError:
        return True
    return False


async def _write_all(call: Call, request: Request, writing: Sequence[Write | Exists]) -> Reply:
    meter = Meter(request.get("ReturnConsumedCapacity"))
    fit = partial(_fit_all, call, request, writing)
    await transactions.carry_out_once(call, request, request["TransactStatements"], fit, meter)
    return {"Responses": [{} for _ in writing], **meter.report_all()}


async def _fit_all(call: Call, request: Request, writing: Sequence[Write | Exists]) -> list[Action]:
    actions: list[Action] = []
    errors: list[AwsError | None] = []
    for position, statement in enumerate(writing):
        target = statement.select.target if isinstance(statement, Exists) else statement.target
        table = await tables.get(call, target.table)
        fitted = not_found() if table is None else _fit(table, position, statement)
        if isinstance(fitted, AwsError):
            errors.append(fitted)
            continue
        errors.append(None)
        asked = request["TransactStatements"][position]
        with_item = asked.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        actions.append(Action(fitted, target.table, with_item))
    if any(errors):
        raise transactions.cancelled(errors)
    return actions


def _fit(table: Table, position: int, statement: Write | Exists) -> Mutation | AwsError:
    """The mutation, or the reason that there can't be one."""
    if isinstance(statement, Exists):
        return _fit_check(table, position, statement.select)
    try:
        if isinstance(statement, Update | Delete):
            key, _ = plans.key_of(table, statement.where)
            if _misfits(table, key):
                return key_rules.mismatch()
    except AwsError:
        return key_rules.mismatch()
    try:
        return plans.plan_write(table, statement)
    except AwsError as error:
        return error


def _fit_check(table: Table, position: int, select: Select) -> Mutation | AwsError:
    try:
        key, rest = plans.key_of(table, select.where)
    except AwsError:
        raise _invalid(position, _NO_CONDITION) from None
    if rest is None:
        raise _invalid(position, _NO_CONDITION)
    try:
        return check(table, key, rendering.compile_where(rest))
    except AwsError as error:
        return error


def _invalid(position: int, message: str) -> AwsError:
    return validation(f"Validation failed in TransactStatements[{position}]: {message}")
