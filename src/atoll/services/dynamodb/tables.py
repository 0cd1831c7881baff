"""Tables: made, described, listed, deleted; and found, by everything that works on one.

A new table is there at once, though CreateTable answers CREATING; a deleted one's name is free at once, and a reconciler
sweeps what it leaves (see `backfill`).
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import (
    access,
    definitions,
    jobs,
    policy_rules,
    provisioning,
    records,
    table_settings,
    vector_rules,
)
from atoll.services.dynamodb.describe import describe
from atoll.services.dynamodb.names import ADDRESSES_KEPT_MAX, Address, check_name, locate
from atoll.services.dynamodb.records import (
    ACTIVE,
    CREATING,
    DELETING,
    LOGGING,
    Index,
    Table,
    counters_shelf,
    decode_own_table,
    decode_table,
    encode,
    expiry_shelf,
    index_shelf,
    items_shelf,
    log_shelf,
    table_key,
    tables_shelf,
)
from atoll.services.dynamodb.refusals import in_use, invalid, not_found, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Tx, keys

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

LIST_MAX = 100
SWEEP_JOB = "sweep"


class Sweep(msgspec.Struct, array_like=True):
    """A job: shelves whose rows nobody will ask for again."""

    shelves: list[bytes]


BeforeDelete = Callable[[Call, Table], Awaitable[frozenset[bytes]]]
before_delete: list[BeforeDelete] = []
"""Run in DeleteTable's transaction. Each answers the shelves of the table that it keeps, and will see to itself."""


@dynamodb.stream("CreateTable")
async def create_table(call: Call, request: "types.CreateTableInput") -> dict[str, Any]:
    """A stream only because whom its policy names is for IAM to say, before the transaction."""
    policy, known = request.get("ResourcePolicy"), {}
    if policy:
        policy_rules.check(policy)
        known = await policy_rules.identified(call, policy)

    async def attempt(call: Call) -> "types.TableDescription":
        table = new_table(call, request)
        if policy:
            table.policy, table.policy_revision = policy, policy_rules.next_revision(call.now, "")
            table.policy_known = known
        await put_new(call, table)
        return await describe(call, table, CREATING)

    return {"TableDescription": await call.write(attempt)}


@dynamodb.read("DescribeTable")
async def describe_table(call: Call, request: "types.DescribeTableInput") -> "types.DescribeTableOutput":
    table = await find(call, request["TableName"], named=True)
    return {"Table": await describe(call, table)}


@dynamodb.read("ListTables")
async def list_tables(call: Call, request: "types.ListTablesInput") -> "types.ListTablesOutput":
    limit, start = request.get("Limit", LIST_MAX), request.get("ExclusiveStartTableName")
    low = b""
    if start is not None:
        check_name(start, "exclusiveStartTableName")
        low = table_key(start) + b"\x00"
    rows = await call.tx.scan(tables_shelf(call.account, call.region), low, None, limit + 1)
    names = [decode_table(row).name for _, row in rows[:limit]]
    if len(rows) <= limit:
        return {"TableNames": names}
    return {"TableNames": names, "LastEvaluatedTableName": names[-1]}


@dynamodb.write("DeleteTable")
async def delete_table(call: Call, request: "types.DeleteTableInput") -> "types.DeleteTableOutput":
    table = await find(call, request["TableName"], named=True)
    check_made(table)
    if table.deletion_protection:
        raise validation(
            "Resource cannot be deleted as it is currently protected against deletion. "
            "Disable deletion protection first."
        )
    told = await describe(call, table, DELETING)
    kept: set[bytes] = set()
    for hook in before_delete:
        kept |= await hook(call, table)
    records.delete_table(call.tx, table)
    sweep(call.tx, table, [shelf for shelf in shelves_of(table) if shelf not in kept])
    return {"TableDescription": told}


