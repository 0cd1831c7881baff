"""Makes hostile requests out of valid ones: a seed and a number give always the same."""

import gzip
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Path = tuple[str | int, ...]

_LEVELS_MAX = 40  # of what is mutated further
_DEEP = 2_000
_MANY = 3_000
_LONG = 70_000
_ABYSS = b'"deep"'  # Stands for what Python could not write: thousands of levels.
_STRANGE: tuple[Any, ...] = (
    "deep",
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, float("inf"), float("nan")),
    *("", " ", "\x00", "\ud800", "\udfff\ud800", "\U0010ffff", "\ufeff", "é" * 9, "a" * 256, "a" * _LONG, "null", "true"),
    *("1", "-0", "1e125", "1e126", "9" * 38, "9" * 39, "1e-130", "1E999999999", "NaN", "Infinity", "١", "1_0", "0x1"),
    *("AA==", "AB==", "=", "A", "____", "2026-01-01T00:00:00Z", "99999999999999999999", "TRIM_HORIZON", "ALL", "EQ"),
    *("arn:", "arn:aws:dynamodb", "a/b", "../..", "%00", "a|1|b", "$", "*", "?", "#", ":", "p", "c", "x", "#x", ":x"),
    *("arn:aws:dynamodb:us-east-1:999999999999:table/fuzzed", "arn:aws:dynamodb:eu-west-1:000000000000:table/fuzzed"),
    *("arn:aws-cn:dynamodb:us-east-1:000000000000:table/fuzzed", "arn:aws:dynamodb:us-east-1:000000000000:table/f/index/"),
    *("arn:aws:dynamodb:us-east-1:000000000000:table/fuzzed/stream/" + "x" * 999, "arn:aws:s3:::fuzzed-bucket"),
    *([], {}, [[]], [{}], [None], {"": {}}, {"S": "a"}, {"N": "1"}, {"S": None}, {"S": "a", "N": "1"}, {"Z": "a"}, {"NULL": False}),
    *({"SS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"BS": ["AA==", "AB=="]}, {"L": [None]}, {"M": {"": {"S": "a"}}}),
    *({"L": [{"L": []}] * 50}, {"M": {"a": {}}}, {"B": "A"}, {"BOOL": "yes"}, {"N": 1}, {"L": "a"}, {"M": []}),
)  # fmt: skip
_TOKENS = (
    *("(", ")", "((", "))", "[", "]", "{", "}", "<<", ">>", "'", '"', "''", "--", "/*", "*/", ",", ".", "..", ";", "?", "*"),
    *(" AND ", " OR ", " NOT ", " IN ", " BETWEEN ", " IS ", " MISSING ", " NULL ", "=", "<>", "<=", ">=", "+", "-", "!="),
    *("SET ", "REMOVE ", "ADD ", "DELETE ", "SELECT ", "FROM ", "WHERE ", "VALUE ", "RETURNING ", "ORDER BY ", "EXISTS("),
    *("size(", "contains(", "begins_with(", "attribute_type(", "attribute_exists(", "if_not_exists(", "list_append("),
    *("p", "c", "x", "t", "m", "l", "#t", "#m", ":one", ":p", ":a", "m.a.b", "l[0]", "l[99999999999]", "[2147483648]", "1", "9" * 50),
    *("\x00", "\ud800", "é", "\U0001f600", "\n", "\\", "%", "$", "#", ":", "@", "`", "|", "^", "~", "&"),
)  # fmt: skip


def _nested(depth: int, shell: Callable[[Any], Any], core: Any) -> Any:
    for _ in range(depth):
        core = shell(core)
    return core


def _deep(chance: random.Random) -> Any:
    depth = chance.choice((5, 31, 32, 33, 100, 300))
    shell = chance.choice((lambda v: [v], lambda v: {"a": v}, lambda v: {"L": [v]}, lambda v: {"M": {"a": v}}))
    return _nested(depth, shell, chance.choice(({"S": "a"}, {}, None, 1)))


def places(document: Any) -> list[Path]:
    """The paths to everything in it, but not to itself."""
    found: list[Path] = []
    left: list[tuple[Path, Any]] = [((), document)]
    while left:
        path, holder = left.pop()
        inside = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        below = [((*path, part), value) for part, value in inside]
        found += [each for each, _ in below]
        left += below if len(path) < _LEVELS_MAX else []
    return found


def at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def copy(document: Any) -> Any:
    return json.loads(json.dumps(document))


class Mutator:
    def __init__(self, seed: int, number: int, requests: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self.chance = random.Random(seed * 1_000_003 + number)
        self.requests = requests

    def request(self) -> tuple[str, bytes, dict[str, str]]:
        """Operation, body and further header fields."""
        chance = self.chance
        operation, valid = chance.choice(self.requests)
        document: Any = copy(valid)
        for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, 6))):
            document = self._mutated(document)
        body = json.dumps(document, ensure_ascii=chance.random() < 0.8).encode("utf-8", "surrogatepass")
        body = body.replace(_ABYSS, self._abyss())
        if chance.random() < 0.08:
            body = self._damaged(body)
        if chance.random() < 0.03:
            return operation, gzip.compress(body, 1), {"Content-Encoding": "gzip"}
        return operation, body, {}

    def _abyss(self) -> bytes:
        opened, closed = self.chance.choice(
            ((b"[", b"]"), (b'{"a":', b"}"), (b'{"L":[', b"]}"), (b'{"M":{"a":', b"}}"))
        )
        depth = self.chance.choice((900, 2_000, 20_000))
        return opened * depth + b'{"S":"a"}' + closed * depth

    def _mutated(self, document: Any) -> Any:
        chance = self.chance
        found = places(document)
        if not found or chance.random() < 0.01:
            return copy(chance.choice((*_STRANGE, _deep(chance))))
        path = chance.choice(found)
        holder, part = at(document, path[:-1]), path[-1]
        old = holder[part]
        if isinstance(old, str) and chance.random() < 0.5:
            holder[part] = self._text(old)
        else:
            chance.choice((self._replace, self._replace, self._drop, self._rename, self._graft, self._swell))(
                holder, part
            )
        return document

    def _replace(self, holder: Any, part: Any) -> None:
        chance, old = self.chance, holder[part]
        if chance.random() < 0.05:
            holder[part] = _deep(chance)
            return
        # A wrong type gets no further than the codec.
        alike = [value for value in _STRANGE if type(value) is type(old)] if chance.random() < 0.7 else []
        holder[part] = copy(chance.choice(alike or _STRANGE))

    def _drop(self, holder: Any, part: Any) -> None:
        del holder[part]

    def _rename(self, holder: Any, part: Any) -> None:
        if isinstance(holder, dict):
            names = [text for text in _STRANGE if isinstance(text, str)]
            holder[self.chance.choice(names)] = holder.pop(part)
        else:
            holder.insert(0, holder[part])

    def _graft(self, holder: Any, part: Any) -> None:
        """Something that stands in another request."""
        _, other = self.chance.choice(self.requests)
        found = places(other)
        fitting = [path for path in found if path[-1] == part or type(at(other, path)) is type(holder[part])]
        if found:
            holder[part] = copy(at(other, self.chance.choice(fitting or found)))

    def _swell(self, holder: Any, part: Any) -> None:
        """Far more of it."""
        old, count = holder[part], self.chance.choice((2, 3, 11, 11, 26, 26, 101, 101, _MANY))
        if isinstance(old, list) and old:
            holder[part] = (old * count)[:_MANY]
        elif isinstance(old, dict) and old:
            some = next(iter(old.values()))
            holder[part] = {**old, **{f"{next(iter(old))}{number}": some for number in range(count)}}
        elif isinstance(old, str):
            holder[part] = (old * count)[:_LONG]

    def _text(self, text: str) -> str:
        chance = self.chance
        words = text.split(" ")
        match chance.randrange(7):
            case 0:
                cut = chance.randrange(len(text) + 1)
                return text[:cut] + chance.choice(_TOKENS) + text[cut:]
            case 1:
                cut, other = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
                return text[:cut] + text[other:]
            case 2:
                words[chance.randrange(len(words))] = chance.choice(_TOKENS)
                return " ".join(words)
            case 3:
                return chance.choice(_TOKENS) * chance.choice((2, 40, 400, _DEEP)) + text
            case 4:
                return text + (chance.choice((" AND ", " OR ", ", ", ".", " + ")) + text) * chance.choice(
                    (1, 9, 90, 290)
                )
            case 5:
                opened, closed = chance.choice((("(", ")"), ("NOT ", ""), ("[", "]"), ("size(", ")"), ("NOT (", ")")))
                count = chance.choice((1, 2, 40, 300, _DEEP))
                return opened * count + text + closed * chance.choice((count, count - 1, count + 1))
            case _:
                return text.swapcase()

    def _damaged(self, body: bytes) -> bytes:
        """What may be no JSON at all."""
        chance = self.chance
        place = chance.randrange(len(body) + 1)
        strange = (
            b"\x00",
            b"\xff",
            b"\xc3",
            b"\xed\xa0\x80",
            b"\\ud800",
            b'"',
            b"{",
            b"[" * 5_000,
            b'{"a":' * 5_000,
            b"1e999",
            b"-",
            b"\xef\xbb\xbf",
        )
        match chance.randrange(4):
            case 0:
                return body[:place]
            case 1:
                return body[:place] + chance.choice(strange) + body[place:]
            case 2:
                return body[:place] + bytes((chance.randrange(256),)) + body[place + 1 :]
            case _:
                return chance.choice(
                    (b"", b"[]", b"null", b"{}", b'""', b"1", b"[" * 100_000, b'{"a":' * 100_000, body + body)
                )
