"""What a client says of an object and is told again: its headers and user metadata. Pure but for the Call's headers."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Reply
from atoll.services.s3.records import Version

METADATA_BYTES_MAX = 2048
DEFAULT_CONTENT_TYPE = "binary/octet-stream"
_HEADER_MEMBERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires")


def given_headers(request: Mapping[str, Any]) -> dict[str, str]:
    """The members that are kept with an object, as text."""
    headers = {name: request[name] for name in _HEADER_MEMBERS if request.get(name)}
    if "Expires" in headers and isinstance(headers["Expires"], datetime):
        headers["Expires"] = headers["Expires"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    if "ContentEncoding" in headers:
        _strip_framing(headers)
    return headers


def given_metadata(request: Mapping[str, Any]) -> dict[str, str]:
    """User metadata by lower-case names. Raises MetadataTooLarge."""
    metadata = {name.lower(): value for name, value in (request.get("Metadata") or {}).items()}
    size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size_bytes > METADATA_BYTES_MAX:
        raise AwsError(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            400,
            Size=size_bytes,
            MaxSizeAllowed=METADATA_BYTES_MAX,
        )
    return metadata


def told(version: Version) -> Reply:
    """The members of GetObject's and HeadObject's replies that say again what was given."""
    metadata = version.metadata
    if metadata and not all(value.isascii() for value in metadata.values()):
        metadata = {name: _mail_safe(value) for name, value in metadata.items()}
    return {"ContentType": DEFAULT_CONTENT_TYPE, **version.headers, "Metadata": metadata}


def _strip_framing(headers: dict[str, str]) -> None:
    """aws-chunked says how the body travelled, which is over."""
    codings = headers.pop("ContentEncoding").split(",")
    kept = ",".join(coding for coding in codings if coding.strip().lower() != "aws-chunked").strip()
    if kept:
        headers["ContentEncoding"] = kept


def _mail_safe(value: str) -> str:
    # S3 takes header bytes for Latin-1 and answers what is not ASCII as RFC 2047 words.
    return value if value.isascii() else f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="
