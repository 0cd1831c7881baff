"""What may be a tag of a table."""

from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import category

from atoll.services.dynamodb.refusals import invalid, validation

TAGS_MAX = 50
_RESERVED = "aws:"
_PATTERN = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"
_MARKS = frozenset("_.:/=+-@")
_CATEGORIES = frozenset("LZN")  # Unicode's letters, blanks and numbers


def merged(tags: Mapping[str, str], given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """`tags` with the given ones over them. Raises ValidationException."""
    names = [tag["Key"] for tag in given]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate tag key: {name}")
        if name.lower().startswith(_RESERVED):
            raise invalid("Tag keys that start with aws: are reserved")
    for place, tag in enumerate(given, 1):
        for member in ("Key", "Value"):
            _check_characters(tag[member], f"tags.{place}.member.{member.lower()}")
    whole = {**tags, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(whole) > TAGS_MAX:
        raise invalid(f"Too many tags: at most {TAGS_MAX}")
    return whole


def _check_characters(text: str, member: str) -> None:
    if not all(character in _MARKS or category(character)[0] in _CATEGORIES for character in text):
        raise validation(
            f"1 validation error detected: Value '{text}' at '{member}' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {_PATTERN}"
        )
