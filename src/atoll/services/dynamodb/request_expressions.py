"""The expressions of one request: which of its members they are, what they are bound to, and that nothing is left over."""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.expressions.bindings import NAMES, VALUES, Bindings
from atoll.services.dynamodb.expressions.conditions import Condition, compile_condition
from atoll.services.dynamodb.refusals import validation


def bindings_of(request: Mapping[str, Any], expressions: Sequence[str], with_values: Sequence[str]) -> Bindings:
    """Of a request whose expressions are `expressions`, of which those in `with_values` may use values.

    Raises ValidationException.
    """
    names, values = request.get(NAMES), request.get(VALUES)
    if names is not None and not any(member in request for member in expressions):
        raise validation(f"{NAMES} can only be specified when using expressions")
    if values is not None and not any(member in request for member in with_values):
        verb = "is" if len(with_values) == 1 else "are"
        raise validation(
            f"{VALUES} can only be specified when using expressions: {' and '.join(with_values)} {verb} null"
        )
    return Bindings(names, values)


def bind(request: Mapping[str, Any], expressions: Sequence[str], legacy_members: Sequence[str] = ()) -> Bindings | None:
    """Of a request whose expressions all may use values; None when it has none. Raises ValidationException."""
    legacy.check_not_mixed(request, expressions, legacy_members)
    for member in (*expressions, NAMES, VALUES):
        if member in request:
            return bindings_of(request, expressions, expressions)
    return None


def condition(request: Mapping[str, Any], bound: Bindings | None) -> Condition | None:
    """Of ConditionExpression, or of Expected and ConditionalOperator."""
    if bound is not None and "ConditionExpression" in request:
        return compile_condition(request["ConditionExpression"], bound)
    expected, operator = request.get("Expected"), request.get("ConditionalOperator")
    if expected is None and operator is None:
        return None
    return legacy.expected(expected or {}, operator)
