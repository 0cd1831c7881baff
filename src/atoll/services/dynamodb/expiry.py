"""When an item expires: the key of its row on the table's expiry shelf, which the write path keeps and the sweeper pops."""

from decimal import Decimal

from atoll.services.dynamodb.records import Item, Table

SECONDS_BYTES = 8
_SECONDS_MAX = 2**63 - 1


def at(seconds: float) -> bytes:
    """Every row of an earlier second sorts below it, every row of this one and later above."""
    return max(0, int(seconds)).to_bytes(SECONDS_BYTES, "big")


def row_key(table: Table, item: Item, place: bytes) -> bytes | None:
    """None where TTL is off, or the attribute is no number that could be a time: such an item stays."""
    if table.ttl is None:
        return None
    number = item.get(table.ttl, {}).get("N")
    if number is None:
        return None
    exact = Decimal(number)
    # Compared before it is made an integer: 1E+125 has as many digits.
    return at(int(exact)) + place if 0 <= exact <= _SECONDS_MAX else None


def place_of(key: bytes) -> bytes:
    return key[SECONDS_BYTES:]
