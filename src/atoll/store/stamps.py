"""Stamps: eight bytes that grow with every commit, whatever process makes it. `Tx.append` ends its keys with one.

    54 bits  the commit's time, microseconds since 1970 (until the year 2540)
    10 bits  zeros, and room to count up within a microsecond

A stamp is above the last one even where the clock is not: then it is the last one plus one.
"""

STAMP_BYTES = 8
SHELF = b"cloud/stamps"
LAST = b"last"
"""The row that holds the last stamp given: written with the rows it was given to, so that it comes back with them."""

_COUNT_BITS = 10
_STAMP_MAX = 2 ** (8 * STAMP_BYTES) - 1


def at(seconds: float) -> bytes:
    """The least stamp of a moment: whatever was committed before it has a lower one."""
    return pack(min(_floor(seconds), _STAMP_MAX))


def time_of(stamp: bytes) -> float:
    """When it was given, Unix seconds."""
    return (unpack(stamp) >> _COUNT_BITS) / 1e6


def following(last: int, now: float) -> int:
    return max(last + 1, _floor(now))


def pack(stamp: int) -> bytes:
    return stamp.to_bytes(STAMP_BYTES, "big")


def unpack(stamp: bytes) -> int:
    assert len(stamp) == STAMP_BYTES, f"a stamp of {len(stamp)} bytes"
    return int.from_bytes(stamp, "big")


def _floor(seconds: float) -> int:
    # Rounded, not cut: at(time_of(stamp)) would else be a microsecond early where a float lies below its decimal.
    return max(0, round(seconds * 1e6)) << _COUNT_BITS
