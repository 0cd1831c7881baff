"""Which web pages may use a bucket: the rules of CORS, how a request meets them, and what it is then told. Pure.

The first rule that lets the origin, the method and every header through is the one that speaks.
Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from atoll.aws.errors import AwsError

METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
_VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
Fields = list[tuple[str, str]]


class Rule(msgspec.Struct, array_like=True, omit_defaults=True):
    methods: list[str]
    origins: list[str]  # each with at most one *
    headers: list[str] = []  # each with at most one *
    exposed: list[str] = []
    max_age_seconds: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a browser asks for in a page's name."""

    origin: str
    method: str
    headers: tuple[str, ...]  # lower-case names


def asked(method: str, headers: Mapping[str, str]) -> Asked:
    """`headers` by lower-case names, with an origin. What the browser says it will do counts for more than what it does."""
    names = headers.get("access-control-request-headers", "").split(",")
    return Asked(
        headers["origin"],
        headers.get("access-control-request-method", method),
        tuple(name.strip().lower() for name in names if name.strip()),
    )


def told(rules: Sequence[Rule], request: Asked) -> Fields:
    """The header fields of an answer; none when no rule lets the page through."""
    for rule in rules:
        origin = next((pattern for pattern in rule.origins if _matches(pattern, request.origin)), None)
        if origin is not None and request.method in rule.methods and _lets_through(rule, request.headers):
            return _fields(rule, request, everyone=origin == "*")
    return []


def preflight(rules: Sequence[Rule] | None, headers: Mapping[str, str], *, has_key: bool) -> Fields:
    """The header fields of the answer to OPTIONS. Raises AwsError. `rules` None: there is no such bucket."""
    method = headers.get("access-control-request-method")
    if "origin" not in headers:
        raise AwsError("BadRequest", "Insufficient information. Origin request header needed.", 400)
    if method is not None and method not in METHODS:
        raise _no_method(method)
    if rules is None:
        raise _forbidden("Bucket not found", method, has_key=False)
    if not rules:
        raise _forbidden("CORS is not enabled for this bucket.", method, has_key=False)
    if method is None:
        raise _no_method("null")
    fields = told(rules, asked(method, headers))
    if not fields:
        raise _forbidden(
            "This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
            "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's "
            "CORS spec.",
            method,
            has_key=has_key,
        )
    return fields


def _matches(pattern: str, text: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return text == pattern
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)


def _lets_through(rule: Rule, headers: Sequence[str]) -> bool:
    return all(any(_matches(pattern.lower(), name) for pattern in rule.headers) for name in headers)


def _fields(rule: Rule, request: Asked, *, everyone: bool) -> Fields:
    fields = [
        ("Access-Control-Allow-Origin", "*" if everyone else request.origin),
        ("Access-Control-Allow-Methods", ", ".join(rule.methods)),
    ]
    if request.headers:
        fields.append(("Access-Control-Allow-Headers", ", ".join(request.headers)))
    if rule.exposed:
        fields.append(("Access-Control-Expose-Headers", ", ".join(rule.exposed)))
    if rule.max_age_seconds is not None:
        fields.append(("Access-Control-Max-Age", str(rule.max_age_seconds)))
    if not everyone:
        fields.append(("Access-Control-Allow-Credentials", "true"))
    fields.append(("Vary", _VARY))
    return fields


def _no_method(method: str) -> AwsError:
    return AwsError("BadRequest", f"Invalid Access-Control-Request-Method: {method}", 400)


def _forbidden(reason: str, method: str | None, *, has_key: bool) -> AwsError:
    return AwsError(
        "AccessForbidden",
        f"CORSResponse: {reason}",
        403,
        Method=method or "OPTIONS",
        ResourceType="OBJECT" if has_key else "BUCKET",
    )
