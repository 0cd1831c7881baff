"""Which operation a method and a path mean, for REST services other than S3, and the labels in the path."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from atoll.aws.codecs.rest_bindings import Query, parse_query, percent_decode
from atoll.aws.codecs.scalars import Malformed, Parse
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel
from atoll.aws.wire import WireRequest

# Told apart by nothing on the wire but their names, which clients of newer models send.
_IGNORED_QUERY = "x-id"


@dataclass(frozen=True, slots=True)
class Template:
    """A path of literal segments and labels: /functions/{FunctionName}/code, /{Proxy+}."""

    segments: tuple[str, ...]
    literals: frozenset[tuple[str, str]]

    @property
    def greedy(self) -> int | None:
        return next((i for i, segment in enumerate(self.segments) if segment.endswith("+}")), None)

    def match(self, path: str) -> dict[str, str] | None:
        """The labels, still encoded."""
        wanted = self.segments
        at = self.greedy
        if at is None:
            raw = _split(path)
        else:
            # Every slash may matter to a greedy label, one at the end too.
            raw = path[1:].split("/")
            spare = len(raw) - len(wanted)
            if spare < 0:
                return None
            raw = [*raw[:at], "/".join(raw[at : at + spare + 1]), *raw[at + spare + 1 :]]
        if len(raw) != len(wanted):
            return None
        labels = {}
        for segment, text in zip(wanted, raw, strict=True):
            if not segment.startswith("{"):
                if segment != text:
                    return None
            elif not text:
                return None
            else:
                labels[segment.strip("{}+")] = text
        return labels

    def suits(self, query: Query) -> bool:
        return all(name in query and (not value or value in query[name]) for name, value in self.literals)

    @property
    def weight(self) -> tuple[int, int, bool]:
        plain = sum(1 for segment in self.segments if not segment.startswith("{"))
        return len(self.literals), plain, self.greedy is None


def template_of(uri: str) -> Template:
    path, _, raw_query = uri.partition("?")
    fields = (field.partition("=") for field in raw_query.split("&") if field)
    return Template(tuple(_split(path)), frozenset((n, v) for n, _, v in fields if n != _IGNORED_QUERY))


def _split(path: str) -> list[str]:
    """A slash at the end makes no difference."""
    return path.strip("/").split("/") if path.strip("/") else []


class PathRoutes:
    def __init__(self, model: Model) -> None:
        self._templates: dict[str, list[tuple[Template, str]]] = defaultdict(list)
        for name in model.operation_names:
            operation = model.operation(name)
            self._templates[operation.method].append((template_of(operation.uri), name))
        for found in self._templates.values():
            # Of twins on one request line the deprecated comes last, and is never chosen.
            found.sort(key=lambda pair: (pair[0].weight, not model.operation(pair[1]).deprecated), reverse=True)

    def route(self, wire: WireRequest) -> str:
        """Raises AwsError."""
        try:
            query = parse_query(wire.query)
            for template, name in self._templates.get(wire.method, ()):
                if template.match(wire.path) is not None and template.suits(query):
                    return name
        except Malformed as error:
            raise AwsError("UnknownOperationException", str(error), 404) from error
        raise AwsError("UnknownOperationException", f"No operation is at {wire.method} {wire.path[:200]}", 404)

    def reader(
        self, operation: OperationModel, labels: Mapping[str, tuple[str, Parse]]
    ) -> Callable[[WireRequest, dict[str, Any]], None]:
        template = template_of(operation.uri)

        def read(wire: WireRequest, values: dict[str, Any]) -> None:
            found = template.match(wire.path) or {}
            for wire_name, text in found.items():
                name, parse = labels[wire_name]
                values[name] = parse(percent_decode(text))

        return read
