"""What a table or an index may spend a second: billing modes, provisioned, on-demand and warm throughput."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.records import Throughput
from atoll.services.dynamodb.refusals import invalid, validation

PROVISIONED = "PROVISIONED"
ON_DEMAND = "PAY_PER_REQUEST"
# What is warm from an on-demand table's first second on.
WARM_READ_UNITS = 12_000
WARM_WRITE_UNITS = 4_000
UNITS_MAX = 1_000_000_000_000
NO_LIMIT = -1
# So many decreases of provisioned throughput a day at once, and then one an hour.
DECREASES_FREE = 4
DECREASE_SECONDS = 3600
_DAY_SECONDS = 86_400
_INITIAL = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html"
    "#on-demand-capacity-mode-initial"
)

Request = Mapping[str, Any]


def of_table(request: Request) -> Throughput:
    """Of a new table. Raises ValidationException when it does not go with the billing mode."""
    billing, asked = request.get("BillingMode", PROVISIONED), request.get("ProvisionedThroughput")
    if billing == ON_DEMAND and asked is not None:
        raise invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if billing == PROVISIONED and asked is None:
        raise invalid("ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED")
    return _read(request, billing, "for table")


def of_index(request: Request, billing: str, name: str) -> Throughput:
    """Of a new global index, in a table of this billing mode."""
    asked = request.get("ProvisionedThroughput")
    if billing == ON_DEMAND and asked is not None:
        raise invalid(
            f"ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        )
    if billing == PROVISIONED and asked is None:
        raise invalid(f"ProvisionedThroughput is not specified for index: {name}")
    return _read(request, billing, f"for index {name}")


def set_provisioned(throughput: Throughput, asked: Request, where: str) -> None:
    units = asked["ReadCapacityUnits"], asked["WriteCapacityUnits"]
    for member, count in zip(("ReadCapacityUnits", "WriteCapacityUnits"), units, strict=True):
        if count > UNITS_MAX:
            about = "" if where == "for table" else f" {where}"
            raise invalid(f"Given value {count} for {member} is out of bounds{about}")
    throughput.read, throughput.write = units


def set_on_demand(throughput: Throughput, asked: Request, billing: str, where: str, *, is_new: bool) -> None:
    """-1 takes a limit away again."""
    if billing != ON_DEMAND:
        about = "" if where == "for table" else " " + where.replace("index ", "index: ")
        raise invalid(
            f"{next(iter(asked), 'MaxReadRequestUnits')} for OnDemandThroughput{about} cannot be specified "
            "when the table BillingMode is PROVISIONED"
        )
    if not asked:
        raise invalid("Either MaxReadRequestUnits or MaxWriteRequestUnits must be specified in OnDemandThroughput")
    for member, units in asked.items():
        if (is_new or units != NO_LIMIT) and not 1 <= units <= UNITS_MAX:
            # AWS sets a blank before the colon, here alone.
            about = where.replace("index ", "index : ")
            raise invalid(f"Requested {member} for OnDemandThroughput {about} is outside of valid range")
    if "MaxReadRequestUnits" in asked:
        throughput.max_read = _limit(asked["MaxReadRequestUnits"])
    if "MaxWriteRequestUnits" in asked:
        throughput.max_write = _limit(asked["MaxWriteRequestUnits"])


def set_warm(throughput: Throughput, asked: Request, billing: str, where: str, *, is_new: bool) -> None:
    if not asked:
        raise invalid("Either ReadUnitsPerSecond or WriteUnitsPerSecond must be specified in WarmThroughput")
    read, write = asked.get("ReadUnitsPerSecond"), asked.get("WriteUnitsPerSecond")
    least_read, least_write = warm_units(throughput, billing)
    for member, count, least, capacity in (
        ("ReadUnitsPerSecond", read, least_read, "ReadCapacityUnits"),
        ("WriteUnitsPerSecond", write, least_write, "WriteCapacityUnits"),
    ):
        if count is not None and count < least:
            floor = f"initial throughput for OnDemand. See: {_INITIAL}"
            if billing != ON_DEMAND:
                floor = f"{capacity} of ProvisionedThroughput"
            if not is_new:
                floor = "current WarmThroughput, decreasing WarmThroughput is not supported"
            raise invalid(f"Requested {member} for WarmThroughput {where} is lower than {floor}")
    throughput.warm_read = throughput.warm_read if read is None else read
    throughput.warm_write = throughput.warm_write if write is None else write


def warm_units(throughput: Throughput, billing: str) -> tuple[int, int]:
    """What can be read and written at once without warming up."""
    read = WARM_READ_UNITS if billing == ON_DEMAND else throughput.read or 0
    write = WARM_WRITE_UNITS if billing == ON_DEMAND else throughput.write or 0
    return max(read, throughput.warm_read or 0), max(write, throughput.warm_write or 0)


def change(throughput: Throughput, asked: Request, where: str, now: float) -> None:
    """Of a table or an index that has some already: raises when nothing changes, or it went down too often today."""
    before = throughput.read, throughput.write
    set_provisioned(throughput, asked, where)
    after = throughput.read, throughput.write
    if before == after:
        raise _unchanged(after, where)
    if before == (None, None):
        return
    if any((old or 0) < (new or 0) for old, new in zip(before, after, strict=True)):
        throughput.increased = now
    if any((old or 0) > (new or 0) for old, new in zip(before, after, strict=True)):
        _count_decrease(throughput, now)


def decreases_today(throughput: Throughput, now: float) -> int:
    return throughput.decreases_today if throughput.decreased // _DAY_SECONDS == now // _DAY_SECONDS else 0


def _count_decrease(throughput: Throughput, now: float) -> None:
    today = decreases_today(throughput, now)
    if today >= DECREASES_FREE and now - throughput.decreased < DECREASE_SECONDS:
        moments = [
            datetime.fromtimestamp(when, UTC).strftime("%A, %B %-d, %Y %-I:%M:%S %p UTC")
            for when in (throughput.decreased, throughput.decreased + DECREASE_SECONDS)
        ]
        raise AwsError(
            "LimitExceededException",
            "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the "
            f"first {DECREASES_FREE} decreases, each subsequent decrease in the same UTC day can be performed at most "
            f"once every {DECREASE_SECONDS} seconds. Number of decreases today: {today}. Last decrease at {moments[0]}. "
            f"Next decrease can be made at {moments[1]}",
        )
    throughput.decreases_today, throughput.decreased = today + 1, now


def _unchanged(units: tuple[int | None, int | None], where: str) -> AwsError:
    place = where.removeprefix("for ")
    what = "the table" if place == "table" else f"the {place}"
    told = ". ".join(
        f"Current {member} provisioned for {what}: {count}. Requested {member}: {count}"
        for member, count in zip(("ReadCapacityUnits", "WriteCapacityUnits"), units, strict=True)
    )
    return validation(
        f"The provisioned throughput for {what} will not change. The requested value equals the current value. {told}. "
        "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    )


def _read(request: Request, billing: str, where: str) -> Throughput:
    throughput = Throughput()
    if request.get("ProvisionedThroughput") is not None:
        set_provisioned(throughput, request["ProvisionedThroughput"], where)
    if request.get("OnDemandThroughput") is not None:
        set_on_demand(throughput, request["OnDemandThroughput"], billing, where, is_new=True)
    if request.get("WarmThroughput") is not None:
        set_warm(throughput, request["WarmThroughput"], billing, where, is_new=True)
    return throughput


def _limit(units: int) -> int | None:
    return None if units == NO_LIMIT else units
