"""Smithy's rpc-v2-cbor: the operation in the path, a CBOR structure either way. CloudWatch."""

import re
from collections.abc import Mapping
from typing import Any

from atoll.aws.codecs import cbor_body, json_body
from atoll.aws.codecs.protocol import Decode, Encode, body_bytes, check_reply, error_document, facts_of, query_error
from atoll.aws.codecs.scalars import Malformed
from atoll.aws.errors import AwsError
from atoll.aws.model import Model, OperationModel
from atoll.aws.wire import WireReply, WireRequest

PROTOCOL = ("smithy-protocol", "rpc-v2-cbor")
_PATH = re.compile(r"/service/([A-Za-z0-9_]+)/operation/([A-Za-z0-9_]+)", re.ASCII)


class RpcV2Cbor:
    def __init__(self, model: Model) -> None:
        self.model = model
        self._reader = cbor_body.new_reader()
        self._writer = cbor_body.new_writer()

    def route(self, wire: WireRequest) -> str:
        found = _PATH.search(wire.path)
        if (
            found is None
            or found.end() != len(wire.path)
            or wire.method != "POST"
            or found[1] != self.model.metadata["targetPrefix"]
            or not self.model.has(found[2])
        ):
            raise AwsError("UnknownOperationException", f"No operation is at {wire.method} {wire.path[:200]}", 404)
        return found[2]

    def decoder(self, operation: OperationModel) -> Decode:
        read = self._reader.reader(operation.input) if operation.input else None

        def decode(wire: WireRequest) -> dict[str, Any]:
            try:
                document = cbor_body.parse(body_bytes(wire))
                values: dict[str, Any] = read(document) if read else {}
            except (Malformed, RecursionError) as error:
                raise json_body.refuse(error) from error
            return values

        return decode

    def encoder(self, operation: OperationModel) -> Encode:
        write = self._writer.writer(operation.output) if operation.output else None

        def encode(reply: Mapping[str, Any], request_id: str) -> WireReply:
            check_reply(operation, reply)
            body = cbor_body.dump(write(reply)) if write else b""
            return WireReply(200, self._headers(request_id), body)

        return encode

    def _headers(self, request_id: str) -> list[tuple[str, str]]:
        return [("x-amzn-RequestId", request_id), PROTOCOL, ("Content-Type", "application/cbor")]

    def encode_error(self, error: AwsError, request_id: str) -> WireReply:
        facts = facts_of(self.model, error)
        name = facts.shape.name if facts.shape else facts.code
        document = {
            "__type": f"com.amazonaws.{self.model.service}#{name}",
            **error_document(error, facts, self._writer),
        }
        headers = [*self._headers(request_id), *query_error(self.model, facts), *error.headers.items()]
        return WireReply(facts.status, headers, cbor_body.dump(document))
