"""What CreateTable and UpdateTable set beside keys, indexes and throughput: streams, encryption, class, protection, tags."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from atoll.services.dynamodb import tag_rules
from atoll.services.dynamodb.records import Stream, Table
from atoll.services.dynamodb.refusals import in_use, invalid, validation

STANDARD = "STANDARD"

_ONE_REGION = ("GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "MultiRegionConsistency")
_REPLICAS = ("ReplicaUpdates", "GlobalTableWitnessUpdates", "DisassociationProtectionEnabled")

Request = Mapping[str, Any]


def refuse_unsupported(request: Request) -> None:
    for member in _ONE_REGION + _REPLICAS:
        if member in request and request[member] not in ([], False):
            raise validation(f"{member} is not supported: this cloud is one region, and has no global tables")


def apply(table: Table, request: Request, now: float) -> None:
    """Of a new table."""
    asked = request.get("StreamSpecification")
    if asked is not None:
        _check_new_stream(asked)
        if asked["StreamEnabled"]:
            start_stream(table, asked["StreamViewType"], now)
    check_encryption(request.get("SSESpecification"))
    table.table_class = request.get("TableClass", STANDARD)
    table.deletion_protection = request.get("DeletionProtectionEnabled", False)
    if "Tags" in request:
        table.tags = tag_rules.merged({}, request["Tags"])


def _check_new_stream(asked: Request) -> None:
    if asked["StreamEnabled"] and "StreamViewType" not in asked:
        raise invalid("Table is being created with a stream enabled, UpdateViewType is required")
    if not asked["StreamEnabled"] and "StreamViewType" in asked:
        raise invalid("Table is being created with a stream disabled, UpdateViewType should not be specified")


def _check_stream_update(asked: Request) -> None:
    if asked["StreamEnabled"] and "StreamViewType" not in asked:
        raise invalid("If stream is being enabled then UpdateViewType is required")
    if not asked["StreamEnabled"] and "StreamViewType" in asked:
        raise invalid("If stream is being disabled, then UpdateViewType must not be specified")


def start_stream(table: Table, view: Any, now: float) -> None:
    moment = datetime.fromtimestamp(now, UTC)
    label = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    if any(stream.label == label for stream in table.streams):
        raise in_use(table.name)
    table.streams.append(Stream(label, view, created=now))


def change_stream(table: Table, asked: Request, now: float) -> None:
    _check_stream_update(asked)
    stream = table.stream
    if asked["StreamEnabled"]:
        if stream is not None:
            raise validation(f"Table already has an enabled stream: TableName: {table.name}")
        start_stream(table, asked["StreamViewType"], now)
    elif stream is None:
        raise validation(f"Table has no stream to disable: TableName: {table.name}")
    else:
        stream.enabled, stream.disabled = False, now


def check_encryption(asked: Request | None) -> None:
    """Rows are encrypted, if at all, by the disk they lie on: there is no key of the caller's to name."""
    if asked is None:
        return
    enabled = asked.get("Enabled", False)
    for member in ("SSEType", "KMSMasterKeyId"):
        if not enabled and member in asked:
            raise invalid(f"{member} can not be specified if Enabled is false")
    if asked.get("SSEType") == "AES256":
        raise invalid("SSEType AES256 is not supported")
    if enabled:
        raise invalid("Encryption with a key of KMS is not supported")
