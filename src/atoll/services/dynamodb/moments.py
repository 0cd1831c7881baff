"""A table as it was at one moment, read in pages while it goes on changing: what backups, restores and exports are made of.

    {account}/{region}/dynamodb/marks     pack(name) + stamp   b""   when the transaction that made it was committed
    {account}/{region}/dynamodb/u/{id}    item place           the item's row at the moment, b"" where there was none
    {account}/{region}/dynamodb/kept      pack(uid)            Table: deleted, but its items and log are still being read

What the table was at stamp M is what it is now with every change since M undone: of each item changed since, the old image
of its first such change; of all others, what lies there. A page is one snapshot of a range of items and of the log since M. So that no
page has to go through all of a long log, old images are gathered from it into the shelf u now and then (the first stays:
`gather`), and a page looks there, and at the log from there on. So memory and transactions stay small however big the table,
however long ago M, however much is written meanwhile.

The log must reach back to M. Where it is not kept for recovery anyway, or might be trimmed before we are through, `Table.copies`
keeps it: who reads a moment has its id there until it is done.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from atoll.services.dynamodb import jobs, places, records, tables
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.records import Change, Table
from atoll.services.dynamodb.shards import RANGES
from atoll.store import Reader, Store, Tx, keys, stamps

_SHARD_BITS = 6  # of a place's first byte, below those that name the shard
_TAIL_ROWS = 500
_ROWS_FIRST = 50
_ROWS_LEAST = 8
_ROWS_MAX = 500  # Of the biggest items, 200 MB: what comes after many small ones may be big.
_BYTES_WANTED = 2 * 1024 * 1024
_MARKS_MAX = 100


class Moment(msgspec.Struct, array_like=True):
    """How far the reading has come. Belongs into the record of the job that reads."""

    id: str
    source: bytes  # the Table, encoded
    stamp: bytes  # changes with this one and younger ones are undone
    gathered: list[bytes] = []  # by shard: the stamp up to which the log has been gathered; empty at the start
    cursor: bytes = b""  # the place below which everything has been read
    exhausted: bool = False

    @property
    def table(self) -> Table:
        return records.decode_table(self.source)


@dataclass(slots=True)
class Page:
    rows: list[bytes]
    after: Moment


@dataclass(slots=True)
class Pace:
    """How many rows to ask for: few until it is known how big they are."""

    rows: int = _ROWS_FIRST
    behind: bool = False  # The last page had to look through many changes: it is time to gather some.

    def heed(self, rows: int, size_bytes: int) -> None:
        if rows:
            self.rows = max(_ROWS_LEAST, min(_ROWS_MAX, _BYTES_WANTED * rows // max(1, size_bytes)))


def seconds(when: datetime | float | str | None) -> float | None:
    """A time of a request, as Unix seconds."""
    return when.timestamp() if isinstance(when, datetime) else None if when is None else float(when)


def marks_shelf(account: str, region: str) -> bytes:
    return records.shelf(account, region, "marks")


def undo_shelf(moment: Moment) -> bytes:
    table = moment.table
    return records.shelf(table.account, table.region, f"u/{moment.id}")


def mark(tx: Tx, account: str, region: str, name: str) -> None:
    tx.append(marks_shelf(account, region), keys.pack(name), b"")


async def find_mark(reader: Reader, account: str, region: str, name: str) -> bytes | None:
    """The stamp of the youngest mark of that name."""
    prefix = keys.pack(name)
    rows = await reader.scan(marks_shelf(account, region), prefix, keys.after(prefix), 1, reverse=True)
    return rows[0][0][len(prefix) :] if rows else None


async def erase_marks(tx: Tx, account: str, region: str, name: str) -> None:
    prefix = keys.pack(name)
    shelf = marks_shelf(account, region)
    for k, _ in await tx.scan(shelf, prefix, keys.after(prefix), _MARKS_MAX):
        tx.delete(shelf, k)


def hold(tx: Tx, table: Table, copy_id: str) -> None:
    """From this transaction on the table's log is kept."""
    held = msgspec.structs.replace(table, copies=[*table.copies, copy_id])
    tables.save(tx, held)


async def release(tx: Tx, moment: Moment) -> None:
    source = moment.table
    named = records.tables_shelf(source.account, source.region), records.table_key(source.name)
    for shelf, k in (named, _kept_key(source)):
        row = await tx.get(shelf, k)
        table = None if row is None else records.decode_table(row)
        if table is None or table.uid != source.uid or moment.id not in table.copies:
            continue
        table = msgspec.structs.replace(table, copies=[copy for copy in table.copies if copy != moment.id])
        if shelf == named[0] or table.copies:
            tx.put(shelf, k, records.encode(table))
        else:
            tx.delete(shelf, k)
            # Its log may also be a dropped stream's: that is trimmed by itself.
            tables.sweep(tx, table, [records.items_shelf(table)])


def outlive(tx: Tx, table: Table) -> frozenset[bytes]:
    """In the transaction that deletes the table: the shelves to be kept until all who read it are through."""
    if not table.copies:
        return frozenset()
    tx.put(*_kept_key(table), records.encode(table))
    return frozenset((records.items_shelf(table), records.log_shelf(table)))


def _kept_key(table: Table) -> tuple[bytes, bytes]:
    return records.kept_shelf(table.account, table.region), keys.pack(table.uid)


async def read(store: Store, job: Job[Any], pace: Pace) -> Page:
    """The next page of `job.record.moment`."""
    await locate(store, job)
    if pace.behind:
        await catch_up(store, job, pace)
    return await peek(store, job.record.moment, pace)


