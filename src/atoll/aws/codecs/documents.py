"""What JSON and CBOR share: a parsed body of dicts and lists, checked and converted by shape, and back.

null is the same as not given. Each format brings the conversions of single values.
"""

from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws.codecs.scalars import Malformed, check_range
from atoll.aws.model import Shape

Convert = Callable[[Any], Any]
ConvertScalar = Callable[[Shape], Convert]


class MissingMember(Malformed):
    """A required member is not there: a validation error to AWS, not one of syntax."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is missing")
        self.path = path


def read_string(value: Any) -> str:
    if type(value) is not str:
        raise Malformed("a value of another type stands where a string is expected")
    return value


def read_boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise Malformed("a value of another type stands where a boolean is expected")
    return value


def integer_reader(kind: str) -> Convert:
    def read_integer(value: Any) -> int:
        if type(value) is not int:
            raise Malformed(f"a value of another type stands where an {kind} is expected")
        return check_range(value, kind)

    return read_integer


class DocumentReader:
    """Makes readers from shapes; a structure's is made once, so shapes may contain themselves."""

    def __init__(self, scalar: ConvertScalar) -> None:
        self._scalar = scalar
        self._structures: dict[str, Convert] = {}

    def reader(self, shape: Shape) -> Convert:
        if shape.type == "structure":
            return _anything if shape.traits.get("document") else self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return self._scalar(shape)

    def _structure(self, shape: Shape) -> Convert:
        made = self._structures.get(shape.name)
        if made is not None:
            return made
        fields: dict[str, tuple[str, Convert]] = {}
        required = tuple(name for name in shape.required if shape.members[name].location is None)

        def read(value: Any) -> dict[str, Any]:
            return _read_structure(shape.name, fields, required, value)

        # Before its members are looked at: one of them may lead back here.
        self._structures[shape.name] = read
        for name, member in shape.members.items():
            if member.location is None:
                fields[member.wire_name or name] = (name, self.reader(member))
        return read

    def _list(self, shape: Shape) -> Convert:
        read_item = self.reader(shape.member)

        def read(value: Any) -> list[Any]:
            if type(value) is not list:
                raise Malformed("a value of another type stands where a list is expected")
            return [read_item(item) for item in value]

        return read

    def _map(self, shape: Shape) -> Convert:
        read_value = self.reader(shape.value)

        def read(value: Any) -> dict[str, Any]:
            if type(value) is not dict:
                raise Malformed("a value of another type stands where a map is expected")
            return {key: read_value(item) for key, item in value.items()}

        return read


def _read_structure(
    shape_name: str, fields: Mapping[str, tuple[str, Convert]], required: tuple[str, ...], value: Any
) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed("a value of another type stands where a structure is expected")
    values = {}
    for wire, item in value.items():
        if item is None:
            continue
        field = fields.get(wire)
        if field is not None:
            values[field[0]] = field[1](item)
        elif wire != "__type":
            raise Malformed(f"{wire[:80]!r} is not a member of {shape_name}")
    for name in required:
        if name not in values:
            raise MissingMember(name)
    return values


class _Fields(dict[str, tuple[str, Convert]]):
    """A reply with a member that the model does not know is our bug."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, name: str) -> tuple[str, Convert]:
        raise AssertionError(f"{self._shape.name} has no member {name} in its body")


class DocumentWriter:
    def __init__(self, scalar: ConvertScalar) -> None:
        self._scalar = scalar
        self._structures: dict[str, Convert] = {}

    def writer(self, shape: Shape) -> Convert:
        if shape.type == "structure":
            return _anything if shape.traits.get("document") else self._structure(shape)
        if shape.type == "list":
            write_item = self.writer(shape.member)
            return lambda values: [write_item(value) for value in values]
        if shape.type == "map":
            write_value = self.writer(shape.value)
            return lambda values: {key: write_value(value) for key, value in values.items()}
        return self._scalar(shape)

    def _structure(self, shape: Shape) -> Convert:
        made = self._structures.get(shape.name)
        if made is not None:
            return made
        fields = _Fields(shape)

        def write(values: Mapping[str, Any]) -> dict[str, Any]:
            answer = {}
            for name, value in values.items():
                if value is not None:
                    wire, convert = fields[name]
                    answer[wire] = convert(value)
            return answer

        self._structures[shape.name] = write
        for name, member in shape.members.items():
            if member.location is None:
                fields[name] = (member.wire_name or name, self.writer(member))
        return write


def _anything(value: Any) -> Any:
    return value


def write_string(value: str) -> str:
    assert isinstance(value, str), f"{value!r} is not a string"
    return value


def write_boolean(value: Any) -> bool:
    assert isinstance(value, bool), f"{value!r} is not a boolean"
    return value


def write_integer(value: Any) -> int:
    assert type(value) is int, f"{value!r} is not an integer"
    return value
