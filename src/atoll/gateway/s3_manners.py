"""S3's manners: buckets in host names, bodies that stream, browsers' preflights and forms."""

from atoll.aws import presigned_headers
from atoll.aws.codec import codec_for
from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply, WireRequest
from atoll.gateway import addressing, form_upload
from atoll.gateway.authentication import Authenticator
from atoll.gateway.connection import HttpRequest
from atoll.gateway.cross_origin import CrossOrigin
from atoll.gateway.manners import Fields, Manners
from atoll.operation import Cloud
from atoll.store import Busy, Conflict, Full, Unknown


class S3Manners(Manners):
    def __init__(self, cloud: Cloud, authenticator: Authenticator, domains: tuple[str, ...]) -> None:
        self._domains = domains
        self._cross_origin = CrossOrigin(cloud)
        self._forms = form_upload.FormUploads(cloud, authenticator)

    async def routed(self, http: HttpRequest) -> WireRequest:
        """The bucket in the path, and in the headers what a presigned URL carries in its query."""
        bucket = addressing.bucket_of(http.headers.get("host"), self._domains)
        headers = presigned_headers.with_moved(http.query, http.headers) if http.query else http.headers
        return WireRequest(http.method, addressing.path_style(http.path, bucket), http.query, headers, http.body)

    def sent(self, http: HttpRequest, routed: WireRequest) -> WireRequest:
        return WireRequest(http.method, http.path, http.query, http.headers, routed.body)

    async def told(self, routed: WireRequest) -> Fields:
        if routed.method == "OPTIONS":
            return []  # A preflight's answer says it all itself.
        return await self._cross_origin.told(routed)

    async def answered(self, http: HttpRequest, routed: WireRequest, request_id: str) -> WireReply | None:
        if routed.method == "OPTIONS":
            return await self._cross_origin.preflight(routed, request_id)
        if form_upload.is_form(routed):
            return await self._forms.upload(http, routed, codec_for("s3"), request_id)
        return None

    def try_again(self, outcome: Busy | Conflict | Full | Unknown) -> AwsError:
        if isinstance(outcome, (Busy, Conflict)):
            return AwsError("SlowDown", "Please reduce your request rate.", 503)
        return super().try_again(outcome)

    def our_fault(self) -> AwsError:
        return AwsError("InternalError", "We encountered an internal error. Please try again.", 500)
