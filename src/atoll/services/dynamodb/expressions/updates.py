"""UpdateExpression: all its values are computed from the item as it was, and then put into a new one; the old stays as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from atoll.services.dynamodb.expressions import edits, paths, update_syntax
from atoll.services.dynamodb.expressions.bindings import Bindings, Pairs, kept
from atoll.services.dynamodb.expressions.edits import Leaf
from atoll.services.dynamodb.expressions.lexer import invalid_expression
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.expressions.syntax import Call, Operand, Placeholder, Reference
from atoll.services.dynamodb.expressions.update_syntax import Action, Sum
from atoll.services.dynamodb.records import Item, Value
from atoll.services.dynamodb.refusals import validation

_WHAT = "UpdateExpression"
_PLANS_KEPT_MAX = 1024
_KINDS_TOLD = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOL",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
}
_ADDED = frozenset({"N", "SS", "NS", "BS"})
_DELETED = frozenset({"SS", "NS", "BS"})

Source = Callable[[Item, Mapping[str, Value]], Value]


class Update:
    """`creates` tells whether it makes an item where there is none: one that only takes away does not."""

    __slots__ = ("_leaves", "_tree", "_values", "attributes", "creates")

    def __init__(
        self, tree: paths.Tree, values: Mapping[str, Value], attributes: frozenset[str], *, creates: bool
    ) -> None:
        self._tree = tree
        self._leaves = tree.leaves
        self._values = values
        self.attributes = attributes
        """The top-level attributes that it writes."""
        self.creates = creates

    def apply(self, item: Item) -> Item:
        """A new item. A missing one is empty."""
        values = self._values
        leaves = {id(node): node.leaf(item, values) for node in self._leaves}
        return edits.changed(item, self._tree, leaves)

    def part_of(self, item: Item) -> Item:
        """Only what the update's paths name."""
        return paths.part_of(item, self._tree)


@dataclass(frozen=True, slots=True)
class _Plan:
    tree: paths.Tree
    used: frozenset[str]
    attributes: frozenset[str]
    creates: bool


def compile_update(text: str, bindings: Bindings) -> Update:
    plan: _Plan = kept(_plan, bindings, text)(text, bindings.names_key, bindings.kinds_key)
    bindings.use(plan.used)
    return Update(plan.tree, bindings.values, plan.attributes, creates=plan.creates)


@lru_cache(maxsize=_PLANS_KEPT_MAX)
def _plan(text: str, names: Pairs, kinds: Pairs) -> _Plan:
    actions = update_syntax.parse(text)
    resolver = Resolver(_WHAT, names, kinds)
    written: set[str] = set()
    found = []
    for action in actions:
        path = resolver.path(action.path)
        written.add(str(path[0]))
        found.append((path, _maker(action, resolver)))
    tree = paths.Tree()
    for path, make in found:
        paths.grow(tree, path, make, _WHAT)
    creates = any(action.section in ("SET", "ADD") for action in actions)
    return _Plan(tree, frozenset(resolver.used), frozenset(written), creates)


def _maker(action: Action, resolver: Resolver) -> Callable[[Item, Mapping[str, Value]], Leaf]:
    if action.value is None:
        return lambda _item, _values: edits.remove
    if action.section == "SET":
        source = _source(action.value, resolver)
        return lambda item, values: edits.put(source(item, values))
    assert isinstance(action.value, Placeholder)
    kind, name = resolver.value_kind(action.value), action.value.name
    if kind not in (_ADDED if action.section == "ADD" else _DELETED):
        # AWS names the same set of types for both.
        raise invalid_expression(
            _WHAT,
            "Incorrect operand type for operator or function; "
            f"operator: {action.section}, operand type: {_KINDS_TOLD[kind]}, typeSet: ALLOWED_FOR_ADD_OPERAND",
        )
    if action.section == "ADD":
        return lambda _item, values: edits.add(values[name])
    return lambda _item, values: edits.take_out(values[name])


def _source(value: Operand | Sum, resolver: Resolver) -> Source:
    if isinstance(value, Sum):
        return _sum(value, resolver)
    if isinstance(value, Call):
        return _call(value, resolver)
    if isinstance(value, Placeholder):
        resolver.value_kind(value)
        name = value.name
        return lambda _, values: values[name]
    path = resolver.path(value)

    def existing(item: Item, _: Mapping[str, Value]) -> Value:
        found = paths.get(item, path)
        if found is None:
            message = "The provided expression refers to an attribute that does not exist in the item"
            raise validation(message)
        return found

    return existing


def _sum(value: Sum, resolver: Resolver) -> Source:
    left, right = _source(value.left, resolver), _source(value.right, resolver)
    for operand in (value.left, value.right):
        kind = resolver.kind_of(operand)
        if kind is not None and kind != "N":
            raise resolver.wrong_type(value.operator, kind)
    compute = edits.OPERATIONS[value.operator]

    def computed(item: Item, values: Mapping[str, Value]) -> Value:
        a, b = left(item, values), right(item, values)
        if "N" not in a or "N" not in b:
            raise edits.wrong_type()
        return {"N": compute(a["N"], b["N"])}

    return computed


def _call(call: Call, resolver: Resolver) -> Source:
    sources = [_source(argument, resolver) for argument in call.arguments]
    resolver.require_count(call, 2)
    if call.function == "if_not_exists":
        resolver.require_path(call)
        assert isinstance(call.arguments[0], Reference)
        path, default = resolver.path(call.arguments[0]), sources[1]
        return lambda item, values: paths.get(item, path) or default(item, values)
    for argument in call.arguments:
        kind = resolver.kind_of(argument)
        if kind is not None and kind != "L":
            raise resolver.wrong_type(call.function, kind)
    first, second = sources

    def joined(item: Item, values: Mapping[str, Value]) -> Value:
        a, b = first(item, values), second(item, values)
        if "L" not in a or "L" not in b:
            raise edits.wrong_type()
        return {"L": a["L"] + b["L"]}

    return joined
