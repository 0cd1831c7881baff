"""S3's rows: their keys, their shapes, and how they are read and written.

    shelf (p)                          key (k)                                  record
    global/s3/buckets                  pack(name)                               Bucket        (names are unique in the cloud)
    {account}/global/s3/owned          pack(name)                               Bucket        (ListBuckets: as it was made)
    {account}/{region}/s3/o/{bucket}   pack(key) + order                        Version       (newest version first)
    {account}/{region}/s3/d/{bucket}   pack(key) + order                        inline bytes  (objects up to INLINE_BYTES_MAX)
    {account}/{region}/s3/n/{bucket}   pack(key)                                order, 8 bytes (of a null version made while suspended)
    {account}/{region}/s3/u/{bucket}   pack(key, upload id)                     Upload
    {account}/{region}/s3/p/{bucket}   pack(upload id) + part number (8 bytes)  Part
    {account}/{region}/s3/a/{bucket}   pack("policy")                           Document      (the bucket's policy)
    {account}/{region}/s3/c/{bucket}   pack("cors")                             cors.Rule...  (the bucket's rules for browsers)
    blobs/refs                         pack(blob id, owner)                     b""           (a blob lives while it has one)
    blobs/dropped                      pack(time in ms) + pack(blob id)         b""           (the sweeper looks whether it has none)

The last two are kept by blobs.references.

`bucket` on a shelf is the bucket's random id, so a bucket made again under an old name starts empty.

order is eight bytes: (2**64 - 1) - microseconds at which the version was made, so the newest sorts first; the "null" version of a
bucket that has never been versioned has ORDER_UNVERSIONED, the last place of all, so that overwriting it needs no search.
The row with the least order is the current version; it may be a delete marker. All rows of one key are kept strictly ordered: a new
version takes `min(now, one before the current)` (see versions.next_order), so clocks that step back change nothing.
"""

from enum import IntFlag
from typing import Any

import msgspec

from atoll.store import keys

INLINE_BYTES_MAX = 16 * 1024
KEY_BYTES_MAX = 1024
ORDER_UNVERSIONED = 2**64 - 1
NULL_VERSION = "null"

BUCKETS = b"global/s3/buckets"
CORS_ROW = keys.pack("cors")
BUCKET_OWNER_ENFORCED = "BucketOwnerEnforced"
NOT_BLOCKED = -1

Grants = list[tuple[str, str]]
"""Of an ACL: grantee (a canonical id, or a group's URI) and permission."""


class Block(IntFlag):
    """The switches of a public access block, named as the members of PublicAccessBlockConfiguration."""

    BlockPublicAcls = 1
    IgnorePublicAcls = 2
    BlockPublicPolicy = 4
    RestrictPublicBuckets = 8


class Bucket(msgspec.Struct, array_like=True, omit_defaults=True):
    name: str
    id: str
    account: str
    region: str
    created: float  # Unix seconds
    versioning: str = ""  # "", "Enabled" or "Suspended"
    tags: list[tuple[str, str]] = []
    ownership: str = BUCKET_OWNER_ENFORCED  # "" where the controls were deleted: as ObjectWriter
    blocked: int = 15  # Blocks, all of them; NOT_BLOCKED where the block was deleted
    acl: Grants | None = None  # None: its owner has FULL_CONTROL
    has_policy: bool = False

    def blocks(self, what: Block) -> bool:
        return self.blocked != NOT_BLOCKED and bool(self.blocked & what)

    def shelf(self, kind: str) -> bytes:
        """kind: a, c, d, n, o, p or u (see the table above)."""
        return f"{self.account}/{self.region}/s3/{kind}/{self.id}".encode()


class Piece(msgspec.Struct, array_like=True):
    """Bytes [offset, offset + length) of a blob, in their place within an object."""

    blob_id: str
    offset: int
    length: int


class PartFacts(msgspec.Struct, array_like=True, omit_defaults=True):
    """What GetObjectAttributes and GET ?partNumber= tell of one part of a completed multipart object."""

    number: int
    size: int
    checksum: str = ""  # base64, of the object's checksum algorithm


class Version(msgspec.Struct, array_like=True, omit_defaults=True):
    """One version of an object, or a delete marker. Where the bytes are: `inline` (row in shelf d), or `pieces`, in order."""

    version_id: str  # "null" or 32 characters
    modified: str  # ISO 8601 with milliseconds, as listings show it: 2026-11-22T14:35:36.000Z
    size: int = 0
    etag: str = ""  # without quotes
    delete_marker: bool = False
    owner: str = ""  # account id
    storage_class: str = ""  # "" is STANDARD
    checksum_algorithm: str = ""  # CRC32, CRC32C, CRC64NVME, SHA1, SHA256 or ""
    checksum: str = ""  # base64 (COMPOSITE ones end in -N)
    checksum_type: str = ""  # FULL_OBJECT, COMPOSITE or ""
    inline: bool = False
    crc64: int = 0  # of inline bytes, checked at each read; blobs carry their own
    pieces: list[Piece] = []
    parts: list[PartFacts] = []
    headers: dict[str, str] = {}  # Request member names: ContentType, CacheControl, ContentDisposition, Expires...
    metadata: dict[str, str] = {}  # x-amz-meta-*, lower-case names without the prefix
    tags: list[tuple[str, str]] = []
    ref: str = ""  # this version's name in blobs/refs
    acl: Grants | None = None  # None: its owner has FULL_CONTROL


class Upload(msgspec.Struct, array_like=True, omit_defaults=True):
    key: str
    upload_id: str
    initiated: str  # ISO 8601
    owner: str = ""
    storage_class: str = ""
    checksum_algorithm: str = ""
    checksum_type: str = ""
    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: list[tuple[str, str]] = []
    initiator: str = ""  # ARN
    acl: Grants | None = None  # of the object to be


class Part(msgspec.Struct, array_like=True, omit_defaults=True):
    number: int
    size: int
    etag: str
    modified: str
    md5: bytes = b""
    checksum_algorithm: str = ""
    checksum: str = ""
    inline: bytes = b""  # parts up to INLINE_BYTES_MAX
    pieces: list[Piece] = []
    ref: str = ""  # The upload's id; of a part that is a copy, and so shares its blobs, a name of its own.
    crc64: int = 0


class Document(msgspec.Struct, array_like=True, omit_defaults=True):
    """A bucket's policy. A user or role it names is remembered by its id: a name made again is not the one that was meant."""

    text: str
    known: dict[str, str] = {}  # ARN -> unique id


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type, Any] = {
    shape: msgspec.msgpack.Decoder(shape) for shape in (Bucket, Version, Upload, Part, Document)
}


def encode(record: Bucket | Version | Upload | Part | Document) -> bytes:
    return _encoder.encode(record)


decode_bucket = _decoders[Bucket].decode
decode_version = _decoders[Version].decode
decode_upload = _decoders[Upload].decode
decode_part = _decoders[Part].decode
decode_document = _decoders[Document].decode


def version_key(key: str, order: int) -> bytes:
    return keys.pack(key, order)
