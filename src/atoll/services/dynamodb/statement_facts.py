"""What a policy's conditions may ask about a PartiQL statement: the same as about the operations it stands for."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from atoll.services.dynamodb.partiql.tree import (
    And,
    Compare,
    Condition,
    Exists,
    In,
    Insert,
    Literally,
    Operand,
    Or,
    Path,
    Select,
    Statement,
)
from atoll.services.dynamodb.request_facts import text_of


def facts_of(statement: Statement, leading_names: Sequence[str]) -> dict[str, Any]:
    whole = statement.select if isinstance(statement, Exists) else statement
    facts: dict[str, Any] = {"dynamodb:Attributes": sorted(set(_attributes(whole)))}
    if isinstance(whole, Select):
        facts["dynamodb:Select"] = "ALL_ATTRIBUTES" if whole.columns is None else "SPECIFIC_ATTRIBUTES"
    if isinstance(whole, Insert):
        keys = {text_of(whole.item[name]) for name in leading_names if name in whole.item}
    else:
        found = [_equal_to(whole.where, name) for name in leading_names]
        keys = {text for texts in found for text in texts or ()}
        facts["dynamodb:FullTableScan"] = None in found
        if None in found:
            return facts
    return {**facts, "dynamodb:LeadingKeys": sorted(keys)}


def _attributes(tree: Any) -> Iterator[str]:
    """The roots of all paths in it."""
    if isinstance(tree, Path):
        yield tree.root
    elif isinstance(tree, Insert):
        yield from tree.item
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _attributes(part)
    elif is_dataclass(tree):
        for field in fields(tree):
            yield from _attributes(getattr(tree, field.name))


def _equal_to(condition: Condition | None, name: str) -> set[str] | None:
    """All that `name` can be where the condition holds; None: anything."""
    if isinstance(condition, Compare) and condition.operator == "=":
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if _is_named(one, name) and isinstance(other, Literally):
                return {text_of(other.value)}
    if isinstance(condition, In) and _is_named(condition.operand, name):
        values = [choice.value for choice in condition.choices if isinstance(choice, Literally)]
        return {text_of(value) for value in values} if len(values) == len(condition.choices) else None
    if isinstance(condition, And):
        return next((found for term in condition.terms if (found := _equal_to(term, name)) is not None), None)
    if isinstance(condition, Or):
        branches = [_equal_to(term, name) for term in condition.terms]
        return None if None in branches else {text for texts in branches for text in texts or ()}
    return None


def _is_named(operand: Operand, name: str) -> bool:
    return isinstance(operand, Path) and operand.is_name and operand.root == name
