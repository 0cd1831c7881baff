"""What rest-xml and rest-json share: members that travel in the path, the query string, headers and the status.

Requests are read by walking what was sent, not what could have been: S3's PutObject has 45 header members, a client sends ten.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from atoll.aws.codecs import timestamps
from atoll.aws.codecs.scalars import Malformed, Parse, text_format, text_parser
from atoll.aws.errors import AwsError
from atoll.aws.model import OperationModel, Shape
from atoll.aws.wire import WireRequest

Refuse = Callable[[str, Shape, str, Malformed], AwsError]
Query = dict[str, list[str]]

QUERY_FIELDS_MAX = 1000
_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")
_LIST_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,]*?))\s*(?:,|$)')
_ESCAPED = re.compile(r"\\(.)")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def percent_decode(raw: str) -> str:
    """Exactly once. Bytes that are not UTF-8 survive as surrogates. Raises Malformed."""
    if "%" not in raw and raw.isascii():
        return raw
    if _BAD_ESCAPE.search(raw):
        raise Malformed("a percent sign that escapes nothing")
    try:
        octets = raw.encode("latin-1")
    except UnicodeEncodeError:
        octets = raw.encode("utf-8", "surrogateescape")
    return unquote_to_bytes(octets).decode("utf-8", "surrogateescape")


def parse_query(raw: str) -> Query:
    """Every value of every name, decoded; a name without `=` has the value "". Raises Malformed."""
    query: Query = {}
    if not raw:
        return query
    fields = raw.split("&")
    if len(fields) > QUERY_FIELDS_MAX:
        raise Malformed("too many fields in the query string")
    for field in fields:
        if field:
            name, _, value = field.partition("=")
            query.setdefault(percent_decode(name.replace("+", " ")), []).append(percent_decode(value.replace("+", " ")))
    return query


def split_header_list(text: str) -> list[str]:
    """Items between commas; one in quotes may hold commas."""
    values, start = [], 0
    while start < len(text):
        found = _LIST_ITEM.match(text, start)
        if found is None:
            raise Malformed("a header list with an open quote")
        start = found.end()
        values.append(_ESCAPED.sub(r"\1", found[1]) if found[1] is not None else found[2])
    return values


class RequestBinding:
    """Reads the members that stand outside the body."""

    def __init__(self, operation: OperationModel, parser_of: Callable[[Shape, str], Parse] = text_parser) -> None:
        self._query: dict[str, tuple[str, Shape, Parse]] = {}
        self._query_rest: tuple[str, Shape] | None = None
        self._headers: dict[str, tuple[str, Shape, Parse]] = {}
        self._prefixes: list[tuple[str, str]] = []
        self.labels: dict[str, tuple[str, Parse]] = {}
        # The operation's own marks in the query string are no values of a map.
        self._literals = {field.partition("=")[0] for field in operation.uri.partition("?")[2].split("&")}
        members = operation.input.members if operation.input else {}
        for name, shape in members.items():
            wire = shape.wire_name or name
            if shape.location == "querystring":
                if shape.type == "map":
                    self._query_rest = (name, shape)
                else:
                    self._query[wire] = (name, shape, _query_parser(shape, parser_of))
            elif shape.location == "header":
                self._headers[wire.lower()] = (name, shape, _header_parser(shape, parser_of))
            elif shape.location == "headers":
                self._prefixes.append((wire.lower(), name))
            elif shape.location == "uri":
                self.labels[wire] = (name, parser_of(shape, "iso8601"))
        self.required = tuple(
            (name, members[name])
            for name in (operation.input.required if operation.input else ())
            if members[name].location is not None
        )

    def read(self, wire: WireRequest, query: Query, values: dict[str, Any], refuse: Refuse) -> None:
        """Raises what `refuse` makes of a value that can't be read."""
        if query:
            self._read_query(query, values, refuse)
        headers = self._headers
        for name, text in wire.headers.lower().items():
            field = headers.get(name)
            if field is not None:
                member, shape, parse = field
                try:
                    value = parse(text)
                except Malformed as error:
                    raise refuse(member, shape, text, error) from error
                if value is not None:
                    values[member] = value
        for prefix, member in self._prefixes:
            found = {
                name[len(prefix) :]: text for name, text in wire.headers.lower().items() if name.startswith(prefix)
            }
            if found:
                values[member] = found

    def _read_query(self, query: Query, values: dict[str, Any], refuse: Refuse) -> None:
        for name, texts in query.items():
            field = self._query.get(name)
            if field is None:
                continue
            member, shape, parse = field
            try:
                values[member] = [parse(text) for text in texts] if shape.type == "list" else parse(texts[0])
            except Malformed as error:
                # An empty number is one not given.
                if texts[0] or shape.type not in ("integer", "long"):
                    raise refuse(member, shape, texts[0], error) from error
        if self._query_rest is not None:
            member, shape = self._query_rest
            many = shape.value.type == "list"
            rest = {
                name: (texts if many else texts[0])
                for name, texts in query.items()
                if name not in self._query and name not in self._literals
            }
            if rest:
                values[member] = rest


