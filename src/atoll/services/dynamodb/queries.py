"""Query: the items of one partition of a table or an index, in the order of the sort key."""

from collections.abc import Sequence

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import paging, places, request_expressions, selection, tables
from atoll.services.dynamodb.expressions import key_conditions, legacy
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.key_conditions import KeyCondition, SortTerm
from atoll.services.dynamodb.paging import Source, Span
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.selection import Reading
from atoll.services.dynamodb.service import dynamodb
from atoll.store import keys

_EXPRESSIONS = ("ProjectionExpression", "FilterExpression", "KeyConditionExpression")
_WITH_VALUES = ("FilterExpression", "KeyConditionExpression")
_LEGACY = ("AttributesToGet", "QueryFilter", "ConditionalOperator")
_OF_OLD = frozenset((*_LEGACY, "KeyConditions"))


@dynamodb.read("Query")
async def query(call: Call, request: Request) -> Reply:
    if not _OF_OLD.isdisjoint(request):
        # KeyConditions may stand beside the other expressions.
        old = (*_LEGACY, "KeyConditions") if "KeyConditionExpression" in request else _LEGACY
        legacy.check_not_mixed(request, _EXPRESSIONS, old)
    bindings = request_expressions.bindings_of(request, _EXPRESSIONS, _WITH_VALUES)
    if "KeyConditions" not in request and "KeyConditionExpression" not in request:
        raise validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    wanted = selection.of_request(request, bindings, "QueryFilter")
    table = await _table(call, request, bindings)
    source = selection.source_of(request, table)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        paging.check_start_key(source, start, by_scan=False)
    condition = _key_condition(request, bindings, source)
    bindings.check_all_used()
    span = span_of(source, condition, backward=request.get("ScanIndexForward") is False)
    if start is not None:
        _check_boundaries(source, condition, start)
        span.go_on_after(paging.place_of(source, start))
    if wanted.filter is not None:
        told = "QueryFilter" if request.get("QueryFilter") else "Filter Expression"
        selection.check_filters_no_key((*source.hash, *source.range), wanted.filter.attributes, told)
    selection.check_filter(source, wanted)
    reading = Reading(source, span, wanted, request.get("Limit"), bool(request.get("ConsistentRead")))
    return await selection.answer(call, request, reading)


async def _table(call: Call, request: Request, bindings: Bindings) -> Table:
    try:
        return await tables.find(call, request["TableName"])
    except AwsError:
        # What is wrong with the expression whatever the table is told first.
        if "KeyConditionExpression" in request:
            key_conditions.check_key_condition(request["KeyConditionExpression"], bindings)
        raise


def _key_condition(request: Request, bindings: Bindings, source: Source) -> KeyCondition:
    hash_kinds, range_kinds = source.kinds(source.hash), source.kinds(source.range)
    if "KeyConditionExpression" in request:
        return key_conditions.compile_key_condition(
            request["KeyConditionExpression"], bindings, hash_kinds, range_kinds
        )
    return legacy.key_conditions(request["KeyConditions"], hash_kinds, range_kinds)


def span_of(source: Source, condition: KeyCondition, *, backward: bool = False) -> Span:
    """The rows that a key condition means."""
    kinds = source.table.attributes
    start = places.partition([kinds[name] for name in source.hash], condition.hash)
    if not condition.range:
        return Span(source.shelf, start, keys.after(start), backward)
    low, high = _sort_bounds(kinds, condition.range)
    if source.index is None or max(len(low), len(high or b"")) <= places.RANGE_BYTES_KEPT:
        return Span(source.shelf, start + low, keys.after(start) if high is None else start + high, backward)
    # Entries are cut at that length: what lies within the cut bounds is looked at one by one.
    low = low[: places.RANGE_BYTES_KEPT]
    high = keys.after(start + (high or b"")[: places.RANGE_BYTES_KEPT])
    return Span(source.shelf, start + low, high, backward, lambda item: _hold(kinds, condition.range, item))


def _sort_bounds(kinds: dict[str, str], terms: Sequence[SortTerm]) -> tuple[bytes, bytes | None]:
    """Within a partition: from (inclusive), to (exclusive; None is to its end)."""
    prefix = b"".join(places.encode_key(kinds[term.name], term.values[0]) for term in terms[:-1])
    term = terms[-1]
    kind = kinds[term.name]
    if term.operator == "begins_with":
        low = prefix + places.open_key(kind, term.values[0])
        return low, keys.after(low)
    first = prefix + places.encode_key(kind, term.values[0])
    open_end = keys.after(prefix) if prefix else None
    match term.operator:
        case "=":
            return first, keys.after(first)
        case "<":
            return prefix, first
        case "<=":
            return prefix, keys.after(first)
        case ">":
            return keys.after(first) or first, open_end
        case ">=":
            return first, open_end
    assert term.operator == "BETWEEN", f"a sort term with {term.operator}"
    return first, keys.after(prefix + places.encode_key(kind, term.values[1]))


def _hold(kinds: dict[str, str], terms: Sequence[SortTerm], item: Item) -> bool:
    return all(_holds(kinds[term.name], term, item) for term in terms)


def _holds(kind: str, term: SortTerm, item: Item) -> bool:
    low, high = _sort_bounds({term.name: kind}, (term,))
    encoded = places.encode_key(kind, item[term.name])
    return low <= encoded and (high is None or encoded < high)


def _check_boundaries(source: Source, condition: KeyCondition, start: Item) -> None:
    kinds = source.table.attributes
    names = [kinds[name] for name in source.hash]
    same_partition = places.partition(names, [start[name] for name in source.hash]) == places.partition(
        names, condition.hash
    )
    if condition.range:
        if not _hold(kinds, condition.range, start):
            raise validation("The provided starting key does not match the range key predicate")
        if not same_partition:
            raise validation("The query can return at most one row and cannot be restarted")
    elif not same_partition:
        raise validation("The provided starting key is outside query boundaries based on provided conditions")
    if source.index is None and source.table.range is None:
        told = ", ".join(f"{name}=AttributeValue: {_told(value)}" for name, value in start.items())
        raise validation(f"The provided exclusive start key is invalid: ExclusiveStartKey: {{{told}}}")


def _told(value: dict[str, str]) -> str:
    return "{" + ", ".join(f"{kind}:{content}" for kind, content in value.items()) + "}"
