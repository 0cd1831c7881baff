"""Carries exports out: data files, then manifests, written to the bucket in the name of who asked for them.

    {prefix}/AWSDynamoDB/{export id}/_started
    {prefix}/AWSDynamoDB/{export id}/data/{name}.json.gz      of a full export: {"Item": ...} a line
    {prefix}/AWSDynamoDB/data/{name}.json.gz                  of an incremental one: {"Metadata", "Keys", "NewImage"...} a line
    {prefix}/AWSDynamoDB/{export id}/manifest-files.json      a line a data file
    {prefix}/AWSDynamoDB/{export id}/manifest-summary.json    and an .md5 beside each

    {account}/{region}/dynamodb/f/{export id}   number       the line of the manifest
    {account}/{region}/dynamodb/u/{moment id}   item place   of an incremental export: Net, what the span has made of the item

A file's name follows from its number, so one that is written again after a crash takes its own place.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
import orjson

from atoll.aws.errors import AwsError
from atoll.base.clock import Clock
from atoll.operation import Cloud
from atoll.reconcile import Reconciler
from atoll.services.dynamodb import export_filters, export_manifests, jobs, moments, records, tables
from atoll.services.dynamodb.exports import JOB, OLD_AND_NEW, Export, Exporting, ledger
from atoll.services.dynamodb.jobs import Job
from atoll.services.dynamodb.ledgers import COMPLETED, FAILED
from atoll.services.dynamodb.moments import Pace
from atoll.services.dynamodb.shards import RANGES
from atoll.store import Tx, keys, stamps

_FILE_BYTES = 8 * 1024 * 1024
_NET_ROWS = 200
_LINES = 1000
_GZIP_LEVEL = 5


class Net(msgspec.Struct, array_like=True):
    """An item before and after a span of time, and when it was written last in it."""

    old: bytes | None
    new: bytes | None
    stamp: bytes


class File:
    """Lines on their way into a data file."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.raw_bytes = 0
        self.size_bytes = 0

    def add(self, line: bytes, size_bytes: int) -> None:
        self.lines.append(line)
        self.raw_bytes += len(line)
        self.size_bytes += size_bytes

    @property
    def is_full(self) -> bool:
        return self.raw_bytes >= _FILE_BYTES

    def packed(self) -> bytes:
        return gzip.compress(b"".join(self.lines), _GZIP_LEVEL, mtime=0)


def reconcilers(cloud: Cloud, clock: Clock) -> list[Reconciler]:
    return [jobs.reconciler("exports", partial(export_all, cloud), cloud, clock)]


async def export_all(cloud: Cloud) -> None:
    await jobs.each(cloud.store, JOB, Exporting, partial(_turn, cloud))


async def _turn(cloud: Cloud, job: Job[Exporting]) -> bool:
    if cloud.now() <= job.record.not_before:
        return False
    table = job.record.moment.table
    export = await ledger.get(cloud.store, table.account, table.region, job.record.export_id)
    assert export is not None, "an export without its record"
    run = _Run(cloud, job, export)
    if not job.record.failure[0]:
        try:
            await run.write()
        except AwsError as error:
            failure = (f"S3{error.code}", error.message)
            await jobs.step(cloud.store, job, msgspec.structs.replace(job.record, failure=failure))
    await jobs.step(cloud.store, job, None, run.complete)
    return True


