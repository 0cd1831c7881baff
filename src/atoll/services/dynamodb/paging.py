"""Pages of a table or an index: which rows Query, Scan and PartiQL look at, where a page ends and how the next one goes on.

A page ends with the row that fills its limit, or with the one that brings it to 1 MB; both tell a LastEvaluatedKey, even if
nothing follows. Rows are read in growing batches, so that neither a page of 400 KB items nor one of 30,000 tiny ones is dear.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import places, records, tables, values
from atoll.services.dynamodb.records import Index, Item, Table
from atoll.services.dynamodb.refusals import validation
from atoll.store import Reader, Row

PAGE_BYTES_MAX = 1024 * 1024
_FIRST_ROWS = 16
_BATCH_ROWS_MAX = 256

_INVALID_START = "The provided starting key is invalid"
_MISMATCH = "The provided key element does not match the schema"
_BARE_COMPLAINTS = (
    "contains duplicates",
    "number set",
    "numeric value",
    "significant digits",
    "number with magnitude",
)
"""What of a start key's values AWS complains of without saying that it is of the start key."""


@dataclass(slots=True)
class Source:
    """What is read: a table, or one of its indexes."""

    table: Table
    index: Index | None

    @property
    def shelf(self) -> bytes:
        return records.items_shelf(self.table) if self.index is None else records.index_shelf(self.table, self.index)

    @property
    def hash(self) -> Sequence[str]:
        return (self.table.hash,) if self.index is None else self.index.hash

    @property
    def range(self) -> Sequence[str]:
        if self.index is not None:
            return self.index.range
        return () if self.table.range is None else (self.table.range,)

    @property
    def key_names(self) -> Sequence[str]:
        """Of a LastEvaluatedKey: an index's key, then what of the table's is not in it."""
        if self.index is None:
            return self.table.key_names
        return tuple(dict.fromkeys((*self.index.hash, *self.index.range, *self.table.key_names)))

    def kinds(self, names: Sequence[str]) -> list[tuple[str, str]]:
        return [(name, self.table.attributes[name]) for name in names]

    def keeps(self, attribute: str) -> bool:
        """Whether its rows have the attribute, where the item has it."""
        index = self.index
        return index is None or index.projection == "ALL" or attribute in self.key_names or attribute in index.include


@dataclass(slots=True)
class Span:
    """The rows of a shelf from `low` up to `high`, either way. `keeps`: those of them that are meant, if not all are."""

    shelf: bytes
    low: bytes
    high: bytes | None
    backward: bool = False
    keeps: Callable[[Item], bool] | None = None

    def go_on_after(self, place: bytes) -> None:
        if self.backward:
            if self.high is None or place < self.high:
                self.high = place
        else:
            self.low = max(self.low, place + b"\x00")

    @property
    def is_empty(self) -> bool:
        return self.high is not None and self.low >= self.high


@dataclass(slots=True)
class Page:
    rows: list[Row]
    """The rows that were looked at: places and items, or what the index keeps of them."""

    size_bytes: int
    is_cut: bool
    """Ended by its limit or its size, so it has a LastEvaluatedKey."""

    items: list[Item] | None = None
    """With `Fetch`: the table's items to these rows."""

    fetched_bytes: list[int] | None = None


@dataclass(slots=True)
class Fetch:
    """Reads to each row of a local index its item from the table. A page ends by the size of these."""

    reader: Reader
    table: Table

    async def items(self, rows: Sequence[Row]) -> list[bytes]:
        shelf = records.items_shelf(self.table)
        wanted = [(shelf, places.place(self.table, records.decode_item(entry))) for _, entry in rows]
        found = [row for row in await self.reader.get_many(wanted) if row is not None]
        assert len(found) == len(rows), "an index has an entry without its item"
        return found


def source(table: Table, index_name: str | None) -> Source:
    return Source(table, None if index_name is None else tables.index_of(table, index_name))


