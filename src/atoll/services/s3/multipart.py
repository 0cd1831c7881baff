"""Multipart uploads before they are complete: begun, filled part by part, or given up.

An upload's row names what the object will be. A part's blob is held under the upload's id, which becomes the object's hold on
completion: ten thousand parts change hands without touching their references. A part that is a copy shares its blobs with others,
perhaps of this very upload, and so holds them under a name of its own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.blobs import references
from atoll.operation import Call, Reply
from atoll.services.s3 import acl, buckets, integrity, metadata, names, tag_sets, versions
from atoll.services.s3.ingest import Stored, ingest
from atoll.services.s3.integrity import Declared
from atoll.services.s3.records import Bucket, Part, Upload, decode_part, decode_upload, encode
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

PARTS_MAX = 10_000
PARTS_PER_TRANSACTION_MAX = 1000


@s3.write("CreateMultipartUpload")
async def create_multipart_upload(call: Call, request: "types.CreateMultipartUploadRequest") -> Reply:
    refuse_unsupported("CreateMultipartUpload", request)
    names.check_key(request["Key"])
    algorithm, kind = integrity.multipart_kind(request.get("ChecksumAlgorithm"), request.get("ChecksumType"))
    upload = Upload(
        request["Key"],
        _new_upload_id(call),
        versions.modified_at(call.now),
        checksum_algorithm=algorithm,
        checksum_type=kind,
        headers=metadata.given_headers(request),
        metadata=metadata.given_metadata(request),
        tags=tag_sets.given(request),
        initiator=call.identity.arn,
    )
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    acl.give(call, bucket, request, upload)
    call.tx.put(bucket.shelf("u"), upload_key(upload.key, upload.upload_id), encode(upload))
    reply: Reply = {"Bucket": bucket.name, "Key": upload.key, "UploadId": upload.upload_id}
    return reply | {"ChecksumAlgorithm": algorithm, "ChecksumType": kind} if algorithm else reply


@s3.stream("UploadPart")
async def upload_part(call: Call, request: "types.UploadPartRequest") -> Reply:
    refuse_unsupported("UploadPart", request)
    number = checked_part_number(request["PartNumber"])
    said = integrity.declared(request, call.http.headers)
    # No body is read for an upload that isn't there.
    _, upload = await call.read(lambda call: find_upload(call, request))
    stored = await ingest(call, request, keep=_kept_algorithm(upload, said))
    part = new_part(call, number, stored, upload.upload_id)
    await call.write(lambda call: put_part(call, request, part))
    reply: Reply = {"ETag": f'"{part.etag}"'}
    if said.algorithm or upload.checksum_algorithm:
        reply[f"Checksum{part.checksum_algorithm}"] = part.checksum
    return reply


@s3.stream("AbortMultipartUpload")
async def abort_multipart_upload(call: Call, request: "types.AbortMultipartUploadRequest") -> Reply:
    refuse_unsupported("AbortMultipartUpload", request)

    # Most uploads have few parts, and all goes in one transaction. The upload's row goes last: until then it can be found again.
    async def attempt(call: Call) -> bool:
        bucket, upload = await find_upload(call, request)
        start = keys.pack(upload.upload_id)
        rows = await call.tx.scan(bucket.shelf("p"), start, keys.after(start), PARTS_PER_TRANSACTION_MAX)
        for row_key, row in rows:
            call.tx.delete(bucket.shelf("p"), row_key)
            drop_part(call, decode_part(row))
        done = len(rows) < PARTS_PER_TRANSACTION_MAX
        if done:
            call.tx.delete(bucket.shelf("u"), upload_key(upload.key, upload.upload_id))
        return done

    while not await call.write(attempt):
        pass
    return {}


async def find_upload(call: Call, request: Mapping[str, Any]) -> tuple[Bucket, Upload]:
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    upload = await get_upload(call, bucket, request)
    if upload is None:
        raise no_such_upload(request["UploadId"])
    return bucket, upload


async def get_upload(call: Call, bucket: Bucket, request: Mapping[str, Any]) -> Upload | None:
    names.check_key(request["Key"])
    row = await call.tx.get(bucket.shelf("u"), upload_key(request["Key"], request["UploadId"]))
    return None if row is None else decode_upload(row)


def no_such_upload(upload_id: str) -> AwsError:
    return AwsError(
        "NoSuchUpload",
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
        "completed.",
        404,
        UploadId=upload_id,
    )


def upload_key(key: str, upload_id: str) -> bytes:
    return keys.pack(key, upload_id)


def part_key(upload_id: str, number: int) -> bytes:
    return keys.pack(upload_id, number)


def checked_part_number(number: int) -> int:
    if not 1 <= number <= PARTS_MAX:
        raise AwsError(
            "InvalidArgument",
            f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive",
            400,
            ArgumentName="partNumber",
            ArgumentValue=number,
        )
    return number


def new_part(call: Call, number: int, stored: Stored, ref: str) -> Part:
    return Part(
        number,
        stored.size,
        stored.etag,
        versions.modified_at(call.now),
        md5=stored.md5,
        checksum_algorithm=stored.checksum_algorithm,
        checksum=stored.checksum,
        inline=stored.inline or b"",
        pieces=stored.pieces,
        ref=ref if stored.pieces else "",
        crc64=stored.crc64,
    )


async def put_part(call: Call, request: Mapping[str, Any], part: Part) -> None:
    """In a transaction: adds the part, in place of an older one of its number."""
    bucket, upload = await find_upload(call, request)
    shelf, row_key = bucket.shelf("p"), part_key(upload.upload_id, part.number)
    replaced = await call.tx.get(shelf, row_key)
    if replaced is not None:
        drop_part(call, decode_part(replaced))
    references.adopt(call.tx, blob_ids(part), part.ref)
    call.tx.put(shelf, row_key, encode(part))


def drop_part(call: Call, part: Part) -> None:
    """Gives up a part's hold on its blobs."""
    references.drop(call.tx, blob_ids(part), part.ref, call.now)


def blob_ids(part: Part) -> list[str]:
    return sorted({piece.blob_id for piece in part.pieces})


def _new_upload_id(call: Call) -> str:
    # Led by the time: uploads of one key are listed in the order they were begun.
    return f"{int(call.now * 1_000_000):016x}{ids.new_hex(32)}"


def _kept_algorithm(upload: Upload, said: Declared) -> str:
    """Which checksum of a part is kept. An upload that was begun with an algorithm wants it of every part."""
    wanted = upload.checksum_algorithm
    if not wanted:
        return said.algorithm
    undeclared_is_fine = upload.checksum_type == integrity.FULL_OBJECT and not said.algorithm
    if said.algorithm != wanted and not undeclared_is_fine:
        raise AwsError(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {wanted.lower()}, "
            f"actual checksum Type: {said.algorithm.lower() or 'null'}",
        )
    return wanted
