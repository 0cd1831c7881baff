"""The versions of one key: finding, adding and removing them, and the bytes they hold. Every row in shelf o is written here.

A version id is its place in the order and sixteen random bytes, so finding one is a single get. The null version has no such id:
it lies at ORDER_UNVERSIONED, or, when made while versioning was suspended, where the key's row in shelf n says.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.blobs import references
from atoll.operation import Call
from atoll.services.s3.records import (
    NULL_VERSION,
    ORDER_UNVERSIONED,
    Bucket,
    Version,
    decode_version,
    encode,
    version_key,
)
from atoll.store import Reader, Tx, keys

ENABLED = "Enabled"
SUSPENDED = "Suspended"
_RANDOM_HEX = 32


@dataclass(frozen=True, slots=True)
class Removed:
    """What a delete did: the version it removed or made, and whether that is a delete marker. Both empty in a plain bucket."""

    version_id: str = ""
    delete_marker: bool = False


def modified_at(now: float) -> str:
    """S3 keeps whole seconds, and shows them with milliseconds."""
    return _second(int(now))


async def current(tx: Reader, bucket: Bucket, key: str) -> tuple[int, Version] | None:
    """The newest version, which may be a delete marker."""
    if not bucket.versioning:
        row = await tx.get(bucket.shelf("o"), version_key(key, ORDER_UNVERSIONED))
        return (ORDER_UNVERSIONED, decode_version(row)) if row is not None else None
    start = keys.pack(key)
    rows = await tx.scan(bucket.shelf("o"), start, keys.after(start), 1)
    return (order_of(rows[0][0]), decode_version(rows[0][1])) if rows else None


async def find(tx: Reader, bucket: Bucket, key: str, version_id: str) -> tuple[int, Version] | None:
    """Raises InvalidArgument for what can't be a version id."""
    order = await order_of_id(tx, bucket, key, version_id)
    row = await tx.get(bucket.shelf("o"), version_key(key, order))
    if row is None:
        return None
    version = decode_version(row)
    return (order, version) if version.version_id == version_id else None


async def put(
    call: Call, bucket: Bucket, key: str, version: Version, inline: bytes | None, *, ref: str = ""
) -> Version:
    """Makes `version` the current one, under an id that the bucket's versioning decides, and drops what it replaces.

    With `ref` the blobs are held already under that name (a finished upload's), which passes to the version.
    """
    assert version.inline == (inline is not None), "inline bytes and their record disagree"
    tx: Tx = call.tx
    order = await _make_room(call, bucket, key, version)
    version.ref = ref
    if version.pieces and not ref:
        version.ref = ids.new_hex(_RANDOM_HEX)
        references.adopt(tx, _blob_ids(version), version.ref)
    row_key = version_key(key, order)
    tx.put(bucket.shelf("o"), row_key, encode(version))
    if inline is not None:
        tx.put(bucket.shelf("d"), row_key, inline)
    return version


async def replace(call: Call, bucket: Bucket, key: str, order: int, version: Version) -> None:
    """Rewrites the facts of a version that stands (its tags): same id, same bytes, same place."""
    call.tx.put(bucket.shelf("o"), version_key(key, order), encode(version))


async def remove(call: Call, bucket: Bucket, key: str, version_id: str | None) -> Removed:
    """Removes one version for good, or, without an id, hides the key: what that means the bucket's versioning decides."""
    if version_id is not None:
        return await _remove_one(call, bucket, key, version_id)
    if not bucket.versioning:
        found = await current(call.tx, bucket, key)
        if found is not None:
            drop(call, bucket, key, found)
        return Removed()
    marker = Version("", modified_at(call.now), delete_marker=True, owner=call.account)
    await put(call, bucket, key, marker, None)
    return Removed(marker.version_id, delete_marker=True)


