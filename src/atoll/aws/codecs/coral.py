"""JSON requests as AWS's own framework reads them, and its words for what it can't: slow, exact, and rarely needed.

It is lenient where AWS is ("yes" is true, 1.9 is 1), drops members that the model does not know, and takes null for not given.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from atoll.aws.codecs import timestamps
from atoll.aws.codecs.scalars import INTEGER_BITS, Malformed
from atoll.aws.model import Shape

Read = Callable[[Any], Any]

_JAVA_SCALARS: Final = {
    "string": "java.lang.String",
    "boolean": "java.lang.Boolean",
    "integer": "java.lang.Integer",
    "long": "java.lang.Long",
    "float": "java.lang.Float",
    "double": "java.lang.Double",
    "timestamp": "java.util.Date",
    "blob": "java.nio.ByteBuffer",
}
_NOT_A_CLASS: Final = (
    "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class "
    "(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
)
_MISPLACED: Final = "Start of structure or map found where not expected"
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}", re.ASCII)


def parse(body: bytes) -> Any:
    """Raises Malformed, without words: AWS has none for what is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed from error


class CoralReader:
    """Makes readers of shapes. Each raises Malformed with AWS's message."""

    def __init__(self, package: str) -> None:
        self._package = package  # The Java package that the service's shapes are in.
        self._structures: dict[tuple[str, bool], Read] = {}

    def reader(self, shape: Shape, *, in_collection: bool = False) -> Read:
        """AWS words what it finds in a list or a map unlike what it finds in a structure."""
        if shape.type == "structure":
            return self._structure(shape, in_collection=in_collection)
        if shape.type == "list":
            return self._list(shape, in_collection=in_collection)
        if shape.type == "map":
            return self._map(shape, in_collection=in_collection)
        return _scalar_reader(shape)

    def _java_name(self, shape: Shape) -> str:
        if shape.type == "structure":
            return f"{self._package}.{shape.name}"
        if shape.type == "list":
            return f"java.util.List<{self._java_name(shape.member)}>"
        if shape.type == "map":
            return f"java.util.Map<java.lang.String, {self._java_name(shape.value)}>"
        return _JAVA_SCALARS[shape.type]

    def _structure(self, shape: Shape, *, in_collection: bool) -> Read:
        found = self._structures.get((shape.name, in_collection))
        if found is not None:
            return found
        fields: dict[str, Read] = {}
        unlike_list = f"Unrecognized collection type class {self._java_name(shape)}"
        unlike_scalar = "Unexpected value type in payload" if in_collection else "Unexpected field type"

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed(unlike_list if type(value) is list else unlike_scalar)
            return {name: fields[name](item) for name, item in value.items() if item is not None and name in fields}

        # Before its members are looked at: one of them may lead back here.
        self._structures[shape.name, in_collection] = read
        for name, member in shape.members.items():
            fields[name] = self.reader(member)
        return read

    def _list(self, shape: Shape, *, in_collection: bool) -> Read:
        read_item = _nullable(shape.member, self.reader(shape.member, in_collection=True))
        unlike_scalar = _NOT_A_CLASS if in_collection else "Unexpected field type"

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                raise Malformed(_MISPLACED if type(value) is dict else unlike_scalar)
            return [read_item(item) for item in value]

        return read

    def _map(self, shape: Shape, *, in_collection: bool) -> Read:
        read_value = _nullable(shape.value, self.reader(shape.value, in_collection=True))
        unlike_list = f"Unrecognized collection type {self._java_name(shape)}"
        unlike_scalar = _NOT_A_CLASS if in_collection else "Unexpected field type"

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed(unlike_list if type(value) is list else unlike_scalar)
            return {key: read_value(item) for key, item in value.items()}

        return read


def _nullable(shape: Shape, read: Read) -> Read:
    """A null among values is kept, to be complained of; a null attribute value is one without a type."""
    if shape.name == "AttributeValue":
        return lambda item: {} if item is None else read(item)
    return lambda item: None if item is None else read(item)


def _scalar_reader(shape: Shape) -> Read:
    kind = shape.type
    misplaced: dict[Any, str] = {list: f"Unrecognized collection type class {_JAVA_SCALARS[kind]}", dict: _MISPLACED}
    convert = _CONVERTERS[kind]

    def read(value: Any) -> Any:
        if type(value) in misplaced:
            raise Malformed(misplaced[type(value)])
        return convert(value)

    return read


def _token(value: Any) -> str:
    """The parser's name for what it found."""
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    return "NUMBER_VALUE" if isinstance(value, int) else "DECIMAL_VALUE"


def _string(value: Any) -> str:
    if type(value) is not str:
        raise Malformed(f"{_token(value)} cannot be converted to String")
    return value


_TRUTHS: Final = {"TRUE": True, "1": True, "YES": True, "FALSE": False, "0": False, "NO": False}


def _boolean(value: Any) -> bool:
    if type(value) is bool:
        return value
    if type(value) is not str:
        raise Malformed(f"{_token(value)} cannot be converted to Boolean")
    found = _TRUTHS.get(value.upper())
    if found is None:
        raise Malformed("Unexpected token received from parser")
    return found


def _whole(kind: str) -> Read:
    limit = 1 << INTEGER_BITS[kind]

    def read(value: Any) -> int:
        if type(value) is not int and type(value) is not float:
            raise Malformed(f"{_token(value)} cannot be converted to {kind.capitalize()}")
        return max(-limit, min(limit - 1, int(value)))

    return read


def _double(value: Any) -> float:
    if type(value) not in (int, float):
        raise Malformed(f"{_token(value)} cannot be converted to Double")
    return float(value)


def _blob(value: Any) -> str:
    """Stays base64."""
    if type(value) is not str:
        raise Malformed("only base-64-encoded strings are convertible to bytes")
    return value


def _timestamp(value: Any) -> Any:
    if type(value) not in (int, float):
        raise Malformed(f"{_token(value)} cannot be converted to Date")
    try:
        return timestamps.from_unix(value)
    except ValueError as error:
        raise Malformed("a timestamp is out of range") from error


_CONVERTERS: Final[Mapping[str, Read]] = {
    "string": _string,
    "boolean": _boolean,
    "integer": _whole("integer"),
    "long": _whole("long"),
    "float": _double,
    "double": _double,
    "blob": _blob,
    "timestamp": _timestamp,
}
