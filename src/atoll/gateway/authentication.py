"""Who is calling: from a request's signature to an identity, and to what its payload must be.

Nothing that a caller claims is believed before its signature has been computed again: `authenticate` either raises AwsError
or answers with an identity that the secret's owner alone can have, or with the anonymous one (S3 only).
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Protocol

from atoll.aws import chunked, form_signature, presigned_v2, sigv4
from atoll.aws.form import Field
from atoll.aws.signature_errors import Claim, S3Wording, ServiceWording, Wording, wording_of
from atoll.aws.wire import Headers, WireRequest
from atoll.gateway.addressing import DOMAINS, bucket_of
from atoll.gateway.payload import PayloadRules, missing_content_hash, read_raw, s3_rules
from atoll.operation import Credential, Identity

DEV_ACCOUNT = "000000000000"
"""In dev mode an access key that nobody has made belongs to the root of this account."""

ANONYMOUS = Identity(account="", arn="", user_id="", access_key_id="", kind="anonymous")

_BODY_BYTES_MAX = 16 * 1024 * 1024
_BODY_BYTES_MAX_OF = {"iam": 1024 * 1024, "sts": 1024 * 1024, "lambda": 70 * 1024 * 1024}

# Where botocore's name of a service is not the one in its credential scope.
_BY_SIGNING_NAME = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
_SIGNING_NAMES = {service: (name,) for name, service in _BY_SIGNING_NAME.items()} | {"dynamodbstreams": ("dynamodb",)}
_BY_TARGET = {
    "AWSInsightsIndexService": "ce",
    "AmazonSSM": "ssm",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "DynamoDB_20120810": "dynamodb",
    "GraniteServiceVersion20100801": "cloudwatch",
    "Logs_20140328": "logs",
    "Route53AutoNaming_v20170314": "servicediscovery",
}
# Clients in any region may sign for these as if there were but one place of them.
_GLOBAL_SERVICES = frozenset({"iam", "sts", "ce", "organizations", "route53"})
_GLOBAL_REGION = "us-east-1"


FindCredential = Callable[[str], Awaitable[Credential | None]]


@dataclass(frozen=True, slots=True)
class Authenticated:
    identity: Identity
    payload: PayloadRules


class RequestHead(Protocol):
    @property
    def query(self) -> str: ...

    @property
    def headers(self) -> Headers: ...


def service_of(request: RequestHead) -> str:
    """Which service, by botocore's name, a request is for: what it targets, else what it is signed for, else S3."""
    target = request.headers.get("x-amz-target")
    if target is not None:
        by_target = _BY_TARGET.get(target.partition(".")[0])
        if by_target is not None:
            return by_target
    signed_for = _signed_for(request)
    return "s3" if signed_for is None else _BY_SIGNING_NAME.get(signed_for, signed_for)


def _signed_for(request: RequestHead) -> str | None:
    """The service in the credential scope; None when there is none, or none that could be a name."""
    authorization = request.headers.get("authorization")
    if authorization:
        credential = authorization.partition("Credential=")[2].partition(",")[0]
        fields = credential.rsplit("/", 2)
    elif "X-Amz-Credential=" in request.query:
        credential = request.query.partition("X-Amz-Credential=")[2].partition("&")[0]
        fields = credential.replace("%2F", "/").replace("%2f", "/").rsplit("/", 2)
    else:
        return None
    if len(fields) != 3:
        return None
    # It will be looked up among files: nothing but a plain name may pass.
    name = fields[1]
    return name if name.isascii() and name.replace("-", "").isalnum() else None


