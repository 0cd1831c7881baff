"""How a service's endpoint uses HTTP beyond its protocol: what its requests look like, what it says to browsers, its ids.

Manners are everybody's; services that differ have their own (s3_manners, dynamodb_manners).
"""

from typing import Final

from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply, WireRequest
from atoll.base import ids
from atoll.gateway.connection import HttpRequest
from atoll.gateway.payload import read_raw
from atoll.store import Busy, Conflict, Full, Unknown

# Of every operation whose payload does not stream. S3's largest lists 10,000 parts.
CONTROL_BODY_BYTES_MAX: Final = 16 * 1024 * 1024

Fields = list[tuple[str, str]]


class Manners:
    def new_request_id(self) -> str:
        return ids.new_request_id()

    async def routed(self, http: HttpRequest) -> WireRequest:
        """The request as the codec reads it. Raises AwsError."""
        whole = await read_raw(http.body, CONTROL_BODY_BYTES_MAX)
        return WireRequest(http.method, http.path, http.query, http.headers, whole)

    def sent(self, http: HttpRequest, routed: WireRequest) -> WireRequest:
        """The request as it was signed."""
        return routed

    async def told(self, routed: WireRequest) -> Fields:
        """What a browser is told with any answer. Only asked for requests that name their origin."""
        return []

    async def answered(self, http: HttpRequest, routed: WireRequest, request_id: str) -> WireReply | None:
        """The answer to what is no operation of the model. Raises AwsError."""
        return None

    async def document(self, routed: WireRequest, whole: bytes) -> bytes:
        """A body as the codec reads it, of what was signed. Raises AwsError."""
        return whole

    async def finished(self, http: HttpRequest, reply: WireReply) -> None:
        """A last look at an answer of any kind."""

    def unimplemented(self, service: str, operation: str) -> AwsError:
        return AwsError("NotImplemented", f"Atoll does not implement {service}:{operation}.", 501)

    def try_again(self, outcome: Busy | Conflict | Full | Unknown) -> AwsError:
        """How AWS's services say that the machine, not the caller, is at fault."""
        if isinstance(outcome, Full):
            return AwsError("ServiceUnavailable", "The store has no room left; reads and deletes go on.", 503)
        if isinstance(outcome, Unknown):
            return self.our_fault()
        return AwsError("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503)

    def our_fault(self) -> AwsError:
        return AwsError("InternalFailure", "The request processing has failed because of an unknown error.", 500)
