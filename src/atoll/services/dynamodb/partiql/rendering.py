"""PartiQL's conditions and updates as DynamoDB's expressions: one meaning of a comparison, whoever asks for it."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition as Compiled
from atoll.services.dynamodb.expressions.conditions import compile_condition
from atoll.services.dynamodb.expressions.updates import Update as CompiledUpdate
from atoll.services.dynamodb.expressions.updates import compile_update
from atoll.services.dynamodb.partiql.tree import (
    And,
    Append,
    Assign,
    Between,
    ChangeSet,
    Compare,
    Condition,
    In,
    Is,
    Literally,
    Not,
    Operand,
    Or,
    Path,
    Remove,
    Size,
    Step,
    Sum,
    Test,
)

if TYPE_CHECKING:
    from atoll.services.dynamodb.records import Value

_T = TypeVar("_T")

_UPDATE = "UpdateExpression"
_FILTER = "FilterExpression"
_NULL = Literally({"S": "NULL"})


class _Text:
    """Collects the names and values of one expression."""

    def __init__(self) -> None:
        self._aliases: dict[str, str] = {}
        self._values: dict[str, Value] = {}

    def bindings(self) -> Bindings:
        names = {alias: name for name, alias in self._aliases.items()}
        return Bindings(names or None, self._values or None)

    def path(self, path: Path) -> str:
        text = ""
        for step in path.steps:
            text += f"[{step}]" if isinstance(step, int) else f".{self._alias(step)}"
        return text[1:]

    def _alias(self, name: str) -> str:
        return self._aliases.setdefault(name, f"#{len(self._aliases)}")

    def operand(self, operand: Operand | Append) -> str:
        match operand:
            case Path():
                return self.path(operand)
            case Size(path):
                return f"size({self.path(path)})"
            case Append(first, second):
                return f"list_append({self.operand(first)}, {self.operand(second)})"
            case Literally(value):
                placeholder = f":{len(self._values)}"
                self._values[placeholder] = value
                return placeholder

    def condition(self, condition: Condition) -> str:
        match condition:
            case And(terms):
                return " AND ".join(map(self._inner, terms))
            case Or(terms):
                return " OR ".join(map(self._inner, terms))
            case Not(term):
                return f"NOT {self._inner(term)}"
        return self._leaf(condition)

    def _inner(self, condition: Condition) -> str:
        # Parentheses around anything simpler would be refused as redundant.
        text = self.condition(condition)
        return f"({text})" if isinstance(condition, And | Or | Not) else text

    def _leaf(self, condition: Compare | Between | In | Test | Is) -> str:
        match condition:
            case Compare(left, operator, right):
                return f"{self.operand(left)} {operator} {self.operand(right)}"
            case Between(operand, low, high):
                return f"{self.operand(operand)} BETWEEN {self.operand(low)} AND {self.operand(high)}"
            case In(operand, choices):
                return f"{self.operand(operand)} IN ({', '.join(map(self.operand, choices))})"
            case Test(function, path, argument):
                return f"{function}({self.path(path)}, {self.operand(argument)})"
            case Is(path, "MISSING"):
                return f"attribute_not_exists({self.path(path)})"
            case Is(path, _):
                return f"attribute_type({self.path(path)}, {self.operand(_NULL)})"

    def step(self, step: Step) -> tuple[str, str]:
        """The clause of the update it belongs to, and what it adds there."""
        match step:
            case Assign(path, Sum(left, sign, right)):
                return "SET", f"{self.path(path)} = {self.operand(left)} {sign} {self.operand(right)}"
            case Assign(path, content):
                assert not isinstance(content, Sum), "a sum that is no sum"
                return "SET", f"{self.path(path)} = {self.operand(content)}"
            case Remove(path):
                return "REMOVE", self.path(path)
            case ChangeSet(path, verb, members):
                return verb, f"{self.path(path)} {self.operand(members)}"


def compile_where(condition: Condition) -> Compiled:
    text = _Text()
    rendered = text.condition(condition)
    return _bare(_FILTER, lambda: compile_condition(rendered, text.bindings(), _FILTER))


def compile_steps(steps: Sequence[Step]) -> CompiledUpdate:
    text = _Text()
    clauses: dict[str, list[str]] = {}
    for step in steps:
        clause, part = text.step(step)
        clauses.setdefault(clause, []).append(part)
    rendered = " ".join(f"{clause} {', '.join(parts)}" for clause, parts in clauses.items())
    return _bare(_UPDATE, lambda: compile_update(rendered, text.bindings()))


def _bare(what: str, compile_text: Callable[[], _T]) -> _T:
    """PartiQL's users know of no expressions: what is wrong with one is told without its name."""
    try:
        return compile_text()
    except AwsError as error:
        raise AwsError(error.code, error.message.removeprefix(f"Invalid {what}: ")) from None


def attributes_of(condition: Condition) -> Iterable[str]:
    """The top-level names a condition looks at, in the order of the statement."""
    match condition:
        case And(terms) | Or(terms):
            for term in terms:
                yield from attributes_of(term)
        case Not(term):
            yield from attributes_of(term)
        case Compare(left, _, right):
            yield from _roots(left, right)
        case Between(operand, low, high):
            yield from _roots(operand, low, high)
        case In(operand, choices):
            yield from _roots(operand, *choices)
        case Test(_, path, argument):
            yield from _roots(path, argument)
        case Is(path, _):
            yield path.root


def _roots(*operands: Operand) -> Iterable[str]:
    for operand in operands:
        match operand:
            case Path():
                yield operand.root
            case Size(path):
                yield path.root
