"""What CreateTable and UpdateTable set beside keys, indexes and throughput: streams, encryption, class, protection, tags."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from atoll.services.dynamodb import tag_rules
from atoll.services.dynamodb.names import invalid, validation
from atoll.services.dynamodb.records import Stream, Table

STANDARD = "STANDARD"

Request = Mapping[str, Any]


def refuse_unsupported(request: Request) -> None:
    for member in ("GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "MultiRegionConsistency"):
        if member in request:
            raise validation(f"{member} is not supported: this cloud is one region, and has no global tables")
    for member in ("ReplicaUpdates", "GlobalTableWitnessUpdates"):
        if request.get(member):
            raise validation(f"{member} is not supported: this cloud is one region, and has no global tables")


def apply(table: Table, request: Request, now: float) -> None:
    """Of a new table."""
    asked = request.get("StreamSpecification")
    if asked is not None:
        check_stream(asked)
        if asked["StreamEnabled"]:
            start_stream(table, asked["StreamViewType"], now)
    check_encryption(request.get("SSESpecification"))
    table.table_class = request.get("TableClass", STANDARD)
    table.deletion_protection = request.get("DeletionProtectionEnabled", False)
    if "Tags" in request:
        table.tags = tag_rules.merged({}, request["Tags"])


def check_stream(asked: Request) -> None:
    if asked["StreamEnabled"] and "StreamViewType" not in asked:
        raise invalid("StreamViewType must be specified when StreamEnabled is true")
    if not asked["StreamEnabled"] and "StreamViewType" in asked:
        raise invalid("StreamViewType should not be specified when StreamEnabled is false")


def start_stream(table: Table, view: Any, now: float) -> None:
    moment = datetime.fromtimestamp(now, UTC)
    label = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    table.streams.append(Stream(label, view, created=now))


def check_encryption(asked: Request | None) -> None:
    """Rows are encrypted, if at all, by the disk they lie on: there is no key of the caller's to name."""
    if asked is None:
        return
    enabled = asked.get("Enabled", False)
    if not enabled and asked.keys() - {"Enabled"}:
        raise invalid("SSEType and KMSMasterKeyId can only be specified when SSE is enabled")
    if asked.get("SSEType") == "AES256":
        raise invalid("SSEType AES256 is not supported")
    if enabled:
        raise invalid("Encryption with a key of KMS is not supported")
