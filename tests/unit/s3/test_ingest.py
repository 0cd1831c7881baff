"""Bodies of uploads: counted, hashed, checked, stored; nothing left behind when they are wrong."""

import asyncio
import base64
import hashlib
import os
import zlib

import pytest
from tests.support import MemoryBlobs, MemoryBody, TestCloud

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import Service
from atoll.services.s3.ingest import ingest
from atoll.services.s3.records import INLINE_BYTES_MAX
from atoll.store import Full

MIB = 1024 * 1024


def take(body, *, blobs=None, headers=None, limit=5 * 1024**3, keep="", **request):
    cloud = TestCloud(Service("s3"))
    cloud.cloud.blobs = blobs = blobs or cloud.blobs
    request["Body"] = body
    try:
        return asyncio.run(ingest(cloud.call(headers), request, limit, keep)), blobs
    finally:
        assert blobs.open_writers == 0


def refused(body, code, *, blobs=None, **request):
    blobs = blobs or MemoryBlobs()
    with pytest.raises(AwsError) as caught:
        take(body, blobs=blobs, **request)
    assert caught.value.code == code
    assert blobs.data == {}
    return caught.value


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES_MAX])
@pytest.mark.parametrize("here", [True, False])
def test_small_bodies_stay_inline(size, here):
    data = os.urandom(size)
    stored, blobs = take(MemoryBody(data, here=here))
    assert stored.inline == data
    assert stored.pieces == []
    assert (stored.size, stored.etag) == (size, hashlib.md5(data).hexdigest())
    assert stored.crc64 == checksums.crc64nvme(data)
    assert (stored.checksum_algorithm, stored.checksum_type) == ("CRC64NVME", "FULL_OBJECT")
    assert stored.checksum == checksums.encode(checksums.compute("CRC64NVME", data))
    assert blobs.data == {}


@pytest.mark.parametrize("size", [INLINE_BYTES_MAX + 1, MIB, 5 * MIB + 3, 9 * MIB])
@pytest.mark.parametrize("step", [1000, 64 * 1024, 3 * MIB])
@pytest.mark.parametrize("length_known", [True, False])
def test_larger_bodies_become_one_blob(size, step, length_known):
    data = os.urandom(size)
    body = MemoryBody(data, step=step, length_known=length_known)
    stored, blobs = take(body, headers={"transfer-encoding": "chunked"})
    assert stored.inline is None
    assert [(p.offset, p.length) for p in stored.pieces] == [(0, size)]
    assert blobs.data == {stored.pieces[0].blob_id: data}
    assert (stored.size, stored.etag, stored.md5.hex()) == (size, hashlib.md5(data).hexdigest(), stored.etag)
    assert stored.checksum == checksums.encode(checksums.compute("CRC64NVME", data))


def test_a_larger_body_already_in_memory_becomes_a_blob():
    data = os.urandom(100_000)
    stored, blobs = take(MemoryBody(data, here=True))
    assert blobs.data == {stored.pieces[0].blob_id: data}


def test_bytes_of_a_call_in_process_are_taken():
    assert take(b"abc")[0].inline == b"abc"
    assert take(b"a" * 20_000)[0].size == 20_000


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
@pytest.mark.parametrize("size", [100, 100_000])
def test_a_declared_checksum_is_kept_when_it_is_right(algorithm, size):
    data = os.urandom(size)
    value = checksums.encode(checksums.compute(algorithm, data))
    member = f"Checksum{algorithm}"
    stored, _ = take(MemoryBody(data), **{member: value, "ChecksumAlgorithm": algorithm})
    assert (stored.checksum_algorithm, stored.checksum, stored.checksum_type) == (algorithm, value, "FULL_OBJECT")
    error = refused(MemoryBody(data + b"!"), "BadDigest", **{member: value})
    assert error.message == f"The {algorithm} you specified did not match the calculated checksum."
    error = refused(MemoryBody(data), "InvalidRequest", **{member: value[4:]})
    assert error.message == f"Value for x-amz-checksum-{algorithm.lower()} header is invalid."


