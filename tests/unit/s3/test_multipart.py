"""Multipart uploads: parts, completion by reference, what is refused, and that nothing is left behind."""

import asyncio
import hashlib
import os

import pytest
from tests.support import MemoryBody, TestCloud, bytes_of

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.blobs.references import DROPPED, REFS
from atoll.services.s3 import buckets, completion, multipart, objects  # noqa: F401
from atoll.services.s3.records import INLINE_BYTES_MAX, decode_version
from atoll.services.s3.service import s3

MIB = 1024 * 1024
WHERE = {"Bucket": "made", "Key": "dir/ö b"}
FIVE, SIX = os.urandom(5 * MIB), os.urandom(6 * MIB)
SMALL = os.urandom(1000)


class Upload:
    """One upload, driven by hand."""

    def __init__(self, cloud, **created):
        self.cloud = cloud
        self.created = created
        self.parts = {}

    async def begin(self):
        reply = await self.cloud("CreateMultipartUpload", **WHERE, **self.created)
        self.where = {**WHERE, "UploadId": reply["UploadId"]}
        return self

    async def part(self, number, data, **members):
        reply = await self.cloud("UploadPart", PartNumber=number, Body=data, **self.where, **members)
        sums = {name: value for name, value in reply.items() if name.startswith("Checksum")}
        self.parts[number] = {"PartNumber": number, "ETag": reply["ETag"], **sums}
        return reply

    async def complete(self, parts=None, **members):
        listed = list(self.parts.values()) if parts is None else parts
        return await self.cloud("CompleteMultipartUpload", MultipartUpload={"Parts": listed}, **self.where, **members)


def run(work, *, versioned=False):
    cloud = TestCloud(s3)

    async def whole():
        await cloud("CreateBucket", Bucket="made")
        if versioned:
            await cloud("PutBucketVersioning", Bucket="made", VersioningConfiguration={"Status": "Enabled"})
        await work(cloud)
        return cloud

    return asyncio.run(whole())


async def code_of(awaitable):
    with pytest.raises(AwsError) as caught:
        await awaitable
    return caught.value.code


def etag_of(*parts):
    return f'"{hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()}-{len(parts)}"'


def rows(cloud, shelf):
    return [key for p, key in sorted(cloud.store.rows) if p == shelf or p.decode().split("/")[-2:-1] == [shelf]]


def held(cloud):
    """The blobs that have a reference."""
    return {key.split(b"\x00")[0].decode() for p, key in sorted(cloud.store.rows) if p == REFS}


def test_parts_become_an_object_by_reference():
    async def work(cloud):
        upload = await Upload(cloud, ContentType="text/plain", Metadata={"A": "b"}, Tagging="t=1").begin()
        await upload.part(2, SIX)
        await upload.part(7, FIVE + SMALL)
        await upload.part(1, FIVE)
        upload.parts = dict(sorted(upload.parts.items()))
        blobs = set(cloud.blobs.data)
        reply = await upload.complete()
        whole = FIVE + SIX + FIVE + SMALL
        crc = checksums.encode(checksums.compute("CRC64NVME", whole))
        assert reply == {
            "Location": "http://s3.us-east-1.amazonaws.com/made/dir%2F%C3%B6%20b",
            "Bucket": "made",
            "Key": WHERE["Key"],
            "ETag": etag_of(FIVE, SIX, FIVE + SMALL),
            "ChecksumCRC64NVME": crc,
            "ChecksumType": "FULL_OBJECT",
        }
        found = await cloud("GetObject", ChecksumMode="ENABLED", **WHERE)
        assert bytes_of(found["Body"]) == whole
        assert found["ContentType"] == "text/plain"
        assert found["Metadata"] == {"a": "b"}
        assert found["TagCount"] == 1
        assert found["ChecksumCRC64NVME"] == crc
        second = await cloud("GetObject", PartNumber=2, **WHERE)
        assert bytes_of(second["Body"]) == SIX
        assert second["PartsCount"] == 3
        assert set(cloud.blobs.data) == blobs == held(cloud)
        assert rows(cloud, "p") == rows(cloud, "u") == rows(cloud, DROPPED) == []
        await cloud("DeleteObject", **WHERE)
        assert held(cloud) == set()

    run(work)


