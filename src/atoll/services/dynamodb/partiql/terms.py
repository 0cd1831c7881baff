"""Reads the parts of statements: names, paths, values and conditions.

Recursive descent, but never deeper than DEPTH_MAX: what nests more is refused, not left to Python's stack.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import values
from atoll.services.dynamodb.partiql.lexer import KEPT_CHARACTERS_MAX, Token, lex, malformed, place
from atoll.services.dynamodb.partiql.tree import (
    And,
    Between,
    Compare,
    Condition,
    In,
    Is,
    Literally,
    Not,
    Operand,
    Operator,
    Or,
    Path,
    Size,
    Test,
)
from atoll.services.dynamodb.records import Value
from atoll.services.dynamodb.refusals import validation

DEPTH_MAX = 64
IN_OPERANDS_MAX = 100
_STRUCTURE = frozenset(
    {
        *("SELECT", "FROM", "WHERE", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "ORDER", "BY"),
        *("AND", "OR", "NOT", "IN", "IS", "BETWEEN", "NULL", "MISSING", "TRUE", "FALSE"),
    }
)
"""Words that are never names, unless they are quoted."""
_COMPARATORS: dict[str, Operator] = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TESTS = ("begins_with", "contains", "attribute_type")
_ORDERED = ("S", "N", "B")


class Terms:
    def __init__(self, statement: str, parameters: Sequence[Value]) -> None:
        self.statement = statement
        self._tokens = (lex if len(statement) <= KEPT_CHARACTERS_MAX else lex.__wrapped__)(statement)
        self._at = 0
        self._depth = 0
        self._parameters = parameters
        self.parameters_used = 0
        self._longest_in = 0

    # Tokens

    @property
    def token(self) -> Token:
        return self._tokens[self._at]

    def next(self) -> Token:
        token = self.token
        if token.kind != "end":
            self._at += 1
        return token

    def take_sign(self, sign: str) -> bool:
        taken = self.token.is_sign(sign)
        self._at += taken
        return taken

    def take_word(self, word: str) -> bool:
        taken = self.token.is_word(word)
        self._at += taken
        return taken

    def expect_sign(self, sign: str) -> None:
        if not self.take_sign(sign):
            raise self.unexpected()

    def expect_word(self, word: str) -> None:
        if not self.take_word(word):
            raise self.unexpected()

    def unexpected(self) -> AwsError:
        token = self.token
        if token.kind == "end":
            return malformed("Unexpected end of statement")
        return malformed("Unexpected keyword" if _is_keyword(token) else "Unexpected term")

    def is_call(self, *functions: str) -> bool:
        token = self.token
        return token.kind == "name" and token.text.lower() in functions and self._tokens[self._at + 1].is_sign("(")

    def place(self, token: Token) -> str:
        return f"{place(self.statement, token.start)}:{token.length}"

    @contextmanager
    def deeper(self) -> Iterator[None]:
        if self._depth >= DEPTH_MAX:
            raise malformed("Statement is nested too deeply")
        self._depth += 1
        yield
        self._depth -= 1

    def finish(self) -> None:
        """Raises unless the statement ends here, and all of it can be used."""
        self.take_sign(";")
        if self.token.kind != "end":
            raise malformed("Unexpected token after expression")
        if self.parameters_used != len(self._parameters):
            raise validation("Number of parameters in request and statement don't match.")
        if self._longest_in > IN_OPERANDS_MAX:
            raise validation(
                f"The IN operator is provided with too many operands; number of operands: {self._longest_in}"
            )

    # Names and paths

    def name(self) -> str:
        token = self.token
        if token.kind not in ("name", "quoted") or _is_keyword(token):
            raise self.unexpected()
        self._at += 1
        return token.text

    def path(self) -> Path:
        steps: list[str | int] = [self.name()]
        while True:
            if self.take_sign("."):
                if self.token.kind not in ("name", "quoted"):
                    raise malformed("Invalid path dot component")
                steps.append(self.next().text)
            elif self.take_sign("["):
                steps.append(self._position())
                self.expect_sign("]")
            else:
                return Path(tuple(steps))

    def _position(self) -> int | str:
        token = self.next()
        if token.kind == "string":
            return token.text
        if token.kind != "number" or not token.text.isdecimal() or len(token.text) > 9:
            raise malformed("Invalid path component")
        return int(token.text)

    # Values

    def value(self) -> Value:
        """A literal or a parameter, normalised."""
        found = self._value()
        values.take_value(found)
        return found

    def is_value(self) -> bool:
        token = self.token
        if token.kind == "name":
            return token.text.upper() in ("TRUE", "FALSE", "NULL")
        return token.kind in ("string", "number") or (token.kind == "sign" and token.text in "?[{<<-+")

    def _value(self) -> Value:
        token = self.next()
        if token.kind == "string":
            return {"S": token.text}
        if token.kind == "number":
            return {"N": token.text}
        if token.kind == "name":
            return self._word_value(token)
        if token.kind != "sign":
            self._at -= token.kind != "end"
            raise self.unexpected()
        match token.text:
            case "?":
                return self._parameter()
            case "-" | "+":
                return self._signed(token)
        with self.deeper():
            match token.text:
                case "[":
                    return {"L": self.sequence("]", self._value)}
                case "{":
                    return {"M": self._members()}
                case "<<":
                    return _set(self.sequence(">>", self._value))
        self._at -= 1
        raise self.unexpected()

    def _word_value(self, token: Token) -> Value:
        match token.text.upper():
            case "TRUE":
                return {"BOOL": True}
            case "FALSE":
                return {"BOOL": False}
            case "NULL":
                return {"NULL": True}
        self._at -= 1
        raise self.unexpected()

    def _parameter(self) -> Value:
        position = self.parameters_used
        self.parameters_used += 1
        if position >= len(self._parameters):
            return {"NULL": True}  # `finish` refuses the statement, once it is known to be one.
        return self._parameters[position]

    def _signed(self, sign: Token) -> Value:
        token = self.next()
        if token.kind != "number":
            self._at -= token.kind != "end"
            raise self.unexpected()
        return {"N": sign.text + token.text if sign.text == "-" else token.text}

    def sequence(self, end: str, read: Callable[[], Any]) -> list[Any]:
        """What lies between commas, up to `end`."""
        found: list[Any] = []
        while not self.take_sign(end):
            if found:
                self.expect_sign(",")
            found.append(read())
        return found

    def _members(self) -> dict[str, Value]:
        return dict(self.sequence("}", self._member))

    def _member(self) -> tuple[str, Value]:
        token = self.token
        if token.kind not in ("string", "quoted"):
            raise self.unexpected()
        self._at += 1
        self.expect_sign(":")
        return token.text, self._value()

    # Conditions

    def condition(self) -> Condition:
        terms = [self._conjunction()]
        while self.take_word("OR"):
            terms.append(self._conjunction())
        return terms[0] if len(terms) == 1 else Or(tuple(terms))

    def _conjunction(self) -> Condition:
        terms = [self._negation()]
        while self.take_word("AND"):
            terms.append(self._negation())
        return terms[0] if len(terms) == 1 else And(tuple(terms))

    def _negation(self) -> Condition:
        if self.take_word("NOT"):
            with self.deeper():
                return Not(self._negation())
        if self.take_sign("("):
            with self.deeper():
                inner = self.condition()
            self.expect_sign(")")
            return inner
        if self.is_call(*_TESTS):
            return self._test()
        return self._predicate()

    def _test(self) -> Test:
        function = self.next().text.lower()
        self.expect_sign("(")
        path = self.path()
        self.expect_sign(",")
        argument = self.operand()
        self.expect_sign(")")
        return Test(function, path, argument)

    def _predicate(self) -> Condition:
        left = self.operand()
        operator = _COMPARATORS.get(self.token.text) if self.token.kind == "sign" else None
        if operator is not None:
            self._at += 1
            right = self.operand()
            if operator not in ("=", "<>"):
                _check_ordered(operator, left, right)
            return Compare(left, operator, right)
        negated = self.take_word("NOT")
        if self.take_word("BETWEEN"):
            return _maybe_not(self._between(left), negated=negated)
        if self.take_word("IN"):
            return _maybe_not(self._in(left), negated=negated)
        if not negated and isinstance(left, Path) and self.take_word("IS"):
            return self._is(left)
        raise self.unexpected()

    def _between(self, operand: Operand) -> Between:
        low = self.operand()
        self.expect_word("AND")
        high = self.operand()
        _check_ordered("BETWEEN", low, high)
        return Between(operand, low, high)

    def _in(self, operand: Operand) -> In:
        end = "]" if self.token.is_sign("[") else ")"
        if not (self.take_sign("[") or self.take_sign("(")):
            raise self.unexpected()
        choices = self.sequence(end, self.operand)
        if not choices:
            raise self.unexpected()
        self._longest_in = max(self._longest_in, len(choices))
        return In(operand, tuple(choices))

    def _is(self, path: Path) -> Condition:
        negated = self.take_word("NOT")
        if self.take_word("MISSING"):
            return _maybe_not(Is(path, "MISSING"), negated=negated)
        self.expect_word("NULL")
        return _maybe_not(Is(path, "NULL"), negated=negated)

    def operand(self) -> Operand:
        if self.is_value():
            return Literally(self.value())
        if self.is_call("size"):
            self._at += 2
            path = self.path()
            self.expect_sign(")")
            return Size(path)
        return self.path()


def _is_keyword(token: Token) -> bool:
    return token.kind == "name" and token.text.upper() in _STRUCTURE


def _maybe_not(condition: Condition, *, negated: bool) -> Condition:
    return Not(condition) if negated else condition


def _check_ordered(operator: str, *operands: Operand) -> None:
    for operand in operands:
        kind = values.kind(operand.value) if isinstance(operand, Literally) else "S"
        if kind not in _ORDERED:
            raise validation(
                "Incorrect operand type for operator or function; "
                f"operator or function: {operator}, operand type: {kind}"
            )


def _set(members: list[Value]) -> Value:
    if not members:
        raise validation("Empty bags are not supported")
    for kind in ("S", "N"):
        if all(kind in member for member in members):
            return {f"{kind}S": [member[kind] for member in members]}
    raise validation("Unsupported data type in Bag. DynamoDB only supports either numbers or strings in bags")