class _Run:
    def __init__(self, cloud: Cloud, job: Job[Exporting], export: Export) -> None:
        self._cloud = cloud
        self._job = job
        self._export = export
        table = job.record.moment.table
        self._table = table
        self._call = job.record.requester.call(cloud, table.region)
        self._files = records.shelf(table.account, table.region, f"f/{export.id}")

    async def write(self) -> None:
        """Raises AwsError when the bucket does not take it."""
        if not self._job.record.started:
            await self._put(f"{self._export.folder}/{self._export.id}/_started", b"")
            await self._step(started=True)
        if self._export.is_full:
            await self._write_items()
        else:
            await self._gather_changes()
            await self._write_changes()
        await self._write_manifests()

    async def complete(self, tx: Tx) -> None:
        record = self._job.record
        status = FAILED if record.failure[0] else COMPLETED
        ended = msgspec.structs.replace(
            self._export,
            status=status,
            ended=self._cloud.now(),
            items=record.items,
            size_bytes=record.size_bytes,
            failure=record.failure,
        )
        ledger.put(tx, self._table.account, self._table.region, ended)
        await moments.finish(tx, record.moment)
        tables.sweep(tx, self._table, [self._files])

    async def _write_items(self) -> None:
        store, pace = self._cloud.store, Pace()
        wanted = export_filters.compile_filter(self._table, self._export.asked.get("FilterSpecification"))
        await moments.locate(store, self._job)
        file, at = File(), self._job.record.moment
        while not at.exhausted:
            page = await moments.peek(store, at, pace)
            at = page.after
            for row in page.rows:
                line = _item_line(row, wanted)
                if line is not None:
                    file.add(line, records.item_size(row))
            if file.is_full or pace.behind:
                await self._flush(file, at)
                file = File()
            if pace.behind and not at.exhausted:
                await moments.catch_up(store, self._job, pace)
                at = self._job.record.moment
        await self._flush(file, at)

    async def _gather_changes(self) -> None:
        """Folds the span's log into one row an item."""
        store, record = self._cloud.store, self._job.record
        if record.gathered:
            return
        shelf, log = moments.undo_shelf(record.moment), records.log_shelf(self._table)
        for shard in range(RANGES):
            while True:
                moment = self._job.record.moment
                since = (moment.gathered or [moment.stamp] * RANGES)[shard]
                prefix = bytes((shard,))
                rows = await store.scan(log, prefix + since, prefix + self._job.record.until, _NET_ROWS)
                if not rows:
                    break
                following = stamps.pack(stamps.unpack(rows[-1][0][1:]) + 1)
                gathered = [*(moment.gathered or [moment.stamp] * RANGES)]
                gathered[shard] = following
                after = msgspec.structs.replace(moment, gathered=gathered)
                work = partial(self._fold, shelf, rows)
                await jobs.step(store, self._job, msgspec.structs.replace(self._job.record, moment=after), work)
        await self._step(gathered=True)

    async def _fold(self, shelf: bytes, rows: list[tuple[bytes, bytes]], tx: Tx) -> None:
        for k, row in rows:
            change = records.decode_change(row)
            place = moments.place_of(self._table, change)
            known = await tx.get(shelf, place)
            old = change.old if known is None else msgspec.msgpack.decode(known, type=Net).old
            tx.put(shelf, place, msgspec.msgpack.encode(Net(old, change.new, k[1:])))

    async def _write_changes(self) -> None:
        shelf = moments.undo_shelf(self._job.record.moment)
        file, at, pace = File(), self._job.record.moment, Pace()
        while not at.exhausted:
            rows = await self._cloud.store.scan(shelf, at.cursor, None, pace.rows)
            pace.heed(len(rows), sum(len(row) for _, row in rows))
            for _, row in rows:
                net = msgspec.msgpack.decode(row, type=Net)
                line = _change_line(self._table.key_names, net, with_old=self._export.view == OLD_AND_NEW)
                if line is not None:
                    file.add(line, sum(records.item_size(side) for side in (net.old, net.new) if side is not None))
            cursor = rows[-1][0] + b"\x00" if rows else b""
            at = msgspec.structs.replace(at, cursor=cursor, exhausted=not rows)
            if file.is_full:
                await self._flush(file, at)
                file = File()
        await self._flush(file, at)

    async def _flush(self, file: File, at: moments.Moment) -> None:
        """A data file, and its line in the manifest. Of nothing, one empty file."""
        record = self._job.record
        if not file.lines and (record.files or not at.exhausted):
            if at != record.moment:
                await self._step(moment=at)
            return
        name = hashlib.sha256(f"{self._export.id}/{record.files}".encode()).hexdigest()[:26]
        folder = f"{self._export.folder}/{self._export.id}" if self._export.is_full else self._export.folder
        key = f"{folder}/data/{name}.json.gz"
        data = await asyncio.to_thread(file.packed)
        etag = await self._put(key, data)
        line = export_manifests.file_line(len(file.lines), data, etag, key)

        async def note(tx: Tx) -> None:
            tx.put(self._files, keys.pack(record.files), line)

        after = msgspec.structs.replace(
            record,
            moment=at,
            files=record.files + 1,
            items=record.items + len(file.lines),
            size_bytes=record.size_bytes + file.size_bytes,
        )
        await jobs.step(self._cloud.store, self._job, after, note)

    async def _write_manifests(self) -> None:
        lines, lo = list[bytes](), b""
        while rows := await self._cloud.store.scan(self._files, lo, None, _LINES):
            lines += [line for _, line in rows]
            lo = rows[-1][0] + b"\x00"
        record, export = self._job.record, self._export
        summary = export_manifests.summary(export, record.items, record.size_bytes, self._cloud.now())
        folder = f"{export.folder}/{export.id}"
        for name, document in (("manifest-files", b"".join(lines)), ("manifest-summary", summary)):
            await self._put(f"{folder}/{name}.md5", export_manifests.md5(document).encode())
            await self._put(f"{folder}/{name}.json", document)

    async def _put(self, key: str, data: bytes) -> str:
        request: dict[str, Any] = {"Bucket": self._export.asked["S3Bucket"], "Key": key, "Body": data}
        if "S3BucketOwner" in self._export.asked:
            request["ExpectedBucketOwner"] = self._export.asked["S3BucketOwner"]
        reply = await self._call.api("s3", "PutObject", request)
        return str(reply["ETag"]).strip('"')

    async def _step(self, **changes: Any) -> None:
        await jobs.step(self._cloud.store, self._job, msgspec.structs.replace(self._job.record, **changes))


def _item_line(row: bytes, wanted: export_filters.Filter | None) -> bytes | None:
    if wanted is None:
        return b'{"Item":' + records.item_json(row) + b"}\n"
    chosen = wanted.apply(records.decode_item(row))
    return None if chosen is None else orjson.dumps({"Item": chosen}) + b"\n"


def _change_line(key_names: Iterable[str], net: Net, *, with_old: bool) -> bytes | None:
    """None: it came and went within the span."""
    row = net.new or net.old
    if row is None:
        return None
    item = records.decode_item(row)
    micros = round(stamps.time_of(net.stamp) * 1e6)
    told: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(micros)}},
        "Keys": {name: item[name] for name in key_names},
    }
    if with_old and net.old is not None:
        told["OldImage"] = orjson.Fragment(records.item_json(net.old))
    if net.new is not None:
        told["NewImage"] = orjson.Fragment(records.item_json(net.new))
    return orjson.dumps(told) + b"\n"
