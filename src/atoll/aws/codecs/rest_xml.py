"""rest-xml: S3's protocol (its own ways are in s3.py), CloudFront's and Route 53's."""

from collections.abc import Callable, Mapping
from typing import Any

from atoll.aws.codecs.protocol import facts_of
from atoll.aws.codecs.rest import Rest
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.codecs.xml_reader import XmlReader, local_name, parse
from atoll.aws.codecs.xml_writer import DECLARATION, XmlWriter, escape
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply

XML = ("Content-Type", "application/xml")


class RestXml(Rest):
    content_type = "application/xml"
    timestamp = "iso8601"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._reader = XmlReader()
        self._writer = XmlWriter(self.timestamp)

    def document_reader(self, shape: Shape, *, is_payload: bool) -> Callable[[bytes], Any]:
        read = self._reader.reader(shape)
        root_tag = shape.wire_name or shape.name

        def read_document(body: bytes) -> Any:
            root = parse(body)
            if local_name(root.tag) != root_tag:
                raise Malformed(f"the document is a {local_name(root.tag)[:80]}, not a {root_tag}")
            return read(root)

        return read_document

    def document_writer(self, operation: OperationModel, shape: Shape, *, is_payload: bool) -> Callable[[Any], bytes]:
        tag, namespace = self.root_tag(operation, shape), self.namespace()
        mark = f' xmlns="{namespace}"' if namespace else ""
        start, end = f"{DECLARATION}<{tag}{mark}>", f"</{tag}>"
        write = self._writer.contents(shape)
        return lambda value: f"{start}{write(value)}{end}".encode()

    def root_tag(self, operation: OperationModel, shape: Shape) -> str:
        return shape.wire_name or shape.name

    def namespace(self) -> str | None:
        """The one declared on the root of every reply."""
        found = self.model.metadata.get("xmlNamespace")
        return found["uri"] if isinstance(found, Mapping) else found

    def refuse_uri(self, error: Malformed) -> AwsError:
        return AwsError("InvalidInput", f"The request's URI can't be read: {error}")

    def refuse_value(self, member: str, shape: Shape, text: str, error: Malformed) -> AwsError:
        return AwsError("InvalidInput", f"{shape.wire_name or member}: {error}")

    def refuse_missing(self, member: str, shape: Shape) -> AwsError:
        return AwsError("InvalidInput", f"{shape.wire_name or member} is required")

    def refuse_body(self, error: Exception) -> AwsError:
        return AwsError(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )

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
