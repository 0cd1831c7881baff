"""DynamoDB's request shapes as msgspec types: one pass in C parses a body, drops what the model does not know and checks the rest.

They only ever let pass what is right. What they refuse is looked at again, slowly, to find AWS's words for it (coral).
"""

from typing import Annotated, Any, Final, Literal, Required, TypedDict, cast

import msgspec

from atoll.aws.codecs.scalars import INTEGER_BITS
from atoll.aws.constraints import TABLE_ARN_PATTERN, Constraint, constraint_of, constraint_of_member, is_required
from atoll.aws.model import Shape


# An attribute value stays as it is on the wire: what is in it is checked by those who work with values.
class AttributeValue(TypedDict, total=False):
    S: str
    N: str
    B: str
    SS: list[str]
    NS: list[str]
    BS: list[str]
    M: dict[str, "AttributeValue"]
    L: list["AttributeValue"]
    NULL: bool
    BOOL: bool


VALUE: Final = "AttributeValue"
_SCALARS: Final = {"string": str, "boolean": bool, "float": float, "double": float, "blob": str}


def has_timestamps(shape: Shape, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a time is anywhere in it: a time is not what its JSON reads as."""
    if shape.type == "timestamp":
        return True
    if shape.name in seen:
        return False
    inside = seen | {shape.name}
    if shape.type == "structure":
        return any(has_timestamps(member, inside) for member in shape.members.values())
    if shape.type in ("list", "map"):
        return has_timestamps(shape.member if shape.type == "list" else shape.value, inside)
    return False


def type_of(shape: Shape, constraint: Constraint | None = None) -> Any:
    """For any shape without times that does not contain itself, but for attribute values."""
    if shape.name == VALUE:
        return AttributeValue
    if shape.type == "structure":
        fields = {name: _member(shape, name, member) for name, member in shape.members.items()}
        return cast("Any", TypedDict)(shape.name, fields, total=False)
    constraint = constraint or constraint_of(shape)
    if shape.type == "list":
        return _limited(list[type_of(shape.member)], constraint)  # type: ignore[misc]
    if shape.type == "map":
        return _limited(dict[type_of(shape.key), type_of(shape.value)], constraint)  # type: ignore[misc]
    return _scalar(shape, constraint)


def _member(parent: Shape, name: str, member: Shape) -> Any:
    kind = type_of(member, constraint_of_member(parent, name))
    return cast("Any", Required)[kind] if is_required(parent, name) else kind


def _scalar(shape: Shape, constraint: Constraint) -> Any:
    if shape.type in INTEGER_BITS:
        limit = 1 << INTEGER_BITS[shape.type]
        least = -limit if constraint.least is None else constraint.least
        most = limit - 1 if constraint.most is None else constraint.most
        return Annotated[int, msgspec.Meta(ge=least, le=most)]
    if constraint.choices:
        return Literal[constraint.choices]
    if shape.name == "TableArn":
        return Annotated[str, msgspec.Meta(pattern=rf"\A(?:{TABLE_ARN_PATTERN})\Z")]
    return _limited(_SCALARS[shape.type], constraint)


def _limited(kind: Any, constraint: Constraint) -> Any:
    if constraint.is_empty:
        return kind
    pattern = None if constraint.pattern is None else rf"\A(?:{constraint.pattern.pattern})\Z"
    return Annotated[kind, msgspec.Meta(min_length=constraint.least, max_length=constraint.most, pattern=pattern)]
