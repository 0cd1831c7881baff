"""What a service's model demands of a request's values, and how AWS says that they do not meet it.

Members are named by their path in lower camel case: 'keySchema.1.member.keyType'. At most ten complaints are told.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from atoll.aws.errors import AwsError
from atoll.aws.model import Shape

COMPLAINTS_MAX: Final = 10
SHOWN_CHARACTERS_MAX: Final = 16 * 1024  # Of a value in a complaint. All of 16 MB would be seconds, and help nobody.

# The order in which AWS lists the values of an enumeration, where it is not the model's.
_ENUM_ORDER: Final = {
    "AttributeAction": ("ADD", "DELETE", "PUT"),
    "ComparisonOperator": (
        "IN",
        "NULL",
        "BETWEEN",
        "LT",
        "NOT_CONTAINS",
        "EQ",
        "GT",
        "NOT_NULL",
        "NE",
        "LE",
        "BEGINS_WITH",
        "GE",
        "CONTAINS",
    ),
    "ConditionalOperator": ("OR", "AND"),
    "ProjectionType": ("ALL", "INCLUDE", "KEYS_ONLY"),
    "ReturnValue": ("ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"),
    "ScalarAttributeType": ("B", "N", "S"),
    "Select": ("SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"),
}
# What is in an attribute value has rules of its own.
_OPAQUE: Final = frozenset({"AttributeValue"})
# Limits that AWS keeps and its model does not tell, by structure and member.
_MOST: Final = {
    ("CreateTableInput", "KeySchema"): 2,
    ("LocalSecondaryIndex", "KeySchema"): 2,
    ("TableCreationParameters", "KeySchema"): 2,
}
# Of these a missing TableName is told before all else, and in other words.
_NAMED_FIRST: Final = frozenset(
    {"CreateTableInput", "DeleteTableInput", "DescribeTableInput", "DescribeTimeToLiveInput", "UpdateTableInput"}
)
# Of these, no tables at all are told before all else, and in other words.
_BATCHES: Final = {"BatchGetItemInput": "BatchGetItem", "BatchWriteItemInput": "BatchWriteItem"}
# Operations whose numbers and lists AWS checks elsewhere: it tells paths as they are written, and no values.
_TERSE: Final = frozenset({"BatchGetItemInput", "QueryInput"})


@dataclass(frozen=True, slots=True)
class Constraint:
    """Of one value: its least and most (of a number itself, of anything else its length), its pattern, its choices."""

    least: int | None = None
    most: int | None = None
    pattern: re.Pattern[str] | None = None
    choices: tuple[str, ...] = ()
    is_number: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.demands

    @property
    def demands(self) -> tuple[str, ...]:
        """All of them, in AWS's words, in the order in which it tells them of a map's keys and values."""
        told = (self._choices_told, self._most_told, self._least_told, self._pattern_told)
        return tuple(text for text in told if text)

    def unmet_by(self, value: Any) -> list[str]:
        """Those that the value does not meet, in the order in which AWS tells them of everything else."""
        size = value if self.is_number else _length(value)
        unmet = []
        if self.choices and value not in self.choices:
            unmet.append(self._choices_told)
        if self.pattern is not None and not self.pattern.fullmatch(value):
            unmet.append(self._pattern_told)
        if self.most is not None and size > self.most:
            unmet.append(self._most_told)
        if self.least is not None and size < self.least:
            unmet.append(self._least_told)
        return unmet

    @property
    def _measure(self) -> str:
        return "value" if self.is_number else "length"

    @property
    def _choices_told(self) -> str:
        return f"Member must satisfy enum value set: [{', '.join(self.choices)}]" if self.choices else ""

    @property
    def _most_told(self) -> str:
        return "" if self.most is None else f"Member must have {self._measure} less than or equal to {self.most}"

    @property
    def _least_told(self) -> str:
        return "" if self.least is None else f"Member must have {self._measure} greater than or equal to {self.least}"

    @property
    def _pattern_told(self) -> str:
        return f"Member must satisfy regular expression pattern: {self.pattern.pattern}" if self.pattern else ""


_NONE: Final = Constraint()


@lru_cache(maxsize=256)
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """None, too, for Java's patterns that Python has no words for."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        return None


