"""FilterSpecification: which items an export takes, and what of them."""

from collections.abc import Mapping
from typing import Any

from atoll.services.dynamodb import selection
from atoll.services.dynamodb.expressions import conditions, projections
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.expressions.key_conditions import compile_key_condition
from atoll.services.dynamodb.expressions.projections import Projection
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import invalid

_KEYS, _FILTER, _PROJECTION = "KeyConditionExpression", "FilterExpression", "ProjectionExpression"


class Filter:
    def __init__(self, tests: list[Condition], projection: Projection | None) -> None:
        self._tests = tests
        self._projection = projection

    def apply(self, item: Item) -> Item | None:
        """What is exported of the item; None: nothing."""
        if not all(test.matches(item) for test in self._tests):
            return None
        return item if self._projection is None else self._projection.apply(item)


def compile_filter(table: Table, asked: Mapping[str, Any] | None) -> Filter | None:
    """Raises ValidationException."""
    if asked is None:
        return None
    if not any(member in asked for member in (_KEYS, _FILTER, _PROJECTION)):
        raise invalid("FilterSpecification must have an expression")
    bindings = Bindings(asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues"))
    tests = []
    if _KEYS in asked:
        schema = [(name, table.attributes[name]) for name in table.key_names]
        compile_key_condition(asked[_KEYS], bindings, schema[:1], schema[1:])
        # Whatever is a key condition is a condition, too, and says the same.
        tests.append(conditions.compile_condition(asked[_KEYS], bindings, _KEYS))
    if _FILTER in asked:
        test = conditions.compile_condition(asked[_FILTER], bindings, _FILTER)
        if _KEYS in asked:
            selection.check_filters_no_key(table.key_names, test.attributes)
        tests.append(test)
    projection = projections.compile_projection(asked[_PROJECTION], bindings) if _PROJECTION in asked else None
    bindings.check_all_used()
    return Filter(tests, projection)
