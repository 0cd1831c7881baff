"""ec2: the query protocol with names and wrappers of its own."""

from collections.abc import Mapping
from typing import Any

from atoll.aws.codecs.forms import FormReader, Missing, Unknown
from atoll.aws.codecs.protocol import Encode, check_reply, facts_of
from atoll.aws.codecs.query import Query
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.codecs.xml_writer import DECLARATION, escape
from atoll.aws.errors import AwsError
from atoll.aws.model import OperationModel, Shape
from atoll.aws.wire import WireReply


class Ec2FormReader(FormReader):
    """Names begin with a capital, whatever the model's reply calls them; lists are always flat."""

    def member_name(self, name: str, shape: Shape) -> str:
        query_name: str | None = shape.traits.get("queryName")
        if query_name is not None:
            return query_name
        return shape.wire_name[:1].upper() + shape.wire_name[1:] if shape.wire_name else name

    def items(self, shape: Shape) -> str | None:
        return None


class Ec2(Query):
    timestamp = "iso8601"

    def form_reader(self) -> FormReader:
        return Ec2FormReader()

    def refuse(self, error: Exception) -> AwsError:
        if isinstance(error, Missing):
            return AwsError("MissingParameter", f"The request must contain the parameter {error.name}")
        if isinstance(error, Unknown):
            return AwsError("UnknownParameter", f"The parameter {error.name} is not recognized")
        return AwsError("InvalidParameterValue", str(error) if isinstance(error, Malformed) else "nested too deeply")

    def encoder(self, operation: OperationModel) -> Encode:
        # Operations the model gives no output say that they have happened.
        write = self.writer.contents(operation.output) if operation.output else _write_done
        start = f'{DECLARATION}<{operation.name}Response xmlns="{self.namespace}/"><requestId>'
        end = f"</{operation.name}Response>"

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            return self.reply(200, request_id, f"{start}{escape(request_id)}</requestId>{write(reply)}{end}")

        return encode

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        answer = self.reply(
            facts.status,
            request_id,
            f"{DECLARATION}<Response><Errors><Error><Code>{escape(facts.code)}</Code>"
            f"<Message>{escape(error.message)}</Message></Error></Errors>"
            f"<RequestID>{escape(request_id)}</RequestID></Response>",
        )
        answer.headers += error.headers.items()
        return answer


def _write_done(reply: Mapping[str, Any]) -> str:
    return "<return>true</return>"