@pytest.mark.parametrize("size", [100, 100_000])
def test_a_checksum_may_come_in_the_trailer(size):
    data = os.urandom(size)
    headers = {"x-amz-trailer": "x-amz-checksum-crc32"}
    right = {"x-amz-checksum-crc32": crc32(data)}
    stored, _ = take(MemoryBody(data, right), headers=headers, ChecksumAlgorithm="CRC32")
    assert (stored.checksum_algorithm, stored.checksum) == ("CRC32", crc32(data))
    refused(MemoryBody(data, {"x-amz-checksum-crc32": crc32(b"")}), "BadDigest", headers=headers)
    refused(MemoryBody(data, {"x-amz-checksum-crc32": "?"}), "InvalidRequest", headers=headers)
    refused(MemoryBody(data, {}), "MalformedTrailerError", headers=headers)


def test_another_checksum_can_be_kept_than_the_one_declared():
    data = os.urandom(50_000)
    stored, _ = take(MemoryBody(data), keep="SHA256", ChecksumCRC32=crc32(data))
    assert stored.checksum == checksums.encode(hashlib.sha256(data).digest())
    refused(MemoryBody(data), "BadDigest", keep="SHA256", ChecksumCRC32=crc32(b""))


def test_contradictions_are_refused_before_the_body_is_read():
    value = crc32(b"")
    body = MemoryBody(b"")
    refused(body, "InvalidRequest", ChecksumCRC32=value, ChecksumCRC32C=value)
    refused(body, "InvalidRequest", ChecksumCRC32=value, headers={"x-amz-trailer": "x-amz-checksum-crc32c"})
    refused(body, "InvalidRequest", headers={"x-amz-trailer": "x-amz-checksum-adler32"})
    refused(body, "InvalidRequest", ChecksumAlgorithm="CRC32")
    refused(body, "InvalidRequest", ChecksumAlgorithm="CRC32C", ChecksumCRC32=value)
    refused(body, "InvalidRequest", ChecksumAlgorithm="ADLER", ChecksumCRC32=value)


@pytest.mark.parametrize("size", [100, 100_000])
def test_content_md5(size):
    data = os.urandom(size)
    take(MemoryBody(data), ContentMD5=base64.b64encode(hashlib.md5(data).digest()).decode())
    refused(MemoryBody(data), "BadDigest", ContentMD5=base64.b64encode(hashlib.md5(b"").digest()).decode())
    refused(MemoryBody(data), "InvalidDigest", ContentMD5="bm9wZQ==")
    refused(MemoryBody(data), "InvalidDigest", ContentMD5="")


def test_a_body_above_the_limit_is_refused_whether_or_not_it_says_so():
    for here in (True, False):
        refused(MemoryBody(bytes(200_000), here=here), "EntityTooLarge", limit=150_000)
    body = MemoryBody(bytes(3 * MIB), length_known=False)
    refused(body, "EntityTooLarge", limit=2 * MIB, headers={"transfer-encoding": "chunked"})
    refused(b"12345", "EntityTooLarge", limit=4)


def test_a_body_without_a_length_is_refused():
    error = refused(MemoryBody(b"", length_known=False), "MissingContentLength")
    assert error.status == 411
    refused(MemoryBody(b""), "MissingContentLength", headers={"host": "s3"})
    take(MemoryBody(b""), headers={"host": "s3", "content-length": "0"})


def test_a_body_that_breaks_off_leaves_nothing():
    error = AwsError("IncompleteBody", "cut")
    refused(MemoryBody(os.urandom(6 * MIB), error=error), "IncompleteBody")


def test_a_full_disk_leaves_nothing():
    with pytest.raises(Full):
        take(MemoryBody(os.urandom(6 * MIB)), blobs=MemoryBlobs(room_bytes=2 * MIB))


def test_a_cancelled_upload_leaves_nothing():
    class Stuck(MemoryBody):
        async def drain(self, sink):
            await asyncio.to_thread(self._pour, sink)
            await asyncio.sleep(60)

    cloud = TestCloud(Service("s3"))

    async def start_and_cancel():
        async with asyncio.timeout(0.2):
            await ingest(cloud.call(), {"Body": Stuck(os.urandom(5 * MIB))})

    with pytest.raises(TimeoutError):
        asyncio.run(start_and_cancel())
    assert cloud.blobs.open_writers == 0
    assert cloud.blobs.data == {}
