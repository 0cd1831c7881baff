"""Uploads, copies and deletes in any order: bytes are right, and a blob is held exactly while something has it."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.support import TestCloud, bytes_of

from atoll.aws.errors import AwsError
from atoll.blobs.references import REFS
from atoll.services.s3 import buckets, completion, copies, multipart, objects, part_copies  # noqa: F401
from atoll.services.s3.records import decode_part, decode_version
from atoll.services.s3.service import s3

pytestmark = pytest.mark.slow

KEYS = st.sampled_from(["a", "b"])
NUMBERS = st.integers(1, 4)
SIZES = st.sampled_from([40_000, 16 * 1024 + 1, 20_000, 16 * 1024, 5, 0])
PART_MIN = 16 * 1024 + 1


def content(size, mark):
    return bytes([mark % 256]) * size


class Uploads(RuleBasedStateMachine):
    """Against two dicts: the objects, and the parts of each upload."""

    def __init__(self):
        super().__init__()
        self.cloud = TestCloud(s3)
        self.loop = asyncio.new_event_loop()
        self.objects = {}
        self.uploads = {}
        self.mark = 0
        self.least = completion.PART_BYTES_MIN
        completion.PART_BYTES_MIN = PART_MIN

    def teardown(self):
        completion.PART_BYTES_MIN = self.least
        self.loop.close()

    def do(self, operation, **request):
        self.cloud.time += 1
        return self.loop.run_until_complete(self.cloud(operation, Bucket="made", **request))

    def code_of(self, operation, **request):
        try:
            self.do(operation, **request)
        except AwsError as error:
            return error.code
        return ""

    def where(self, place):
        if not self.uploads:
            self.begin("a")
        upload_id = sorted(self.uploads)[place % len(self.uploads)]
        return {"Key": self.uploads[upload_id][0], "UploadId": upload_id}, self.uploads[upload_id][1]

    @initialize(versioned=st.booleans())
    def begin_bucket(self, versioned):
        self.do("CreateBucket")
        self.versioned = versioned
        if versioned:
            self.do("PutBucketVersioning", VersioningConfiguration={"Status": "Enabled"})

    @rule(key=KEYS, size=SIZES)
    def put(self, key, size):
        self.mark += 1
        self.do("PutObject", Key=key, Body=content(size, self.mark))
        self.objects[key] = content(size, self.mark)

    @rule(key=KEYS)
    def delete(self, key):
        self.do("DeleteObject", Key=key)
        self.objects.pop(key, None)

    @rule(key=KEYS)
    @precondition(lambda self: len(self.uploads) < 3)
    def begin(self, key):
        self.uploads[self.do("CreateMultipartUpload", Key=key)["UploadId"]] = (key, {})

    @rule(place=st.integers(0, 2), number=NUMBERS, size=SIZES)
    def part(self, place, number, size):
        where, parts = self.where(place)
        self.mark += 1
        data = content(size, self.mark)
        parts[number] = (self.do("UploadPart", PartNumber=number, Body=data, **where)["ETag"], data)

    @rule(
        place=st.integers(0, 2),
        number=NUMBERS,
        source=KEYS,
        span=st.tuples(st.integers(0, 30_000), st.integers(0, 30_000)),
    )
    def copy_part(self, place, number, source, span):
        where, parts = self.where(place)
        if source not in self.objects:
            source = min(self.objects, default=source)
        data = self.objects.get(source)
        members = {}
        if data is not None and sum(span) < len(data):
            members["CopySourceRange"] = f"bytes={span[0]}-{sum(span)}"
            data = data[span[0] : sum(span) + 1]
        request = {"PartNumber": number, "CopySource": f"made/{source}", **where, **members}
        if data is None:
            assert self.code_of("UploadPartCopy", **request) == "NoSuchKey"
            return
        parts[number] = (self.do("UploadPartCopy", **request)["CopyPartResult"]["ETag"], data)

    @rule(place=st.integers(0, 2), left_out=st.sets(NUMBERS, max_size=1))
    @precondition(lambda self: self.uploads)
    def complete(self, place, left_out):
        where, parts = self.where(place)
        chosen = sorted(parts.keys() - left_out)
        listed = [{"PartNumber": number, "ETag": parts[number][0]} for number in chosen]
        small = any(len(parts[number][1]) < PART_MIN for number in chosen[:-1])
        code = self.code_of("CompleteMultipartUpload", MultipartUpload={"Parts": listed}, **where)
        assert code == ("MalformedXML" if not chosen else "EntityTooSmall" if small else "")
        if code:
            return
        self.objects[where["Key"]] = b"".join(parts[number][1] for number in chosen)
        del self.uploads[where["UploadId"]]

    @rule(key=KEYS, sources=st.lists(st.one_of(KEYS, st.just("")), min_size=1, max_size=3))
    def compose(self, key, sources):
        """A whole upload at once, of new parts and copies: by single steps few get this far."""
        self.begin(key)
        place = sorted(self.uploads).index(max(self.uploads))
        for number, source in enumerate(sources, 1):
            if source and self.objects:
                self.copy_part(place, number, source, (0, 100_000))
            else:
                self.part(place, number, 40_000)
        self.complete(place, set())

    @rule(place=st.integers(0, 2))
    @precondition(lambda self: self.uploads)
    def abort(self, place):
        where, _ = self.where(place)
        self.do("AbortMultipartUpload", **where)
        del self.uploads[where["UploadId"]]

    @invariant()
    def objects_have_their_bytes(self):
        for key, data in self.objects.items():
            assert bytes_of(self.do("GetObject", Key=key)["Body"]) == data

    @invariant()
    def blobs_are_held_while_something_has_them(self):
        rows = self.cloud.store.rows
        had = {
            (piece.blob_id, record.ref)
            for (p, _), row in rows.items()
            for record in self.records(p, row)
            for piece in record.pieces
        }
        held = {tuple(part.decode() for part in k.split(b"\x00\x01")[:2]) for p, k in rows if p == REFS}
        assert held == had
        for (p, _), row in rows.items():
            for record in self.records(p, row):
                assert bool(record.ref) >= bool(record.pieces)

    @staticmethod
    def records(p, row):
        kind = p.split(b"/")[-2:-1]
        if kind == [b"o"]:
            return [decode_version(row)]
        return [decode_part(row)] if kind == [b"p"] else []


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