def _query_parser(shape: Shape, parser_of: Callable[[Shape, str], Parse]) -> Parse:
    return parser_of(shape.member if shape.type == "list" else shape, "iso8601")


def _header_parser(shape: Shape, parser_of: Callable[[Shape, str], Parse]) -> Parse:
    if shape.type != "list":
        return parser_of(shape, "rfc822")
    parse_item = parser_of(shape.member, "rfc822")
    if shape.member.type != "timestamp":
        return lambda text: [parse_item(item) for item in split_header_list(text)]

    def parse_dates(text: str) -> list[Any]:
        # An HTTP date holds one comma itself.
        items = text.split(",")
        return [parse_item(",".join(items[i : i + 2])) for i in range(0, len(items), 2)]

    return parse_dates


def header_text(value: str) -> str:
    """What a value looks like in a header line: no control characters, and UTF-8 where it is not Latin-1."""
    if value.isascii() and value.isprintable():
        return value
    clean = _CONTROL.sub(" ", value)
    try:
        clean.encode("latin-1")
    except UnicodeEncodeError:
        return clean.encode("utf-8", "surrogateescape").decode("latin-1")
    return clean


def _quote_item(item: str) -> str:
    if '"' not in item and "," not in item:
        return item
    escaped = item.replace('"', '\\"')
    return f'"{escaped}"'


class ReplyBinding:
    """Takes out of a reply what goes into headers and the status; the rest is the body's."""

    def __init__(self, operation: OperationModel, metadata_text: Callable[[str], str] = header_text) -> None:
        self._headers: dict[str, tuple[str, Callable[[Any], str]]] = {}
        self._prefixes: dict[str, str] = {}
        self._status: str | None = None
        self._metadata_text = metadata_text
        for name, shape in (operation.output.members if operation.output else {}).items():
            wire = shape.wire_name or name
            if shape.location == "header":
                self._headers[name] = (wire, _header_format(shape))
            elif shape.location == "headers":
                self._prefixes[name] = wire
            elif shape.location == "statusCode":
                self._status = name

    def split(self, reply: Mapping[str, Any], headers: list[tuple[str, str]]) -> tuple[dict[str, Any], int | None]:
        """Adds to `headers`; answers the members of the body, and the status when the reply tells it."""
        body: dict[str, Any] = {}
        status = None
        bound = self._headers
        for name, value in reply.items():
            if value is None:
                continue
            if name in bound:
                wire, render = bound[name]
                headers.append((wire, render(value)))
            elif name in self._prefixes:
                prefix = self._prefixes[name]
                headers += [(header_text(prefix + key), self._metadata_text(text)) for key, text in value.items()]
            elif name == self._status:
                status = value
            else:
                body[name] = value
        return body, status


def _header_format(shape: Shape) -> Callable[[Any], str]:
    if shape.type == "timestamp" and shape.wire_name == "Expires":
        # Text is a client's own, given back as it came.
        return lambda value: header_text(value if isinstance(value, str) else timestamps.format_http(value))
    if shape.type != "list":
        render = text_format(shape, "rfc822")
        return (lambda value: header_text(render(value))) if shape.type in ("string", "timestamp") else render
    render_item = text_format(shape.member, "rfc822")
    if shape.member.type == "string":
        return lambda values: header_text(",".join(_quote_item(value) for value in values))
    return lambda values: ",".join(render_item(value) for value in values)
