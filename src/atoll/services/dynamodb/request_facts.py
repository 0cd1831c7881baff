"""What a policy's conditions may ask about a request on items: dynamodb:LeadingKeys, dynamodb:Attributes and their kin.

Nothing is worked out before somebody asks. Expressions are read as a row of words here, not compiled: which attributes they
name does not depend on whether they are right, and an operation says that better.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atoll.aws.errors import AwsError
from atoll.facts import request_tags
from atoll.operation import Permission
from atoll.services.dynamodb import numbers
from atoll.services.dynamodb.records import Table, Value

_TOKEN = re.compile(r"[:#]?[A-Za-z0-9_]+|\.|\S")
_KEYWORDS = frozenset({"and", "or", "not", "in", "between", "set", "remove", "add", "delete"})
_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "SearchConditionExpression",
    "UpdateExpression",
)
_BY_NAME = ("AttributeUpdates", "Expected", "Item", "Key", "KeyConditions", "QueryFilter", "ScanFilter")
_MEMBERS = ("ReturnConsumedCapacity", "ReturnValues", "Select")

Request = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OnItems(Permission):
    """`requests` are what is asked of the items: the request itself, or its parts about this table; or `statement` says it."""

    requests: Sequence[Request] = ()
    index: str | None = None
    statement: Any = None  # A partiql.tree.Statement.


class OfItems(Mapping[str, Any]):
    """The facts of a permission on items of this table."""

    __slots__ = ("_found", "_permission", "_table")

    def __init__(self, permission: OnItems, table: Table) -> None:
        self._permission = permission
        self._table = table
        self._found: dict[str, Any] | None = None

    def _facts(self) -> dict[str, Any]:
        if self._found is None:
            facts = {**self._permission.context, **table_facts(self._table)}
            self._found = facts | _item_facts(self._permission, self._table)
        return self._found

    def __getitem__(self, key: str) -> Any:
        return self._facts()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts())

    def __len__(self) -> int:
        return len(self._facts())


def plain_facts(request: Request) -> dict[str, Any]:
    """What needs no table to be told."""
    facts: dict[str, Any] = {f"dynamodb:{member}": request[member] for member in _MEMBERS if member in request}
    return facts | request_tags(request.get("Tags") or [])


def table_facts(table: Table) -> dict[str, Any]:
    return {f"aws:ResourceTag/{name}": value for name, value in table.tags.items()}


def _item_facts(permission: OnItems, table: Table) -> dict[str, Any]:
    names = _leading_names(table, permission.index)
    if permission.statement is not None:
        # PartiQL is loaded with its operations: whoever has a statement has it.
        from atoll.services.dynamodb.statement_facts import facts_of

        return facts_of(permission.statement, names)
    facts: dict[str, Any] = {}
    attributes = {name for request in permission.requests for name in _attributes(request)}
    if attributes:
        facts["dynamodb:Attributes"] = sorted(attributes)
    keys = {text for request in permission.requests for text in _leading_keys(request, names)}
    if keys:
        facts["dynamodb:LeadingKeys"] = sorted(keys)
    return facts


def _leading_names(table: Table, index_name: str | None) -> Sequence[str]:
    return next((index.hash for index in table.indexes if index.name == index_name), [table.hash])


def _attributes(request: Request) -> Iterator[str]:
    """Top-level names only: who may see an attribute may see all of it."""
    yield from request.get("AttributesToGet") or ()
    for member in _BY_NAME:
        yield from request.get(member) or {}
    names = request.get("ExpressionAttributeNames") or {}
    for member in _EXPRESSIONS:
        yield from _names(request.get(member) or "", names)


def _names(expression: str, names: Mapping[str, str]) -> Iterator[str]:
    tokens = _TOKEN.findall(expression)
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        nested, called = before == ".", after == "("
        if nested or called or token.lower() in _KEYWORDS or not re.match(r"#|[A-Za-z]", token):
            continue
        yield names.get(token, token)


def _leading_keys(request: Request, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        for item in (request.get("Key"), request.get("Item")):
            if item is not None and name in item:
                yield text_of(item[name])
        legacy = (request.get("KeyConditions") or {}).get(name)
        if legacy is not None:
            yield from map(text_of, legacy.get("AttributeValueList") or ())
        yield from _compared(request, name)


def _compared(request: Request, name: str) -> Iterable[str]:
    """The values a key condition sets equal to `name`."""
    tokens = _TOKEN.findall(request.get("KeyConditionExpression") or "")
    names = request.get("ExpressionAttributeNames") or {}
    given: Mapping[str, Value] = request.get("ExpressionAttributeValues") or {}
    for left, sign, right in zip(tokens, tokens[1:], tokens[2:], strict=False):
        for one, other in ((left, right), (right, left)):
            if sign == "=" and names.get(one, one) == name and other in given:
                yield text_of(given[other])


def text_of(value: Value) -> str:
    """Of a key, in the one form that every way of writing it comes to: or a policy could be got round."""
    kind, content = next(iter(value.items()), ("NULL", ""))
    try:
        if kind == "N":
            return numbers.normalise(content)
        if kind == "B":
            return b64encode(b64decode(content)).decode()
    except (AwsError, ValueError):
        return str(content)  # The operation refuses it.
    return str(content)
