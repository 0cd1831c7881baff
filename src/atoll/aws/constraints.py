"""What a service's model demands of a request's values, and how AWS says that they do not meet it.

Members are named by their path in lower camel case: 'keySchema.1.member.keyType'. At most ten complaints are told.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from atoll.aws.errors import AwsError
from atoll.aws.model import Shape

COMPLAINTS_MAX: Final = 10

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
        return self.least is None and self.most is None and self.pattern is None and not self.choices

    def unmet_by(self, value: Any) -> Iterator[str]:
        """What AWS says of each demand that the value does not meet."""
        size = value if self.is_number else _length(value)
        what = "value" if self.is_number else "length"
        if self.choices and value not in self.choices:
            yield f"Member must satisfy enum value set: [{', '.join(self.choices)}]"
        if self.pattern is not None and not self.pattern.fullmatch(value):
            yield f"Member must satisfy regular expression pattern: {self.pattern.pattern}"
        if self.most is not None and size > self.most:
            yield f"Member must have {what} less than or equal to {self.most}"
        if self.least is not None and size < self.least:
            yield f"Member must have {what} greater than or equal to {self.least}"


_NONE: Final = Constraint()


def constraint_of(shape: Shape) -> Constraint:
    if shape.name in _OPAQUE:
        return _NONE
    traits = shape.traits
    choices: tuple[str, ...] = tuple(traits.get("enum", ()))
    if choices:
        choices = _ENUM_ORDER.get(shape.name, choices)
    least, most = traits.get("min"), traits.get("max")
    if shape.type == "string" and least == 0:
        least = None
    return Constraint(least, most, _compiled(traits.get("pattern")), choices, shape.type in ("integer", "long"))


@lru_cache(maxsize=256)
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    """None, too, for Java's patterns that Python has no words for."""
    if pattern is None:
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        return None


def is_required(parent: Shape, name: str) -> bool:
    return name in parent.required


def check(shape: Shape, value: Any) -> None:
    """Raises AwsError ValidationException with all that is wrong."""
    complaints: list[str] = []
    for complaint in _complaints(shape, value, ""):
        complaints.append(complaint)
        if len(complaints) == COMPLAINTS_MAX:
            break
    if complaints:
        errors = "error" if len(complaints) == 1 else "errors"
        text = f"{len(complaints)} validation {errors} detected: {'; '.join(complaints)}"
        raise AwsError("ValidationException", text)


def _complaints(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if shape.name in _OPAQUE:
        return
    for unmet in constraint_of(shape).unmet_by(value):
        yield _complaint(value, path, unmet)
    if shape.type == "structure":
        yield from _of_members(shape, value, path)
    elif shape.type == "list":
        for index, item in enumerate(value, 1):
            yield from _of_item(shape.member, item, f"{path}.{index}.member")
    elif shape.type == "map":
        for name, item in value.items():
            yield from _of_item(shape.value, item, f"{path}.{name}.member")


def _of_members(shape: Shape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        inside = f"{path}.{_lower(name)}" if path else _lower(name)
        if name in value:
            yield from _complaints(member, value[name], inside)
        elif is_required(shape, name):
            yield _complaint(None, inside, "Member must not be null")


def _of_item(shape: Shape, item: Any, path: str) -> Iterator[str]:
    if item is None:
        yield _complaint(None, path, "Member must not be null")
    else:
        yield from _complaints(shape, item, path)


def _complaint(value: Any, path: str, unmet: str) -> str:
    shown = "null" if value is None else f"'{_shown(value)}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {unmet}"


def _shown(value: Any) -> str:
    """As Java prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(item)}" for name, item in value.items()) + "}"
    return "null" if value is None else str(value)


def _length(value: Any) -> int:
    """Of text, as Java counts: in UTF-16."""
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value) if isinstance(value, (list, dict)) else 0


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
