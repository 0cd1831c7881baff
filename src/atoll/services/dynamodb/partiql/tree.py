"""What a PartiQL statement says, as trees. Literals and parameters are values by now, taken and normalised."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from atoll.services.dynamodb.records import Item, Value

Operator = Literal["=", "<>", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Path:
    """Attribute names, and positions in lists."""

    steps: tuple[str | int, ...]

    @property
    def root(self) -> str:
        assert isinstance(self.steps[0], str), "a path starts with a name"
        return self.steps[0]

    @property
    def is_name(self) -> bool:
        return len(self.steps) == 1

    @property
    def told(self) -> str:
        """The name under which SELECT answers it: the last one."""
        return next(step for step in reversed(self.steps) if isinstance(step, str))


@dataclass(frozen=True, slots=True)
class Literally:
    value: Value


@dataclass(frozen=True, slots=True)
class Size:
    path: Path


Operand: TypeAlias = Path | Literally | Size


@dataclass(frozen=True, slots=True)
class Compare:
    left: Operand
    operator: Operator
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """begins_with, contains, attribute_type."""

    function: str
    path: Path
    argument: Operand


@dataclass(frozen=True, slots=True)
class Is:
    path: Path
    what: Literal["MISSING", "NULL"]


@dataclass(frozen=True, slots=True)
class And:
    terms: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    terms: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    term: "Condition"


Condition: TypeAlias = Compare | Between | In | Test | Is | And | Or | Not


@dataclass(frozen=True, slots=True)
class Target:
    table: str
    index: str | None


@dataclass(frozen=True, slots=True)
class Order:
    attribute: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Select:
    target: Target
    columns: tuple[Path, ...] | None  # None is *
    where: Condition | None
    order: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Exists:
    select: Select


@dataclass(frozen=True, slots=True)
class Insert:
    target: Target
    item: Item


@dataclass(frozen=True, slots=True)
class Sum:
    left: "Operand | Append"
    sign: Literal["+", "-"]
    right: "Operand | Append"


@dataclass(frozen=True, slots=True)
class Append:
    first: Operand
    second: Operand


@dataclass(frozen=True, slots=True)
class Assign:
    path: Path
    content: Operand | Append | Sum


@dataclass(frozen=True, slots=True)
class Remove:
    path: Path


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """set_add and set_delete."""

    path: Path
    verb: Literal["ADD", "DELETE"]
    members: Operand


Step: TypeAlias = Assign | Remove | ChangeSet


@dataclass(frozen=True, slots=True)
class Returning:
    which: Literal["ALL", "MODIFIED"]
    when: Literal["OLD", "NEW"]


@dataclass(frozen=True, slots=True)
class Update:
    target: Target
    steps: tuple[Step, ...]
    where: Condition | None
    returning: Returning | None


@dataclass(frozen=True, slots=True)
class Delete:
    target: Target
    where: Condition | None
    returning: Returning | None


Write: TypeAlias = Insert | Update | Delete
Statement: TypeAlias = Select | Exists | Write