async def read_page(reader: Reader, span: Span, limit: int | None, fetch: Fetch | None = None) -> Page:
    page = Page([], 0, is_cut=False)
    if fetch is not None:
        page.items, page.fetched_bytes = [], []
    wanted = _FIRST_ROWS
    while not span.is_empty:
        if limit is not None:
            wanted = min(wanted, limit - len(page.rows))
        rows = await reader.scan(span.shelf, span.low, span.high, wanted, reverse=span.backward)
        await _take(page, rows, span.keeps, fetch)
        if page.is_cut:
            return page
        if len(page.rows) == limit:
            page.is_cut = True
            return page
        if len(rows) < wanted:
            return page
        span.go_on_after(rows[-1][0])
        average_bytes = max(1, page.size_bytes // max(1, len(page.rows)))
        wanted = min((PAGE_BYTES_MAX - page.size_bytes) // average_bytes + 1, _BATCH_ROWS_MAX)
    return page


async def _take(page: Page, rows: list[Row], keeps: Callable[[Item], bool] | None, fetch: Fetch | None) -> None:
    if keeps is not None:
        rows = [row for row in rows if keeps(records.decode_item(row[1]))]
    if fetch is not None:
        await _take_fetched(page, rows, fetch)
        return
    size_bytes, item_size = page.size_bytes, records.item_size
    for count, (_, row) in enumerate(rows, 1):
        size_bytes += item_size(row)
        if size_bytes >= PAGE_BYTES_MAX:
            page.is_cut = True
            rows = rows[:count]
            break
    page.size_bytes = size_bytes
    page.rows += rows


async def _take_fetched(page: Page, rows: list[Row], fetch: Fetch) -> None:
    assert page.items is not None
    assert page.fetched_bytes is not None
    for row, item_row in zip(rows, await fetch.items(rows), strict=True):
        item_bytes = records.item_size(item_row)
        page.rows.append(row)
        page.items.append(records.decode_item(item_row))
        page.fetched_bytes.append(item_bytes)
        page.size_bytes += item_bytes
        if page.size_bytes >= PAGE_BYTES_MAX:
            page.is_cut = True
            return


def last_key(source: Source, page: Page) -> Item | None:
    if not page.is_cut:
        return None
    item = records.decode_item(page.rows[-1][1])
    return {name: item[name] for name in source.key_names}


def take_start_key(key: Item | None) -> None:
    """Checks and normalises the values of an ExclusiveStartKey, whatever table it is for."""
    for value in (key or {}).values():
        try:
            values.take_value(value)
        except AwsError as error:
            if any(complaint in error.message for complaint in _BARE_COMPLAINTS):
                raise
            raise AwsError(error.code, f"{_INVALID_START}: {error.message}") from error


def check_start_key(source: Source, key: Item, *, by_scan: bool) -> None:
    """Raises unless `key` could be a LastEvaluatedKey of this source."""
    of_scanned_table = by_scan and source.index is None
    if len(key) != len(source.key_names):
        raise validation(f"{_INVALID_START}: {_MISMATCH}" if of_scanned_table else _INVALID_START)
    if not of_scanned_table:
        for name, kind in source.kinds([*source.hash, *source.range]):
            if name not in key:
                raise validation(_INVALID_START)
            if kind not in key[name]:
                raise validation(_MISMATCH)
    for name, kind in source.kinds(source.table.key_names):
        if kind not in key.get(name, {}):
            raise validation(f"{_INVALID_START}: {_MISMATCH}")


def place_of(source: Source, key: Item) -> bytes:
    """Where the row of a start key that has been checked lies, or would lie."""
    if source.index is None:
        return places.place(source.table, key)
    kinds = source.table.attributes
    hash_names = source.index.hash
    start = places.partition([kinds[name] for name in hash_names], [key[name] for name in hash_names])
    order = b"".join(places.encode_key(kinds[name], key[name]) for name in source.index.range)
    return places.entry_place(start, order, places.place(source.table, key))


def json_of(rows: Sequence[Row]) -> list[Any]:
    """The items of rows as they lie there, for a reply."""
    fragment, item_json = orjson.Fragment, records.item_json
    return [fragment(item_json(row)) for _, row in rows]
