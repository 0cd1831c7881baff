"""Lists in pages: Marker, MaxItems, IsTruncated. A marker is opaque: the key after which the next page starts."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from atoll.aws.errors import AwsError
from atoll.operation import Call, Request
from atoll.store import keys

ITEMS_DEFAULT = 100
ITEMS_MAX = 1000

T = TypeVar("T")
Rest = dict[str, Any]
"""The members of the reply that tell whether there is more."""


def items_max(request: Request) -> int:
    most = request.get("MaxItems", ITEMS_DEFAULT)
    if not 1 <= most <= ITEMS_MAX:
        bound = "greater than or equal to 1" if most < 1 else f"less than or equal to {ITEMS_MAX}"
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{most}' at 'maxItems' failed to satisfy constraint: "
            f"Member must have value {bound}",
            400,
        )
    return int(most)


def _start(request: Request) -> bytes:
    if "Marker" not in request:
        return b""
    try:
        return urlsafe_b64decode(request["Marker"])
    except (binascii.Error, ValueError):
        raise AwsError("ValidationError", f"Invalid Marker: {request['Marker']}", 400) from None


def _rest(last: bytes | None) -> Rest:
    if last is None:
        return {"IsTruncated": False}
    return {"IsTruncated": True, "Marker": urlsafe_b64encode(last).decode()}


def page_of(items: Sequence[T], request: Request, name: Callable[[T], str]) -> tuple[list[T], Rest]:
    """A page of what is all in memory, in the order of the names."""
    most, start = items_max(request), _start(request)
    left = sorted((item for item in items if name(item).encode() > start), key=lambda item: name(item).encode())
    page = left[:most]
    return page, _rest(name(page[-1]).encode() if len(left) > most else None)


async def page_of_shelf(
    call: Call, shelf: bytes, request: Request, read: Callable[[bytes, bytes], T | None], prefix: bytes = b""
) -> tuple[list[T], Rest]:
    """A page of a shelf's rows whose keys start with `prefix`; `read` makes an item of a row, or None to leave it out."""
    most, position = items_max(request), _start(request)
    # The least key after the last one of the page before.
    lo = max(prefix, position + b"\x00") if position else prefix
    hi = keys.after(prefix) if prefix else None
    items: list[T] = []
    last = b""
    while True:
        rows = await call.tx.scan(shelf, lo, hi, ITEMS_MAX)
        for key, row in rows:
            item = read(key, row)
            if item is None:
                continue
            if len(items) == most:
                return items, _rest(last)
            items.append(item)
            last = key
        if len(rows) < ITEMS_MAX:
            return items, _rest(None)
        lo = rows[-1][0] + b"\x00"
