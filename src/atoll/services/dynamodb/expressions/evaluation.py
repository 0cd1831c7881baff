"""Conditions as Python functions of an item and the values: made once for a text, called for every item."""

from base64 import b64decode
from collections.abc import Callable, Mapping

from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions import paths
from atoll.services.dynamodb.expressions.condition_syntax import All, Comparison, Node, Not
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.expressions.syntax import Call, Operand, Placeholder, Reference
from atoll.services.dynamodb.records import Item, Value

Values = Mapping[str, Value]
Getter = Callable[[Item, Values], Value | None]
Test = Callable[[Item, Values], bool]

_SET_MEMBERS = {"SS": "S", "NS": "N", "BS": "B"}


def test_of(node: Node, resolver: Resolver) -> Test:
    """Of a node that was checked."""
    if isinstance(node, Comparison):
        return _comparison(node, resolver)
    if isinstance(node, Call):
        return _call(node, resolver)
    if isinstance(node, Not):
        negated = test_of(node.inner, resolver)
        return lambda item, values: not negated(item, values)
    tests = tuple(test_of(inner, resolver) for inner in node.inner)
    return _all_of(tests) if isinstance(node, All) else _any_of(tests)


# Loops, not all() and any(): a generator a level would double the depth of Python's stack.
def _all_of(tests: tuple[Test, ...]) -> Test:
    def every(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110
            if not test(item, values):
                return False
        return True

    return every


def _any_of(tests: tuple[Test, ...]) -> Test:
    def some(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110
            if test(item, values):
                return True
        return False

    return some


def getter_of(operand: Operand, resolver: Resolver) -> Getter:
    if isinstance(operand, Placeholder):
        name = operand.name
        return lambda _, values: values[name]
    if isinstance(operand, Reference):
        path = resolver.path(operand)
        if len(path) == 1:
            top = path[0]
            return lambda item, _: item.get(top)  # type: ignore[arg-type]
        return lambda item, _: paths.get(item, path)
    of = getter_of(operand.arguments[0], resolver)
    return lambda item, values: size_of(of(item, values))


def _comparison(node: Comparison, resolver: Resolver) -> Test:
    left, *others = (getter_of(operand, resolver) for operand in node.operands)
    if node.operator == "BETWEEN":
        return _between(left, others[0], others[1])
    if node.operator == "IN":
        return _in(left, tuple(others))
    if node.operator == "=":
        return _equal(left, others[0])
    if node.operator == "<>":
        equal = _equal(left, others[0])
        # What is not there is not equal to anything, and to nothing that is not there either.
        return lambda item, values: not equal(item, values)
    return _ordered(left, others[0], _ORDERS[node.operator])


def _equal(left: Getter, right: Getter) -> Test:
    def test(item: Item, values: Values) -> bool:
        a, b = left(item, values), right(item, values)
        return a is not None and b is not None and attribute_values.equal(a, b)

    return test


_ORDERS: dict[str, Callable[[int], bool]] = {
    "<": lambda sign: sign < 0,
    "<=": lambda sign: sign <= 0,
    ">": lambda sign: sign > 0,
    ">=": lambda sign: sign >= 0,
}


def _ordered(left: Getter, right: Getter, holds: Callable[[int], bool]) -> Test:
    def test(item: Item, values: Values) -> bool:
        sign = _order(left(item, values), right(item, values))
        return sign is not None and holds(sign)

    return test


def _order(a: Value | None, b: Value | None) -> int | None:
    return None if a is None or b is None else attribute_values.order(a, b)


def _between(subject: Getter, low: Getter, high: Getter) -> Test:
    def test(item: Item, values: Values) -> bool:
        value = subject(item, values)
        above, below = _order(low(item, values), value), _order(value, high(item, values))
        return above is not None and below is not None and above <= 0 and below <= 0

    return test


def _in(subject: Getter, options: tuple[Getter, ...]) -> Test:
    def test(item: Item, values: Values) -> bool:
        value = subject(item, values)
        if value is None:
            return False
        found = (option(item, values) for option in options)
        return any(option is not None and attribute_values.equal(value, option) for option in found)

    return test


def _call(call: Call, resolver: Resolver) -> Test:
    getters = [getter_of(argument, resolver) for argument in call.arguments]
    first = getters[0]
    if call.function == "attribute_exists":
        return lambda item, values: first(item, values) is not None
    if call.function == "attribute_not_exists":
        return lambda item, values: first(item, values) is None
    second, judge = getters[1], _JUDGES[call.function]

    def test(item: Item, values: Values) -> bool:
        a, b = first(item, values), second(item, values)
        return a is not None and b is not None and judge(a, b)

    return test


def _has_type(value: Value, wanted: Value) -> bool:
    return wanted["S"] in value


def begins_with(value: Value, prefix: Value) -> bool:
    if "S" in value and "S" in prefix:
        return str(value["S"]).startswith(prefix["S"])
    if "B" in value and "B" in prefix:
        return b64decode(value["B"]).startswith(b64decode(prefix["B"]))
    return False


def contains(value: Value, wanted: Value) -> bool:
    """A part of a text or binary, a member of a set, an element of a list."""
    kind = attribute_values.kind(value)
    if kind == "S":
        return "S" in wanted and wanted["S"] in value["S"]
    if kind == "B":
        return "B" in wanted and b64decode(wanted["B"]) in b64decode(value["B"])
    if kind == "L":
        return any(attribute_values.equal(element, wanted) for element in value["L"])
    member = _SET_MEMBERS.get(kind)
    return member is not None and member in wanted and wanted[member] in value[kind]


_JUDGES: dict[str, Callable[[Value, Value], bool]] = {
    "attribute_type": _has_type,
    "begins_with": begins_with,
    "contains": contains,
}


def size_of(value: Value | None) -> Value | None:
    if value is None:
        return None
    kind = attribute_values.kind(value)
    if kind in ("N", "BOOL", "NULL"):
        return None
    if kind == "S":
        count = attribute_values.text_size(value["S"])
    elif kind == "B":
        count = attribute_values.binary_size(value["B"])
    else:
        count = len(value[kind])
    return {"N": str(count)}
