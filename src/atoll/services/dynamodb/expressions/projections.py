"""ProjectionExpression, and AttributesToGet before it: which parts of an item an answer carries."""

from collections.abc import Sequence
from functools import lru_cache

from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions import paths
from atoll.services.dynamodb.expressions.bindings import Bindings, Pairs, kept
from atoll.services.dynamodb.expressions.resolution import Resolver
from atoll.services.dynamodb.expressions.syntax import UNKNOWN_FUNCTION, Cursor, Reference
from atoll.services.dynamodb.records import Item
from atoll.services.dynamodb.refusals import invalid

_WHAT = "ProjectionExpression"
_PLANS_KEPT_MAX = 512


class Projection:
    __slots__ = ("_tree", "attributes", "used")

    def __init__(self, tree: paths.Tree, attributes: frozenset[str], used: frozenset[str] = frozenset()) -> None:
        self._tree = tree
        self.attributes = attributes
        """The top-level attributes that it takes from."""
        self.used = used

    def apply(self, item: Item) -> Item:
        return paths.part_of(item, self._tree)


def compile_projection(text: str, bindings: Bindings) -> Projection:
    projection: Projection = kept(_projection, bindings, text)(text, bindings.names_key)
    bindings.use(projection.used)
    return projection


def check_distinct(names: Sequence[str]) -> None:
    """Raises ValidationException for an attribute that AttributesToGet names twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise invalid(f"Duplicate value in attribute name: {name}")
        seen.add(name)


def from_attributes(names: Sequence[str]) -> Projection:
    """Of AttributesToGet, whose names are top-level whatever dots they have."""
    attribute_values.check_names(names)
    check_distinct(names)
    tree, leaf = paths.Tree(), paths.Tree()
    leaf.leaf = _WHAT
    for name in names:
        tree.children[name] = leaf
    return Projection(tree, frozenset(names))


@lru_cache(maxsize=_PLANS_KEPT_MAX)
def _projection(text: str, names: Pairs) -> Projection:
    resolver = Resolver(_WHAT, names, ())
    tree = paths.Tree()
    for reference in _Parser(text, _WHAT).projection():
        paths.grow(tree, resolver.path(reference), reference, _WHAT)
    return Projection(tree, frozenset(resolver.attributes), frozenset(resolver.used))


class _Parser(Cursor):
    def projection(self) -> list[Reference]:
        found = [self.path()]
        while self.take(","):
            found.append(self.path())
        self.finish()
        return found

    def judge_function(self, function: str, depth: int) -> None:
        self.complain(UNKNOWN_FUNCTION, f"Invalid function name; function: {function}")
