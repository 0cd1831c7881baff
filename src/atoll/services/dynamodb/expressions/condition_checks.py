"""What AWS finds wrong with a condition before it looks at an item: operands of a wrong number or type, or the same twice."""

from collections.abc import Callable, Mapping

from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions.condition_syntax import Comparison, Node, Not
from atoll.services.dynamodb.expressions.lexer import invalid_expression
from atoll.services.dynamodb.expressions.paths import told
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.expressions.syntax import Call, Operand, Placeholder, Reference
from atoll.services.dynamodb.records import Value

_ORDERED = frozenset({"S", "N", "B"})
_SIZELESS = frozenset({"N", "BOOL", "NULL"})
_COUNTS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "L", "M", "NULL", "BOOL"})
_TYPES_TOLD = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"

ValueCheck = Callable[[Mapping[str, Value]], None]
"""Something that depends on the values themselves: it is done for each request."""


def check(node: Node, resolver: Resolver) -> list[ValueCheck]:
    """Refuses what can't be evaluated. Left to right, and inner before outer: AWS tells of the first that it meets."""
    later: list[ValueCheck] = []
    _check_node(node, resolver, later)
    return later


def _check_node(node: Node, resolver: Resolver, later: list[ValueCheck]) -> None:
    if isinstance(node, Comparison):
        _check_comparison(node, resolver, later)
    elif isinstance(node, Call):
        _check_call(node, resolver, later)
    elif isinstance(node, Not):
        _check_node(node.inner, resolver, later)
    else:
        for inner in node.inner:
            _check_node(inner, resolver, later)


def _resolve(operand: Operand, resolver: Resolver, later: list[ValueCheck]) -> None:
    if isinstance(operand, Reference):
        resolver.path(operand)
    elif isinstance(operand, Placeholder):
        resolver.value_kind(operand)
    else:
        _check_call(operand, resolver, later)


def _check_comparison(node: Comparison, resolver: Resolver, later: list[ValueCheck]) -> None:
    for operand in node.operands:
        _resolve(operand, resolver, later)
    if node.operator not in ("=", "<>", "IN"):
        for operand in node.operands:
            kind = resolver.kind_of(operand)
            if kind is not None and kind not in _ORDERED:
                raise resolver.wrong_type(node.operator, kind)
    _check_distinct(node.operator, node.operands, resolver)
    if node.operator == "BETWEEN":
        _check_bounds(node, resolver.what, later)


def _check_distinct(operator: str, operands: tuple[Operand, ...], resolver: Resolver) -> None:
    first = operands[0]
    if not isinstance(first, Reference):
        return
    path = resolver.path(first)
    if any(isinstance(other, Reference) and resolver.path(other) == path for other in operands[1:]):
        message = "The first operand must be distinct from the remaining operands for this operator or function; "
        raise invalid_expression(resolver.what, f"{message}operator: {operator}, first operand: {told(path)}")


def _check_bounds(node: Comparison, what: str, later: list[ValueCheck]) -> None:
    _, low, high = node.operands
    if not (isinstance(low, Placeholder) and isinstance(high, Placeholder)):
        return
    low_name, high_name = low.name, high.name

    def check_bounds(values: Mapping[str, Value]) -> None:
        lower, upper = values[low_name], values[high_name]
        order = attribute_values.order(lower, upper)
        if order is not None and order <= 0:
            return
        wish = (
            "requires same data type for lower and upper bounds"
            if order is None
            else "requires upper bound to be greater than or equal to lower bound"
        )
        bounds = f"lower bound operand: {_told(lower)}, upper bound operand: {_told(upper)}"
        raise invalid_expression(what, f"The BETWEEN operator {wish}; {bounds}")

    later.append(check_bounds)


def _told(value: Value) -> str:
    kind = attribute_values.kind(value)
    return f"AttributeValue: {{{kind}:{value[kind]}}}"


def _check_call(call: Call, resolver: Resolver, later: list[ValueCheck]) -> None:
    for argument in call.arguments:
        _resolve(argument, resolver, later)
    resolver.require_count(call, _COUNTS[call.function])
    if call.function in ("attribute_exists", "attribute_not_exists"):
        resolver.require_path(call)
        return
    if len(call.arguments) > 1:
        _check_distinct(call.function, call.arguments, resolver)
    if call.function == "attribute_type":
        _check_attribute_type(call, resolver, later)
    elif call.function == "begins_with":
        _refuse_kinds(call, resolver, TYPES - {"S", "B"})
    elif call.function == "size":
        _refuse_kinds(call, resolver, _SIZELESS)


def _refuse_kinds(call: Call, resolver: Resolver, refused: frozenset[str]) -> None:
    for argument in call.arguments:
        kind = resolver.kind_of(argument)
        if kind in refused:
            raise resolver.wrong_type(call.function, kind)


def _check_attribute_type(call: Call, resolver: Resolver, later: list[ValueCheck]) -> None:
    wanted = call.arguments[1]
    kind = resolver.kind_of(wanted)
    if kind is None:
        raise resolver.wrong_type(call.function, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}")
    if kind != "S":
        raise resolver.wrong_type(call.function, kind)
    assert isinstance(wanted, Placeholder)
    name, what = wanted.name, resolver.what

    def check_type(values: Mapping[str, Value]) -> None:
        told_type = values[name]["S"]
        if told_type not in TYPES:
            message = f"Invalid attribute type name found; type: {told_type}, valid types: {_TYPES_TOLD}"
            raise invalid_expression(what, message)

    later.append(check_type)
