"""The words of a PartiQL statement.

name     a_1, SELECT: letters, digits, _ and $; keywords are names until the parser asks for one
quoted   between ", with two for one        string   between ', with two for one        number   12, 4.5, .5, 1E3
sign     << >> <> <= >= != ( ) [ ] { } , . : * ? = < > + - ;
"""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.refusals import validation

Kind = Literal["name", "quoted", "string", "number", "sign", "end"]

_TOKEN = re.compile(
    r"""
      (?P<space>   \s+ | --[^\r\n]* | /\*.*?\*/ )
    | (?P<string>  '(?:[^']|'')*' )
    | (?P<quoted>  "(?:[^"]|"")*" )
    | (?P<number>  (?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)? )
    | (?P<name>    [^\W\d][\w$]* | \$[\w$]* )
    | (?P<sign>    <<|>>|<>|<=|>=|!=|[()\[\]{},.:*?=<>+\-;] )
    """,
    re.VERBOSE | re.DOTALL,
)
_STATEMENTS_KEPT_MAX = 1024
KEPT_CHARACTERS_MAX = 1024  # Of a longer statement the words may be a megabyte.


class Token(NamedTuple):
    kind: Kind
    text: str  # of quoted names and strings, what they stand for
    start: int
    length: int

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.text == sign

    def is_word(self, word: str) -> bool:
        """`word` in capitals."""
        return self.kind == "name" and self.text.upper() == word


def malformed(detail: str) -> AwsError:
    return validation(f"Statement wasn't well formed, can't be processed: {detail}")


@lru_cache(maxsize=_STATEMENTS_KEPT_MAX)
def lex(statement: str) -> tuple[Token, ...]:
    """Ends with a token of kind "end". Raises ValidationException."""
    tokens: list[Token] = []
    position = 0
    while position < len(statement):
        match = _TOKEN.match(statement, position)
        if match is None:
            quote = statement[position] in "'\""
            raise malformed("" if quote else f"Unexpected character at {place(statement, position)}")
        kind, text = match.lastgroup, match.group()
        if kind != "space":
            tokens.append(Token(kind, _meaning(kind, text), position, len(text)))  # type: ignore[arg-type]
        position = match.end()
    return (*tokens, Token("end", "", len(statement), 0))


def _meaning(kind: str | None, text: str) -> str:
    if kind == "string":
        return text[1:-1].replace("''", "'")
    return text[1:-1].replace('""', '"') if kind == "quoted" else text


def place(statement: str, position: int) -> str:
    """line:column, both from 1."""
    line_start = statement.rfind("\n", 0, position) + 1
    return f"{statement.count(chr(10), 0, position) + 1}:{position - line_start + 1}"
