"""ConditionExpression and FilterExpression: compiled once for a text, its names and its values' types, and used for many items."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from atoll.services.dynamodb.expressions import condition_checks, condition_syntax, evaluation
from atoll.services.dynamodb.expressions.bindings import Bindings, Pairs, kept
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.records import Item, Value

_PLANS_KEPT_MAX = 2048


class Condition:
    __slots__ = ("_test", "_values", "attributes")

    def __init__(self, test: evaluation.Test, values: Mapping[str, Value], attributes: frozenset[str]) -> None:
        self._test = test
        self._values = values
        self.attributes = attributes
        """The top-level attributes that it looks at."""

    def matches(self, item: Item) -> bool:
        """A missing item is an empty one."""
        return self._test(item, self._values)


@dataclass(frozen=True, slots=True)
class _Plan:
    test: evaluation.Test
    checks: tuple[condition_checks.ValueCheck, ...]
    used: frozenset[str]
    attributes: frozenset[str]


def compile_condition(text: str, bindings: Bindings, what: str = "ConditionExpression") -> Condition:
    plan = kept(_plan, bindings, text)(what, text, bindings.names_key, bindings.kinds_key)
    bindings.use(plan.used)
    for check in plan.checks:
        check(bindings.values)
    return Condition(plan.test, bindings.values, plan.attributes)


@lru_cache(maxsize=_PLANS_KEPT_MAX)
def _plan(what: str, text: str, names: Pairs, kinds: Pairs) -> _Plan:
    node = condition_syntax.parse(text, what)
    resolver = Resolver(what, names, kinds)
    checks = condition_checks.check(node, resolver)
    test = evaluation.test_of(node, resolver)
    return _Plan(test, tuple(checks), frozenset(resolver.used), frozenset(resolver.attributes))
