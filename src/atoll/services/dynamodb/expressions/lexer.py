"""Expression text to tokens. What is no token is told of later, by the parser: each strange character is one of kind `other`."""

import re
from typing import NamedTuple

from atoll.aws.errors import AwsError
from atoll.services.dynamodb.refusals import validation

EXPRESSION_BYTES_MAX = 4096
NAME, ALIAS, VALUE, NUMBER, SIGN, OTHER, END = "name", "#", ":", "number", "sign", "other", "end"

_TOKEN = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9_]*)|(?P<alias>#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>[0-9]+)"
    r"|(?P<sign><=|>=|<>|[=<>(),.\[\]+-])|(?P<other>\S)",
    re.ASCII,
)
_KINDS = {"name": NAME, "alias": ALIAS, "value": VALUE, "number": NUMBER, "sign": SIGN, "other": OTHER}


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def tokens_of(text: str, what: str) -> list[Token]:
    """Ends with a token of kind END. An empty or too long expression is refused."""
    if len(text) * 4 > EXPRESSION_BYTES_MAX and (size_bytes := len(text.encode())) > EXPRESSION_BYTES_MAX:
        raise invalid_expression(
            what, f"Expression size has exceeded the maximum allowed size; expression size: {size_bytes}"
        )
    found = [
        Token(_KINDS[match.lastgroup or ""], match.group(), match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]
    if not found:
        raise invalid_expression(what, "The expression can not be empty;")
    found.append(Token(END, "<EOF>", len(text), len(text)))
    return found


def invalid_expression(what: str, message: str) -> AwsError:
    return validation(f"Invalid {what}: {message}")
