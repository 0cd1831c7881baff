"""Texts of a policy that stand for many: wildcards (* and ?), ${variables}, and ARNs compared part by part.

Every pattern becomes one regular expression without nested choice, so no policy, however hostile, makes matching slower than
(length of pattern) x (length of value): each * is tried from the left, once, inside an atomic group.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

Lookup = Callable[[str], Sequence[str] | None]
"""The values of a condition key (its lower-case name) in this call; None when the call has none."""

Matcher = Callable[[str, Lookup], bool]

ARN_PARTS = 6
_MARK = re.compile(r"\$\{([^}]*)\}|(\*+)|(\?)")
_DEFAULT = re.compile(r"([^,]+?)\s*,\s*'([^']*)'\s*")
_ESCAPES = ("*", "?", "$")


@dataclass(frozen=True, slots=True)
class Variable:
    key: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Wild:
    one: bool  # ? stands for one character, * for any number


Token = str | Variable | Wild
Template = tuple[Token, ...]


def parse(text: str, *, variables: bool, wildcards: bool) -> Template:
    tokens: list[Token] = []
    end = 0
    for mark in _MARK.finditer(text):
        token = _token(mark, variables=variables, wildcards=wildcards)
        if end < mark.start():
            tokens.append(text[end : mark.start()])
        tokens.append(token)
        end = mark.end()
    if end < len(text):
        tokens.append(text[end:])
    return tuple(tokens)


def _token(mark: re.Match[str], *, variables: bool, wildcards: bool) -> Token:
    name = mark.group(1)
    if name is None:
        return Wild(one=mark.group(3) is not None) if wildcards else mark.group()
    if not variables:
        return mark.group()
    if name in _ESCAPES:
        return name
    with_default = _DEFAULT.fullmatch(name)
    if with_default:
        return Variable(with_default.group(1).strip().lower(), with_default.group(2))
    return Variable(name.strip().lower(), None)


def bind(template: Template, lookup: Lookup) -> Template | None:
    """The template with its variables' values as plain text; None when one has no value: it then matches nothing."""
    bound: list[Token] = []
    for token in template:
        if not isinstance(token, Variable):
            bound.append(token)
            continue
        values = lookup(token.key)
        if values is not None and len(values) == 1:
            bound.append(values[0])
        elif token.default is not None and not values:
            bound.append(token.default)
        else:
            return None
    return tuple(bound)


def plain(template: Template) -> str | None:
    """Its text, when it stands for that text only."""
    return "".join(t for t in template if isinstance(t, str)) if all(isinstance(t, str) for t in template) else None


def glob_regex(template: Template, any_char: str = ".") -> str:
    """A regular expression for text, ? and *. Unanchored: the caller says what follows."""
    runs: list[str] = [""]  # the expressions between the stars
    for token in template:
        assert not isinstance(token, Variable), "bind before matching"
        if isinstance(token, str):
            runs[-1] += re.escape(token)
        elif token.one:
            runs[-1] += any_char
        else:
            runs.append("")
    if len(runs) == 1:
        return runs[0]
    # Leftmost is right for every run but the last, which is held by what follows it.
    middle = "".join(f"(?>{any_char}*?{run})" for run in runs[1:-1] if run)
    return f"{runs[0]}{middle}{any_char}*{runs[-1]}"


def arn_regex(template: Template) -> str:
    """Each of the first five parts is compared by itself; the sixth runs to the end, colons included."""
    if template == (Wild(one=False),):
        return ".*"
    parts = _split(template)
    head = "".join(f"(?>{glob_regex(part, '[^:]')}:)" for part in parts[:-1])
    last = parts[-1]
    if len(parts) < ARN_PARTS and not (last and last[-1] == Wild(one=False)):
        return head + glob_regex(last, "[^:]")
    return head + glob_regex(last)


def _split(template: Template) -> list[Template]:
    parts: list[list[Token]] = [[]]
    for token in template:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        pieces = token.split(":", ARN_PARTS - len(parts))
        for position, piece in enumerate(pieces):
            if position:
                parts.append([])
            if piece:
                parts[-1].append(piece)
    return [tuple(part) for part in parts]


@lru_cache(maxsize=4096)
def _bound_regex(template: Template, arn: bool) -> re.Pattern[str]:  # noqa: FBT001 (lru_cache keys positions)
    return re.compile(arn_regex(template) if arn else glob_regex(template), re.DOTALL)


def any_of(templates: Sequence[Template], *, arn: bool) -> Matcher:
    """Whether a value fits one of the patterns. Those without variables are compiled together."""
    fixed = [t for t in templates if not any(isinstance(token, Variable) for token in t)]
    varying = [t for t in templates if any(isinstance(token, Variable) for token in t)]
    if (Wild(one=False),) in fixed:
        return lambda value, lookup: True
    exact = frozenset(text for t in fixed if (text := plain(t)) is not None)
    wild = [arn_regex(t) if arn else glob_regex(t) for t in fixed if plain(t) is None]
    fits_wild = re.compile("|".join(wild), re.DOTALL).fullmatch if wild else None

    def matches(value: str, lookup: Lookup) -> bool:
        if value in exact or (fits_wild is not None and fits_wild(value) is not None):
            return True
        for template in varying:
            bound = bind(template, lookup)
            if bound is not None and _bound_regex(bound, arn).fullmatch(value):
                return True
        return False

    return matches
