"""CBOR (RFC 8949), the part of it that rpc-v2-cbor uses, read strictly: limits on nesting, no tags but 1 (a time), text keys.

item     one byte: three bits of type, five bits of length or value; 24-27: one, two, four, eight more bytes; 31: until FF
types    0 n, 1 -1-n, 2 bytes, 3 text, 4 list, 5 map, 6 tag, 7 false, true, null, floats of 16, 32 and 64 bits
"""

import struct
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from atoll.aws.codecs import timestamps
from atoll.aws.codecs.documents import (
    Convert,
    DocumentReader,
    DocumentWriter,
    integer_reader,
    read_boolean,
    read_string,
    write_boolean,
    write_integer,
    write_string,
)
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.model import Shape

NESTING_MAX = 100
_UNTIL_BREAK = -1
_BREAK = 0xFF
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_SIMPLE: Mapping[int, bool | None] = {20: False, 21: True, 22: None, 23: None}


def parse(body: bytes) -> Any:
    """An empty body is an empty structure. Raises Malformed."""
    if not body:
        return {}
    source = _Source(body)
    value = source.item(0)
    if source.at != len(body):
        raise Malformed("bytes follow the body's end")
    return value


class _Source:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self.body) - self.at:
            raise Malformed("the body ends too early")
        found = self.body[self.at : self.at + count]
        self.at += count
        return found

    def item(self, depth: int) -> Any:
        if depth > NESTING_MAX:
            raise Malformed("the body is nested too deeply")
        head = self.take(1)[0]
        major, info = head >> 5, head & 31
        if major == 7:
            return self._simple(info)
        length = self._length(info, endless=major in (2, 3, 4, 5))
        if major <= 1:
            return length if major == 0 else -1 - length
        if major <= 3:
            return self._chars(major, length)
        if major == 4:
            return self._list(length, depth)
        return self._map(length, depth) if major == 5 else self._tag(length, depth)

    def _length(self, info: int, *, endless: bool) -> int:
        if info < 24:
            return info
        if info <= 27:
            return int.from_bytes(self.take(1 << (info - 24)), "big")
        if info == 31 and endless:
            return _UNTIL_BREAK
        raise Malformed("a length that CBOR does not have")

    def _simple(self, info: int) -> Any:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info in _FLOATS:
            form, size = _FLOATS[info]
            return struct.unpack(form, self.take(size))[0]
        raise Malformed("a simple value that this protocol does not have")

    def _chars(self, major: int, length: int) -> str | bytes:
        raw = self.take(length) if length != _UNTIL_BREAK else b"".join(self._chunks(major))
        if major == 2:
            return raw
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text is not UTF-8") from error

    def _chunks(self, major: int) -> list[bytes]:
        chunks = []
        while not self._ends():
            head = self.take(1)[0]
            if head >> 5 != major:
                raise Malformed("a chunk of another type")
            chunks.append(self.take(self._length(head & 31, endless=False)))
        return chunks

    def _ends(self) -> bool:
        if self.at < len(self.body) and self.body[self.at] == _BREAK:
            self.at += 1
            return True
        return False

    def _list(self, length: int, depth: int) -> list[Any]:
        values: list[Any] = []
        while len(values) != length:
            if length == _UNTIL_BREAK and self._ends():
                break
            values.append(self.item(depth + 1))
        return values

    def _map(self, length: int, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while len(values) != length:
            if length == _UNTIL_BREAK and self._ends():
                break
            key = self.item(depth + 1)
            if type(key) is not str or key in values:
                raise Malformed("a map's key is not text, or stands twice")
            values[key] = self.item(depth + 1)
        return values

    def _tag(self, tag: int, depth: int) -> datetime:
        value = self.item(depth + 1)
        if tag != 1 or type(value) not in (int, float):
            raise Malformed("a tag that is not a time")
        try:
            return timestamps.from_unix(value)
        except ValueError as error:
            raise Malformed("a timestamp is out of range") from error


def _head(major: int, length: int) -> bytes:
    if length < 24:
        return bytes([major << 5 | length])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if length < 1 << 8 * size:
            return bytes([major << 5 | info]) + length.to_bytes(size, "big")
    raise AssertionError(f"{length} does not fit into 64 bits")


class _Tagged(float):
    """Unix seconds that are a time."""


def _append(out: bytearray, value: Any) -> None:
    if isinstance(value, str):
        raw = value.encode()
        out += _head(3, len(raw)) + raw
    elif isinstance(value, dict):
        out += _head(5, len(value))
        for key, item in value.items():
            _append(out, key)
            _append(out, item)
    elif isinstance(value, list):
        out += _head(4, len(value))
        for item in value:
            _append(out, item)
    else:
        out += _scalar_bytes(value)


def _scalar_bytes(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, _Tagged):
        return b"\xc1" + _scalar_bytes(int(value) if value.is_integer() else float(value))
    if isinstance(value, float):
        return b"\xfb" + struct.pack(">d", value)
    assert isinstance(value, bytes), f"{value!r} has no place in a reply"
    return _head(2, len(value)) + value


def dump(value: Any) -> bytes:
    out = bytearray()
    _append(out, value)
    return bytes(out)


def _read_float(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise Malformed("a value of another type stands where a number is expected")
    return float(value)


def _read_blob(value: Any) -> bytes:
    if type(value) is not bytes:
        raise Malformed("a value of another type stands where bytes are expected")
    return value


def _read_timestamp(value: Any) -> datetime:
    if type(value) is not datetime:
        raise Malformed("a value of another type stands where a timestamp is expected")
    return value


def _write_float(value: Any) -> float:
    assert type(value) is float or type(value) is int, f"{value!r} is not a number"
    return float(value)


def _write_blob(value: Any) -> bytes:
    return bytes(value)


def _write_timestamp(value: Any) -> _Tagged:
    return _Tagged(timestamps.to_unix(value))


_READERS: Mapping[str, Convert] = {
    "string": read_string,
    "boolean": read_boolean,
    "integer": integer_reader("integer"),
    "long": integer_reader("long"),
    "float": _read_float,
    "double": _read_float,
    "blob": _read_blob,
    "timestamp": _read_timestamp,
}
_WRITERS: Mapping[str, Convert] = {
    "string": write_string,
    "boolean": write_boolean,
    "integer": write_integer,
    "long": write_integer,
    "float": _write_float,
    "double": _write_float,
    "blob": _write_blob,
    "timestamp": _write_timestamp,
}


def _scalar_reader(shape: Shape) -> Convert:
    return _READERS[shape.type]


def _scalar_writer(shape: Shape) -> Convert:
    return _WRITERS[shape.type]


def new_reader() -> DocumentReader:
    return DocumentReader(_scalar_reader)


def new_writer() -> DocumentWriter:
    return DocumentWriter(_scalar_writer)
