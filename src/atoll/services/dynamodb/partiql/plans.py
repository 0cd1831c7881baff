"""What a statement does to its table: which spans a SELECT reads, which one item a write is of.

A WHERE clause that gives the partition key is read as queries, one for each value; any other as a scan with a filter.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from atoll.services.dynamodb import mutations, places, queries, selection, values
from atoll.services.dynamodb.expressions.key_conditions import KeyCondition, SortTerm
from atoll.services.dynamodb.mutations import Mutation
from atoll.services.dynamodb.paging import Source, Span
from atoll.services.dynamodb.partiql import rendering
from atoll.services.dynamodb.partiql.tree import (
    And,
    Between,
    Compare,
    Condition,
    Delete,
    In,
    Insert,
    Is,
    Literally,
    Operand,
    Or,
    Order,
    Path,
    Select,
    Test,
    Update,
    Write,
)
from atoll.services.dynamodb.records import Item, Table, Value
from atoll.services.dynamodb.refusals import invalid, validation

READS_MAX = 50
_TOO_MANY_READS = "Too many decomposed read operations for a given query."
_FLIPPED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KEY_KINDS = ("S", "N", "B")


@dataclass(slots=True)
class Part:
    """One read of a SELECT, and what is to hold of its rows besides."""

    span: Span
    rest: Condition | None
    hash: tuple[Value, ...] = ()
    is_one_item: bool = False


@dataclass(slots=True)
class ReadPlan:
    source: Source
    parts: list[Part]
    is_scan: bool


def plan_read(source: Source, select: Select) -> ReadPlan:
    _check_columns(source, select.columns)
    parts = _keyed_parts(source, select.where)
    if parts is not None:
        _check_parts(parts)
        if not isinstance(select.where, Or):
            _check_filter(source, parts)
    if select.order:
        _check_order(source, select, parts)
    if parts is None:
        return ReadPlan(source, [Part(Span(source.shelf, b"", None), select.where)], is_scan=True)
    if select.order:
        _arrange(source, parts, select.order)
    return ReadPlan(source, parts, is_scan=False)


def _check_columns(source: Source, columns: Sequence[Path] | None) -> None:
    index = source.index
    if columns is None or index is None or not index.is_global:
        return
    missing = [column.root for column in columns if not source.keeps(column.root)]
    if missing:
        raise invalid(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")


# SELECT: the spans


def _keyed_parts(source: Source, where: Condition | None) -> list[Part] | None:
    """None when not every branch of the condition gives the partition key."""
    if where is None:
        return None
    parts: list[Part] = []
    for branch in where.terms if isinstance(where, Or) else (where,):
        found = _parts_of_branch(source, branch)
        if found is None:
            return None
        parts += found
    return parts


def _parts_of_branch(source: Source, branch: Condition) -> list[Part] | None:
    terms = _conjuncts(branch)
    pins: list[list[Value]] = []
    used: set[int] = set()
    for name in source.hash:
        position = next((at for at, term in enumerate(terms) if _pinned(term, name)), None)
        if position is None:
            return None
        used.add(position)
        pins.append(_pinned(terms[position], name))
        _check_kinds(source, name, pins[-1])
    if prod(map(len, pins)) > READS_MAX:  # Four lists of fifty are six million reads.
        raise validation(_TOO_MANY_READS)
    rest = [term for at, term in enumerate(terms) if at not in used]
    return [_part(source, combination, rest) for combination in product(*pins)]


def _part(source: Source, combination: tuple[Value, ...], terms: Sequence[Condition]) -> Part:
    span = queries.span_of(source, KeyCondition(list(combination), []))
    equal: list[SortTerm] = []
    rest = list(terms)
    for name in source.range:
        found = [(term, sort) for term in rest if (sort := _sort_term(term, name)) is not None]
        for term, sort in found:
            _check_kinds(source, name, sort.values)
            span = _narrowed(span, queries.span_of(source, KeyCondition(list(combination), [*equal, sort])))
            rest.remove(term)
        equals = [sort for _, sort in found if sort.operator == "="]
        if not equals:
            break
        equal.append(equals[0])
    whole = source.index is None and len(equal) == len(source.range)
    return Part(span, _all_of(rest), combination, is_one_item=whole)


def _narrowed(one: Span, other: Span) -> Span:
    highs = [high for high in (one.high, other.high) if high is not None]
    keeps = one.keeps or other.keeps
    if one.keeps is not None and other.keeps is not None:
        first, second = one.keeps, other.keeps

        def keeps(item: Item) -> bool:
            return first(item) and second(item)

    return Span(one.shelf, max(one.low, other.low), min(highs, default=None), keeps=keeps)


def _check_parts(parts: Sequence[Part]) -> None:
    if len(parts) > READS_MAX:
        raise validation(_TOO_MANY_READS)
    reach: Span | None = None
    for part in sorted(parts, key=lambda part: part.span.low):
        if part.span.is_empty:
            continue
        if reach is not None and (reach.high is None or part.span.low < reach.high):
            raise validation("Overlapping conditions with range keys are not supported in where clause")
        reach = part.span


def _check_filter(source: Source, parts: Sequence[Part]) -> None:
    """An index that is queried can't be asked for what it does not keep. A scan of it just finds none."""
    missing = [name for part in parts if part.rest for name in rendering.attributes_of(part.rest)]
    missing = [name for name in dict.fromkeys(missing) if not source.keeps(name)]
    if missing:
        raise selection.unprojected_filter(source, missing)


def _conjuncts(condition: Condition) -> list[Condition]:
    if isinstance(condition, And):
        return [term for inner in condition.terms for term in _conjuncts(inner)]
    return [condition]


