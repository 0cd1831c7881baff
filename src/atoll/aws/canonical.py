"""A request in the one form that client and server both hash. Whatever differs only in spelling comes out the same here.

Requests that are spelled canonically already, as SDKs spell them, are recognised by one scan and left as they are.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import re
from collections.abc import Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

from atoll.aws.wire import Headers, WireRequest

_PLAIN_PATH = re.compile(r"[A-Za-z0-9\-._~/]*").fullmatch
_PLAIN_QUERY = re.compile(r"[A-Za-z0-9\-._~=&]*").fullmatch
# What canonical form spells otherwise: raw reserved bytes, broken and lower-case escapes, escapes of unreserved characters.
_ODD_ESCAPE = r"%(?![0-9A-F]{2})|%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])"
_ODD_PATH = re.compile(rf"[^A-Za-z0-9\-._~/%]|{_ODD_ESCAPE}").search
_ODD_QUERY_PART = re.compile(rf"[^A-Za-z0-9\-._~%]|{_ODD_ESCAPE}").search
_ESCAPED_SLASH = re.compile(rb"%2[Ff]")


def canonical_request(wire: WireRequest, names: Sequence[str], signed_headers: str, payload_hash: str) -> bytes:
    """As S3 wants it: the path is escaped once and otherwise taken as it is, since `//` and `..` are parts of keys."""
    return _join(wire, once_escaped(wire.path), (names, signed_headers), payload_hash)


def canonical_request_normalised(
    wire: WireRequest, names: Sequence[str], signed_headers: str, payload_hash: str
) -> bytes:
    """As every other service wants it: the path without dot segments and empty ones, and its escapes escaped again."""
    path = wire.path
    if path != "/":
        path = quote_from_bytes(_without_dots(path).encode("latin-1"), safe="/~")
    return _join(wire, path, (names, signed_headers), payload_hash)


def _join(wire: WireRequest, path: str, signed: tuple[Sequence[str], str], payload_hash: str) -> bytes:
    query = canonical_query(wire.query) if wire.query else ""
    names, signed_headers = signed
    block = canonical_headers(wire.headers, names)
    return f"{wire.method}\n{path}\n{query}\n{block}\n{signed_headers}\n{payload_hash}".encode("latin-1")


def once_escaped(path: str) -> str:
    if _PLAIN_PATH(path) or not _ODD_PATH(path):
        return path or "/"
    # An escaped slash stays one: it is not known whether its sender meant a separator.
    segments = _ESCAPED_SLASH.split(path.encode("latin-1"))
    return "%2F".join(quote_from_bytes(unquote_to_bytes(segment), safe="/~") for segment in segments)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    last = "/" if kept and path.endswith("/") else ""
    return f"/{'/'.join(kept)}{last}"


def canonical_query(query: str) -> str:
    """Sorted by escaped name, then value. A presigned request's own signature is not part of it."""
    plain = _PLAIN_QUERY(query) is not None
    pairs: list[tuple[str, str]] = []
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if not plain or "=" in value:
            name, value = _escaped(name), _escaped(value)
        if name != "X-Amz-Signature":
            pairs.append((name, value))
    if len(pairs) > 1:
        pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _escaped(part: str) -> str:
    if not _ODD_QUERY_PART(part):
        return part
    # In a query a plus is a space: so S3 reads it, and so it must be signed.
    return quote_from_bytes(unquote_to_bytes(part.replace("+", " ").encode("latin-1")), safe="~")


def canonical_headers(headers: Headers, names: Sequence[str]) -> str:
    """One `name:value` line each. A header that is not there counts as empty."""
    get = headers.lower().get
    block = ""
    for name in names:
        block += f"{name}:{get(name, '')}\n"
    # One look at them all tells whether any value has spaces to trim, or came in several lines.
    tidy = not ("  " in block or ": " in block or " \n" in block or "\t" in block)
    if tidy and len(headers.items) == len(headers.lower()):
        return block
    values: dict[str, list[str]] = {}
    for name, value in headers.items:
        values.setdefault(name.lower(), []).append(_trimmed(value))
    return "".join([f"{name}:{','.join(values.get(name, ()))}\n" for name in names])


def _trimmed(value: str) -> str:
    # As bytes: `str.split` would take U+00A0 and U+0085 for spaces, and here they are halves of UTF-8 characters.
    return b" ".join(value.encode("latin-1").split()).decode("latin-1")
