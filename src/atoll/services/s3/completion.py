"""CompleteMultipartUpload: the parts become an object, by reference, in one transaction.

Nothing is copied but a last part that was so small that it lay in its row: it becomes a blob first, for objects lie either wholly in
their row or wholly in blobs. The upload's hold on the blobs becomes the object's, so that repeating a completion finds its object.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.blobs import references
from atoll.blobs.contract import Blobs
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, conditions, integrity, multipart, objects, versions
from atoll.services.s3.records import (
    INLINE_BYTES_MAX,
    Bucket,
    Part,
    PartFacts,
    Piece,
    Upload,
    Version,
    decode_part,
    decode_version,
)
from atoll.services.s3.refusals import not_implemented, refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

PART_BYTES_MIN = 5 * 1024 * 1024  # Of every part but the last.
PIECES_MAX = 50_000  # A record of 2.3 MB. Only parts copied from objects of many parts have more than one piece.
_VERSIONS_SEARCHED_MAX = 1000


@dataclass(frozen=True, slots=True)
class Tail:
    """A last part from its row, and the blob it has become."""

    data: bytes
    blob_id: str = ""


@s3.stream("CompleteMultipartUpload")
async def complete_multipart_upload(call: Call, request: "types.CompleteMultipartUploadRequest") -> Reply:
    refuse_unsupported("CompleteMultipartUpload", request)
    conditions.check_write_members(request)
    listed = _listed(request)
    tail: Tail | None = None
    while True:
        outcome = await objects.commit(call, request, partial(_attempt, request=request, listed=listed, tail=tail))
        if not isinstance(outcome, Tail):
            return outcome
        # The last part must become a blob first; another that took its place meanwhile sends us round again.
        blob_id = await asyncio.get_running_loop().run_in_executor(None, _store, call.blobs, outcome.data)
        tail = Tail(outcome.data, blob_id)


async def _attempt(
    call: Call, request: Mapping[str, Any], listed: Sequence[Mapping[str, Any]], tail: Tail | None
) -> Reply | Tail:
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    upload = await multipart.get_upload(call, bucket, request)
    if upload is None:
        return await _completed_before(call, bucket, request, listed)
    all_parts = await _parts(call, bucket, upload)
    parts = _chosen(upload, all_parts, listed)
    version = _assembled(call, upload, parts)
    _check_declared(request, upload, version)
    _check_part_checksums(upload, parts, listed)
    existing = await versions.current(call.tx, bucket, upload.key) if conditions.is_write_conditional(request) else None
    conditions.check_write(request, existing[1] if existing else None)
    inline = None
    if version.inline:
        inline = b"".join(part.inline for part in parts)
        version.crc64 = checksums.crc64nvme(inline)
    elif not parts[-1].pieces and parts[-1].size:
        if tail is None or tail.data != parts[-1].inline:
            return Tail(parts[-1].inline)
        version.pieces.append(Piece(tail.blob_id, 0, parts[-1].size))
        references.adopt(call.tx, [tail.blob_id], upload.upload_id)
    _hand_over(call, bucket, upload, all_parts, {part.number for part in parts})
    await versions.put(call, bucket, upload.key, version, inline, ref=upload.upload_id)
    return _answer(call, bucket, upload.key, version)


def _listed(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts the caller names, in ascending order.

    A part that was sent again may be named again, by its new ETag: the last is meant. Named twice alike, it is out of order.
    """
    parts: list[Mapping[str, Any]] = (request.get("MultipartUpload") or {}).get("Parts") or []
    if not 1 <= len(parts) <= multipart.PARTS_MAX or not all({"PartNumber", "ETag"} <= part.keys() for part in parts):
        raise AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
            400,
        )
    listed: dict[int, Mapping[str, Any]] = {}
    previous = 0
    for part in parts:
        if any(member.startswith("Checksum") and member not in integrity.MEMBERS for member in part):
            raise not_implemented()
        number = multipart.checked_part_number(part["PartNumber"])
        if number < previous or (number == previous and part["ETag"] == listed[number]["ETag"]):
            raise AwsError(
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
                400,
                UploadId=request["UploadId"],
            )
        listed[number] = part
        previous = number
    return list(listed.values())


