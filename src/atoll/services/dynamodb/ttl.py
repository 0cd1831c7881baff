"""Time to live: switched on and off, and the sweeper that deletes what has expired.

The write path keeps a row an item that has a time, sorted by it, so the sweeper looks at nothing that has not expired. Such
a row only says where to look: whether the item still says the same is asked in the transaction that deletes it.
"""

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from atoll.base.clock import Clock
from atoll.operation import Call, Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import changes, jobs, records, stored, tables
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.records import ACTIVE, EXPIRING, Table
from atoll.services.dynamodb.refusals import in_use, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.store import Reader, Store, Tx, keys

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

EVERY_SECONDS = 0.5
CHANGE_SECONDS = 3600.0
"""AWS takes one change of the setting in so long."""
TOO_OLD_SECONDS = 5 * 365 * 86400.0
"""A time further back is no time to live, AWS says: it is a mistake, and the item stays."""
JOB = "ttl"

_SECONDS_BYTES = 8
_TABLES_PER_SCAN = 1000
_ITEMS_PER_COMMIT = 25
_COMMITS_PER_TURN = 100  # So that one table whose items all expire does not keep the others waiting.
_ITEMS_PER_INDEXING = 100
_ROWS_PER_CLEARING = 1000


class Indexing(msgspec.Struct, array_like=True):
    """The expiry rows of a table after a change of its setting: the old ones cleared, those of items there are put."""

    account: str
    region: str
    name: str
    uid: str
    cleared: bool = False
    after: bytes = b""  # the item place up to which it has come


@dynamodb.write("UpdateTimeToLive")
async def update_time_to_live(call: Call, request: "types.UpdateTimeToLiveInput") -> "types.UpdateTimeToLiveOutput":
    wanted = request["TimeToLiveSpecification"]
    table = await tables.find_own(call, request["TableName"])
    if table.status != ACTIVE:
        raise in_use(table.name)
    attribute = wanted["AttributeName"] if wanted["Enabled"] else None
    _check_change(table, wanted["AttributeName"], attribute, call.now)
    table.ttl, table.ttl_changed = attribute, call.now
    tables.save(call.tx, table)
    expiring = keys.pack(table.account, table.region, table.name)
    if attribute is None:
        call.tx.delete(EXPIRING, expiring)
    else:
        call.tx.put(EXPIRING, expiring, b"")
    job = Indexing(table.account, table.region, table.name, table.uid)
    jobs.start(call.tx, jobs.key(JOB, table.account, table.region, table.uid), job)
    return {"TimeToLiveSpecification": wanted}


def _check_change(table: Table, named: str, attribute: str | None, now: float) -> None:
    if attribute is None and table.ttl is None:
        raise validation("TimeToLive is already disabled")
    if table.ttl is not None and named != table.ttl:
        text = f"TimeToLive is active on a different AttributeName: current AttributeName is {table.ttl}"
        raise validation(text)
    if attribute is not None and table.ttl is not None:
        raise validation("TimeToLive is already enabled")
    if table.ttl_changed and now - table.ttl_changed < CHANGE_SECONDS:
        text = "Time to live has been modified multiple times within a fixed interval"
        raise validation(text)


@dynamodb.read("DescribeTimeToLive")
async def describe_time_to_live(
    call: Call, request: "types.DescribeTimeToLiveInput"
) -> "types.DescribeTimeToLiveOutput":
    table = await tables.find(call, request["TableName"])
    if table.ttl is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": table.ttl}}


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    store = cloud.store

    async def sweep_all(_: int) -> None:
        await sweep(store, clock.now())

    return [
        jobs.reconciler("ttl-index", partial(index, store), cloud, clock),
        Reconciler("dynamodb-ttl-sweep", sweep_all, store, clock, every_seconds=EVERY_SECONDS),
    ]


async def index(store: Store) -> None:
    """Brings the expiry rows of all tables whose setting has changed up to it."""
    await jobs.each(store, JOB, Indexing, partial(_turn, store))


async def _turn(store: Store, job: Job[Indexing]) -> bool:
    await (_index_some if job.record.cleared else _clear_some)(store, job)
    return True


