"""Rows of counts that `Tx.add` keeps: signed integers of eight bytes, big-endian, without the zeros at the end.

So a row depends on its counts alone, not on the additions that led there; and there is no row of zeros only.
"""

import struct
from collections.abc import Sequence

_COUNT_BYTES = 8


def read(row: bytes | None, count: int) -> tuple[int, ...]:
    """The row's first `count` counts; those it has not are 0."""
    found = _unpack(row)[:count]
    return found + (0,) * (count - len(found))


def plus(row: bytes | None, deltas: Sequence[int]) -> bytes | None:
    """The row after the addition; None when it is to be deleted. Raises OverflowError, and ValueError for other rows."""
    return pack(combine(_unpack(row), deltas))


def combine(one: Sequence[int], other: Sequence[int]) -> tuple[int, ...]:
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    return (*map(int.__add__, longer, shorter), *longer[len(shorter) :])


def pack(counts: Sequence[int]) -> bytes | None:
    kept = len(counts)
    while kept and not counts[kept - 1]:
        kept -= 1
    if not kept:
        return None
    try:
        return struct.pack(f">{kept}q", *counts[:kept])
    except struct.error as error:
        raise OverflowError(f"not eight bytes each: {counts}") from error


def _unpack(row: bytes | None) -> tuple[int, ...]:
    if row is None:
        return ()
    if len(row) % _COUNT_BYTES:
        raise ValueError(f"a row of {len(row)} bytes holds no counts")
    return struct.unpack(f">{len(row) // _COUNT_BYTES}q", row)
