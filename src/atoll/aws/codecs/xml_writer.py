"""Values into XML text. One function a shape, made once; they build strings, never a tree.

A reply's members are written in the order the reply has them.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from atoll.aws.codecs.scalars import text_format
from atoll.aws.model import Shape

Write = Callable[[Any], str]

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 can't hold is written as a reference all the same, as S3 does with such keys; clients that care ask for
# url encoding. A carriage return must be one too, or the parser makes a line feed of it. Half a surrogate pair stands for
# a byte that was never text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def escape(text: str) -> str:
    if text.isprintable():
        if text.isalnum():
            return text
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    plain = _SURROGATE.sub("\ufffd", plain)
    return _UNSAFE.sub(lambda found: f"&#x{ord(found[0]):x};", plain)


def escape_attribute(text: str) -> str:
    return escape(text).replace("\t", "&#x9;").replace("\n", "&#xa;")


class _Fields(dict[str, Write]):
    """A structure's writers by member. A reply with a member that the model does not know is our bug."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self._shape = shape

    def __missing__(self, name: str) -> Write:
        raise AssertionError(f"{self._shape.name} has no member {name} in its body")


class XmlWriter:
    """`name_of` says how a member is called, and `timestamp` how times are written, where the model leaves it open."""

    def __init__(self, timestamp: str) -> None:
        self._timestamp = timestamp
        self._contents: dict[str, Write] = {}

    def element(self, shape: Shape, tag: str) -> Write:
        """Writes a value as one element; a flattened list or map as several."""
        if shape.type == "structure":
            return self._structure(shape, tag)
        if shape.type == "list":
            return self._list(shape, tag)
        if shape.type == "map":
            return self._map(shape, tag)
        return self._scalar(shape, tag)

    def contents(self, shape: Shape) -> Write:
        """Writes those of a structure's members that belong into a body, without the element around them."""
        if shape.name in self._contents:
            return self._contents[shape.name]
        fields = _Fields(shape)

        def write(value: Mapping[str, Any]) -> str:
            return "".join([fields[name](item) for name, item in value.items() if item is not None])

        self._contents[shape.name] = write
        for name, member in shape.members.items():
            if member.location is None and not member.traits.get("xmlAttribute"):
                fields[name] = self.element(member, _member_tag(name, member))
        return write

    def _structure(self, shape: Shape, tag: str) -> Write:
        start, end = f"<{tag}{namespace_of(shape)}>", f"</{tag}>"
        attributes = {name: member for name, member in shape.members.items() if member.traits.get("xmlAttribute")}
        if attributes:
            return self._attributed(shape, tag, attributes)
        # Late, so that a shape may contain itself.
        writes: list[Write] = []
        contents = self.contents

        def write(value: Mapping[str, Any]) -> str:
            if not writes:
                writes.append(contents(shape))
            return start + writes[0](value) + end

        return write

    def _attributed(self, shape: Shape, tag: str, attributes: Mapping[str, Shape]) -> Write:
        inside = self.contents(shape)
        start = f"<{tag}{namespace_of(shape)}"
        names = {name: member.wire_name or name for name, member in attributes.items()}

        def write(value: Mapping[str, Any]) -> str:
            marks = "".join(
                f' {wire}="{escape_attribute(value[name])}"' for name, wire in names.items() if name in value
            )
            return f"{start}{marks}>{inside({k: v for k, v in value.items() if k not in names})}</{tag}>"

        return write

    def _list(self, shape: Shape, tag: str) -> Write:
        if shape.flattened:
            write_item = self.element(shape.member, tag)
            return lambda values: "".join([write_item(value) for value in values])
        write_item = self.element(shape.member, shape.member.wire_name or "member")
        start, end = f"<{tag}>", f"</{tag}>"
        return lambda values: start + "".join([write_item(value) for value in values]) + end

    def _map(self, shape: Shape, tag: str) -> Write:
        entry = tag if shape.flattened else "entry"
        write_key = self.element(shape.key, shape.key.wire_name or "key")
        write_value = self.element(shape.value, shape.value.wire_name or "value")

        def write(values: Mapping[str, Any]) -> str:
            inside = "".join(
                f"<{entry}>{write_key(key)}{write_value(value)}</{entry}>" for key, value in values.items()
            )
            return inside if shape.flattened else f"<{tag}>{inside}</{tag}>"

        return write

    def _scalar(self, shape: Shape, tag: str) -> Write:
        start, end = f"<{tag}>", f"</{tag}>"
        if shape.type == "string":
            return lambda value: start + escape(value) + end
        render = text_format(shape, self._timestamp)
        return lambda value: start + render(value) + end


def namespace_of(shape: Shape) -> str:
    """Only where there is a prefix: the root declares the plain one for all."""
    namespace = shape.traits.get("xmlNamespace")
    if not isinstance(namespace, Mapping) or "prefix" not in namespace:
        return ""
    return f" xmlns:{namespace['prefix']}={quoteattr(namespace['uri'])}"


def _member_tag(name: str, shape: Shape) -> str:
    if shape.type == "list" and shape.flattened and shape.member.wire_name:
        return shape.member.wire_name
    return shape.wire_name or name