class Authenticator:
    """`dev`: keys that nobody has made are let in unchecked, as the root of DEV_ACCOUNT. Known keys are always checked.

    A key that has been deleted, switched off or swept away is no longer known: in dev mode it, too, is the root's.
    """

    def __init__(
        self,
        find: FindCredential,
        clock: Callable[[], float],
        region: str,
        dev: bool = False,  # noqa: FBT001, FBT002
        domains: tuple[str, ...] = DOMAINS,
    ) -> None:
        self._domains = domains
        self._find = find
        self._clock = clock
        self._region = region
        self._dev = dev

    async def authenticate(self, wire: WireRequest, service: str) -> Authenticated:
        """`wire` is the request as it was sent; its body a RawBody or bytes."""
        older = presigned_v2.parse(wire) if service == "s3" else None
        if older is not None:
            return await self._presigned_v2(wire, older)
        signature = sigv4.parse(wire, service)
        if signature is None:
            return _unsigned(wire, service)
        credential = await self._find(signature.scope.access_key_id)
        if credential is None and self._dev:
            return await _unchecked(wire, service, signature)
        now = self._clock()
        region = self._region
        if service in _GLOBAL_SERVICES and signature.scope.region == _GLOBAL_REGION:
            region = _GLOBAL_REGION
        sigv4.check_scope(signature, wire, now, region=region, services=_SIGNING_NAMES.get(service) or (service,))
        if credential is None:
            raise wording_of(wire, service).unknown_key(signature.scope.access_key_id)
        if credential.session_token or signature.session_token:
            _check_token(credential, signature, now, wording_of(wire, service))
        if service == "s3":
            return _verified_s3(wire, signature, credential)
        whole = await read_raw(wire.body, _BODY_BYTES_MAX_OF.get(service, _BODY_BYTES_MAX))
        sigv4.verify(signature, wire, credential.secret_key, sha256(whole).hexdigest())
        return Authenticated(credential.identity, PayloadRules(whole=whole))

    async def authenticate_form(self, fields: Mapping[str, Field]) -> Identity:
        """Who signed the policy of a form, or nobody. Whether the form keeps to its policy is another matter."""
        signature = form_signature.parse(fields, self._region)
        if signature is None:
            return ANONYMOUS
        credential = await self._find(signature.access_key_id)
        if credential is None and self._dev:
            return _dev_root(signature.access_key_id)
        if credential is None:
            raise S3Wording().unknown_key(signature.access_key_id)
        signature.verify(credential.secret_key)
        if credential.session_token or signature.session_token:
            _check_token(credential, signature, self._clock(), S3Wording())
        return credential.identity

    async def _presigned_v2(self, wire: WireRequest, signature: presigned_v2.PresignedV2) -> Authenticated:
        rules = s3_rules(wire.headers.lower(), wire.headers.get("x-amz-content-sha256") or sigv4.UNSIGNED_PAYLOAD)
        if rules.content_hash in {chunked.SIGNED, chunked.SIGNED_TRAILER}:
            raise S3Wording().unsupported("AWS4-")  # Chunks can only be signed after a request signed in their way.
        credential = await self._find(signature.access_key_id)
        if credential is None and self._dev:
            return Authenticated(_dev_root(signature.access_key_id), rules)
        if credential is None:
            raise S3Wording().unknown_key(signature.access_key_id)
        now = self._clock()
        bucket = bucket_of(wire.headers.get("host"), self._domains)
        presigned_v2.verify(signature, wire, credential.secret_key, bucket, now)
        if credential.session_token or signature.session_token:
            _check_token(credential, signature, now, S3Wording())
        return Authenticated(credential.identity, rules)


def _verified_s3(wire: WireRequest, signature: sigv4.Signature, credential: Credential) -> Authenticated:
    if signature.payload_hash is None:
        raise missing_content_hash()
    rules = s3_rules(wire.headers.lower(), signature.payload_hash)
    key = sigv4.verify(signature, wire, credential.secret_key, signature.payload_hash)
    if rules.decoded_length is not None:
        chain = chunked.SignatureChain(key, signature.timestamp, signature.scope.text, signature.signature)
        rules = replace(rules, chain=chain)
    return Authenticated(credential.identity, rules)


class _Signature(Protocol):
    @property
    def session_token(self) -> str: ...

    @property
    def claim(self) -> Claim: ...


def _check_token(credential: Credential, signature: _Signature, now: float, wording: Wording) -> None:
    given = signature.session_token
    if not given:
        raise wording.unknown_key(signature.claim.access_key_id)  # A temporary key is none without its token.
    if not hmac.compare_digest(given.encode(), credential.session_token.encode()):
        raise wording.invalid_token(given)
    if credential.expires and now >= credential.expires:
        raise wording.expired_token(given)


def _unsigned(wire: WireRequest, service: str) -> Authenticated:
    wording = wording_of(wire, service)
    if isinstance(wording, ServiceWording):
        raise wording.missing()
    rules = s3_rules(wire.headers.lower(), wire.headers.get("x-amz-content-sha256") or sigv4.UNSIGNED_PAYLOAD)
    if rules.content_hash in {chunked.SIGNED, chunked.SIGNED_TRAILER}:
        raise wording.unsupported("AWS4-")  # Chunks can only be signed after a signed request.
    return Authenticated(ANONYMOUS, rules)


def _dev_root(access_key_id: str) -> Identity:
    return Identity(DEV_ACCOUNT, f"arn:aws:iam::{DEV_ACCOUNT}:root", DEV_ACCOUNT, access_key_id, "root")


async def _unchecked(wire: WireRequest, service: str, signature: sigv4.Signature) -> Authenticated:
    """The secret is not known, so neither request nor chunks can be verified; hashes and lengths still are."""
    identity = _dev_root(signature.scope.access_key_id)
    if service == "s3":
        return Authenticated(identity, s3_rules(wire.headers.lower(), signature.payload_hash or sigv4.UNSIGNED_PAYLOAD))
    whole = await read_raw(wire.body, _BODY_BYTES_MAX_OF.get(service, _BODY_BYTES_MAX))
    return Authenticated(identity, PayloadRules(whole=whole))
