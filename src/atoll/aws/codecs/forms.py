"""Requests of the query and ec2 protocols: forms whose names are paths, `Tags.member.1.Key=a`.

A form becomes a tree of dicts by the dots in its names; a node's own value stands under "".
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from atoll.aws.codecs.protocol import body_bytes
from atoll.aws.codecs.scalars import Malformed, text_parser
from atoll.aws.model import Shape
from atoll.aws.wire import WireRequest

Node = dict[str, Any]
ReadNode = Callable[[Node], Any]

FIELDS_MAX = 10_000
DEPTH_MAX = 64
_INDEX = re.compile("[0-9]{1,9}", re.ASCII)
_ACTION = re.compile(rb"(?:^|&)Action=([A-Za-z0-9]*)(?:&|$)")

# What every request may carry besides its operation's members: who signs, and how.
PROTOCOL_NAMES = frozenset(
    {
        "Action",
        "Version",
        "AWSAccessKeyId",
        "Expires",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureVersion",
        "Timestamp",
    }
)


class Missing(Malformed):
    """A required member is not there. EC2 has a code of its own for it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is missing")
        self.name = name


class Unknown(Malformed):
    """A parameter the operation does not have. EC2 has a code of its own for it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:80]} is not a parameter of this operation")
        self.name = name[:80]


def fields_of(wire: WireRequest) -> list[tuple[str, str]]:
    """Those of the query string, then those of the body. Raises Malformed."""
    body = body_bytes(wire)
    raw = [*wire.query.encode("latin-1", "replace").split(b"&"), *body.split(b"&")]
    if len(raw) > FIELDS_MAX:
        raise Malformed(f"more than {FIELDS_MAX} parameters")
    fields = []
    try:
        for field in raw:
            if field:
                name, _, value = field.strip(b"\r\n").replace(b"+", b" ").partition(b"=")
                fields.append((unquote_to_bytes(name).decode(), unquote_to_bytes(value).decode()))
    except UnicodeDecodeError as error:
        raise Malformed("a parameter is not UTF-8") from error
    return fields


def action_of(wire: WireRequest) -> str | None:
    """Raises Malformed."""
    found = _ACTION.search(body_bytes(wire))
    if found:
        return found[1].decode("ascii")
    return dict(fields_of(wire)).get("Action")


def tree_of(fields: Iterable[tuple[str, str]]) -> Node:
    """Raises Malformed."""
    root: Node = {}
    for name, value in fields:
        node = root
        parts = name.split(".")
        if "" in parts or len(parts) > DEPTH_MAX:
            raise Malformed(f"{name[:80]!r} is not a parameter's name")
        for part in parts:
            node = node.setdefault(part, {})
        if "" in node:
            raise Malformed(f"{name[:80]} stands twice")
        node[""] = value
    return root


class FormReader:
    """Makes readers from shapes, by the query protocol's rules."""

    def __init__(self) -> None:
        self._structures: dict[str, ReadNode] = {}

    def member_name(self, name: str, shape: Shape) -> str:
        if shape.type == "list" and shape.flattened and shape.member.wire_name:
            return shape.member.wire_name
        return shape.wire_name or name

    def items(self, shape: Shape) -> str | None:
        """The part between a list's name and its numbers; None where there is none."""
        return None if shape.flattened else shape.member.wire_name or "member"

    def reader(self, shape: Shape) -> ReadNode:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return _scalar(shape)

    def _structure(self, shape: Shape) -> ReadNode:
        made = self._structures.get(shape.name)
        if made is not None:
            return made
        fields: dict[str, tuple[str, ReadNode]] = {}
        required = shape.required

        def read(node: Node) -> dict[str, Any]:
            values = {}
            for part, child in node.items():
                if part == "":
                    if child:
                        raise Malformed("a value stands where a structure is expected")
                    continue
                field = fields.get(part)
                if field is None:
                    raise Unknown(part)
                values[field[0]] = field[1](child)
            for name in required:
                if name not in values:
                    raise Missing(name)
            return values

        # Before its members are looked at: one of them may lead back here.
        self._structures[shape.name] = read
        for name, member in shape.members.items():
            fields[self.member_name(name, member)] = (name, self.reader(member))
        return read

    def _list(self, shape: Shape) -> ReadNode:
        between = self.items(shape)
        read_item = self.reader(shape.member)

        def read(node: Node) -> list[Any]:
            inner = node if between is None else _only(node, between)
            return [read_item(inner[index]) for index in _numbers(inner)]

        return read

    def _map(self, shape: Shape) -> ReadNode:
        flattened = shape.flattened
        key_name, value_name = shape.key.wire_name or "key", shape.value.wire_name or "value"
        read_key, read_value = self.reader(shape.key), self.reader(shape.value)

        def read(node: Node) -> dict[str, Any]:
            inner = node if flattened else _only(node, "entry")
            values = {}
            for index in _numbers(inner):
                entry = inner[index]
                if key_name not in entry or value_name not in entry:
                    raise Malformed(f"an entry needs {key_name} and {value_name}")
                values[read_key(entry[key_name])] = read_value(entry[value_name])
            return values

        return read


def _only(node: Node, part: str) -> Node:
    """A list that is empty is sent as `Name=`."""
    for name in node:
        if name not in ("", part):
            raise Unknown(name)
    inner: Node = node.get(part, {})
    return inner


def _numbers(node: Node) -> list[str]:
    """The names of a list's items in order. Gaps are allowed: AWS closes them."""
    names = [name for name in node if name != ""]
    for name in names:
        if not _INDEX.fullmatch(name):
            raise Unknown(name)
    # Sorted as text, item 10 would come before item 2.
    return sorted(names, key=int)


def _scalar(shape: Shape) -> ReadNode:
    parse = text_parser(shape, "iso8601")

    def read(node: Node) -> Any:
        if len(node) != 1 or "" not in node:
            raise Malformed("a structure stands where a value is expected")
        return parse(node[""])

    return read