async def _clear_some(store: Store, job: Job[Indexing]) -> None:
    """Old rows do no harm but lie there; those that are put meanwhile come back when the items are gone through."""
    record = job.record
    shelf = records.shelf(record.account, record.region, f"e/{record.uid}")
    rows = await store.scan(shelf, b"", None, _ROWS_PER_CLEARING)

    async def clear(tx: Tx) -> None:
        for key, _ in rows:
            tx.delete(shelf, key)

    cleared = len(rows) < _ROWS_PER_CLEARING
    await jobs.step(store, job, msgspec.structs.replace(record, cleared=cleared), clear)


async def _index_some(store: Store, job: Job[Indexing]) -> None:
    record = job.record
    table = await records.get_table(store, record.account, record.region, record.name)
    if table is None or table.uid != record.uid or table.ttl is None:
        await jobs.step(store, job, None)
        return
    shelf = records.items_shelf(table)
    rows = await store.scan(shelf, record.after, None, _ITEMS_PER_INDEXING)

    async def put(tx: Tx) -> None:
        # What changes from here on is kept up by the write path, if the table still is as it was.
        now_is = await records.get_table(tx, record.account, record.region, record.name)
        if now_is is None or now_is.uid != record.uid:
            return
        for (place, _), row in zip(rows, await tx.get_many([(shelf, place) for place, _ in rows]), strict=True):
            key = None if row is None else changes.expiry_key(now_is, place, records.decode_item(row))
            if key is not None:
                tx.put(records.expiry_shelf(now_is), key, b"")

    more = len(rows) == _ITEMS_PER_INDEXING
    following = msgspec.structs.replace(record, after=rows[-1][0] + b"\x00") if more else None
    await jobs.step(store, job, following, put)


async def sweep(store: Store, now: float) -> None:
    """Deletes what has expired by now, of all tables."""
    lo = b""
    while rows := await store.scan(EXPIRING, lo, None, _TABLES_PER_SCAN):
        for key, _ in rows:
            await _sweep_table(store, key, now)
        lo = rows[-1][0] + b"\x00"


async def _sweep_table(store: Store, expiring: bytes, now: float) -> None:
    table = await _expiring_table(store, expiring)
    if table is None:
        await _forget(store, expiring)
        return
    shelf = records.expiry_shelf(table)
    oldest, following = (int(at).to_bytes(_SECONDS_BYTES, "big") for at in (max(0.0, now - TOO_OLD_SECONDS), now + 1))
    for _ in range(_COMMITS_PER_TURN):
        due = [key for key, _ in await store.scan(shelf, oldest, following, _ITEMS_PER_COMMIT)]
        if not due:
            return

        async def attempt(tx: Tx, due: list[bytes] = due) -> None:
            found = await _expiring_table(tx, expiring)
            if found is not None and found.uid == table.uid:
                await _expire(tx, found, due)

        await store.run(attempt)
        if len(due) < _ITEMS_PER_COMMIT:
            return


async def _expire(tx: Tx, table: Table, due: list[bytes]) -> None:
    shelf = records.items_shelf(table)
    places = [key[_SECONDS_BYTES:] for key in due]
    rows = await tx.get_many([(shelf, place) for place in places])
    for key, place, row in zip(due, places, rows, strict=True):
        item = None if row is None else stored.read(row)
        if item is not None and changes.expiry_key(table, place, item.item) == key:
            changes.write(tx, table, place, item, None, by_ttl=True)
        else:
            tx.delete(records.expiry_shelf(table), key)


async def _forget(store: Store, expiring: bytes) -> None:
    async def attempt(tx: Tx) -> None:
        if await _expiring_table(tx, expiring) is None:
            tx.delete(EXPIRING, expiring)

    await store.run(attempt)


async def _expiring_table(reader: Reader, expiring: bytes) -> Table | None:
    """None when it is gone, or its TTL is off."""
    table = await records.get_table(reader, *records.read_key(expiring))
    return table if table is not None and table.ttl is not None else None
