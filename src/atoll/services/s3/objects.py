"""Single objects: GetObject, HeadObject, PutObject, DeleteObject."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import BlobBody, Body, Call, Permission, Reply, Segment
from atoll.services.s3 import acl, buckets, conditions, lookup, metadata, names, ranges, tag_sets, versions
from atoll.services.s3.ingest import Stored, ingest
from atoll.services.s3.records import NULL_VERSION, Bucket, Version, version_key
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import Conflict

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

T = TypeVar("T")
_OVERRIDES = (
    ("ResponseCacheControl", "CacheControl"),
    ("ResponseContentDisposition", "ContentDisposition"),
    ("ResponseContentEncoding", "ContentEncoding"),
    ("ResponseContentLanguage", "ContentLanguage"),
    ("ResponseContentType", "ContentType"),
    ("ResponseExpires", "Expires"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """A version to be read, its inline bytes, and which of its bytes were asked for (None: all of them)."""

    bucket: Bucket
    version: Version
    inline: bytes | None
    span: tuple[int, int] | None


@s3.stream("GetObject")
async def get_object(call: Call, request: "types.GetObjectRequest") -> Reply:
    refuse_unsupported("GetObject", request)
    found = await _look_up(call, request, with_bytes=True)
    first_byte, length = found.span or (0, found.version.size)
    reply = await _describe(call, request, found)
    reply["Body"] = body_of(call, found.version, found.inline, first_byte, length)
    return reply


@s3.stream("HeadObject")
async def head_object(call: Call, request: "types.HeadObjectRequest") -> Reply:
    refuse_unsupported("HeadObject", request)
    return await _describe(call, request, await _look_up(call, request, with_bytes=False))


@s3.stream("PutObject")
async def put_object(call: Call, request: "types.PutObjectRequest") -> Reply:
    refuse_unsupported("PutObject", request)
    names.check_key(request["Key"])
    conditions.check_write_members(request)
    version = Version(
        "",
        versions.modified_at(call.now),
        storage_class=storage_class(request),
        headers=metadata.given_headers(request),
        metadata=metadata.given_metadata(request),
        tags=tag_sets.given(request),
    )
    if not _is_here(request.get("Body", b"")):
        # No body is taken for a bucket that isn't there.
        await call.read(lambda call: _bucket(call, request))
    stored = await ingest(call, request)
    take_stored(version, stored)
    await commit(call, request, lambda call: put_if(call, request, version, stored.inline))
    return {"ETag": f'"{version.etag}"', **new_version_member(version), **checksum_members(version)}


@s3.write("DeleteObject")
async def delete_object(call: Call, request: "types.DeleteObjectRequest") -> Reply:
    refuse_unsupported("DeleteObject", request)
    names.check_key(request["Key"])
    bucket = await _bucket(call, request)
    removed = await remove(call, bucket, request["Key"], request.get("VersionId"), request.get("IfMatch"))
    reply: Reply = {"VersionId": removed.version_id} if removed.version_id else {}
    return reply | {"DeleteMarker": True} if removed.delete_marker else reply


async def put_if(call: Call, request: Mapping[str, Any], version: Version, inline: bytes | None) -> Version:
    """Inside a transaction: the request's conditions hold, and the version stands."""
    bucket = await _bucket(call, request)
    if conditions.is_write_conditional(request):
        existing = await versions.current(call.tx, bucket, request["Key"])
        conditions.check_write(request, existing[1] if existing else None)
    acl.give(call, bucket, request, version)
    return await versions.put(call, bucket, request["Key"], version, inline)


async def commit(call: Call, request: Mapping[str, Any], attempt: Callable[[Call], Awaitable[T]]) -> T:
    """The one transaction of a PutObject or CopyObject."""
    try:
        return await call.write(attempt)
    except Conflict:
        if not conditions.is_write_conditional(request):
            raise
        raise AwsError(
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
            409,
            Key=request["Key"],
        ) from None


async def remove(call: Call, bucket: Bucket, key: str, version_id: str | None, etag: str | None) -> versions.Removed:
    """One key of DeleteObject or DeleteObjects. With an ETag (or *) only if it is still that of the version meant."""
    if etag is not None:
        tx = call.tx
        found = await (
            versions.current(tx, bucket, key) if version_id is None else versions.find(tx, bucket, key, version_id)
        )
        if found is None:
            raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=key)
        if found[1].delete_marker or not conditions.etag_in(etag, found[1].etag):
            raise conditions.precondition_failed("If-Match")
    return await versions.remove(call, bucket, key, version_id)


def take_stored(version: Version, stored: Stored) -> None:
    version.size = stored.size
    version.etag = stored.etag
    version.checksum_algorithm = stored.checksum_algorithm
    version.checksum = stored.checksum
    version.checksum_type = stored.checksum_type
    version.inline = stored.inline is not None
    version.crc64 = stored.crc64
    version.pieces = stored.pieces


def storage_class(request: Mapping[str, Any]) -> str:
    asked: str = request.get("StorageClass") or ""
    return "" if asked == "STANDARD" else asked


def new_version_member(version: Version) -> Reply:
    """S3 does not tell who writes that it became the null version; only who reads."""
    return {} if version.version_id == NULL_VERSION else {"VersionId": version.version_id}


