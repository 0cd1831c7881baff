"""The IAM policy language: documents are checked once, compiled to closures, and judged many times. Pure.

A document is compiled for one use: attached to an identity, trusted by a role, or attached to a resource. One verdict a
document; who combines them (identity, boundary, session, resource) is the caller's business.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

from atoll.aws import policy_conditions as conditions
from atoll.aws import policy_patterns as patterns
from atoll.aws.errors import AwsError
from atoll.aws.policy_patterns import ARN_PARTS, Lookup, Matcher
from atoll.aws.policy_principals import Caller, Match, Principals, compile_principals

VERSIONS = ("2012-10-17", "2008-10-17")
DOCUMENTS_CACHED_MAX = 2048


class Use(StrEnum):
    IDENTITY = "identity"
    TRUST = "trust"
    RESOURCE = "resource"


class Verdict(IntEnum):
    SILENT = 0
    DELEGATED = 1  # A resource's policy leaves it to the caller's account: its own policies decide.
    ALLOWED = 2
    DENIED = 3


def malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message, 400)


@dataclass(frozen=True, slots=True)
class Statement:
    allows: bool
    action_fits: Callable[[str], bool]
    resource_fits: Matcher | None  # None: the document's own resource
    tests: tuple[conditions.Test, ...]
    principals: Principals | None

    def applies(self, action: str, resource: str, lookup: Lookup) -> bool:
        if not self.action_fits(action):
            return False
        if self.resource_fits is not None and not self.resource_fits(resource, lookup):
            return False
        return all(test(lookup) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Policy:
    denies: tuple[Statement, ...]
    allows: tuple[Statement, ...]

    def judge(self, action: str, resource: str, lookup: Lookup) -> Verdict:
        """`action` in lower case. For documents attached to identities."""
        for statement in self.denies:
            if statement.applies(action, resource, lookup):
                return Verdict.DENIED
        for statement in self.allows:
            if statement.applies(action, resource, lookup):
                return Verdict.ALLOWED
        return Verdict.SILENT

    def judge_for(self, caller: Caller, action: str, resource: str, lookup: Lookup) -> Verdict:
        """For documents with principals: what this one says of `caller`."""
        for statement in self.denies:
            assert statement.principals is not None, "compiled for identities"
            if statement.principals.match(caller) and statement.applies(action, resource, lookup):
                return Verdict.DENIED
        best = Verdict.SILENT
        for statement in self.allows:
            assert statement.principals is not None, "compiled for identities"
            match = statement.principals.match(caller)
            if match and statement.applies(action, resource, lookup):
                best = max(best, Verdict.ALLOWED if match is Match.ITSELF else Verdict.DELEGATED)
        return best


@lru_cache(maxsize=DOCUMENTS_CACHED_MAX)
def compile_policy(text: str, use: Use = Use.IDENTITY) -> Policy:
    """Raises AwsError MalformedPolicyDocument. Equal texts are compiled once a process."""
    version, statements = _read(text)
    compiled = [_statement(raw, use, variables=version == VERSIONS[0]) for raw in statements]
    sids = [raw["Sid"] for raw in statements if raw.get("Sid")]
    if len(set(sids)) != len(sids):
        raise malformed("Statement IDs (SID) in a single policy must be unique.")
    return Policy(tuple(s for s in compiled if not s.allows), tuple(s for s in compiled if s.allows))


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise malformed("Syntax errors in policy.")
    return members


def _read(text: str) -> tuple[str, list[dict[str, Any]]]:
    try:
        document = json.loads(text, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError):
        raise malformed("This policy contains invalid Json") from None
    if not isinstance(document, dict) or not document.keys() <= {"Version", "Id", "Statement"}:
        raise malformed("Syntax errors in policy.")
    version = document.get("Version", VERSIONS[1])
    if version not in VERSIONS:
        raise malformed("Policy document must be version 2012-10-17 or greater.")
    if not isinstance(document.get("Id", ""), str):
        raise malformed("Syntax errors in policy.")
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements or not all(isinstance(s, dict) for s in statements):
        raise malformed("Syntax errors in policy.")
    return version, statements


_MEMBERS = frozenset(
    ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
)


def _statement(raw: Mapping[str, Any], use: Use, *, variables: bool) -> Statement:
    if not raw.keys() <= _MEMBERS:
        raise malformed("Syntax errors in policy.")
    _check_sid(raw.get("Sid", ""), use)
    if raw.get("Effect") not in ("Allow", "Deny"):
        raise malformed("Syntax errors in policy.")
    return Statement(
        allows=raw["Effect"] == "Allow",
        action_fits=_actions(raw, use),
        resource_fits=_resources(raw, use, variables=variables),
        tests=_tests(raw.get("Condition", {}), variables=variables),
        principals=_principals(raw, use),
    )


def _check_sid(sid: Any, use: Use) -> None:
    if not isinstance(sid, str):
        raise malformed("Syntax errors in policy.")
    if use is not Use.RESOURCE and not re.fullmatch(r"[0-9A-Za-z]*", sid):
        raise malformed(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
        )


def _one_of(raw: Mapping[str, Any], name: str) -> tuple[list[str], bool] | None:
    """The texts of an element or of its Not form, and whether it was the latter."""
    if name in raw and f"Not{name}" in raw:
        raise malformed("Syntax errors in policy.")
    negated = f"Not{name}" in raw
    if not negated and name not in raw:
        return None
    return _texts(raw[f"Not{name}" if negated else name]), negated


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in values):
        raise malformed("Syntax errors in policy.")
    return values


# ------------------------------------------------------------------------------------------------------ actions


def _actions(raw: Mapping[str, Any], use: Use) -> Callable[[str], bool]:
    found = _one_of(raw, "Action")
    if found is None or not found[0]:
        raise malformed("Policy statement must contain actions.")
    texts, negated = found
    for text in texts:
        _check_action(text, use)
    templates = [patterns.parse(text.lower(), variables=False, wildcards=True) for text in texts]
    fits = patterns.any_of(templates, arn=False)
    if negated:
        return lambda action: not fits(action, _nothing)
    return lambda action: fits(action, _nothing)


def _nothing(key: str) -> None:
    return None


def _check_action(text: str, use: Use) -> None:
    if use is Use.TRUST and not text.lower().startswith("sts:"):
        raise malformed("AssumeRole policy may only specify STS AssumeRole actions.")
    if text == "*":
        return
    vendor, colon, name = text.partition(":")
    if not colon or not vendor or not name:
        raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
    if ":" in name:
        raise malformed("Actions/Condition can contain only one colon.")
    if not re.fullmatch(r"[a-zA-Z0-9-]+", vendor):
        raise malformed(f"Vendor {vendor} is not valid")
    if not re.fullmatch(r"[a-zA-Z0-9*?-]+", name):
        raise malformed("The policy failed legacy parsing")


# ------------------------------------------------------------------------------------------------------ resources


def _resources(raw: Mapping[str, Any], use: Use, *, variables: bool) -> Matcher | None:
    found = _one_of(raw, "Resource")
    if use is Use.TRUST:
        if found is not None:
            raise malformed("Has prohibited field Resource")
        return None
    if found is None or not found[0]:
        raise malformed("Policy statement must contain resources.")
    texts, negated = found
    for text in texts:
        _check_resource(text)
    fits = patterns.any_of([patterns.parse(t, variables=variables, wildcards=True) for t in texts], arn=True)
    if negated:
        return lambda resource, lookup: not fits(resource, lookup)
    return fits


def _check_resource(text: str) -> None:
    if text == "*" or text.strip("*") == "":
        return
    parts = text.split(":", ARN_PARTS - 1)
    if parts[0] != "arn" or len(parts) < 2:
        raise malformed(f'Resource {text} must be in ARN format or "*".')
    if len(parts) < ARN_PARTS and not parts[-1].endswith("*"):
        raise malformed("The policy failed legacy parsing")
    if not re.fullmatch(r"aws(-[a-z-]+)?|[*?a-z-]*[*?][*?a-z-]*", parts[1]):
        raise malformed(f'Partition "{parts[1]}" is not valid for resource "{text}".')


# ------------------------------------------------------------------------------------------------------ the rest


def _principals(raw: Mapping[str, Any], use: Use) -> Principals | None:
    if "Principal" in raw and "NotPrincipal" in raw:
        raise malformed("Syntax errors in policy.")
    if use is Use.IDENTITY:
        if "Principal" in raw or "NotPrincipal" in raw:
            raise malformed("Policy document should not specify a principal.")
        return None
    if "NotPrincipal" in raw:
        if use is Use.TRUST:
            raise malformed("Has prohibited field NotPrincipal")
        return compile_principals(raw["NotPrincipal"], negated=True)
    if "Principal" not in raw:
        raise malformed("Missing required field Principal")
    return compile_principals(raw["Principal"], negated=False)


def _tests(raw: Any, *, variables: bool) -> tuple[conditions.Test, ...]:
    if not isinstance(raw, dict):
        raise malformed("Syntax errors in policy.")
    tests: list[conditions.Test] = []
    for operator, keys in raw.items():
        if not isinstance(keys, dict):
            raise malformed("Syntax errors in policy.")
        for key, value in keys.items():
            if ":" not in key:
                raise malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
            try:
                tests.append(conditions.compile_test(operator, key, _scalars(value), variables=variables))
            except conditions.Malformed as error:
                raise malformed(str(error)) from None
    return tuple(tests)


def _scalars(value: Any) -> Sequence[str]:
    """Numbers and booleans may stand without quotes in a condition."""
    texts: list[str] = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool):
            texts.append("true" if one else "false")
        elif isinstance(one, str | int | float):
            texts.append(str(one))
        else:
            raise malformed("Syntax errors in policy.")
    return texts
