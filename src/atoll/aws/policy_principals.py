"""The Principal element: who a statement of a role's or a resource's policy speaks of."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from atoll.aws.errors import AwsError


class Match(IntEnum):
    NO = 0
    ACCOUNT = 1  # The account was named: it may hand the right on by its own policies.
    ITSELF = 2


@dataclass(frozen=True, slots=True)
class Caller:
    """`names` are all an AWS principal goes by: its ARN, its role's ARN, its unique id."""

    account: str
    names: frozenset[str]
    kind: str = "AWS"  # AWS, Service, Federated
    canonical: str = ""  # S3's name for the account, by which a CanonicalUser is meant.


@dataclass(frozen=True, slots=True)
class Principals:
    anyone: bool = False
    negated: bool = False
    names: dict[str, frozenset[str]] = field(default_factory=dict)

    def match(self, caller: Caller) -> Match:
        found = self._match(caller)
        if not self.negated:
            return found
        return Match.NO if found else Match.ITSELF

    def _match(self, caller: Caller) -> Match:
        if self.anyone:
            return Match.ITSELF
        names = self.names.get(caller.kind, frozenset())
        if not caller.names.isdisjoint(names):
            return Match.ITSELF
        if caller.kind == "AWS" and caller.account in names:
            return Match.ACCOUNT
        if caller.canonical and caller.canonical in self.names.get("CanonicalUser", frozenset()):
            return Match.ACCOUNT
        return Match.NO


_ACCOUNT = re.compile(r"(?:arn:aws:iam::)?(\d{12})(?::root)?")
_AWS_NAME = re.compile(r"arn:aws:(?:iam::\d{12}:(?:user|role)/.+|sts::\d{12}:(?:assumed-role/.+/.+|federated-user/.+))")
_UNIQUE_ID = re.compile(r"A[A-Z0-9]{15,127}")
_KINDS = ("AWS", "Service", "Federated", "CanonicalUser")


def _invalid(kind: str, name: object) -> AwsError:
    return AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "{kind}":"{name}"', 400)


def compile_principals(raw: Any, *, negated: bool) -> Principals:
    if raw == "*":
        return Principals(anyone=True, negated=negated)
    if not isinstance(raw, dict) or not raw or not raw.keys() <= set(_KINDS):
        raise AwsError("MalformedPolicyDocument", "Invalid principal in policy.", 400)
    names: dict[str, frozenset[str]] = {}
    anyone = False
    for kind, value in raw.items():
        listed = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) and name for name in listed):
            raise _invalid(kind, value)
        if kind == "AWS":
            anyone = anyone or "*" in listed
            names[kind] = _aws_names([name for name in listed if name != "*"])
        else:
            names[kind] = frozenset(listed)
    return Principals(anyone=anyone, negated=negated, names=names)


def _aws_names(listed: Sequence[str]) -> frozenset[str]:
    """Accounts by their number, whichever way they were written; everything else as it stands."""
    names: set[str] = set()
    for name in listed:
        account = _ACCOUNT.fullmatch(name)
        if account and (name.endswith(":root") or len(name) == 12):
            names.add(account.group(1))
        elif "*" not in name and (_AWS_NAME.fullmatch(name) or _UNIQUE_ID.fullmatch(name)):
            names.add(name)
        else:
            raise _invalid("AWS", name)
    return frozenset(names)
