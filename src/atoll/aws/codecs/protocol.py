"""What each protocol's module offers the facade."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from atoll.aws.codecs.documents import DocumentWriter
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply, WireRequest

Decode = Callable[[WireRequest], dict[str, Any]]
Encode = Callable[[Mapping[str, Any], str], WireReply]


class WireProtocol(Protocol):
    """Decoders and encoders are made once an operation; what they need is looked up then, not at each call."""

    def route(self, wire: WireRequest) -> str:
        """Raises AwsError."""
        ...

    def decoder(self, operation: OperationModel) -> Decode:
        """What is made raises AwsError for whatever bytes can't be read."""
        ...

    def encoder(self, operation: OperationModel) -> Encode: ...

    def encode_error(self, error: AwsError, request_id: str) -> WireReply: ...


# Errors every service may answer, which models leave out. From the API references' lists of common errors.
_STATUSES = {
    "AccessDenied": 403,
    "AuthFailure": 401,
    "ExpiredToken": 403,
    "InternalFailure": 500,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "NotImplemented": 501,
    "OptInRequired": 403,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "UnauthorizedOperation": 403,
}


class ErrorFacts(NamedTuple):
    """An error as the model knows it. `shape` None: the model does not."""

    code: str
    status: int
    sender: bool
    shape: Shape | None


def facts_of(model: Model, error: AwsError) -> ErrorFacts:
    shape = model.errors.get(error.code)
    traits: Mapping[str, Any] = shape.traits.get("error", {}) if shape else {}
    code: str = traits.get("code", shape.name) if shape else error.code
    fault = bool(shape and shape.traits.get("fault"))
    status = error.status or traits.get("httpStatusCode") or (500 if fault else _STATUSES.get(error.code, 400))
    sender = traits.get("senderFault", status < 500)
    return ErrorFacts(code, status, sender, shape)


def query_error(model: Model, facts: ErrorFacts) -> list[tuple[str, str]]:
    """For services that once spoke query: the header in which their clients find the old code."""
    if "awsQueryCompatible" not in model.metadata:
        return []
    return [("x-amzn-query-error", f"{facts.code};{'Sender' if facts.sender else 'Receiver'}")]


def error_document(error: AwsError, facts: ErrorFacts, writer: DocumentWriter) -> dict[str, Any]:
    """The message and the other members of an error, as JSON and CBOR have them."""
    if facts.shape is None:
        return {"message": error.message, **error.fields}
    name = "Message" if "Message" in facts.shape.members else "message"
    return {name: error.message, **writer.writer(facts.shape)(error.fields)}


def check_reply(operation: OperationModel, reply: Mapping[str, Any]) -> None:
    """A reply with members the model does not know is our bug."""
    known = operation.output.members.keys() if operation.output else ()
    unknown = [name for name in reply if name not in known]
    assert not unknown, f"{operation.name} answered with {', '.join(unknown)}, which its model does not have"


def body_bytes(wire: WireRequest) -> bytes:
    body = wire.body
    assert isinstance(body, (bytes, bytearray, memoryview)), "a body that streams, of an operation that does not"
    return bytes(body)
