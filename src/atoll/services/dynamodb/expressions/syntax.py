"""What the grammars of all expressions share: a cursor over tokens, document paths, operands, and AWS's order of complaints.

A complaint about syntax ends the parse. Others wait for its end, as AWS tells of the most fundamental one first: redundant
parentheses, an unknown function, one in a wrong place, a reserved word.
"""

from dataclasses import dataclass
from typing import NoReturn

from atoll.services.dynamodb.expressions.lexer import (
    ALIAS,
    END,
    NAME,
    NUMBER,
    SIGN,
    VALUE,
    Token,
    invalid_expression,
    tokens_of,
)
from atoll.services.dynamodb.expressions.reserved_words import RESERVED_WORDS

OPERATORS_MAX = 300
_CALLS_NESTED_MAX = 32
_INDEX_MAX = 2**31 - 1

PARENTHESES, UNKNOWN_FUNCTION, MISUSED_FUNCTION, RESERVED = range(4)


@dataclass(frozen=True, slots=True)
class Reference:
    """A document path as it is written: its aliases are not yet names."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """:value"""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple["Operand", ...]


Operand = Reference | Placeholder | Call


class Cursor:
    keywords: frozenset[str] = frozenset()
    """Words of the grammar: they are no names, be they reserved or not."""

    def __init__(self, text: str, what: str) -> None:
        self.text = text
        self.what = what
        self._tokens = tokens_of(text, what)
        self._at = 0
        self._complaints: dict[int, str] = {}
        self._operators = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    @property
    def following(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def advance(self) -> Token:
        token = self._tokens[self._at]
        if token.kind != END:
            self._at += 1
        return token

    def at(self, sign: str) -> bool:
        token = self._tokens[self._at]
        return token.kind == SIGN and token.text == sign

    def at_word(self, word: str) -> bool:
        token = self._tokens[self._at]
        return token.kind == NAME and token.text.upper() == word

    def take(self, sign: str) -> bool:
        if not self.at(sign):
            return False
        self._at += 1
        return True

    def take_word(self, word: str) -> bool:
        if not self.at_word(word):
            return False
        self._at += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            self.refuse()

    def refuse(self) -> NoReturn:
        """The token here can't stand here: AWS shows it between its neighbours."""
        token = self.token
        first = self._tokens[self._at - 1] if self._at else token
        # After the end there is nothing, and AWS shows only what comes before.
        last = first if token.kind == END else self.following
        end = last.end if last.kind != END else token.end
        raise invalid_expression(
            self.what, f'Syntax error; token: "{token.text}", near: "{self.text[first.start : end]}"'
        )

    def count_operator(self) -> None:
        self._operators += 1
        if self._operators > OPERATORS_MAX:
            message = f"The expression contains too many operators; operator count: {self._operators}"
            raise invalid_expression(self.what, message)

    def complain(self, rank: int, message: str) -> None:
        self._complaints.setdefault(rank, message)

    def finish(self) -> None:
        """At the end of the text: what there was to complain about."""
        if self.token.kind != END:
            self.refuse()
        self.tell_complaints()

    def tell_complaints(self) -> None:
        if self._complaints:
            raise invalid_expression(self.what, self._complaints[min(self._complaints)])

    def path(self) -> Reference:
        """name or #alias, then any of .name, .#alias, [index]."""
        parts: list[str | int] = [self._name()]
        self._extend(parts)
        return Reference(tuple(parts))

    def extended(self, path: Reference) -> Reference:
        """A path that was in parentheses may go on behind them."""
        parts = list(path.parts)
        self._extend(parts)
        return Reference(tuple(parts))

    def _extend(self, parts: list[str | int]) -> None:
        while True:
            if self.take("."):
                parts.append(self._name())
            elif self.take("["):
                parts.append(self._index())
                self.expect("]")
            else:
                return

    def _name(self) -> str:
        token = self.token
        word = token.text.upper()
        if token.kind not in (NAME, ALIAS) or word in self.keywords:
            self.refuse()
        if word in RESERVED_WORDS:
            message = f"Attribute name is a reserved keyword; reserved keyword: {token.text}"
            self.complain(RESERVED, message)
        self._at += 1
        return token.text

    def _index(self) -> int:
        token = self.token
        if token.kind != NUMBER:
            self.refuse()
        self._at += 1
        digits = token.text.lstrip("0") or "0"
        if len(digits) > len(str(_INDEX_MAX)) or int(digits) > _INDEX_MAX:
            raise invalid_expression(self.what, f"List index is not within the allowable range; index: [{token.text}]")
        return int(digits)

    def operand(self, depth: int = 0) -> Operand:
        """A path, a :value or a call, in parentheses or not."""
        opened = 0
        while self.take("("):
            opened += 1
        node = self._plain_operand(depth)
        closed = 0
        while opened and self.take(")"):
            opened -= 1
            closed += 1
            if closed > 1:
                self.complain(PARENTHESES, "The expression has redundant parentheses;")
            if isinstance(node, Reference) and (self.at(".") or self.at("[")):
                node = self.extended(node)
                closed = 0
        if opened:
            self.refuse()
        return node

    def _plain_operand(self, depth: int) -> Operand:
        token = self.token
        if token.kind == VALUE:
            self._at += 1
            return Placeholder(token.text)
        if token.kind == NAME and self.following.text == "(" and token.text.upper() not in self.keywords:
            return self._call(depth)
        return self.path()

    def _call(self, depth: int) -> Call:
        function = self.advance().text
        self.advance()
        self.judge_function(function, depth)
        if depth > _CALLS_NESTED_MAX:
            # No function takes its own kind this deep. Deeper would be the end of the stack, not of the text.
            self.complain(MISUSED_FUNCTION, misused(function))
            self.tell_complaints()
        arguments = [self.operand(depth + 1)]
        while self.take(","):
            arguments.append(self.operand(depth + 1))
        self.expect(")")
        return Call(function, tuple(arguments))

    def judge_function(self, function: str, depth: int) -> None:
        """Complains of functions that a kind of expression does not have, or not inside of others."""
        raise NotImplementedError


def misused(function: str) -> str:
    return f"The function is not allowed to be used this way in an expression; function: {function}"
