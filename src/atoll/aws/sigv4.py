"""AWS Signature Version 4, the server's side: read a request's signature, compute it again, compare. Pure.

    canonical request   METHOD \n path \n sorted query \n name:value\n ... \n signed;headers \n payload hash
    string to sign      AWS4-HMAC-SHA256 \n timestamp \n date/region/service/aws4_request \n sha256(canonical request)
    signing key         HMAC chain over date, region, service, "aws4_request" from "AWS4" + secret

Whatever names an operation, its parameters or its caller is under the signature: host, every x-amz-* header, path, query.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from atoll.aws.canonical import canonical_request, canonical_request_normalised
from atoll.aws.signature_errors import (
    CREDENTIAL_FORM,
    PRESIGNED_SECONDS_MAX,
    SKEW_SECONDS_MAX,
    Claim,
    Computed,
    S3Wording,
    Wording,
    wording_of,
)
from atoll.aws.wire import WireRequest

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINAL = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = sha256().hexdigest()

_SIGNING_KEYS_MAX = 1024
_HEADS_MAX = 1024
_HEAD_CHARACTERS_MAX = (
    1024  # Longer ones are read afresh each time, so that garbage cannot fill memory through the cache.
)
_DATE_CHARACTERS_MAX = 64
_SERVICE_PRESIGNED_SECONDS = (
    SKEW_SECONDS_MAX  # Services other than S3 let a presigned request go without X-Amz-Expires.
)

_IPAD = bytes(byte ^ 0x36 for byte in range(256))
_OPAD = bytes(byte ^ 0x5C for byte in range(256))


class SigningKey:
    """HMAC-SHA256 with the key already taken in: signing copies two hash states instead of hashing the key again."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner = sha256(block.translate(_IPAD))
        self._outer = sha256(block.translate(_OPAD))

    def sign(self, data: bytes) -> str:
        inner = self._inner.copy()
        inner.update(data)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


@lru_cache(maxsize=_SIGNING_KEYS_MAX)
def signing_key(secret_key: str, date: str, region: str, service: str) -> SigningKey:
    key = ("AWS4" + secret_key).encode()
    for part in (date, region, service, TERMINAL):
        key = hmac.digest(key, part.encode(), "sha256")
    return SigningKey(key)


@dataclass(frozen=True, slots=True)
class Scope:
    """Who signs, for what, and which headers: all of a signature that stays the same from request to request."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: str
    text: str  # date/region/service/aws4_request
    names: tuple[str, ...]
    signed: frozenset[str]


@dataclass(slots=True)
class Signature:
    scope: Scope
    timestamp: str
    signed_at: int
    signature: str
    session_token: str
    payload_hash: str | None
    """What the request says its payload's hash is. Only S3 goes by it; other services hash the body themselves."""
    presigned: bool = False
    lifetime_seconds: int = 0

    @property
    def claim(self) -> Claim:
        return Claim(self.scope.access_key_id, self.timestamp, self.signature, self.presigned)


def parse(wire: WireRequest, service: str) -> Signature | None:
    """None when the request is not signed at all. Raises AwsError, in the words of `service`, for what is no signature."""
    headers = wire.headers.lower()
    authorization = headers.get("authorization") or None  # To S3 an empty one is none.
    if wire.query and ("X-Amz-" in wire.query or "AWSAccessKeyId=" in wire.query):
        presigned = _parse_query(wire, service, authorization)
        if presigned is not None:
            return presigned
    if authorization is None:
        return None
    wording = wording_of(wire, service)
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        raise wording.unsupported(authorization)
    head, signature = _split_signature(authorization)
    read = _read_head if len(head) <= _HEAD_CHARACTERS_MAX else _read_head.__wrapped__
    scope = read(head, bool(signature), wording)
    timestamp, signed_at = _signed_at(headers, wording)
    return Signature(
        scope,
        timestamp,
        signed_at,
        signature,
        headers.get("x-amz-security-token", ""),
        headers.get("x-amz-content-sha256"),
    )


def _split_signature(authorization: str) -> tuple[str, str]:
    """What is the same in all of a client's requests, and what is new in each."""
    head, found, signature = authorization.rpartition("Signature=")
    if not found:
        return authorization, ""
    if "," not in signature:
        return head, signature.rstrip()
    signature, _, rest = signature.partition(",")  # Not in its usual place, the last.
    return f"{head}{rest}", signature.rstrip()


