"""The scrub names every version and part whose bytes are damaged, and no other."""

import asyncio
import os

from tests.support import TestCloud

from atoll.services.s3 import buckets, completion, multipart, objects  # noqa: F401
from atoll.services.s3 import scrub as scrubbing
from atoll.services.s3.records import decode_version
from atoll.services.s3.scrub import Damaged, scrub
from atoll.services.s3.service import s3

BIG = os.urandom(100_000)


async def found(cloud, bad_blobs=None):
    return [damaged async for damaged in scrub(cloud.store, bad_blobs or {}, pause_seconds=0)]


def shelf_rows(cloud, kind):
    return [(p, k) for p, k in sorted(cloud.store.rows) if f"/s3/{kind}/".encode() in p]


def run(work):
    cloud = TestCloud(s3)

    async def whole():
        await cloud("CreateBucket", Bucket="one")
        await cloud("CreateBucket", Bucket="two")
        await work(cloud)

    asyncio.run(whole())


def test_a_whole_store_has_nothing_to_tell(monkeypatch):
    monkeypatch.setattr(scrubbing, "ROWS_PER_PAGE", 2)

    async def work(cloud):
        for number in range(5):
            await cloud("PutObject", Bucket="one", Key=f"k{number}", Body=b"x" * number)
            await cloud("PutObject", Bucket="two", Key=f"k{number}", Body=BIG)
        upload_id = (await cloud("CreateMultipartUpload", Bucket="one", Key="u"))["UploadId"]
        for number in (1, 2, 3):
            await cloud("UploadPart", Bucket="one", Key="u", UploadId=upload_id, PartNumber=number, Body=b"part")
        assert await found(cloud) == []

    run(work)


def test_inline_bytes_that_changed_shrank_or_went_are_told():
    async def work(cloud):
        for key in ("changed", "gone", "short", "sound"):
            await cloud("PutObject", Bucket="one", Key=key, Body=b"hello")
        rows = shelf_rows(cloud, "d")
        cloud.store.rows[rows[0]] = b"hallo"
        await cloud.store.write([], [rows[1]])
        cloud.store.rows[rows[2]] = b"hell"
        assert await found(cloud) == [
            Damaged("one", "changed", "null", "its inline bytes do not have their checksum"),
            Damaged("one", "gone", "null", "its inline bytes are gone"),
            Damaged("one", "short", "null", "its inline bytes are 4, not 5"),
        ]

    run(work)


def test_a_bad_blob_is_told_by_every_version_and_part_that_has_it():
    async def work(cloud):
        await cloud("PutBucketVersioning", Bucket="two", VersioningConfiguration={"Status": "Enabled"})
        first = (await cloud("PutObject", Bucket="two", Key="k", Body=BIG))["VersionId"]
        await cloud("PutObject", Bucket="two", Key="k", Body=BIG)
        await cloud("DeleteObject", Bucket="two", Key="k")
        blob_id = decode_version(cloud.store.rows[shelf_rows(cloud, "o")[-1]]).pieces[0].blob_id
        upload_id = (await cloud("CreateMultipartUpload", Bucket="one", Key="u"))["UploadId"]
        where = {"Bucket": "one", "Key": "u", "UploadId": upload_id}
        before = set(cloud.blobs.data)
        await cloud("UploadPart", PartNumber=7, Body=BIG, **where)
        (part_blob,) = set(cloud.blobs.data) - before
        assert await found(cloud, {blob_id: "torn", part_blob: "rotten", "another": "lost"}) == [
            Damaged("one", "u", "", f"part 7 of upload {upload_id}: blob {part_blob}: rotten"),
            Damaged("two", "k", first, f"blob {blob_id}: torn"),
        ]

    run(work)
