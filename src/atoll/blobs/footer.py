"""The last bytes of a blob's file, by which it proves itself.

    0   magic     8 bytes
    8   version   4 bytes, big-endian, as all that follow
    12  length    8 bytes   of what stands before the footer
    20  crc64     8 bytes   CRC64NVME of the same
    28  crc32     4 bytes   of the 28 bytes above

A footer, not a header: byte 0 of the file is the blob's byte 0, so the kernel can send the file as it lies.
"""

import struct
import zlib

FOOTER_BYTES = 32
_MAGIC = b"ATOLLBLB"
_VERSION = 1
_FIELDS = struct.Struct(">8sIQQ")


def pack(length: int, crc64: int) -> bytes:
    fields = _FIELDS.pack(_MAGIC, _VERSION, length, crc64)
    return fields + zlib.crc32(fields).to_bytes(4, "big")


def unpack(raw: bytes) -> tuple[int, int] | None:
    """(length, crc64), or None when this is no footer of ours."""
    if len(raw) != FOOTER_BYTES or zlib.crc32(raw[:-4]) != int.from_bytes(raw[-4:], "big"):
        return None
    magic, version, length, crc64 = _FIELDS.unpack(raw[:-4])
    return (length, crc64) if magic == _MAGIC and version == _VERSION else None
