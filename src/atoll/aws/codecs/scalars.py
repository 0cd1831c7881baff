"""Single values as text: in forms, headers, query strings and XML. And what a caller's bytes may do wrong.

Python's own int() and float() take too much (`1_000`, other alphabets' digits, a million digits), so the text is checked first.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable
from typing import Any

from atoll.aws.codecs import timestamps
from atoll.aws.model import Shape

Parse = Callable[[str], Any]
Format = Callable[[Any], str]

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?", re.ASCII)
_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
INTEGER_BITS = {"integer": 31, "long": 63}


class Malformed(Exception):
    """A caller's bytes are not what the model says. Each protocol turns it into its own error."""


def check_range(value: int, kind: str) -> int:
    limit = 1 << INTEGER_BITS[kind]
    if not -limit <= value < limit:
        raise Malformed(f"{value} is out of range for type {kind}")
    return value


def parse_integer(text: str) -> int:
    stripped = text.strip()
    if not _INTEGER.fullmatch(stripped):
        raise Malformed(f"{text[:40]!r} is not an integer")
    return check_range(int(stripped), "integer")


def parse_long(text: str) -> int:
    stripped = text.strip()
    if not _INTEGER.fullmatch(stripped):
        raise Malformed(f"{text[:40]!r} is not an integer")
    return check_range(int(stripped), "long")


def parse_float(text: str) -> float:
    stripped = text.strip()
    if stripped in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[stripped]
    if not _FLOAT.fullmatch(stripped):
        raise Malformed(f"{text[:40]!r} is not a number")
    value = float(stripped)
    if math.isinf(value):
        raise Malformed(f"{text[:40]!r} is out of range for a number")
    return value


def parse_boolean(text: str) -> bool:
    lower = text.strip().lower()
    if lower not in ("true", "false"):
        raise Malformed(f"{text[:40]!r} is neither true nor false")
    return lower == "true"


def parse_blob(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("a binary value is not base64") from error


def parse_string(text: str) -> str:
    return text


_PARSERS: dict[str, Parse] = {
    "string": parse_string,
    "integer": parse_integer,
    "long": parse_long,
    "float": parse_float,
    "double": parse_float,
    "boolean": parse_boolean,
    "blob": parse_blob,
}


def text_parser(shape: Shape, default_timestamp: str) -> Parse:
    """Raises Malformed."""
    if shape.type != "timestamp":
        return _PARSERS[shape.type]
    parse = timestamps.PARSERS[shape.traits.get("timestampFormat", default_timestamp).lower()]

    def parse_timestamp(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise Malformed(f"{text[:40]!r} is not a timestamp") from error

    return parse_timestamp


def format_integer(value: int) -> str:
    return f"{value:d}"


def format_float(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value))
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def format_boolean(value: bool) -> str:  # noqa: FBT001 - one of a table of formatters
    assert isinstance(value, bool)
    return "true" if value else "false"


def format_blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


def format_string(value: str) -> str:
    assert isinstance(value, str)
    return value


_FORMATS: dict[str, Format] = {
    "string": format_string,
    "integer": format_integer,
    "long": format_integer,
    "float": format_float,
    "double": format_float,
    "boolean": format_boolean,
    "blob": format_blob,
}


def text_format(shape: Shape, default_timestamp: str) -> Format:
    if shape.type != "timestamp":
        return _FORMATS[shape.type]
    return timestamps.FORMATS[shape.traits.get("timestampFormat", default_timestamp).lower()]
