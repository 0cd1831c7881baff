"""The expressions of one request: which of its members they are, what they are bound to, and that nothing is left over."""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.services.dynamodb.expressions import bindings, legacy
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition, compile_condition


def bind(request: Mapping[str, Any], expressions: Sequence[str], legacy_members: Sequence[str] = ()) -> Bindings | None:
    """None when the request has none of `expressions`. Raises ValidationException."""
    legacy.check_not_mixed(request, expressions, legacy_members)
    if any(member in request for member in expressions):
        return Bindings(request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues"))
    if "ExpressionAttributeNames" in request or "ExpressionAttributeValues" in request:
        bindings.of_request(request, expressions, expressions)
    return None


def condition(request: Mapping[str, Any], bound: Bindings | None) -> Condition | None:
    """Of ConditionExpression, or of Expected and ConditionalOperator."""
    if bound is not None and "ConditionExpression" in request:
        return compile_condition(request["ConditionExpression"], bound)
    expected, operator = request.get("Expected"), request.get("ConditionalOperator")
    if expected is None and operator is None:
        return None
    return legacy.expected(expected or {}, operator)