def checksum_members(version: Version) -> Reply:
    if not version.checksum_algorithm:
        return {}
    return {f"Checksum{version.checksum_algorithm}": version.checksum, "ChecksumType": version.checksum_type}


def body_of(call: Call, version: Version, inline: bytes | None, first_byte: int, length: int) -> bytes | BlobBody:
    """The bytes [first_byte, first_byte + length) of a version. What is damaged is never answered."""
    if inline is not None:
        if len(inline) != version.size or checksums.crc64nvme(inline) != version.crc64:
            raise RuntimeError(f"the inline bytes of an object with ETag {version.etag} are damaged")
        return inline if length == version.size else inline[first_byte : first_byte + length]
    segments = _segments(version, first_byte, length)
    if not segments:
        return b""
    if len(segments) == 1:  # Once open, a blob can be read to its end, whatever the sweeper does.
        return BlobBody(call.blobs, segments, call.blobs.open(segments[0].blob_id))
    stack = ExitStack()
    stack.enter_context(call.blobs.hold())
    return BlobBody(call.blobs, segments, None, stack.close)


def _segments(version: Version, first_byte: int, length: int) -> list[Segment]:
    segments = []
    start, end = 0, first_byte + length
    for piece in version.pieces:
        lo, hi = max(first_byte, start), min(end, start + piece.length)
        if lo < hi:
            segments.append(Segment(piece.blob_id, piece.offset + lo - start, hi - lo))
        start += piece.length
    assert sum(segment.length for segment in segments) == length, "a record's pieces do not make up its size"
    return segments


def _is_here(body: bytes | Body) -> bool:
    return isinstance(body, bytes) or body.in_memory() is not None


async def _bucket(call: Call, request: Mapping[str, Any]) -> Bucket:
    return await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))


async def _look_up(call: Call, request: Mapping[str, Any], *, with_bytes: bool) -> Found:
    """Finds the version meant and checks the preconditions."""

    async def look(call: Call) -> tuple[lookup.Meant, bytes | None]:
        meant = await lookup.find(call, request)
        if not with_bytes or not meant.version.inline:
            return meant, None
        return meant, await call.tx.get(meant.bucket.shelf("d"), version_key(meant.key, meant.order))

    meant, inline = await lookup.veiled(call, request, call.read(look))
    version = meant.version
    conditions.check_read(request, version)
    if with_bytes and version.inline and inline is None:
        raise RuntimeError(f"the inline bytes of an object with ETag {version.etag} are gone")
    return Found(meant.bucket, version, inline, _span(request, version))


def _span(request: Mapping[str, Any], version: Version) -> tuple[int, int] | None:
    number = request.get("PartNumber")
    if number is None:
        return ranges.resolve(request.get("Range"), version.size)
    if "Range" in request:
        raise AwsError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter", 400)
    start = 0
    for part in version.parts:
        if part.number == number:
            return start, part.size
        start += part.size
    if number == 1 and not version.parts:
        return 0, version.size
    raise AwsError(
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
        416,
        PartNumberRequested=number,
        ActualPartCount=len(version.parts) or 1,
    )


async def _describe(call: Call, request: Mapping[str, Any], found: Found) -> Reply:
    """All of a GetObject or HeadObject reply but the body."""
    version, span = found.version, found.span
    reply: Reply = metadata.told(version)
    reply["AcceptRanges"] = "bytes"
    reply["LastModified"] = version.modified
    reply["ETag"] = f'"{version.etag}"'
    reply["ContentLength"] = version.size if span is None else span[1]
    if span is not None and span[1]:
        reply["ContentRange"] = ranges.content_range(span[0], span[1], version.size)
    if found.bucket.versioning:
        reply["VersionId"] = version.version_id
    if version.storage_class:
        reply["StorageClass"] = version.storage_class
    if request.get("ChecksumMode") == "ENABLED":
        reply |= _told_checksum(request, found)
    if "PartNumber" in request and version.parts:
        reply["PartsCount"] = len(version.parts)
    if version.tags and await _may_read_tags(call, request):
        reply["TagCount"] = len(version.tags)
    _override(call, request, reply)
    return reply


def _told_checksum(request: Mapping[str, Any], found: Found) -> Reply:
    """Of the whole object, or of the one part asked for; of other ranges nothing is known."""
    version = found.version
    if "PartNumber" in request and version.parts:
        part = next(part for part in version.parts if part.number == request["PartNumber"])
        if not part.checksum:
            return {}
        return {f"Checksum{version.checksum_algorithm}": part.checksum, "ChecksumType": version.checksum_type}
    return checksum_members(version) if found.span in {None, (0, version.size)} else {}


async def _may_read_tags(call: Call, request: Mapping[str, Any]) -> bool:
    action = "GetObjectTagging" if request.get("VersionId") is None else "GetObjectVersionTagging"
    try:
        await call.authorise(Permission(f"s3:{action}", names.object_arn(request["Bucket"], request["Key"])))
    except AwsError:
        return False
    return True


def _override(call: Call, request: Mapping[str, Any], reply: Reply) -> None:
    given = [(member, name) for member, name in _OVERRIDES if member in request]
    if given and call.identity.kind == "anonymous":
        raise AwsError(
            "InvalidRequest", "Request specific response headers cannot be used for anonymous GET requests.", 400
        )
    for member, name in given:
        reply[name] = request[member]
