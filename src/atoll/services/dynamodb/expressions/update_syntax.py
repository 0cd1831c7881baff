"""The grammar of updates: sections in any order, each at most once, of actions with commas between.

SET     path = value        value: operand [ ( + | - ) operand ]
REMOVE  path
ADD     path :value
DELETE  path :value
"""

from dataclasses import dataclass

from atoll.services.dynamodb.expressions.lexer import END, NAME, VALUE, invalid_expression
from atoll.services.dynamodb.expressions.syntax import (
    MISUSED_FUNCTION,
    PARENTHESES,
    UNKNOWN_FUNCTION,
    Cursor,
    Operand,
    Placeholder,
    Reference,
    misused,
)

_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_FUNCTIONS = frozenset({"if_not_exists", "list_append"})
_OF_CONDITIONS = frozenset(
    {"attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"}
)


@dataclass(frozen=True, slots=True)
class Sum:
    operator: str  # + or -
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Action:
    section: str
    path: Reference
    value: Operand | Sum | None  # none of REMOVE


def parse(text: str) -> list[Action]:
    return _Parser(text, "UpdateExpression").update()


class _Parser(Cursor):
    def update(self) -> list[Action]:
        actions: list[Action] = []
        seen: set[str] = set()
        repeated = ""
        while self.token.kind != END:
            section = self.token.text.upper()
            if self.token.kind != NAME or section not in _SECTIONS:
                self.refuse()
            self.advance()
            if section in seen:
                repeated = repeated or section
            seen.add(section)
            actions.append(self._action(section))
            while self.take(","):
                actions.append(self._action(section))
        self.finish()
        if repeated:
            message = f'The "{repeated}" section can only be used once in an update expression;'
            raise invalid_expression(self.what, message)
        return actions

    def _action(self, section: str) -> Action:
        path = self.path()
        if section == "REMOVE":
            return Action(section, path, None)
        if section == "SET":
            self.expect("=")
            return Action(section, path, self._value())
        token = self.token
        if token.kind != VALUE:
            self.refuse()
        self.advance()
        return Action(section, path, Placeholder(token.text))

    def _value(self) -> Operand | Sum:
        """All of a sum may be in parentheses, and so may each operand."""
        opened = 0
        while self.take("("):
            opened += 1
        value: Operand | Sum = self.operand()
        run = 0
        while True:
            if opened and self.take(")"):
                opened -= 1
                run += 1
                if run > 1:
                    self.complain(PARENTHESES, "The expression has redundant parentheses;")
            elif not isinstance(value, Sum) and (self.at("+") or self.at("-")):
                value = self._sum(value)
                run = 0
            elif opened:
                self.refuse()
            else:
                return value

    def _sum(self, left: Operand) -> Sum:
        self.count_operator()
        return Sum(self.advance().text, left, self.operand())

    def judge_function(self, function: str, depth: int) -> None:
        if function in _OF_CONDITIONS:
            message = f"The function is not allowed in an update expression; function: {function}"
            self.complain(UNKNOWN_FUNCTION, message)
        elif function not in _FUNCTIONS:
            self.complain(UNKNOWN_FUNCTION, f"Invalid function name; function: {function}")
        elif depth and function == "list_append":
            self.complain(MISUSED_FUNCTION, misused(function))
