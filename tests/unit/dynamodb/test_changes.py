"""One change of an item writes all that follows from it, and nothing when nothing has changed."""

import pytest
from tests.unit.dynamodb.writing import TableInMemory, by_x, local_by_x, new_table, text_item

from atoll.services.dynamodb import changes, places, records, values
from atoll.services.dynamodb.changes import IndexWritten
from atoll.services.dynamodb.records import Index, Stream


def test_an_item_that_is_put_is_there_and_counted() -> None:
    table = TableInMemory(new_table())
    item = text_item(p="a", c="b", d="more")
    written = table.put(item)
    assert (written.before, written.after, written.indexes) == (None, 9, [])
    assert table.items() == [item]
    assert table.counted(changes.TABLE_COUNTER) == (1, 9)


def test_an_item_that_is_deleted_leaves_no_row_at_all() -> None:
    table = TableInMemory(new_table(indexes=[by_x(), local_by_x()], ttl="e"))
    item = {**text_item(p="a", c="b", x="1"), "e": {"N": "1900000000"}}
    table.put(item)
    written = table.delete(text_item(p="a", c="b"))
    assert (written.before, written.after) == (values.item_size(item), None)
    assert table.store.rows == {}


def test_what_was_never_there_is_deleted_without_a_row_written() -> None:
    table = TableInMemory(new_table(recovery_since=1.0))
    written = table.delete(text_item(p="a", c="b"))
    assert (written.before, written.after) == (None, None)
    assert table.store.rows == {}


@pytest.mark.parametrize(
    "again",
    [
        {"p": {"S": "a"}, "c": {"S": "b"}, "s": {"NS": ["1", "2"]}, "d": {"S": "x"}},
        {"d": {"S": "x"}, "s": {"NS": ["2", "1"]}, "c": {"S": "b"}, "p": {"S": "a"}},
        {"p": {"S": "a"}, "c": {"S": "b"}, "s": {"NS": ["1.0", "2"]}, "d": {"S": "x"}},
    ],
    ids=["the same", "in another order", "spelt otherwise"],
)
def test_an_item_put_again_as_it_is_writes_nothing(again: records.Item) -> None:
    table = TableInMemory(new_table(recovery_since=1.0))
    table.put({"p": {"S": "a"}, "c": {"S": "b"}, "s": {"NS": ["1", "2"]}, "d": {"S": "x"}})
    before = dict(table.store.rows)
    written = table.put(again)
    assert written.before == written.after
    assert table.store.rows == before


def test_an_index_has_an_entry_of_each_item_that_has_its_key() -> None:
    index = by_x()
    table = TableInMemory(new_table(indexes=[index]))
    table.put(text_item(p="a", c="1", x="one", d="not projected"))
    table.put(text_item(p="a", c="2", d="not in the index"))
    assert table.entries(index) == [text_item(p="a", c="1", x="one")]
    assert table.counted(changes.counter_of_index(index)) == (1, 8)


def test_an_entry_moves_with_its_key() -> None:
    index = by_x()
    table = TableInMemory(new_table(indexes=[index]))
    table.put(text_item(p="a", c="1", x="one"))
    written = table.put(text_item(p="a", c="1", x="three"))
    assert written.indexes == [IndexWritten(index, 8, 10, moved=True)]
    assert table.entries(index) == [text_item(p="a", c="1", x="three")]
    assert table.counted(changes.counter_of_index(index)) == (1, 10)


def test_an_index_whose_projection_stays_is_let_be() -> None:
    index = by_x(projection="INCLUDE", include=["i"])
    table = TableInMemory(new_table(indexes=[index]))
    table.put(text_item(p="a", c="1", x="one", i="in", d="first"))
    assert table.put(text_item(p="a", c="1", x="one", i="in", d="other")).indexes == []
    assert table.put(text_item(p="a", c="1", x="one", i="out", d="other")).indexes == [IndexWritten(index, 11, 12)]
    assert table.entries(index) == [text_item(p="a", c="1", x="one", i="out")]


