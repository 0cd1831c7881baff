"""ListObjects, ListObjectsV2 and ListObjectVersions: pages over the rows of shelf o, in the order of the keys' UTF-8 bytes.

A page is a walk with a position, `lo`: the least row key that may still matter. Older versions of a key, and all that a common prefix
stands for, are passed over by moving `lo`; when they fill whole batches, batches shrink until the walk is a series of seeks.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reader, Reply
from atoll.services.s3 import buckets, names, versions
from atoll.services.s3.records import BUCKET_OWNER_ENFORCED, Bucket, version_key
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

KEYS_PER_PAGE_MAX = 1000
BATCH_ROWS_MIN = 16
BATCH_ROWS_FIRST = 64  # Where a delimiter is given.
_ORDER_BYTES = 8
_PACKED_END_BYTES = 10  # What follows a key's text in its row key: the end of the text, and the order.
# What a URL-encoded listing leaves as it is.
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/"


class Listed(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a Version: a thousand of these decode in half the time of the whole."""

    version_id: str
    modified: str
    size: int = 0
    etag: str = ""
    delete_marker: bool = False
    owner: str = ""
    storage_class: str = ""
    checksum_algorithm: str = ""
    checksum: str = ""
    checksum_type: str = ""


_decode = msgspec.msgpack.Decoder(Listed).decode


