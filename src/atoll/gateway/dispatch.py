"""From an HTTP request to an operation and back: authenticate, route, decode, perform, encode.

Nothing a caller sends may raise out of here: an AwsError is rendered in the caller's protocol, a store outcome becomes the
service's own "try again", and whatever else is raised is our bug, logged once and answered as InternalError.
"""

import logging

from atoll.aws import presigned_headers
from atoll.aws.codec import Codec, codec_for, codec_of
from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply, WireRequest
from atoll.base import ids
from atoll.gateway import addressing, form_upload
from atoll.gateway.authentication import Authenticator, service_of
from atoll.gateway.connection import HttpRequest
from atoll.gateway.cross_origin import CrossOrigin
from atoll.gateway.payload import VerifiedBody, read_raw
from atoll.operation import Call, Cloud, HttpFacts, Service, perform
from atoll.store import Busy, Conflict, Full, Unknown

log = logging.getLogger(__name__)

# Of every operation whose payload does not stream. S3's largest lists 10,000 parts.
CONTROL_BODY_BYTES_MAX = 16 * 1024 * 1024
HEALTH_PATH = "/_atoll/health"  # Not a bucket's name, so no S3 path can mean it.


class Gateway:
    """One worker's door. `handle` is what the HTTP core calls."""

    def __init__(
        self, cloud: Cloud, authenticator: Authenticator, domains: tuple[str, ...] = addressing.DOMAINS
    ) -> None:
        self._cloud = cloud
        self._authenticator = authenticator
        self._domains = domains
        self._cross_origin = CrossOrigin(cloud)
        self._forms = form_upload.FormUploads(cloud, authenticator)

    async def handle(self, http: HttpRequest) -> WireReply:
        request_id = ids.new_request_id()
        if http.path == HEALTH_PATH:
            return WireReply(200, [("Content-Type", "text/plain")], b"ok\n")
        service = service_of(http)
        codec: Codec | None = None
        operation: str | None = None
        shared: list[tuple[str, str]] = []
        try:
            routed = await self._routed(service, http)
            if service == "s3" and "origin" in http.headers:
                shared = await self._cross_origin.told(routed)
            if service not in self._cloud.services:
                # Loading a model costs a tenth of a second and stays in memory: nobody unknown makes us do that.
                await self._authenticator.authenticate(routed, service)
            codec = codec_of(service, routed)
            if service == "s3" and form_upload.is_form(routed):
                operation = form_upload.PERFORMED
                reply = await self._forms.upload(http, routed, codec, request_id)
            elif service == "s3" and routed.method == "OPTIONS":
                shared = []
                reply = await self._cross_origin.preflight(routed, request_id)
            else:
                operation = codec.route(routed)
                reply = await self._perform(codec, operation, http, routed, request_id)
        except AwsError as error:
            reply = _refusal(codec, operation, error, request_id)
        except (Busy, Conflict, Full, Unknown) as outcome:
            log.warning("%s %s: %s: %s", request_id, operation, type(outcome).__name__, outcome)
            reply = _refusal(codec, operation, _try_again(service, outcome), request_id)
        except Exception:
            log.exception("%s %s %s failed", request_id, service, operation)
            reply = _refusal(codec, operation, _our_fault(service), request_id)
        reply.headers += [*shared, ("Server", "Atoll")]
        return reply

    async def _routed(self, service: str, http: HttpRequest) -> WireRequest:
        """The request as the codec reads it: S3's bucket in the path and headers together, any other service's body read."""
        if service != "s3":
            whole = await read_raw(http.body, CONTROL_BODY_BYTES_MAX)
            return WireRequest(http.method, http.path, http.query, http.headers, whole)
        bucket = addressing.bucket_of(http.headers.get("host"), self._domains)
        headers = presigned_headers.with_moved(http.query, http.headers) if http.query else http.headers
        return WireRequest(http.method, addressing.path_style(http.path, bucket), http.query, headers, http.body)

    async def _perform(
        self, codec: Codec, operation: str, http: HttpRequest, routed: WireRequest, request_id: str
    ) -> WireReply:
        # The signature covers the request as it was sent, not as it is routed.
        sent = WireRequest(http.method, http.path, http.query, http.headers, routed.body)
        authenticated = await self._authenticator.authenticate(sent, codec.service)
        service = self._implemented(codec, operation)
        body = VerifiedBody(routed.body, authenticated.payload)
        document = b"" if codec.body_streams(operation) else await body.read(CONTROL_BODY_BYTES_MAX)
        routed.body = body if codec.body_streams(operation) else document
        request = codec.decode(operation, routed)
        facts = HttpFacts(
            http.method, routed.path, http.query, routed.headers.lower(), http.source_ip, http.secure, document
        )
        call = Call(self._cloud, service, authenticated.identity, request_id=request_id, http=facts)
        return codec.encode(operation, await perform(call, operation, request), request_id)

    def _implemented(self, codec: Codec, operation: str) -> Service:
        service = self._cloud.services.get(codec.service)
        if service is None or operation not in service.operations:
            raise AwsError("NotImplemented", f"Atoll does not implement {codec.service}:{operation}.", 501)
        return service


def _refusal(codec: Codec | None, operation: str | None, error: AwsError, request_id: str) -> WireReply:
    return (codec or codec_for("s3")).encode_error(operation, error, request_id)


def _try_again(service: str, outcome: Busy | Conflict | Full | Unknown) -> AwsError:
    """How AWS's services say that the machine, not the caller, is at fault."""
    if isinstance(outcome, Full):
        return AwsError("ServiceUnavailable", "The store has no room left; reads and deletes go on.", 503)
    if isinstance(outcome, Unknown):
        return _our_fault(service)
    if service == "s3":
        return AwsError("SlowDown", "Please reduce your request rate.", 503)
    return AwsError("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503)


def _our_fault(service: str) -> AwsError:
    if service == "s3":
        return AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
    return AwsError("InternalFailure", "The request processing has failed because of an unknown error.", 500)