class _TableArn(Constraint):
    """A table's name or ARN: a name is held to the rules of names only when it is not empty."""

    def unmet_by(self, value: Any) -> list[str]:
        if value == "" or value.startswith("arn:"):
            return Constraint.unmet_by(self, value)
        return TABLE_NAME.unmet_by(value)

    @property
    def demands(self) -> tuple[str, ...]:
        return TABLE_NAME.demands


TABLE_NAME: Final = Constraint(3, 255, _compiled("[a-zA-Z0-9_.-]+"))
_TABLE_ARN: Final = _TableArn(1, 1024)
TABLE_ARN_PATTERN: Final = r"arn:.{0,1020}|[a-zA-Z0-9_.-]{3,255}"
"""What meets the rules of a table's name or ARN."""


def constraint_of(shape: Shape) -> Constraint:
    if shape.name in _OPAQUE:
        return _NONE
    if shape.name == "TableArn":
        return _TABLE_ARN
    traits = shape.traits
    choices: tuple[str, ...] = tuple(traits.get("enum", ()))
    if choices:
        choices = _ENUM_ORDER.get(shape.name, choices)
    least, most = traits.get("min"), traits.get("max")
    if shape.type not in ("integer", "long") and least == 0:
        least = None
    return Constraint(least, most, _compiled(traits.get("pattern")), choices, shape.type in ("integer", "long"))


def constraint_of_member(parent: Shape, name: str) -> Constraint:
    constraint = constraint_of(parent.members[name])
    most = _MOST.get((parent.name, name))
    return constraint if most is None else replace(constraint, most=most)


def is_required(parent: Shape, name: str) -> bool:
    return name in parent.required


def check(shape: Shape, value: dict[str, Any]) -> None:
    """Raises AwsError ValidationException with all that is wrong."""
    if shape.name in _NAMED_FIRST and "TableName" not in value:
        text = "The parameter 'TableName' is required but was not present in the request"
        raise AwsError("ValidationException", text)
    if shape.name in _BATCHES and value.get("RequestItems") == {}:
        text = f"The requestItems parameter is required for {_BATCHES[shape.name]}"
        raise AwsError("ValidationException", text)
    complaints = list(islice(_Complaints(terse=shape.name in _TERSE).of_members(shape, value, ()), COMPLAINTS_MAX))
    if complaints:
        raise _refusal(complaints)


def hold(value: Any, member: str, constraint: Constraint) -> None:
    """Of one member that has more to meet than the model tells: raises the same."""
    unmet = constraint.unmet_by(value)
    if unmet:
        raise _refusal([f"Value '{value}' at '{member}' failed to satisfy constraint: {what}" for what in unmet])


def _refusal(complaints: Sequence[str]) -> AwsError:
    errors = "error" if len(complaints) == 1 else "errors"
    return AwsError("ValidationException", f"{len(complaints)} validation {errors} detected: {'; '.join(complaints)}")