@lru_cache(maxsize=_HEADS_MAX)
def _read_head(head: str, signature_given: bool, wording: Wording) -> Scope:  # noqa: FBT001 (a cache key)
    components: dict[str, str] = {}
    # Other services than S3 take spaces for commas.
    separators = "," if isinstance(wording, S3Wording) else r"[,\s]+"
    for component in re.split(separators, head[len(ALGORITHM) :]):
        name, equals, value = component.strip().partition("=")
        if not name:
            continue
        if not equals:
            raise wording.malformed(f'the authorization component "{name}" is malformed.', presigned=False)
        components[name] = value
    missing = [name for name in ("Credential", "SignedHeaders") if not components.get(name)]
    if not signature_given:
        missing.append("Signature")
    if missing:
        raise wording.incomplete(missing, presigned=False)
    return _new_scope(components["Credential"], components["SignedHeaders"], wording, presigned=False)


def _new_scope(credential: str, signed_headers: str, wording: Wording, *, presigned: bool) -> Scope:
    # An access key id may itself hold slashes (not AWS's, but other clouds' users bring them): count from the right.
    fields = credential.rsplit("/", 4)
    if len(fields) != 5:
        raise wording.malformed(f'the Credential is mal-formed; expecting "{CREDENTIAL_FORM}".', presigned=presigned)
    access_key_id, date, region, service, terminal = fields
    if not access_key_id:
        raise wording.malformed(
            "a non-empty Access Key (AKID) must be provided in the credential.", presigned=presigned
        )
    if terminal != TERMINAL:
        raise wording.wrong_terminal(terminal, presigned=presigned)
    # Other services than S3 look at the date of the request before they look at this one.
    if isinstance(wording, S3Wording) and not (len(date) == 8 and date.isascii() and date.isdigit()):
        reason = f'incorrect date format "{date}". This date in the credential must be in the format "yyyyMMdd".'
        raise wording.malformed(reason, presigned=presigned)
    names = tuple(signed_headers.lower().split(";"))
    if "host" not in names:
        raise wording.unsigned_headers(["host"])
    text = f"{date}/{region}/{service}/{TERMINAL}"
    return Scope(access_key_id, date, region, service, signed_headers, text, names, frozenset(names))


def _signed_at(headers: Mapping[str, str], wording: Wording) -> tuple[str, int]:
    timestamp = headers.get("x-amz-date")
    if timestamp is None:
        timestamp = _date_header(headers.get("date"))
    seconds = _seconds(timestamp) if timestamp else None
    if timestamp is None or seconds is None:
        raise wording.bad_date(timestamp, presigned=False)
    return timestamp, seconds


def _date_header(date: str | None) -> str | None:
    """As x-amz-date would say it: the string to sign holds that form whatever the header's."""
    if date is None or len(date) > _DATE_CHARACTERS_MAX or _seconds(date) is not None:
        return date
    try:
        return parsedate_to_datetime(date).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return date


@lru_cache(maxsize=256)
def _seconds(timestamp: str) -> int | None:
    """Of 20260102T030405Z. Many requests share a second, so it is read once."""
    if len(timestamp) != 16 or timestamp[8] != "T" or timestamp[15] != "Z" or not timestamp.isascii():
        return None
    date, time = timestamp[:8], timestamp[9:15]
    if not (date.isdigit() and time.isdigit()):
        return None
    try:
        moment = datetime(
            int(date[:4]), int(date[4:6]), int(date[6:]), int(time[:2]), int(time[2:4]), int(time[4:]), tzinfo=UTC
        )
    except ValueError:
        return None
    return int(moment.timestamp())