async def _parts(call: Call, bucket: Bucket, upload: Upload) -> dict[int, Part]:
    start = keys.pack(upload.upload_id)
    rows = await call.tx.scan(bucket.shelf("p"), start, keys.after(start), multipart.PARTS_MAX)
    parts = [decode_part(row) for _, row in rows]
    return {part.number: part for part in parts}


def _chosen(upload: Upload, parts: Mapping[int, Part], listed: Sequence[Mapping[str, Any]]) -> list[Part]:
    chosen = []
    for entry in listed:
        part = parts.get(entry["PartNumber"])
        if part is None or _bare(entry["ETag"]) != part.etag:
            raise _invalid_part(upload, entry)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size < PART_BYTES_MIN:
            raise AwsError(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                400,
                ProposedSize=part.size,
                MinSizeAllowed=PART_BYTES_MIN,
                PartNumber=part.number,
                ETag=part.etag,
            )
    return chosen


def _invalid_part(upload: Upload, entry: Mapping[str, Any]) -> AwsError:
    return AwsError(
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
        400,
        UploadId=upload.upload_id,
        PartNumber=entry["PartNumber"],
        ETag=_bare(entry["ETag"]),
    )


def _assembled(call: Call, upload: Upload, parts: Sequence[Part]) -> Version:
    """The object, but for the bytes that lie in its parts' rows."""
    algorithm = upload.checksum_algorithm or integrity.DEFAULT
    kind = upload.checksum_type or integrity.FULL_OBJECT
    size = sum(part.size for part in parts)
    pieces = [piece for part in parts for piece in part.pieces]
    if len(pieces) > PIECES_MAX:
        raise AwsError("InvalidRequest", f"The object would lie in more than {PIECES_MAX} pieces of other objects.")
    return Version(
        "",
        versions.modified_at(call.now),
        size=size,
        etag=_etag([part.md5 for part in parts]),
        owner=upload.owner,
        acl=upload.acl,
        storage_class=upload.storage_class,
        checksum_algorithm=algorithm,
        checksum=integrity.whole_checksum(algorithm, kind, [(_digest(algorithm, part), part.size) for part in parts]),
        checksum_type=kind,
        inline=not pieces and size <= INLINE_BYTES_MAX,
        pieces=pieces,
        # Of an upload begun without an algorithm, AWS tells no checksums of single parts.
        parts=[PartFacts(p.number, p.size, p.checksum if upload.checksum_algorithm else "") for p in parts],
        headers=upload.headers,
        metadata=upload.metadata,
        tags=upload.tags,
    )


def _digest(algorithm: str, part: Part) -> bytes:
    if algorithm == checksums.CRC64NVME:
        return part.crc64.to_bytes(8, "big")
    digest = checksums.decode(algorithm, part.checksum) if part.checksum_algorithm == algorithm else None
    assert digest is not None, "a part lacks the checksum its upload was begun with"
    return digest


