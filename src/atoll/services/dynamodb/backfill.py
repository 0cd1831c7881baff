"""The work behind indexes and dropped tables: filling new indexes, emptying dropped ones, sweeping what tables leave.

    index   CREATING --filled--> ACTIVE --UpdateTable--> DELETING --emptied--> gone

From the commit that makes an index on, writers keep it: `changes` writes the entries of whatever is written. The backfill goes over
the items in the order of their places, a range a commit, and notes in the table's own record how far it has come; so it
conflicts with every writer of the range, and one of the two runs again. What lies beyond is counted when the backfill gets there.
"""

from functools import partial

from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import changes, definitions, jobs, places, records, values, vector_rules
from atoll.services.dynamodb.records import ACTIVE, CREATING, JOBS, Index, Table
from atoll.services.dynamodb.table_updates import BACKFILL_JOB, DROP_JOB, IndexWork
from atoll.services.dynamodb.tables import SWEEP_JOB, Sweep
from atoll.store import Reader, Store, Tx

RANGE_ROWS = 1000
RANGE_BYTES = 8 * 1024 * 1024
_PIECE_ROWS = 50


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    # Each of its own, so that a big one does not keep the others waiting.
    turns = {"fills": fill_indexes, "drops": empty_indexes, "sweeps": sweep}
    return [jobs.reconciler(name, partial(turn, cloud.store), cloud, clock) for name, turn in turns.items()]


async def fill_indexes(store: Store) -> None:
    """One pass: every index that is being made gets made."""
    await jobs.each(store, BACKFILL_JOB, IndexWork, partial(_fill, store))


async def empty_indexes(store: Store) -> None:
    """One pass: every index that is being dropped gets emptied."""
    await jobs.each(store, DROP_JOB, IndexWork, partial(_drop, store))


async def sweep(store: Store) -> None:
    """One pass: every row of every dropped shelf is deleted."""
    await jobs.each(store, SWEEP_JOB, Sweep, partial(_sweep_some, store))


async def _sweep_some(store: Store, job: jobs.Job[Sweep]) -> bool:
    shelves = job.record.shelves
    if not shelves:
        await jobs.step(store, job, None)
    elif not await _erase_some(store, shelves[0]):
        await jobs.step(store, job, Sweep(shelves[1:]))
    return True


async def _fill(store: Store, job: jobs.Job[IndexWork]) -> bool:
    """One range of one index. Answers whether there is more."""

    async def attempt(tx: Tx) -> bool:
        found = await _find(tx, job.record)
        if found is None or found[1].status != CREATING:
            tx.delete(JOBS, job.key)
            return False
        table, index = found
        done = await _fill_range(tx, table, index)
        if done:
            index.status, index.backfilling, index.backfilled = ACTIVE, False, b""
            tx.delete(JOBS, job.key)
        records.put_table(tx, table)
        return not done

    return await store.run(attempt)


async def _fill_range(tx: Tx, table: Table, index: Index) -> bool:
    """Answers whether it was the last. The table and its index are the caller's to save."""
    items, entries = records.items_shelf(table), records.index_shelf(table, index)
    rows, more = await _range(tx, items, index.backfilled)
    grown_items = grown_bytes = 0
    for _, row in rows:
        # None too for an item that could not be written today: a key of it has the wrong type, or is too long.
        entry = places.entry(table, index, records.decode_item(row))
        if entry is None:
            continue
        place, projected = entry
        # The entry of an index that projects everything is the item's own row.
        kept = row if index.projection == "ALL" else records.encode_item(projected, values.item_size(projected))
        entry_bytes = records.item_size(kept)
        tx.put(entries, place, kept)
        grown_items, grown_bytes = grown_items + 1, grown_bytes + entry_bytes
    tx.add(records.counters_shelf(table), changes.counter_of_index(index), grown_items, grown_bytes)
    if rows:
        index.backfilled = rows[-1][0]
    return not more


async def _range(reader: Reader, shelf: bytes, after: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The next rows, in few pieces, that big ones do not fill the memory; and whether there may be more."""
    rows: list[tuple[bytes, bytes]] = []
    size_bytes, low = 0, after + b"\x00" if after else b""
    while len(rows) < RANGE_ROWS and size_bytes < RANGE_BYTES:
        found = await reader.scan(shelf, low, None, _PIECE_ROWS)
        rows += found
        if len(found) < _PIECE_ROWS:
            return rows, False
        size_bytes += sum(len(row) for _, row in found)
        low = found[-1][0] + b"\x00"
    return rows, True


async def _drop(store: Store, job: jobs.Job[IndexWork]) -> bool:
    record = job.record
    found = await _find(store, record)
    if found is not None and await _erase_some(store, records.index_shelf(*found)):
        return True

    async def attempt(tx: Tx) -> None:
        tx.delete(JOBS, job.key)
        found = await _find(tx, record)
        if found is None:
            return
        table, index = found
        table.indexes.remove(index)
        definitions.forget_unused(table, vector_rules.defined_names(table.vectors))
        tx.delete(records.counters_shelf(table), changes.counter_of_index(index))
        records.put_table(tx, table)

    await store.run(attempt)
    return False


async def _find(reader: Reader, work: IndexWork) -> tuple[Table, Index] | None:
    """None when the table was dropped meanwhile, and its shelves with it."""
    table = await records.get_own_table(reader, work.account, work.region, work.table)
    if table is None:
        return None
    return next(((table, index) for index in table.indexes if index.uid == work.index_uid), None)


async def _erase_some(store: Store, shelf: bytes) -> bool:
    """Answers whether there was something. Nobody reads or writes there any more, so no transaction need look."""
    rows = await store.scan(shelf, b"", None, RANGE_ROWS)
    if rows:
        await store.write([], [(shelf, k) for k, _ in rows])
    return bool(rows)
