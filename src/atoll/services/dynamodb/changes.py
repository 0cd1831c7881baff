"""The one write path: everything that a change of an item entails is written here, in the caller's transaction.

The item's row, an entry in each index, the row that tells when it expires, the log's record, the counters. A change that
changes nothing writes nothing.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from atoll.services.dynamodb import places, records, stored, values
from atoll.services.dynamodb.records import Change, Index, Item, Table
from atoll.services.dynamodb.stored import Stored
from atoll.store import keys

TABLE_COUNTER = keys.pack("table")
_EXPIRY_BYTES = 8
_EXPIRY_MAX = 1 << 62


@dataclass(slots=True)
class IndexWritten:
    """What became of an item's entry in one index. None: it had, or has, none there."""

    index: Index
    before: int | None
    after: int | None
    moved: bool = False  # to another place: an entry deleted and one put


@dataclass(slots=True)
class Written:
    """What capacity is counted by. Sizes in bytes; None: no such item."""

    before: int | None
    after: int | None
    indexes: list[IndexWritten] = field(default_factory=list)  # only those that were written


@dataclass(slots=True)
class _Entry:
    place: bytes
    row: bytes
    size_bytes: int


def counter_of_index(index: Index) -> bytes:
    return keys.pack("index", index.uid)


def counter_of_collection(partition: bytes) -> bytes:
    """Of a table with local indexes: the bytes of all items, and their entries, of one partition key."""
    return keys.pack("collection") + partition


def partition_of(table: Table, item: Item) -> bytes:
    return places.partition((table.attributes[table.hash],), (item[table.hash],))


def write(
    tx: Any, table: Table, place: bytes, before: Stored | None, after: Stored | None, *, by_ttl: bool = False
) -> Written:
    written = Written(stored.size_of(before), stored.size_of(after))
    if _same(before, after):
        return written
    shelf = records.items_shelf(table)
    if after is None:
        tx.delete(shelf, place)
    else:
        tx.put(shelf, place, after.row)
    if table.indexes:
        written.indexes = [
            entry for index in table.indexes if (entry := _write_index(tx, table, index, before, after)) is not None
        ]
    _count(tx, table, place, written, before or after)
    if table.ttl is not None:
        _write_expiry(tx, table, place, before, after)
    if table.logs:
        created = 0.0 if table.stream is None else table.stream.created
        change = Change(stored.row_of(before), stored.row_of(after), by_ttl, created)
        tx.append(records.log_shelf(table), bytes((places.shard_of(place),)), records.encode(change))
    return written


def _same(before: Stored | None, after: Stored | None) -> bool:
    if before is None or after is None:
        return before is after
    if before.row == after.row:
        return True
    # The order of attributes, and of the members of a set, is nothing anybody can ask for.
    return before.size_bytes == after.size_bytes and values.equal({"M": before.item}, {"M": after.item})


def _grown(before: int | None, after: int | None) -> tuple[int, int]:
    """(items more, bytes more)."""
    return (after is not None) - (before is not None), (after or 0) - (before or 0)


def _write_index(
    tx: Any, table: Table, index: Index, before: Stored | None, after: Stored | None
) -> IndexWritten | None:
    """None where the index stays as it is."""
    if index.status == "DELETING":
        return None
    old, new = _entry(table, index, before), _entry(table, index, after)
    if old is None and new is None:
        return None
    moved = old is not None and new is not None and old.place != new.place
    if old is not None and new is not None and not moved and old.row == new.row:
        return None
    shelf = records.index_shelf(table, index)
    if old is not None and (moved or new is None):
        tx.delete(shelf, old.place)
    if new is not None:
        tx.put(shelf, new.place, new.row)
    return IndexWritten(index, _size_of(old), _size_of(new), moved)


def _size_of(entry: _Entry | None) -> int | None:
    return None if entry is None else entry.size_bytes


def _count(tx: Any, table: Table, place: bytes, written: Written, either: Stored | None) -> None:
    shelf = records.counters_shelf(table)
    grown = _grown(written.before, written.after)
    if any(grown):
        tx.add(shelf, TABLE_COUNTER, *grown)
    collection_bytes = grown[1]
    for entry in written.indexes:
        index, grown = entry.index, _grown(entry.before, entry.after)
        # What lies ahead of a backfill is counted when it gets there.
        if any(grown) and not (index.backfilling and place > index.backfilled):
            tx.add(shelf, counter_of_index(index), *grown)
        if not index.is_global:
            collection_bytes += grown[1]
    if collection_bytes and any(not index.is_global for index in table.indexes):
        assert either is not None, "a change of nothing into nothing"
        tx.add(shelf, counter_of_collection(partition_of(table, either.item)), collection_bytes)


def _entry(table: Table, index: Index, side: Stored | None) -> _Entry | None:
    if side is None:
        return None
    found = places.entry(table, index, side.item)
    if found is None:
        return None
    place, projected = found
    if index.projection == "ALL":
        return _Entry(place, side.row, side.size_bytes)
    size_bytes = values.item_size(projected)
    return _Entry(place, records.encode_item(projected, size_bytes), size_bytes)


def expiry(table: Table, item: Item) -> bytes | None:
    """The second at which TTL may delete the item, as it stands in the expiry shelf; None when it has no such time.

    Whether that is too long ago to be meant is for the sweeper to judge: it has the clock.
    """
    text = item.get(table.ttl or "", {}).get("N")
    if text is None:
        return None
    seconds = int(text) if text.isdigit() and len(text) < 19 else _whole_seconds(text)
    return seconds.to_bytes(_EXPIRY_BYTES, "big") if 0 < seconds < _EXPIRY_MAX else None


def _whole_seconds(text: str) -> int:
    number = Decimal(text)
    return int(number) if number.adjusted() < 19 else 0


def expiry_key(table: Table, place: bytes, item: Item) -> bytes | None:
    seconds = expiry(table, item)
    return None if seconds is None else seconds + place


def _write_expiry(tx: Any, table: Table, place: bytes, before: Stored | None, after: Stored | None) -> None:
    old = None if before is None else expiry_key(table, place, before.item)
    new = None if after is None else expiry_key(table, place, after.item)
    if old == new:
        return
    shelf = records.expiry_shelf(table)
    if old is not None:
        tx.delete(shelf, old)
    if new is not None:
        tx.put(shelf, new, b"")
