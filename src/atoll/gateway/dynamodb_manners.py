"""DynamoDB's manners: compressed bodies both ways, any origin, a health check at its root, and its own limits and ids."""

import zlib
from typing import Final

from atoll.aws.errors import AwsError
from atoll.aws.wire import Headers, WireReply, WireRequest
from atoll.base import ids
from atoll.gateway import addressing, content_coding
from atoll.gateway.connection import HttpRequest
from atoll.gateway.manners import CONTROL_BODY_BYTES_MAX, Fields, Manners

HEAD_BYTES_MAX: Final = 16 * 1024  # Of a request's line, and of its header fields together.
PREFLIGHT_SECONDS: Final = 172_800
_JSON: Final = "application/x-amz-json-1.0"
_JSON_TYPES: Final = frozenset({_JSON, "application/json"})
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_EXPOSED: Final = "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date"
_NOT_ITS_KIND: Final = b"<UnknownOperationException/>\n"


def is_its_root(http: HttpRequest, domains: tuple[str, ...]) -> bool:
    """Whether an unsigned request that names no service is DynamoDB's: a health check, or what a browser asks before a call.

    S3 has nothing at its root for anyone who does not sign, so whatever is not sent to S3 by name may be taken.
    """
    if http.path != "/" or http.query or http.method not in ("GET", "OPTIONS", "POST"):
        return False
    if http.headers.get("authorization") or (http.headers.get("content-type") or "").startswith(_FORM_TYPES):
        return False
    host = (http.headers.get("host") or "").lower()
    return not host.startswith(("s3.", "s3-")) and addressing.bucket_of(host, domains) is None


class DynamoDbManners(Manners):
    def new_request_id(self) -> str:
        return ids.new_long_request_id()

    async def routed(self, http: HttpRequest) -> WireRequest:
        _check_head(http)
        return await super().routed(http)

    async def told(self, routed: WireRequest) -> Fields:
        told = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", _EXPOSED)]
        if routed.method == "OPTIONS":
            told.append(("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)))
            for wanted, allowed in (
                ("access-control-request-headers", "Access-Control-Allow-Headers"),
                ("access-control-request-method", "Access-Control-Allow-Methods"),
            ):
                if wanted in routed.headers:
                    told.append((allowed, routed.headers.get(wanted) or ""))
        return told

    async def answered(self, http: HttpRequest, routed: WireRequest, request_id: str) -> WireReply | None:
        method = routed.method
        if method == "POST" and (not routed.body or _is_json(routed.headers)):
            return None
        if method == "OPTIONS":
            return WireReply(200, [("x-amzn-RequestId", request_id)])
        if method == "GET" and routed.path == "/":
            return _plain(200, f"healthy: {routed.headers.get('host') or ''} ".encode("latin-1"), request_id)
        return _plain(404, _NOT_ITS_KIND, request_id)

    async def document(self, routed: WireRequest, whole: bytes) -> bytes:
        coding = routed.headers.get("content-encoding")
        if coding is None or coding == "identity":
            return whole
        try:
            return await content_coding.decoded(whole, coding, CONTROL_BODY_BYTES_MAX)
        except content_coding.TooLong:
            raise AwsError("RequestEntityTooLargeException", "", 413) from None
        except content_coding.Undecodable:
            raise self.our_fault() from None  # As AWS answers, though it is the caller's.

    async def finished(self, http: HttpRequest, reply: WireReply) -> None:
        body = reply.body
        if len(body) < content_coding.COMPRESSED_BYTES_MIN or "accept-encoding" not in http.headers:
            return
        coding = content_coding.wished(_first(http.headers, "accept-encoding"))
        if coding is None:
            return
        reply.body = await content_coding.encoded(body, coding)
        # The checksum is of the bytes that are sent.
        reply.headers = [field for field in reply.headers if field[0] != "x-amz-crc32"]
        reply.headers += [("Content-Encoding", coding), ("x-amz-crc32", str(zlib.crc32(reply.body)))]

    def unimplemented(self, service: str, operation: str) -> AwsError:
        return AwsError("UnknownOperationException", f"Atoll does not implement {service}:{operation}.", 400)

    def our_fault(self) -> AwsError:
        return AwsError("InternalServerError", "Internal server error", 500)


def _check_head(http: HttpRequest) -> None:
    fields = http.headers.lower()
    if len(http.path) + len(http.query) > HEAD_BYTES_MAX or sum(map(len, fields.values())) > HEAD_BYTES_MAX:
        raise AwsError("RequestHeaderSectionTooLargeException", "", 400)


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type") or ""
    return kind == _JSON or kind.partition(";")[0].strip().lower() in _JSON_TYPES


def _plain(status: int, body: bytes, request_id: str) -> WireReply:
    return WireReply(status, [("x-amzn-RequestId", request_id), ("x-amz-crc32", str(zlib.crc32(body)))], body)


def _first(headers: Headers, lower: str) -> str:
    """AWS goes by the first of several."""
    return next(value for name, value in headers.items if name.lower() == lower)
