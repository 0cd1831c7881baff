"""DynamoDB's numbers, values and places: that bytes sort as the things they stand for, and that sizes are AWS's."""

from base64 import b64encode
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import numbers, places, values
from atoll.services.dynamodb.records import Index, Table
from atoll.store import keys
from atoll.store.contract import KEY_BYTES_MAX

DIGITS = st.text("0123456789", min_size=1, max_size=38).map(lambda text: text.lstrip("0") or "0")
NUMBERS = st.builds(
    lambda sign, digits, magnitude: f"{sign}{digits}E{magnitude - len(digits) + 1}" if digits != "0" else "0",
    st.sampled_from(["", "-"]),
    DIGITS,
    st.integers(-130, 125),
)
SMALL = st.decimals(-1000, 1000, allow_nan=False, places=2).map(str)
CANONICAL = (NUMBERS | SMALL).map(numbers.normalise)
TEXTS = st.text("\0\1aé\U0001f600", max_size=6) | st.text(max_size=12).filter(lambda t: t.isprintable())
RAWS = st.binary(max_size=8) | st.text("\0\1\xff", max_size=5).map(lambda t: t.encode("latin-1"))


@given(NUMBERS | SMALL)
def test_a_canonical_number_is_the_same_number_in_plain_digits(text: str) -> None:
    canonical = numbers.normalise(text)
    assert Decimal(canonical) == Decimal(text)
    assert canonical == numbers.normalise(canonical)
    assert "E" not in canonical
    assert canonical == "0" or not canonical.startswith("-0") or canonical.startswith("-0.")


@given(CANONICAL, CANONICAL)
def test_encoded_numbers_sort_as_numbers_and_none_starts_another(a: str, b: str) -> None:
    first, second = numbers.encode(a), numbers.encode(b)
    assert (first < second) == (Decimal(a) < Decimal(b))
    assert (first == second) == (a == b)
    assert a == b or not first.startswith(second)
    assert len(first) <= 22


@given(SMALL, SMALL)
def test_sums_and_differences_are_exact(a: str, b: str) -> None:
    left, right = numbers.normalise(a), numbers.normalise(b)
    assert Decimal(numbers.add(left, right)) == Decimal(a) + Decimal(b)
    assert Decimal(numbers.subtract(left, right)) == Decimal(a) - Decimal(b)


@given(TEXTS, TEXTS)
def test_encoded_strings_sort_as_their_bytes_and_none_starts_another(a: str, b: str) -> None:
    first, second = places.encode_key("S", {"S": a}), places.encode_key("S", {"S": b})
    assert (first < second) == (a.encode() < b.encode())
    assert a == b or not first.startswith(second)
    assert first.startswith(places.open_key("S", {"S": b})) == a.startswith(b)
    sign = values.order({"S": a}, {"S": b})
    assert sign == (a.encode() > b.encode()) - (a.encode() < b.encode())


@given(RAWS, RAWS)
def test_encoded_binaries_sort_as_their_bytes_and_none_starts_another(a: bytes, b: bytes) -> None:
    left, right = ({"B": b64encode(raw).decode()} for raw in (a, b))
    first, second = places.encode_key("B", left), places.encode_key("B", right)
    assert (first < second) == (a < b)
    assert a == b or not first.startswith(second)
    assert values.order(left, right) == (a > b) - (a < b)


LEAVES = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    CANONICAL.map(lambda text: {"N": text}),
    RAWS.map(lambda raw: {"B": b64encode(raw).decode()}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
    st.lists(TEXTS, min_size=1, unique=True).map(lambda texts: {"SS": texts}),
    st.lists(CANONICAL, min_size=1, unique=True).map(lambda texts: {"NS": texts}),
    st.lists(RAWS.map(lambda raw: b64encode(raw).decode()), min_size=1, unique=True).map(lambda raws: {"BS": raws}),
)
VALUES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda found: {"L": found})
        | st.dictionaries(TEXTS.filter(bool), inner, max_size=3).map(lambda found: {"M": found})
    ),
    max_leaves=6,
)


