"""Indexes made and dropped online, and what dropped tables leave: nothing."""

import asyncio

import pytest
from tests.unit.dynamodb.control import Control, attributes, global_index

from atoll.services.dynamodb import backfill, log_trim, records  # noqa: F401 - log_trim keeps dropped streams
from atoll.services.dynamodb.records import JOBS, log_shelf
from atoll.services.dynamodb.tables import shelves_of


@pytest.fixture
def tables():
    return Control()


def item(p, **others):
    return {"p": {"S": p}, **others}


def create_index(tables, *names, **kinds):
    tables(
        "UpdateTable",
        TableName="music",
        AttributeDefinitions=attributes(**kinds),
        GlobalSecondaryIndexUpdates=[{"Create": global_index("by", *names)}],
    )


def entries(tables):
    table = tables.table()
    rows = tables.rows(records.index_shelf(table, table.indexes[0]))
    return sorted(records.decode_item(row)["p"]["S"] for _, row in rows)


def index_told(tables):
    return tables.describe()["GlobalSecondaryIndexes"][0]


def test_an_index_is_filled_from_what_was_there_and_then_active(tables):
    tables.create()
    for number in range(130):
        tables.put(item(f"{number:03}", x={"S": "one"}))
    tables.put(item("without"))
    create_index(tables, "x", x="S")
    assert (index_told(tables)["IndexStatus"], index_told(tables)["Backfilling"]) == ("CREATING", True)
    assert tables.describe()["TableStatus"] == "UPDATING"

    tables.reconcile()

    assert entries(tables) == [f"{number:03}" for number in range(130)]
    told = index_told(tables)
    assert told["IndexStatus"] == "ACTIVE"
    assert "Backfilling" not in told
    assert told["ItemCount"] == 130
    assert tables.describe()["TableStatus"] == "ACTIVE"
    assert tables.rows(JOBS) == []


def test_what_cannot_be_a_key_of_the_index_is_left_out(tables):
    tables.create()
    tables.put(item("number", x={"N": "5"}))
    tables.put(item("long", x={"S": "x" * 2049}))
    tables.put(item("good", x={"S": "x"}))
    create_index(tables, "x", x="S")
    tables.reconcile()
    assert entries(tables) == ["good"]


def test_what_is_written_while_the_index_is_filled_is_in_it_once_and_counted_once(tables, monkeypatch):
    monkeypatch.setattr(backfill, "RANGE_ROWS", 2)
    monkeypatch.setattr(backfill, "_PIECE_ROWS", 2)
    tables.create()
    for number in range(10):
        tables.put(item(f"{number}", x={"S": "old"}))
    create_index(tables, "x", x="S")
    store = tables.cloud.store
    for turn in range(3):  # The backfill has come to 2, 4, 6 items; each time one new and one old item is written.
        [job] = asyncio.run(backfill.jobs.waiting(store, "backfill", backfill.IndexWork))
        assert asyncio.run(backfill._fill(store, job))
        tables.put(item(f"new{turn}", x={"S": "new"}))
        tables.put(item(f"{turn}", x={"S": "changed"}))
        tables.put(item(f"{turn + 5}"))
    tables.reconcile()
    assert entries(tables) == ["0", "1", "2", "3", "4", "8", "9", "new0", "new1", "new2"]
    assert index_told(tables)["ItemCount"] == 10
    table = tables.table()
    sizes = [records.item_size(row) for _, row in tables.rows(records.index_shelf(table, table.indexes[0]))]
    assert index_told(tables)["IndexSizeBytes"] == sum(sizes)


def test_a_dropped_index_is_told_until_it_is_empty(tables):
    tables.create()
    create_index(tables, "x", x="S")
    tables.reconcile()
    tables.put(item("a", x={"S": "x"}))
    shelf = records.index_shelf(tables.table(), tables.table().indexes[0])
    assert len(tables.rows(shelf)) == 1

    tables("UpdateTable", TableName="music", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by"}}])
    assert index_told(tables)["IndexStatus"] == "DELETING"
    tables.put(item("b", x={"S": "x"}))
    assert len(tables.rows(shelf)) == 1
    tables.reconcile()

    assert tables.rows(shelf) == []
    assert "GlobalSecondaryIndexes" not in tables.describe()
    assert tables.describe()["AttributeDefinitions"] == attributes(p="S")
    assert tables.rows(JOBS) == []


def test_an_index_can_be_dropped_while_it_is_filled(tables):
    tables.create()
    create_index(tables, "x", x="S")
    tables("UpdateTable", TableName="music", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by"}}])
    tables.reconcile()
    assert "GlobalSecondaryIndexes" not in tables.describe()
    assert tables.rows(JOBS) == []


def test_a_dropped_table_leaves_no_rows_but_its_streams_records(tables):
    tables.create(
        AttributeDefinitions=attributes(p="S", x="S"),
        GlobalSecondaryIndexes=[global_index("by", "x")],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    tables.put(item("a", x={"S": "x"}))
    left = [shelf for shelf in shelves_of(tables.table()) if tables.rows(shelf)]
    log = log_shelf(tables.table())
    assert len(left) == 4  # items, log, counters, the index
    tables("DeleteTable", TableName="music")
    tables.create()
    tables.reconcile()
    assert [shelf for shelf in left if tables.rows(shelf)] == [log]  # for another day: see log_trim
    assert tables.describe()["ItemCount"] == 0
    assert tables.rows(JOBS) == []


def test_an_index_of_a_table_that_is_dropped_meanwhile_is_forgotten(tables):
    tables.create()
    create_index(tables, "x", x="S")
    tables("DeleteTable", TableName="music")
    tables.reconcile()
    assert tables.rows(JOBS) == []