def _all_of(terms: Sequence[Condition]) -> Condition | None:
    if len(terms) > 1:
        return And(tuple(terms))
    return terms[0] if terms else None


def _is_name(operand: Operand, name: str) -> bool:
    return isinstance(operand, Path) and operand.is_name and operand.root == name


def _pinned(term: Condition, name: str) -> list[Value]:
    """The values that the term leaves the attribute; none when it leaves it open."""
    match term:
        case In(operand, choices) if _is_name(operand, name):
            literals = [choice.value for choice in choices if isinstance(choice, Literally)]
            return literals if len(literals) == len(choices) else []
        case Or(terms):
            pinned = [_pinned(inner, name) for inner in terms]
            return [value for some in pinned for value in some] if all(pinned) else []
    sort = _sort_term(term, name)
    return [sort.values[0]] if sort is not None and sort.operator == "=" else []


def _sort_term(term: Condition, name: str) -> SortTerm | None:
    """The term as a condition on a key, when it is one."""
    match term:
        case Compare(left, operator, Literally(value)) if operator != "<>" and _is_name(left, name):
            return SortTerm(name, operator, (value,))
        case Compare(Literally(value), operator, right) if operator != "<>" and _is_name(right, name):
            return SortTerm(name, _FLIPPED[operator], (value,))
        case Between(operand, Literally(low), Literally(high)) if _is_name(operand, name):
            return SortTerm(name, "BETWEEN", (low, high))
        case Test("begins_with", path, Literally(value)) if _is_name(path, name) and "N" not in value:
            return SortTerm(name, "begins_with", (value,))
    return None


def _check_kinds(source: Source, name: str, given: Iterable[Value]) -> None:
    for value in given:
        kind = values.kind(value)
        if kind not in _KEY_KINDS:
            raise validation(f"Key value must be of type S, N, or B. Key name: {name}, Key type: {kind}")
        if kind != source.table.attributes[name]:
            raise validation(f"Key attribute's data type should match its data type in table's schema: Key {name}")


# SELECT: ORDER BY


def _check_order(source: Source, select: Select, parts: Sequence[Part] | None) -> None:
    if select.where is None:
        raise validation("Must have WHERE clause in the statement when using ORDER BY clause.")
    for order in select.order:
        if order.attribute not in (*source.hash, *source.range):
            raise validation(f"Attribute {order.attribute} in ORDER BY clause must be part of the primary key")
    if parts is None:
        raise validation(
            "Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause."
        )
    by_hash = any(order.attribute in source.hash for order in select.order)
    if len({repr(part.hash) for part in parts}) > 1 and not by_hash:
        raise validation(
            "Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause."
        )


def _arrange(source: Source, parts: list[Part], orders: Sequence[Order]) -> None:
    descending = {order.attribute: order.descending for order in orders}
    kinds = source.table.attributes

    def rank(part: Part) -> tuple[bytes, ...]:
        return tuple(places.encode_key(kinds[name], value) for name, value in zip(source.hash, part.hash, strict=True))

    # AWS goes down the sort key unless it is told otherwise.
    backward = next((descending[name] for name in source.range if name in descending), True)
    parts.sort(key=lambda part: part.span.low, reverse=backward)
    parts.sort(key=rank, reverse=any(descending.get(name, False) for name in source.hash))
    for part in parts:
        part.span.backward = backward


# Writes, and reads of one item


def plan_write(table: Table, write: Write) -> Mutation:
    match write:
        case Insert(_, item):
            mutation = mutations.put(table, item, values.item_size(item))
            mutation.is_new = True
            return mutation
        case Update(_, steps, where, _):
            key, rest = key_of(table, where)
            condition = None if rest is None else rendering.compile_where(rest)
            mutation = mutations.update(table, key, rendering.compile_steps(steps), condition)
            mutation.must_exist = True
            return mutation
        case Delete(_, where, _):
            key, rest = key_of(table, where)
            # What is not there need not be deleted, whatever is asked of it.
            absent = Is(Path((table.hash,)), "MISSING")
            condition = None if rest is None else rendering.compile_where(Or((absent, rest)))
            return mutations.delete(table, key, condition)


def key_of(table: Table, where: Condition | None) -> tuple[Item, Condition | None]:
    """The one item that a WHERE clause is of, and what else it asks. Raises where it is of none, or of several."""
    key: Item = {}
    rest: list[Condition] = []
    for term in _conjuncts(where) if where is not None else ():
        name, value = _equality(table, term)
        if name is None:
            rest.append(term)
        elif name not in key:
            key[name] = value
        elif key[name] != value:
            raise validation(
                f"Multiple conditions on same key {name}. Only single item Update/Insert/Delete are supported"
            )
    if len(key) < len(table.key_names):
        raise validation("Where clause does not contain a mandatory equality on all key attributes")
    return key, _all_of(rest)


def _equality(table: Table, term: Condition) -> tuple[str | None, Value]:
    for name in table.key_names:
        pinned = _pinned(term, name)
        if len(pinned) == 1:
            return name, pinned[0]
    return None, {}


def names_one_item(table: Table, where: Condition | None) -> Item | None:
    """The key, when the clause says nothing else."""
    terms = list(_terms(where))
    named = [_equality(table, term) for term in terms]
    key = {name: value for name, value in named if name is not None}
    return key if len(key) == len(terms) == len(table.key_names) else None


def _terms(where: Condition | None) -> Iterator[Condition]:
    if where is not None:
        yield from _conjuncts(where)
