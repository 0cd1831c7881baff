"""Shard iterators: tokens that hold all there is to know of a reader's position, so nothing is kept of readers.

    {stream ARN}|1|{base64 of msgpack and its digest}

The ARN stands open: it is what a caller is authorised for, and the digest binds the position to it. A forged token reads nothing
that its forger may not read, so the digest need not be secret: it tells damage. What it says is still a stranger's word.
"""

import base64
import hashlib
from typing import Annotated

import msgspec

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import shards
from atoll.services.dynamodb.refusals import validation

ITERATOR_SECONDS = 15 * 60.0
_DIGEST_BYTES = 12


class Position(msgspec.Struct, array_like=True):
    range: Annotated[int, msgspec.Meta(ge=0, lt=shards.RANGES)]
    generation: Annotated[int, msgspec.Meta(ge=0)]
    stamp: Annotated[int, msgspec.Meta(ge=0)]  # of the first change to be read
    issued: float  # Unix seconds
    # From the oldest there is, whatever that will be by then; what is trimmed meanwhile is nothing it asked for.
    from_horizon: bool = False


_decode = msgspec.msgpack.Decoder(Position).decode
_encode = msgspec.msgpack.Encoder().encode


def seal(arn: str, position: Position) -> str:
    packed = _encode(position)
    return f"{arn}|1|{base64.b64encode(packed + _digest(arn, packed)).decode()}"


def open_token(token: str, now: float) -> tuple[str, Position]:
    """The stream's ARN and the position. Raises AwsError."""
    arn, version, text = (*token.split("|"), "", "")[:3]
    position = _unsealed(arn, text) if version == "1" else None
    if position is None:
        raise validation("Invalid ShardIterator")
    if now - position.issued > ITERATOR_SECONDS:
        raise AwsError("ExpiredIteratorException", "The shard iterator has expired")
    return arn, position


def _unsealed(arn: str, text: str) -> Position | None:
    try:
        sealed = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is what b64decode says of text that is not ASCII.
        return None
    packed, digest = sealed[:-_DIGEST_BYTES], sealed[-_DIGEST_BYTES:]
    if digest != _digest(arn, packed):
        return None
    try:
        return _decode(packed)
    except msgspec.DecodeError:
        return None


def _digest(arn: str, packed: bytes) -> bytes:
    return hashlib.blake2b(arn.encode("utf-8", "surrogatepass") + b"|" + packed, digest_size=_DIGEST_BYTES).digest()
