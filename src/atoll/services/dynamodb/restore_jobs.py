"""Fills tables that are being restored, from a backup's chunks or from a table as it was at a moment.

A step writes a bounded number of items, through the one write path, together with the place it has come to.
"""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial

import msgspec

from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import archives, backups, changes, jobs, moments, places, records, stored, tables
from atoll.services.dynamodb.backups import Backup
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.moments import Pace
from atoll.services.dynamodb.records import Table
from atoll.services.dynamodb.restores import FROM_BACKUP_JOB, FROM_MOMENT_JOB, FromBackup, FromMoment
from atoll.store import Tx


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    return [jobs.reconciler("restores", partial(restore_all, cloud), cloud, clock)]


async def restore_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, FROM_BACKUP_JOB, FromBackup, partial(_from_backup, cloud))
    await jobs.each(cloud.store, FROM_MOMENT_JOB, FromMoment, partial(_from_moment, cloud))


async def _from_backup(cloud: Cloud, job: Job[FromBackup]) -> bool:
    source, target = records.decode_table(job.record.source), records.decode_table(job.record.target)
    of = archives.shelf(source.account, source.region, job.record.backup_id)
    backup = await backups.get(cloud.store, source.account, source.region, source.name, job.record.backup_id)
    assert backup is not None, "a backup in use can't be deleted"
    while job.record.number < backup.chunks:
        at = job.record
        chunk = await archives.find(cloud.store, of, at.number)
        rows = await asyncio.to_thread(archives.unpack, cloud.blobs, chunk)
        done = at.offset
        for batch in _batches(rows[at.offset :]):
            done += len(batch)
            after = msgspec.structs.replace(at, offset=done)
            await jobs.step(cloud.store, job, after, partial(_fill, target, batch))
        await jobs.step(cloud.store, job, msgspec.structs.replace(at, number=at.number + 1, offset=0))
    await jobs.step(cloud.store, job, None, partial(_complete_from_backup, job.record, backup))
    return True


async def _complete_from_backup(record: FromBackup, backup: Backup, tx: Tx) -> None:
    target = records.decode_table(record.target)
    await tables.open_table(tx, target)
    source = backup.source
    found = await backups.get(tx, source.account, source.region, source.name, backup.id)
    if found is not None:
        users = [user for user in found.users if user != target.uid]
        backups.save(tx, msgspec.structs.replace(found, users=users))


async def _from_moment(cloud: Cloud, job: Job[FromMoment]) -> bool:
    if cloud.now() <= job.record.not_before:
        return False
    pace, target = Pace(), records.decode_table(job.record.target)
    while not job.record.moment.exhausted:
        found = await moments.read(cloud.store, job, pace)
        at = job.record
        for batch in _batches(found.rows):
            cursor = places.place(target, records.decode_item(batch[-1])) + b"\x00"
            moment = msgspec.structs.replace(at.moment, cursor=cursor)
            after = msgspec.structs.replace(at, moment=moment)
            await jobs.step(cloud.store, job, after, partial(_fill, target, batch))
        await jobs.step(cloud.store, job, msgspec.structs.replace(at, moment=found.after))
    await jobs.step(cloud.store, job, None, partial(_complete_from_moment, job.record))
    return True


async def _complete_from_moment(record: FromMoment, tx: Tx) -> None:
    await tables.open_table(tx, records.decode_table(record.target))
    await moments.finish(tx, record.moment)


def _batches(rows: Sequence[bytes]) -> Iterator[list[bytes]]:
    """What one transaction may write."""
    batch: list[bytes] = []
    size_bytes = 0
    for row in rows:
        if batch and (len(batch) == jobs.BATCH_ROWS_MAX or size_bytes + len(row) > jobs.BATCH_BYTES_MAX):
            yield batch
            batch, size_bytes = [], 0
        batch.append(row)
        size_bytes += len(row)
    if batch:
        yield batch


async def _fill(target: Table, rows: Sequence[bytes], tx: Tx) -> None:
    """Writes items that are not there yet: the step's record tells that."""
    for row in rows:
        item = stored.read(row)
        changes.write(tx, target, places.place(target, item.item), None, item)