def _check_declared(request: Mapping[str, Any], upload: Upload, version: Version) -> None:
    """What the caller says of the whole object."""
    expected_size = request.get("MpuObjectSize")
    if expected_size is not None and expected_size != version.size:
        raise AwsError(
            "InvalidRequest",
            f"The provided 'x-amz-mp-object-size' header value {expected_size} does not match what was computed: "
            f"{version.size}",
        )
    if request.get("ChecksumType", version.checksum_type) != version.checksum_type:
        raise AwsError(
            "InvalidRequest",
            f"The upload was created using the {upload.checksum_type or 'null'} checksum mode. The complete request "
            "must use the same checksum mode.",
        )
    given = integrity.MEMBERS.intersection(request)
    if len(given) > 1:
        raise AwsError(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    for member in given:
        value = request[member]
        right = {version.checksum, version.checksum.partition("-")[0]}
        if member != f"Checksum{version.checksum_algorithm}" or value not in right:
            raise AwsError(
                "BadDigest",
                f"The {member.removeprefix('Checksum')} you specified did not match the calculated checksum.",
            )


def _check_part_checksums(upload: Upload, parts: Sequence[Part], listed: Sequence[Mapping[str, Any]]) -> None:
    wanted = upload.checksum_algorithm
    for part, entry in zip(parts, listed, strict=True):
        given = integrity.MEMBERS.intersection(entry)
        if upload.checksum_type == integrity.COMPOSITE and f"Checksum{wanted}" not in given:
            raise AwsError(
                "InvalidRequest",
                f"The upload was created using a {wanted.lower()} checksum. The complete request must include the "
                f"checksum for each part. It was missing for part {part.number} in the request.",
            )
        known = {
            f"Checksum{integrity.DEFAULT}": checksums.encode(part.crc64.to_bytes(8, "big")),
            f"Checksum{part.checksum_algorithm}": part.checksum,
        }
        if any(known.get(member) != entry[member] for member in given):
            raise _invalid_part(upload, entry)


def _hand_over(call: Call, bucket: Bucket, upload: Upload, parts: Mapping[int, Part], used: set[int]) -> None:
    """Takes the upload's rows away; its hold on the used blobs stands, and is the object's from now on."""
    tx, shelf = call.tx, bucket.shelf("p")
    for number, part in parts.items():
        tx.delete(shelf, multipart.part_key(upload.upload_id, number))
        if number in used and part.ref == upload.upload_id:
            continue
        if number in used:
            references.adopt(tx, multipart.blob_ids(part), upload.upload_id)
        multipart.drop_part(call, part)
    tx.delete(bucket.shelf("u"), multipart.upload_key(upload.key, upload.upload_id))


async def _completed_before(
    call: Call, bucket: Bucket, request: Mapping[str, Any], listed: Sequence[Mapping[str, Any]]
) -> Reply:
    """A completion whose answer was lost is repeated: it gets the same answer for as long as its object stands."""
    start = keys.pack(request["Key"])
    rows = await call.tx.scan(bucket.shelf("o"), start, keys.after(start), _VERSIONS_SEARCHED_MAX)
    for _, row in rows:
        version = decode_version(row)
        if version.ref == request["UploadId"] and version.etag == _etag_of_listed(listed):
            return _answer(call, bucket, request["Key"], version)
    raise multipart.no_such_upload(request["UploadId"])


def _etag_of_listed(listed: Sequence[Mapping[str, Any]]) -> str:
    try:
        return _etag([bytes.fromhex(_bare(entry["ETag"])) for entry in listed])
    except ValueError:
        return ""


def _etag(md5s: Sequence[bytes]) -> str:
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def _answer(call: Call, bucket: Bucket, key: str, version: Version) -> Reply:
    scheme = "https" if call.http.secure else "http"
    host = call.http.headers.get("host", f"s3.{bucket.region}.amazonaws.com")
    path = quote(key, safe="") if host.startswith(f"{bucket.name}.") else f"{bucket.name}/{quote(key, safe='')}"
    reply: Reply = {
        "Location": f"{scheme}://{host}/{path}",
        "Bucket": bucket.name,
        "Key": key,
        "ETag": f'"{version.etag}"',
        f"Checksum{version.checksum_algorithm}": version.checksum,
        "ChecksumType": version.checksum_type,
    }
    return reply | objects.new_version_member(version)


def _bare(etag: str) -> str:
    return etag.strip().strip('"')


def _store(blobs: Blobs, data: bytes) -> str:
    writer = blobs.new()
    try:
        writer.write(data)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise
