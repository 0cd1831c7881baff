"""Presigned URLs of the older kind (AWSAccessKeyId, Expires, Signature), which boto3 still makes by default in us-east-1.

Only in the query: S3 alone takes them, and nobody signs headers so any more.
Source: https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html#RESTAuthenticationQueryStringAuth
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from atoll.aws.errors import AwsError
from atoll.aws.signature_errors import Claim, Computed, S3Wording
from atoll.aws.wire import WireRequest

# The sub-resources and overrides that are part of what is signed.
_SIGNED_PARAMETERS = frozenset(
    {
        "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location", "logging",
        "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment", "restore",
        "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId",
        "versioning", "versions", "website", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
    }
)  # fmt: skip
_WORDING = S3Wording()


@dataclass(frozen=True, slots=True)
class PresignedV2:
    access_key_id: str
    signature: str
    expires: int  # Unix seconds
    session_token: str
    parameters: Mapping[str, str | None]  # None: it has no `=`

    @property
    def claim(self) -> Claim:
        return Claim(self.access_key_id, str(self.expires), self.signature, presigned=True)


def parse(wire: WireRequest) -> PresignedV2 | None:
    """None when the query holds no such signature. Raises AwsError when it holds half of one, or another beside it."""
    if "AWSAccessKeyId=" not in wire.query:
        return None
    given: dict[str, str | None] = {}
    for pair in wire.query.split("&"):
        name, equals, value = pair.partition("=")
        if name in given:
            raise _WORDING.bad_parameter(f"The {name} parameter is given more than once.")
        given[name] = unquote_to_bytes(value.replace("+", " ")).decode("latin-1") if equals else None
    key, signature, expires = (given.get(name) for name in ("AWSAccessKeyId", "Signature", "Expires"))
    if not (key and signature and expires):
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise AwsError("AccessDenied", text, 403)
    if not re.fullmatch(r"[0-9]{1,12}", expires):
        raise AwsError("AccessDenied", "Invalid date (should be seconds since epoch): " + expires, 403)
    authorization = wire.headers.get("authorization")
    if authorization or "X-Amz-Signature" in given:
        raise _WORDING.two_at_once(authorization or "")
    return PresignedV2(key, signature, int(expires), given.get("x-amz-security-token") or "", given)


def verify(signature: PresignedV2, wire: WireRequest, secret_key: str, bucket_in_host: str | None, now: float) -> None:
    """Raises AwsError unless the owner of `secret_key` signed this request and its time is not over."""
    if now >= signature.expires:
        raise _WORDING.expired(signature.claim, signature.expires, now, 0)
    signed = _string_to_sign(signature, wire, bucket_in_host)
    expected = b64encode(hmac.digest(secret_key.encode(), signed, "sha1"))
    if not hmac.compare_digest(expected, signature.signature.encode("latin-1")):
        raise _WORDING.mismatch(signature.claim, Computed(b"", signed))


def _string_to_sign(signature: PresignedV2, wire: WireRequest, bucket_in_host: str | None) -> bytes:
    headers = wire.headers.lower()
    given = signature.parameters
    # What a client could not put into a header of a URL it puts into the query, under the header's name.
    hoisted = {name.lower(): value or "" for name, value in given.items() if name.lower().startswith("x-amz-")}
    amz = hoisted | {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    lines = [
        wire.method,
        headers.get("content-md5") or given.get("Content-MD5") or given.get("content-md5") or "",
        headers.get("content-type") or given.get("Content-Type") or given.get("content-type") or "",
        str(signature.expires),
        *(f"{name}:{' '.join(amz[name].split())}" for name in sorted(amz)),
        _resource(given, wire.path, bucket_in_host),
    ]
    return "\n".join(lines).encode("latin-1")


def _resource(given: Mapping[str, str | None], path: str, bucket_in_host: str | None) -> str:
    resource = path if bucket_in_host is None else f"/{bucket_in_host}{path}"
    signed = sorted((name, value) for name, value in given.items() if name in _SIGNED_PARAMETERS)
    if not signed:
        return resource
    return resource + "?" + "&".join(name if value is None else f"{name}={value}" for name, value in signed)
