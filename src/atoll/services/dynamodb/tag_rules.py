"""What may be a tag of a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import category

from atoll.services.dynamodb.refusals import validation

TAGS_MAX = 50
_RESERVED = "aws:"
_MARKS = frozenset("_.:/=+-@")
_CATEGORIES = frozenset("LZN")  # Unicode's letters, blanks and numbers


def merged(tags: Mapping[str, str], given: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """`tags` with the given ones over them. Raises ValidationException."""
    names = [tag["Key"] for tag in given]
    counts = Counter(names)
    for name in names:
        if counts[name] > 1:
            raise validation(f"Duplicate Tag Keys provided as input: Duplicate Tag Key found {name}")
        if name.lower().startswith(_RESERVED):
            raise validation(f"Tag Key cannot be prefixed with aws:, Key: {name}")
    for tag in given:
        for member in ("Key", "Value"):
            _check_characters(tag[member], member)
    whole = {**tags, **{tag["Key"]: tag["Value"] for tag in given}}
    if len(whole) > TAGS_MAX:
        raise validation("Number of Tags exceed the current limit for the provided ResourceArn")
    return whole


def _check_characters(text: str, member: str) -> None:
    if not all(character in _MARKS or category(character)[0] in _CATEGORIES for character in text):
        raise validation(f"The Tag {member} provided is invalid, {member}: {text}")
