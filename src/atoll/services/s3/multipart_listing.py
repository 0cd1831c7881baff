"""ListParts and ListMultipartUploads: pages over the rows of unfinished uploads."""

from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.s3 import buckets, multipart, names
from atoll.services.s3.listing import Question, behind
from atoll.services.s3.records import Bucket, Part, Upload, decode_part, decode_upload
from atoll.services.s3.refusals import refuse_unsupported
from atoll.services.s3.service import s3
from atoll.store import Reader, keys

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

PARTS_PER_PAGE_MAX = 1000
UPLOADS_PER_PAGE_MAX = 1000


@s3.read("ListParts")
async def list_parts(call: Call, request: "types.ListPartsRequest") -> Reply:
    refuse_unsupported("ListParts", request)
    most = checked_most(request.get("MaxParts"), PARTS_PER_PAGE_MAX, "max-parts")
    marker = checked_marker(request.get("PartNumberMarker"))
    bucket, upload = await multipart.find_upload(call, request)
    lo, hi = multipart.part_key(upload.upload_id, marker + 1), keys.after(keys.pack(upload.upload_id))
    rows = await call.tx.scan(bucket.shelf("p"), lo, hi, most + 1)
    parts = [decode_part(row) for _, row in rows[:most]]
    reply: Reply = {
        "Bucket": bucket.name,
        "Key": upload.key,
        "UploadId": upload.upload_id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": parts[-1].number if parts else 0,
        "MaxParts": most,
        "IsTruncated": len(rows) > most,
        "Parts": [_part_entry(upload, part) for part in parts],
        **_people(upload),
        "StorageClass": upload.storage_class or "STANDARD",
    }
    return reply | _algorithm(upload)


@s3.read("ListMultipartUploads")
async def list_multipart_uploads(call: Call, request: "types.ListMultipartUploadsRequest") -> Reply:
    refuse_unsupported("ListMultipartUploads", request)
    most = checked_most(request.get("MaxUploads"), UPLOADS_PER_PAGE_MAX, "max-uploads")
    bucket = await buckets.find(call, request["Bucket"], request.get("ExpectedBucketOwner"))
    question = Question({**request, "MaxKeys": most})
    # Without a key marker an upload id marker means nothing, and AWS passes over it.
    key_marker = request.get("KeyMarker") or ""
    id_marker = (request.get("UploadIdMarker") or "") if key_marker else ""
    lo = question.after(key_marker)
    if id_marker:
        lo = max(question.lo, multipart.upload_key(key_marker, id_marker) + b"\x00")
    page = UploadsPage(question, lo)
    await page.fill(call.tx, bucket)
    reply: Reply = {
        "Bucket": bucket.name,
        "KeyMarker": question.shown(key_marker.encode()),
        "UploadIdMarker": id_marker,
        "Prefix": question.shown(question.prefix),
        "MaxUploads": most,
        "IsTruncated": page.truncated,
        "Uploads": page.uploads,
        "CommonPrefixes": page.prefixes,
    }
    if page.truncated:
        reply["NextKeyMarker"] = question.shown(page.last)
        reply["NextUploadIdMarker"] = page.last_id
    if question.delimiter:
        reply["Delimiter"] = question.shown(question.delimiter)
    return reply | {"EncodingType": question.encoding} if question.encoding else reply


class UploadsPage:
    """One page of uploads, by key and then by when they were begun."""

    def __init__(self, question: Question, lo: bytes) -> None:
        self.question = question
        self.lo = lo
        self.room = question.most
        self.uploads: list[dict[str, Any]] = []
        self.prefixes: list[dict[str, Any]] = []
        self.last = b""  # The key or common prefix that came last.
        self.last_id = ""
        self.truncated = False

    async def fill(self, tx: Reader, bucket: Bucket) -> None:
        if self.room == 0:
            return
        while not self.truncated:
            # One more than there is room for tells whether there is another page.
            rows = await tx.scan(bucket.shelf("u"), self.lo, self.question.hi, self.room + 1)
            whole = self._take([row for _, row in rows])
            if whole and len(rows) <= self.room:
                return

    def _take(self, rows: list[bytes]) -> bool:
        """False when it stopped at a common prefix: what the prefix stands for is passed over by the next scan."""
        question = self.question
        for row in rows:
            upload = decode_upload(row)
            raw = upload.key.encode()
            if self.room == 0:
                self.truncated = True
                return True
            self.room -= 1
            self.last = raw
            at = raw.find(question.delimiter, len(question.prefix)) if question.delimiter else -1
            if at >= 0:
                self.last, self.last_id = raw[: at + len(question.delimiter)], ""
                self.prefixes.append({"Prefix": question.shown(self.last)})
                self.lo = behind(keys.open_text(self.last))
                return False
            self.last_id = upload.upload_id
            self.uploads.append(_upload_entry(question, upload))
            self.lo = multipart.upload_key(upload.key, upload.upload_id) + b"\x00"
        return True


def checked_most(most: int | None, page_max: int, name: str) -> int:
    if most is None:
        return page_max
    if not 0 <= most <= 2**31 - 1:
        raise AwsError(
            "InvalidArgument",
            f"Argument {name} must be an integer between 0 and 2147483647",
            400,
            ArgumentName=name,
            ArgumentValue=most,
        )
    return min(most, page_max)


def checked_marker(marker: int | str | None) -> int:
    text = str(marker or 0)
    if not text.isascii() or not text.isdigit() or int(text) > 2**31 - 1:
        raise AwsError(
            "InvalidArgument",
            "Argument part-number-marker must be an integer between 0 and 2147483647",
            400,
            ArgumentName="part-number-marker",
            ArgumentValue=marker,
        )
    return int(text)


def _part_entry(upload: Upload, part: Part) -> dict[str, Any]:
    entry = {
        "PartNumber": part.number,
        "LastModified": part.modified,
        "ETag": f'"{part.etag}"',
        "Size": part.size,
    }
    return entry | {f"Checksum{part.checksum_algorithm}": part.checksum} if upload.checksum_algorithm else entry


def _upload_entry(question: Question, upload: Upload) -> dict[str, Any]:
    return {
        "UploadId": upload.upload_id,
        "Key": question.shown(upload.key.encode()),
        "Initiated": upload.initiated,
        "StorageClass": upload.storage_class or "STANDARD",
        **_people(upload),
        **_algorithm(upload),
    }


def _people(upload: Upload) -> dict[str, Any]:
    """A user of IAM is told by ARN; who signs as the account itself, like the owner, by its canonical id."""
    owner = names.owner(upload.owner)
    initiator = owner
    if upload.initiator and not upload.initiator.endswith(":root"):
        initiator = {"ID": upload.initiator, "DisplayName": upload.initiator.rpartition("/")[2]}
    return {"Owner": owner, "Initiator": initiator}


def _algorithm(upload: Upload) -> dict[str, str]:
    if not upload.checksum_algorithm:
        return {}
    return {"ChecksumAlgorithm": upload.checksum_algorithm, "ChecksumType": upload.checksum_type}
