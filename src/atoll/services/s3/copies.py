"""CopyObject: a new version that shares its source's blobs. Bytes are read only when their digests have to change."""

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.operation import BlobBody, Call, Permission, Reply, Segment
from atoll.services.s3 import access, buckets, conditions, integrity, metadata, names, objects, tag_sets, versions
from atoll.services.s3.records import Bucket, Version, version_key
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

COPY_BYTES_MAX = 5 * 1024**3
_ATTEMPTS_MAX = 5
_BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """What x-amz-copy-source names."""

    bucket: str
    key: str
    version_id: str | None


@dataclass(frozen=True, slots=True)
class Original:
    """What was found there."""

    bucket: Bucket
    version: Version
    inline: bytes | None


@dataclass(frozen=True, slots=True)
class Digests:
    etag: str
    algorithm: str
    checksum: str


@s3.stream("CopyObject")
async def copy_object(call: Call, request: "types.CopyObjectRequest") -> Reply:
    refuse_unsupported("CopyObject", request)
    names.check_key(request["Key"])
    conditions.check_write_members(request)
    _check_directives(request)
    source = parse_source(request["CopySource"])
    await authorise_source(call, source)
    for _ in range(_ATTEMPTS_MAX):
        original = await call.read(lambda call: _read(call, request, source))
        await _authorise_tags(call, request, source, original.version)
        digests = await _digests(call, request, original)
        version = await _commit(call, request, source, (original, digests))
        if version is not None:
            return _reply(version, original)
    raise AwsError("SlowDown", "Please reduce your request rate.", 503)  # The source changed under every attempt.


