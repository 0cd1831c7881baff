"""The expressions of one request: which of its members they are, what they are bound to, and that nothing is left over."""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition, compile_condition

_NAMES = "ExpressionAttributeNames"
_VALUES = "ExpressionAttributeValues"
_ONLY_WITH_EXPRESSIONS = "{} can only be specified when using expressions"


def bind(request: Mapping[str, Any], expressions: Sequence[str], legacy_members: Sequence[str] = ()) -> Bindings | None:
    """None when the request has none of `expressions`. Raises ValidationException."""
    legacy.check_not_mixed(request, expressions, legacy_members)
    names, values = request.get(_NAMES), request.get(_VALUES)
    if any(member in request for member in expressions):
        return Bindings(names, values)
    if names is not None:
        raise AwsError("ValidationException", _ONLY_WITH_EXPRESSIONS.format(_NAMES))
    if values is not None:
        verb = "are" if len(expressions) > 1 else "is"
        missing = f": {' and '.join(expressions)} {verb} null"
        raise AwsError("ValidationException", _ONLY_WITH_EXPRESSIONS.format(_VALUES) + missing)
    return None


def condition(request: Mapping[str, Any], bindings: Bindings | None) -> Condition | None:
    """Of ConditionExpression, or of Expected and ConditionalOperator."""
    if bindings is not None and "ConditionExpression" in request:
        return compile_condition(request["ConditionExpression"], bindings)
    expected, operator = request.get("Expected"), request.get("ConditionalOperator")
    if expected is None and operator is None:
        return None
    return legacy.expected(expected or {}, operator)
