"""query: forms in, XML out, in a wrapper named for the operation. IAM, STS, CloudFormation, Auto Scaling, ELB, CloudWatch."""

from collections.abc import Mapping
from typing import Any

from atoll.aws.codecs.forms import PROTOCOL_NAMES, FormReader, Missing, Node, action_of, fields_of, tree_of
from atoll.aws.codecs.protocol import Decode, Encode, check_reply, facts_of
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.codecs.xml_writer import XmlWriter, escape
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel
from atoll.aws.wire import WireReply, WireRequest

XML = ("Content-Type", "text/xml")


class Query:
    timestamp = "iso8601-short"

    def __init__(self, model: Model) -> None:
        self.model = model
        namespace = model.metadata["xmlNamespace"]
        self.namespace: str = namespace["uri"] if isinstance(namespace, Mapping) else namespace
        self.reader = self.form_reader()
        self.writer = XmlWriter(self.timestamp)

    def form_reader(self) -> FormReader:
        return FormReader()

    # Requests

    def route(self, wire: WireRequest) -> str:
        try:
            action = action_of(wire)
        except Malformed as error:
            raise AwsError("MalformedQueryString", f"The query string is malformed: {error}") from error
        if not action:
            raise AwsError("MissingAction", "The request is missing an action or a required parameter.")
        if not self.model.has(action):
            version = self.model.metadata["apiVersion"]
            raise AwsError("InvalidAction", f"Could not find operation {action[:80]} for version {version}")
        return action

    def decoder(self, operation: OperationModel) -> Decode:
        read = self.reader.reader(operation.input) if operation.input else _read_nothing

        def decode(wire: WireRequest) -> dict[str, Any]:
            try:
                tree = tree_of(fields_of(wire))
            except Malformed as error:
                raise AwsError("MalformedQueryString", f"The query string is malformed: {error}") from error
            self._check_version(tree)
            for name in [name for name in tree if name in PROTOCOL_NAMES or name.startswith("X-Amz-")]:
                # `Expires` and `Timestamp` may be members as well as parts of an old signature.
                if operation.input is None or name not in operation.input.members:
                    del tree[name]
            try:
                values: dict[str, Any] = read(tree)
            except (Malformed, RecursionError) as error:
                raise self.refuse(error) from error
            return values

        return decode

    def _check_version(self, tree: Node) -> None:
        version = tree.get("Version", {}).get("", self.model.metadata["apiVersion"])
        if version != self.model.metadata["apiVersion"]:
            service = self.model.metadata.get("serviceAbbreviation") or self.model.metadata["serviceFullName"]
            raise AwsError(
                "NoSuchVersion", f"The requested version ({version[:40]}) of service {service} does not exist"
            )

    def refuse(self, error: Exception) -> AwsError:
        if isinstance(error, Missing):
            member = error.name[:1].lower() + error.name[1:]
            message = (
                f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
                "Member must not be null"
            )
            return AwsError("ValidationError", message)
        return AwsError("ValidationError", str(error) if isinstance(error, Malformed) else "nested too deeply")

    # Replies

    def encoder(self, operation: OperationModel) -> Encode:
        write = self.writer.contents(operation.output) if operation.output else _write_nothing
        name = operation.name
        wrapper = operation.output.traits.get("resultWrapper", f"{name}Result") if operation.output else None
        start = f'<{name}Response xmlns="{self.namespace}">'
        end = f"</{name}Response>"

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            result = f"<{wrapper}>{write(reply)}</{wrapper}>" if wrapper else ""
            metadata = f"<ResponseMetadata><RequestId>{escape(request_id)}</RequestId></ResponseMetadata>"
            return self.reply(200, request_id, start + result + metadata + end)

        return encode

    def reply(self, status: int, request_id: str, text: str) -> WireReply:
        return WireReply(status, [("x-amzn-RequestId", request_id), XML], text.encode())

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        extra = ""
        if facts.shape is not None and error.fields:
            extra = self.writer.contents(facts.shape)(error.fields)
        answer = self.reply(
            facts.status,
            request_id,
            f'<ErrorResponse xmlns="{self.namespace}"><Error><Type>{"Sender" if facts.sender else "Receiver"}</Type>'
            f"<Code>{escape(facts.code)}</Code><Message>{escape(error.message)}</Message>{extra}</Error>"
            f"<RequestId>{escape(request_id)}</RequestId></ErrorResponse>",
        )
        answer.headers += error.headers.items()
        return answer


def _read_nothing(tree: Node) -> dict[str, Any]:
    return {}


def _write_nothing(reply: Mapping[str, Any]) -> str:
    return ""
