"""Listings against a sorted set of keys: every prefix, delimiter, start and page size, in plain and in versioned buckets."""

import asyncio
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import TestCloud

from atoll.services.s3 import buckets, listing, objects  # noqa: F401
from atoll.services.s3.service import s3

pytestmark = pytest.mark.slow

# Letters, the usual delimiter, what sorts lowest, what needs two to four bytes, and what UTF-16 would sort elsewhere.
TEXT = st.text(alphabet="ab/+ \x00\x01é\uffff\U00010000", max_size=5)
KEYS = st.sets(TEXT.filter(bool), max_size=25)
DELIMITERS = st.sampled_from(["", "/", "a", "//", "é", "\x00", "b/"])


def utf8(text):
    return text.encode()


def expected(keys, prefix, delimiter, after):
    """What is listed, in order: keys and common prefixes, as (text, is a common prefix)."""
    items = []
    for key in sorted(keys, key=utf8):
        if not key.startswith(prefix) or utf8(key) <= utf8(after):
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        item = (key[: at + len(delimiter)], True) if at >= 0 else (key, False)
        if item not in items and item != (after, True):
            items.append(item)
    return items


def told(reply, kind="Contents"):
    items = [(entry["Key"], False) for entry in reply[kind]]
    items += [(entry["Prefix"], True) for entry in reply["CommonPrefixes"]]
    return sorted(items, key=lambda item: utf8(item[0]))


def run(work):
    async def whole():
        cloud = TestCloud(s3)
        await cloud("CreateBucket", Bucket="listed")
        await work(cloud)

    asyncio.run(whole())


async def fill(cloud, present, deleted, buried):
    """`deleted` keys end in a delete marker; `buried` ones lie under several older versions."""
    if deleted or buried:
        wanted = {"Status": "Enabled"}
        await cloud("PutBucketVersioning", Bucket="listed", VersioningConfiguration=wanted)
    for key in sorted(deleted | buried):
        for _ in range(3):
            await cloud("PutObject", Bucket="listed", Key=key, Body=b"old")
    for key in deleted:
        await cloud("DeleteObject", Bucket="listed", Key=key)
    for key in present:
        await cloud("PutObject", Bucket="listed", Key=key, Body=b"new")


@given(KEYS, KEYS, KEYS, TEXT.map(lambda text: text[:2]), DELIMITERS, TEXT, st.integers(1, 8))
@settings(max_examples=120, deadline=None)
def test_pages_of_current_objects_are_what_a_sorted_set_says(present, deleted, buried, prefix, delimiter, start, most):
    async def work(cloud):
        await fill(cloud, present, deleted - present, buried & present)
        asked = {"Bucket": "listed", "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": most}
        for first, operation in ((start, "ListObjectsV2"), ("", "ListObjectsV2"), (start, "ListObjects")):
            items = expected(present, prefix, delimiter, first)
            await follow(cloud, operation, {**asked, "StartAfter": first, "Marker": first}, items)

    run(work)


async def follow(cloud, operation, asked, items):
    """All pages, each full but the last."""
    v1 = operation == "ListObjects"
    asked = {name: value for name, value in asked.items() if name != ("StartAfter" if v1 else "Marker")}
    most, seen = asked["MaxKeys"], 0
    while True:
        reply = await cloud(operation, **asked)
        page = told(reply)
        assert page == items[seen : seen + most]
        seen += len(page)
        assert reply["IsTruncated"] == (seen < len(items))
        if not v1:
            assert reply["KeyCount"] == len(page)
        if not reply["IsTruncated"]:
            return
        if not v1:
            asked["ContinuationToken"] = reply["NextContinuationToken"]
        elif asked["Delimiter"]:
            assert reply["NextMarker"] == page[-1][0]
            asked["Marker"] = reply["NextMarker"]
        else:
            assert "NextMarker" not in reply
            asked["Marker"] = page[-1][0]


