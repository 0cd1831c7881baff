"""The grammar of conditions: filters and key conditions have the same. Text to nodes; names and values come later.

    or      and { OR and }
    and     not { AND not }
    not     { NOT } ( ( or ) | comparison | call )
    comparison   operand ( = | <> | < | <= | > | >= ) operand | operand BETWEEN operand AND operand | operand IN ( operand {, operand} )

The parser keeps its own stack, so that four kilobytes of parentheses are no deeper for Python than one pair of them.
"""

from dataclasses import dataclass, field

from atoll.services.dynamodb.expressions.lexer import END, invalid_expression
from atoll.services.dynamodb.expressions.syntax import (
    MISUSED_FUNCTION,
    PARENTHESES,
    UNKNOWN_FUNCTION,
    Call,
    Cursor,
    Operand,
    Reference,
    misused,
)

COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")
_OPTIONS_MAX = 100
_TESTS = frozenset({"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains"})
_OF_UPDATES = frozenset({"if_not_exists", "list_append"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """`operator` is a comparator, BETWEEN or IN."""

    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    inner: "Node"


@dataclass(frozen=True, slots=True)
class All:
    inner: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Any:
    inner: tuple["Node", ...]


Node = Comparison | Call | Not | All | Any


@dataclass(slots=True)
class _Level:
    """What is between one pair of parentheses, so far."""

    groups: list[list[Node]] = field(default_factory=lambda: [[]])
    nots: int = 0  # that wait for a condition
    wrapped: bool = False  # the last condition was in parentheses itself

    @property
    def is_fresh(self) -> bool:
        return self.groups == [[]] and self.nots == 0

    def add(self, node: Node, *, wrapped: bool) -> None:
        self.wrapped = wrapped and self.nots == 0
        for _ in range(self.nots):
            node = Not(node)
        self.nots = 0
        self.groups[-1].append(node)

    def close(self) -> Node:
        return _merged(Any, [_merged(All, group) for group in self.groups])

    @property
    def is_one_wrapped(self) -> bool:
        return self.wrapped and len(self.groups) == 1 and len(self.groups[0]) == 1


def _merged(kind: type[All] | type[Any], nodes: list[Node]) -> Node:
    if len(nodes) == 1:
        return nodes[0]
    # Chains written with parentheses, a OR (b OR (c OR ...)), become flat: evaluation must not be as deep as the text.
    flat: list[Node] = []
    for node in nodes:
        flat.extend(node.inner if isinstance(node, kind) else (node,))
    return kind(tuple(flat))


def parse(text: str, what: str) -> Node:
    return _Parser(text, what).condition()


class _Parser(Cursor):
    keywords = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN"})

    def condition(self) -> Node:
        levels = [_Level()]
        while True:
            while self.take_word("NOT"):
                self.count_operator()
                levels[-1].nots += 1
            if self.take("("):
                levels.append(_Level())
                continue
            self._primary(levels)
            while not self._joined(levels):
                if self.token.kind == END and len(levels) == 1:
                    self.finish()
                    return levels[0].close()
                self._close(levels)

    def _joined(self, levels: list[_Level]) -> bool:
        """Whether AND or OR asks for another condition."""
        level = levels[-1]
        if self.take_word("AND"):
            self.count_operator()
        elif self.take_word("OR"):
            self.count_operator()
            level.groups.append([])
        else:
            return False
        level.wrapped = False
        return True

    def _close(self, levels: list[_Level]) -> None:
        if len(levels) == 1 or not self.take(")"):
            self.refuse()
        closed = levels.pop()
        if closed.is_one_wrapped:
            self.complain(PARENTHESES, "The expression has redundant parentheses;")
        levels[-1].add(closed.close(), wrapped=True)

    def _primary(self, levels: list[_Level]) -> None:
        """A comparison or a call. Parentheses just before it may turn out to be around its first operand alone."""
        operand = self.operand()
        around = 0
        while (
            self.at(")") and len(levels) > 1 and levels[-1].is_fresh and self._is_operand_end(operand, around, levels)
        ):
            self.advance()
            levels.pop()
            around += 1
            if isinstance(operand, Reference) and (self.at(".") or self.at("[")):
                operand = self.extended(operand)
                around = 0
            elif around > 1:
                self.complain(PARENTHESES, "The expression has redundant parentheses;")
        levels[-1].add(self._finished(operand), wrapped=False)

    def _is_operand_end(self, operand: Operand, around: int, levels: list[_Level]) -> bool:
        """Whether the parenthesis that closes here is around an operand: a call alone may be a condition too."""
        if not isinstance(operand, Call):
            return True
        behind = self._behind_parentheses(len(levels) - 1)
        return around > 0 or behind in COMPARATORS or behind in ("BETWEEN", "IN")

    def _behind_parentheses(self, most: int) -> str:
        at = self._at
        while most and self._tokens[at].text == ")":
            at += 1
            most -= 1
        return self._tokens[at].text.upper()

    def _finished(self, first: Operand) -> Node:
        token = self.token
        if token.text in COMPARATORS:
            self.advance()
            self.count_operator()
            return self._comparison(token.text, (first, self.operand()))
        if self.take_word("BETWEEN"):
            self.count_operator()
            low = self.operand()
            if not self.take_word("AND"):
                self.refuse()
            return self._comparison("BETWEEN", (first, low, self.operand()))
        if self.take_word("IN"):
            self.count_operator()
            return self._comparison("IN", (first, *self._options()))
        if not isinstance(first, Call):
            self.refuse()
        if first.function not in _TESTS:
            self.complain(MISUSED_FUNCTION, misused(first.function))
        return first

    def _options(self) -> list[Operand]:
        self.expect("(")
        options = [self.operand()]
        while self.take(","):
            options.append(self.operand())
        self.expect(")")
        if len(options) > _OPTIONS_MAX:
            message = "Invalid number of operands for IN operator; operator: IN, number of operands: "
            raise invalid_expression(self.what, f"{message}{len(options)}")
        return options

    def _comparison(self, operator: str, operands: tuple[Operand, ...]) -> Comparison:
        for operand in operands:
            if isinstance(operand, Call) and operand.function != "size":
                self.complain(MISUSED_FUNCTION, misused(operand.function))
        return Comparison(operator, operands)

    def judge_function(self, function: str, depth: int) -> None:
        if function in _OF_UPDATES:
            message = f"The function is not allowed in a condition expression; function: {function}"
            self.complain(UNKNOWN_FUNCTION, message)
        elif function not in _TESTS and function != "size":
            self.complain(UNKNOWN_FUNCTION, f"Invalid function name; function: {function}")
        elif depth and function != "size":
            self.complain(MISUSED_FUNCTION, misused(function))
