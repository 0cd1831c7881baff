"""Values into XML text. One function a shape, made once; they build strings, never a tree.

A reply's members are written in the order the reply has them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

from atoll.aws.codecs.scalars import Format, text_format
from atoll.aws.model import Shape

Write = Callable[[Any], str]

_SEPARATOR = "|"  # Printable, so that it can't spoil `escape`'s shortest way, and rare in keys.
COLUMNS_MIN = 16  # From so many structures on, working by columns pays.
COMPILED_MAX = 256  # Expressions a structure; a set of members beyond them is written member by member.

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

# What XML 1.0 can't hold is written as a reference all the same, as S3 does with such keys; clients that care ask for
# url encoding. A carriage return must be one too, or the parser makes a line feed of it. Half a surrogate pair stands for
# a byte that was never text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_NAME = re.compile("[A-Za-z0-9_.:-]+", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


def escape(text: str) -> str:
    if text.isalnum():
        return text
    plain = text.replace("&", "&amp;") if "&" in text else text
    # Asking first is cheaper than replacing nothing, and most texts have none of these.
    if "<" in plain:
        plain = plain.replace("<", "&lt;")
    if ">" in plain:
        plain = plain.replace(">", "&gt;")
    if '"' in plain:
        plain = plain.replace('"', "&quot;")
    if text.isprintable():
        return plain
    plain = _SURROGATE.sub("\ufffd", plain)
    return _UNSAFE.sub(lambda found: f"&#x{ord(found[0]):x};", plain)


def escape_attribute(text: str) -> str:
    return escape(text).replace("\t", "&#x9;").replace("\n", "&#xa;")


def escape_all(texts: list[str]) -> list[str]:
    """Each escaped, but looked at only once, as one text: most need nothing, or all the same."""
    joined = _SEPARATOR.join(texts)
    if joined.count(_SEPARATOR) != len(texts) - 1:
        return [escape(text) for text in texts]
    escaped = escape(joined)
    return texts if escaped is joined else escaped.split(_SEPARATOR)


class _Member(NamedTuple):
    write: Write
    tag: str | None  # None where `write` is needed: for lists, maps and structures.
    render: Format | None  # None for integers.
    shape: Shape

    def column(self, values: list[Any]) -> list[Any]:
        """What stands between the tags, for many structures at once."""
        if self.tag is None:
            if self.shape.type == "list" and "enum" in self.shape.member.traits:
                written = {value: self.write(value) for value in set(map(tuple, values))}
                return [written[tuple(value)] for value in values]
            return [self.write(value) for value in values]
        render = self.render
        if render is None:
            return values
        if render is escape:
            # Of enumerations there are few different values: each is written once.
            if "enum" in self.shape.traits:
                known = {value: escape(value) for value in set(values)}
                return [known[value] for value in values]
            return escape_all(values)
        return [value if type(value) is str else render(value) for value in values]


class _Structure:
    """Writes a structure between `start` and `end`, its members in the reply's order.

    For each set of members that a reply has, one expression is compiled that writes them all: a listing of 1,000 keys takes
    half the time that calling one function a member would. Its text holds names from the model and nothing else.
    """

    def __init__(self, shape: Shape, frame: tuple[str, str], members: Callable[[Shape], dict[str, _Member]]) -> None:
        self._shape = shape
        self._frame = frame
        self._members_of = members
        self._compiled: dict[tuple[str, ...], Write] = {}
        self._by_columns: dict[tuple[str, ...], Write] = {}

    def __call__(self, values: Mapping[str, Any]) -> str:
        compiled = self._compiled.get(tuple(values))
        if compiled is not None and None not in values.values():
            return compiled(values)
        return self._write_new({name: value for name, value in values.items() if value is not None})

    def many(self, items: Iterable[Mapping[str, Any]]) -> str:
        """As one call each would, without the calls."""
        items = list(items)
        if len(items) >= COLUMNS_MIN and len(sets := set(map(tuple, items))) == 1:
            names = sets.pop()
            columns = [[item[name] for item in items] for name in names]
            if not any(None in column for column in columns):
                return self._write_columns(names, columns)
        return "".join([self(values) for values in items])

    def _write_columns(self, names: tuple[str, ...], columns: list[list[Any]]) -> str:
        members = self._known_members(names)
        if names not in self._by_columns and len(self._by_columns) < COMPILED_MAX:
            self._by_columns[names] = self._compile_columns(names, members)
        write = self._by_columns.get(names) or self._compile_columns(names, members)
        return write([members[name].column(column) for name, column in zip(names, columns, strict=True)])

    def _write_new(self, values: Mapping[str, Any]) -> str:
        names = tuple(values)
        members = self._known_members(names)
        if names not in self._compiled and len(self._compiled) < COMPILED_MAX:
            self._compiled[names] = self._compile(names, members)
        start, end = self._frame
        return start + "".join([members[name].write(value) for name, value in values.items()]) + end

    def _known_members(self, names: tuple[str, ...]) -> dict[str, _Member]:
        # Not before they are needed: a shape may contain itself.
        members = self._members_of(self._shape)
        unknown = set(names) - members.keys()
        assert not unknown, f"{self._shape.name} has no member {', '.join(unknown)} in its body"
        return members

    def _compile_columns(self, names: tuple[str, ...], members: Mapping[str, _Member]) -> Write:
        source = []
        for index, name in enumerate(names):
            tag = members[name].tag
            assert _NAME.fullmatch(name + (tag or "")), f"{self._shape.name} has a member {name!r}"
            shown = f"{{c{index}:d}}" if tag and members[name].render is None else f"{{c{index}}}"
            source.append(f"<{tag}>{shown}</{tag}>" if tag else shown)
        row = ", ".join(f"c{index}" for index in range(len(names)))
        scope = {"start": self._frame[0], "end": self._frame[1]}
        text = f"lambda columns: ''.join([f'{{start}}{''.join(source)}{{end}}' for {row}, in zip(*columns)])"
        made: Write = eval(text, scope)  # noqa: S307 - of checked names only
        return made

    def _compile(self, names: tuple[str, ...], members: Mapping[str, _Member]) -> Write:
        scope: dict[str, Any] = {"start": self._frame[0], "end": self._frame[1]}
        source = []
        for index, name in enumerate(names):
            write, tag, render, _ = members[name]
            assert _NAME.fullmatch(name + (tag or "")), f"{self._shape.name} has a member {name!r}"
            if tag is None:
                scope[f"f{index}"] = write
                source.append(f'{{f{index}(v["{name}"])}}')
            elif render is None:
                source.append(f'<{tag}>{{v["{name}"]:d}}</{tag}>')
            else:
                scope[f"f{index}"] = render
                source.append(f'<{tag}>{{f{index}(v["{name}"])}}</{tag}>')
        made: Write = eval(f"lambda v: f'{{start}}{''.join(source)}{{end}}'", scope)  # noqa: S307 - of checked names only
        return made


class XmlWriter:
    """`timestamp` is how times are written where the model leaves it open."""

    def __init__(self, timestamp: str) -> None:
        self._timestamp = timestamp
        self._members: dict[str, dict[str, _Member]] = {}

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
        return _Structure(shape, ("", ""), self._members_of)

    def _members_of(self, shape: Shape) -> dict[str, _Member]:
        made = self._members.get(shape.name)
        if made is None:
            made = self._members[shape.name] = {
                name: self._member(member, _member_tag(name, member))
                for name, member in shape.members.items()
                if member.location is None and not member.traits.get("xmlAttribute")
            }
        return made

    def _member(self, shape: Shape, tag: str) -> _Member:
        write = self.element(shape, tag)
        if shape.type in ("structure", "list", "map"):
            return _Member(write, None, None, shape)
        return _Member(write, tag, None if shape.type in ("integer", "long") else self._text(shape), shape)

    def _structure(self, shape: Shape, tag: str) -> Write:
        attributes = {name: member for name, member in shape.members.items() if member.traits.get("xmlAttribute")}
        if attributes:
            return self._attributed(shape, tag, attributes)
        return _Structure(shape, (f"<{tag}{namespace_of(shape)}>", f"</{tag}>"), self._members_of)

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
        write_item = self.element(shape.member, tag if shape.flattened else shape.member.wire_name or "member")

        def write_each(values: Iterable[Any]) -> str:
            return "".join([write_item(value) for value in values])

        write_all = write_item.many if isinstance(write_item, _Structure) else write_each
        if shape.flattened:
            return write_all
        start, end = f"<{tag}>", f"</{tag}>"
        return lambda values: start + write_all(values) + end

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

    def _text(self, shape: Shape) -> Format:
        return escape if shape.type == "string" else text_format(shape, self._timestamp)

    def _scalar(self, shape: Shape, tag: str) -> Write:
        start, end, render = f"<{tag}>", f"</{tag}>", self._text(shape)
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
