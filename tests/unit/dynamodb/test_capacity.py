"""What reads and writes cost, to the byte, and how a reply tells it."""

import pytest
from tests.unit.dynamodb.writing import by_x, local_by_x, new_table

from atoll.services.dynamodb import capacity
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.changes import IndexWritten, Written


@pytest.mark.parametrize(
    ("size_bytes", "eventual", "consistent", "transactional"),
    [(0, 0.5, 1, 2), (1, 0.5, 1, 2), (4096, 0.5, 1, 2), (4097, 1, 2, 4), (8193, 1.5, 3, 6), (409600, 50, 100, 200)],
)
def test_reads_go_by_four_kilobytes(size_bytes: int, eventual: float, consistent: float, transactional: float) -> None:
    assert capacity.read_units(size_bytes, consistent=False) == eventual
    assert capacity.read_units(size_bytes, consistent=True) == consistent
    assert capacity.read_units(size_bytes, consistent=True, transactional=True) == transactional


@pytest.mark.parametrize(
    ("before", "after", "units"),
    [(None, None, 1), (None, 1024, 1), (None, 1025, 2), (2049, None, 3), (2049, 10, 3), (10, 2049, 3)],
)
def test_writes_go_by_the_larger_of_what_was_and_is(before: int | None, after: int | None, units: int) -> None:
    assert capacity.write_units(before, after) == units


@pytest.mark.parametrize(
    ("before", "after", "moved", "units"),
    [(None, 10, False, 1), (10, None, False, 1), (10, 3000, False, 3), (10, 10, True, 2), (1025, 2049, True, 5)],
)
def test_an_entry_that_moves_is_two_writes(before: int | None, after: int | None, *, moved: bool, units: int) -> None:
    assert capacity.index_write_units(IndexWritten(by_x(), before, after, moved)) == units


def test_nobody_who_did_not_ask_is_told() -> None:
    for mode in (None, "NONE"):
        meter = Meter(mode)
        meter.read(new_table(), None, 10, consistent=True)
        assert meter.report() is None
        assert meter.report_one() == {}
        assert meter.report_all() == {}


def test_the_total_is_of_table_and_indexes() -> None:
    index, local = by_x(), local_by_x()
    table = new_table(indexes=[index, local])
    written = Written(None, 1500, [IndexWritten(index, None, 1500), IndexWritten(local, 10, 10, moved=True)])
    meter = Meter("TOTAL")
    meter.write(table, written)
    assert meter.report_one() == {"ConsumedCapacity": {"TableName": "table", "CapacityUnits": 6.0}}


def test_indexes_are_told_apart() -> None:
    index, local, idle = by_x(), local_by_x(), by_x(name="idle", uid="g2")
    table = new_table(indexes=[index, local, idle])
    meter = Meter("INDEXES")
    meter.write(table, Written(None, 1500, [IndexWritten(index, None, 1500), IndexWritten(local, 10, 10, moved=True)]))
    assert meter.report_all() == {
        "ConsumedCapacity": [
            {
                "TableName": "table",
                "CapacityUnits": 6.0,
                "Table": {"CapacityUnits": 2.0},
                "GlobalSecondaryIndexes": {"by-x": {"CapacityUnits": 2.0}},
                "LocalSecondaryIndexes": {"local": {"CapacityUnits": 2.0}},
            }
        ]
    }


def test_transactions_cost_twice_and_tell_reads_and_writes_apart() -> None:
    table, meter = new_table(), Meter("INDEXES")
    meter.write(table, Written(None, 1025), transactional=True)
    assert meter.report() == [
        {
            "TableName": "table",
            "CapacityUnits": 4.0,
            "WriteCapacityUnits": 4.0,
            "Table": {"CapacityUnits": 4.0, "WriteCapacityUnits": 4.0},
        }
    ]
    meter = Meter("TOTAL")
    meter.read(table, None, 4097, consistent=True, transactional=True)
    assert meter.report() == [{"TableName": "table", "CapacityUnits": 4.0, "ReadCapacityUnits": 4.0}]


def test_who_asks_by_arn_is_told_by_arn() -> None:
    table, meter = new_table(), Meter("TOTAL")
    meter.name(table, table.arn)
    meter.read(table, None, 1, consistent=False)
    assert meter.report() == [{"TableName": table.arn, "CapacityUnits": 0.5}]
