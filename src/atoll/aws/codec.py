"""The door to the wire: one Codec a service and protocol. Decoders and encoders are made on first use and kept."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from atoll.aws import model as models
from atoll.aws.codecs.protocol import Decode, Encode, WireProtocol
from atoll.aws.errors import AwsError
from atoll.aws.model import Model
from atoll.aws.wire import WireReply, WireRequest


class Codec:
    def __init__(self, model: Model, protocol: str) -> None:
        self.service = model.service
        self.protocol = protocol
        self._model = model
        self._wire = _protocol_of(model, protocol)
        self._decoders: dict[str, Decode] = {}
        self._encoders: dict[str, Encode] = {}
        self._streams: dict[str, bool] = {}

    def route(self, wire: WireRequest) -> str:
        """The operation's name. Raises AwsError."""
        return self._wire.route(wire)

    def decode(self, operation: str, wire: WireRequest) -> dict[str, Any]:
        """Raises AwsError, whatever the bytes."""
        decode = self._decoders.get(operation)
        if decode is None:
            decode = self._decoders[operation] = self._wire.decoder(self._model.operation(operation))
        return decode(wire)

    def encode(self, operation: str, reply: Mapping[str, Any], request_id: str) -> WireReply:
        encode = self._encoders.get(operation)
        if encode is None:
            encode = self._encoders[operation] = self._wire.encoder(self._model.operation(operation))
        return encode(reply, request_id)

    def encode_error(self, operation: str | None, error: AwsError, request_id: str) -> WireReply:
        return self._wire.encode_error(error, request_id)

    def body_streams(self, operation: str) -> bool:
        """Whether the body is a member itself, which decode passes on unread."""
        found = self._streams.get(operation)
        if found is None:
            shape = self._model.operation(operation).input
            payload = shape.members[shape.payload] if shape and shape.payload else None
            found = payload is not None and payload.type == "blob" and bool(payload.traits.get("streaming"))
            self._streams[operation] = found
        return found


def _s3(model: Model) -> WireProtocol:
    from atoll.aws.codecs.s3 import S3

    return S3(model)


def _rest_xml(model: Model) -> WireProtocol:
    from atoll.aws.codecs.rest_xml import RestXml

    return RestXml(model)


def _query(model: Model) -> WireProtocol:
    from atoll.aws.codecs.query import Query

    return Query(model)


_PROTOCOLS: dict[str, Callable[[Model], WireProtocol]] = {
    "query": _query,
    "rest-xml": _rest_xml,
}


def _protocol_of(model: Model, protocol: str) -> WireProtocol:
    return _s3(model) if model.service == "s3" else _PROTOCOLS[protocol](model)


@lru_cache(maxsize=256)
def codec_for(service: str, protocol: str | None = None) -> Codec:
    """By botocore's name of the service; without a protocol, the one its model puts first."""
    model = models.load(service)
    chosen = protocol or model.protocols[0]
    assert chosen in model.protocols, f"{service} does not speak {chosen}"
    return Codec(model, chosen)
