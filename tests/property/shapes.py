"""Values for botocore's shapes: what hypothesis builds, and how two of them are compared."""

import math
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape
from hypothesis import strategies as st

DEPTH_MAX = 4
ITEMS_MAX = 2

# What every protocol can carry: XML 1.0 has no control characters, and reads CR LF as one LF.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
)
KEYS = st.text(st.sampled_from("abcXYZ019-_.:/ &<é☃"), min_size=1, max_size=8)
# A header's ends are trimmed, and a comma in a list of them separates.
HEADER_TEXT = st.text(st.sampled_from("abcXYZ019-_.:/=+&<>'"), min_size=1, max_size=12)
HEADER_NAMES = st.text(st.sampled_from("abcxyz019-"), min_size=1, max_size=8)
PATH_TEXT = st.text(st.sampled_from("abcXYZ019-_.~ %?#&+é☃"), min_size=1, max_size=10).filter(
    lambda t: t not in (".", "..")
)
# Every format has these exactly: whole milliseconds, years of four digits.
SECONDS = st.integers(0, 4_000_000_000)
TIMES = SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
TIMES_MS = st.tuples(SECONDS, st.integers(0, 999)).map(
    lambda pair: datetime.fromtimestamp(pair[0], UTC).replace(microsecond=pair[1] * 1000)
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
# What a member's pattern allows. Members of other patterns get any text: their codecs do not look.
NAMES = "abcXYZ019_.-"
PATTERNS: dict[str, st.SearchStrategy[str]] = {
    "[a-zA-Z0-9_.-]+": st.text(st.sampled_from(NAMES), min_size=3, max_size=12),
    "^[^\\$]+$": st.text(st.sampled_from("abc- /"), min_size=1, max_size=12),
    "^[a-z0-9A-Z]+[\\.\\-\\w]*[a-z0-9A-Z]+$": st.text(st.sampled_from("ab0"), min_size=2, max_size=12),
    "[0-9]{12}": st.text(st.sampled_from("019"), min_size=12, max_size=12),
    "[,;:|\\t ]": st.sampled_from(",;:| "),
    "[\\x20-\\x21\\x23-\\x2B\\x2D-\\x7E]*": st.text(st.sampled_from("ab0"), min_size=1, max_size=12),
    "([0-9a-f]{16})+": st.just("0123456789abcdef" * 7),
    "\\p{Print}+": st.text(st.sampled_from("ab0"), min_size=1, max_size=12),
}
# A table's name or ARN: a limit that the model does not tell.
NAMED = {"TableArn": st.text(st.sampled_from(NAMES), min_size=3, max_size=12)}
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": FLOATS,
    "double": FLOATS,
    "blob": st.binary(max_size=12),
    "timestamp": TIMES_MS,
    "string": TEXT,
    "character": TEXT,
}


def values_of(shape: Shape | None, depth: int = 0) -> st.SearchStrategy[Any]:
    """Any value of the shape. Structures and lists inside are not empty: forms can't tell those from absent ones."""
    if shape is None:
        return st.just({})
    if shape.type_name == "structure":
        return _structures(shape, depth)
    if shape.type_name == "list":
        return st.lists(values_of(shape.member, depth + 1), min_size=1, max_size=ITEMS_MAX)
    if shape.type_name == "map":
        keys = NAMED.get(shape.key.name, KEYS)
        return st.dictionaries(keys, values_of(shape.value, depth + 1), min_size=1, max_size=ITEMS_MAX)
    return _scalars(shape)


def _scalars(shape: Shape) -> st.SearchStrategy[Any]:
    location = shape.serialization.get("location")
    if shape.type_name in ("string", "character"):
        if shape.enum:
            return st.sampled_from(shape.enum)
        if location in ("header", "headers"):
            return HEADER_TEXT
        return PATH_TEXT if location == "uri" else _texts(shape)
    if shape.type_name == "timestamp" and (location == "header" or "timestampFormat" in shape.serialization):
        return TIMES
    if shape.type_name in ("integer", "long") and {"min", "max"} & shape.metadata.keys():
        bits = 31 if shape.type_name == "integer" else 63
        least, most = shape.metadata.get("min", -(2**bits)), shape.metadata.get("max", 2**bits - 1)
        return st.integers(int(least), int(most))
    return SCALARS[shape.type_name]


def _texts(shape: Shape) -> st.SearchStrategy[str]:
    """Within the lengths that the model allows."""
    found = NAMED.get(shape.name, PATTERNS.get(shape.metadata.get("pattern", "")))
    if found is not None:
        return found
    least, most = int(shape.metadata.get("min", 0)), int(shape.metadata.get("max", 12))
    if least == 0 and most >= 12:
        return TEXT
    # Of characters that every way of counting counts alike.
    return st.text(st.sampled_from("abcXYZ019 -_\u00e9\u2603"), min_size=least, max_size=max(least, min(most, 12)))


def _structures(shape: Shape, depth: int) -> st.SearchStrategy[Any]:
    if getattr(shape, "is_document_type", False):
        return st.dictionaries(KEYS, TEXT, max_size=ITEMS_MAX)
    required = {name: _member(shape, name, depth) for name in shape.required_members if name in shape.members}
    flat = [name for name, member in shape.members.items() if member.type_name not in ("structure", "list", "map")]
    names = flat if depth >= DEPTH_MAX and flat else shape.members
    optional = {name: _member(shape, name, depth) for name in names if name not in required}
    if shape.metadata.get("union"):
        return st.one_of([strategy.map(_alone(name)) for name, strategy in {**required, **optional}.items()])
    return _some_of(required, optional, at_least_one=depth > 0)


def _alone(name: str) -> Any:
    return lambda value: {name: value}


def _member(shape: Shape, name: str, depth: int) -> st.SearchStrategy[Any]:
    member = shape.members[name]
    if member.serialization.get("location") == "headers":
        return st.dictionaries(HEADER_NAMES, HEADER_TEXT, min_size=1, max_size=ITEMS_MAX)
    if member.serialization.get("location") == "header" and member.type_name == "list":
        return st.lists(HEADER_TEXT, min_size=1, max_size=ITEMS_MAX)
    return st.deferred(lambda: values_of(member, depth + 1))


@st.composite
def _some_of(
    draw: st.DrawFn,
    required: dict[str, st.SearchStrategy[Any]],
    optional: dict[str, st.SearchStrategy[Any]],
    *,
    at_least_one: bool,
) -> dict[str, Any]:
    """All that is required and a few of the rest: shapes have up to eighty members, and all of them drown the draw."""
    values = {name: draw(strategy) for name, strategy in required.items()}
    if optional:
        least = 1 if at_least_one and not values else 0
        chosen = draw(st.lists(st.sampled_from(sorted(optional)), min_size=least, max_size=4, unique=True))
        values.update({name: draw(optional[name]) for name in chosen})
    return values


def same(left: Any, right: Any) -> bool:
    """Equal, and of one type; floats to the precision of their text."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    return type(left) is type(right) and bool(left == right)
