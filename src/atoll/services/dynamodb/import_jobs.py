"""Carries imports out: object by object, in the order of their keys, a bounded number of items a step.

A step's record says which object it is at and how many of its records are done. Taken up again, an object is read from its
start, and those are passed over.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from atoll.aws.errors import AwsError
from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import import_sources, jobs, mutations, records, tables, values
from atoll.services.dynamodb.import_sources import Bad
from atoll.services.dynamodb.imports import JOB, Import, Importing, ledger
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.ledgers import COMPLETED, FAILED
from atoll.services.dynamodb.mutations import Mutation
from atoll.services.dynamodb.records import Table
from atoll.store import Tx

_INVALID_ITEMS = (
    "ItemValidationError",
    "Some of the items failed validation checks. Please check CloudWatch error logs for more details.",
)


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    return [jobs.reconciler("imports", partial(import_all, cloud), cloud, clock)]


async def import_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, JOB, Importing, partial(_turn, cloud))


async def _turn(cloud: Cloud, job: Job[Importing]) -> bool:
    record = job.record
    one = await ledger.get(cloud.store, record.account, record.region, record.import_id)
    table = await records.get_table(cloud.store, record.account, record.region, record.table_name)
    assert one is not None, "an import without its record"
    assert table is not None, "a table that is being made can't be deleted"
    run = _Run(cloud, job, one, table)
    failure = ("", "")
    try:
        await run.read()
    except AwsError as error:
        failure = (f"S3{error.code}", error.message)
    await jobs.step(cloud.store, job, None, partial(run.complete, failure))
    return True


class _Run:
    def __init__(self, cloud: Cloud, job: Job[Importing], one: Import, table: Table) -> None:
        self._cloud = cloud
        self._job = job
        self._one = one
        self._table = table
        self._source: Mapping[str, Any] = one.asked["S3BucketSource"]
        self._call = job.record.requester.call(cloud, job.record.region)
        self._batch: list[Mutation | None] = []
        self._batch_bytes = 0

    async def read(self) -> None:
        """Raises AwsError where the bucket can't be read."""
        while found := await import_sources.objects(self._call, self._source, self._job.record.finished):
            for key, size_bytes in found:
                await self._read_object(key, size_bytes)

    async def complete(self, failure: tuple[str, str], tx: Tx) -> None:
        record = self._job.record
        if failure[0]:
            # There is no more to come, and nobody asked for half a table.
            records.delete_table(tx, self._table)
            tables.sweep(tx, self._table, tables.shelves_of(self._table))
        else:
            await tables.open_table(tx, self._table)
            failure = _INVALID_ITEMS if record.errors else failure
        ended = msgspec.structs.replace(
            self._one,
            status=FAILED if failure[0] else COMPLETED,
            ended=self._cloud.now(),
            processed=record.processed,
            imported=record.imported,
            size_bytes=record.size_bytes,
            errors=record.errors,
            failure=failure,
        )
        ledger.put(tx, record.account, record.region, ended)

    async def _read_object(self, key: str, size_bytes: int) -> None:
        unpacker = import_sources.Unpacker(self._one.asked["InputCompressionType"])
        splitter = import_sources.splitter(self._one.asked)
        done, seen = self._job.record.records, 0
        self._batch, self._batch_bytes = [], 0
        broken = 0
        try:
            async for piece in import_sources.pieces(self._call, self._source, key, size_bytes):
                for unpacked in unpacker.feed(piece):
                    await asyncio.sleep(0)
                    for record in splitter.feed(unpacked):
                        seen += 1
                        if seen > done:
                            await self._take(record)
            unpacker.end()
            for record in splitter.end():
                seen += 1
                if seen > done:
                    await self._take(record)
        except ValueError:  # What is left of the object can't be read.
            broken = 1
        await self._flush()
        at = self._job.record
        after = msgspec.structs.replace(
            at, finished=key, records=0, size_bytes=at.size_bytes + size_bytes, errors=at.errors + broken
        )
        await jobs.step(self._cloud.store, self._job, after)

    async def _take(self, record: import_sources.Record) -> None:
        mutation = None if isinstance(record, Bad) else self._mutation(record)
        self._batch.append(mutation)
        self._batch_bytes += 0 if mutation is None else mutation.size_bytes
        if len(self._batch) == jobs.BATCH_ROWS_MAX or self._batch_bytes >= jobs.BATCH_BYTES_MAX:
            await self._flush()

    def _mutation(self, record: Mapping[str, Any]) -> Mutation | None:
        """None for what makes no item of this table."""
        is_csv = self._one.asked["InputFormat"] == "CSV"
        item = (
            import_sources.item_of_csv(record, self._table.attributes)
            if is_csv
            else import_sources.item_of_json(record)
        )
        if isinstance(item, Bad):
            return None
        try:
            return mutations.put(self._table, item, values.take_item(item))
        except AwsError:
            return None

    async def _flush(self) -> None:
        batch = self._batch
        if not batch:
            return
        good = [mutation for mutation in batch if mutation is not None]
        at = self._job.record
        after = msgspec.structs.replace(
            at,
            records=at.records + len(batch),
            processed=at.processed + len(batch),
            imported=at.imported + len(good),
            errors=at.errors + len(batch) - len(good),
        )
        await jobs.step(self._cloud.store, self._job, after, partial(_put_all, good))
        self._batch, self._batch_bytes = [], 0


async def _put_all(good: list[Mutation], tx: Tx) -> None:
    for mutation in good:  # One by one: two may be of the same item, and the later one counts.
        mutations.apply(tx, mutation, await mutations.evaluate(tx, mutation))
