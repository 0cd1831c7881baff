"""UploadPartCopy: a part that is a range of an object, by reference. Its bytes are read only where digests have to be made."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import BlobBody, Call, Reply
from atoll.services.s3 import copies, integrity, multipart, objects
from atoll.services.s3.copies import Original, Source
from atoll.services.s3.ingest import UPLOAD_BYTES_MAX, Stored, take_small
from atoll.services.s3.integrity import Declared
from atoll.services.s3.records import INLINE_BYTES_MAX, Part, Piece, Upload, Version
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

_ATTEMPTS_MAX = 5
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Span:
    start: int
    length: int


@s3.stream("UploadPartCopy")
async def upload_part_copy(call: Call, request: "types.UploadPartCopyRequest") -> Reply:
    refuse_unsupported("UploadPartCopy", request)
    number = multipart.checked_part_number(request["PartNumber"])
    source = copies.parse_source(request["CopySource"])
    await copies.authorise_source(call, source)
    for _ in range(_ATTEMPTS_MAX):
        upload, original = await call.read(lambda call: _read(call, request, source))
        span = resolve(request.get("CopySourceRange"), original.version.size)
        stored = await _stored(call, upload, original, span)
        part = multipart.new_part(call, number, stored, ids.new_hex(32))
        if await _commit(call, request, source, (original, part)):
            return _reply(upload, original, part)
    raise AwsError("SlowDown", "Please reduce your request rate.", 503)  # The source changed under every attempt.


def resolve(header: str | None, size: int) -> Span:
    """Unlike a Range header, x-amz-copy-source-range must be exact: both ends given, and both within the source."""
    if header is None:
        span = Span(0, size)
    else:
        match = _RANGE.fullmatch(header)
        first, last = map(int, match.groups()) if match else (1, 0)
        if first > last:
            raise AwsError(
                "InvalidArgument",
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                "zero-based offsets of the first and last bytes to copy",
                400,
                ArgumentName="x-amz-copy-source-range",
                ArgumentValue=header,
            )
        if last >= size:
            raise AwsError(
                "InvalidRange",
                "The requested range is not satisfiable",
                416,
                RangeRequested=header,
                ActualObjectSize=size,
            )
        span = Span(first, last - first + 1)
    if span.length > UPLOAD_BYTES_MAX:
        raise AwsError(
            "InvalidRequest",
            f"The specified copy source is larger than the maximum allowable size for a copy source: {UPLOAD_BYTES_MAX}",
        )
    return span


async def _read(call: Call, request: Mapping[str, Any], source: Source) -> tuple[Upload, Original]:
    _, upload = await multipart.find_upload(call, request)
    return upload, await copies.find_source(call, request, source)


async def _commit(call: Call, request: Mapping[str, Any], source: Source, made: tuple[Original, Part]) -> bool:
    """False when the source is no longer what was read: its blobs may be gone."""
    original, part = made

    async def attempt(call: Call) -> bool:
        found = await copies.find_source(call, request, source)
        if found.version != original.version:
            return False
        await multipart.put_part(call, request, part)
        return True

    return await call.write(attempt)


async def _stored(call: Call, upload: Upload, original: Original, span: Span) -> Stored:
    keep = upload.checksum_algorithm or integrity.DEFAULT
    version = original.version
    if span.length > INLINE_BYTES_MAX and span.length == version.size and _digests_known(version, keep):
        return _by_reference(version.pieces, bytes.fromhex(version.etag), _known_sums(version, keep))
    body = objects.body_of(call, version, original.inline, span.start, span.length)
    # A few bytes must not keep a large blob alive: they are read, and lie in the part's row.
    work = _read_small if span.length <= INLINE_BYTES_MAX else _read_digests
    return await asyncio.get_running_loop().run_in_executor(None, work, body, keep)


def _digests_known(version: Version, keep: str) -> bool:
    return (
        "-" not in version.etag
        and version.crc64 != 0
        and keep in {checksums.CRC64NVME, version.checksum_algorithm}
        and version.checksum_type == integrity.FULL_OBJECT
    )


def _known_sums(version: Version, keep: str) -> dict[str, bytes]:
    crc64 = version.crc64.to_bytes(8, "big")
    if keep == checksums.CRC64NVME:
        return {keep: crc64}
    digest = checksums.decode(keep, version.checksum)
    assert digest is not None, "a record has a malformed checksum"
    return {keep: digest, checksums.CRC64NVME: crc64}


def _read_small(body: bytes | BlobBody, keep: str) -> Stored:
    return take_small(b"".join(copies.blocks_of(body)), Declared(), {}, keep)


def _read_digests(body: bytes | BlobBody, keep: str) -> Stored:
    assert isinstance(body, BlobBody)
    md5 = hashlib.md5(usedforsecurity=False)
    sums = {name: checksums.new(name) for name in {keep, checksums.CRC64NVME}}
    for block in copies.blocks_of(body):
        md5.update(block)
        for running in sums.values():
            running.update(block)
    pieces = [Piece(segment.blob_id, segment.offset, segment.length) for segment in body.segments]
    return _by_reference(pieces, md5.digest(), {keep: sums[keep].digest(), "CRC64NVME": sums["CRC64NVME"].digest()})


def _by_reference(pieces: list[Piece], md5: bytes, sums: dict[str, bytes]) -> Stored:
    """The first of `sums` is the one to keep."""
    keep = next(iter(sums))
    return Stored(
        size=sum(piece.length for piece in pieces),
        etag=md5.hex(),
        md5=md5,
        inline=None,
        pieces=pieces,
        checksum_algorithm=keep,
        checksum=checksums.encode(sums[keep]),
        checksum_type=integrity.FULL_OBJECT,
        crc64=int.from_bytes(sums[checksums.CRC64NVME], "big"),
    )


def _reply(upload: Upload, original: Original, part: Part) -> Reply:
    result = {"ETag": f'"{part.etag}"', "LastModified": part.modified}
    if upload.checksum_algorithm:
        result[f"Checksum{part.checksum_algorithm}"] = part.checksum
    reply: Reply = {"CopyPartResult": result}
    return reply | {"CopySourceVersionId": original.version.version_id} if original.bucket.versioning else reply
