"""What IAM asks of names, paths, tags and texts, and the errors every noun shares."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from atoll.aws.errors import AwsError

TAGS_MAX = 50
TAG_KEY_CHARACTERS_MAX = 128
TAG_VALUE_CHARACTERS_MAX = 256
PATH_CHARACTERS_MAX = 512

_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
_PATH = re.compile(r"/|/[\x21-\x7e]+/")
_TAG = re.compile(r"[\w\s_.:/=+\-@]*")


def no_such(what: str) -> AwsError:
    return AwsError("NoSuchEntity", f"{what} cannot be found.", 404)


def exists(what: str) -> AwsError:
    return AwsError("EntityAlreadyExists", f"{what} already exists.", 409)


def delete_conflict(what: str) -> AwsError:
    return AwsError("DeleteConflict", f"Cannot delete entity, must {what} first.", 409)


def over_quota(quota: str, most: int) -> AwsError:
    return AwsError("LimitExceeded", f"Cannot exceed quota for {quota}: {most}", 409)


def no_policy(arn: str) -> AwsError:
    return AwsError("NoSuchEntity", f"Policy {arn} was not found.", 404)


def document_characters(text: str) -> int:
    """A policy's size as IAM counts it: white space is free."""
    return len("".join(text.split()))


def inline_too_large(kind: str, name: str, most: int) -> AwsError:
    return AwsError("LimitExceeded", f"Maximum policy size of {most} bytes exceeded for {kind} {name}", 409)


def invalid(member: str, constraint: str, value: str | None = None) -> AwsError:
    shown = f"Value '{value}'" if value is not None else "Value"
    return AwsError(
        "ValidationError",
        f"1 validation error detected: {shown} at '{member}' failed to satisfy constraint: {constraint}",
        400,
    )


def check_name(member: str, name: str, most: int = 64) -> str:
    if not 1 <= len(name) <= most:
        bound = "greater than or equal to 1" if not name else f"less than or equal to {most}"
        raise invalid(member, f"Member must have length {bound}", name)
    if not _NAME.fullmatch(name):
        raise AwsError(
            "ValidationError",
            f"The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-",
            400,
        )
    return name


def check_path(path: str) -> str:
    if len(path) > PATH_CHARACTERS_MAX:
        raise invalid("path", f"Member must have length less than or equal to {PATH_CHARACTERS_MAX}", path)
    if not _PATH.fullmatch(path):
        raise AwsError(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
            "characters and/or / characters.",
            400,
        )
    return path


def check_length(member: str, text: str, most: int) -> str:
    if len(text) > most:
        raise invalid(member, f"Member must have length less than or equal to {most}")
    return text


def merge_tags(tags: Mapping[str, str], changes: Sequence[Any]) -> dict[str, str]:
    """Tag keys keep their case, but no two may differ by case alone."""
    folded = [change["Key"].lower() for change in changes]
    if len(set(folded)) != len(folded):
        raise AwsError("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", 400)
    merged = {key: value for key, value in tags.items() if key.lower() not in folded}
    for position, change in enumerate(changes, 1):
        key, value = change["Key"], change.get("Value", "")
        member = f"tags.{position}.member"
        if not 1 <= len(key) <= TAG_KEY_CHARACTERS_MAX:
            raise invalid(f"{member}.key", f"Member must have length between 1 and {TAG_KEY_CHARACTERS_MAX}", key)
        check_length(f"{member}.value", value, TAG_VALUE_CHARACTERS_MAX)
        if not _TAG.fullmatch(key) or not _TAG.fullmatch(value) or key.lower().startswith("aws:"):
            raise invalid(
                f"{member}.key", r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+", key
            )
        merged[key] = value
    if len(merged) > TAGS_MAX:
        raise AwsError("LimitExceeded", f"The number of tags has reached the maximum limit of {TAGS_MAX}.", 409)
    return merged


def without_tags(tags: Mapping[str, str], keys: Sequence[str]) -> dict[str, str]:
    folded = {key.lower() for key in keys}
    return {key: value for key, value in tags.items() if key.lower() not in folded}


def tag_list(tags: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def moment(seconds: float) -> datetime:
    """IAM tells time in whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)
