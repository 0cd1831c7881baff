"""Puts, deletes, copies and versioning switches in any order, against a list of versions a key; and no row or blob left over."""

import asyncio
import hashlib
import os

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support import NOW, TestCloud

from atoll.blobs import references
from atoll.services.s3 import buckets, copies, deletes, listing, objects  # noqa: F401
from atoll.services.s3.records import INLINE_BYTES_MAX, decode_bucket, decode_version
from atoll.services.s3.service import s3

pytestmark = pytest.mark.slow

KEYS = st.sampled_from(["a", "a\x00", "a/b", "é"])
SIZES = st.sampled_from([0, 1, 100, INLINE_BYTES_MAX + 1])


class Versions(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.cloud = TestCloud(s3)
        self.state = ""
        self.model = {}  # key -> [(version id, content or None for a delete marker)], newest first
        self.count = 0
        self("CreateBucket")
        self.bucket = decode_bucket(self.cloud.store.rows[buckets.BUCKETS, b"versions\x00\x01"])

    def __call__(self, operation, **request):
        return asyncio.run(self.cloud(operation, Bucket="versions", **request))

    def _put_in_model(self, key, content, reply):
        kept = self.model.get(key, [])
        version_id = reply.get("VersionId", "null")
        if self.state == "Enabled":
            assert version_id not in {"null", *(v for v, _ in kept)}
        else:
            assert version_id == "null"
            kept = [entry for entry in kept if entry[0] != "null"]
        self.model[key] = [(version_id, content), *kept]

    @rule(status=st.sampled_from(["Enabled", "Suspended"]))
    def switch(self, status):
        self("PutBucketVersioning", VersioningConfiguration={"Status": status})
        self.state = status

    @rule(seconds=st.sampled_from([0, 1, 3600, -60]))
    def let_time_pass(self, seconds):
        # Clocks may step back: the order of versions must not.
        self.cloud.time = max(NOW - 120, self.cloud.time + seconds)

    @rule(key=KEYS, size=SIZES)
    def put(self, key, size):
        self.count += 1
        content = f"{self.count:04}".encode() * (size // 4 + 1)
        reply = self("PutObject", Key=key, Body=content)
        assert reply["ETag"] == f'"{hashlib.md5(content).hexdigest()}"'
        assert ("VersionId" in reply) == (self.state == "Enabled")
        self._put_in_model(key, content, reply)

    @rule(key=KEYS, batch=st.booleans())
    def delete(self, key, batch):
        if batch:
            reply = self("DeleteObjects", Delete={"Objects": [{"Key": key}]})["Deleted"][0]
            reply = {"VersionId": reply.get("DeleteMarkerVersionId"), "DeleteMarker": reply.get("DeleteMarker", False)}
        else:
            reply = self("DeleteObject", Key=key)
        if self.state:
            assert reply["DeleteMarker"]
            self._put_in_model(key, None, reply)
        else:
            self.model.pop(key, None)

    @precondition(lambda self: any(self.model.values()))
    @rule(data=st.data())
    def delete_version(self, data):
        known = sorted((key, index) for key, kept in self.model.items() for index in range(len(kept)))
        key, index = data.draw(st.sampled_from(known))
        version_id, content = self.model[key].pop(index)
        reply = self("DeleteObject", Key=key, VersionId=version_id)
        assert reply == {"VersionId": version_id} | ({"DeleteMarker": True} if content is None else {})

    @rule(source=KEYS, to=KEYS)
    def copy(self, source, to):
        kept = self.model.get(source)
        if source == to or not kept or kept[0][1] is None:
            return
        where = f"versions/{source}".replace("\x00", "%00").replace("é", "%C3%A9")
        reply = self("CopyObject", Key=to, CopySource=where)
        self._put_in_model(to, kept[0][1], reply)

    @invariant()
    def versions_are_listed_as_they_were_made(self):
        reply = self("ListObjectVersions")
        for key, kept in self.model.items():
            listed = {
                e["VersionId"]: e["IsLatest"] for e in reply["Versions"] + reply["DeleteMarkers"] if e["Key"] == key
            }
            assert listed == {version_id: index == 0 for index, (version_id, _) in enumerate(kept)}
        markers = [(e["Key"], e["VersionId"]) for e in reply["DeleteMarkers"]]
        expected = [(key, v) for key in sorted(self.model) for v, content in self.model[key] if content is None]
        assert sorted(markers) == sorted(expected)
        # Newest first within each key, as the rows lie.
        order = [(e["Key"], e["VersionId"]) for e in reply["Versions"]]
        assert order == [(k, v) for k in sorted(self.model, key=str.encode) for v, c in self.model[k] if c is not None]

    @invariant()
    def current_objects_are_listed_and_read(self):
        current = {key: kept[0][1] for key, kept in self.model.items() if kept and kept[0][1] is not None}
        assert [e["Key"] for e in self("ListObjectsV2")["Contents"]] == sorted(current, key=str.encode)
        for key, content in current.items():
            reply = self("GetObject", Key=key, Range=f"bytes=0-{len(content)}")
            assert read(reply["Body"], self.cloud.blobs) == content
            assert reply.get("VersionId", "null") == self.model[key][0][0]

    @invariant()
    def every_version_is_read_by_its_id(self):
        for key, kept in self.model.items():
            for version_id, content in kept:
                if content is not None:
                    reply = self("GetObject", Key=key, VersionId=version_id)
                    assert read(reply["Body"], self.cloud.blobs) == content

    @invariant()
    def no_row_and_no_reference_is_left_over(self):
        rows = self.cloud.store.rows
        shelf = {kind: {k for p, k in rows if p == self.bucket.shelf(kind)} for kind in "odn"}
        records = {k: decode_version(rows[self.bucket.shelf("o"), k]) for k in shelf["o"]}
        assert shelf["d"] == {k for k, version in records.items() if version.inline}
        moved = {k[:-8] for k, version in records.items() if version.version_id == "null" and k[-8:] != b"\xff" * 8}
        assert shelf["n"] == moved
        held = {(piece.blob_id, version.ref) for version in records.values() for piece in version.pieces}
        assert {k for p, k in rows if p == references.REFS} == {references.keys.pack(*pair) for pair in held}


def read(body, blobs):
    if isinstance(body, bytes):
        return body
    if body.first is not None:
        os.close(body.first)
    if body.close is not None:
        body.close()
    return b"".join(blobs.data[s.blob_id][s.offset : s.offset + s.length] for s in body.segments)


TestVersions = Versions.TestCase
TestVersions.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