@given(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4))
def test_the_size_told_when_an_item_is_taken_is_the_size_it_has(item: dict[str, Any]) -> None:
    assert values.take_item(item) == values.item_size(item)


@given(VALUES, VALUES)
def test_a_value_equals_itself_and_equal_values_have_one_size(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert values.equal(a, a)
    assert values.equal(a, b) == values.equal(b, a)
    if values.equal(a, b):
        assert values.value_size(a) == values.value_size(b)


@given(st.text("0123456789.eE+-x ", max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    canonical = "refused"
    with suppress(AwsError):
        canonical = numbers.normalise(text)
    assert canonical == "refused" or Decimal(canonical) == Decimal(text)


@pytest.fixture(scope="module")
def table() -> Table:
    return Table(
        name="t",
        id="",
        uid="0123456789abcdef",
        account="123456789012",
        region="ap-northeast-1",
        created=0,
        attributes={"p": "S", "c": "B", "g": "S", "h": "S", "r": "B", "s": "B", "t": "B", "u": "B"},
        hash="p",
        range="c",
    )


LONG = st.integers(1, 1024).map(lambda count: {"B": b64encode(bytes(count)).decode()})


@given(st.integers(1, 2048), st.tuples(LONG, LONG, LONG, LONG, LONG))
def test_every_place_fits_in_a_key_of_the_store(table: Table, count: int, parts: tuple[Any, ...]) -> None:
    item: dict[str, Any] = {
        "p": {"S": "\0" * count},
        "g": {"S": "x" * count},
        "h": {"S": "\0" * count},
        **dict(zip(("c", "r", "s", "t", "u"), parts, strict=True)),
    }
    index = Index("i", "0123456789abcdef", True, ["g", "h"], ["r", "s", "t", "u"], "KEYS_ONLY")
    found = places.entry(table, index, item)
    assert found is not None
    shelf_bytes = 64
    assert len(found[0]) + shelf_bytes <= KEY_BYTES_MAX
    assert len(places.place(table, item)) + shelf_bytes <= KEY_BYTES_MAX
    assert found[1] == item


@given(st.lists(TEXTS.filter(bool), min_size=2, max_size=2), st.lists(RAWS.filter(bool), min_size=2, max_size=2))
def test_rows_of_one_partition_start_with_it_and_sort_by_the_sort_key(
    table: Table, texts: list[str], raws: list[bytes]
) -> None:
    items = [
        {"p": {"S": text}, "c": {"B": b64encode(raw).decode()}} for text, raw in zip(texts, sorted(raws), strict=True)
    ]
    first, second = (places.place(table, item) for item in items)
    start = places.partition(["S"], [items[0]["p"]])
    assert first.startswith(start)
    assert second.startswith(start) == (texts[0] == texts[1])
    if texts[0] == texts[1]:
        assert (first < second) == (raws[0] != raws[1])


@given(st.integers(1, 1_000_000), st.binary(min_size=4, max_size=4))
def test_every_hash_is_in_one_segment(total: int, found: bytes) -> None:
    guess = int.from_bytes(found, "big") * total // 2**32
    inside = []
    for segment in range(max(0, guess - 1), min(total, guess + 2)):
        lo, hi = places.hash_bounds(segment, total)
        if lo <= found and (hi is None or found < hi):
            inside.append(segment)
    assert len(inside) == 1
    assert places.hash_bounds(0, total)[0] in (b"", b"\0\0\0\0")
    assert places.hash_bounds(total - 1, total)[1] is None


def test_a_prefix_ends_before_what_does_not_start_with_it() -> None:
    lo = places.open_key("S", {"S": "ab"})
    hi = keys.after(lo)
    inside = [
        text for text in ("aa", "ab", "ab\0", "abc", "ac") if lo <= places.encode_key("S", {"S": text}) < (hi or b"")
    ]
    assert inside == ["ab", "ab\0", "abc"]
