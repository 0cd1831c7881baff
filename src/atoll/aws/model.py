"""AWS's own descriptions of its services, as botocore ships them: operations, and the shapes of what they take and give.

A shape here is seen from where it is used: the traits of the member that refers to it override its own.
"""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader

from atoll.aws.errors import AwsError

PROTOCOLS = frozenset({"ec2", "json", "query", "rest-json", "rest-xml", "smithy-rpc-v2-cbor"})


class Shape:
    """The type of a value: `type` is structure, list, map, string, blob, boolean, integer, long, float, double or timestamp."""

    def __init__(self, model: "Model", reference: Mapping[str, Any]) -> None:
        self.name: str = reference["shape"]
        self.traits: dict[str, Any] = {**model.shapes[self.name], **reference}
        self._model = model

    @property
    def type(self) -> str:
        kind: str = self.traits["type"]
        return "string" if kind == "character" else kind

    @property
    def location(self) -> str | None:
        """Where in the HTTP message it goes: uri, querystring, header, headers, statusCode; None is the body."""
        return self.traits.get("location")

    @property
    def wire_name(self) -> str | None:
        return self.traits.get("locationName")

    @property
    def flattened(self) -> bool:
        return bool(self.traits.get("flattened"))

    @cached_property
    def required(self) -> tuple[str, ...]:
        return tuple(self.traits.get("required", ()))

    @cached_property
    def members(self) -> dict[str, "Shape"]:
        return {name: Shape(self._model, reference) for name, reference in self.traits["members"].items()}

    @cached_property
    def member(self) -> "Shape":
        return Shape(self._model, self.traits["member"])

    @cached_property
    def key(self) -> "Shape":
        return Shape(self._model, self.traits["key"])

    @cached_property
    def value(self) -> "Shape":
        return Shape(self._model, self.traits["value"])

    @property
    def payload(self) -> str | None:
        """The member that is the whole body, where there is one."""
        return self.traits.get("payload")


class OperationModel:
    def __init__(self, model: "Model", traits: Mapping[str, Any]) -> None:
        self.name: str = traits["name"]
        self.traits = traits
        self.method: str = traits["http"]["method"]
        self.uri: str = traits["http"]["requestUri"]
        self.status: int = traits["http"].get("responseCode", 200)
        self.deprecated = bool(traits.get("deprecated"))
        self._model = model

    @cached_property
    def input(self) -> Shape | None:
        return Shape(self._model, self.traits["input"]) if "input" in self.traits else None

    @cached_property
    def output(self) -> Shape | None:
        return Shape(self._model, self.traits["output"]) if "output" in self.traits else None


class Model:
    """One service. `metadata` is botocore's: apiVersion, targetPrefix, xmlNamespace..."""

    def __init__(self, service: str, description: Mapping[str, Any]) -> None:
        self.service = service
        self.metadata: Mapping[str, Any] = description["metadata"]
        self.shapes: Mapping[str, Mapping[str, Any]] = description["shapes"]
        self._operations: Mapping[str, Mapping[str, Any]] = description["operations"]
        self._compiled: dict[str, OperationModel] = {}

    @property
    def protocols(self) -> tuple[str, ...]:
        """Those it speaks, its own choice first."""
        return tuple(self.metadata.get("protocols") or (self.metadata["protocol"],))

    @property
    def operation_names(self) -> tuple[str, ...]:
        return tuple(self._operations)

    def has(self, operation: str) -> bool:
        return operation in self._operations

    def operation(self, name: str) -> OperationModel:
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = OperationModel(self, self._operations[name])
        return found

    @cached_property
    def errors(self) -> dict[str, Shape]:
        """The errors' shapes, by shape name and by the code that goes on the wire."""
        found: dict[str, Shape] = {}
        for name, traits in self.shapes.items():
            if traits.get("exception"):
                found[name] = Shape(self, {"shape": name})
        for shape in list(found.values()):
            found.setdefault(shape.traits.get("error", {}).get("code", shape.name), shape)
        return found


@lru_cache(maxsize=64)
def load(service: str) -> Model:
    """Raises AwsError for a service that AWS does not have."""
    try:
        description = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        raise AwsError("UnknownOperationException", f"No service is called {service}.", 404) from None
    return Model(service, description)