@given(KEYS, KEYS, DELIMITERS, st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_pages_of_versions_hold_every_version_once_and_newest_first(present, deleted, delimiter, most):
    async def work(cloud):
        await fill(cloud, present, deleted, present)
        whole = await cloud("ListObjectVersions", Bucket="listed")
        live = {(key, False) for key in present}
        counts = {key: 3 * (key in present | deleted) + (key in present) for key in present | deleted}
        assert sorted(told(whole, "Versions")) == sorted((key, False) for key in counts for _ in range(counts[key]))
        assert {entry["Key"] for entry in whole["DeleteMarkers"]} == deleted
        latest = {(entry["Key"], False) for entry in whole["Versions"] if entry["IsLatest"]}
        assert latest == live - {(key, False) for key in deleted - present}
        # The same in pages: nothing twice, nothing lost, IsLatest unchanged.
        assert await all_versions(cloud, most, "") == entries(whole)
        grouped = expected(present | deleted, "", delimiter, "")
        pages = await all_versions(cloud, most, delimiter)
        assert [(text, is_prefix) for text, _, _, is_prefix in dict.fromkeys(pages) if is_prefix] == [
            item for item in grouped if item[1]
        ]
        assert {text for text, _, _, is_prefix in pages if not is_prefix} == {
            t for t, is_prefix in grouped if not is_prefix
        }

    run(work)


def entries(reply):
    listed = [(e["Key"], e["VersionId"], e["IsLatest"], False) for e in reply["Versions"] + reply["DeleteMarkers"]]
    listed += [(e["Prefix"], "", False, True) for e in reply["CommonPrefixes"]]
    return sorted(listed)


async def all_versions(cloud, most, delimiter):
    asked = {"Bucket": "listed", "MaxKeys": most, "Delimiter": delimiter}
    found = []
    while True:
        reply = await cloud("ListObjectVersions", **asked)
        page = entries(reply)
        found += page
        if not reply["IsTruncated"]:
            assert len(set(found)) == len(found)
            return sorted(found)
        assert len(page) == most
        asked["KeyMarker"] = reply["NextKeyMarker"]
        asked["VersionIdMarker"] = reply.get("NextVersionIdMarker", "")


@given(KEYS, TEXT)
@settings(max_examples=40, deadline=None)
def test_a_listing_in_url_encoding_decodes_to_the_same_keys(present, prefix):
    async def work(cloud):
        await fill(cloud, present, set(), set())
        plain = await cloud("ListObjectsV2", Bucket="listed", Prefix=prefix)
        encoded = await cloud("ListObjectsV2", Bucket="listed", Prefix=prefix, EncodingType="url")
        assert all(entry["Key"].isascii() for entry in encoded["Contents"])
        assert [unquote(entry["Key"]) for entry in encoded["Contents"]] == [entry["Key"] for entry in plain["Contents"]]
        assert unquote(encoded["Prefix"]) == prefix

    run(work)


def test_a_common_prefix_costs_a_seek_and_not_a_walk():
    """Ten thousand keys under ten prefixes: the rows read are counted."""

    async def work(cloud):
        bucket = buckets.decode_bucket(cloud.store.rows[buckets.BUCKETS, b"listed\x00\x01"])
        record = listing.versions.Version("null", "2026-11-22T14:35:36.000Z")
        row = buckets.encode(record)
        names = [f"{folder}/{number:04}" for folder in range(10) for number in range(1000)]
        await cloud.store.write([(bucket.shelf("o"), listing.version_key(name, 2**64 - 1), row) for name in names])
        read = []

        class Counted:
            async def scan(self, p, lo, hi, limit, *, reverse=False):
                rows = await cloud.store.scan(p, lo, hi, limit, reverse=reverse)
                read.append(len(rows))
                return rows

        question = listing.Question({"Bucket": "listed", "Delimiter": "/"})
        page = listing.Page(question, question.lo, with_owner=False)
        await page.fill(Counted(), bucket)
        assert [entry["Prefix"] for entry in page.prefixes] == [f"{folder}/" for folder in range(10)]
        assert sum(read) < 300

    run(work)