def parse_source(text: str) -> Source:
    """`bucket/key` or `/bucket/key`, percent-encoded (a plus is a space), and `?versionId=` behind it."""
    path, mark, version_id = text.rpartition("?versionId=")
    if not mark:
        path, version_id = text, ""
    try:
        bucket, slash, key = unquote_plus(path, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket, slash, key = "", "", ""
    if not bucket or not slash or not key or bucket.startswith("arn:"):
        raise AwsError(
            "InvalidArgument",
            "Invalid copy source object key",
            400,
            ArgumentName="x-amz-copy-source",
            ArgumentValue=text,
        )
    return Source(bucket, key, unquote_plus(version_id) if mark else None)


async def authorise_source(call: Call, source: Source) -> None:
    action = "s3:GetObject" if source.version_id is None else "s3:GetObjectVersion"
    context = {} if source.version_id is None else {"s3:VersionId": source.version_id}
    await call.authorise(Permission(action, names.object_arn(source.bucket, source.key), context))


async def find_source(call: Call, request: Mapping[str, Any], source: Source) -> Original:
    """The version a CopyObject or UploadPartCopy reads, with its preconditions met."""
    bucket = await buckets.find(call, source.bucket, request.get("ExpectedSourceBucketOwner"))
    if source.version_id is None:
        found = await versions.current(call.tx, bucket, source.key)
    else:
        found = await versions.find(call.tx, bucket, source.key, source.version_id)
    access.hold(call, bucket, source.key, found[1] if found else None)
    if found is None and source.version_id is not None:
        raise AwsError("NoSuchVersion", "The specified version does not exist.", 404, Key=source.key)
    if found is not None and found[1].delete_marker and source.version_id is not None:
        raise AwsError(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version id.",
            400,
        )
    if found is None or found[1].delete_marker:
        raise AwsError("NoSuchKey", "The specified key does not exist.", 404, Key=source.key)
    order, version = found
    conditions.check_copy_source(request, version)
    inline = await call.tx.get(bucket.shelf("d"), version_key(source.key, order)) if version.inline else None
    return Original(bucket, version, inline)


async def _read(call: Call, request: Mapping[str, Any], source: Source) -> Original:
    await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    original = await find_source(call, request, source)
    if original.version.size > COPY_BYTES_MAX:
        raise AwsError(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {COPY_BYTES_MAX}",
            400,
        )
    _check_changes_something(request, source, original.version)
    return original


async def _commit(
    call: Call, request: Mapping[str, Any], source: Source, read: tuple[Original, Digests]
) -> Version | None:
    """None when the source is no longer what was read."""
    original, digests = read
    version = _new_version(call, request, original.version, digests)

    async def attempt(call: Call) -> Version | None:
        found = await find_source(call, request, source)
        if found.version != original.version:
            return None
        return await objects.put_if(call, request, version, original.inline)

    return await objects.commit(call, request, attempt)


def _new_version(call: Call, request: Mapping[str, Any], original: Version, digests: Digests) -> Version:
    replace = request.get("MetadataDirective") == "REPLACE"
    retag = request.get("TaggingDirective") == "REPLACE"
    return Version(
        "",
        versions.modified_at(call.now),
        size=original.size,
        storage_class=objects.storage_class(request),
        etag=digests.etag,
        checksum_algorithm=digests.algorithm,
        checksum=digests.checksum,
        checksum_type=integrity.FULL_OBJECT,
        inline=original.inline,
        crc64=original.crc64,
        pieces=original.pieces,
        headers=metadata.given_headers(request) if replace else original.headers,
        metadata=metadata.given_metadata(request) if replace else original.metadata,
        tags=tag_sets.given(request) if retag else original.tags,
    )


def _reply(version: Version, original: Original) -> Reply:
    result = {"ETag": f'"{version.etag}"', "LastModified": version.modified, **objects.checksum_members(version)}
    reply: Reply = {"CopyObjectResult": result, **objects.new_version_member(version)}
    if original.bucket.versioning:
        reply["CopySourceVersionId"] = original.version.version_id
    return reply


def _check_directives(request: Mapping[str, Any]) -> None:
    for member, noun in (("MetadataDirective", "metadata"), ("TaggingDirective", "tagging")):
        if request.get(member, "COPY") not in {"COPY", "REPLACE"}:
            raise AwsError(
                "InvalidArgument",
                f"Unknown {noun} directive.",
                400,
                ArgumentName=f"x-amz-{noun}-directive",
                ArgumentValue=request[member],
            )


def _check_changes_something(request: Mapping[str, Any], source: Source, version: Version) -> None:
    onto_itself = (source.bucket, source.key) == (request["Bucket"], request["Key"])
    changed = (
        request.get("MetadataDirective") == "REPLACE"
        or "StorageClass" in request
        or request.get("ChecksumAlgorithm", version.checksum_algorithm) != version.checksum_algorithm
    )
    if onto_itself and source.version_id is None and not changed:
        raise AwsError(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
            400,
        )


async def _authorise_tags(call: Call, request: Mapping[str, Any], source: Source, version: Version) -> None:
    if version.tags and request.get("TaggingDirective") != "REPLACE":
        action = "GetObjectTagging" if source.version_id is None else "GetObjectVersionTagging"
        await call.authorise(
            Permission(f"s3:{action}", names.object_arn(source.bucket, source.key)),
            Permission("s3:PutObjectTagging", names.object_arn(request["Bucket"], request["Key"])),
        )


async def _digests(call: Call, request: Mapping[str, Any], original: Original) -> Digests:
    """A copy is one part: of a multipart source, or for another checksum, the bytes are read once more."""
    version = original.version
    asked = request.get("ChecksumAlgorithm")
    algorithm = integrity.find_algorithm(asked).name if asked else version.checksum_algorithm or integrity.DEFAULT
    whole = "-" not in version.etag
    if whole and algorithm == version.checksum_algorithm and version.checksum_type == integrity.FULL_OBJECT:
        return Digests(version.etag, algorithm, version.checksum)
    body = objects.body_of(call, version, original.inline, 0, version.size)
    return await asyncio.get_running_loop().run_in_executor(None, _read_digests, body, version, algorithm)


def _read_digests(body: bytes | BlobBody, version: Version, algorithm: str) -> Digests:
    md5 = hashlib.md5(usedforsecurity=False)
    wanted = checksums.new(algorithm)
    known = checksums.new(version.checksum_algorithm) if version.checksum_type == integrity.FULL_OBJECT else None
    for block in blocks_of(body):
        md5.update(block)
        wanted.update(block)
        if known is not None:
            known.update(block)
    # Damaged bytes must not get a checksum that calls them whole.
    if known is not None and checksums.encode(known.digest()) != version.checksum:
        raise RuntimeError(f"the bytes of an object with ETag {version.etag} do not have its checksum")
    return Digests(md5.hexdigest(), algorithm, checksums.encode(wanted.digest()))


def blocks_of(body: bytes | BlobBody) -> Iterator[bytes]:
    """Blocks for the disk."""
    if isinstance(body, bytes):
        yield body
        return
    descriptor = body.first
    try:
        for segment in body.segments:
            if descriptor is None:
                descriptor = body.blobs.open(segment.blob_id)
            yield from _segment_blocks(descriptor, segment)
            os.close(descriptor)
            descriptor = None
    finally:
        if descriptor is not None:
            os.close(descriptor)
        if body.close is not None:
            body.close()


def _segment_blocks(descriptor: int, segment: Segment) -> Iterator[bytes]:
    offset, end = segment.offset, segment.offset + segment.length
    while offset < end:
        block = os.pread(descriptor, min(_BLOCK_BYTES, end - offset), offset)
        if not block:
            raise RuntimeError(f"blob {segment.blob_id} ends at {offset}, before its record's bytes do")
        yield block
        offset += len(block)
