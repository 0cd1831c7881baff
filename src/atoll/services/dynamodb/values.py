"""Attribute values as they are on the wire: judged and normalised once when they come in, then sized, compared and ordered.

Whatever `take_value` has taken has exactly one member, canonical numbers and base64, and no set with the same member twice.
"""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Collection

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import numbers
from atoll.services.dynamodb.records import Item, Value

LEVELS_MAX = 32
NAME_BYTES_MAX = 65_535
TAKEN_BYTES_MAX = 512 * 1024
"""What takes more is not looked at to its end, which could be a million elements away: there is no such item."""
_LIST_OR_MAP_BYTES = 3
_ELEMENT_BYTES = 1

_INVALID = "One or more parameter values were invalid: "
_EMPTY = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
_SEVERAL = (
    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
)
_TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def check_names(names: Collection[str]) -> None:
    """Of attributes, or of a map's members."""
    if "" in names:
        raise AwsError("ValidationException", f"{_INVALID}Empty attribute name")
    for name in names:
        if len(name) > NAME_BYTES_MAX // 4 and len(name.encode()) > NAME_BYTES_MAX:
            raise AwsError(
                "ValidationException",
                f"{_INVALID}Attribute name is too large, must be less than {NAME_BYTES_MAX + 1} bytes",
            )


def levels(value: Value) -> int:
    """How deep a value is: 1 for one that holds no others."""
    if "L" in value:
        return 1 + max(map(levels, value["L"]), default=0)
    if "M" in value:
        return 1 + max(map(levels, value["M"].values()), default=0)
    return 1


def kind(value: Value) -> str:
    """S, N, B, BOOL, NULL, SS, NS, BS, L or M."""
    for name in value:
        return name
    raise AssertionError("a value without a type was let in")


def take_item(item: Item) -> int:
    """Checks and normalises a raw item in place. Answers its size in bytes."""
    check_names(item)
    _check_room(len(item))  # A name takes a byte, or more.
    size_bytes = 0
    for name, value in item.items():
        size_bytes += len(name) if name.isascii() else len(name.encode())
        # The two kinds that nearly all attributes have, without a call.
        if len(value) == 1:
            text = value.get("S")
            if text is not None:
                size_bytes += len(text) if text.isascii() else len(text.encode())
                continue
            text = value.get("N")
            if text is not None:
                value["N"] = text = numbers.normalise(text)
                size_bytes += numbers.size(text)
                continue
        size_bytes += _take(value, 1)
    return size_bytes


def take_value(value: Value) -> int:
    """The same for one value."""
    return _take(value, 1)


def _take(value: Value, level: int) -> int:
    if level > LEVELS_MAX:
        raise AwsError("ValidationException", _TOO_DEEP)
    if len(value) != 1:
        _refuse_count(value, level)
    name = kind(value)
    take = _TAKERS.get(name)
    if take is None:
        raise AwsError("ValidationException", _EMPTY)
    return take(value, level)


def _refuse_count(value: Value, level: int) -> None:
    if not value:
        raise AwsError("ValidationException", _EMPTY)
    for name in value:
        # What is wrong with one of them is told before that they are several.
        _take({name: value[name]}, level)
    raise AwsError("ValidationException", _SEVERAL)


def _take_text(value: Value, _level: int) -> int:
    return text_size(value["S"])


def _take_number(value: Value, _level: int) -> int:
    value["N"] = text = numbers.normalise(value["N"])
    return numbers.size(text)


def _take_binary(value: Value, _level: int) -> int:
    value["B"], size_bytes = _take_base64(value["B"])
    return size_bytes


def _take_base64(text: str) -> tuple[str, int]:
    """Canonical base64, and how many bytes it stands for."""
    if len(text) % 4:
        raise AwsError(
            "SerializationException", f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(text)}"
        )
    try:
        raw = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise AwsError("SerializationException", "Invalid Base64 character dectected") from None
    # Bits behind the last byte may be anything ("YR==" is "YQ=="), and equal binaries have to be equal texts.
    return b64encode(raw).decode("ascii"), len(raw)


def _take_flag(_value: Value, _level: int) -> int:
    return 1


def _take_null(value: Value, _level: int) -> int:
    if value["NULL"] is not True:
        raise AwsError("ValidationException", f"{_INVALID}Null attribute value types must have the value of true")
    return 1


def _take_texts(value: Value, _level: int) -> int:
    texts: list[str] = value["SS"]
    if not texts:
        raise AwsError("ValidationException", f"{_INVALID}An string set  may not be empty")
    _check_room(len(texts))
    _refuse_nulls(texts, "An string set may not have a null string as a member")
    if len(set(texts)) != len(texts):
        listed = ", ".join(texts)
        raise AwsError("ValidationException", f"{_INVALID}Input collection [{listed}] contains duplicates.")
    return sum(map(text_size, texts))


