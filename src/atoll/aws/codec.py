"""The door to the wire: one Codec a service and protocol. Decoders and encoders are made on first use and kept."""

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol

from atoll.aws import model as models
from atoll.aws.codecs.protocol import Decode, Encode, WireProtocol
from atoll.aws.errors import AwsError
from atoll.aws.model import Model
from atoll.aws.wire import Headers, WireReply, WireRequest


class Codec:
    def __init__(self, model: Model, protocol: str, wire: WireProtocol | None = None) -> None:
        self.service = model.service
        self.protocol = protocol
        self._model = model
        self._wire = wire or _protocol_of(model, protocol)
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


_PROTOCOLS: dict[str, tuple[str, str]] = {
    "ec2": ("ec2", "Ec2"),
    "json": ("json", "Json"),
    "query": ("query", "Query"),
    "rest-json": ("rest_json", "RestJson"),
    "rest-xml": ("rest_xml", "RestXml"),
    "smithy-rpc-v2-cbor": ("rpc_v2_cbor", "RpcV2Cbor"),
}

# Services that speak a protocol in a way of their own.
_OWN = {
    "dynamodb": ("dynamodb", "DynamoDb"),
    "dynamodbstreams": ("dynamodb", "DynamoDb"),
    "s3": ("s3", "S3"),
}


def _protocol_of(model: Model, protocol: str) -> WireProtocol:
    """Its module is loaded only now: most nodes never need most of them."""
    module, name = _OWN.get(model.service) or _PROTOCOLS[protocol]
    made: WireProtocol = getattr(import_module(f"atoll.aws.codecs.{module}"), name)(model)
    return made


@lru_cache(maxsize=256)
def codec_for(service: str, protocol: str | None = None) -> Codec:
    """By botocore's name of the service; without a protocol, the one its model puts first."""
    model = models.load(service)
    chosen = protocol or model.protocols[0]
    assert chosen in model.protocols, f"{service} does not speak {chosen}"
    return Codec(model, chosen)


class Marked(Protocol):
    """What tells a service's protocols apart."""

    @property
    def headers(self) -> Headers: ...


def codec_of(service: str, wire: Marked) -> Codec:
    """The codec for a request to a service that speaks several protocols: they are told apart by their marks."""
    spoken = models.load(service).protocols
    if len(spoken) > 1:
        if "smithy-rpc-v2-cbor" in spoken and "smithy-protocol" in wire.headers:
            return codec_for(service, "smithy-rpc-v2-cbor")
        if "json" in spoken and "x-amz-target" in wire.headers:
            return codec_for(service, "json")
        if "query" in spoken:
            return codec_for(service, "query")
    return codec_for(service)
