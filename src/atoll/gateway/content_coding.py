"""gzip and deflate: request bodies undone, within a limit, and replies that are worth it done, as their client wishes.

Anything above INLINE_BYTES_MAX is worked on by a thread: zlib lets go of the interpreter's lock.
"""

import asyncio
import math
import zlib
from functools import lru_cache
from typing import Final

COMPRESSED_BYTES_MIN: Final = 4096  # A smaller reply is sent as it is: DynamoDB's own threshold.
INLINE_BYTES_MAX: Final = 32 * 1024
_MEMBERS_MAX: Final = 256  # Behind each, what is left of the body is copied: of empty ones there could be a million.
_LEVEL: Final = 4  # Half the time of zlib's usual 6, for a few hundredths more bytes.
_GZIP_BITS: Final = 31
_ZLIB_BITS: Final = 15
_WISH_CHARACTERS_MAX: Final = 256
_BITS: Final = {"gzip": _GZIP_BITS, "deflate": _ZLIB_BITS}


class Undecodable(Exception):
    """The body is not what its Content-Encoding says, or that is no coding we know."""


class TooLong(Exception):
    """Of what comes out."""


async def decoded(body: bytes, coding: str, limit: int) -> bytes:
    """Raises Undecodable, TooLong."""
    bits = _BITS.get(coding.strip().lower())
    if bits is None:
        raise Undecodable(coding)
    return await asyncio.to_thread(_decode, body, bits, limit)  # Few bytes may become many.


def _decode(body: bytes, bits: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    left = limit
    for _ in range(_MEMBERS_MAX):
        inflating = zlib.decompressobj(bits)
        try:
            piece = inflating.decompress(body, left + 1)
        except zlib.error as error:
            raise Undecodable from error
        left -= len(piece)
        if left < 0:
            raise TooLong
        if not inflating.eof:
            raise Undecodable
        pieces.append(piece)
        body = inflating.unused_data
        if not body:
            return b"".join(pieces)
        if bits == _ZLIB_BITS:
            raise Undecodable  # Only gzip's members may follow each other (RFC 1952, 2.2).
    raise Undecodable


async def encoded(body: bytes, coding: str) -> bytes:
    if len(body) <= INLINE_BYTES_MAX:
        return _encode(body, _BITS[coding])
    return await asyncio.to_thread(_encode, body, _BITS[coding])


def _encode(body: bytes, bits: int) -> bytes:
    deflating = zlib.compressobj(_LEVEL, zlib.DEFLATED, bits)
    return deflating.compress(body) + deflating.flush()


def wished(accept_encoding: str) -> str | None:
    """gzip, deflate or None, as AWS reads Accept-Encoding: leniently, and without regard to identity."""
    read = _wished if len(accept_encoding) <= _WISH_CHARACTERS_MAX else _wished.__wrapped__
    return read(accept_encoding)


@lru_cache(maxsize=256)
def _wished(accept_encoding: str) -> str | None:
    weights: dict[str, float] = {}
    for entry in accept_encoding.lower().split(","):
        name, _, parameters = entry.partition(";")
        coding = name.strip()
        if coding in _BITS or coding == "*":
            weights[coding] = max(weights.get(coding, 0.0), _weight(parameters))
    any_other = weights.pop("*", 0.0)
    for coding in _BITS:
        weights.setdefault(coding, any_other)  # After those that were named: they win a draw.
    best = max(weights, key=weights.__getitem__)
    return best if weights[best] > 0 else None


def _weight(parameters: str) -> float:
    """AWS takes the first `q=` wherever it stands, and what is not a number for 1."""
    _, found, rest = parameters.partition("q=")
    if not found:
        return 1.0
    try:
        weight = float(rest.partition(";")[0])
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(weight) else min(1.0, max(0.0, weight))
