"""Whatever is written, in whatever order: indexes, counters, expiry and log always say what the items say."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dynamodb.writing import TableInMemory, by_x, local_by_x, new_table

from atoll.services.dynamodb import changes, places, records, values
from atoll.services.dynamodb.records import Index, Item, Stream, Table

pytestmark = pytest.mark.slow

_KEYS = st.fixed_dictionaries({"p": st.sampled_from("ab"), "c": st.sampled_from("12")})
_REST = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from(["one", "two"]).map(lambda text: {"S": text}),
        "d": st.sampled_from(["", "more"]).map(lambda text: {"S": text}),
        "s": st.sampled_from([["1", "2"], ["2", "1"]]).map(lambda numbers: {"NS": list(numbers)}),
        "e": st.sampled_from([{"N": "100"}, {"N": "200.5"}, {"N": "-1"}, {"S": "100"}]).map(dict),
    },
)
_STEPS = st.lists(st.tuples(_KEYS, st.none() | _REST), max_size=25)
_INDEXES = [
    by_x(),
    by_x(name="all", uid="g2", projection="ALL"),
    by_x(name="some", uid="g3", hash=["x", "p"], range=["d"], projection="INCLUDE", include=["s"]),
    local_by_x(projection="INCLUDE", include=["d"]),
]
_ATTRIBUTES = {"p": "S", "c": "S", "x": "S", "d": "S"}


def _table() -> TableInMemory:
    indexes = [Index(**{name: getattr(index, name) for name in index.__struct_fields__}) for index in _INDEXES]
    stream = Stream("label", "NEW_AND_OLD_IMAGES", created=1.0)
    return TableInMemory(new_table(attributes=_ATTRIBUTES, indexes=indexes, ttl="e", streams=[stream]))


@given(_STEPS)
def test_all_that_follows_from_items_follows(steps: list[tuple[dict[str, str], Item | None]]) -> None:
    table, model, told = _table(), {}, []
    for key, rest in steps:
        place = (key["p"], key["c"])
        names: Item = {name: {"S": text} for name, text in key.items()}
        before = model.pop(place, None)
        if rest is None:
            table.delete(names)
        else:
            model[place] = {**names, **rest}
            table.put({**names, **rest})
        after = model.get(place)
        if not _same(before, after):
            told.append((before, after))
        elif before is not None:
            model[place] = before
    assert _sorted(table.items()) == _sorted(list(model.values()))
    for index in table.table.indexes:
        _check_index(table, index, list(model.values()))
    _check_counters(table, list(model.values()))
    expiring = {key for key, _ in table.rows(records.expiry_shelf(table.table))}
    assert expiring == {_expiry(table.table, item) for item in model.values()} - {None}
    assert _of_each_item(table.changes()) == _of_each_item(told)


def _same(before: Item | None, after: Item | None) -> bool:
    if before is None or after is None:
        return before is after
    return values.equal({"M": before}, {"M": after})


def _check_index(table: TableInMemory, index: Index, items: list[Item]) -> None:
    entries = [entry for item in items if (entry := places.entry(table.table, index, item)) is not None]
    # Some keys, as an index's may not be, are empty: those items are not in it.
    assert all(item[name] != {"S": ""} for _, item in entries for name in (*index.hash, *index.range))
    assert table.entries(index) == [item for _, item in sorted(entries, key=lambda entry: entry[0])]
    sizes = [values.item_size(item) for _, item in entries]
    assert table.counted(changes.counter_of_index(index)) == (len(sizes), sum(sizes))


def _check_counters(table: TableInMemory, items: list[Item]) -> None:
    sizes = [values.item_size(item) for item in items]
    assert table.counted(changes.TABLE_COUNTER) == (len(sizes), sum(sizes))
    for partition in "ab":
        own = [item for item in items if item["p"] == {"S": partition}]
        local = [index for index in table.table.indexes if not index.is_global]
        entries = [entry for index in local for item in own if (entry := places.entry(table.table, index, item))]
        counter = changes.counter_of_collection(changes.partition_of(table.table, {"p": {"S": partition}}))
        expected = sum(map(values.item_size, own)) + sum(values.item_size(item) for _, item in entries)
        assert table.counted(counter, 1) == (expected,)


def _expiry(table: Table, item: Item) -> bytes | None:
    seconds = {"100": 100, "200.5": 200}.get(item.get("e", {}).get("N", ""))
    return None if seconds is None else seconds.to_bytes(8, "big") + places.place(table, item)


def _sorted(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item["p"]["S"], item["c"]["S"]))


def _of_each_item(told: list[tuple[Item | None, Item | None]]) -> dict[str, list[Any]]:
    """A log keeps the order of the changes of one item, not of one to another's: those may be in other shards."""
    by_item: dict[str, list[Any]] = {}
    for before, after in told:
        either = before or after or {}
        by_item.setdefault(str((either["p"], either["c"])), []).append((before, after))
    return by_item