async def locate(store: Store, job: Job[Any]) -> None:
    """Looks up the stamp of a moment that was marked by the transaction that asked for it."""
    moment: Moment = job.record.moment
    if moment.stamp:
        return
    table = moment.table
    stamp = await find_mark(store, table.account, table.region, moment.id)
    assert stamp is not None, f"no mark of {moment.id}"
    moment = msgspec.structs.replace(moment, stamp=stamp)
    await jobs.step(store, job, msgspec.structs.replace(job.record, moment=moment))


async def peek(store: Store, moment: Moment, pace: Pace) -> Page:
    async with store.snapshot() as view:
        return await page(view, moment, pace)


async def catch_up(store: Store, job: Job[Any], pace: Pace) -> None:
    moment: Moment = job.record.moment
    after, firsts = await gather(store, moment, pace)

    async def put(tx: Tx) -> None:
        await put_gathered(tx, moment, firsts)

    await jobs.step(store, job, msgspec.structs.replace(job.record, moment=after), put)


async def finish(tx: Tx, moment: Moment) -> None:
    """In the transaction that ends the job: nobody keeps anything for this moment any more."""
    table = moment.table
    tables.sweep(tx, table, [undo_shelf(moment)])
    await erase_marks(tx, table.account, table.region, moment.id)
    await release(tx, moment)


async def gather(reader: Reader, moment: Moment, pace: Pace) -> tuple[Moment, dict[bytes, bytes]]:
    """The next piece of the log: (the moment after it, the first old images by place), to be put by `put_gathered`.

    The same moment is answered when there is no more.
    """
    shard = _shard(moment.cursor)
    gathered = moment.gathered or [moment.stamp] * RANGES
    rows = await _log(reader, moment, shard, gathered[shard], pace.rows)
    pace.heed(len(rows), sum(len(row) for _, row in rows))
    if not rows:
        return moment, {}
    after = [*gathered[:shard], _after(rows), *gathered[shard + 1 :]]
    return msgspec.structs.replace(moment, gathered=after), _firsts(moment.table, rows)


async def put_gathered(tx: Tx, moment: Moment, firsts: dict[bytes, bytes]) -> None:
    shelf = undo_shelf(moment)
    there = await tx.get_many([(shelf, place) for place in firsts])
    for (place, old), known in zip(firsts.items(), there, strict=True):
        if known is None:
            tx.put(shelf, place, old)


async def page(view: Reader, moment: Moment, pace: Pace) -> Page:
    """The next items of the moment, in the order of their places.

    `view` is one snapshot, or what is changed between two reads would be missed.
    """
    shard = _shard(moment.cursor)
    lo, hi = moment.cursor, _shard_end(shard)
    rows = await view.scan(records.items_shelf(moment.table), lo, hi, pace.rows)
    hi = _end(rows, pace.rows, hi)
    undone = await view.scan(undo_shelf(moment), lo, hi, pace.rows)
    hi = _end(undone, pace.rows, hi)
    found = {**dict(rows), **await _tail(view, moment, hi, pace), **dict(undone)}
    items = [found[k] for k in sorted(found) if found[k] and lo <= k and (hi is None or k < hi)]
    pace.heed(len(items), sum(map(len, items)))
    cursor = hi if hi is not None else b""
    return Page(items, msgspec.structs.replace(moment, cursor=cursor, exhausted=hi is None))


async def _tail(view: Reader, moment: Moment, hi: bytes | None, pace: Pace) -> dict[bytes, bytes]:
    """The first old images, of places of this page, that are in the log but not gathered yet. However many: a page is always had."""
    shard = _shard(moment.cursor)
    since = (moment.gathered or [moment.stamp] * RANGES)[shard]
    firsts: dict[bytes, bytes] = {}
    pace.behind = False
    while tail := await _log(view, moment, shard, since, _TAIL_ROWS):
        found = _firsts(moment.table, tail)
        firsts = {k: v for k, v in found.items() if moment.cursor <= k and (hi is None or k < hi)} | firsts
        since = _after(tail)
        if len(tail) < _TAIL_ROWS:
            break
        pace.behind = True
    return firsts


async def _log(reader: Reader, moment: Moment, shard: int, since: bytes, limit: int) -> list[tuple[bytes, bytes]]:
    prefix = bytes((shard,))
    return await reader.scan(records.log_shelf(moment.table), prefix + since, keys.after(prefix), limit)


def _after(rows: list[tuple[bytes, bytes]]) -> bytes:
    """The least stamp behind these rows of the log."""
    return stamps.pack(stamps.unpack(rows[-1][0][1:]) + 1)


def _firsts(table: Table, rows: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """What each item of these changes was before the first of them."""
    firsts: dict[bytes, bytes] = {}
    for _, row in rows:
        change = records.decode_change(row)
        place = place_of(table, change)
        if place not in firsts:
            firsts[place] = change.old or b""
    return firsts


def place_of(table: Table, change: Change) -> bytes:
    row = change.old if change.new is None else change.new
    assert row is not None, "a change of nothing into nothing"
    return places.place(table, records.decode_item(row))


def _shard(cursor: bytes) -> int:
    return cursor[0] >> _SHARD_BITS if cursor else 0


def _shard_end(shard: int) -> bytes | None:
    return bytes(((shard + 1) << _SHARD_BITS,)) if shard + 1 < RANGES else None


def _end(rows: list[tuple[bytes, bytes]], limit: int, hi: bytes | None) -> bytes | None:
    """Where the page ends: behind the last row, where there may be more."""
    return rows[-1][0] + b"\x00" if len(rows) == limit else hi
