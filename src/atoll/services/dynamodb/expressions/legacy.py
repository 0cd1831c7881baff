"""What requests had before there were expressions: Expected, filters, KeyConditions and AttributeUpdates, one entry an attribute."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions import edits, evaluation, paths
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.expressions.edits import Leaf
from atoll.services.dynamodb.expressions.key_conditions import Attributes, KeyCondition, SortTerm, bound
from atoll.services.dynamodb.expressions.updates import Update
from atoll.services.dynamodb.records import Item, Value
from atoll.services.dynamodb.refusals import invalid, validation

Judge = Callable[[Value | None], bool]
"""Of what an attribute is in an item; None is not there."""

_COUNTS = {"NULL": 0, "NOT_NULL": 0, "BETWEEN": 2}
_IN = "IN"
_ORDERED = frozenset({"S", "N", "B"})
_CONTAINED = frozenset({"S", "N", "B", "BOOL", "NULL"})
_KINDS: Mapping[str, frozenset[str]] = {
    "LT": _ORDERED,
    "LE": _ORDERED,
    "GT": _ORDERED,
    "GE": _ORDERED,
    "BETWEEN": _ORDERED,
    _IN: _ORDERED,
    "CONTAINS": _CONTAINED,
    "NOT_CONTAINS": _CONTAINED,
    "BEGINS_WITH": frozenset({"S", "B"}),
}
_KEY_OPERATORS = {
    "EQ": "=",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "BEGINS_WITH": "begins_with",
}
_ADDED = frozenset({"N", "SS", "NS", "BS", "L"})
_DELETED = frozenset({"SS", "NS", "BS"})
_KEY_CONDITIONS_MAX = 2


def check_not_mixed(request: Mapping[str, Any], expressions: Sequence[str], legacy_members: Sequence[str]) -> None:
    """A request speaks either the old language or the new. Only its key may be told in the old and the rest in the new."""
    new = [member for member in expressions if request.get(member) is not None]
    old = [member for member in legacy_members if request.get(member) is not None]
    if "KeyConditions" in old and "KeyConditionExpression" not in new:
        old.remove("KeyConditions")
    if new and old:
        raise validation(
            "Can not use both expression and non-expression parameters in the same request: "
            f"Non-expression parameters: {{{', '.join(old)}}} Expression parameters: {{{', '.join(new)}}}",
        )


def expected(expected: Mapping[str, Any], conditional_operator: str | None) -> Condition:
    attribute_values.check_names(expected)
    judges = {name: _expectation(name, entry) for name, entry in expected.items()}
    return _condition(judges, conditional_operator)


def filter_conditions(filters: Mapping[str, Any], operator: str | None) -> Condition:
    """Of QueryFilter and ScanFilter."""
    attribute_values.check_names(filters)
    judges = {}
    for name, entry in filters.items():
        given = _taken(entry.get("AttributeValueList") or ())
        judges[name] = _judge(entry["ComparisonOperator"], given)
    return _condition(judges, operator)


def key_conditions(conditions: Mapping[str, Any], hashed: Attributes, sorted_by: Attributes) -> KeyCondition:
    terms = []
    for name, entry in conditions.items():
        operator, given = entry["ComparisonOperator"], _taken(entry.get("AttributeValueList") or ())
        _check_arguments(operator, given)
        terms.append((name, operator, tuple(given)))
    if not 1 <= len(terms) <= max(_KEY_CONDITIONS_MAX, len(hashed) + len(sorted_by)):
        raise validation("Conditions can be of length 1 or 2 only")
    if any(operator not in _KEY_OPERATORS for _, operator, _ in terms):
        raise validation("Query key condition not supported")
    return bound(
        [SortTerm(name, _KEY_OPERATORS[operator], given) for name, operator, given in terms], hashed, sorted_by
    )


def attribute_updates(updates: Mapping[str, Any]) -> Update:
    """None at all still makes an item where there is none."""
    attribute_values.check_names(updates)
    if sum(map(len, updates)) > attribute_values.TAKEN_BYTES_MAX:
        raise validation("Item size to update has exceeded the maximum allowed size")
    tree = paths.Tree()
    actions = set()
    for name, entry in updates.items():
        action = entry.get("Action") or "PUT"
        actions.add(action)
        tree.children[name] = branch = paths.Tree((name,))
        branch.leaf = _always(_update_leaf(action, entry.get("Value")))
    creates = not updates or actions != {"DELETE"}
    return Update(tree, {}, frozenset(updates), creates=creates)


def _always(leaf: Leaf) -> Callable[[Item, Mapping[str, Value]], Leaf]:
    return lambda _item, _values: leaf


def _update_leaf(action: str, value: Value | None) -> Leaf:
    if value is None:
        if action != "DELETE":
            raise invalid("Only DELETE action is allowed when no attribute value is specified")
        return edits.remove
    attribute_values.take_value(value)
    kind = attribute_values.kind(value)
    if action == "PUT":
        return edits.put(value)
    if action == "DELETE":
        if kind not in _DELETED:
            raise invalid(f"DELETE action with value is not supported for the type {kind}")
        return _of_kind(kind, edits.take_out(value))
    if kind not in _ADDED:
        raise invalid(f"ADD action is not supported for the type {kind}")
    return _of_kind(kind, edits.add(value))


def _of_kind(kind: str, leaf: Leaf) -> Leaf:
    def checked(old: Value | None) -> Value | None:
        if old is not None and kind not in old:
            raise validation("Type mismatch for attribute to update")
        return leaf(old)

    return checked


def _condition(judges: Mapping[str, Judge], operator: str | None) -> Condition:
    if operator is not None and not judges:
        raise validation("ConditionalOperator cannot be used without Filter or Expected")
    if operator is not None and len(judges) == 1:
        raise validation("ConditionalOperator can only be used when Filter or Expected has two or more elements")
    pairs = tuple(judges.items())
    if operator == "OR":

        def test(item: Item, _: Mapping[str, Value]) -> bool:
            return any(judge(item.get(name)) for name, judge in pairs)
    else:

        def test(item: Item, _: Mapping[str, Value]) -> bool:
            return all(judge(item.get(name)) for name, judge in pairs)

    return Condition(test, {}, frozenset(judges))


def _expectation(name: str, entry: Mapping[str, Any]) -> Judge:
    operator, value, listed = (entry.get(member) for member in ("ComparisonOperator", "Value", "AttributeValueList"))
    exists = entry.get("Exists")
    if value is not None and listed is not None:
        raise _clash("Value and AttributeValueList cannot be used together", name)
    if operator is not None:
        if exists is not None:
            raise _clash("Exists and ComparisonOperator cannot be used together", name)
        if value is None and listed is None and operator not in ("NULL", "NOT_NULL"):
            raise _clash(f"Value or AttributeValueList must be used with ComparisonOperator: {operator}", name)
        return _judge(operator, _taken(listed or (() if value is None else (value,))))
    if listed is not None:
        raise _clash("AttributeValueList can only be used with a ComparisonOperator", name)
    if exists is False:
        if value is not None:
            raise _clash("Value cannot be used when Exists is false", name)
        return _is_missing
    if value is None:
        raise _clash(f"Value must be provided when Exists is {'null' if exists is None else 'true'}", name)
    return _judge("EQ", _taken((value,)))


def _clash(what: str, name: str) -> AwsError:
    return invalid(f"{what} for Attribute: {name}")


def _taken(given: Sequence[Value]) -> list[Value]:
    for value in given:
        attribute_values.take_value(value)
    return list(given)


def _check_arguments(operator: str, given: Sequence[Value]) -> None:
    wanted = len(given) if operator == _IN and given else _COUNTS.get(operator, 1)
    if len(given) != wanted:
        raise invalid(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = [attribute_values.kind(value) for value in given]
    fitting = _KINDS.get(operator)
    if fitting is None:
        return
    for kind in kinds:
        if kind not in fitting:
            raise invalid(f"ComparisonOperator {operator} is not valid for {kind} AttributeValue type")
    if len(set(kinds)) > 1:
        raise invalid("AttributeValues inside AttributeValueList must be of same type")
    if operator == "BETWEEN" and attribute_values.order(given[0], given[1]) == 1:
        raise validation(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )


def _judge(operator: str, given: Sequence[Value]) -> Judge:
    _check_arguments(operator, given)
    if operator == "NULL":
        return _is_missing
    if operator == "NOT_NULL":
        return lambda value: value is not None
    if operator == "NE":
        wanted = given[0]
        # What is not there is not equal to anything.
        return lambda value: value is None or not attribute_values.equal(value, wanted)
    judge = _PRESENT[operator]
    return lambda value: value is not None and judge(value, given)


def _is_missing(value: Value | None) -> bool:
    return value is None


def _order(value: Value, other: Value, *signs: int) -> bool:
    return attribute_values.order(value, other) in signs


_PRESENT: Mapping[str, Callable[[Value, Sequence[Value]], bool]] = {
    "EQ": lambda value, given: attribute_values.equal(value, given[0]),
    "LT": lambda value, given: _order(value, given[0], -1),
    "LE": lambda value, given: _order(value, given[0], -1, 0),
    "GT": lambda value, given: _order(value, given[0], 1),
    "GE": lambda value, given: _order(value, given[0], 1, 0),
    "BETWEEN": lambda value, given: _order(value, given[0], 1, 0) and _order(value, given[1], -1, 0),
    "IN": lambda value, given: any(attribute_values.equal(value, option) for option in given),
    "CONTAINS": lambda value, given: evaluation.contains(value, given[0]),
    "NOT_CONTAINS": lambda value, given: not evaluation.contains(value, given[0]),
    "BEGINS_WITH": lambda value, given: evaluation.begins_with(value, given[0]),
}