def new_table(call: Call, request: Mapping[str, Any]) -> Table:
    """The table a CreateTable request asks for, not yet stored. Raises ValidationException."""
    address = _own(call, request["TableName"])
    table_settings.refuse_unsupported(request)
    for member in ("AttributeDefinitions", "KeySchema"):
        if request.get(member) is None:
            raise invalid(f"{member} must be specified")
    throughput = provisioning.of_table(request)
    attributes = definitions.attributes_of(request)
    table_hash, table_range = definitions.table_keys(request, attributes)
    indexes = definitions.indexes_of(request, attributes, table_hash, table_range, call.now)
    used = {table_hash, table_range} - {None}
    used |= {name for index in indexes for name in (*index.hash, *index.range)}
    used |= vector_rules.defined_names(request.get("VectorIndexes"))
    definitions.check_all_used(attributes, [name for name in used if name], with_indexes=bool(indexes))
    billing = request.get("BillingMode", provisioning.PROVISIONED)
    table = Table(
        address.name,
        str(uuid.UUID(hex=ids.new_hex(32), version=4)),
        ids.new_hex(16),
        address.account,
        address.region,
        call.now,
        attributes,
        table_hash,
        table_range,
        indexes,
        billing=billing,
        billing_changed=call.now if billing == provisioning.ON_DEMAND else 0.0,
        throughput=throughput,
    )
    table_settings.apply(table, request, call.now)
    vector_rules.change(table, request)
    return table


async def put_new(call: Call, table: Table) -> None:
    """Raises ResourceInUseException when the name is taken."""
    if await records.get_table(call.tx, table.account, table.region, table.name) is not None:
        raise AwsError("ResourceInUseException", f"Table already exists: {table.name}")
    save(call.tx, table)


async def find(call: Call, name: str, *, named: bool = False) -> Table:
    """By name or ARN. Only to be read: who wants to change it takes `find_own`. `named`: the refusal tells the name."""
    table = await get(call, name)
    # One that is being restored or imported can be described; to its items there is no way yet.
    if table is None or (table.status == CREATING and not named):
        raise not_found(f"Table: {locate(call.account, call.region, name).name}" if named else None)
    return table


async def find_own(call: Call, name: str) -> Table:
    """A copy that may be changed and saved."""
    table = await find(call, name, named=True)
    check_made(table)
    return decode_own_table(encode(table))


def check_made(table: Table) -> None:
    """Raises ResourceInUseException while it is being restored or imported."""
    if table.status == CREATING:
        raise in_use(f"Table is being created: {table.name}")


async def get(call: Call, name: str) -> Table | None:
    """Raises AccessDeniedException when the table's own policy, or its being another account's, is in the way."""
    row = await call.tx.get(*_row_of(call.account, call.region, name))
    if row is None:
        access.refuse_unknown(call, locate(call.account, call.region, name))
        return None
    table = decode_table(row)
    if table.policy or table.account != call.account:
        access.hold(call, table)
    return table


@lru_cache(maxsize=ADDRESSES_KEPT_MAX)
def _row_of(account: str, region: str, name: str) -> tuple[bytes, bytes]:
    address = locate(account, region, name)
    return tables_shelf(address.account, address.region), table_key(address.name)


async def open_table(tx: Tx, made: Table) -> None:
    """One that was restored or imported is whole: from now on it is a table like any other."""
    table = await records.get_own_table(tx, made.account, made.region, made.name)
    if table is None or table.uid != made.uid:
        return
    table.status = ACTIVE
    if table.restored:
        table.restored["RestoreInProgress"] = False
    records.put_table(tx, table)


def index_of(table: Table, name: str) -> Index:
    """One that can be read. Raises ValidationException."""
    for index in table.indexes:
        if index.name == name and index.status != DELETING:
            if index.status == CREATING:
                raise validation(f"Cannot read from backfilling global secondary index: {name}")
            return index
    raise validation(f"The table does not have the specified index: {name}")


def save(tx: Tx, table: Table) -> None:
    """The record, and the row that tells of a log to trim."""
    records.put_table(tx, table)
    # Put blindly: whoever trims the log takes it away once nothing is kept any more.
    if table.logs:
        tx.put(LOGGING, keys.pack(table.account, table.region, table.uid), table.name.encode())


def sweep(tx: Tx, table: Table, shelves: list[bytes]) -> None:
    """Leaves these shelves to the sweeper."""
    jobs.start(tx, jobs.key(SWEEP_JOB, table.account, table.region, ids.new_hex(16)), Sweep(shelves))


def shelves_of(table: Table) -> list[bytes]:
    own = [items_shelf(table), log_shelf(table), counters_shelf(table), expiry_shelf(table)]
    return own + [index_shelf(table, index) for index in table.indexes]


def _own(call: Call, given: str) -> Address:
    address = locate(call.account, call.region, given)
    if address.account != call.account:
        raise invalid("A table can only be made in the account that asks for it")
    return address
