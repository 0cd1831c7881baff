"""Backups: whole copies of a table, each of one moment, that outlive it.

    {account}/{region}/dynamodb/backups   pack(table name, backup id)   Backup

CreateBackup's own commit is the moment: it leaves a mark, whose stamp all later changes are younger than, and has the table's log
kept. `backup_jobs` then copies the table as it was at the mark.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import archives, describe, jobs, moments, names, records, tables
from atoll.services.dynamodb.changes import TABLE_COUNTER
from atoll.services.dynamodb.moments import Moment
from atoll.services.dynamodb.records import CREATING, Table
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Reader, Tx, keys, sums

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

AVAILABLE, DELETED = "AVAILABLE", "DELETED"
USER, SYSTEM = "USER", "SYSTEM"
SYSTEM_SUFFIX = "$DeletedTableBackup"
SYSTEM_KEPT_SECONDS = 35 * 86400
COPY_JOB = "backup"
FORGET_JOB = "forget-backup"
EXPIRY_JOB = "expire-backup"
_LIST_MAX = 100
_LIST_ROWS = 200


class Backup(msgspec.Struct, omit_defaults=True):
    id: str
    name: str
    type: str
    created: float
    table: bytes  # the Table as it was, encoded
    items: int
    size_bytes: int
    status: str = CREATING
    expires: float = 0.0
    chunks: int = 0
    users: list[str] = []  # the tables that are being restored from it

    @property
    def source(self) -> Table:
        return records.decode_table(self.table)

    @property
    def arn(self) -> str:
        return f"{self.source.arn}/backup/{self.id}"


class Copying(msgspec.Struct):
    moment: Moment
    chunks: int = 0
    items: int = 0


class Forgetting(msgspec.Struct):
    shelf: bytes


class Expiring(msgspec.Struct):
    account: str
    region: str
    table_name: str
    backup_id: str
    expires: float


@dynamodb.write("CreateBackup")
async def create_backup(call: Call, request: "types.CreateBackupInput") -> "types.CreateBackupOutput":
    table = await tables.get(call, request["TableName"])
    if table is None:
        raise table_not_found(request["TableName"])
    if table.status == CREATING:
        raise AwsError("TableInUseException", f"Table is being created: {table.name}")
    backup = await _start(call, table, request["BackupName"], USER)
    moments.hold(call.tx, table, backup.id)
    return {"BackupDetails": _details(backup)}


@dynamodb.read("DescribeBackup")
async def describe_backup(call: Call, request: "types.DescribeBackupInput") -> "types.DescribeBackupOutput":
    return {"BackupDescription": _description(await find(call, request["BackupArn"]))}


@dynamodb.write("DeleteBackup")
async def delete_backup(call: Call, request: "types.DeleteBackupInput") -> "types.DeleteBackupOutput":
    backup = await find(call, request["BackupArn"])
    if backup.status == CREATING or backup.users:
        raise in_use(backup)
    forget(call.tx, backup)
    return {"BackupDescription": _description(msgspec.structs.replace(backup, status=DELETED))}


@dynamodb.read("ListBackups")
async def list_backups(call: Call, request: "types.ListBackupsInput") -> "types.ListBackupsOutput":
    low, high = b"", None
    if "TableName" in request:
        low = keys.pack(names.locate(call.account, call.region, request["TableName"]).name)
        high = keys.after(low)
    if "ExclusiveStartBackupArn" in request:
        low = max(low, _key_of_arn(call, request["ExclusiveStartBackupArn"]) + b"\x00")
    limit, found = request.get("Limit", _LIST_MAX), list[Backup]()
    while len(found) <= limit:
        rows = await call.tx.scan(_shelf(call.account, call.region), low, high, _LIST_ROWS)
        found += [backup for _, row in rows if _is_wanted(backup := _decode(row), request)]
        if len(rows) < _LIST_ROWS:
            break
        low = rows[-1][0] + b"\x00"
    reply: types.ListBackupsOutput = {"BackupSummaries": [_summary(backup) for backup in found[:limit]]}
    if len(found) > limit:
        reply["LastEvaluatedBackupArn"] = found[limit - 1].arn
    return reply


async def before_delete(call: Call, table: Table) -> frozenset[bytes]:
    """A table that could be recovered can be after its end, too."""
    if table.recovery_since:
        backup = await _start(call, table, table.name + SYSTEM_SUFFIX, SYSTEM)
        table = msgspec.structs.replace(table, copies=[*table.copies, backup.id])
    return moments.outlive(call.tx, table)


tables.before_delete.append(before_delete)


async def find(call: Call, arn: str) -> Backup:
    """Raises BackupNotFoundException."""
    row = await call.tx.get(_shelf(call.account, call.region), _key_of_arn(call, arn))
    if row is None:
        raise _not_found(arn)
    return _decode(row)


def save(tx: Tx, backup: Backup) -> None:
    table = backup.source
    tx.put(_shelf(table.account, table.region), _key(table.name, backup.id), msgspec.msgpack.encode(backup))


async def get(reader: Reader, account: str, region: str, table_name: str, backup_id: str) -> Backup | None:
    row = await reader.get(_shelf(account, region), _key(table_name, backup_id))
    return None if row is None else _decode(row)


def table_not_found(given: str) -> AwsError:
    return AwsError("TableNotFoundException", f"Table not found: {given}")


def in_use(backup: Backup) -> AwsError:
    doing = "created" if backup.status == CREATING else "used to restore a table"
    return AwsError("BackupInUseException", f"Backup is being {doing}: {backup.arn}")


def forget(tx: Tx, backup: Backup) -> None:
    table = backup.source
    tx.delete(_shelf(table.account, table.region), _key(table.name, backup.id))
    job = jobs.key(FORGET_JOB, table.account, table.region, backup.id)
    jobs.start(tx, job, Forgetting(archives.shelf(table.account, table.region, backup.id)))


async def _start(call: Call, table: Table, name: str, kind: str) -> Backup:
    backup_id = f"{int(call.now * 1000):014d}-{ids.new_hex(8)}"
    counted = await call.tx.get(records.counters_shelf(table), TABLE_COUNTER)
    items, size_bytes = sums.read(counted, 2)
    source = records.encode(table)
    backup = Backup(backup_id, name, kind, call.now, source, items, size_bytes)
    if kind == SYSTEM:
        backup.expires = call.now + SYSTEM_KEPT_SECONDS
        expiring = Expiring(table.account, table.region, table.name, backup_id, backup.expires)
        jobs.start(call.tx, jobs.key(EXPIRY_JOB, table.account, table.region, backup_id), expiring)
    save(call.tx, backup)
    moments.mark(call.tx, table.account, table.region, backup_id)
    copying = Copying(Moment(backup_id, source, b""))
    jobs.start(call.tx, jobs.key(COPY_JOB, table.account, table.region, backup_id), copying)
    return backup


def _shelf(account: str, region: str) -> bytes:
    return records.shelf(account, region, "backups")


def _key(table_name: str, backup_id: str) -> bytes:
    return keys.pack(table_name, backup_id)


def _key_of_arn(call: Call, arn: str) -> bytes:
    address = names.read_arn(arn)
    backup_id = None if address is None else address.within("backup")
    if address is None or backup_id is None:
        raise validation(f"Invalid BackupArn: {arn}")
    if (address.account, address.region) != (call.account, call.region):
        raise _not_found(arn)
    return _key(address.name, backup_id)


def _not_found(arn: str) -> AwsError:
    return AwsError("BackupNotFoundException", f"Backup not found: {arn}")


def _decode(row: bytes) -> Backup:
    return msgspec.msgpack.decode(row, type=Backup)


def _is_wanted(backup: Backup, request: "types.ListBackupsInput") -> bool:
    if request.get("BackupType", USER) not in (backup.type, "ALL"):
        return False
    since, until = (moments.seconds(request.get(f"TimeRange{side}Bound")) for side in ("Lower", "Upper"))  # type: ignore[arg-type]
    return (since is None or backup.created >= since) and (until is None or backup.created < until)


def _details(backup: Backup) -> Any:
    told: dict[str, Any] = {
        "BackupArn": backup.arn,
        "BackupName": backup.name,
        "BackupSizeBytes": backup.size_bytes,
        "BackupStatus": backup.status,
        "BackupType": backup.type,
        "BackupCreationDateTime": backup.created,
    }
    if backup.expires:
        told["BackupExpiryDateTime"] = backup.expires
    return told


def _summary(backup: Backup) -> Any:
    table = backup.source
    return {"TableName": table.name, "TableId": table.id, "TableArn": table.arn, **_details(backup)}


def _description(backup: Backup) -> Any:
    table = backup.source
    source = {
        "TableName": table.name,
        "TableId": table.id,
        "TableArn": table.arn,
        "TableSizeBytes": backup.size_bytes,
        "KeySchema": describe.table_key_schema(table),
        "TableCreationDateTime": table.created,
        "ProvisionedThroughput": describe.provisioned_units(table.throughput),
        "ItemCount": backup.items,
        "BillingMode": table.billing,
    }
    return {
        "BackupDetails": _details(backup),
        "SourceTableDetails": source,
        "SourceTableFeatureDetails": _features(table),
    }


def _features(table: Table) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for index in table.indexes:
        shown = describe.index_definition(index)
        if index.is_global:
            shown["ProvisionedThroughput"] = describe.provisioned_units(index.throughput)
        told.setdefault("GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes", []).append(shown)
    if table.stream is not None:
        told["StreamDescription"] = {"StreamEnabled": True, "StreamViewType": table.stream.view}
    if table.ttl is not None:
        told["TimeToLiveDescription"] = {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl}
    if table.vectors:
        told["VectorIndexes"] = table.vectors
    return told
