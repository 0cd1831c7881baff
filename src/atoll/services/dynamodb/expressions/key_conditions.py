"""KeyConditionExpression: the grammar of conditions, of which a query understands equalities, one range and begins_with.

What is wrong whatever the table is can be told before it is looked up (`check_key_condition`); the rest needs the key's attributes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from atoll.services.dynamodb import key_rules, places
from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions import condition_checks, condition_syntax
from atoll.services.dynamodb.expressions.bindings import Bindings, Pairs, kept
from atoll.services.dynamodb.expressions.condition_syntax import All, Any, Comparison, Node, Not
from atoll.services.dynamodb.expressions.lexer import invalid_expression
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.expressions.syntax import Call, Operand, Placeholder, Reference
from atoll.services.dynamodb.records import Value
from atoll.services.dynamodb.refusals import invalid, validation

_WHAT = "KeyConditionExpression"
_PLANS_KEPT_MAX = 1024
_MIRRORED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONDITION = f"Invalid condition in {_WHAT}: "


Attributes = Sequence[tuple[str, str]]
"""Names and types, in the order of the key."""


class SortTerm(NamedTuple):
    name: str
    operator: str  # = < <= > >= BETWEEN begins_with
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class KeyCondition:
    hash: list[Value]
    range: list[SortTerm] = field(default_factory=list)
    """Equalities first, in the key's order; at most one other, last."""


class Clause(NamedTuple):
    """One attribute's condition, values not yet looked up."""

    name: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    clauses: tuple[Clause, ...]
    checks: tuple[condition_checks.ValueCheck, ...]
    used: frozenset[str]


def compile_key_condition(text: str, bindings: Bindings, hashed: Attributes, sorted_by: Attributes) -> KeyCondition:
    """The names and types of the key's attributes, those of the partition key and those of the sort key."""
    plan = _checked(text, bindings)
    terms = [
        SortTerm(clause.name, clause.operator, tuple(bindings.values[name] for name in clause.values))
        for clause in plan.clauses
    ]
    return bound(terms, hashed, sorted_by)


def check_key_condition(text: str, bindings: Bindings) -> None:
    _checked(text, bindings)


def _checked(text: str, bindings: Bindings) -> _Plan:
    plan: _Plan = kept(_plan, bindings, text)(text, bindings.names_key, bindings.kinds_key)
    bindings.use(plan.used)
    for check in plan.checks:
        check(bindings.values)
    return plan


@lru_cache(maxsize=_PLANS_KEPT_MAX)
def _plan(text: str, names: Pairs, kinds: Pairs) -> _Plan:
    node = condition_syntax.parse(text, _WHAT)
    resolver = Resolver(_WHAT, names, kinds)
    checks = condition_checks.check(node, resolver)
    clauses: dict[str, Clause] = {}
    for leaf in _leaves(node):
        clause = _clause(leaf, resolver)
        if clause.name in clauses:
            raise invalid_expression(_WHAT, f"{_WHAT}s must only contain one condition per key")
        clauses[clause.name] = clause
    return _Plan(tuple(clauses.values()), tuple(checks), frozenset(resolver.used))


def _leaves(node: Node) -> Iterator[Node]:
    if isinstance(node, All):
        for inner in node.inner:
            yield from _leaves(inner)
    else:
        yield node


def _clause(node: Node, resolver: Resolver) -> Clause:
    operator, operands = _told(node)
    if operator in ("BETWEEN", "begins_with") and not isinstance(operands[0], Reference):
        raise invalid_expression(
            _WHAT, f"{_CONDITION}{operator} operator must have the key attribute as its first operand"
        )
    name, at, placeholders = "", 0, []
    for index, operand in enumerate(operands):
        if isinstance(operand, Call):
            raise invalid_expression(_WHAT, f"{_WHAT}s cannot contain nested operations")
        if isinstance(operand, Placeholder):
            placeholders.append(operand.name)
            continue
        if name:
            raise invalid_expression(_WHAT, f"{_CONDITION}Multiple attribute names used in one condition")
        path = resolver.path(operand)
        if len(path) > 1:
            raise invalid_expression(_WHAT, f"{_WHAT}s cannot have conditions on nested attributes")
        name, at = str(path[0]), index
    if not name:
        raise invalid_expression(_WHAT, f"{_CONDITION}No key attribute specified")
    return Clause(name, _MIRRORED[operator] if at else operator, tuple(placeholders))


