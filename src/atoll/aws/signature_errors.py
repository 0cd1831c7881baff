"""How AWS words a refused signature: S3 in its own way, the other services in one of three, by their protocol.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and .../APIReference/CommonErrors.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from atoll.aws.errors import AwsError
from atoll.aws.wire import WireRequest

SKEW_SECONDS_MAX = 15 * 60
PRESIGNED_SECONDS_MAX = 7 * 24 * 3600
CREDENTIAL_FORM = "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"
_ONLY_ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
    "Authorization header should be specified"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of its own signature, as far as an error may repeat it."""

    access_key_id: str
    timestamp: str  # As signed: 20260102T030405Z
    signature: str
    presigned: bool


@dataclass(frozen=True, slots=True)
class Computed:
    """What we made of the request: the answer shows it, so that a client's author can compare."""

    canonical_request: bytes
    string_to_sign: bytes


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _extended(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class S3Wording:
    def malformed(self, reason: str, *, presigned: bool) -> AwsError:
        if presigned:
            text = f"Error parsing the X-Amz-Credential parameter; {reason}"
            return AwsError("AuthorizationQueryParametersError", text, 400)
        return AwsError("AuthorizationHeaderMalformed", f"The authorization header is malformed; {reason}", 400)

    def incomplete(self, missing: Sequence[str], *, presigned: bool) -> AwsError:
        if presigned:
            return self.bad_parameter(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
                "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
            )
        if len(missing) > 1:
            return self.malformed(
                "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
                presigned=False,
            )
        return self.malformed(f"missing {missing[0]}.", presigned=False)

    def bad_parameter(self, text: str) -> AwsError:
        return AwsError("AuthorizationQueryParametersError", text, 400)

    def bad_date(self, timestamp: str | None, *, presigned: bool) -> AwsError:
        if presigned:
            return self.bad_parameter("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
        return AwsError("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", 403)

    def unsupported(self, authorization: str) -> AwsError:
        if authorization.startswith(("AWS4-", "AWS ")):
            text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            return AwsError("InvalidRequest", text, 400)
        return AwsError(
            "InvalidArgument",
            "Unsupported Authorization Type",
            400,
            ArgumentName="Authorization",
            ArgumentValue=authorization,
        )

    def unsupported_parameter(self, algorithm: str) -> AwsError:
        if (
            algorithm == "AWS4-ECDSA-P256-SHA256"
        ):  # A real algorithm, and one that S3 speaks: say that it is we who do not.
            return self.unsupported("AWS4-")
        return self.bad_parameter('X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"')

    def two_at_once(self, authorization: str) -> AwsError:
        return AwsError(
            "InvalidArgument", _ONLY_ONE_MECHANISM, 400, ArgumentName="Authorization", ArgumentValue=authorization
        )

    def wrong_region(self, region: str, expected: str, *, presigned: bool) -> AwsError:
        error = self.malformed(f"the region '{region}' is wrong; expecting '{expected}'", presigned=presigned)
        error.fields["Region"] = expected  # From which botocore and others learn where to send it.
        return error

    def wrong_service(self, service: str, expected: str, *, presigned: bool) -> AwsError:
        reason = f'incorrect service "{service}". This endpoint belongs to "{expected}".'
        return self.malformed(reason, presigned=presigned)

    def wrong_terminal(self, terminal: str, *, presigned: bool) -> AwsError:
        reason = f'incorrect terminal "{terminal}". This endpoint uses "aws4_request".'
        return self.malformed(reason, presigned=presigned)

    def wrong_date(self, date: str, timestamp: str, *, presigned: bool) -> AwsError:
        reason = f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".'
        return self.bad_parameter(reason) if presigned else self.malformed(reason, presigned=False)

    def skewed(self, claim: Claim, signed_at: float, now: float) -> AwsError:
        if claim.presigned:
            return AwsError("AccessDenied", "Request is not yet valid", 403, ServerTime=_extended(now))
        return AwsError(
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            403,
            RequestTime=claim.timestamp,
            ServerTime=_extended(now),
            MaxAllowedSkewMilliseconds=str(SKEW_SECONDS_MAX * 1000),
        )

    def expired(self, claim: Claim, expires_at: float, now: float, lifetime_seconds: int) -> AwsError:
        return AwsError(
            "AccessDenied",
            "Request has expired",
            403,
            None,
            **{"X-Amz-Expires": str(lifetime_seconds)},
            Expires=_extended(expires_at),
            ServerTime=_extended(now),
        )

    def unsigned_headers(self, names: Sequence[str]) -> AwsError:
        text = "There were headers present in the request which were not signed"
        return AwsError("AccessDenied", text, 403, HeadersNotSigned=", ".join(names))

    def mismatch(self, claim: Claim, computed: Computed) -> AwsError:
        return AwsError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
            403,
            AWSAccessKeyId=claim.access_key_id,
            StringToSign=computed.string_to_sign.decode("latin-1"),
            SignatureProvided=claim.signature,
            StringToSignBytes=computed.string_to_sign.hex(" "),
            CanonicalRequest=computed.canonical_request.decode("latin-1"),
            CanonicalRequestBytes=computed.canonical_request.hex(" "),
        )

    def unknown_key(self, access_key_id: str) -> AwsError:
        text = "The AWS Access Key Id you provided does not exist in our records."
        return AwsError("InvalidAccessKeyId", text, 403, AWSAccessKeyId=access_key_id)

    def invalid_token(self, token: str) -> AwsError:
        text = "The provided token is malformed or otherwise invalid."
        return AwsError("InvalidToken", text, 400, None, **{"Token-0": token})

    def expired_token(self, token: str) -> AwsError:
        return AwsError("ExpiredToken", "The provided token has expired.", 400, None, **{"Token-0": token})


@dataclass(frozen=True, slots=True, eq=False)  # There are four of them, and caches go by which.
class ServiceWording:
    """Of every service but S3. `status` is that of a refusal; JSON services answer 400 to everything that is the caller's."""

    suffix: str  # JSON services call their errors ...Exception
    mismatch_code: str
    unknown_key_code: str
    status: int
    missing_text: str = "Missing Authentication Token"

    def malformed(self, reason: str, *, presigned: bool) -> AwsError:
        return AwsError(f"IncompleteSignature{self.suffix}", reason, 400)

    def incomplete(self, missing: Sequence[str], *, presigned: bool) -> AwsError:
        kind, place = (
            ("query-string parameter", "AWS query-string") if presigned else ("parameter", "Authorization header")
        )
        text = " ".join(f"{place} requires '{name}' {kind}." for name in missing)
        return self.malformed(text, presigned=presigned)

    def bad_parameter(self, text: str) -> AwsError:
        return self.malformed(text, presigned=True)

    def bad_date(self, timestamp: str | None, *, presigned: bool) -> AwsError:
        if timestamp is None:
            text = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        else:
            text = (
                f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'. See http://en.wikipedia.org/wiki/ISO_8601"
            )
        return self.malformed(text, presigned=presigned)

    def unsupported(self, authorization: str) -> AwsError:
        algorithm = authorization.partition(" ")[0]
        return self.malformed(f"Unsupported AWS 'algorithm': '{algorithm}'. Use AWS4-HMAC-SHA256.", presigned=False)

    def unsupported_parameter(self, algorithm: str) -> AwsError:
        return self.unsupported(algorithm)

    def two_at_once(self, authorization: str) -> AwsError:
        return self.malformed(f"{_ONLY_ONE_MECHANISM}.", presigned=False)

    def wrong_terminal(self, terminal: str, *, presigned: bool) -> AwsError:
        return self._mismatch(
            f"Credential should be scoped with a valid terminator: 'aws4_request', not '{terminal}'. "
        )

    def skewed(self, claim: Claim, signed_at: float, now: float) -> AwsError:
        if signed_at > now:
            bound, sign, what, than = now + SKEW_SECONDS_MAX, "+", "not yet current", "still later than"
        else:
            bound, sign, what, than = now - SKEW_SECONDS_MAX, "-", "expired", "now earlier than"
        return self._mismatch(
            f"Signature {what}: {claim.timestamp} is {than} {_basic(bound)} ({_basic(now)} {sign} 15 min.)"
        )

    def expired(self, claim: Claim, expires_at: float, now: float, lifetime_seconds: int) -> AwsError:
        return self._mismatch(f"Signature expired: {_basic(expires_at)} is now earlier than {_basic(now)}")

    def unsigned_headers(self, names: Sequence[str]) -> AwsError:
        text = " ".join(f"'{name}' must be a 'SignedHeader' in the AWS Authorization." for name in names)
        return self._mismatch(text)

    def mismatch(self, claim: Claim, computed: Computed) -> AwsError:
        return self._mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details."
        )

    def _mismatch(self, text: str) -> AwsError:
        return AwsError(self.mismatch_code, text, self.status)

    def unknown_key(self, access_key_id: str) -> AwsError:
        return AwsError(self.unknown_key_code, "The security token included in the request is invalid.", self.status)

    def invalid_token(self, token: str) -> AwsError:
        return self.unknown_key("")

    def expired_token(self, token: str) -> AwsError:
        return AwsError(
            f"ExpiredToken{self.suffix}", "The security token included in the request is expired", self.status
        )

    def missing(self) -> AwsError:
        return AwsError(f"MissingAuthenticationToken{self.suffix}", self.missing_text, self.status)

    def misplaced(self, scope: tuple[str, str, str], expected: tuple[str, str], timestamp: str) -> AwsError:
        """Of a date, a region and a service that are not all as they should be: what is wrong is told together."""
        date, region, service = scope
        wrong = []
        if region != expected[0]:
            wrong.append(f"Credential should be scoped to a valid region, not '{region}'. ")
        if service != expected[1]:
            wrong.append(f"Credential should be scoped to correct service: '{expected[1]}'. ")
        if not timestamp.startswith(date) or len(date) != len("yyyymmdd"):
            wrong.append(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{date}' != '{timestamp[:8]}', from '{timestamp}'."
            )
        return self._mismatch("".join(wrong))


Wording = S3Wording | ServiceWording

S3 = S3Wording()
_REQUEST_IS_MISSING = "Request is missing Authentication Token"
QUERY = ServiceWording("", "SignatureDoesNotMatch", "InvalidClientTokenId", 403, _REQUEST_IS_MISSING)
JSON = ServiceWording("Exception", "InvalidSignatureException", "UnrecognizedClientException", 400)
DYNAMODB = ServiceWording(
    "Exception", "InvalidSignatureException", "UnrecognizedClientException", 400, _REQUEST_IS_MISSING
)
REST_JSON = ServiceWording("Exception", "InvalidSignatureException", "UnrecognizedClientException", 403)


def wording_of(wire: WireRequest, service: str) -> Wording:
    if service == "s3":
        return S3
    if service in ("dynamodb", "dynamodbstreams"):
        return DYNAMODB
    if "x-amz-target" in wire.headers or "smithy-protocol" in wire.headers:
        return JSON
    form = (wire.headers.get("content-type") or "").startswith("application/x-www-form-urlencoded")
    return QUERY if form or "Action=" in wire.query else REST_JSON
