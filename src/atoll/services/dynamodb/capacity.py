"""What requests cost, in DynamoDB's units, and how the reply tells it.

read    4 KB, halved when eventually consistent, twice in a transaction; what is not there costs like what is small
write   1 KB of the item before or after, whichever is larger; twice in a transaction
index   the same of each entry written; one that moves is deleted here and put there: two writes; none where it stays
"""

from dataclasses import dataclass, field
from typing import Any

from atoll.services.dynamodb.changes import IndexWritten, Written
from atoll.services.dynamodb.records import Index, Table

READ_UNIT_BYTES = 4096
WRITE_UNIT_BYTES = 1024

ReportMode = str | None
"""ReturnConsumedCapacity: INDEXES, TOTAL, NONE; None is NONE."""


def read_units(size_bytes: int, *, consistent: bool, transactional: bool = False) -> float:
    units = max(1, -(-size_bytes // READ_UNIT_BYTES))
    if transactional:
        return 2.0 * units
    return float(units) if consistent else units / 2


def write_units(before: int | None, after: int | None) -> int:
    """Of one item, or one entry of an index."""
    return max(1, -(-max(before or 0, after or 0) // WRITE_UNIT_BYTES))


def index_write_units(entry: IndexWritten) -> int:
    if entry.moved:
        return write_units(entry.before, None) + write_units(None, entry.after)
    return write_units(entry.before, entry.after)


@dataclass(slots=True)
class _Cost:
    read: float = 0.0
    write: float = 0.0

    @property
    def both(self) -> float:
        return self.read + self.write


@dataclass(slots=True)
class Bill:
    """What a request has used of one table. `by_index` is by the index's name, "" for the table itself."""

    table: Table
    by_index: dict[str, _Cost] = field(default_factory=dict)
    split: bool = False  # Transactions are told reads and writes apart.

    def cost(self, name: str) -> _Cost:
        return self.by_index.setdefault(name, _Cost())


class Meter:
    """Of one request: adds up what it uses, for the reply and for throttling."""

    __slots__ = ("_bills", "_mode", "_names")

    def __init__(self, mode: ReportMode) -> None:
        self._mode = mode
        self._bills: dict[str, Bill] = {}
        self._names: dict[str, str] = {}

    @property
    def bills(self) -> list[Bill]:
        return list(self._bills.values())

    def name(self, table: Table, given: str) -> None:
        """Who asks by ARN is answered by ARN."""
        if given.startswith("arn:"):
            self._names[table.uid] = given

    def read(
        self, table: Table, index: Index | None, size_bytes: int, *, consistent: bool, transactional: bool = False
    ) -> float:
        units = read_units(size_bytes, consistent=consistent, transactional=transactional)
        self.read_units(table, index, units, transactional=transactional)
        return units

    def read_units(self, table: Table, index: Index | None, units: float, *, transactional: bool = False) -> None:
        bill = self._bill(table, transactional=transactional)
        bill.cost("" if index is None else index.name).read += units

    def write(self, table: Table, written: Written, *, transactional: bool = False) -> None:
        times = 2 if transactional else 1
        bill = self._bill(table, transactional=transactional)
        bill.cost("").write += times * write_units(written.before, written.after)
        for entry in written.indexes:
            bill.cost(entry.index.name).write += times * index_write_units(entry)

    def write_failed(self, table: Table, before_bytes: int | None, *, transactional: bool = False) -> None:
        """What a failed condition costs: as much as a write of the item that is there."""
        self.write(table, Written(before_bytes, before_bytes), transactional=transactional)

    def _bill(self, table: Table, *, transactional: bool) -> Bill:
        bill = self._bills.get(table.uid)
        if bill is None:
            bill = self._bills[table.uid] = Bill(table)
        bill.split = bill.split or transactional
        return bill

    def report(self) -> list[dict[str, Any]] | None:
        """ConsumedCapacity of each table, or None when nobody asked."""
        if self._mode not in ("TOTAL", "INDEXES"):
            return None
        return [self._describe(bill) for bill in self._bills.values()]

    def report_one(self) -> dict[str, Any]:
        """What an operation on one table adds to its reply."""
        report = self.report()
        return {"ConsumedCapacity": report[0]} if report else {}

    def report_all(self) -> dict[str, Any]:
        """What an operation on many tables adds to its reply."""
        report = self.report()
        return {} if report is None else {"ConsumedCapacity": report}

    def _describe(self, bill: Bill) -> dict[str, Any]:
        total = _Cost()
        for cost in bill.by_index.values():
            total.read += cost.read
            total.write += cost.write
        described = {"TableName": self._names.get(bill.table.uid, bill.table.name), **_units(total, split=bill.split)}
        if self._mode == "INDEXES":
            described |= _by_index(bill)
        return described


def _by_index(bill: Bill) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if "" in bill.by_index:
        described["Table"] = _units(bill.by_index[""], split=bill.split)
    for index in bill.table.indexes:
        if index.name in bill.by_index:
            member = "GlobalSecondaryIndexes" if index.is_global else "LocalSecondaryIndexes"
            described.setdefault(member, {})[index.name] = _units(bill.by_index[index.name], split=bill.split)
    return described


def _units(cost: _Cost, *, split: bool) -> dict[str, float]:
    units = {"CapacityUnits": cost.both}
    if split and cost.read:
        units["ReadCapacityUnits"] = cost.read
    if split and cost.write:
        units["WriteCapacityUnits"] = cost.write
    return units
