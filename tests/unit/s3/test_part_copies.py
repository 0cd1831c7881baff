"""UploadPartCopy: parts by reference, their digests, ranges that must be exact, sources that change."""

import asyncio
import hashlib
import os

import pytest
from tests.support import TestCloud, bytes_of

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.blobs.references import REFS
from atoll.services.s3 import buckets, completion, copies, multipart, objects, part_copies  # noqa: F401
from atoll.services.s3.part_copies import Span, resolve
from atoll.services.s3.service import s3

MIB = 1024 * 1024
BIG = os.urandom(12 * MIB)
SMALL = os.urandom(3000)
TO = {"Bucket": "target", "Key": "made"}


def run(work):
    cloud = TestCloud(s3)

    async def whole():
        await cloud("CreateBucket", Bucket="from")
        await cloud("CreateBucket", Bucket="target")
        await cloud("PutObject", Bucket="from", Key="big ö?", Body=BIG)
        await cloud("PutObject", Bucket="from", Key="small", Body=SMALL)
        await work(cloud)

    asyncio.run(whole())


async def begin(cloud, **members):
    reply = await cloud("CreateMultipartUpload", **TO, **members)
    return {**TO, "UploadId": reply["UploadId"]}


async def copy(cloud, upload, number, source, span=None, **members):
    if span is not None:
        members["CopySourceRange"] = f"bytes={span[0]}-{span[1] - 1}"
    reply = await cloud("UploadPartCopy", CopySource=source, PartNumber=number, **upload, **members)
    return {"PartNumber": number, "ETag": reply["CopyPartResult"]["ETag"]}


async def complete(cloud, upload, *parts):
    return await cloud("CompleteMultipartUpload", MultipartUpload={"Parts": list(parts)}, **upload)


async def code_of(awaitable):
    with pytest.raises(AwsError) as caught:
        await awaitable
    return caught.value.code


def held(cloud):
    return {key.split(b"\x00")[0].decode() for p, key in cloud.store.rows if p == REFS}


def md5(data):
    return f'"{hashlib.md5(data).hexdigest()}"'


def test_ranges_are_copied_by_reference_and_outlive_their_source():
    async def work(cloud):
        blobs = set(cloud.blobs.data)
        upload = await begin(cloud)
        parts = [
            await copy(cloud, upload, 1, "from/big%20%C3%B6%3F", (MIB, 7 * MIB)),
            await copy(cloud, upload, 2, "/from/big%20%C3%B6%3F"),
            await copy(cloud, upload, 3, "from/small", (10, 20)),
        ]
        expected = [BIG[MIB : 7 * MIB], BIG, SMALL[10:20]]
        assert [part["ETag"] for part in parts] == [md5(data) for data in expected]
        assert set(cloud.blobs.data) == blobs
        await cloud("DeleteObject", Bucket="from", Key="big ö?")
        assert held(cloud) == blobs
        reply = await complete(cloud, upload, *parts)
        whole = b"".join(expected)
        assert reply["ChecksumCRC64NVME"] == checksums.encode(checksums.compute("CRC64NVME", whole))
        assert bytes_of((await cloud("GetObject", **TO))["Body"]) == whole
        await cloud("DeleteObject", **TO)
        assert held(cloud) == set()

    run(work)


def test_two_parts_of_one_blob_do_not_let_go_of_each_other():
    async def work(cloud):
        upload = await begin(cloud)
        one = await copy(cloud, upload, 1, "from/big%20%C3%B6%3F", (0, 6 * MIB))
        await copy(cloud, upload, 2, "from/big%20%C3%B6%3F", (6 * MIB, 12 * MIB))
        await copy(cloud, upload, 2, "from/small")
        await cloud("DeleteObject", Bucket="from", Key="big ö?")
        assert len(held(cloud)) == 1
        await complete(cloud, upload, one)
        assert bytes_of((await cloud("GetObject", **TO))["Body"]) == BIG[: 6 * MIB]
        await cloud("DeleteObject", **TO)
        assert held(cloud) == set()

    run(work)


def test_a_part_can_come_from_a_multipart_object_across_its_parts():
    async def work(cloud):
        first = await begin(cloud)
        parts = [await copy(cloud, first, number, "from/big%20%C3%B6%3F", (0, 5 * MIB)) for number in (1, 2, 3)]
        await complete(cloud, first, *parts)
        second = {**TO, "Key": "again"}
        second |= {"UploadId": (await cloud("CreateMultipartUpload", **second))["UploadId"]}
        part = await copy(cloud, second, 1, "target/made", (4 * MIB, 11 * MIB))
        assert part["ETag"] == md5((BIG[: 5 * MIB] * 3)[4 * MIB : 11 * MIB])
        await complete(cloud, second, part)
        whole = await cloud("GetObject", Bucket="target", Key="again")
        assert bytes_of(whole["Body"]) == (BIG[: 5 * MIB] * 3)[4 * MIB : 11 * MIB]
        assert len(whole["Body"].segments) == 3

    run(work)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("source", ["big%20%C3%B6%3F", "small"])