@s3.read("ListObjects")
async def list_objects(call: Call, request: "types.ListObjectsRequest") -> Reply:
    refuse_unsupported("ListObjects", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    question = Question(request)
    marker = request.get("Marker") or ""
    page = Page(question, question.after(marker), with_owner=True)
    await page.fill(call.tx, bucket)
    reply = question.echo(page, Marker=marker)
    if page.truncated and question.delimiter:
        reply["NextMarker"] = question.shown(page.last)
    return reply


@s3.read("ListObjectsV2")
async def list_objects_v2(call: Call, request: "types.ListObjectsV2Request") -> Reply:
    refuse_unsupported("ListObjectsV2", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    question = Question(request)
    token, start_after = request.get("ContinuationToken"), request.get("StartAfter")
    lo = _position(token) if token else question.after(start_after or "")
    page = Page(question, max(lo, question.lo), with_owner=bool(request.get("FetchOwner")))
    await page.fill(call.tx, bucket)
    reply = question.echo(page)
    reply["KeyCount"] = len(page.contents) + len(page.prefixes)
    if token is not None:
        reply["ContinuationToken"] = token
    if start_after is not None:
        reply["StartAfter"] = question.shown(start_after.encode())
    if page.truncated:
        reply["NextContinuationToken"] = _token(page.lo)
    return reply


@s3.read("ListObjectVersions")
async def list_object_versions(call: Call, request: "types.ListObjectVersionsRequest") -> Reply:
    refuse_unsupported("ListObjectVersions", request)
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    question = Question(request)
    key_marker, id_marker = request.get("KeyMarker") or "", request.get("VersionIdMarker") or ""
    if id_marker and not key_marker:
        raise AwsError(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            400,
            ArgumentName="version-id-marker",
            ArgumentValue=id_marker,
        )
    page = VersionsPage(question, question.after(key_marker), with_owner=True)
    if id_marker:
        await page.start_within(call.tx, bucket, key_marker, id_marker)
    await page.fill(call.tx, bucket)
    reply = question.echo(page, KeyMarker=key_marker)
    reply["VersionIdMarker"] = id_marker
    reply["Versions"] = reply.pop("Contents")
    reply["DeleteMarkers"] = page.markers
    if page.truncated:
        reply["NextKeyMarker"] = question.shown(page.last)
        if page.last_version_id:
            reply["NextVersionIdMarker"] = page.last_version_id
    return reply


class Question:
    """What all listings are asked alike: prefix, delimiter, how many, and how keys are to be shown."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.name: str = request["Bucket"]
        self.prefix = _utf8(request.get("Prefix") or "")
        self.delimiter = _utf8(request.get("Delimiter") or "")
        self.most = _checked_most(request.get("MaxKeys"))
        self.encoding = _checked_encoding(request.get("EncodingType"))
        self.lo = keys.open_text(self.prefix)
        self.hi = keys.after(self.lo)
        self.shown: Callable[[bytes], str] = _url_encoded if self.encoding else bytes.decode

    def after(self, marker: str) -> bytes:
        """The first position behind a key, or behind all of a common prefix when the marker is one."""
        raw = _utf8(marker)
        if not raw:
            return self.lo
        if self.delimiter and raw.startswith(self.prefix):
            at = raw.find(self.delimiter, len(self.prefix))
            if at >= 0 and at + len(self.delimiter) == len(raw):
                return max(self.lo, behind(keys.open_text(raw)))
        return max(self.lo, behind(keys.pack(raw)))

    def echo(self, page: "Page", **markers: str) -> Reply:
        reply: Reply = {
            "Name": self.name,
            "Prefix": self.shown(self.prefix),
            "MaxKeys": self.most,
            "IsTruncated": page.truncated,
            "Contents": page.contents,
            "CommonPrefixes": page.prefixes,
        }
        if self.delimiter:
            reply["Delimiter"] = self.shown(self.delimiter)
        if self.encoding:
            reply["EncodingType"] = self.encoding
        return reply | {name: self.shown(marker.encode()) for name, marker in markers.items()}


class Page:
    """One page of current objects."""

    def __init__(self, question: Question, lo: bytes, *, with_owner: bool) -> None:
        self.question = question
        self.lo = lo
        self.with_owner = with_owner
        self.room = question.most
        self.contents: list[dict[str, Any]] = []
        self.prefixes: list[dict[str, Any]] = []
        self.last = b""  # The key or common prefix that came last, unescaped.
        self.truncated = False
        self._owners: dict[str, dict[str, str]] = {}
        self._sole_owner = ""  # Of all objects, where the bucket's owner is enforced.

    async def fill(self, tx: Reader, bucket: Bucket) -> None:
        if self.room == 0:
            return
        if bucket.ownership == BUCKET_OWNER_ENFORCED:
            self._sole_owner = bucket.account
        shelf, hi = bucket.shelf("o"), self.question.hi
        # With a delimiter the first rows may all stand for one common prefix.
        batch = min(self.room + 1, BATCH_ROWS_FIRST) if self.question.delimiter else self.room + 1
        while True:
            room_before = self.room
            rows = await tx.scan(shelf, self.lo, hi, batch)
            self.take(rows)
            if self.truncated or len(rows) < batch:
                return
            # Most rows were passed over: seek from now on. Most counted: read on in larger steps.
            useful = (room_before - self.room) * 8 >= len(rows)
            batch = min(self.room + 1, batch * 4) if useful else BATCH_ROWS_MIN

    def take(self, rows: list[tuple[bytes, bytes]]) -> None:
        """Moves `lo` behind everything that has been counted or passed over."""
        question, lo, entry, contents = self.question, self.lo, self.entry, self.contents
        delimiter, prefix_bytes, shown = question.delimiter, len(question.prefix), question.shown
        for row_key, row in rows:
            if row_key < lo:
                continue
            listed = _decode(row)
            if not listed.delete_marker:
                if self.room == 0:
                    self.truncated = True
                    break
                raw = row_key[:-_PACKED_END_BYTES]
                if b"\x00" in raw:
                    raw = raw.replace(b"\x00\xff", b"\x00")
                if delimiter and (at := raw.find(delimiter, prefix_bytes)) >= 0:
                    lo = self.count_prefix(raw[: at + len(delimiter)])
                    continue
                contents.append(entry(shown(raw), listed))
                self.last = raw
                self.room -= 1
            # The key's end mark, one higher: behind all its versions.
            lo = row_key[: -_ORDER_BYTES - 1] + b"\x02"
        self.lo = lo

    def count_prefix(self, raw: bytes) -> bytes:
        self.prefixes.append({"Prefix": self.question.shown(raw)})
        self.last = raw
        self.room -= 1
        return behind(keys.open_text(raw))

    def entry(self, key: str, listed: Listed) -> dict[str, Any]:
        # In one display each: a member added later would cost a listing of 1,000 a tenth of a millisecond.
        if listed.checksum_algorithm:
            entry: dict[str, Any] = {
                "Key": key,
                "LastModified": listed.modified,
                "ETag": f'"{listed.etag}"',
                "Size": listed.size,
                "StorageClass": listed.storage_class or "STANDARD",
                "ChecksumAlgorithm": [listed.checksum_algorithm],
                "ChecksumType": listed.checksum_type,
            }
        else:
            entry = {
                "Key": key,
                "LastModified": listed.modified,
                "ETag": f'"{listed.etag}"',
                "Size": listed.size,
                "StorageClass": listed.storage_class or "STANDARD",
            }
        if self.with_owner:
            entry["Owner"] = self.owner(listed.owner)
        return entry

    def owner(self, account: str) -> dict[str, str]:
        """One dict for all that an account owns: most often that is the whole page."""
        account = self._sole_owner or account
        if account not in self._owners:
            self._owners[account] = names.owner(account)
        return self._owners[account]


class VersionsPage(Page):
    """One page of all versions and delete markers."""

    def __init__(self, question: Question, lo: bytes, *, with_owner: bool) -> None:
        super().__init__(question, lo, with_owner=with_owner)
        self.markers: list[dict[str, Any]] = []
        self.last_version_id = ""
        self._key = b""  # The packed key that has its latest version behind it.

    async def start_within(self, tx: Reader, bucket: Bucket, key: str, version_id: str) -> None:
        """Behind one version of `key`, which need not exist any more."""
        lo = version_key(key, await versions.order_of_id(tx, bucket, key, version_id)) + b"\x00"
        packed = keys.pack(key)
        if lo <= self.question.lo or await tx.scan(bucket.shelf("o"), packed, lo, 1):
            self._key = packed
        self.lo = max(lo, self.question.lo)

    def take(self, rows: list[tuple[bytes, bytes]]) -> None:
        question, lo = self.question, self.lo
        delimiter, prefix_bytes = question.delimiter, len(question.prefix)
        for row_key, row in rows:
            if row_key < lo:
                continue
            if self.room == 0:
                self.truncated = True
                break
            raw = row_key[:-_PACKED_END_BYTES].replace(b"\x00\xff", b"\x00")
            at = raw.find(delimiter, prefix_bytes) if delimiter else -1
            if at >= 0:
                lo = self.count_prefix(raw[: at + len(delimiter)])
                self.last_version_id = ""
                continue
            self._count_version(row_key[:-_ORDER_BYTES], raw, _decode(row))
            lo = row_key + b"\x00"
        self.lo = lo

    def _count_version(self, packed: bytes, raw: bytes, listed: Listed) -> None:
        key = self.question.shown(raw)
        if listed.delete_marker:
            entry: dict[str, Any] = {"Key": key, "LastModified": listed.modified, "Owner": self.owner(listed.owner)}
            self.markers.append(entry)
        else:
            entry = self.entry(key, listed)
            self.contents.append(entry)
        entry["VersionId"] = listed.version_id
        entry["IsLatest"] = packed != self._key
        self._key = packed
        self.last = raw
        self.last_version_id = listed.version_id
        self.room -= 1


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise AwsError("InvalidArgument", "The listing's parameters must be UTF-8.", 400) from None


def _url_encoded(raw: bytes) -> str:
    return quote(raw, safe="/") if raw.translate(None, _PLAIN) else raw.decode()


def behind(prefix: bytes) -> bytes:
    behind = keys.after(prefix)
    assert behind is not None, "UTF-8 has no byte FF"
    return behind


def _token(position: bytes) -> str:
    """A position, with a sum that tells it from what nobody was given."""
    return base64.urlsafe_b64encode(zlib.crc32(position).to_bytes(4, "big") + position).decode()


def _position(token: str) -> bytes:
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) > 4 and zlib.crc32(raw[4:]).to_bytes(4, "big") == raw[:4]:
        return raw[4:]
    raise AwsError(
        "InvalidArgument",
        "The continuation token provided is incorrect",
        400,
        ArgumentName="continuation-token",
        ArgumentValue=token,
    )


def _checked_most(most: int | None) -> int:
    if most is None:
        return KEYS_PER_PAGE_MAX
    if not 0 <= most <= 2**31 - 1:
        raise AwsError(
            "InvalidArgument",
            "Argument maxKeys must be an integer between 0 and 2147483647",
            400,
            ArgumentName="maxKeys",
            ArgumentValue=most,
        )
    return min(most, KEYS_PER_PAGE_MAX)


def _checked_encoding(encoding: str | None) -> str:
    if encoding not in {None, "", "url"}:
        raise AwsError(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            400,
            ArgumentName="encoding-type",
            ArgumentValue=encoding,
        )
    return encoding or ""
