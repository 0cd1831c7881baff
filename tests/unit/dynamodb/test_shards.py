"""A stream's shards and sequence numbers, as time alone makes them."""

import pytest

from atoll.services.dynamodb import shards
from atoll.services.dynamodb.records import Stream

CREATED = 1_800_000_000.0
HOUR = 3600.0


def stream(**more: object) -> Stream:
    return Stream("label", "NEW_IMAGE", created=CREATED, **more)  # type: ignore[arg-type]


def test_a_new_stream_has_four_open_shards_without_parents():
    found = shards.listed(stream(), CREATED)
    assert [shard.range for shard in found] == [0, 1, 2, 3]
    assert {(shard.generation, shard.parent_id, shard.closed) for shard in found} == {(0, None, False)}
    assert found[0].id == "shardId-00000001800000000000-00000000"


def test_every_four_hours_each_shard_gets_a_child_that_starts_where_it_ends():
    now = CREATED + 9 * HOUR
    found = shards.listed(stream(), now)
    assert [(shard.generation, shard.range) for shard in found] == [(g, r) for g in range(3) for r in range(4)]
    by_id = {shard.id: shard for shard in found}
    for shard in found[4:]:
        assert shard.parent_id is not None
        parent = by_id[shard.parent_id]
        assert (parent.range, parent.end) == (shard.range, shard.start)
    assert [shard.closed for shard in found] == [True] * 8 + [False] * 4
    assert [shard.id for shard in found] == sorted(by_id)


def test_a_shard_is_closed_only_when_no_commit_can_be_on_its_way_any_more():
    end = CREATED + 4 * HOUR
    first = shards.listed(stream(), end)[0]
    assert (first.generation, first.closed) == (0, False)
    assert shards.listed(stream(), end + shards.CLOSING_SECONDS)[0].closed


def test_shards_older_than_a_day_are_gone():
    now = CREATED + 24 * HOUR * 400 + HOUR
    found = shards.listed(stream(), now)
    assert len(found) == 7 * 4
    assert found[0].end > shards.horizon(now)
    assert shards.find(stream(), found[0].id, now) == found[0]
    assert shards.find(stream(), found[0].parent_id or "", now) is None


def test_a_disabled_streams_shards_are_all_closed_and_get_no_children():
    off = stream(enabled=False, disabled=CREATED + 5 * HOUR)
    found = shards.listed(off, CREATED + 20 * HOUR)
    assert [shard.generation for shard in found] == [0] * 4 + [1] * 4
    assert all(shard.closed for shard in found)
    assert shards.is_kept(off, CREATED + 28 * HOUR)
    assert not shards.is_kept(off, CREATED + 30 * HOUR)


def test_sequence_numbers_have_21_digits_and_the_order_of_stamps():
    stamps = [0, 1, shards.moment(CREATED), 2**64 - 1]
    numbers = [shards.sequence_number(stamp) for stamp in stamps]
    assert {len(number) for number in numbers} == {21}
    assert numbers == sorted(numbers)
    assert [shards.stamp_of_sequence(number) for number in numbers] == stamps


@pytest.mark.parametrize("text", ["5", "1" * 40, "١" * 21, "-" + "1" * 21, "x" * 21, "1e20", str(10**20 + 2**64)])
def test_other_texts_are_no_sequence_numbers(text):
    with pytest.raises(ValueError):
        shards.stamp_of_sequence(text)
