"""The Range header against an object's size. Pure.

bytes=first-last   bytes=first-   bytes=-last_so_many
"""

import re

from atoll.aws.errors import AwsError

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


def resolve(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and length, or None for the whole object. Raises InvalidRange when no byte of the object is meant.

    Several ranges at once, other units and what is no range at all are passed over, as S3 does and RFC 9110 allows.
    """
    match = _ONE_RANGE.fullmatch(header) if header is not None else None
    if match is None:
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        start, end = int(first), min(int(last) + 1, size) if last else size
    elif last:
        start, end = max(0, size - int(last)), size
    else:
        return None
    if start >= size:
        raise AwsError(
            "InvalidRange",
            "The requested range is not satisfiable",
            416,
            RangeRequested=header,
            ActualObjectSize=size,
        )
    return start, end - start


def content_range(first_byte: int, length: int, size: int) -> str:
    return f"bytes {first_byte}-{first_byte + length - 1}/{size}"
