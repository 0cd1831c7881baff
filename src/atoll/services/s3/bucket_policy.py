"""A bucket's policy as a document: what S3 asks of it beyond the language of policies, when it counts as public, and its row."""

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, compile_policy
from atoll.services.s3.names import BUCKET_ARN_PREFIX
from atoll.services.s3.records import Bucket, Document, decode_document
from atoll.store import Reader, Tx, keys

POLICY_BYTES_MAX = 20 * 1024  # White space that means nothing is not counted.
_KEY = keys.pack("policy")
_SHELF = "a"

_MEMBERS = frozenset(
    ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
)
# Actions on objects that do not say so by their name.
_ON_OBJECTS = frozenset({"abortmultipartupload", "listmultipartuploadparts", "bypassgovernanceretention"})
# A statement for everyone is not public when one of these must have a fixed value.
_NARROWING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    }
)
_NARROWING_OPERATORS = frozenset(
    {"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike", "ipaddress"}
)
# Wider networks than these are everyone.
_PREFIX_BITS_MIN = {4: 8, 6: 32}


async def load(reader: Reader, bucket: Bucket) -> Document:
    row = await reader.get(bucket.shelf(_SHELF), _KEY)
    assert row is not None, "a bucket says it has a policy that is not there"
    document: Document = decode_document(row)
    return document


def put(tx: Tx, bucket: Bucket, row: bytes) -> None:
    tx.put(bucket.shelf(_SHELF), _KEY, row)


def drop(tx: Tx, bucket: Bucket) -> None:
    if bucket.has_policy:
        tx.delete(bucket.shelf(_SHELF), _KEY)


def check(text: str, bucket: str) -> None:
    """Raises MalformedPolicy, in S3's words, unless the document is a policy and about this bucket."""
    document = _read(text)
    if len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()) > POLICY_BYTES_MAX:
        raise AwsError("PolicyTooLarge", "Policy exceeds the maximum allowed document size.", 400)
    statements = _list(document.get("Statement"))
    if not statements:
        raise _malformed("Missing required field Statement")
    for statement in statements:
        _check_statement(statement, bucket)
    try:
        compile_policy(text, Use.RESOURCE)
    except AwsError as error:
        principal = error.message.startswith("Invalid principal")
        raise _malformed("Invalid principal in policy" if principal else error.message) from None


def users_and_roles(text: str) -> set[str]:
    """The ARNs it names as principals."""
    compiled = compile_policy(text, Use.RESOURCE)
    named: set[str] = set()
    for statement in (*compiled.denies, *compiled.allows):
        assert statement.principals is not None, "a bucket's policy has principals"
        named |= statement.principals.names.get("AWS", frozenset())
    return {name for name in named if name.startswith("arn:aws:iam::")}


@lru_cache(maxsize=1024)
def is_public(text: str) -> bool:
    """AWS's meaning of public: some statement allows anyone, whoever and wherever they are."""
    return any(
        statement.get("Effect") == "Allow"
        and _is_for_everyone(statement)
        and not _is_narrowed(statement.get("Condition") or {})
        for statement in _list(json.loads(text)["Statement"])
    )


def _read(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    for field in document.keys() - {"Version", "Id", "Statement"}:
        raise _malformed(f"Unknown field {field}")
    return document


def _check_statement(statement: Any, bucket: str) -> None:
    if not isinstance(statement, dict):
        raise _malformed("Invalid policy syntax.")
    _check_fields(statement)
    actions, resources = _texts(statement, "Action"), _texts(statement, "Resource")
    if not all(action == "*" or action.lower().startswith("s3:") for action in actions):
        raise _malformed("Policy has invalid action")
    if not all(_about(resource, bucket) for resource in resources):
        raise _malformed("Policy has invalid resource")
    if "Action" in statement and "Resource" in statement:
        _check_combination(actions, resources, bucket)


def _check_fields(statement: Mapping[str, Any]) -> None:
    for field in statement.keys() - _MEMBERS:
        raise _malformed(f"Unknown field {field}")
    for field in ("Effect", "Principal", "Action", "Resource"):
        if field not in statement and (field == "Effect" or f"Not{field}" not in statement):
            raise _malformed(f"Missing required field {field}")
    if statement["Effect"] not in {"Allow", "Deny"}:
        raise _malformed(f"Invalid effect: {statement['Effect']}")
    if "NotPrincipal" in statement and statement["Effect"] == "Allow":
        raise _malformed("Allow with NotPrincipal is not allowed.")


def _check_combination(actions: Sequence[str], resources: Sequence[str], bucket: str) -> None:
    tails = [resource.removeprefix(BUCKET_ARN_PREFIX) for resource in resources]
    on_objects = any("/" in tail or "*" in tail for tail in tails)
    on_bucket = any(_fits(tail, bucket) for tail in tails)
    for action in actions:
        name = action.lower().removeprefix("s3:")
        if "*" in name or "?" in name:
            continue
        objects = name in _ON_OBJECTS or ("object" in name and "bucket" not in name)
        if not (on_objects if objects else on_bucket):
            raise _malformed("Action does not apply to any resource(s) in statement")


def _about(resource: str, bucket: str) -> bool:
    if resource == "*":
        return True
    tail = resource.removeprefix(BUCKET_ARN_PREFIX)
    return tail != resource and _fits(tail.partition("/")[0], bucket)


def _fits(pattern: str, text: str) -> bool:
    """Variables may become anything."""
    parts = re.split(r"\*+|\$\{[^}]*\}", pattern)
    return re.fullmatch(".*".join(re.escape(part).replace(r"\?", ".") for part in parts), text) is not None


def _is_for_everyone(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if principal is None:
        return True  # NotPrincipal
    return principal == "*" or (isinstance(principal, dict) and "*" in _list(principal.get("AWS")))


def _is_narrowed(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(
        operator.lower().removeprefix("foranyvalue:") in _NARROWING_OPERATORS
        and key.lower() in _NARROWING_KEYS
        and all(_is_fixed(str(value)) for value in _list(values))
        for operator, tests in condition.items()
        for key, values in tests.items()
    )


def _is_fixed(value: str) -> bool:
    if any(mark in value for mark in ("*", "?", "${")):
        return False
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return True
    return network.prefixlen >= _PREFIX_BITS_MIN[network.version]


def _texts(statement: Mapping[str, Any], field: str) -> list[str]:
    texts = _list(statement.get(field, statement.get(f"Not{field}")))
    if not all(isinstance(text, str) for text in texts):
        raise _malformed(f"Policy has invalid {field.lower()}")
    return texts


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | dict) else [value]


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, 400)
