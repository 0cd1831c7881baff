"""Exports of a table to S3: as it was at a moment, or what a span of time has made of its items.

    {account}/{region}/dynamodb/exports   pack(id)   Export

The work is done by `export_jobs`, in the name of who asked. AWS wants incremental spans of at least 15 minutes, for that is how
often it looks; we look at the log itself, and take any span of up to 24 hours.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import export_filters, jobs, ledgers, moments, names, recovery
from atoll.services.dynamodb.ledgers import COMPLETED, FAILED, IN_PROGRESS, Ledger
from atoll.services.dynamodb.moments import Moment
from atoll.services.dynamodb.records import Table
from atoll.services.dynamodb.refusals import invalid
from atoll.services.dynamodb.service import dynamodb
from atoll.store import stamps

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

FULL, INCREMENTAL = "FULL_EXPORT", "INCREMENTAL_EXPORT"
OLD_AND_NEW = "NEW_AND_OLD_IMAGES"
JOB = "export"
_SPAN_SECONDS_MAX = 24 * 3600
_LIST_MAX = 25
_DEFAULTS = {"ExportFormat": "DYNAMODB_JSON", "ExportType": FULL}
_TOLD = ("S3Bucket", "S3BucketOwner", "S3Prefix", "ExportFormat", "ExportType", "FilterSpecification")


class Export(msgspec.Struct, omit_defaults=True):
    id: str
    table_arn: str
    table_id: str
    asked: dict[str, Any]
    token: str
    started: float
    moment: float = 0.0  # of a full export
    since: float = 0.0  # of an incremental one
    until: float = 0.0
    status: str = IN_PROGRESS
    ended: float = 0.0
    items: int = 0
    size_bytes: int = 0
    failure: tuple[str, str] = ("", "")

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/export/{self.id}"

    @property
    def is_full(self) -> bool:
        return bool(self.asked["ExportType"] == FULL)

    @property
    def view(self) -> str:
        return str(self.asked.get("IncrementalExportSpecification", {}).get("ExportViewType", OLD_AND_NEW))

    @property
    def folder(self) -> str:
        """Of all that is exported under one prefix."""
        prefix = self.asked.get("S3Prefix", "").rstrip("/")
        return f"{prefix}/AWSDynamoDB" if prefix else "AWSDynamoDB"

    @property
    def manifest(self) -> str:
        return f"{self.folder}/{self.id}/manifest-summary.json"


class Exporting(msgspec.Struct):
    export_id: str
    requester: jobs.Requester
    moment: Moment
    not_before: float
    until: bytes = b""  # the stamp at which an incremental export ends
    started: bool = False
    gathered: bool = False
    files: int = 0
    items: int = 0
    size_bytes: int = 0
    failure: tuple[str, str] = ("", "")


ledger: Ledger[Export] = Ledger("Export", Export)


@dynamodb.write("ExportTableToPointInTime")
async def export_table_to_point_in_time(
    call: Call, request: "types.ExportTableToPointInTimeInput"
) -> "types.ExportTableToPointInTimeOutput":
    asked: Any = _plain({**_DEFAULTS, **request})
    token = asked.pop("ClientToken", "")
    known = await ledger.asked_before(call, token, asked)
    if known is not None:
        return {"ExportDescription": _description(known)}
    _refuse_unsupported(asked)
    names.check_table_arn(asked["TableArn"])
    table = await recovery.find(call, asked["TableArn"])
    export_filters.compile_filter(table, asked.get("FilterSpecification"))
    export = Export(ledgers.new_id(call.now), table.arn, table.id, asked, token, call.now)
    await _start(call, table, export)
    ledger.put(call.tx, call.account, call.region, export)
    return {"ExportDescription": _description(export)}


@dynamodb.read("DescribeExport")
async def describe_export(call: Call, request: "types.DescribeExportInput") -> "types.DescribeExportOutput":
    return {"ExportDescription": _description(await ledger.find(call, request["ExportArn"]))}


@dynamodb.read("ListExports")
async def list_exports(call: Call, request: "types.ListExportsInput") -> "types.ListExportsOutput":
    limit = request.get("MaxResults", _LIST_MAX)
    found, following = await ledger.page(call, request.get("TableArn"), limit, request.get("NextToken"))
    reply: types.ListExportsOutput = {"ExportSummaries": [_summary(export) for export in found]}
    if following is not None:
        reply["NextToken"] = following
    return reply


def _refuse_unsupported(asked: dict[str, Any]) -> None:
    if asked["ExportFormat"] != "DYNAMODB_JSON":
        raise invalid("ExportFormat ION is not supported here; DYNAMODB_JSON is")
    for member in ("S3SseAlgorithm", "S3SseKmsKeyId"):
        if member in asked:
            raise invalid(f"{member} is not supported: there are no keys to encrypt objects with")
    incremental = asked["ExportType"] == INCREMENTAL
    if incremental != ("IncrementalExportSpecification" in asked):
        verb = "must" if incremental else "can not"
        raise invalid(f"IncrementalExportSpecification {verb} be specified when ExportType is {asked['ExportType']}")
    if incremental and "ExportTime" in asked:
        raise invalid(f"ExportTime can not be specified when ExportType is {INCREMENTAL}")
    if incremental and "FilterSpecification" in asked:
        raise invalid(f"FilterSpecification can not be specified when ExportType is {INCREMENTAL}")


async def _start(call: Call, table: Table, export: Export) -> None:
    """Raises InvalidExportTimeException, PointInTimeRecoveryUnavailableException."""
    earliest, latest = await recovery.check_recoverable(call, table)
    until = b""
    if export.is_full:
        when = moments.seconds(export.asked.get("ExportTime"))
        _check_within(when, earliest, latest)
        export.moment = call.now if when is None else when
        not_before = when or 0.0
    else:
        spec = export.asked["IncrementalExportSpecification"]
        export.since = moments.seconds(spec.get("ExportFromTime")) or 0.0
        export.until = moments.seconds(spec.get("ExportToTime")) or call.now
        for side in (export.since, export.until):
            _check_within(side, earliest, latest)
        if not 0 < export.until - export.since <= _SPAN_SECONDS_MAX:
            raise _bad_time("ExportFromTime must be before ExportToTime, by no more than 24 hours")
        when, not_before, until = export.since, export.until, stamps.at(export.until)
    moment = recovery.start_reading(call, table, when)
    job = Exporting(export.id, jobs.requester(call), moment, not_before, until)
    jobs.start(call.tx, jobs.key(JOB, call.account, call.region, export.id), job)


def _plain(asked: dict[str, Any]) -> dict[str, Any]:
    """Times as numbers, so that what is kept of a request compares with one that comes again."""
    plain = {name: _plain(value) if isinstance(value, dict) else value for name, value in asked.items()}
    return {name: moments.seconds(value) if isinstance(value, datetime) else value for name, value in plain.items()}


def _check_within(when: float | None, earliest: float, latest: float) -> None:
    if when is not None and not earliest <= when <= latest:
        raise _bad_time("The time is not within the table's point in time recovery window")


def _bad_time(message: str) -> AwsError:
    return AwsError("InvalidExportTimeException", message)


def _summary(export: Export) -> Any:
    return {"ExportArn": export.arn, "ExportStatus": export.status, "ExportType": export.asked["ExportType"]}


def _description(export: Export) -> Any:
    told: dict[str, Any] = {
        "ExportArn": export.arn,
        "ExportStatus": export.status,
        "StartTime": export.started,
        "TableArn": export.table_arn,
        "TableId": export.table_id,
        **{member: export.asked[member] for member in _TOLD if member in export.asked},
    }
    if export.token:
        told["ClientToken"] = export.token
    if export.is_full:
        told["ExportTime"] = export.moment
    else:
        told["IncrementalExportSpecification"] = {
            "ExportFromTime": export.since,
            "ExportToTime": export.until,
            "ExportViewType": export.view,
        }
    if export.status != IN_PROGRESS:
        told["EndTime"] = export.ended
    if export.status == COMPLETED:
        told |= {"ExportManifest": export.manifest, "BilledSizeBytes": export.size_bytes, "ItemCount": export.items}
    if export.status == FAILED:
        told["FailureCode"], told["FailureMessage"] = export.failure
    return told
