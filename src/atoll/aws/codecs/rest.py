"""The frame of the REST protocols: what is in the path, query and headers is bound here, the body by each protocol."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from atoll.aws.codecs.protocol import Decode, Encode, body_bytes, check_reply
from atoll.aws.codecs.rest_bindings import ReplyBinding, RequestBinding, parse_query
from atoll.aws.codecs.rest_routes import PathRoutes
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply, WireRequest

Read = Callable[[WireRequest, dict[str, Any]], None]
"""Adds to the request's values."""

Write = Callable[[dict[str, Any]], tuple[Any, str | None]]
"""From the members of the body: the body, and its content type where it has one."""


class Rest:
    """`content_type` is of bodies that are documents."""

    content_type: str

    def __init__(self, model: Model) -> None:
        self.model = model

    # What each protocol says for itself.

    def document_reader(self, shape: Shape, *, is_payload: bool) -> Callable[[bytes], Any]:
        """Reads a body that is not empty. Raises Malformed."""
        raise NotImplementedError

    def document_writer(self, operation: OperationModel, shape: Shape, *, is_payload: bool) -> Callable[[Any], bytes]:
        raise NotImplementedError

    def refuse_uri(self, error: Malformed) -> AwsError:
        raise NotImplementedError

    def refuse_value(self, member: str, shape: Shape, text: str, error: Malformed) -> AwsError:
        raise NotImplementedError

    def refuse_missing(self, member: str, shape: Shape) -> AwsError:
        raise NotImplementedError

    def refuse_body(self, error: Exception) -> AwsError:
        raise NotImplementedError

    # What S3 does in its own way.

    @cached_property
    def _paths(self) -> PathRoutes:
        return PathRoutes(self.model)

    def route(self, wire: WireRequest) -> str:
        return self._paths.route(wire)

    def request_binding(self, operation: OperationModel) -> RequestBinding:
        return RequestBinding(operation)

    def path_reader(self, operation: OperationModel, binding: RequestBinding) -> Read:
        return self._paths.reader(operation, binding.labels)

    def reply_binding(self, operation: OperationModel) -> ReplyBinding:
        return ReplyBinding(operation)

    def reply_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id)]

    # Requests

    def decoder(self, operation: OperationModel) -> Decode:
        binding = self.request_binding(operation)
        read_path = self.path_reader(operation, binding)
        read_body = self._body_reader(operation)

        def decode(wire: WireRequest) -> dict[str, Any]:
            values: dict[str, Any] = {}
            try:
                read_path(wire, values)
                query = parse_query(wire.query)
            except Malformed as error:
                raise self.refuse_uri(error) from error
            binding.read(wire, query, values, self.refuse_value)
            for name, shape in binding.required:
                if name not in values:
                    raise self.refuse_missing(name, shape)
            if read_body is not None:
                try:
                    read_body(wire, values)
                except (Malformed, RecursionError) as error:
                    raise self.refuse_body(error) from error
            return values

        return decode

    def _body_reader(self, operation: OperationModel) -> Read | None:
        """None where the operation takes no body; one that is sent all the same is not looked at, as AWS does."""
        shape = operation.input
        if shape is None:
            return None
        if shape.payload is None:
            return self._members_reader(shape)
        name, payload = shape.payload, shape.members[shape.payload]
        if payload.type == "blob" and payload.traits.get("streaming"):

            def take(wire: WireRequest, values: dict[str, Any]) -> None:
                values[name] = wire.body

            return take
        if payload.type in ("blob", "string"):
            return _raw_reader(name, payload)
        return self._payload_reader(name, shape)

    def _payload_reader(self, name: str, shape: Shape) -> Read:
        read = self.document_reader(shape.members[name], is_payload=True)
        required = name in shape.required

        def read_payload(wire: WireRequest, values: dict[str, Any]) -> None:
            body = body_bytes(wire)
            if body.strip():
                values[name] = read(body)
            elif required:
                raise Malformed(f"{name} is missing")

        return read_payload

    def _members_reader(self, shape: Shape) -> Read | None:
        """The members that are not bound elsewhere are together one document."""
        if all(member.location is not None for member in shape.members.values()):
            return None
        read = self.document_reader(shape, is_payload=False)
        needed = any(shape.members[name].location is None for name in shape.required)

        def read_members(wire: WireRequest, values: dict[str, Any]) -> None:
            body = body_bytes(wire)
            if needed or body.strip():
                values.update(read(body))

        return read_members

    # Replies

    def encoder(self, operation: OperationModel) -> Encode:
        binding = self.reply_binding(operation)
        write_body = self.body_writer(operation)
        default_status = operation.status

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            headers = self.reply_headers(request_id)
            rest, status = binding.split(reply, headers)
            body, content_type = write_body(rest)
            if content_type is not None and "ContentType" not in reply:
                headers.append(("Content-Type", content_type))
            return WireReply(status or default_status, headers, body)

        return encode

    def body_writer(self, operation: OperationModel) -> Write:
        shape = operation.output
        if shape is None:
            return lambda rest: (b"", None)
        name = shape.payload
        if name is None:
            if all(member.location is not None for member in shape.members.values()):
                return lambda rest: (b"", None)
            write = self.document_writer(operation, shape, is_payload=False)
            return lambda rest: (write(rest), self.content_type)
        payload = shape.members[name]
        if payload.type == "string":
            return lambda rest: (rest.get(name, "").encode("utf-8", "surrogateescape"), None)
        if payload.type == "blob" or payload.traits.get("eventstream"):
            return lambda rest: (rest.get(name, b""), None)
        write_payload = self.document_writer(operation, payload, is_payload=True)
        return lambda rest: (write_payload(rest[name]), self.content_type) if name in rest else (b"", None)


def _raw_reader(name: str, payload: Shape) -> Read:
    def read(wire: WireRequest, values: dict[str, Any]) -> None:
        body = body_bytes(wire)
        if payload.type == "blob":
            values[name] = body
            return
        try:
            values[name] = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("the body is not UTF-8") from error

    return read
