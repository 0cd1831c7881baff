"""rest-xml: S3's protocol (its own ways are in s3.py), CloudFront's and Route 53's."""

from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws.codecs.protocol import Decode, Encode, body_bytes, check_reply, facts_of
from atoll.aws.codecs.rest import ReplyBinding, RequestBinding, parse_query
from atoll.aws.codecs.rest_routes import PathRoutes
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.codecs.xml_reader import XmlReader, local_name, parse
from atoll.aws.codecs.xml_writer import DECLARATION, XmlWriter, escape
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply, WireRequest

XML = ("Content-Type", "application/xml")

ReadBody = Callable[[Any, dict[str, Any]], None]
WriteBody = Callable[[dict[str, Any]], Any]


class RestXml:
    timestamp = "iso8601"

    def __init__(self, model: Model) -> None:
        self.model = model
        self._reader = XmlReader()
        self._writer = XmlWriter(self.timestamp)

    # Requests

    def route(self, wire: WireRequest) -> str:
        return self._paths.route(wire)

    @property
    def _paths(self) -> PathRoutes:
        made: PathRoutes | None = self.__dict__.get("_made_paths")
        if made is None:
            made = self.__dict__["_made_paths"] = PathRoutes(self.model)
        return made

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
                raise AwsError("InvalidURI", f"Couldn't parse the specified URI: {error}.") from error
            binding.read(wire, query, values, self.refuse_value)
            for name, shape in binding.required:
                if name not in values:
                    raise self.refuse_missing(name, shape)
            try:
                read_body(wire, values)
            except (Malformed, RecursionError) as error:
                raise self.refuse_body(error) from error
            return values

        return decode

    def request_binding(self, operation: OperationModel) -> RequestBinding:
        return RequestBinding(operation)

    def path_reader(
        self, operation: OperationModel, binding: RequestBinding
    ) -> Callable[[WireRequest, dict[str, Any]], None]:
        return self._paths.reader(operation, binding.labels)

    def refuse_value(self, member: str, shape: Shape, text: str, error: Malformed) -> AwsError:
        return AwsError("InvalidInput", f"{shape.wire_name or member}: {error}")

    def refuse_missing(self, member: str, shape: Shape) -> AwsError:
        return AwsError("InvalidInput", f"{shape.wire_name or member} is required")

    def refuse_body(self, error: Exception) -> AwsError:
        return AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema.",
        )

    def _body_reader(self, operation: OperationModel) -> ReadBody:
        shape = operation.input
        if shape is None:
            return _ignore_body
        if shape.payload is not None:
            return self._payload_reader(shape.payload, shape)
        if all(member.location is not None for member in shape.members.values()):
            return _ignore_body
        return self._document_reader(shape)

    def _payload_reader(self, name: str, shape: Shape) -> ReadBody:
        payload = shape.members[name]
        if payload.type == "blob" and payload.traits.get("streaming"):

            def take(wire: WireRequest, values: dict[str, Any]) -> None:
                values[name] = wire.body

            return take
        if payload.type in ("blob", "string"):
            return _raw_reader(name, payload)
        read = self._reader.reader(payload)
        root_tag = payload.wire_name or payload.name
        required = name in shape.required

        def read_payload(wire: WireRequest, values: dict[str, Any]) -> None:
            body = body_bytes(wire)
            if body.strip():
                values[name] = read(_root(body, root_tag))
            elif required:
                raise Malformed(f"{name} is missing")

        return read_payload

    def _document_reader(self, shape: Shape) -> ReadBody:
        """The members that are not bound elsewhere are the elements of one document."""
        read = self._reader.reader(shape)
        root_tag = shape.wire_name or shape.name
        needed = any(shape.members[name].location is None for name in shape.required)

        def read_document(wire: WireRequest, values: dict[str, Any]) -> None:
            body = body_bytes(wire)
            if body.strip():
                values.update(read(_root(body, root_tag)))
            elif needed:
                raise Malformed("the body is missing")

        return read_document

    # Replies

    def encoder(self, operation: OperationModel) -> Encode:
        binding = self.reply_binding(operation)
        write_body = self.body_writer(operation)
        default_status = operation.status

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            headers = self.reply_headers(request_id)
            rest, status = binding.split(reply, headers)
            body = write_body(rest)
            if isinstance(body, str):
                headers.append(XML)
                body = body.encode()
            return WireReply(status or default_status, headers, body)

        return encode

    def reply_binding(self, operation: OperationModel) -> ReplyBinding:
        return ReplyBinding(operation)

    def reply_headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id)]

    def root_tag(self, operation: OperationModel, shape: Shape) -> str:
        return shape.wire_name or shape.name

    def namespace(self) -> str | None:
        """The one declared on the root of every reply."""
        found = self.model.metadata.get("xmlNamespace")
        return found["uri"] if isinstance(found, Mapping) else found

    def body_writer(self, operation: OperationModel) -> WriteBody:
        """Answers text for XML; what is answered otherwise is the body as it is."""
        shape = operation.output
        if shape is None:
            return lambda rest: b""
        name = shape.payload
        if name is not None:
            payload = shape.members[name]
            if payload.type == "string":
                return lambda rest: rest.get(name, "").encode("utf-8", "surrogateescape")
            if payload.type == "blob":
                return lambda rest: rest.get(name, b"")
            write_payload = self._writer.contents(payload)
            start, end = self._root(operation, payload)
            return lambda rest: start + write_payload(rest[name]) + end if name in rest else b""
        if all(member.location is not None for member in shape.members.values()):
            return lambda rest: b""
        write = self._writer.contents(shape)
        start, end = self._root(operation, shape)
        return lambda rest: start + write(rest) + end

    def _root(self, operation: OperationModel, shape: Shape) -> tuple[str, str]:
        tag, namespace = self.root_tag(operation, shape), self.namespace()
        mark = f' xmlns="{namespace}"' if namespace else ""
        return f"{DECLARATION}<{tag}{mark}>", f"</{tag}>"

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        namespace = self.namespace()
        mark = f' xmlns="{namespace}"' if namespace else ""
        body = (
            f"{DECLARATION}<ErrorResponse{mark}><Error><Type>{'Sender' if facts.sender else 'Receiver'}</Type>"
            f"<Code>{escape(facts.code)}</Code><Message>{escape(error.message)}</Message>{fields_text(error)}</Error>"
            f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>"
        )
        headers = [*self.reply_headers(request_id), XML, *error.headers.items()]
        return WireReply(facts.status, headers, body.encode())


def fields_text(error: AwsError) -> str:
    return "".join(
        f"<{name}>{escape(str(value))}</{name}>" for name, value in error.fields.items() if value is not None
    )


def _ignore_body(wire: WireRequest, values: dict[str, Any]) -> None:
    """The operation takes no body; one that is sent all the same is not looked at, as AWS does."""


def _raw_reader(name: str, payload: Shape) -> ReadBody:
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


def _root(body: bytes, tag: str) -> Any:
    root = parse(body)
    if local_name(root.tag) != tag:
        raise Malformed(f"the document is a {local_name(root.tag)[:80]}, not a {tag}")
    return root
