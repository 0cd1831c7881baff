"""The checksums AWS clients send and ask for, computed piece by piece; and whole-object CRCs from those of the parts.

Bytes are taken as any C-contiguous buffer and never copied. Digests are big-endian bytes, as AWS base64-encodes them.
"""

import hashlib
import zlib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from awscrt import checksums as awscrt_checksums

Buffer = bytes | bytearray | memoryview

MD5, SHA1, SHA256 = "MD5", "SHA1", "SHA256"
CRC32, CRC32C, CRC64NVME = "CRC32", "CRC32C", "CRC64NVME"

DIGEST_BYTES = {CRC32: 4, CRC32C: 4, CRC64NVME: 8, SHA1: 20, SHA256: 32, MD5: 16}

# Annotated as `bytes` there, but any C-contiguous buffer is read in place (tested).
_crt: Any = awscrt_checksums

# zlib and not awscrt for CRC32: it is no slower, and lets other threads run meanwhile.
_CRC: dict[str, Callable[[Buffer, int], int]] = {CRC32: zlib.crc32, CRC32C: _crt.crc32c, CRC64NVME: _crt.crc64nvme}
_COMBINE: dict[str, Callable[[int, int, int], int]] = {
    CRC32: _crt.combine_crc32,
    CRC32C: _crt.combine_crc32c,
    CRC64NVME: _crt.combine_crc64nvme,
}
_HASH = {SHA1: "sha1", SHA256: "sha256", MD5: "md5"}


class Hasher(Protocol):
    def update(self, data: Buffer, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    __slots__ = ("_function", "_size_bytes", "_value")

    def __init__(self, algorithm: str) -> None:
        self._function = _CRC[algorithm]
        self._size_bytes = DIGEST_BYTES[algorithm]
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


def new(algorithm: str) -> Hasher:
    """`algorithm` as AWS names it: CRC32, CRC32C, CRC64NVME, SHA1, SHA256 or MD5."""
    if algorithm in _CRC:
        return _Crc(algorithm)
    return hashlib.new(_HASH[algorithm], usedforsecurity=False)


def compute(algorithm: str, data: Buffer) -> bytes:
    hasher = new(algorithm)
    hasher.update(data)
    return hasher.digest()


def crc64nvme(data: Buffer, previous: int = 0) -> int:
    """Also what Atoll's own storage checks its bytes with: the fastest of them at 64 bits."""
    value: int = _crt.crc64nvme(data, previous)
    return value


def encode(digest: bytes) -> str:
    return b64encode(digest).decode("ascii")


def decode(algorithm: str, text: str) -> bytes | None:
    """The digest a client wrote in base64; None when it cannot be one of this algorithm."""
    try:
        digest = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    return digest if len(digest) == DIGEST_BYTES[algorithm] else None


def can_combine(algorithm: str) -> bool:
    return algorithm in _COMBINE


def combine(algorithm: str, first: bytes, second: bytes, second_length_bytes: int) -> bytes:
    """The CRC of A + B, given those of A and of B and B's length: no byte of either is read again."""
    value = _COMBINE[algorithm](int.from_bytes(first, "big"), int.from_bytes(second, "big"), second_length_bytes)
    return value.to_bytes(DIGEST_BYTES[algorithm], "big")


def combine_all(algorithm: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The FULL_OBJECT checksum of a multipart upload, from each part's digest and length, in order."""
    whole = bytes(DIGEST_BYTES[algorithm])  # The CRC of no bytes is zero for all three.
    for digest, length_bytes in parts:
        whole = combine(algorithm, whole, digest, length_bytes)
    return whole


def composite(algorithm: str, digests: Iterable[bytes]) -> bytes:
    """The COMPOSITE checksum (and, for MD5, the ETag) of a multipart upload; AWS appends `-` and the number of parts."""
    return compute(algorithm, b"".join(digests))
