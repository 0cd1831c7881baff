"""Which S3 operation a request means: its method, whether it names a bucket and a key, and its query string.

A sub-resource S3 knows (`?acl`, `?uploads`...) is never overlooked: a request that falls through to GetObject or PutObject
because its sub-resource was not recognised would read or overwrite the object itself.
"""

from collections import defaultdict
from dataclasses import dataclass

from atoll.aws.codecs.rest_bindings import Query
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel
from atoll.aws.wire import Headers

# Of another endpoint (S3 Express control, Object Lambda) under a request line that an ordinary one uses differently.
ELSEWHERE = frozenset({"ListDirectoryBuckets", "WriteGetObjectResponse"})

# Not sub-resources by themselves, but operations that do not know them must not ignore them.
_MULTIPART = ("uploadId", "partNumber")


@dataclass(frozen=True, slots=True)
class Route:
    operation: str
    literals: frozenset[tuple[str, str]]  # ("uploads", "") or ("list-type", "2")
    needs_query: frozenset[str]
    needs_headers: frozenset[str]
    query_names: frozenset[str]

    def matches(self, query: Query) -> bool:
        return all(name in query and value in ("", *query[name]) for name, value in self.literals)

    def is_complete(self, query: Query, headers: Headers) -> bool:
        if not self.needs_query <= query.keys():
            return False
        return not self.needs_headers or all(name in headers for name in self.needs_headers)


def level_of(bucket: str, key: str) -> str:
    return "object" if key else "bucket" if bucket else "service"


class Routes:
    def __init__(self, model: Model) -> None:
        # By method, level and sub-resource ("" where there is none).
        self._routes: dict[tuple[str, str, str], list[Route]] = defaultdict(list)
        self._levels: dict[str, set[str]] = defaultdict(set)
        for name in model.operation_names:
            operation = model.operation(name)
            if name in ELSEWHERE or operation.deprecated:
                continue
            level, route = _route(operation)
            resource = next((name for name, value in route.literals if not value), "")
            self._routes[operation.method, level, resource].append(route)
            if resource:
                self._levels[resource].add(level)

    def find(self, method: str, level: str, query: Query, headers: Headers) -> str:
        """Raises AwsError."""
        named = [name for name in query if name in self._levels]
        if len(named) > 1:
            raise AwsError("InvalidArgument", f"Conflicting query string parameters: {', '.join(sorted(named))}")
        if "list-type" in query and (method, level) == ("GET", "bucket"):
            _check_list_type(query["list-type"][0])
        resource = named[0] if named else ""
        found = [route for route in self._routes.get((method, level, resource), ()) if route.matches(query)]
        if resource and not found:
            raise self._misplaced(method, level, resource)
        chosen = _choose(found, query, headers, is_resource=bool(resource))
        if chosen is None:
            raise _not_allowed(method, level)
        for name in _MULTIPART:
            if name in query and name not in chosen.query_names:
                raise AwsError("InvalidArgument", f"This operation does not accept a query parameter {name}")
        return chosen.operation

    def _misplaced(self, method: str, level: str, name: str) -> AwsError:
        if level in self._levels[name]:
            return _not_allowed(method, name)
        if level == "object":
            return AwsError("InvalidRequest", f"There is no such thing as the ?{name} sub-resource for a key")
        return AwsError("InvalidRequest", f"There is no such thing as the ?{name} sub-resource for a {level}")


def _choose(found: list[Route], query: Query, headers: Headers, *, is_resource: bool) -> Route | None:
    """The most specific: by what of the query string it spells out, then by how many of its needs are met."""
    best, best_weight = None, (-1, -1)
    for route in found:
        weight = (len(route.literals), len(route.needs_query) + len(route.needs_headers))
        if weight > best_weight and route.is_complete(query, headers):
            best, best_weight = route, weight
    if best is None and is_resource:
        # Decoding will say what is missing.
        return found[0]
    return best


def _check_list_type(list_type: str) -> None:
    # 1 is no way to say ListObjects: that has no list-type.
    if list_type != "2":
        raise AwsError(
            "InvalidArgument",
            "Invalid List Type specified in Request",
            400,
            ArgumentName="list-type",
            ArgumentValue=list_type,
        )


def _not_allowed(method: str, what: str) -> AwsError:
    return AwsError(
        "MethodNotAllowed",
        "The specified method is not allowed against this resource.",
        405,
        Method=method,
        ResourceType=what.upper(),
    )


def _route(operation: OperationModel) -> tuple[str, Route]:
    path, _, raw_query = operation.uri.partition("?")
    literals = frozenset((name, value) for name, _, value in (f.partition("=") for f in raw_query.split("&")) if name)
    needs_query, needs_headers, names = set(), set(), set()
    shape = operation.input
    assert shape is not None, f"{operation.name} takes nothing"
    for name, member in shape.members.items():
        if member.location == "querystring":
            names.add(member.wire_name or name)
            if name in shape.required:
                needs_query.add(member.wire_name or name)
        elif member.location == "header" and name in shape.required:
            needs_headers.add((member.wire_name or name).lower())
    level = level_of("{Bucket}" if "{Bucket}" in path else "", "{Key+}" if "{Key+}" in path else "")
    return level, Route(operation.name, literals, frozenset(needs_query), frozenset(needs_headers), frozenset(names))
