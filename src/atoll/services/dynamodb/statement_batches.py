"""BatchExecuteStatement: up to 25 statements that only read, or only write; what is wrong with one is told in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import (
    batches,
    contributors,
    items,
    key_rules,
    mutations,
    places,
    records,
    statements,
    stored,
    tables,
    throttling,
)
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.mutations import Mutation, Outcome
from atoll.services.dynamodb.partiql import plans
from atoll.services.dynamodb.partiql.tree import Select, Write
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

_SHORT_CODES = {"ValidationException": "ValidationError", "ThrottlingException": "ThrottlingError"}
_MIXED = "Read and write requests together in the same batch is not supported."


@dataclass(slots=True)
class _Member:
    """One statement of a batch, and what has become of it."""

    request: Request
    statement: Select | Write | None = None
    table: Table | None = None
    key: Item | None = None
    mutation: Mutation | None = None
    error: AwsError | None = None
    item: Any = None

    @property
    def answer(self) -> Reply:
        if self.error is None:
            told = {} if self.item is None else {"Item": self.item}
            return {"TableName": self.target, **told}
        code = _SHORT_CODES.get(self.error.code) or self.error.code.removesuffix("Exception")
        reply: Reply = {"Error": {"Code": code, "Message": self.error.message}}
        # Only what has got as far as its table tells of it.
        return reply if code == "ValidationError" else {**reply, "TableName": self.target}

    @property
    def target(self) -> str:
        assert self.statement is not None, "a batch of nothing"
        return self.statement.target.table


@dynamodb.stream("BatchExecuteStatement")
async def batch_execute_statement(call: Call, request: Request) -> Reply:
    parsed = [_parse_member(member) for member in request["Statements"]]
    reads = {isinstance(member.statement, Select) for member in parsed if member.statement is not None}
    if len(reads) > 1:
        raise validation(_MIXED)
    run = _run_writes if reads == {False} else _run_reads

    async def attempt(call: Call) -> Reply:
        # From the start each time it runs: what the last try left is not to be seen.
        members = [_Member(one.request, one.statement, error=one.error) for one in parsed]
        for member in members:
            if member.error is None:
                await _fit(call, member)
        _check_different(members)
        meter = Meter(request.get("ReturnConsumedCapacity"))
        await run(call, members, meter)
        throttling.charge(call, meter)
        report = meter.report_all() if any(member.error is None for member in members) else {}
        return {"Responses": [member.answer for member in members], **report}

    return await (call.write(attempt) if run is _run_writes else call.read(attempt))


def _parse_member(request: Request) -> _Member:
    try:
        statement = statements.parse_request(request)
        if not isinstance(statement, Select):
            statements.check_returning(statement)
    except AwsError as error:
        if error.code != "ValidationException":
            raise  # Of a parameter that is not even of its type: the request can't be read.
        return _Member(request, error=error)
    return _Member(request, statement)


async def _fit(call: Call, member: _Member) -> None:
    """Which item of which table a statement is of."""
    statement = member.statement
    assert statement is not None, "a statement that was refused"
    try:
        table = member.table = await tables.find(call, statement.target.table)
        if not isinstance(statement, Select):
            member.mutation = plans.plan_write(table, statement)
            member.key = member.mutation.key
            return
        key = plans.names_one_item(table, statement.where)
        if key is None or statement.target.index is not None:
            raise validation(statements.NO_KEY.format("BatchExecuteStatement"))
        key_rules.check_key(table, key)
        member.key = key
    except AwsError as error:
        member.error = error


def _check_different(members: Sequence[_Member]) -> None:
    targets = [(m.table.uid, places.place(m.table, m.key)) for m in members if m.table is not None and m.key]
    batches.check_different(targets)


async def _run_reads(call: Call, members: Sequence[_Member], meter: Meter) -> None:
    for member in members:
        if member.error is not None:
            continue
        table, key = member.table, member.key
        assert table is not None
        assert key is not None
        assert isinstance(member.statement, Select)
        member.error = throttling.refusal_of_read(call, table)
        if member.error is None:
            contributors.accessed(table, None, key)
            row = await call.tx.get(records.items_shelf(table), places.place(table, key))
            consistent = bool(member.request.get("ConsistentRead"))
            meter.name(table, member.target)
            meter.read(table, None, statements.size_of(row), consistent=consistent)
            member.item = statements.answered(row, member.statement)


async def _run_writes(call: Call, members: Sequence[_Member], meter: Meter) -> None:
    left = [member for member in members if member.error is None]
    planned = [member.mutation for member in left if member.mutation is not None]
    outcomes = await mutations.evaluate_all(call.tx, planned)
    for member, mutation, outcome in zip(left, planned, outcomes, strict=True):
        meter.name(mutation.table, member.target)
        member.error = throttling.refusal_of_write(call, mutation.table) or _failure(outcome)
        if member.error is not None:
            before = None if isinstance(outcome, AwsError) else stored.size_of(outcome.before)
            meter.write_failed(mutation.table, before)
            continue
        assert isinstance(outcome, Outcome), "a statement that failed is carried out"
        assert isinstance(member.statement, Write)
        await statements.apply(call, mutation, outcome, meter)
        member.item = statements.returned(member.statement, mutation, outcome)


def _failure(outcome: Outcome | AwsError) -> AwsError | None:
    if isinstance(outcome, AwsError):
        return outcome
    # A batch never tells the item, whatever ReturnValuesOnConditionCheckFailure says.
    return None if outcome.holds else items.conditional_check_failed(None, with_item=False)