@pytest.mark.parametrize("size", [0, 1, 1000, INLINE_BYTES_MAX])
def test_a_single_small_part_stays_in_its_row(size):
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(3, bytes(size))
        assert (await upload.complete())["ETag"] == etag_of(bytes(size))
        assert (await cloud("GetObject", **WHERE))["Body"] == bytes(size)
        assert cloud.blobs.data == {}
        assert (await upload.complete())["ETag"] == etag_of(bytes(size))

    run(work)


def test_a_small_last_part_becomes_a_blob():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, FIVE)
        await upload.part(2, SMALL)
        assert len(cloud.blobs.data) == 1
        await upload.complete()
        assert bytes_of((await cloud("GetObject", **WHERE))["Body"]) == FIVE + SMALL
        assert held(cloud) == set(cloud.blobs.data)
        assert len(held(cloud)) == 2

    run(work)


def test_an_empty_last_part_is_a_part():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, FIVE)
        await upload.part(2, b"")
        assert (await upload.complete())["ETag"] == etag_of(FIVE, b"")
        assert bytes_of((await cloud("GetObject", **WHERE))["Body"]) == FIVE

    run(work)


def test_a_part_sent_again_replaces_the_old_and_parts_left_out_are_dropped():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, SIX)
        first = dict(upload.parts[1])
        await upload.part(1, FIVE)
        await upload.part(2, SIX)
        assert await code_of(upload.complete([first])) == "InvalidPart"
        await upload.complete([upload.parts[1]])
        assert bytes_of((await cloud("GetObject", **WHERE))["Body"]) == FIVE
        assert len(held(cloud)) == 1
        assert len(rows(cloud, DROPPED)) == 2

    run(work)


def test_a_completion_repeated_gets_the_same_answer():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, FIVE)
        first = await upload.complete()
        assert await upload.complete() == first
        await cloud("PutObject", Body=b"newer", **WHERE)
        assert await upload.complete() == first
        other = [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}]
        assert await code_of(upload.complete(other)) == "NoSuchUpload"
        await cloud("DeleteObject", VersionId=first["VersionId"], **WHERE)
        assert await code_of(upload.complete()) == "NoSuchUpload"

    run(work, versioned=True)


def test_lists_of_parts_that_are_refused_leave_the_upload_as_it_was():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, FIVE)
        await upload.part(2, SMALL)
        await upload.part(3, FIVE)
        one, two, three = upload.parts.values()
        assert await code_of(upload.complete([])) == "MalformedXML"
        assert await code_of(upload.complete([{"PartNumber": 1}])) == "MalformedXML"
        assert await code_of(upload.complete([three, one])) == "InvalidPartOrder"
        assert await code_of(upload.complete([one, one])) == "InvalidPartOrder"
        assert await code_of(upload.complete([one, {**three, "ETag": '"abc"'}])) == "InvalidPart"
        assert await code_of(upload.complete([one, {**three, "PartNumber": 9}])) == "InvalidPart"
        assert await code_of(upload.complete([{**one, "PartNumber": 0}])) == "InvalidArgument"
        assert await code_of(upload.complete([one, two, three])) == "EntityTooSmall"
        assert await code_of(upload.complete([one], MpuObjectSize=1)) == "InvalidRequest"
        assert await code_of(upload.complete([{**one, "ChecksumSHA512": "x"}])) == "NotImplemented"
        assert await code_of(cloud("GetObject", **WHERE)) == "NoSuchKey"
        unquoted = {**one, "ETag": one["ETag"].strip('"')}
        await upload.complete([{**one, "ETag": "older"}, unquoted, two], MpuObjectSize=5 * MIB + 1000)
        assert bytes_of((await cloud("GetObject", **WHERE))["Body"]) == FIVE + SMALL

    run(work)


