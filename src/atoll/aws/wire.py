"""An HTTP request and its answer as values: what the codecs read and what they produce."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


class Headers:
    """Header fields in the order and case they came in, found by lower-case name. Repeated ones are joined by a comma."""

    __slots__ = ("_index", "items")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.items: list[tuple[str, str]] = list(items)  # As sent: latin-1 text, case kept.
        index: dict[str, str] = {}
        for name, value in self.items:
            lower = name.lower()
            index[lower] = value if lower not in index else f"{index[lower]},{value}"
        self._index = index

    def get(self, name: str, default: str | None = None) -> str | None:
        """`name` in lower case."""
        return self._index.get(name, default)

    def __contains__(self, name: str) -> bool:
        return name in self._index

    def lower(self) -> dict[str, str]:
        """All of them by lower-case name. Not to be changed."""
        return self._index


@dataclass(slots=True)
class WireRequest:
    """`path` and `query` are raw: as they stood in the request line, percent-encoding untouched, split at the first `?`."""

    method: str
    path: str
    query: str
    headers: Headers
    body: Any = b""  # bytes, or an operation.Body where the operation's payload streams


@dataclass(slots=True)
class WireReply:
    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Any = b""  # bytes, or what the operation answered as its streaming payload (operation.BlobBody)
