"""Takes off the logs what nobody may read any more: after 24 hours for streams, after the recovery period for recovery.

A dropped table's streams can be read for another day: its log stays, and a row that tells of them, until that is over.
"""

import dataclasses

import msgspec

from atoll.base.clock import Clock
from atoll.operation import Call, Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import records, shards, tables
from atoll.services.dynamodb.records import LOGGING, Table
from atoll.store import Store, Tx, keys, stamps

EVERY_SECONDS = 60.0
_TABLES_PER_SCAN = 1000
_ROWS_PER_COMMIT = 50  # A change may be of two items of 400 KB.
_DAY_SECONDS = 86400.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Log:
    """A row of LOGGING."""

    key: bytes
    account: str
    region: str
    uid: str
    name: str


async def keep_streams(call: Call, table: Table) -> frozenset[bytes]:
    """Of a table that is being dropped; answers the shelves its sweeper must leave."""
    kept = [stream for stream in table.streams if shards.is_kept(stream, call.now)]
    for stream in kept:
        last = stream if not stream.enabled else msgspec.structs.replace(stream, enabled=False, disabled=call.now)
        row = records.encode(msgspec.structs.replace(table, streams=[last]))
        call.tx.put(records.streams_shelf(table.account, table.region), keys.pack(table.name, stream.label), row)
    return frozenset((records.log_shelf(table),) if kept else ())


tables.before_delete.append(keep_streams)


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    async def trim_all(_: int) -> None:
        await trim(cloud.store, clock.now())

    return [Reconciler("dynamodb-log-trim", trim_all, cloud.store, clock, every_seconds=EVERY_SECONDS)]


async def trim(store: Store, now: float) -> None:
    lo = b""
    while rows := await store.scan(LOGGING, lo, None, _TABLES_PER_SCAN):
        for key, name in rows:
            await _trim_log(store, _Log(key, *records.read_key(key), name.decode()), now)
        lo = rows[-1][0] + b"\x00"


async def _trim_log(store: Store, log: _Log, now: float) -> None:
    async def attempt(tx: Tx) -> bool:
        return await _trim_some(tx, log, now)

    while await store.run(attempt):
        pass


async def _trim_some(tx: Tx, log: _Log, now: float) -> bool:
    """Whether there may be more to do."""
    table = await records.get_table(tx, log.account, log.region, log.name)
    if table is not None and table.uid == log.uid:
        since = _kept_since(table, now)
    else:
        since = await _dropped_since(tx, log, now)
    shelf = records.shelf(log.account, log.region, f"g/{log.uid}")
    for hash_range in range(shards.RANGES):
        lo = bytes((hash_range,))
        hi = keys.after(lo) if since is None else lo + stamps.at(since)
        rows = await tx.scan(shelf, lo, hi, _ROWS_PER_COMMIT)
        for key, _ in rows:
            tx.delete(shelf, key)
        if rows:
            return True
    if since is None:
        tx.delete(LOGGING, log.key)
    return False


def _kept_since(table: Table, now: float) -> float | None:
    """From when on changes are kept; None: none are."""
    if table.copies:  # Somebody reads it as it was at a moment, and undoes what the log tells since.
        return 0.0
    moments = []
    if any(shards.is_kept(stream, now) for stream in table.streams):
        moments.append(now - shards.KEPT_SECONDS)
    if table.recovery_since > 0:
        moments.append(max(table.recovery_since, now - table.recovery_days * _DAY_SECONDS))
    return min(moments, default=None)


async def _dropped_since(tx: Tx, log: _Log, now: float) -> float | None:
    shelf, prefix = records.streams_shelf(log.account, log.region), keys.pack(log.name)
    kept = await tx.get(records.kept_shelf(log.account, log.region), keys.pack(log.uid))
    since = None if kept is None else 0.0
    for key, row in await tx.scan(shelf, prefix, keys.after(prefix), _TABLES_PER_SCAN):
        table = records.decode_table(row)
        if table.uid != log.uid:
            continue
        if any(shards.is_kept(stream, now) for stream in table.streams):
            since = now - shards.KEPT_SECONDS if kept is None else 0.0
        else:
            tx.delete(shelf, key)
    return since
