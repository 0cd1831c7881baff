"""Where rows of items and of index entries lie: keys whose bytes sort as DynamoDB's keys do, and short enough for every store.

    item   hash (4)   partition key   sort key
    entry  hash (4)   index's partition key(s)   index's sort key(s)   place of its item, or the place's SHA-256 when it is long

    S  its UTF-8, 00 -> 00 FF, ended by 00 01       B  the same of its bytes       N  see `numbers`
    partition keys of more than 96 bytes: 00 02 and the SHA-256 of what they would be

The hash is of the partition key as it is encoded. Sort keys of an index that together take more than 2,200 bytes are cut, and end in
the SHA-256 of them all: such entries sort right as far as they differ in the first 2,168 bytes, and behind that in no order.
"""

from base64 import b64decode
from collections.abc import Sequence
from hashlib import blake2b, sha256

from atoll.services.dynamodb import numbers, values
from atoll.services.dynamodb.records import Index, Item, Table, Value
from atoll.store import keys

HASH_BYTES = 4
PARTITION_KEY_BYTES_MAX = 2048
SORT_KEY_BYTES_MAX = 1024
_PARTITION_BYTES_MAX = 96
_RANGE_BYTES_MAX = 2200
_DIGEST_BYTES = 32
RANGE_BYTES_KEPT = _RANGE_BYTES_MAX - _DIGEST_BYTES
_PLACE_BYTES_MAX = 200
_DIGEST_FOLLOWS = b"\x00\x02"
_HASHES = 1 << (8 * HASH_BYTES)


def encode_key(kind: str, value: Value) -> bytes:
    """Of a key attribute's value that has been taken."""
    if kind == "S":
        return keys.pack(value["S"])
    if kind == "N":
        return numbers.encode(value["N"])
    return keys.pack(b64decode(value["B"]))


def open_key(kind: str, value: Value) -> bytes:
    """The bytes with which every key that begins with `value` is encoded."""
    return keys.open_text(value["S"] if kind == "S" else b64decode(value["B"]))


def partition(kinds: Sequence[str], parts: Sequence[Value]) -> bytes:
    """The bytes with which every row of a partition starts."""
    return _partition(b"".join(map(encode_key, kinds, parts)))


def _partition(encoded: bytes) -> bytes:
    start = blake2b(encoded, digest_size=HASH_BYTES).digest()
    if len(encoded) > _PARTITION_BYTES_MAX:
        return start + _DIGEST_FOLLOWS + sha256(encoded).digest()
    return start + encoded


def place(table: Table, item: Item) -> bytes:
    """Where an item lies, given it or its key."""
    name = table.hash
    start = _partition(encode_key(table.attributes[name], item[name]))
    name = table.range or ""
    return start + encode_key(table.attributes[name], item[name]) if name else start


def sort_part(encoded: bytes) -> bytes:
    """An index's sort keys, each encoded, as they stand in an entry's place."""
    if len(encoded) <= _RANGE_BYTES_MAX:
        return encoded
    return encoded[:RANGE_BYTES_KEPT] + sha256(encoded).digest()


def entry(table: Table, index: Index, item: Item) -> tuple[bytes, Item] | None:
    """The place of an item's entry in an index and what the index keeps of it. None: the item is not in the index."""
    kinds = table.attributes
    if not all(_fits(kinds[name], item.get(name), PARTITION_KEY_BYTES_MAX) for name in index.hash):
        return None
    if not all(_fits(kinds[name], item.get(name), SORT_KEY_BYTES_MAX) for name in index.range):
        return None
    start = _partition(b"".join(encode_key(kinds[name], item[name]) for name in index.hash))
    order = sort_part(b"".join(encode_key(kinds[name], item[name]) for name in index.range))
    return start + order + _item_part(place(table, item)), projected(table, index, item)


def _fits(kind: str, value: Value | None, bytes_max: int) -> bool:
    """Whether a value can be an index's key. Writes refuse one that can't, but items may be older than the index."""
    if value is None or kind not in value:
        return False
    return kind == "N" or 0 < values.value_size(value) <= bytes_max


def _item_part(item_place: bytes) -> bytes:
    return item_place if len(item_place) <= _PLACE_BYTES_MAX else sha256(item_place).digest()


def entry_place(index_start: bytes, sort_keys: bytes, item_place: bytes) -> bytes:
    """From a `partition`, the encoded sort keys and an item's place: where a paged query goes on."""
    return index_start + sort_part(sort_keys) + _item_part(item_place)


def projected(table: Table, index: Index, item: Item) -> Item:
    if index.projection == "ALL":
        return item
    kept = {*table.key_names, *index.hash, *index.range, *index.include}
    return {name: value for name, value in item.items() if name in kept}


def shard_of(item_place: bytes) -> int:
    """0 to 3: the upper two bits of the hash."""
    return item_place[0] >> 6


def hash_bounds(segment: int, total: int) -> tuple[bytes, bytes | None]:
    """Where a segment of a parallel scan starts and ends."""
    return _hash_from(segment, total) or b"", _hash_from(segment + 1, total)


def _hash_from(segment: int, total: int) -> bytes | None:
    first = -(-segment * _HASHES // total)
    return first.to_bytes(HASH_BYTES, "big") if first < _HASHES else None
