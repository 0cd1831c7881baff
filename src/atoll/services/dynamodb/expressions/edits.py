"""What updates do at the end of a path, and how an item gets there: only what is on the way is copied."""

from collections.abc import Callable, Mapping
from typing import Final

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import numbers
from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.expressions.paths import Tree
from atoll.services.dynamodb.records import Item, Value
from atoll.services.dynamodb.refusals import validation

Leaf = Callable[["Value | None"], "Value | None"]
"""From what is at a path to what shall be there; None is nothing."""

OPERATIONS: Final[Mapping[str, Callable[[str, str], str]]] = {"+": numbers.add, "-": numbers.subtract}


def wrong_type() -> AwsError:
    return validation("An operand in the update expression has an incorrect data type")


def remove(_old: Value | None) -> Value | None:
    return None


def put(value: Value) -> Leaf:
    return lambda _: value


def add(value: Value) -> Leaf:
    """To a number, to a list's end, or to a set those members that it does not have."""

    def added(old: Value | None) -> Value:
        if old is None:
            return value
        kind = attribute_values.kind(value)
        if kind not in old:
            raise wrong_type()
        if kind == "N":
            return {"N": numbers.add(old["N"], value["N"])}
        if kind == "L":
            return {"L": old["L"] + value["L"]}
        return {kind: list(dict.fromkeys(old[kind] + value[kind]))}

    return added


def take_out(value: Value) -> Leaf:
    """Members out of a set. There are no empty sets: the last one takes the attribute with it."""

    def remaining(old: Value | None) -> Value | None:
        if old is None:
            return None
        kind = attribute_values.kind(value)
        if kind not in old:
            raise wrong_type()
        gone = set(value[kind])
        left = [member for member in old[kind] if member not in gone]
        return {kind: left} if left else None

    return remaining


def changed(item: Item, tree: Tree, leaves: Mapping[int, Leaf]) -> Item:
    """A new item: `leaves` are the tree's, by the identity of their nodes."""
    return _Change(leaves, is_new=not item).members(item, tree, 1)


class _Change:
    def __init__(self, leaves: Mapping[int, Leaf], *, is_new: bool) -> None:
        self._leaves = leaves
        self._is_new = is_new

    def members(self, members: Item, tree: Tree, level: int) -> Item:
        result = dict(members)
        for part, branch in tree.children.items():
            name = str(part)
            value = self._at(members.get(name), branch, level)
            if value is None:
                result.pop(name, None)
            else:
                result[name] = value
        return result

    def _at(self, old: Value | None, branch: Tree, level: int) -> Value | None:
        """What comes to be where a branch leads: `level` is how deep that is."""
        if not branch.children:
            value = self._leaves[id(branch)](old)
            if (
                value is not None
                and value is not old
                and level - 1 + attribute_values.levels(value) > attribute_values.LEVELS_MAX
            ):
                raise validation("Nesting Levels have exceeded supported limits")
            return value
        wants_list = isinstance(next(iter(branch.children)), int)
        if old is None and self._is_new and all(self._leaves[id(node)] is remove for node in branch.leaves):
            # From an item that is not there anything may be removed.
            return None
        if old is None or ("L" if wants_list else "M") not in old:
            message = "The document path provided in the update expression is invalid for update"
            raise validation(message)
        if wants_list:
            return {"L": self._elements(old["L"], branch, level + 1)}
        return {"M": self.members(old["M"], branch, level + 1)}

    def _elements(self, elements: list[Value], branch: Tree, level: int) -> list[Value]:
        """Indexes are those of the old list. What is set behind its end is appended, in the order of indexes."""
        result: list[Value | None] = list(elements)
        for index in sorted(part for part in branch.children if isinstance(part, int)):
            is_inside = index < len(elements)
            value = self._at(elements[index] if is_inside else None, branch.children[index], level)
            if is_inside:
                result[index] = value
            elif value is not None:
                result.append(value)
        return [element for element in result if element is not None]
