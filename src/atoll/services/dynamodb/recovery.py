"""Point-in-time recovery: from when it is enabled a table's log is kept, and the table can be had again as it was at any moment since.

The commit that enables it leaves a mark; the whole second after the mark's time is the earliest moment, so that a client
that cuts fractions off does not ask for one before. The latest is now.
"""

import math
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import backups, describe, moments, records, restores, tables
from atoll.services.dynamodb.moments import Moment
from atoll.services.dynamodb.records import CREATING, Table
from atoll.services.dynamodb.refusals import invalid, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.store import stamps

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

RECOVERY_DAYS_MAX = 35
_DAY_SECONDS = 86400


@dynamodb.write("UpdateContinuousBackups")
async def update_continuous_backups(
    call: Call, request: "types.UpdateContinuousBackupsInput"
) -> "types.UpdateContinuousBackupsOutput":
    asked = request["PointInTimeRecoverySpecification"]
    found = await find(call, request["TableName"])
    if found.status == CREATING:
        raise AwsError("ContinuousBackupsUnavailableException", f"Table is being created: {found.name}")
    table = await tables.find_own(call, request["TableName"])
    if not asked["PointInTimeRecoveryEnabled"]:
        if "RecoveryPeriodInDays" in asked:
            raise validation(
                "Invalid Request: Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery."
            )
        table.recovery_since = 0.0
    else:
        table.recovery_days = asked.get("RecoveryPeriodInDays", RECOVERY_DAYS_MAX)
        if not found.recovery_since:
            table.recovery_since = call.now
            moments.mark(call.tx, table.account, table.region, _mark(table))
    tables.save(call.tx, table)
    earliest = math.ceil(call.now) if not found.recovery_since else await earliest_moment(call, table)
    return {"ContinuousBackupsDescription": _description(call, table, earliest, was_on=True)}


@dynamodb.read("DescribeContinuousBackups")
async def describe_continuous_backups(
    call: Call, request: "types.DescribeContinuousBackupsInput"
) -> "types.DescribeContinuousBackupsOutput":
    table = await find(call, request["TableName"])
    mark = await moments.find_mark(call.tx, table.account, table.region, _mark(table))
    earliest = await earliest_moment(call, table) if table.recovery_since else 0.0
    return {"ContinuousBackupsDescription": _description(call, table, earliest, was_on=mark is not None)}


@dynamodb.write("RestoreTableToPointInTime")
async def restore_table_to_point_in_time(
    call: Call, request: "types.RestoreTableToPointInTimeInput"
) -> "types.RestoreTableToPointInTimeOutput":
    given = request.get("SourceTableArn", request.get("SourceTableName"))
    if given is None:
        raise invalid("Either SourceTableArn or SourceTableName must be specified")
    source = await find(call, given)
    when = await _moment_asked(call, source, request)
    summary = {"SourceTableArn": source.arn, "RestoreDateTime": call.now if when is None else when}
    target = await restores.new_target(call, source, request, summary)
    moment = start_reading(call, source, when)
    restores.start_from_moment(call, target, moment, when or 0.0)
    return {"TableDescription": await describe.describe(call, target)}


def start_reading(call: Call, source: Table, when: float | None) -> Moment:
    """What the table was at a moment, None being that of this transaction's commit; its log is kept until that is read."""
    moment = Moment(ids.new_hex(16), records.encode(source), b"" if when is None else stamps.at(when))
    if when is None:
        moments.mark(call.tx, source.account, source.region, moment.id)
    moments.hold(call.tx, source, moment.id)
    return moment


async def find(call: Call, given: str) -> Table:
    """Raises TableNotFoundException."""
    table = await tables.get(call, given)
    if table is None:
        raise backups.table_not_found(given)
    return table


async def earliest_moment(call: Call, table: Table) -> float:
    mark = await moments.find_mark(call.tx, table.account, table.region, _mark(table))
    assert mark is not None, "recovery is on, and nobody marked since when"
    return float(max(math.ceil(stamps.time_of(mark)), math.ceil(call.now - table.recovery_days * _DAY_SECONDS)))


async def check_recoverable(call: Call, table: Table) -> tuple[float, float]:
    """The earliest and the latest moment. Raises PointInTimeRecoveryUnavailableException when there is none."""
    if not table.recovery_since:
        raise AwsError(
            "PointInTimeRecoveryUnavailableException",
            f"Point in time recovery is not enabled for table '{table.name}'",
        )
    earliest = await earliest_moment(call, table)
    return earliest, max(earliest, call.now)


async def _moment_asked(call: Call, source: Table, request: Any) -> float | None:
    """None: as late as can be."""
    earliest, latest = await check_recoverable(call, source)
    when = moments.seconds(request.get("RestoreDateTime"))
    if request.get("UseLatestRestorableTime", False):
        if when is not None:
            raise invalid("Only one of RestoreDateTime and UseLatestRestorableTime can be specified")
        return None
    if when is None:
        raise invalid("Either RestoreDateTime or UseLatestRestorableTime must be specified")
    if not earliest <= when <= latest:
        raise AwsError(
            "InvalidRestoreTimeException",
            "An invalid restore time was specified. RestoreDateTime must be between EarliestRestorableDateTime and "
            "LatestRestorableDateTime.",
        )
    return when


def _description(call: Call, table: Table, earliest: float, *, was_on: bool) -> Any:
    # AWS documents ENABLED for every table, and tells DISABLED for a while after it was made: as we do, until recovery is wanted.
    told: dict[str, Any] = {"ContinuousBackupsStatus": "ENABLED" if was_on else "DISABLED"}
    if not table.recovery_since:
        return {**told, "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"}}
    told["PointInTimeRecoveryDescription"] = {
        "PointInTimeRecoveryStatus": "ENABLED",
        "RecoveryPeriodInDays": table.recovery_days,
        "EarliestRestorableDateTime": earliest,
        "LatestRestorableDateTime": max(earliest, float(math.floor(call.now))),
    }
    return told


def _mark(table: Table) -> str:
    return f"recovery {table.uid}"
