"""The Condition element: its operators, compiled to one test a key. All of a statement's tests must hold.

A test asks a Lookup for the key's values in the call. What a missing key means depends on the operator: see `_absent`.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from atoll.aws import policy_patterns as patterns
from atoll.aws.policy_patterns import Lookup

Test = Callable[[Lookup], bool]
Fits = Callable[[str, Lookup], bool]
"""Whether one value of the call fits one of the policy's values."""


class Malformed(Exception):
    """The condition can't be read. Becomes MalformedPolicyDocument."""


def _text(values: Sequence[str], *, variables: bool, fold: bool) -> Fits:
    templates = [patterns.parse(value, variables=variables, wildcards=False) for value in values]

    def key(text: str) -> str:
        return text.casefold() if fold else text

    fixed = frozenset(key(text) for t in templates if (text := patterns.plain(t)) is not None)
    varying = [t for t in templates if patterns.plain(t) is None]

    def fits(value: str, lookup: Lookup) -> bool:
        if key(value) in fixed:
            return True
        for template in varying:
            bound = patterns.bind(template, lookup)
            if bound is not None and key(patterns.plain(bound) or "") == key(value):
                return True
        return False

    return fits


def _string(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001 (one shape for every maker)
    return _text(values, variables=variables, fold=False)


def _string_ignore_case(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    return _text(values, variables=variables, fold=True)


def _like(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    return patterns.any_of([patterns.parse(v, variables=variables, wildcards=True) for v in values], arn=False)


def _arn(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    return patterns.any_of([patterns.parse(v, variables=variables, wildcards=True) for v in values], arn=True)


def _boolean(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    wanted = frozenset(value.lower() for value in values)
    return lambda value, lookup: value.lower() in wanted


def _binary(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    wanted = frozenset(value.rstrip("=") for value in values)
    return lambda value, lookup: value.rstrip("=") in wanted


def _network(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
    try:
        networks = [ipaddress.ip_network(value, strict=False) for value in values]
    except ValueError as error:
        raise Malformed(f"Invalid IP range in policy: {error}") from None

    def fits(value: str, lookup: Lookup) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return any(address in network for network in networks if network.version == address.version)

    return fits


def number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?")


def moment(text: str) -> Decimal | None:
    """Unix seconds of an ISO 8601 date (its W3C profile: year, month, day, minute or second), or of a number of seconds."""
    if _DATE.fullmatch(text):
        whole = text + {4: "-01-01", 7: "-01"}.get(len(text), "")
        try:
            parsed = datetime.fromisoformat(whole)
        except ValueError:
            return None
        return Decimal(repr((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()))
    return number(text)


def _ordered(read: Callable[[str], Decimal | None], holds: Callable[[Decimal, Decimal], bool]) -> "Maker":
    def make(values: Sequence[str], variables: bool) -> Fits:  # noqa: FBT001
        wanted: list[Decimal] = []
        for value in values:
            bound = read(value)
            if bound is None:
                raise Malformed(f"Invalid value in Condition: {value}")
            wanted.append(bound)

        def fits(value: str, lookup: Lookup) -> bool:
            found = read(value)
            return found is not None and any(holds(found, bound) for bound in wanted)

        return fits

    return make


Maker = Callable[[Sequence[str], bool], Fits]

# Operator in lower case -> (how its values are compared, whether the outcome is turned round).
_OPERATORS: dict[str, tuple[Maker, bool]] = {
    "stringequals": (_string, False),
    "stringnotequals": (_string, True),
    "stringequalsignorecase": (_string_ignore_case, False),
    "stringnotequalsignorecase": (_string_ignore_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
    "bool": (_boolean, False),
    "binaryequals": (_binary, False),
    "ipaddress": (_network, False),
    "notipaddress": (_network, True),
}
for _prefix, _read in (("numeric", number), ("date", moment)):
    _OPERATORS |= {
        f"{_prefix}equals": (_ordered(_read, Decimal.__eq__), False),
        f"{_prefix}notequals": (_ordered(_read, Decimal.__eq__), True),
        f"{_prefix}lessthan": (_ordered(_read, Decimal.__lt__), False),
        f"{_prefix}lessthanequals": (_ordered(_read, Decimal.__le__), False),
        f"{_prefix}greaterthan": (_ordered(_read, Decimal.__gt__), False),
        f"{_prefix}greaterthanequals": (_ordered(_read, Decimal.__ge__), False),
    }

_OPERATOR = re.compile(r"(?:(forallvalues|foranyvalue):)?(\w+?)(ifexists)?", re.IGNORECASE)


def compile_test(operator: str, key: str, values: Sequence[str], *, variables: bool) -> Test:
    shape = _OPERATOR.fullmatch(operator)
    if shape is None:
        raise Malformed(f"Invalid Condition type : {operator}.")
    quantifier = (shape.group(1) or "").lower()
    name, if_exists = shape.group(2).lower(), shape.group(3) is not None
    if name == "null" and not quantifier and not if_exists:
        return _null(key.lower(), values)
    if name not in _OPERATORS:
        raise Malformed(f"Invalid Condition type : {operator}.")
    maker, negated = _OPERATORS[name]
    fits = maker(values, variables)
    every = quantifier == "forallvalues" or (negated and not quantifier)  # "is not x" of several: none of them is.
    absent = _absent(quantifier, negated=negated, if_exists=if_exists)
    return _test(key.lower(), fits, absent=absent, negated=negated, every=every)


def _null(key: str, values: Sequence[str]) -> Test:
    wanted = {value.lower() for value in values}
    if not wanted <= {"true", "false"}:
        raise Malformed("Invalid value for Null condition.")
    return lambda lookup: ("false" if lookup(key) else "true") in wanted


def _absent(quantifier: str, *, negated: bool, if_exists: bool) -> bool:
    """What holds when the call has no value for the key: "is not x" is true of nothing, and so is "all are x"."""
    if if_exists or quantifier == "forallvalues":
        return True
    return negated and not quantifier


def _test(key: str, fits: Fits, *, absent: bool, negated: bool, every: bool) -> Test:
    def single(lookup: Lookup) -> bool:
        values = lookup(key)
        if not values:
            return absent
        if len(values) == 1:
            return fits(values[0], lookup) is not negated
        outcomes = (fits(value, lookup) is not negated for value in values)
        return all(outcomes) if every else any(outcomes)

    return single
