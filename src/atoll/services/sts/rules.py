"""What STS asks of the members its operations share: durations, names, tags and session policies."""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from atoll.aws.errors import AwsError
from atoll.aws.policy import compile_policy
from atoll.operation import Call

SECONDS_MIN = 900
TAGS_MAX = 50
TAG_KEY_CHARACTERS_MAX = 128
TAG_VALUE_CHARACTERS_MAX = 256
POLICY_ARNS_MAX = 10
# Policies and tags of one session together. AWS counts a packed binary form; characters are the stricter measure.
PACKED_CHARACTERS_MAX = 2048

_WORD = re.compile(r"[A-Za-z0-9_+=,.@-]*")
_TAG = re.compile(r"[\w\s_.:/=+\-@]*")


def invalid(member: str, value: Any, constraint: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}",
        400,
    )


def check_seconds(seconds: int, most: int) -> int:
    if seconds < SECONDS_MIN:
        raise invalid("durationSeconds", seconds, f"have value greater than or equal to {SECONDS_MIN}")
    if seconds > most:
        raise invalid("durationSeconds", seconds, f"have value less than or equal to {most}")
    return seconds


def check_word(member: str, text: str, least: int, most: int, pattern: re.Pattern[str] = _WORD) -> str:
    if len(text) < least:
        raise invalid(member, text, f"have length greater than or equal to {least}")
    if len(text) > most:
        raise invalid(member, text, f"have length less than or equal to {most}")
    if not pattern.fullmatch(text):
        raise invalid(member, text, "satisfy regular expression pattern: [\\w+=,.@-]*")
    return text


def refuse_mfa(request: Mapping[str, Any]) -> None:
    """There are no MFA devices here, so no code can be right."""
    if "SerialNumber" in request or "TokenCode" in request:
        raise AwsError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.", 403)


def check_tags(tags: Sequence[Any]) -> dict[str, str]:
    if len(tags) > TAGS_MAX:
        raise invalid("tags", "...", f"have length less than or equal to {TAGS_MAX}")
    checked: dict[str, str] = {}
    for tag in tags:
        key, value = tag["Key"], tag["Value"]
        if not 1 <= len(key) <= TAG_KEY_CHARACTERS_MAX or not _TAG.fullmatch(key) or key.lower().startswith("aws:"):
            raise invalid("tags.member.key", key, r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+")
        if len(value) > TAG_VALUE_CHARACTERS_MAX or not _TAG.fullmatch(value):
            raise invalid(
                "tags.member.value", value, r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*"
            )
        checked[key] = value
    if len({key.lower() for key in checked}) != len(tags):
        raise AwsError(
            "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", 400
        )
    return checked


async def session_policies(call: Call, request: Mapping[str, Any], account: str) -> list[str] | None:
    """The documents a session in `account` is narrowed to; None when it is not narrowed. Managed ones as they are now."""
    arns = [one.get("arn", "") for one in request.get("PolicyArns", [])]
    if len(arns) > POLICY_ARNS_MAX:
        raise invalid("policyArns", "...", f"have length less than or equal to {POLICY_ARNS_MAX}")
    if "Policy" not in request and not arns:
        return None
    documents = [await _managed(call, arn, account) for arn in arns]
    if "Policy" in request:
        compile_policy(request["Policy"])
        documents.append(request["Policy"])
    return documents


async def _managed(call: Call, arn: str, account: str) -> str:
    if not arn.startswith((f"arn:aws:iam::{account}:policy/", "arn:aws:iam::aws:policy/")):
        raise AwsError("ValidationError", f"{arn} is not a managed policy of this account.", 400)
    policy = await call.api("iam", "GetPolicy", {"PolicyArn": arn}, as_service=True, account=account)
    asked = {"PolicyArn": arn, "VersionId": policy["Policy"]["DefaultVersionId"]}
    version = await call.api("iam", "GetPolicyVersion", asked, as_service=True, account=account)
    return unquote(version["PolicyVersion"]["Document"])


def packed_percent(request: Mapping[str, Any]) -> int | None:
    """How much of a session's room its policies and tags fill; None when it has none. Raises PackedPolicyTooLarge."""
    texts = [request["Policy"]] if "Policy" in request else []
    texts += [one.get("arn", "") for one in request.get("PolicyArns", [])]
    texts += [tag["Key"] + tag["Value"] for tag in request.get("Tags", [])]
    if not texts:
        return None
    characters = sum(map(len, texts))
    percent = -(-characters * 100 // PACKED_CHARACTERS_MAX)
    if percent > 100:
        raise AwsError(
            "PackedPolicyTooLarge", f"Serialized token too large for session: {percent}% of the allowed size.", 400
        )
    return percent
