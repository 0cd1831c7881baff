"""JSON bodies: blobs are base64, times Unix seconds, and the numbers JSON can't write are text."""

import base64
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from atoll.aws.codecs import timestamps
from atoll.aws.codecs.documents import (
    Convert,
    DocumentReader,
    DocumentWriter,
    MissingMember,
    integer_reader,
    read_boolean,
    read_string,
    write_boolean,
    write_integer,
    write_string,
)
from atoll.aws.codecs.scalars import Malformed, parse_blob, text_parser
from atoll.aws.errors import AwsError
from atoll.aws.model import Shape

_SPECIAL_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def parse(body: bytes) -> Any:
    """An empty body is an empty structure. Raises Malformed."""
    if not body:
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from error


def refuse(error: Exception) -> AwsError:
    if isinstance(error, MissingMember):
        name = error.path[:1].lower() + error.path[1:]
        return AwsError(
            "ValidationException",
            f"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null",
        )
    return AwsError("SerializationException", str(error) if isinstance(error, Malformed) else "nested too deeply")


def _read_float(value: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    if type(value) is str and value in _SPECIAL_FLOATS:
        return _SPECIAL_FLOATS[value]
    raise Malformed("a value of another type stands where a number is expected")


def _read_blob(value: Any) -> bytes:
    return parse_blob(read_string(value))


def _timestamp_reader(shape: Shape) -> Convert:
    parse_text = text_parser(shape, "unixtimestamp")
    in_numbers = shape.traits.get("timestampFormat", "unixtimestamp").lower() == "unixtimestamp"

    def read_timestamp(value: Any) -> datetime:
        if not in_numbers:
            moment: datetime = parse_text(read_string(value))
            return moment
        if type(value) is not int and type(value) is not float:
            raise Malformed("a value of another type stands where a timestamp is expected")
        try:
            return timestamps.from_unix(value)
        except ValueError as error:
            raise Malformed("a timestamp is out of range") from error

    return read_timestamp


def _write_float(value: Any) -> float | str:
    assert type(value) is float or type(value) is int, f"{value!r} is not a number"
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _write_blob(value: bytes) -> str:
    return base64.b64encode(value).decode()


_READERS: Mapping[str, Convert] = {
    "string": read_string,
    "boolean": read_boolean,
    "integer": integer_reader("integer"),
    "long": integer_reader("long"),
    "float": _read_float,
    "double": _read_float,
    "blob": _read_blob,
}
_WRITERS: Mapping[str, Convert] = {
    "string": write_string,
    "boolean": write_boolean,
    "integer": write_integer,
    "long": write_integer,
    "float": _write_float,
    "double": _write_float,
    "blob": _write_blob,
}


def _scalar_reader(shape: Shape) -> Convert:
    return _timestamp_reader(shape) if shape.type == "timestamp" else _READERS[shape.type]


def scalar_writer(shape: Shape) -> Convert:
    if shape.type != "timestamp":
        return _WRITERS[shape.type]
    form = shape.traits.get("timestampFormat", "unixtimestamp").lower()
    return timestamps.to_unix if form == "unixtimestamp" else timestamps.FORMATS[form]


def new_reader() -> DocumentReader:
    return DocumentReader(_scalar_reader)


def new_writer() -> DocumentWriter:
    return DocumentWriter(scalar_writer)
