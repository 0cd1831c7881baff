"""What may be a tag of a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.services.dynamodb.names import invalid, validation

TAGS_MAX = 50
_RESERVED = "aws:"


def merged(tags: Mapping[str, str], given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """`tags` with the given ones over them. Raises ValidationException."""
    names = [tag["Key"] for tag in given]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate tag key: {name}")
        if name.lower().startswith(_RESERVED):
            raise invalid("Tag keys that start with aws: are reserved")
    whole = {**tags, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(whole) > TAGS_MAX:
        raise validation(f"One or more parameter values were invalid: Too many tags: at most {TAGS_MAX}")
    return whole