def _told(node: Node) -> tuple[str, tuple[Operand, ...]]:
    """The operator and operands of a leaf that a query can have."""
    if isinstance(node, Comparison) and node.operator not in ("<>", "IN"):
        return node.operator, node.operands
    if isinstance(node, Call) and node.function == "begins_with":
        return node.function, node.arguments
    if isinstance(node, Comparison):
        operator = node.operator
    elif isinstance(node, Call):
        operator = node.function
    else:
        operator = "NOT" if isinstance(node, Not) else "OR"
        assert isinstance(node, Not | Any)
    raise invalid_expression(_WHAT, f"Invalid operator used in {_WHAT}: {operator}")


def bound(terms: Sequence[SortTerm], hashed: Attributes, sorted_by: Attributes) -> KeyCondition:
    """A query's conditions against the attributes of a key, one at most for each attribute."""
    known = len(hashed) + len(sorted_by)
    if len(terms) > known:
        raise validation(
            f"The number of query conditions ({len(terms)}) exceeds the number of key attributes "
            f"defined in the schema ({known})"
        )
    by_name = {term.name: term for term in terms}
    _require_names(by_name, hashed, sorted_by)
    for name, kind in (*hashed, *sorted_by):
        if name in by_name and any(kind not in value for value in by_name[name].values):
            raise invalid("Condition parameter type does not match schema type")
    _require_equalities(by_name, hashed, sorted_by)
    for name, kind in (*hashed, *sorted_by):
        if name in by_name:
            _check_sizes(by_name[name], kind, is_hash=any(name == other for other, _ in hashed))
    sort = [by_name[name] for name, _ in sorted_by if name in by_name]
    return KeyCondition([by_name[name].values[0] for name, _ in hashed], sort)


def _require_names(by_name: Mapping[str, SortTerm], hashed: Attributes, sorted_by: Attributes) -> None:
    missing = [name for name, _ in hashed if name not in by_name]
    if missing and len(hashed) > 1:
        raise validation(
            f"HASH key attributes {', '.join(missing)} must have equality conditions specified in the query"
        )
    if missing:
        raise validation(f"Query condition missed key schema element: {missing[0]}")
    names = {name for name, _ in (*hashed, *sorted_by)}
    if any(name not in names for name in by_name):
        # AWS names what it would have liked instead.
        wanted = next((name for name, _ in sorted_by if name not in by_name), next(iter(names)))
        raise validation(f"Query condition missed key schema element: {wanted}")


def _require_equalities(by_name: Mapping[str, SortTerm], hashed: Attributes, sorted_by: Attributes) -> None:
    unequal = [name for name, _ in hashed if by_name[name].operator != "="]
    if unequal and len(hashed) > 1:
        raise validation(
            f"HASH key attributes {', '.join(unequal)} must have equality conditions specified in the query"
        )
    if unequal:
        raise validation("Query key condition not supported")
    open_names: list[str] = []
    for name, _ in sorted_by:
        term = by_name.get(name)
        if term is not None and open_names:
            raise validation(
                f"RANGE key attributes {', '.join(open_names)} must have equality conditions specified in the query "
                f"because a condition is present on key attribute {name}"
            )
        if term is None or term.operator != "=":
            open_names.append(name)


def _check_sizes(term: SortTerm, kind: str, *, is_hash: bool) -> None:
    if kind == "N":
        return
    bytes_max = places.PARTITION_KEY_BYTES_MAX if is_hash else places.SORT_KEY_BYTES_MAX
    for value in term.values:
        size_bytes = attribute_values.value_size(value)
        if not size_bytes and term.operator == "=":
            raise key_rules.empty(kind, term.name)
        if size_bytes > bytes_max:
            raise key_rules.too_long(bytes_max)