def _parse_query(wire: WireRequest, service: str, authorization: str | None) -> Signature | None:
    given: dict[str, str] = {}
    wording = wording_of(wire, service)
    for pair in wire.query.split("&"):
        name, _, value = pair.partition("=")
        if name.startswith("X-Amz-") or name in {"AWSAccessKeyId", "Signature"}:
            if name in given:
                raise wording.bad_parameter(f"The {name} parameter is given more than once.")
            given[name] = unquote_to_bytes(value.replace("+", " ")).decode("latin-1")
    if "AWSAccessKeyId" in given and "Signature" in given:
        raise wording.unsupported("AWS ")  # Signature Version 2.
    if not given.keys() & {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"}:
        return None
    if authorization is not None:
        raise wording.two_at_once(authorization)
    if "X-Amz-Algorithm" in given and given["X-Amz-Algorithm"] != ALGORITHM:
        raise wording.unsupported_parameter(given["X-Amz-Algorithm"])
    required = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders"]
    if service == "s3":
        required.append("X-Amz-Expires")
    missing = [name for name in required if not given.get(name)]
    if missing:
        raise wording.incomplete(missing, presigned=True)
    return _presigned(given, wire.headers.lower(), wording)


def _presigned(given: Mapping[str, str], headers: Mapping[str, str], wording: Wording) -> Signature:
    scope = _new_scope(given["X-Amz-Credential"], given["X-Amz-SignedHeaders"], wording, presigned=True)
    timestamp = given["X-Amz-Date"]
    signed_at = _seconds(timestamp)
    if signed_at is None:
        raise wording.bad_date(timestamp, presigned=True)
    # A hash may be given in either place; under the signature in both (an unsigned x-amz-* header is refused).
    payload_hash = given.get("X-Amz-Content-Sha256") or headers.get("x-amz-content-sha256") or UNSIGNED_PAYLOAD
    return Signature(
        scope,
        timestamp,
        signed_at,
        given["X-Amz-Signature"],
        given.get("X-Amz-Security-Token") or headers.get("x-amz-security-token", ""),
        payload_hash,
        presigned=True,
        lifetime_seconds=_lifetime(given.get("X-Amz-Expires"), wording),
    )


def _lifetime(text: str | None, wording: Wording) -> int:
    if text is None:
        return _SERVICE_PRESIGNED_SECONDS
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise wording.bad_parameter("X-Amz-Expires should be a number")
    seconds = int(text)
    if seconds < 0:
        raise wording.bad_parameter("X-Amz-Expires must be non-negative")
    if seconds == 0:
        raise wording.bad_parameter("X-Amz-Expires must be at least one second")
    if seconds > PRESIGNED_SECONDS_MAX:
        raise wording.bad_parameter(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{PRESIGNED_SECONDS_MAX} seconds"
        )
    return seconds


def check_scope(signature: Signature, wire: WireRequest, now: float, *, region: str, services: tuple[str, ...]) -> None:
    """Refuses what is signed for another place, service or time: all that shows without the secret and the body.

    `services` are the names this service may be signed for, its own first.
    """
    scope, presigned = signature.scope, signature.presigned
    age = now - signature.signed_at
    in_scope = scope.region == region and scope.service in services and signature.timestamp[:8] == scope.date
    if in_scope and not presigned and -SKEW_SECONDS_MAX <= age <= SKEW_SECONDS_MAX:
        return
    wording = wording_of(wire, services[0])
    if isinstance(wording, S3Wording):
        _check_s3_scope(signature, wording, region)
        _check_age(signature, wording, now)
        return
    _check_age(signature, wording, now)
    if not in_scope:
        raise wording.misplaced((scope.date, scope.region, scope.service), (region, services[0]), signature.timestamp)


def _check_s3_scope(signature: Signature, wording: S3Wording, region: str) -> None:
    scope, presigned = signature.scope, signature.presigned
    if scope.service != "s3":
        raise wording.wrong_service(scope.service, "s3", presigned=presigned)
    if scope.region != region:
        raise wording.wrong_region(scope.region, region, presigned=presigned)
    if signature.timestamp[:8] != scope.date:
        raise wording.wrong_date(scope.date, signature.timestamp, presigned=presigned)


def _check_age(signature: Signature, wording: Wording, now: float) -> None:
    age = now - signature.signed_at
    if age < -SKEW_SECONDS_MAX or (age > SKEW_SECONDS_MAX and not signature.presigned):
        raise wording.skewed(signature.claim, signature.signed_at, now)
    if signature.presigned and age > signature.lifetime_seconds:
        expires_at = signature.signed_at + signature.lifetime_seconds
        raise wording.expired(signature.claim, expires_at, now, signature.lifetime_seconds)


def verify(signature: Signature, wire: WireRequest, secret_key: str, payload_hash: str) -> SigningKey:
    """Raises AwsError unless whoever has the secret signed this very request. The key goes on to verify signed chunks."""
    scope = signature.scope
    unsigned = [name for name in wire.headers.lower() if name not in scope.signed and name.startswith("x-amz-")]
    if unsigned:
        raise wording_of(wire, scope.service).unsigned_headers(sorted(unsigned))
    canonicalise = canonical_request if scope.service == "s3" else canonical_request_normalised
    canonical = canonicalise(wire, scope.names, scope.signed_headers, payload_hash)
    digest = sha256(canonical).hexdigest()
    string_to_sign = f"{ALGORITHM}\n{signature.timestamp}\n{scope.text}\n{digest}".encode()
    key = signing_key(secret_key, scope.date, scope.region, scope.service)
    # Bytes, since compare_digest takes no text beyond ASCII, and a client may send any.
    if not hmac.compare_digest(key.sign(string_to_sign).encode(), signature.signature.encode()):
        raise wording_of(wire, scope.service).mismatch(signature.claim, Computed(canonical, string_to_sign))
    return key