def _take_numbers(value: Value, _level: int) -> int:
    if not value["NS"]:
        raise AwsError("ValidationException", f"{_INVALID}An number set  may not be empty")
    _check_room(2 * len(value["NS"]))
    _refuse_nulls(value["NS"], "An number set may not have a null string as a member")
    value["NS"] = members = [numbers.normalise(text) for text in value["NS"]]
    if len(set(members)) != len(members):
        raise AwsError("ValidationException", "Input collection contains duplicates")
    return sum(map(numbers.size, members))


def _take_binaries(value: Value, _level: int) -> int:
    if not value["BS"]:
        raise AwsError("ValidationException", f"{_INVALID}Binary sets should not be empty")
    _check_room(len(value["BS"]))
    _refuse_nulls(value["BS"], "Binary sets may not contain null values")
    taken = [_take_base64(text) for text in value["BS"]]
    value["BS"] = members = [text for text, _ in taken]
    if len(set(members)) != len(members):
        listed = ", ".join(members)
        raise AwsError("ValidationException", f"{_INVALID}Input collection [{listed}]of type BS contains duplicates.")
    return sum(size_bytes for _, size_bytes in taken)


def _refuse_nulls(members: list[str | None] | list[str], complaint: str) -> None:
    """They come through the codec, which keeps what has to be complained of."""
    if None in members:
        raise AwsError("ValidationException", f"{_INVALID}{complaint}")


def _take_list(value: Value, level: int) -> int:
    size_bytes = _LIST_OR_MAP_BYTES
    for element in value["L"]:
        size_bytes += _take(element, level + 1) + _ELEMENT_BYTES
        if size_bytes > TAKEN_BYTES_MAX:
            _check_room(size_bytes)
    return size_bytes


def _take_map(value: Value, level: int) -> int:
    members: Item = value["M"]
    check_names(members)
    size_bytes = _LIST_OR_MAP_BYTES
    for name, member in members.items():
        size_bytes += text_size(name) + _take(member, level + 1) + _ELEMENT_BYTES
        if size_bytes > TAKEN_BYTES_MAX:
            _check_room(size_bytes)
    return size_bytes


def _check_room(size_bytes: int) -> None:
    if size_bytes > TAKEN_BYTES_MAX:
        raise AwsError("ValidationException", "Item size has exceeded the maximum allowed size")


_TAKERS: dict[str, Callable[[Value, int], int]] = {
    "S": _take_text,
    "N": _take_number,
    "B": _take_binary,
    "BOOL": _take_flag,
    "NULL": _take_null,
    "SS": _take_texts,
    "NS": _take_numbers,
    "BS": _take_binaries,
    "L": _take_list,
    "M": _take_map,
}


def text_size(text: str) -> int:
    """The bytes of its UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def binary_size(text: str) -> int:
    """The bytes that canonical base64 stands for."""
    return len(text) // 4 * 3 - text.endswith("=") - text.endswith("==")


def item_size(item: Item) -> int:
    """Of an item that has been taken."""
    return sum(text_size(name) + value_size(value) for name, value in item.items())


def value_size(value: Value) -> int:
    """Of a value that has been taken."""
    for name, content in value.items():
        match name:
            case "S":
                return text_size(content)
            case "N":
                return numbers.size(content)
            case "B":
                return binary_size(content)
            case "SS":
                return sum(map(text_size, content))
            case "NS":
                return sum(map(numbers.size, content))
            case "BS":
                return sum(map(binary_size, content))
            case "L":
                return _LIST_OR_MAP_BYTES + sum(value_size(element) + _ELEMENT_BYTES for element in content)
            case "M":
                return _LIST_OR_MAP_BYTES + item_size(content) + _ELEMENT_BYTES * len(content)
    return 1


def equal(a: Value, b: Value) -> bool:
    """Of values that have been taken: sets are equal in any order, however deep they are."""
    if a == b:
        return True
    name = kind(a)
    if name not in b:
        return False
    left, right = a[name], b[name]
    if name in ("SS", "NS", "BS"):
        return set(left) == set(right)
    if name == "L":
        return len(left) == len(right) and all(map(equal, left, right))
    if name == "M":
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return False


def order(a: Value, b: Value) -> int | None:
    """Below, at or above 0 as a is below, at or above b. None: their types differ, or have no order."""
    if "S" in a and "S" in b:
        # Python compares code points, which sort as their UTF-8 does.
        return _sign(a["S"], b["S"])
    if "N" in a and "N" in b:
        return _sign(numbers.encode(a["N"]), numbers.encode(b["N"]))
    if "B" in a and "B" in b:
        return _sign(b64decode(a["B"]), b64decode(b["B"]))
    return None


def _sign(left: str | bytes, right: str | bytes) -> int:
    return (left > right) - (left < right)  # type: ignore[operator]
