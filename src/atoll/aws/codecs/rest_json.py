"""rest-json: Lambda, EKS, Batch and most of the newer services."""

from collections.abc import Callable
from typing import Any

import orjson

from atoll.aws.codecs import json_body
from atoll.aws.codecs.documents import MissingMember
from atoll.aws.codecs.protocol import error_document, facts_of
from atoll.aws.codecs.rest import Rest
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel, Shape
from atoll.aws.wire import WireReply


class RestJson(Rest):
    content_type = "application/json"

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self._reader = json_body.new_reader()
        self._writer = json_body.new_writer()

    def document_reader(self, shape: Shape, *, is_payload: bool) -> Callable[[bytes], Any]:
        read = self._reader.reader(shape)
        return lambda body: read(json_body.parse(body))

    def document_writer(self, operation: OperationModel, shape: Shape, *, is_payload: bool) -> Callable[[Any], bytes]:
        write = self._writer.writer(shape)
        return lambda value: orjson.dumps(write(value))

    def refuse_uri(self, error: Malformed) -> AwsError:
        return AwsError("ValidationException", f"The request's URI can't be read: {error}")

    def refuse_value(self, member: str, shape: Shape, text: str, error: Malformed) -> AwsError:
        return AwsError("SerializationException", f"{shape.wire_name or member}: {error}")

    def refuse_missing(self, member: str, shape: Shape) -> AwsError:
        return json_body.refuse(MissingMember(member))

    def refuse_body(self, error: Exception) -> AwsError:
        return json_body.refuse(error)

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        headers = [
            *self.reply_headers(request_id),
            ("Content-Type", self.content_type),
            ("x-amzn-ErrorType", facts.code),
            *error.headers.items(),
        ]
        return WireReply(facts.status, headers, orjson.dumps(error_document(error, facts, self._writer)))
