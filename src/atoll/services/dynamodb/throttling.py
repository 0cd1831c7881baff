"""Token buckets, as DynamoDB throttles by: what a table or an index is provisioned for a second, and five minutes of it saved up.

A request runs while there is anything left and pays afterwards what it has used, so a bucket may go below nothing. Buckets
live in this process: several of them behind one name let through as many times as much.
"""

from dataclasses import dataclass

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import contributors
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.records import Index, Item, Table

BURST_SECONDS = 300
BUCKETS_MAX = 10_000

_PROVISIONED = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
_PROVISIONED_INDEX = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. "
    "Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
)
_ON_DEMAND = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


@dataclass(slots=True)
class _Bucket:
    rate: int  # units a second
    units: float
    filled: float  # Unix seconds

    def fill(self, now: float, rate: int) -> float:
        gained = max(0.0, now - self.filled) * self.rate
        # A new rate holds at once; what was saved up at the old one is kept as far as it fits.
        self.units = min(self.units + gained, float(rate * BURST_SECONDS))
        self.rate, self.filled = rate, now
        return self.units


_buckets: dict[tuple[str, str], _Bucket] = {}
"""By the uid of a table or an index, and "read" or "write"."""


def admit_read(call: Call, table: Table, index: Index | None = None, *, key: Item | None = None) -> None:
    """Raises ProvisionedThroughputExceededException or ThrottlingException. `key`: of the item it is about."""
    refusal = refusal_of_read(call, table, index, key=key)
    if refusal is not None:
        raise refusal


def admit_write(call: Call, table: Table, *, key: Item | None = None) -> None:
    """The same. An index that can't take the write holds up the table, too."""
    refusal = refusal_of_write(call, table, key=key)
    if refusal is not None:
        raise refusal


def refusal_of_read(
    call: Call, table: Table, index: Index | None = None, *, key: Item | None = None
) -> AwsError | None:
    """None: it may run. Local indexes draw on the table's throughput."""
    if not _is_limited(table):
        return None
    refusal = _refusal(call, table, index if index is not None and index.is_global else None, "read")
    if refusal is not None and key is not None:
        contributors.throttled(table, index, key)
    return refusal


def refusal_of_write(call: Call, table: Table, *, key: Item | None = None) -> AwsError | None:
    if not _is_limited(table):
        return None
    refusal = _refusal(call, table, None, "write")
    for index in table.indexes:
        if refusal is None and index.is_global:
            refusal = _refusal(call, table, index, "write")
    if refusal is not None and key is not None:
        contributors.throttled(table, None, key)
    return refusal


def charge(call: Call, meter: Meter) -> None:
    """Takes what the call has used by now. Asked again, as when its transaction runs again, it takes that instead."""
    bills = [bill for bill in meter.bills if _is_limited(bill.table)]
    if not bills:
        return
    taken: list[tuple[_Bucket, float]] = call.premises.setdefault("throttling", [])
    for bucket, units in taken:
        bucket.units += units
    taken.clear()
    for bill in bills:
        indexes = {index.name: index for index in bill.table.indexes if index.is_global}
        for name, cost in bill.by_index.items():
            for direction, units in (("read", cost.read), ("write", cost.write)):
                limit = _bucket(call, bill.table, indexes.get(name), direction) if units else None
                if limit is not None:
                    limit.units -= units
                    taken.append((limit, units))


def _is_limited(table: Table) -> bool:
    if table.billing == "PROVISIONED":
        return True
    own = table.throughput
    if own.max_read is not None or own.max_write is not None:
        return True
    return any(index.throughput.max_read or index.throughput.max_write for index in table.indexes)


def _refusal(call: Call, table: Table, index: Index | None, direction: str) -> AwsError | None:
    bucket = _bucket(call, table, index, direction)
    return _exceeded(table, index, direction) if bucket is not None and bucket.units <= 0 else None


def _bucket(call: Call, table: Table, index: Index | None, direction: str) -> _Bucket | None:
    """None where nothing limits."""
    rate = _rate(table, index, direction)
    if rate is None:
        return None
    key = (table.uid if index is None else index.uid, direction)
    bucket = _buckets.get(key)
    if bucket is None:
        if len(_buckets) >= BUCKETS_MAX:
            # The oldest: one that is used goes on full, which is what it would be after five idle minutes.
            del _buckets[next(iter(_buckets))]
        bucket = _buckets[key] = _Bucket(rate, float(rate * BURST_SECONDS), call.now)
    bucket.fill(call.now, rate)
    return bucket


def _rate(table: Table, index: Index | None, direction: str) -> int | None:
    throughput = table.throughput if index is None else index.throughput
    if table.billing == "PROVISIONED":
        return throughput.read if direction == "read" else throughput.write
    return throughput.max_read if direction == "read" else throughput.max_write


def _exceeded(table: Table, index: Index | None, direction: str) -> AwsError:
    resource = table.arn if index is None else f"{table.arn}/index/{index.name}"
    what = ("Table" if index is None else "Index") + direction.capitalize()
    if table.billing == "PROVISIONED":
        reason = {"reason": f"{what}ProvisionedThroughputExceeded", "resource": resource}
        message = _PROVISIONED if index is None else _PROVISIONED_INDEX
        return AwsError("ProvisionedThroughputExceededException", message, ThrottlingReasons=[reason])
    reason = {"reason": f"{what}MaxOnDemandThroughputExceeded", "resource": resource}
    return AwsError("ThrottlingException", _ON_DEMAND, throttlingReasons=[reason])
