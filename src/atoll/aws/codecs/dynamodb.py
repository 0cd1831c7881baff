"""DynamoDB's JSON: attribute values pass through as they are on the wire, in requests and in replies.

A request that is right is read by one pass in C. Only one that is not is read again, to be refused in AWS's words.
"""

import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import orjson

from atoll.aws import constraints
from atoll.aws.codecs import json_body, timestamps
from atoll.aws.codecs.coral import CoralReader, parse
from atoll.aws.codecs.documents import Convert, DocumentWriter
from atoll.aws.codecs.dynamodb_types import VALUE, has_timestamps, type_of
from atoll.aws.codecs.protocol import Decode, Encode, body_bytes, check_reply, facts_of
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply, WireRequest

_PACKAGE: Final = "com.amazonaws.dynamodb.v20120810"
_FRAMEWORK: Final = "com.amazon.coral.service"
_TYPE: Final = ("Content-Type", "application/x-amz-json-1.0")
# Of requests that no one pass in C can read, as they have times in them. What they may hold is far less.
_SLOW_BODY_BYTES_MAX: Final = 1024 * 1024
# Their replies are little but attribute values: what the operations answer is what goes on the wire.
_AS_ANSWERED: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "GetRecords",
        "PutItem",
        "Query",
        "Scan",
        "SearchVectors",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
# Where an error's type is not of the service's own package.
_ORIGINS: Final = {
    "ValidationException": "com.amazon.coral.validate",
    "ThrottlingException": "com.amazon.coral.availability",
}
# What the rest of us calls by other names: code and status.
_OTHER_NAMES: Final = {
    "AccessDenied": ("AccessDeniedException", 400),
    "EntityTooLarge": ("RequestEntityTooLargeException", 413),
    "InternalFailure": ("InternalServerError", 500),
}
# The framework's errors whose message is written with a capital.
_CAPITAL_MESSAGE: Final = frozenset({"SerializationException", "AccessDeniedException"})


class DynamoDb:
    def __init__(self, model: Model) -> None:
        self.model = model
        self._prefix = f"{model.metadata['targetPrefix']}."
        self._operations = {f"{self._prefix}{name}": name for name in model.operation_names}
        self._reader = CoralReader(_PACKAGE)
        self._writer = _ValueWriter(_scalar_writer)

    def route(self, wire: WireRequest) -> str:
        operation = self._operations.get(wire.headers.get("x-amz-target") or "")
        if operation is None:
            raise AwsError("UnknownOperationException", "")
        return operation

    def decoder(self, operation: OperationModel) -> Decode:
        shape = operation.input
        assert shape is not None, f"{operation.name} takes nothing"
        read = self._reader.reader(shape)
        fast = None if has_timestamps(shape) else msgspec.json.Decoder(type_of(shape)).decode

        def decode(wire: WireRequest) -> dict[str, Any]:
            body = body_bytes(wire)
            if fast is not None:
                try:
                    found: dict[str, Any] = fast(body)
                    return found
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    pass  # It is read again, below, for AWS's own view of it.
            elif len(body) > _SLOW_BODY_BYTES_MAX:
                raise AwsError("RequestEntityTooLargeException", "", 413)
            try:
                values: dict[str, Any] = read(parse(body))
            except (Malformed, RecursionError) as error:
                raise AwsError("SerializationException", str(error) if isinstance(error, Malformed) else "") from error
            constraints.check(shape, values)
            return values

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        as_answered = operation.name in _AS_ANSWERED
        if operation.output is None:
            return lambda reply, request_id: _reply(200, request_id, b"")
        known = operation.output.members.keys()
        write = self._writer.writer(operation.output)

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            if as_answered:
                assert known >= reply.keys(), f"{operation.name} answered with {reply.keys() - known}"
                return _reply(200, request_id, orjson.dumps(reply))
            check_reply(operation, reply)
            return _reply(200, request_id, orjson.dumps(write(reply)))

        return encode

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        if error.code in _OTHER_NAMES:
            code, status = _OTHER_NAMES[error.code]
            error = AwsError(code, error.message, status, error.headers)
        facts = facts_of(self.model, error)
        package = _ORIGINS.get(facts.code) or (_PACKAGE if facts.shape else _FRAMEWORK)
        document: dict[str, Any] = {"__type": f"{package}#{facts.code}"}
        if error.message:
            capital = "Message" in facts.shape.members if facts.shape else facts.code in _CAPITAL_MESSAGE
            document["Message" if capital else "message"] = error.message
        document |= self._writer.writer(facts.shape)(error.fields) if facts.shape else error.fields
        reply = _reply(facts.status, request_id, orjson.dumps(document))
        reply.headers += error.headers.items()
        return reply


def _reply(status: int, request_id: str, body: bytes) -> WireReply:
    crc32 = ("x-amz-crc32", str(zlib.crc32(body)))
    return WireReply(status, [("x-amzn-RequestId", request_id), _TYPE, crc32], body)


class _ValueWriter(DocumentWriter):
    """Leaves attribute values alone, and whatever stands for a map of them (an orjson.Fragment)."""

    def writer(self, shape: Shape) -> Convert:
        if shape.name == VALUE or (shape.type == "map" and shape.value.name == VALUE):
            return _as_is
        return super().writer(shape)


def _as_is(value: Any) -> Any:
    return value


def _scalar_writer(shape: Shape) -> Convert:
    if shape.type == "timestamp":
        return _write_timestamp
    return json_body.scalar_writer(shape)


def _write_timestamp(value: float | datetime | str) -> float:
    return value if isinstance(value, (float, int)) else timestamps.to_unix(value)
