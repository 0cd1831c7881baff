"""What a request gives its expressions: ExpressionAttributeNames and ExpressionAttributeValues, and which of them were used."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import values as attribute_values
from atoll.services.dynamodb.records import Value
from atoll.services.dynamodb.refusals import validation

PLACEHOLDER_BYTES_MAX = 255
ENTRIES_MAX = 8192
"""Of names, and of values: more than all the expressions of a request have room for, so some of them would be unused."""
# What may be kept for texts that come again. Longer texts, and more names, are the stuff of tests, or of attacks.
_KEPT_CHARACTERS_MAX = 4096
_KEPT_TEXT_CHARACTERS_MAX = 1024

NAMES, VALUES = "ExpressionAttributeNames", "ExpressionAttributeValues"
_ALIAS = re.compile(r"#[A-Za-z0-9_]+", re.ASCII)
_PLACEHOLDER = re.compile(r":[A-Za-z0-9_]+", re.ASCII)

Pairs = tuple[tuple[str, str], ...]


class Bindings:
    """Names and values, checked, for all the expressions of one request."""

    __slots__ = ("_is_small", "_used", "kinds_key", "names", "names_key", "values")

    def __init__(self, names: Mapping[str, str] | None, values: Mapping[str, Value] | None) -> None:
        if names is not None:
            _check_names(names)
        if values is not None:
            _check_values(values)
        self.names = names or {}
        self.values = values or {}
        self._used: set[str] = set()
        self.names_key: Pairs = tuple(self.names.items())
        self.kinds_key: Pairs = tuple([(name, next(iter(value))) for name, value in self.values.items()])
        """The values' types: an expression that fits values of these types fits all of them."""
        characters = sum(map(len, self.names)) + sum(map(len, self.names.values())) + sum(map(len, self.values))
        self._is_small = characters <= _KEPT_CHARACTERS_MAX

    def may_keep(self, text: str) -> bool:
        """Whether what a text comes to, with these names, may be kept."""
        return self._is_small and len(text) <= _KEPT_TEXT_CHARACTERS_MAX

    def use(self, used: frozenset[str]) -> None:
        self._used |= used

    def check_all_used(self) -> None:
        """To be called after the last expression of a request."""
        if len(self._used) == len(self.names) + len(self.values):
            return
        for what, given in ((NAMES, self.names), (VALUES, self.values)):
            unused = [key for key in given if key not in self._used]
            if unused:
                raise validation(
                    f"Value provided in {what} unused in expressions: keys: {{{', '.join(unused)}}}",
                )


def kept(cached: Any, bindings: Bindings, text: str) -> Callable[..., Any]:
    """A cached function, or what is below its cache when what it would keep is large."""
    return cached if bindings.may_keep(text) else cached.__wrapped__  # type: ignore[no-any-return]


def _check_names(names: Mapping[str, str]) -> None:
    if not names:
        raise validation(f"{NAMES} must not be empty")
    _check_count(NAMES, names)
    for alias, name in names.items():
        if not _ALIAS.fullmatch(alias):
            raise validation(f'{NAMES} contains invalid key: Syntax error; key: "{alias}"')
        _check_length(NAMES, alias)
        try:
            attribute_values.check_names((name,))
        except AwsError as error:
            raise validation(f"{NAMES} contains invalid value: {error.message} for key {alias}") from None


def _check_values(values: Mapping[str, Value]) -> None:
    if not values:
        raise validation(f"{VALUES} must not be empty")
    _check_count(VALUES, values)
    for placeholder, value in values.items():
        if not _PLACEHOLDER.fullmatch(placeholder):
            raise validation(f'{VALUES} contains invalid key: Syntax error; key: "{placeholder}"')
        _check_length(VALUES, placeholder)
        try:
            attribute_values.take_value(value)
        except AwsError as error:
            if error.code != "ValidationException":
                raise
            raise validation(f"{VALUES} contains invalid value: {error.message} for key {placeholder}") from None


def _check_count(what: str, given: Mapping[str, object]) -> None:
    if len(given) > ENTRIES_MAX:
        raise validation(f"{what} has more than {ENTRIES_MAX} entries, of which some must be unused in expressions")


def _check_length(what: str, key: str) -> None:
    if len(key) > PLACEHOLDER_BYTES_MAX:
        raise validation(
            f'{what} contains invalid key: The expression attribute map contains a key that is too long; key: "{key}"',
        )
