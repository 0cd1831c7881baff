"""Makes backups, and takes them away again: the deleted ones, and a system's when its days are over.

A table as it was at a mark (see `moments`) is copied into chunks (see `archives`), a page a step. So the copy is exact however long
it takes and whatever is written meanwhile, and a crash costs one page.
"""

import asyncio
from functools import partial

import msgspec

from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import archives, backups, jobs, moments
from atoll.services.dynamodb.backups import (
    AVAILABLE,
    COPY_JOB,
    EXPIRY_JOB,
    FORGET_JOB,
    Copying,
    Expiring,
    Forgetting,
)
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.moments import Pace
from atoll.store import Tx

_EXPIRY_EVERY_SECONDS = 60.0


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    async def copying() -> None:
        await copy_all(cloud)
        await forget_all(cloud)

    async def expiring(_: int) -> None:
        await expire_all(cloud)

    return [
        jobs.reconciler("backups", copying, cloud, clock),
        Reconciler("dynamodb-backups-expire", expiring, cloud.store, clock, every_seconds=_EXPIRY_EVERY_SECONDS),
    ]


async def copy_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, COPY_JOB, Copying, partial(_copy, cloud))


async def forget_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, FORGET_JOB, Forgetting, partial(_forget, cloud))


async def expire_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, EXPIRY_JOB, Expiring, partial(_expire, cloud))


async def _copy(cloud: Cloud, job: Job[Copying]) -> bool:
    pace = Pace()
    while not job.record.moment.exhausted:
        found = await moments.read(cloud.store, job, pace)
        at, of = job.record, _chunks_of(job.record)
        if not found.rows:
            await jobs.step(cloud.store, job, msgspec.structs.replace(at, moment=found.after))
            continue
        chunk = await asyncio.to_thread(archives.pack, cloud.blobs, found.rows)
        after = Copying(found.after, at.chunks + 1, at.items + len(found.rows))

        async def put(tx: Tx, of: bytes = of, number: int = at.chunks, chunk: archives.Chunk = chunk) -> None:
            archives.put(tx, of, number, chunk)

        await jobs.step(cloud.store, job, after, put)
    await jobs.step(cloud.store, job, None, partial(_complete, job.record))
    return True


def _chunks_of(record: Copying) -> bytes:
    table = record.moment.table
    return archives.shelf(table.account, table.region, record.moment.id)


async def _complete(record: Copying, tx: Tx) -> None:
    table = record.moment.table
    backup = await backups.get(tx, table.account, table.region, table.name, record.moment.id)
    assert backup is not None, "a backup that is being made can't be deleted"
    # The table's counters and its rows change in the same transactions, so this is a check of our own code.
    assert backup.items == record.items, f"{record.items} items copied of {backup.items}"
    backups.save(tx, msgspec.structs.replace(backup, status=AVAILABLE, chunks=record.chunks))
    await moments.finish(tx, record.moment)


async def _forget(cloud: Cloud, job: Job[Forgetting]) -> bool:
    more = True

    async def drop(tx: Tx) -> None:
        nonlocal more
        more = await archives.drop(tx, job.record.shelf, cloud.now())

    while more:
        await jobs.step(cloud.store, job, job.record, drop)
    await jobs.step(cloud.store, job, None)
    return True


async def _expire(cloud: Cloud, job: Job[Expiring]) -> bool:
    if cloud.now() < job.record.expires:
        return False
    record = job.record

    async def end(tx: Tx) -> None:
        backup = await backups.get(tx, record.account, record.region, record.table_name, record.backup_id)
        if backup is not None:
            backups.forget(tx, backup)

    await jobs.step(cloud.store, job, None, end)
    return True