class _Member(str):
    """A part of a path that is a member's name: a map's key stays as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Complaints:
    """Walks a value along its shape and yields AWS's sentences."""

    terse: bool

    def of_members(self, shape: Shape, value: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        for name, member in shape.members.items():
            inside = (*path, _Member(name))
            if name in value:
                yield from self._of(member, constraint_of_member(shape, name), value[name], inside)
            elif is_required(shape, name):
                yield _complaint(member, None, inside, "Member must not be null")

    def _of(self, shape: Shape, constraint: Constraint, value: Any, path: tuple[str, ...]) -> Iterator[str]:
        for unmet in constraint.unmet_by(value):
            if self.terse and shape.type in ("integer", "list", "map"):
                yield f"Value at '{'.'.join(path)}' failed to satisfy constraint: {unmet}"
            else:
                yield _complaint(shape, value, path, unmet)
        yield from self._inside(shape, _first(shape, value, constraint.most), path)

    def _inside(self, shape: Shape, value: Any, path: tuple[str, ...]) -> Iterator[str]:
        if shape.name in _OPAQUE:
            return
        if shape.type == "structure":
            yield from self.of_members(shape, value, path)
        elif shape.type == "list":
            for index, item in enumerate(value, 1):
                yield from self._of_item(shape.member, item, (*path, str(index), "member"))
        elif shape.type == "map":
            yield from self._of_map(shape, value, path)

    def _of_map(self, shape: Shape, value: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
        """What is wrong with a key or a value is told of the map, once."""
        for_keys, for_values = constraint_of(shape.key), constraint_of(shape.value)
        if any(for_keys.unmet_by(key) for key in value):
            yield _complaint(shape, value, path, f"Map keys must satisfy constraint: [{', '.join(for_keys.demands)}]")
        if any(item is not None and for_values.unmet_by(item) for item in value.values()):
            yield _complaint(
                shape, value, path, f"Map value must satisfy constraint: [{', '.join(for_values.demands)}]"
            )
        for key, item in value.items():
            inside = (*path, key, "member")
            if item is None:
                yield _complaint(shape.value, None, inside, "Member must not be null")
            else:
                yield from self._inside(shape.value, item, inside)

    def _of_item(self, shape: Shape, item: Any, path: tuple[str, ...]) -> Iterator[str]:
        if item is None:
            yield _complaint(shape, None, path, "Member must not be null")
        else:
            yield from self._of(shape, constraint_of(shape), item, path)


def _complaint(shape: Shape, value: Any, path: tuple[str, ...], unmet: str) -> str:
    shown = "null" if value is None else f"'{_cut(_shown(shape, value))}'"
    named = ".".join([_lower(part) if isinstance(part, _Member) else part for part in path])
    return f"Value {shown} at '{named}' failed to satisfy constraint: {unmet}"


def _first(shape: Shape, value: Any, most: int | None) -> Any:
    """Without those that are too many, which could be a million."""
    if most is None or shape.type not in ("list", "map") or len(value) <= most:
        return value
    return value[:most] if shape.type == "list" else dict(islice(value.items(), most))


_CLOSING = {"[": "]", "{": "}"}


def _cut(pieces: Iterator[str]) -> str:
    found, room = [], SHOWN_CHARACTERS_MAX
    for piece in pieces:
        found.append(piece[:room])
        room -= len(piece)
        if room < 0:
            found.append(f"...{_CLOSING.get(found[0], '')}")
            break
    return "".join(found)


def _shown(shape: Shape, value: Any) -> Iterator[str]:
    """As Java prints it, piece by piece."""
    if value is None:
        yield "null"
    elif shape.type == "list":
        yield from _joined("[", (_shown(shape.member, item) for item in value), "]")
    elif shape.type == "map":
        yield from _joined("{", (_named(name, shape.value, item) for name, item in value.items()), "}")
    elif shape.type == "structure":
        # The names of the types of attribute values are capitals, and stay so.
        members = shape.members.items()
        named = ((name if shape.name in _OPAQUE else _lower(name), name, member) for name, member in members)
        yield from _joined(f"{shape.name}(", (_named(as_, member, value.get(name)) for as_, name, member in named), ")")
    elif shape.type == "boolean":
        yield "true" if value else "false"
    else:
        yield str(value)


def _named(name: str, shape: Shape, value: Any) -> Iterator[str]:
    yield f"{name}="
    yield from _shown(shape, value)


def _joined(opening: str, parts: Iterator[Iterator[str]], closing: str) -> Iterator[str]:
    yield opening
    for number, part in enumerate(parts):
        if number:
            yield ", "
        yield from part
    yield closing


def _length(value: Any) -> int:
    """Of text, as Java counts: in UTF-16."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value) if isinstance(value, (list, dict)) else 0


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