def test_completion_under_conditions():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, SMALL)
        assert await code_of(upload.complete(IfMatch='"abc"')) == "NoSuchKey"
        etag = (await cloud("PutObject", Body=b"here", **WHERE))["ETag"]
        assert await code_of(upload.complete(IfNoneMatch="*")) == "PreconditionFailed"
        assert await code_of(upload.complete(IfMatch='"abc"')) == "PreconditionFailed"
        await upload.complete(IfMatch=etag)
        assert (await cloud("GetObject", **WHERE))["Body"] == SMALL
        again = await Upload(cloud).begin()
        await again.part(1, b"x")
        await cloud("DeleteObject", **WHERE)
        await again.complete(IfNoneMatch="*")

    run(work)


def test_an_upload_given_up_leaves_nothing():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        await upload.part(1, FIVE)
        await upload.part(2, SMALL)
        assert await cloud("AbortMultipartUpload", **upload.where) == {}
        assert held(cloud) == set()
        assert rows(cloud, "p") == rows(cloud, "u") == []
        assert await code_of(cloud("AbortMultipartUpload", **upload.where)) == "NoSuchUpload"
        assert await code_of(upload.part(1, FIVE)) == "NoSuchUpload"
        assert await code_of(upload.complete()) == "NoSuchUpload"

    run(work)


def test_uploads_with_more_parts_than_a_transaction_takes_are_given_up_whole(monkeypatch):
    monkeypatch.setattr(multipart, "PARTS_PER_TRANSACTION_MAX", 3)

    async def work(cloud):
        upload = await Upload(cloud).begin()
        for number in range(1, 8):
            await upload.part(number, SMALL)
        await cloud("AbortMultipartUpload", **upload.where)
        assert rows(cloud, "p") == rows(cloud, "u") == []

    run(work)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_numbers_out_of_range(number):
    async def work(cloud):
        upload = await Upload(cloud).begin()
        assert await code_of(upload.part(number, b"")) == "InvalidArgument"

    run(work)


def test_an_upload_belongs_to_its_key():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        upload.where["Key"] = "another"
        assert await code_of(upload.part(1, b"")) == "NoSuchUpload"

    run(work)


def test_an_upload_aborted_while_a_part_streams_in_takes_no_part():
    async def work(cloud):
        upload = await Upload(cloud).begin()

        class Body(MemoryBody):
            async def drain(self, sink):
                await super().drain(sink)
                await cloud("AbortMultipartUpload", **upload.where)

        body = Body(FIVE)
        assert await code_of(cloud("UploadPart", PartNumber=1, Body=body, **upload.where)) == "NoSuchUpload"
        assert held(cloud) == set()

    run(work)


ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]


def sum_of(algorithm, data):
    return checksums.encode(checksums.compute(algorithm, data))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE"])
def test_checksums_of_multipart_objects(algorithm, kind):
    only = {"CRC64NVME": "FULL_OBJECT", "SHA1": "COMPOSITE", "SHA256": "COMPOSITE"}
    allowed = only.get(algorithm, kind) == kind

    async def work(cloud):
        upload = Upload(cloud, ChecksumAlgorithm=algorithm, ChecksumType=kind)
        if not allowed:
            assert await code_of(upload.begin()) == "InvalidRequest"
            return
        await upload.begin()
        member = f"Checksum{algorithm}"
        if kind == "COMPOSITE":
            assert await code_of(upload.part(1, FIVE)) == "InvalidRequest"
            digests = checksums.compute(algorithm, FIVE) + checksums.compute(algorithm, SMALL)
            right = f"{sum_of(algorithm, digests)}-2"
        else:
            right = sum_of(algorithm, FIVE + SMALL)
        assert await code_of(upload.part(1, FIVE, **{member: sum_of(algorithm, b"")})) == "BadDigest"
        reply = await upload.part(1, FIVE, **{member: sum_of(algorithm, FIVE)})
        assert reply[member] == sum_of(algorithm, FIVE)
        await upload.part(2, SMALL, **{member: sum_of(algorithm, SMALL)})
        wrong = "A" * len(right)
        assert await code_of(upload.complete(**{member: wrong})) == "BadDigest"
        bare = [{name: part[name] for name in ("PartNumber", "ETag")} for part in upload.parts.values()]
        if kind == "COMPOSITE":
            assert await code_of(upload.complete(bare)) == "InvalidRequest"
        wrong_part = [upload.parts[1], {**upload.parts[2], member: upload.parts[1][member]}]
        assert await code_of(upload.complete(wrong_part)) == "InvalidPart"
        other = "COMPOSITE" if kind == "FULL_OBJECT" else "FULL_OBJECT"
        assert await code_of(upload.complete(ChecksumType=other)) == "InvalidRequest"
        reply = await upload.complete(ChecksumType=kind, **{member: right})
        assert (reply[member], reply["ChecksumType"]) == (right, kind)
        found = await cloud("HeadObject", ChecksumMode="ENABLED", **WHERE)
        assert (found[member], found["ChecksumType"]) == (right, kind)
        first = await cloud("HeadObject", ChecksumMode="ENABLED", PartNumber=1, **WHERE)
        assert first[member] == sum_of(algorithm, FIVE)

    run(work)


