"""UpdateTable: everything that can change about a table, and at most one index made or dropped a call.

All is done at once but the work on an index: that is a job for `backfill`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import definitions, jobs, provisioning, table_settings, tables, vector_rules
from atoll.services.dynamodb.describe import describe
from atoll.services.dynamodb.provisioning import ON_DEMAND, PROVISIONED
from atoll.services.dynamodb.records import ACTIVE, CREATING, DELETING, JOBS, UPDATING, Index, Table
from atoll.services.dynamodb.refusals import invalid, validation
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

BACKFILL_JOB = "backfill"
DROP_JOB = "drop-index"

Request = Mapping[str, Any]


class IndexWork(msgspec.Struct, array_like=True):
    """A job: an index to fill, or to empty."""

    account: str
    region: str
    table: str
    index_uid: str


@dynamodb.write("UpdateTable")
async def update_table(call: Call, request: "types.UpdateTableInput") -> "types.UpdateTableOutput":
    asked: Request = {**request}
    table_settings.refuse_unsupported(asked)
    actions = _actions(asked)
    _check_something(asked, actions)
    table_settings.check_encryption(asked.get("SSESpecification"))
    table = await tables.find_own(call, request["TableName"])
    _change_billing(table, asked, actions, call.now)
    _change_throughput(table.throughput, asked, table.billing, "for table")
    _change_settings(table, asked, call.now)
    for name, action in actions:
        if name == "Create":
            _create_index(call, table, asked, action)
        elif name == "Delete":
            _delete_index(call, table, action["IndexName"])
        else:
            _change_index(table, action, call.now)
    vector_rules.change(table, asked)
    tables.save(call.tx, table)
    return {"TableDescription": await describe(call, table, UPDATING)}


def _actions(request: Request) -> list[tuple[str, Request]]:
    """What is to become of global indexes: ("Create", "Update" or "Delete", of what)."""
    found: list[tuple[str, Request]] = []
    for update in request.get("GlobalSecondaryIndexUpdates") or []:
        if not update:
            raise invalid(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if len(update) > 1:
            raise invalid("Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object")
        found += update.items()
    if sum(name != "Update" for name, _ in found) > 1:
        raise _one_at_a_time()
    names = [action["IndexName"] for _, action in found]
    for name, count in Counter(names).items():
        if count > 1:
            raise invalid(f"Only one global secondary index update per index is allowed simultaneously. Index: {name}")
    return found


def _check_something(request: Request, actions: list[tuple[str, Request]]) -> None:
    members = {name for name, value in request.items() if value not in (None, [])}
    if not actions and members <= {"TableName", "AttributeDefinitions", "GlobalSecondaryIndexUpdates"}:
        raise validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required"
        )


def _change_billing(table: Table, request: Request, actions: list[tuple[str, Request]], now: float) -> None:
    before = table.billing
    table.billing = request.get("BillingMode", before)
    asked = request.get("ProvisionedThroughput")
    if table.billing == ON_DEMAND:
        if asked is not None:
            raise invalid(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        if before == PROVISIONED:
            table.billing_changed = now
            for throughput in (table.throughput, *(index.throughput for index in table.indexes)):
                throughput.read = throughput.write = None
        return
    if before == ON_DEMAND:
        _check_all_provisioned(table, asked, actions)
    elif "BillingMode" in request and asked is None:
        raise invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
    if asked is not None:
        provisioning.change(table.throughput, asked, "for table", now)


def _check_all_provisioned(table: Table, asked: Request | None, actions: list[tuple[str, Request]]) -> None:
    """To leave on-demand, the table and every global index must be told what they get."""
    if asked is None:
        raise invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
    told = {action["IndexName"] for name, action in actions if name == "Delete" or "ProvisionedThroughput" in action}
    for index in table.indexes:
        if index.is_global and index.name not in told:
            raise invalid(f"ProvisionedThroughput must be specified for index: {index.name}")
    for throughput in (table.throughput, *(index.throughput for index in table.indexes)):
        throughput.max_read = throughput.max_write = None


def _change_throughput(throughput: Any, request: Request, billing: str, where: str) -> None:
    if request.get("OnDemandThroughput") is not None:
        provisioning.set_on_demand(throughput, request["OnDemandThroughput"], billing, where, is_new=False)
    if request.get("WarmThroughput") is not None:
        provisioning.set_warm(throughput, request["WarmThroughput"], billing, where, is_new=False)


def _change_settings(table: Table, request: Request, now: float) -> None:
    if "StreamSpecification" in request:
        table_settings.change_stream(table, request["StreamSpecification"], now)
    if request.get("TableClass", table.table_class) != table.table_class:
        table.table_class, table.table_class_changed = request["TableClass"], now
    table.deletion_protection = request.get("DeletionProtectionEnabled", table.deletion_protection)


def _create_index(call: Call, table: Table, request: Request, action: Request) -> None:
    _check_idle(table)
    if any(index.name == action["IndexName"] for index in table.indexes):
        raise validation("Attempting to create an index which already exists")
    given = definitions.attributes_of(request)
    index = definitions.global_index(action, given, table.billing, call.now)
    used = {name: given[name] for name in (*index.hash, *index.range)}
    for name, kind in used.items():
        if table.attributes.get(name, kind) != kind:
            raise _redefined(table, index, used)
    index.status, index.backfilling = CREATING, True
    table.indexes.append(index)
    definitions.check_indexes(table.indexes)
    table.attributes |= used
    jobs.start(call.tx, _job(BACKFILL_JOB, table, index), _work(table, index))


def _delete_index(call: Call, table: Table, name: str) -> None:
    index = _find_global(table, name, "delete")
    _check_idle(table, but=index)
    if index.status == DELETING:
        raise AwsError(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Index is being deleted: {name}",
        )
    if index.status == CREATING:
        call.tx.delete(JOBS, _job(BACKFILL_JOB, table, index))
    index.status, index.backfilling, index.backfilled = DELETING, False, b""
    jobs.start(call.tx, _job(DROP_JOB, table, index), _work(table, index))


def _change_index(table: Table, action: Request, now: float) -> None:
    index = _find_global(table, action["IndexName"], "update")
    where, asked = f"for index {index.name}", action.get("ProvisionedThroughput")
    if index.status != ACTIVE:
        raise AwsError(
            "ResourceInUseException",
            f"Attempt to change a resource which is still in use: Index is being updated: {index.name}",
        )
    if not action.keys() & {"ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput"}:
        raise invalid(f"No throughput is specified {where}")
    if asked is not None:
        if table.billing == ON_DEMAND:
            raise invalid(
                f"The only Updates for index: {index.name} when TableThroughputMode is PAY_PER_REQUEST can be to "
                "OnDemandThroughput, WarmThroughput"
            )
        provisioning.change(index.throughput, asked, where, now)
    _change_throughput(index.throughput, action, table.billing, where)


def _find_global(table: Table, name: str, verb: str) -> Index:
    for index in table.indexes:
        if index.name == name:
            if not index.is_global:
                raise validation(f"Cannot {verb} an index that is not a GlobalSecondaryIndex: {name}")
            return index
    raise AwsError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")


def _check_idle(table: Table, but: Index | None = None) -> None:
    if any(index.status != ACTIVE for index in table.indexes if index is not but):
        raise _one_at_a_time()


def _one_at_a_time() -> AwsError:
    return AwsError(
        "LimitExceededException",
        "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
    )


def _redefined(table: Table, index: Index, used: Mapping[str, str]) -> AwsError:
    shown = []
    for kinds in ({**used, **table.attributes}, used):
        parts = [f"{name}:{kinds[name]}:HASH" for name in index.hash]
        parts += [f"{name}:{kinds[name]}:RANGE" for name in index.range]
        shown.append("Schema:[SchemaElement: key{" + ", ".join(parts) + "}]")
    return invalid(
        "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. "
        f"Existing schema: {shown[0]} New schema: {shown[1]}"
    )


def _job(kind: str, table: Table, index: Index) -> bytes:
    return jobs.key(kind, table.account, table.region, index.uid)


def _work(table: Table, index: Index) -> IndexWork:
    return IndexWork(table.account, table.region, table.name, index.uid)
