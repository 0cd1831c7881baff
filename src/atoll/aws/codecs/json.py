"""json 1.0 and 1.1: the operation in X-Amz-Target, a JSON structure either way. DynamoDB, SSM, Secrets Manager..."""

from collections.abc import Mapping
from typing import Any

import orjson

from atoll.aws.codecs import json_body
from atoll.aws.codecs.protocol import Decode, Encode, body_bytes, check_reply, error_document, facts_of, query_error
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel
from atoll.aws.wire import WireReply, WireRequest


class Json:
    def __init__(self, model: Model) -> None:
        self.model = model
        self._prefix = f"{model.metadata['targetPrefix']}."
        self._type = ("Content-Type", f"application/x-amz-json-{model.metadata['jsonVersion']}")
        self._reader = json_body.new_reader()
        self._writer = json_body.new_writer()

    def route(self, wire: WireRequest) -> str:
        target = wire.headers.get("x-amz-target") or ""
        operation = target.removeprefix(self._prefix)
        if operation == target or not self.model.has(operation):
            raise AwsError("UnknownOperationException", f"No operation is called {target[:120]!r}")
        return operation

    def decoder(self, operation: OperationModel) -> Decode:
        read = self._reader.reader(operation.input) if operation.input else None

        def decode(wire: WireRequest) -> dict[str, Any]:
            try:
                document = json_body.parse(body_bytes(wire))
                values: dict[str, Any] = read(document) if read else {}
            except (Malformed, RecursionError) as error:
                raise json_body.refuse(error) from error
            return values

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        write = self._writer.writer(operation.output) if operation.output else None
        status = operation.status

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            body = orjson.dumps(write(reply)) if write else b"{}"
            return WireReply(status, self._headers(request_id), body)

        return encode

    def _headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id), self._type]

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        name = facts.shape.name if facts.shape and query_error(self.model, facts) else facts.code
        document = error_document(error, facts, self._writer)
        headers = [*self._headers(request_id), ("x-amzn-ErrorType", name), *query_error(self.model, facts)]
        headers += error.headers.items()
        return WireReply(facts.status, headers, orjson.dumps({"__type": name, **document}))
