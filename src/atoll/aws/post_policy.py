"""The policy of a POST form: what its signer allows whoever holds the form to upload. Pure.

    {"expiration": "2026-01-02T03:04:05Z",
     "conditions": [{"bucket": "photos"}, ["starts-with", "$key", "cats/"], ["content-length-range", 1, 1048576]]}

Names are compared without regard to case, values with it. What cannot be read is InvalidPolicyDocument; what does not hold is
AccessDenied, in S3's words. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from atoll.aws.errors import AwsError
from atoll.aws.form import Field

_RANGE = "content-length-range"
_OPERATIONS = frozenset({"eq", "starts-with", _RANGE})
# Fields that no condition needs to name.
_UNCONDITIONAL = frozenset({"policy", "file", "x-amz-signature", "signature", "awsaccesskeyid"})
_IGNORED_PREFIX = "x-ignore-"
_EXPIRATION = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII)
_COUNT = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Condition:
    operation: str
    name: str  # as the policy spells it, with its $
    value: str

    @property
    def field(self) -> str:
        return self.name[1:].lower() if self.name.startswith("$") else ""

    def holds(self, given: str | None) -> bool:
        if given is None or not self.field:
            return False
        if self.operation == "eq":
            return given == self.value
        if self.field == "content-type":
            # A list of types, each of which must be one of those allowed.
            return all(one.strip().startswith(self.value) for one in given.split(","))
        return given.startswith(self.value)


@dataclass(frozen=True, slots=True)
class SizeRange:
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class PostPolicy:
    expires: float  # Unix seconds
    conditions: tuple[Condition, ...]
    sizes: tuple[SizeRange, ...]

    def check(self, fields: Mapping[str, Field], bucket: str, now: float) -> None:
        """All but the file's size. Raises AwsError AccessDenied."""
        if now >= self.expires:
            raise _denied("Policy expired.")
        for condition in self.conditions:
            # The bucket is the one uploaded to, whatever the form says of it.
            given = fields.get(condition.field)
            value = bucket if condition.field == "bucket" else given.value if given else None
            if not condition.holds(value):
                raise _failed([condition.operation, condition.name, condition.value])
        covered = {condition.field for condition in self.conditions}
        for name, field in fields.items():
            if name not in covered and name not in _UNCONDITIONAL and not name.startswith(_IGNORED_PREFIX):
                raise _denied(f"Extra input fields: {field.name}")

    @property
    def size_max(self) -> int | None:
        return min((size.most for size in self.sizes), default=None)

    @property
    def size_min(self) -> int:
        return max((size.least for size in self.sizes), default=0)


def parse(text: str) -> PostPolicy:
    """From base64, as it stands in the form. Raises AwsError."""
    document = _load(text)
    if not isinstance(document, _Object):
        raise _invalid("Invalid JSON.")
    members = dict(document.pairs)
    for name in members:
        if name not in {"expiration", "conditions"}:
            raise _invalid(f"Unexpected: '{name.lower()}'")
    if "expiration" not in members:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in members:
        raise _invalid("Policy missing conditions.")
    if not isinstance(members["conditions"], list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    expires = _expiration(members["expiration"])
    read = [_condition(each) for each in members["conditions"]]
    return PostPolicy(
        expires,
        tuple(each for each in read if isinstance(each, Condition)),
        tuple(each for each in read if isinstance(each, SizeRange)),
    )


@dataclass(frozen=True, slots=True)
class _Object:
    """A JSON object with its members as they came: one named twice is not one."""

    pairs: list[tuple[str, Any]]


def _load(text: str) -> Any:
    try:
        decoded = b64decode(text, validate=True).decode("utf-8")
        return json.loads(decoded, object_pairs_hook=_Object, parse_float=_refuse, parse_constant=_refuse)
    except binascii.Error:
        raise _invalid("Invalid Base64 encoding.") from None
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _expiration(given: Any) -> float:
    if isinstance(given, str) and _EXPIRATION.fullmatch(given):
        try:
            return datetime.fromisoformat(given[:19] + "+00:00").timestamp()
        except (ValueError, OverflowError):
            pass
    raise _invalid(f"Invalid 'expiration' value: '{given if isinstance(given, str) else ''}'")


def _condition(given: Any) -> Condition | SizeRange:
    if isinstance(given, _Object):
        if len(given.pairs) != 1:
            raise _invalid("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
        name, value = given.pairs[0]
        if not isinstance(value, str):
            raise _invalid("Invalid Simple-Condition: value must be a string.")
        return Condition("eq", f"${name}", value)
    if not isinstance(given, list):
        raise _invalid("Invalid Condition: must be a List or Object.")
    if not given or not isinstance(given[0], str):
        raise _invalid("Invalid Condition: missing operation identifier.")
    operation = given[0].lower()
    if operation not in _OPERATIONS:
        raise _invalid(f"Invalid Condition: unknown operation '{given[0]}'.")
    if len(given) != 3:
        raise _invalid(f"Invalid {operation}: wrong number of arguments.")
    if operation == _RANGE:
        return _size_range(given[1:])
    name, value = given[1:]
    if not (isinstance(name, str) and isinstance(value, str)):
        raise _invalid(f"Invalid {operation}: arguments must be strings.")
    return Condition(operation, name, value)


def _size_range(bounds: list[Any]) -> SizeRange:
    texts = [str(bound) for bound in bounds if isinstance(bound, str | int) and not isinstance(bound, bool)]
    if len(texts) != 2 or any(text.startswith("-") for text in texts):
        raise _invalid(f"Invalid {_RANGE}: bounds must be whole numbers, not negative.")
    if not all(_COUNT.fullmatch(text) for text in texts):
        raise _failed([_RANGE, *texts])
    return SizeRange(int(texts[0]), int(texts[1]))


def too_large(size_bytes: int, most: int) -> AwsError:
    text = "Your proposed upload exceeds the maximum allowed size"
    return AwsError("EntityTooLarge", text, 400, ProposedSize=str(size_bytes), MaxSizeAllowed=str(most))


def too_small(size_bytes: int, least: int) -> AwsError:
    text = "Your proposed upload is smaller than the minimum allowed size"
    return AwsError("EntityTooSmall", text, 400, ProposedSize=str(size_bytes), MinSizeAllowed=str(least))


def _failed(condition: Iterable[str]) -> AwsError:
    return _denied(f"Policy Condition failed: {json.dumps(list(condition), ensure_ascii=False)}")


def _denied(reason: str) -> AwsError:
    return AwsError("AccessDenied", f"Invalid according to Policy: {reason}", 403)


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidPolicyDocument", f"Invalid Policy: {reason}", 400)
