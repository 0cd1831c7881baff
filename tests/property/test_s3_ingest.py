"""However a body is cut, what is stored of it is the same; and whatever is declared of it, only the truth passes."""

import asyncio
import hashlib
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import MemoryBody, TestCloud

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import Service
from atoll.services.s3 import integrity
from atoll.services.s3.ingest import BLOCK_BYTES, ingest
from atoll.services.s3.records import INLINE_BYTES_MAX
from atoll.services.s3.tag_sets import given as given_tags

SIZES = st.one_of(
    st.integers(0, 300),
    st.integers(INLINE_BYTES_MAX - 2, INLINE_BYTES_MAX + 2),
    st.sampled_from([BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 4 * BLOCK_BYTES, 5 * BLOCK_BYTES + 7]),
)
ALGORITHMS = st.sampled_from(sorted(integrity.ALGORITHMS))
SEED = bytes(range(251)) * 25_000


def take(body, headers=None, **request):
    cloud = TestCloud(Service("s3"))
    stored = asyncio.run(ingest(cloud.call(headers), {"Body": body, **request}))
    data = stored.inline if stored.inline is not None else cloud.blobs.data[stored.pieces[0].blob_id]
    assert (stored.inline is not None) == (stored.size <= INLINE_BYTES_MAX)
    return stored, data


@settings(max_examples=40, deadline=None)
@given(size=SIZES, step=st.integers(1, 2 * BLOCK_BYTES), here=st.booleans(), known=st.booleans(), algorithm=ALGORITHMS)
def test_what_is_stored_does_not_depend_on_how_it_came(size, step, here, known, algorithm):
    data = SEED[:size]
    value = checksums.encode(checksums.compute(algorithm, data))
    body = MemoryBody(
        data,
        {f"x-amz-checksum-{algorithm.lower()}": value},
        step=max(step, size // 500 + 1),
        here=here,
        length_known=known,
    )
    headers = {"x-amz-trailer": f"x-amz-checksum-{algorithm.lower()}", "transfer-encoding": "chunked"}
    stored, kept = take(body, headers)
    assert kept == data
    assert (stored.size, stored.md5, stored.etag) == (size, hashlib.md5(data).digest(), stored.md5.hex())
    assert (stored.checksum_algorithm, stored.checksum) == (algorithm, value)
    assert stored.crc64 == checksums.crc64nvme(data)


def code_of(function, *arguments):
    try:
        function(*arguments)
    except AwsError as error:
        return error.code
    return ""


MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        **{member: st.text(max_size=50) for member in sorted(integrity.MEMBERS)},
        "ContentMD5": st.text(max_size=30),
        "ChecksumAlgorithm": st.text(max_size=10),
    },
)


@given(request=MEMBERS, trailer=st.one_of(st.none(), st.text(max_size=30), ALGORITHMS.map("x-amz-checksum-{}".format)))
def test_garbage_is_refused_or_harmless(request, trailer):
    headers = {} if trailer is None else {"x-amz-trailer": trailer}
    assert code_of(integrity.declared, request, headers) in {"", "InvalidRequest", "InvalidDigest"}


@given(
    algorithm=st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]),
    data=st.binary(max_size=2000),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
)
def test_the_checksum_of_a_whole_object_is_that_of_its_bytes(algorithm, data, cuts):
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[lo:hi] for lo, hi in pairwise(edges)]
    given_parts = [(checksums.compute(algorithm, part), len(part)) for part in parts]
    whole = integrity.whole_checksum(algorithm, integrity.FULL_OBJECT, given_parts)
    assert whole == checksums.encode(checksums.compute(algorithm, data))


@given(st.text())
def test_any_tagging_header_is_parsed_or_refused(header):
    code = code_of(given_tags, {"Tagging": header})
    assert code in {"", "InvalidTag", "InvalidArgument", "BadRequest"}
    if not code:
        tags = given_tags({"Tagging": header})
        assert len({key for key, _ in tags}) == len(tags) <= 10
