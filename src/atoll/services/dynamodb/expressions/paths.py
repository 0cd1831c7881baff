"""Document paths: attribute names and list indexes from an item down, and the tree that several of them make together."""

from functools import cached_property
from typing import Any

from atoll.services.dynamodb.expressions.lexer import invalid_expression
from atoll.services.dynamodb.records import Item, Value

Path = tuple[str | int, ...]
"""A top-level attribute's name first; then names of map members and indexes of list elements."""


def told(path: Path) -> str:
    """As AWS's messages show it."""
    return f"[{', '.join(f'[{part}]' if isinstance(part, int) else part for part in path)}]"


def get(item: Item, path: Path) -> Value | None:
    found = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if found is None:
            return None
        if isinstance(part, str):
            found = found["M"].get(part) if "M" in found else None
        else:
            elements = found.get("L")
            found = elements[part] if elements is not None and part < len(elements) else None
    return found


class Tree:
    """Paths that share no end: every leaf is one of them, with what is to be done there."""

    def __init__(self, first: Path = ()) -> None:
        self.first = first  # the path that made this node
        self.children: dict[str | int, Tree] = {}
        self.leaf: Any = None

    @cached_property
    def leaves(self) -> tuple["Tree", ...]:
        """Where the paths end: of a tree that grows no more."""
        if self.leaf is not None:
            return (self,)
        return tuple(leaf for child in self.children.values() for leaf in child.leaves)


def grow(root: Tree, path: Path, leaf: object, what: str) -> None:
    """Adds a path, refusing one that AWS finds to be in the way of another."""
    node = root
    for part in path:
        if node.leaf is not None:
            raise _clash(what, "overlap", node.first, path)
        other = next(iter(node.children), part)
        if isinstance(other, int) != isinstance(part, int):
            raise _clash(what, "conflict", node.children[other].first, path)
        node = node.children.setdefault(part, Tree(path))
    if node.leaf is not None or node.children:
        raise _clash(what, "overlap", node.first, path)
    node.leaf = leaf


def _clash(what: str, how: str, one: Path, two: Path) -> Exception:
    return invalid_expression(
        what,
        f"Two document paths {how} with each other; must remove or rewrite one of these paths; "
        f"path one: {told(one)}, path two: {told(two)}",
    )


def part_of(item: Item, tree: Tree) -> Item:
    """Only what the paths name, still in its maps and lists."""
    found: Item = {}
    for name, branch in tree.children.items():
        value = item.get(name)  # type: ignore[arg-type]
        kept = None if value is None else _kept(value, branch)
        if kept is not None:
            found[name] = kept  # type: ignore[index]
    return found


def _kept(value: Value, branch: Tree) -> Value | None:
    if not branch.children:
        return value
    if "M" in value:
        members = part_of(value["M"], branch)
        return {"M": members} if members else None
    elements = value.get("L")
    if elements is None:
        return None
    kept = [
        _kept(elements[index], branch.children[index])
        for index in sorted(part for part in branch.children if isinstance(part, int))
        if index < len(elements)
    ]
    found = [element for element in kept if element is not None]
    return {"L": found} if found else None
