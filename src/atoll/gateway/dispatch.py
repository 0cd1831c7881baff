"""From an HTTP request to an operation and back: authenticate, route, decode, perform, encode.

Nothing a caller sends may raise out of here: an AwsError is rendered in the caller's protocol, a store outcome becomes the
service's own "try again", and whatever else is raised is our bug, logged once and answered as InternalError.
"""

import asyncio
import logging
from contextlib import nullcontext

from atoll.aws.codec import Codec, codec_for, codec_of
from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply, WireRequest
from atoll.gateway import addressing
from atoll.gateway.authentication import Authenticator, service_of
from atoll.gateway.connection import HttpRequest
from atoll.gateway.dynamodb_manners import DynamoDbManners, is_its_root
from atoll.gateway.manners import CONTROL_BODY_BYTES_MAX, Fields, Manners
from atoll.gateway.payload import VerifiedBody
from atoll.gateway.s3_manners import S3Manners
from atoll.operation import Call, Cloud, HttpFacts, perform
from atoll.store import Busy, Conflict, Full, Unknown

log = logging.getLogger(__name__)

GREAT_DOCUMENT_BYTES = 1024 * 1024
"""Read, a document takes forty times its bytes, if it is a million empty lists: greater ones are worked on one at a time."""
HEALTH_PATH = "/_atoll/health"  # Not a bucket's name, so no S3 path can mean it.


class Gateway:
    """One worker's door. `handle` is what the HTTP core calls."""

    def __init__(
        self, cloud: Cloud, authenticator: Authenticator, domains: tuple[str, ...] = addressing.DOMAINS
    ) -> None:
        self._cloud = cloud
        self._authenticator = authenticator
        self._domains = domains
        self._everybody = Manners()
        self._great = asyncio.Semaphore()
        dynamodb = DynamoDbManners()
        self._manners: dict[str, Manners] = {
            "dynamodb": dynamodb,
            "dynamodbstreams": dynamodb,
            "s3": S3Manners(cloud, authenticator, domains),
        }

    async def handle(self, http: HttpRequest) -> WireReply:
        if http.path == HEALTH_PATH:
            return WireReply(200, [("Content-Type", "text/plain")], b"ok\n")
        service = service_of(http)
        if service == "s3" and is_its_root(http, self._domains):
            service = "dynamodb"
        manners = self._manners.get(service, self._everybody)
        request_id = manners.new_request_id()
        codec: Codec | None = None
        operation: str | None = None
        told: Fields = []
        try:
            # Loading a model costs a tenth of a second and stays in memory: nobody unknown makes us do that.
            if service in self._cloud.services:
                codec = codec_of(service, http)
            routed = await manners.routed(http)
            if "origin" in http.headers:
                told = await manners.told(routed)
            if codec is None:
                await self._authenticator.authenticate(manners.sent(http, routed), service)
                codec = codec_of(service, http)
            reply = await manners.answered(http, routed, request_id)
            if reply is None:
                operation = codec.route(routed)
                reply = await self._perform(codec, operation, http, routed, request_id)
        except AwsError as error:
            reply = _refusal(codec, operation, error, request_id)
        except (Busy, Conflict, Full, Unknown) as outcome:
            log.warning("%s %s: %s: %s", request_id, operation, type(outcome).__name__, outcome)
            reply = _refusal(codec, operation, manners.try_again(outcome), request_id)
        except Exception:
            log.exception("%s %s %s failed", request_id, service, operation)
            reply = _refusal(codec, operation, manners.our_fault(), request_id)
        reply.headers += told
        reply.headers.append(("Server", "Atoll"))
        await manners.finished(http, reply)
        return reply

    async def _perform(
        self, codec: Codec, operation: str, http: HttpRequest, routed: WireRequest, request_id: str
    ) -> WireReply:
        manners = self._manners.get(codec.service, self._everybody)
        authenticated = await self._authenticator.authenticate(manners.sent(http, routed), codec.service)
        service = self._cloud.services.get(codec.service)
        if service is None or operation not in service.operations:
            raise manners.unimplemented(codec.service, operation)
        document = authenticated.payload.whole
        if document is not None:
            routed.body = document = await manners.document(routed, document)
        else:
            body = VerifiedBody(routed.body, authenticated.payload)
            document = b"" if codec.body_streams(operation) else await body.read(CONTROL_BODY_BYTES_MAX)
            routed.body = body if codec.body_streams(operation) else document
        facts = HttpFacts(
            http.method, routed.path, http.query, routed.headers.lower(), http.source_ip, http.secure, document
        )
        call = Call(self._cloud, service, authenticated.identity, request_id=request_id, http=facts)
        async with self._great if len(document) > GREAT_DOCUMENT_BYTES else nullcontext():
            request = codec.decode(operation, routed)
            return codec.encode(operation, await perform(call, operation, request), request_id)


def _refusal(codec: Codec | None, operation: str | None, error: AwsError, request_id: str) -> WireReply:
    return (codec or codec_for("s3")).encode_error(operation, error, request_id)