def drop(call: Call, bucket: Bucket, key: str, found: tuple[int, Version]) -> None:
    """Takes a version's rows away and gives up its hold on its blobs."""
    order, version = found
    row_key = version_key(key, order)
    call.tx.delete(bucket.shelf("o"), row_key)
    if version.inline:
        call.tx.delete(bucket.shelf("d"), row_key)
    if version.version_id == NULL_VERSION and order != ORDER_UNVERSIONED:
        call.tx.delete(bucket.shelf("n"), keys.pack(key))
    _drop_blobs(call, version)


async def order_of_id(tx: Reader, bucket: Bucket, key: str, version_id: str) -> int:
    """Where the version lies, or would lie. Raises InvalidArgument for what can't be a version id."""
    return await _null_order(tx, bucket, key) if version_id == NULL_VERSION else _order_in(version_id)


def order_of(row_key: bytes) -> int:
    return int.from_bytes(row_key[-8:], "big")


@lru_cache(maxsize=64)
def _second(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


async def _remove_one(call: Call, bucket: Bucket, key: str, version_id: str) -> Removed:
    found = await find(call.tx, bucket, key, version_id)
    if found is None:
        return Removed(version_id)  # S3 answers the removal of nothing as it does the removal of something.
    drop(call, bucket, key, found)
    return Removed(version_id, delete_marker=found[1].delete_marker)


async def _make_room(call: Call, bucket: Bucket, key: str, version: Version) -> int:
    """Gives `version` its id and answers its order; the null version it replaces is gone then."""
    if not bucket.versioning:
        version.version_id = NULL_VERSION
        row = await call.tx.get(bucket.shelf("o"), version_key(key, ORDER_UNVERSIONED))
        if row is not None:
            _overwrite(call, bucket, key, decode_version(row), version)
        return ORDER_UNVERSIONED
    if bucket.versioning == ENABLED:
        order = await _next_order(call, bucket, key)
        version.version_id = _new_version_id(order)
        return order
    version.version_id = NULL_VERSION
    replaced = await find(call.tx, bucket, key, NULL_VERSION)
    if replaced is not None:
        drop(call, bucket, key, replaced)
    order = await _next_order(call, bucket, key)
    call.tx.put(bucket.shelf("n"), keys.pack(key), order.to_bytes(8, "big"))
    return order


def _overwrite(call: Call, bucket: Bucket, key: str, old: Version, new: Version) -> None:
    if old.inline and not new.inline:
        call.tx.delete(bucket.shelf("d"), version_key(key, ORDER_UNVERSIONED))
    _drop_blobs(call, old)


async def _next_order(call: Call, bucket: Bucket, key: str) -> int:
    """Below every order the key has, whatever the clock says: orders count down."""
    order = ORDER_UNVERSIONED - int(call.now * 1_000_000)
    start = keys.pack(key)
    rows = await call.tx.scan(bucket.shelf("o"), start, keys.after(start), 1)
    return min(order, order_of(rows[0][0]) - 1) if rows else order


async def _null_order(tx: Reader, bucket: Bucket, key: str) -> int:
    pointer = await tx.get(bucket.shelf("n"), keys.pack(key)) if bucket.versioning else None
    return ORDER_UNVERSIONED if pointer is None else int.from_bytes(pointer, "big")


def _new_version_id(order: int) -> str:
    # Complemented, so that no id starts with a dash: the aws cli would take it for an option.
    place = (ORDER_UNVERSIONED - order).to_bytes(8, "big")
    return base64.urlsafe_b64encode(place + bytes.fromhex(ids.new_hex(_RANDOM_HEX))).decode()


def _order_in(version_id: str) -> int:
    try:
        raw = base64.b64decode(version_id, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 24:
        raise AwsError(
            "InvalidArgument",
            "Invalid version id specified",
            400,
            ArgumentName="versionId",
            ArgumentValue=version_id,
        )
    return ORDER_UNVERSIONED - int.from_bytes(raw[:8], "big")


def _blob_ids(version: Version) -> list[str]:
    return sorted({piece.blob_id for piece in version.pieces})


def _drop_blobs(call: Call, version: Version) -> None:
    if version.ref:
        references.drop(call.tx, _blob_ids(version), version.ref, call.now)