def test_an_upload_begun_without_an_algorithm_takes_parts_with_any():
    async def work(cloud):
        upload = await Upload(cloud).begin()
        assert await upload.part(1, FIVE) == {"ETag": f'"{hashlib.md5(FIVE).hexdigest()}"'}
        await upload.part(1, FIVE, ChecksumCRC32=sum_of("CRC32", FIVE))
        await upload.part(2, SMALL, ChecksumSHA1=sum_of("SHA1", SMALL))
        right = sum_of("CRC64NVME", FIVE + SMALL)
        assert await code_of(upload.complete(ChecksumCRC64NVME=sum_of("CRC64NVME", b""))) == "BadDigest"
        reply = await upload.complete(ChecksumCRC64NVME=right)
        assert (reply["ChecksumCRC64NVME"], reply["ChecksumType"]) == (right, "FULL_OBJECT")

    run(work)


def test_a_part_with_another_algorithm_than_its_upload_is_refused():
    async def work(cloud):
        upload = await Upload(cloud, ChecksumAlgorithm="sha256").begin()
        assert await code_of(upload.part(1, SMALL, ChecksumCRC32=sum_of("CRC32", SMALL))) == "InvalidRequest"
        full = await Upload(cloud, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT").begin()
        assert (await full.part(1, SMALL))["ChecksumCRC32"] == sum_of("CRC32", SMALL)
        assert await code_of(Upload(cloud, ChecksumType="COMPOSITE").begin()) == "InvalidRequest"
        assert await code_of(Upload(cloud, ChecksumAlgorithm="CRC16").begin()) == "InvalidRequest"

    run(work)


def test_an_object_of_ten_thousand_parts_is_one_row_of_less_than_a_megabyte():
    async def work(cloud):
        upload = await Upload(cloud, ChecksumAlgorithm="CRC32").begin()
        await upload.part(1, FIVE, ChecksumCRC32=sum_of("CRC32", FIVE))
        shelf = next(p for p, _ in sorted(cloud.store.rows) if b"/p/" in p)
        row = next(v for (p, _), v in cloud.store.rows.items() if p == shelf)
        part = multipart.decode_part(row)
        upload_id = upload.where["UploadId"]
        puts = []
        for number in range(1, 10_001):
            part.number = number
            part.pieces[0].blob_id = f"{number:032x}"
            puts.append((shelf, multipart.part_key(upload_id, number), multipart.encode(part)))
        await cloud.store.write(puts)
        listed = [{**upload.parts[1], "PartNumber": number} for number in range(1, 10_001)]
        assert (await upload.complete(listed))["ETag"].endswith('-10000"')
        row = next(v for (p, _), v in cloud.store.rows.items() if b"/o/" in p)
        assert decode_version(row).size == 10_000 * 5 * MIB
        assert len(row) < 1_000_000

    run(work)
