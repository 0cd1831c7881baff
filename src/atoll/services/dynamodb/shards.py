"""A stream's shards, computed from time alone: no row is kept of them.

    range 0   | generation 0 | generation 1 | generation 2 ...     each the parent of the next
    range 1   | generation 0 | generation 1 | ...
    range 2     ^ created      ^ +4 hours     ^ +8 hours
    range 3

A range is a quarter of the hashes, so all changes of an item are in one line of shards, in the order of their commits. A
sequence number is a stamp in decimal, of 21 digits whatever its size: sorted as text or as numbers, they are in that order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from atoll.services.dynamodb.records import Stream
from atoll.store import stamps

RANGES = 4
GENERATION_SECONDS = 4 * 3600.0
KEPT_SECONDS = 24 * 3600.0
# A commit is stamped some time before it can be seen, and only then can be said that no more will come.
CLOSING_SECONDS = 10.0
# By when whoever wrote while the stream was still on has committed: it was disabled by a commit that came after theirs.
DISABLING_SECONDS = 60.0

_SEQUENCE_BASE = 10**20
_STAMP_END = 2 ** (8 * stamps.STAMP_BYTES)


@dataclass(frozen=True, slots=True)
class Shard:
    range: int
    generation: int
    start: int  # stamps: from start on, before end
    end: int
    closed: bool
    id: str
    parent_id: str | None

    @property
    def lo(self) -> bytes:
        return self.key(self.start)

    @property
    def hi(self) -> bytes:
        return self.key(self.end)

    def key(self, stamp: int) -> bytes:
        """Where the log has the change of this stamp, or would have it."""
        return bytes((self.range,)) + stamps.pack(stamp)


def stamp_of(key: bytes) -> int:
    """Of a key of the log."""
    return stamps.unpack(key[1:])


def sequence_number(stamp: int) -> str:
    return str(_SEQUENCE_BASE + stamp)


def stamp_of_sequence(text: str) -> int:
    """Raises ValueError for what is no sequence number of ours."""
    stamp = int(text) - _SEQUENCE_BASE if text.isascii() and text.isdecimal() else -1
    if not 0 <= stamp < _STAMP_END:
        raise ValueError(text)
    return stamp


def moment(seconds: float) -> int:
    """The least stamp of a moment."""
    return stamps.unpack(stamps.at(seconds))


def is_kept(stream: Stream, now: float) -> bool:
    return stream.enabled or stream.disabled > now - KEPT_SECONDS


def horizon(now: float) -> int:
    """Older changes are gone, be it that recovery still has them."""
    return moment(now - KEPT_SECONDS)


def listed(stream: Stream, now: float) -> list[Shard]:
    """All that may still hold records, in the order of their ids."""
    return [shard for shard in _all(stream, now) if shard.end > horizon(now)]


def find(stream: Stream, shard_id: str, now: float) -> Shard | None:
    return next((shard for shard in listed(stream, now) if shard.id == shard_id), None)


def get(stream: Stream, hash_range: int, generation: int, now: float) -> Shard:
    begin = _begin(stream, generation)
    end = begin + GENERATION_SECONDS
    closed = now >= end + CLOSING_SECONDS
    if not stream.enabled:
        end = min(end, stream.disabled + DISABLING_SECONDS)
        closed = True
    parent_id = _id(stream, hash_range, generation - 1) if generation else None
    return Shard(
        hash_range, generation, moment(begin), moment(end), closed, _id(stream, hash_range, generation), parent_id
    )


def _all(stream: Stream, now: float) -> Iterator[Shard]:
    last = now if stream.enabled else min(now, stream.disabled + DISABLING_SECONDS)
    generations = max(0, int((last - stream.created) // GENERATION_SECONDS)) + 1
    # What is older than a day need not be computed: a stream may be on for years.
    oldest = max(0, int((now - KEPT_SECONDS - stream.created) // GENERATION_SECONDS))
    for generation in range(oldest, generations):
        for hash_range in range(RANGES):
            yield get(stream, hash_range, generation, now)


def _begin(stream: Stream, generation: int) -> float:
    return stream.created + generation * GENERATION_SECONDS


def _id(stream: Stream, hash_range: int, generation: int) -> str:
    return f"shardId-{int(_begin(stream, generation) * 1000):020d}-{hash_range:08x}"
