"""Headers that a presigned URL carries in its query, since whoever follows it may send none: each counts as its header.

Names are read as they stand, unescaped, as the signatures' readers do: what they did not see as a header's name is none.
"""

import re
from urllib.parse import unquote_to_bytes

from atoll.aws import checksums
from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers

# What SDKs move into the query beside x-amz-*, in the spellings a version 2 signature covers.
_MOVED = frozenset({"Cache-Control", "cache-control", "Content-MD5", "content-md5", "Content-Type", "content-type"})
# The signature's own, read where it is, and what it says of the payload as it travels.
_OF_THE_SIGNATURE = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
        "x-amz-trailer",
        # Only repeats which checksum goes along; where that is not heeded, neither is this.
        "x-amz-sdk-checksum-algorithm",
    }
)
# SDKs that have no body yet when they presign compute the checksum of none. It says nothing of what will be uploaded, and
# S3 does not go by it.
_CHECKSUMS_OF_NOTHING = frozenset(
    (f"x-amz-checksum-{name.lower()}", checksums.encode(checksums.compute(name, b"")))
    for name in checksums.DIGEST_BYTES
)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def with_moved(query: str, headers: Headers) -> Headers:
    """All headers of a request, those in the query of a presigned one included. Raises AwsError.

    Where a name is given in both places, what the signature covers counts. Version 4 always covers the query. Version 2 looks
    at a header first, and at the query only where there is none.
    """
    version_2 = "AWSAccessKeyId=" in query
    if not version_2 and "X-Amz-Signature=" not in query:
        return headers
    moved = _moved(query)
    if version_2:
        moved = {name: value for name, value in moved.items() if not _counts(name, headers)}
    if not moved:
        return headers
    return Headers([*(item for item in headers.items if item[0].lower() not in moved), *moved.items()])


def _counts(name: str, headers: Headers) -> bool:
    """Whether a version 2 signature covers this header of a request, and so not the query's field of its name."""
    return name in headers if name.startswith("x-amz-") else bool(headers.get(name))


def _moved(query: str) -> dict[str, str]:
    moved: dict[str, str] = {}
    for field in query.split("&"):
        name, _, raw = field.partition("=")
        lower = name.lower()
        if not (lower.startswith("x-amz-") or name in _MOVED) or lower in _OF_THE_SIGNATURE:
            continue
        value = unquote_to_bytes(raw.replace("+", " ")).decode("latin-1").strip(" \t")
        if lower in moved:
            raise _refused(name, value, "is given more than once")
        if _CONTROL.search(value):
            raise _refused(name, value, "holds what no header can")
        moved[lower] = value
    return {name: value for name, value in moved.items() if (name, value) not in _CHECKSUMS_OF_NOTHING}


def _refused(name: str, value: str, reason: str) -> AwsError:
    message = f"The query parameter {name} {reason}."
    return AwsError("InvalidArgument", message, 400, ArgumentName=name, ArgumentValue=value[:1024])
