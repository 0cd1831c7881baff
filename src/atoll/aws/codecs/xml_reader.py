"""XML bodies into values. Namespaces are not looked at: clients send S3's, an old one, or none.

A document type is refused before parsing, so there are no entities to expand and none to fetch.
"""

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from atoll.aws.codecs.scalars import Malformed, text_parser
from atoll.aws.model import Shape

Read = Callable[[ET.Element], Any]


def parse(body: bytes) -> ET.Element:
    """Raises Malformed."""
    # In UTF-8 (forced below, whatever the document declares) this is the only spelling of a document type.
    if b"<!DOCTYPE" in body:
        raise Malformed("a document type is not allowed")
    parser = ET.XMLParser(encoding="utf-8")  # noqa: S314 - the dangers it warns of all need a document type
    try:
        parser.feed(body)
        return parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise Malformed(str(error)) from error


def local_name(tag: str) -> str:
    return tag[tag.rindex("}") + 1 :] if tag.startswith("{") else tag


class XmlReader:
    """Makes readers from shapes; a structure's is made once, so shapes may contain themselves."""

    def __init__(self) -> None:
        self._structures: dict[str, Read] = {}

    def reader(self, shape: Shape) -> Read:
        if shape.type == "structure":
            return self._structure(shape)
        if shape.type == "list":
            return self._list(shape)
        if shape.type == "map":
            return self._map(shape)
        return _scalar(shape)

    def _structure(self, shape: Shape) -> Read:
        made = self._structures.get(shape.name)
        if made is not None:
            return made
        fields: dict[str, tuple[str, Read, Shape]] = {}
        attributes: dict[str, str] = {}

        def read(element: ET.Element) -> dict[str, Any]:
            return read_structure(shape, fields, attributes, element)

        # Before its members are looked at: one of them may lead back here.
        self._structures[shape.name] = read
        for name, member in shape.members.items():
            if member.location is not None:
                continue
            wire = member.wire_name or name
            if member.traits.get("xmlAttribute"):
                attributes[wire.rpartition(":")[2]] = name
            elif member.flattened and member.type == "list":
                fields[member.member.wire_name or wire] = (name, self.reader(member.member), member)
            elif member.flattened:
                fields[wire] = (name, self._entry(member), member)
            else:
                fields[wire] = (name, self.reader(member), member)
        return read

    def _list(self, shape: Shape) -> Read:
        tag = shape.member.wire_name or "member"
        read_item = self.reader(shape.member)

        def read(element: ET.Element) -> list[Any]:
            values = []
            for child in element:
                if local_name(child.tag) != tag:
                    raise Malformed(f"unexpected element {local_name(child.tag)[:80]}")
                values.append(read_item(child))
            return values

        return read

    def _map(self, shape: Shape) -> Read:
        read_entry = self._entry(shape)

        def read(element: ET.Element) -> dict[str, Any]:
            return dict(read_entry(child) for child in element)

        return read

    def _entry(self, shape: Shape) -> Read:
        key_tag, value_tag = shape.key.wire_name or "key", shape.value.wire_name or "value"
        read_key, read_value = self.reader(shape.key), self.reader(shape.value)

        def read(element: ET.Element) -> tuple[str, Any]:
            found = {local_name(child.tag): child for child in element}
            if key_tag not in found or value_tag not in found:
                raise Malformed(f"an entry needs {key_tag} and {value_tag}")
            return read_key(found[key_tag]), read_value(found[value_tag])

        return read


def read_structure(
    shape: Shape,
    fields: dict[str, tuple[str, Read, Shape]],
    attributes: dict[str, str],
    element: ET.Element,
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for child in element:
        field = fields.get(local_name(child.tag))
        if field is None:
            raise Malformed(f"unexpected element {local_name(child.tag)[:80]}")
        name, read, member = field
        if not member.flattened:
            if name in values:
                raise Malformed(f"{name} stands twice")
            values[name] = read(child)
        elif member.type == "list":
            values.setdefault(name, []).append(read(child))
        else:
            values.setdefault(name, {}).update((read(child),))
    for tag, value in element.attrib.items():
        if local_name(tag) in attributes:
            values[attributes[local_name(tag)]] = value
    for name in shape.required:
        if name not in values and shape.members[name].location is None:
            raise Malformed(f"{name} is missing")
    return values


def _scalar(shape: Shape) -> Read:
    parse_text = text_parser(shape, "iso8601")

    def read(element: ET.Element) -> Any:
        if len(element):
            raise Malformed(f"{local_name(element.tag)[:80]} holds elements")
        return parse_text(element.text or "")

    return read