def test_a_copied_part_has_the_checksum_of_its_upload(algorithm, source):
    async def work(cloud):
        data = BIG if source.startswith("big") else SMALL
        upload = await begin(cloud, ChecksumAlgorithm=algorithm)
        reply = await cloud("UploadPartCopy", CopySource=f"from/{source}", PartNumber=1, **upload)
        value = checksums.encode(checksums.compute(algorithm, data))
        assert reply["CopyPartResult"][f"Checksum{algorithm}"] == value
        part = {"PartNumber": 1, "ETag": reply["CopyPartResult"]["ETag"], f"Checksum{algorithm}": value}
        await complete(cloud, upload, part)

    run(work)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("0-2", "InvalidArgument"),
        ("bytes=0", "InvalidArgument"),
        ("bytes=hello-world", "InvalidArgument"),
        ("bytes=0-", "InvalidArgument"),
        ("bytes=-2", "InvalidArgument"),
        ("bytes=0-2,3-5", "InvalidArgument"),
        ("bytes=3-2", "InvalidArgument"),
        ("bytes=0-10", "InvalidRange"),
        ("bytes=10-10", "InvalidRange"),
    ],
)
def test_ranges_that_are_refused(header, code):
    with pytest.raises(AwsError) as caught:
        resolve(header, 10)
    assert caught.value.code == code


def test_ranges_are_exact():
    assert resolve("bytes=0-9", 10) == Span(0, 10)
    assert resolve("bytes=9-9", 10) == Span(9, 1)
    assert resolve(None, 0) == Span(0, 0)
    with pytest.raises(AwsError):
        resolve(None, 5 * 1024**3 + 1)
    assert resolve("bytes=1-5368709120", 6 * 1024**3) == Span(1, 5 * 1024**3)


def test_sources_that_are_refused():
    async def work(cloud):
        upload = await begin(cloud)
        assert await code_of(copy(cloud, upload, 1, "from/none")) == "NoSuchKey"
        assert await code_of(copy(cloud, upload, 1, "nowhere/k")) == "NoSuchBucket"
        assert await code_of(copy(cloud, upload, 1, "from")) == "InvalidArgument"
        assert await code_of(copy(cloud, upload, 0, "from/small")) == "InvalidArgument"
        etag = md5(SMALL)
        assert await code_of(copy(cloud, upload, 1, "from/small", CopySourceIfNoneMatch=etag)) == "PreconditionFailed"
        await copy(cloud, upload, 1, "from/small", CopySourceIfMatch=etag)
        upload["UploadId"] = "none"
        assert await code_of(copy(cloud, upload, 1, "from/small")) == "NoSuchUpload"

    run(work)


def test_a_version_can_be_the_source():
    async def work(cloud):
        await cloud("PutBucketVersioning", Bucket="from", VersioningConfiguration={"Status": "Enabled"})
        old = (await cloud("PutObject", Bucket="from", Key="v", Body=b"old"))["VersionId"]
        await cloud("PutObject", Bucket="from", Key="v", Body=b"newer")
        upload = await begin(cloud)
        source = f"from/v?versionId={old}"
        reply = await cloud("UploadPartCopy", CopySource=source, PartNumber=1, **upload)
        assert reply["CopySourceVersionId"] == old
        assert reply["CopyPartResult"]["ETag"] == md5(b"old")

    run(work)


def test_a_source_overwritten_while_it_is_read_is_read_again(monkeypatch):
    async def work(cloud):
        upload = await begin(cloud)
        stored = part_copies._stored
        newer = os.urandom(6 * MIB)
        overwritten = []

        async def overwrite_first(*arguments):
            result = await stored(*arguments)
            if not overwritten:
                overwritten.append(await cloud("PutObject", Bucket="from", Key="small", Body=newer))
            return result

        monkeypatch.setattr(part_copies, "_stored", overwrite_first)
        part = await copy(cloud, upload, 1, "from/small")
        assert part["ETag"] == md5(newer)
        await complete(cloud, upload, part)
        assert bytes_of((await cloud("GetObject", **TO))["Body"]) == newer

    run(work)