def test_an_entry_goes_when_its_item_loses_the_key() -> None:
    index = by_x(projection="ALL")
    table = TableInMemory(new_table(indexes=[index]))
    table.put(text_item(p="a", c="1", x="one"))
    assert table.put(text_item(p="a", c="1")).indexes == [IndexWritten(index, 8, None)]
    assert table.entries(index) == []
    assert table.counted(changes.counter_of_index(index)) == (0, 0)


def test_a_dropped_index_is_written_no_more() -> None:
    index = by_x(status="DELETING")
    table = TableInMemory(new_table(indexes=[index]))
    table.put(text_item(p="a", c="1", x="one"))
    assert table.entries(index) == []


@pytest.mark.parametrize("reached", [False, True])
def test_an_index_that_is_being_filled_counts_only_what_the_backfill_has_passed(*, reached: bool) -> None:
    item = text_item(p="a", c="1", x="one")
    backfilled = places.place(new_table(), item) if reached else b""
    index = by_x(status="CREATING", backfilling=True, backfilled=backfilled)
    table = TableInMemory(new_table(indexes=[index]))
    table.put(item)
    assert table.entries(index) == [item]
    assert table.counted(changes.counter_of_index(index)) == ((1, 8) if reached else (0, 0))


def test_a_collection_is_the_items_of_a_partition_and_their_local_entries() -> None:
    local: Index = local_by_x()
    table = TableInMemory(new_table(indexes=[local, by_x()]))
    table.put(text_item(p="a", c="1", x="one", d="more"))
    table.put(text_item(p="a", c="2"))
    table.put(text_item(p="other", c="1"))
    counter = changes.counter_of_collection(changes.partition_of(table.table, text_item(p="a")))
    assert table.counted(counter, 1) == (13 + 8 + 4,)
    table.delete(text_item(p="a", c="1"))
    assert table.counted(counter, 1) == (4,)


def test_the_log_tells_old_and_new_and_of_which_stream() -> None:
    stream = Stream("label", "KEYS_ONLY", created=5.0)
    table = TableInMemory(new_table(streams=[stream]))
    first, second = text_item(p="a", c="1"), text_item(p="a", c="1", d="more")
    table.put(first)
    table.put(second)
    table.delete(first)
    assert table.changes() == [(None, first), (first, second), (second, None)]
    rows = table.rows(records.log_shelf(table.table))
    assert {records.decode_change(row).stream for _, row in rows} == {5.0}
    assert {key[0] for key, _ in rows} == {places.shard_of(places.place(table.table, first))}


def test_no_log_is_kept_while_nobody_wants_one() -> None:
    table = TableInMemory(new_table(streams=[Stream("label", "KEYS_ONLY", enabled=False)]))
    table.put(text_item(p="a", c="1"))
    assert table.changes() == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 1), ("1900000000", 1900000000), ("1900000000.9", 1900000000), ("1E+9", 10**9)],
)
def test_an_item_with_a_time_stands_on_the_expiry_shelf(text: str, seconds: int) -> None:
    table = TableInMemory(new_table(ttl="e"))
    item = {**text_item(p="a", c="1"), "e": {"N": text}}
    table.put(item)
    key = seconds.to_bytes(8, "big") + places.place(table.table, item)
    assert table.rows(records.expiry_shelf(table.table)) == [(key, b"")]
    table.put(text_item(p="a", c="1"))
    assert table.rows(records.expiry_shelf(table.table)) == []


@pytest.mark.parametrize("value", [{"N": "0"}, {"N": "-5"}, {"N": "1E+120"}, {"S": "1900000000"}, {"NS": ["5"]}])
def test_what_is_no_time_expires_never(value: records.Value) -> None:
    table = TableInMemory(new_table(ttl="e"))
    table.put({**text_item(p="a", c="1"), "e": value})
    assert table.rows(records.expiry_shelf(table.table)) == []
