"""Sets of tags: AWS's limits on them, the x-amz-tagging header, and how they are told: by their keys. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from atoll.aws.errors import AwsError

if TYPE_CHECKING:
    from atoll.aws.types import s3 as types

OBJECT_TAGS_MAX = 10
BUCKET_TAGS_MAX = 50
_KEY_CHARACTERS_MAX = 128
_VALUE_CHARACTERS_MAX = 256
# Letters, digits and separators of any script (\w is the first two and _), and the signs AWS names.
_TEXT = re.compile(r"[\w.:/=+\-@ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*")

Tags = list[tuple[str, str]]


def given(request: Mapping[str, Any]) -> Tags:
    """The tags of an x-amz-tagging header: a query string in UTF-8."""
    header = request.get("Tagging")
    if not header:
        return []
    tags = [_decode_pair(pair) for pair in header.split("&") if pair]
    if len({key for key, _ in tags}) < len(tags):
        raise _bad_header(header)
    return _checked(tags, OBJECT_TAGS_MAX, "Object tags cannot be greater than 10")


def checked_for_object(given: Iterable["types.Tag"]) -> Tags:
    return _checked(_pairs(given), OBJECT_TAGS_MAX, "Object tags cannot be greater than 10")


def checked_for_bucket(given: Iterable["types.Tag"]) -> Tags:
    return _checked(_pairs(given), BUCKET_TAGS_MAX, "Bucket tag count cannot be greater than 50")


def told(tags: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags]


def _pairs(given: Iterable["types.Tag"]) -> Tags:
    return [(tag.get("Key", ""), tag.get("Value", "")) for tag in given]


def _checked(tags: Tags, tags_max: int, too_many: str) -> Tags:
    if len(tags) > tags_max:
        raise AwsError("BadRequest", too_many, 400)
    seen = set()
    for key, value in tags:
        if not key or _length(key) > _KEY_CHARACTERS_MAX or not _TEXT.fullmatch(key):
            raise AwsError("InvalidTag", "The TagKey you have provided is invalid", 400, TagKey=key)
        if _length(value) > _VALUE_CHARACTERS_MAX or not _TEXT.fullmatch(value):
            raise AwsError("InvalidTag", "The TagValue you have provided is invalid", 400, TagKey=key, TagValue=value)
        if key.lower().startswith("aws:"):
            raise AwsError("InvalidTag", "System tags cannot be added/updated by requester", 400)
        if key in seen:
            raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key", 400, TagKey=key)
        seen.add(key)
    return sorted(tags)


def _length(text: str) -> int:
    """AWS counts tags in UTF-16, where what lies beyond the basic plane takes two."""
    return len(text) + sum(character > "\uffff" for character in text)


def _decode_pair(pair: str) -> tuple[str, str]:
    key, _, value = pair.partition("=")
    try:
        return _decode(key), _decode(value)
    except UnicodeDecodeError:
        raise _bad_header(pair) from None


def _decode(text: str) -> str:
    return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")


def _bad_header(value: str) -> AwsError:
    return AwsError(
        "InvalidArgument",
        "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
        "without tag name duplicates.",
        400,
        ArgumentName="x-amz-tagging",
        ArgumentValue=value,
    )
