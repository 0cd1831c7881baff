"""Restores: a new table, filled in the background with what another was. Until it is whole it is CREATING, and nobody gets at it.

The items come from a backup, or from a table as it was at a moment: `restore_jobs` brings them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import (
    backups,
    describe,
    jobs,
    names,
    provisioning,
    records,
    table_settings,
    tables,
    vector_rules,
)
from atoll.services.dynamodb.moments import Moment
from atoll.services.dynamodb.records import CREATING, DELETING, Index, Table
from atoll.services.dynamodb.refusals import invalid
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

FROM_BACKUP_JOB = "restore-backup"
FROM_MOMENT_JOB = "restore-moment"


class FromBackup(msgspec.Struct):
    target: bytes  # the Table, encoded
    source: bytes
    backup_id: str
    number: int = 0  # of the chunk it is at
    offset: int = 0  # items of it that are done


class FromMoment(msgspec.Struct):
    target: bytes
    moment: Moment
    not_before: float = 0.0  # A moment that has not passed yet may still be written to.


@dynamodb.write("RestoreTableFromBackup")
async def restore_table_from_backup(
    call: Call, request: "types.RestoreTableFromBackupInput"
) -> "types.RestoreTableFromBackupOutput":
    backup = await backups.find(call, request["BackupArn"])
    if backup.status != backups.AVAILABLE:
        raise backups.in_use(backup)
    summary = {"SourceBackupArn": backup.arn, "SourceTableArn": backup.source.arn, "RestoreDateTime": backup.created}
    target = await new_target(call, backup.source, request, summary)
    backups.save(call.tx, msgspec.structs.replace(backup, users=[*backup.users, target.uid]))
    job = jobs.key(FROM_BACKUP_JOB, target.account, target.region, target.uid)
    jobs.start(call.tx, job, FromBackup(records.encode(target), backup.table, backup.id))
    return {"TableDescription": await describe.describe(call, target)}


def start_from_moment(call: Call, target: Table, moment: Moment, not_before: float) -> None:
    job = jobs.key(FROM_MOMENT_JOB, target.account, target.region, target.uid)
    jobs.start(call.tx, job, FromMoment(records.encode(target), moment, not_before))


async def new_target(call: Call, source: Table, request: Any, summary: dict[str, Any]) -> Table:
    """A table like `source`, but for what the request overrides; saved. Raises TableAlreadyExistsException."""
    name = request["TargetTableName"]
    names.check_name(name, "targetTableName")
    if await tables.get(call, name) is not None:
        raise AwsError("TableAlreadyExistsException", f"Table already exists: {name}")
    table_settings.check_encryption(request.get("SSESpecificationOverride"))
    target = tables.new_table(call, _definition(source, request))
    target.status = CREATING
    target.table_class = source.table_class
    target.restored = {**summary, "RestoreInProgress": True}
    await tables.put_new(call, target)
    return target


def _definition(source: Table, request: Any) -> dict[str, Any]:
    """The CreateTable request that would have made it."""
    billing = request.get("BillingModeOverride", source.billing)
    indexes = [*_indexes(source, request, billing)]
    used = {*source.key_names}.union(*((*index.hash, *index.range) for index, _ in indexes))
    used |= vector_rules.defined_names(_vectors(source, request))
    asked: dict[str, Any] = {
        "TableName": request["TargetTableName"],
        "AttributeDefinitions": [
            {"AttributeName": name, "AttributeType": kind} for name, kind in source.attributes.items() if name in used
        ],
        "KeySchema": describe.table_key_schema(source),
        "BillingMode": billing,
        **_throughput(source, request, billing),
    }
    for index, throughput in indexes:
        shown = {**describe.index_definition(index), **throughput}
        asked.setdefault("GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes", []).append(shown)
    vectors = _vectors(source, request)
    return {**asked, "VectorIndexes": vectors} if vectors else asked


def _throughput(source: Table, request: Any, billing: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    if "ProvisionedThroughputOverride" in request:
        asked["ProvisionedThroughput"] = request["ProvisionedThroughputOverride"]
    elif billing == source.billing == provisioning.PROVISIONED:
        asked["ProvisionedThroughput"] = describe.provisioned_units(source.throughput)
    if "OnDemandThroughputOverride" in request:
        asked["OnDemandThroughput"] = request["OnDemandThroughputOverride"]
    return asked


def _indexes(source: Table, request: Any, billing: str) -> Iterator[tuple[Index, dict[str, Any]]]:
    for is_global, member in ((False, "LocalSecondaryIndexOverride"), (True, "GlobalSecondaryIndexOverride")):
        own = [i for i in source.indexes if i.is_global == is_global and i.status not in (CREATING, DELETING)]
        wanted = request.get(member)
        if wanted is None:
            keeps = is_global and billing == provisioning.PROVISIONED and source.billing == billing
            yield from (
                (i, {"ProvisionedThroughput": describe.provisioned_units(i.throughput)} if keeps else {}) for i in own
            )
            continue
        for asked in wanted:
            matching = [index for index in own if _is_same(describe.index_definition(index), asked)]
            if not matching:
                raise invalid(f"{member} does not match any index of the source: {asked['IndexName']}")
            limits = ("ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput")
            yield matching[0], {limit: asked[limit] for limit in limits if limit in asked}


def _is_same(shown: dict[str, Any], asked: Any) -> bool:
    mine, other = shown["Projection"], asked["Projection"]
    return (
        shown["IndexName"] == asked["IndexName"]
        and shown["KeySchema"] == asked["KeySchema"]
        and mine["ProjectionType"] == other.get("ProjectionType")
        and sorted(mine.get("NonKeyAttributes", ())) == sorted(other.get("NonKeyAttributes", ()))
    )


def _vectors(source: Table, request: Any) -> list[dict[str, Any]]:
    wanted = request.get("VectorIndexOverride")
    if wanted is None:
        return source.vectors
    chosen = {asked["IndexName"] for asked in wanted}
    if chosen - {vector["IndexName"] for vector in source.vectors}:
        raise invalid("VectorIndexOverride does not match the vector indexes of the source")
    return [vector for vector in source.vectors if vector["IndexName"] in chosen]
