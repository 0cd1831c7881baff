"""SearchVectors: the items whose vectors are nearest to a given one.

Exact, by comparing with every vector there is: AWS's answer is approximate, so this one is at least as good, and right after
every write. The price is time that grows with the table. Vectors are 32-bit floats, as AWS keeps them; what is computed
with them are doubles.
"""

import asyncio
import heapq
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import mul
from typing import TYPE_CHECKING, Any

from atoll.operation import Call
from atoll.services.dynamodb import records, tables, values, vector_rules
from atoll.services.dynamodb.expressions import condition_syntax, conditions
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.expressions.projections import Projection, compile_projection
from atoll.services.dynamodb.expressions.syntax import Placeholder, Reference
from atoll.services.dynamodb.records import Item, Table
from atoll.services.dynamodb.refusals import invalid, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.services.dynamodb.vector_rules import Definition

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

TOP_MAX = 100
REPLY_BYTES_MAX = 16 * 1024 * 1024
_PAGE_ROWS = 200
_FLOAT_BYTES = 4
_FLOAT_MAX = 3.4028234663852886e38
_WHAT = "SearchConditionExpression"

Vector = Sequence[float]
Found = tuple[float, bytes, Item]
"""How near it is (least is nearest), its place, itself."""


@dynamodb.read("SearchVectors")
async def search_vectors(call: Call, request: "types.SearchVectorsInput") -> "types.SearchVectorsOutput":
    asked: Any = request
    if not 1 <= asked["TopK"] <= TOP_MAX:
        raise validation("Provided TopK value is out of valid range")
    bindings = Bindings(asked.get("ExpressionAttributeNames"), asked.get("ExpressionAttributeValues"))
    projection = (
        compile_projection(asked["ProjectionExpression"], bindings) if "ProjectionExpression" in asked else None
    )
    table = await tables.find(call, asked["TableName"])
    definition = _find(table, asked["IndexName"])
    condition = _condition(definition, asked.get(_WHAT), bindings)
    bindings.check_all_used()
    search = _Search(table, definition, _wanted(asked["SearchVector"], definition), condition, asked["TopK"])
    low = b""
    while rows := await call.tx.scan(records.items_shelf(table), low, None, _PAGE_ROWS):
        await asyncio.to_thread(search.look_at, rows)
        low = rows[-1][0] + b"\x00"
    reply: types.SearchVectorsOutput = {"SearchResults": _results(search, projection)}
    if asked.get("ReturnConsumedCapacity", "NONE") != "NONE":
        reply["ConsumedCapacity"] = {"VectorSearchRequestBytes": float(search.compared_bytes)}
    return reply


class _Search:
    def __init__(
        self, table: Table, definition: Definition, wanted: Vector, condition: Condition | None, top: int
    ) -> None:
        self._table = table
        self._attribute = vector_rules.attribute_of(definition)
        self._dimensions: int = definition["Dimensions"]
        self._schema = vector_rules.schema_of(definition)
        self._projected = _projected(table, definition)
        self._distance = _DISTANCES[definition["DistanceFunction"]](wanted)
        self._condition = condition
        self._top = top
        self._mark = b'"' + self._attribute.encode() + b'"' if self._attribute.isascii() else b""
        self._heap: list[tuple[float, bytes, Item]] = []
        self.sign = -1.0 if definition["DistanceFunction"] == "DOT_PRODUCT" else 1.0
        self.compared_bytes = 0

    def look_at(self, rows: Sequence[tuple[bytes, bytes]]) -> None:
        for place, row in rows:
            if self._mark in row:
                self._compare(place, records.decode_item(row))

    def _compare(self, place: bytes, item: Item) -> None:
        vector = _vector(item.get(self._attribute), self._dimensions)
        if vector is None or any(kind == "HASH" and name not in item for name, kind in self._schema.items()):
            return
        if self._condition is not None and not self._condition.matches(item):
            return
        self.compared_bytes += _FLOAT_BYTES * self._dimensions
        # A heap gives up its least: the farthest, and of two as far the later.
        entry = (-self.sign * self._distance(vector), _backwards(place), self._project(item))
        if len(self._heap) < self._top:
            heapq.heappush(self._heap, entry)
        elif entry[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, entry)

    def _project(self, item: Item) -> Item:
        if self._projected is None:
            return item
        return {name: value for name, value in item.items() if name in self._projected}

    def nearest_first(self) -> list[tuple[float, Item]]:
        ordered = sorted(self._heap, key=lambda entry: entry[:2], reverse=True)
        return [(-self.sign * score, item) for score, _, item in ordered]


def _backwards(place: bytes) -> bytes:
    """Orders as the place does, the other way round."""
    return bytes(255 - byte for byte in place) + b"\xff"


def _find(table: Table, name: str) -> Definition:
    for definition in table.vectors:
        if definition["IndexName"] == name:
            return definition
    raise validation(f"The table does not have the specified index: {name}")


def _projected(table: Table, definition: Definition) -> set[str] | None:
    """The attributes that are in the index; None: all."""
    projection = definition["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    return {*table.key_names, *vector_rules.schema_of(definition), *projection.get("NonKeyAttributes", ())}


def _wanted(given: list[Any], definition: Definition) -> Vector:
    for value in given:
        values.take_value(value)
    if len(given) != definition["Dimensions"]:
        raise invalid(
            f"SearchVector has {len(given)} dimensions, expected {definition['Dimensions']}. "
            f"IndexName: {definition['IndexName']}"
        )
    vector = _vector({"L": given}, len(given))
    if vector is None:
        raise invalid("SearchVector must be a list of numbers")
    return vector


def _vector(value: Mapping[str, Any] | None, dimensions: int) -> Vector | None:
    """None: no vector, of a size that an index could have."""
    elements = None if value is None else value.get("L")
    if elements is None or len(elements) != dimensions:
        return None
    try:
        numbers = [float(element["N"]) for element in elements]
    except KeyError:
        return None
    # Beyond what 32 bits can hold lies what they call infinite, with which nothing can be compared.
    return array("f", [max(-_FLOAT_MAX, min(_FLOAT_MAX, number)) for number in numbers]).tolist()


def _euclidean(wanted: Vector) -> Callable[[Vector], float]:
    return lambda vector: math.dist(wanted, vector)


def _dot_product(wanted: Vector) -> Callable[[Vector], float]:
    return lambda vector: math.fsum(map(mul, wanted, vector))


def _cosine(wanted: Vector) -> Callable[[Vector], float]:
    length = math.hypot(*wanted)
    direction = [number / length for number in wanted] if length else None

    def distance(vector: Vector) -> float:
        other = math.hypot(*vector)
        if direction is None or not other:
            return 1.0  # What has no direction is at right angles to everything.
        # Of unit vectors: half the square of what is between them. Near zero that is exact, where 1 - cos is not.
        return min(2.0, math.dist(direction, [number / other for number in vector]) ** 2 / 2)

    return distance


_DISTANCES = {"COSINE": _cosine, "EUCLIDEAN": _euclidean, "DOT_PRODUCT": _dot_product}


def _condition(definition: Definition, text: str | None, bindings: Bindings) -> Condition | None:
    """Equalities joined by AND, of attributes of the search schema; the partition key's among them where there is one."""
    schema = vector_rules.schema_of(definition)
    if text is None:
        if "HASH" in schema.values():
            raise validation(f"{_WHAT} must be provided when SearchSchema has a HASH key")
        return None
    condition = conditions.compile_condition(text, bindings, _WHAT)
    node = condition_syntax.parse(text, _WHAT)
    equal: set[str] = set()
    for part in node.inner if isinstance(node, condition_syntax.All) else (node,):
        if not isinstance(part, condition_syntax.Comparison) or part.operator != "=":
            raise validation(f"Invalid comparator used in {_WHAT}")
        left, right = part.operands
        if not (isinstance(left, Reference) and isinstance(right, Placeholder) and len(left.parts) == 1):
            raise validation(f"Invalid operand used in {_WHAT}: it compares top-level attributes with values")
        equal.add(bindings.names.get(str(left.parts[0]), str(left.parts[0])))
    if not equal <= schema.keys():
        raise validation(f"{_WHAT} can only reference attributes of the SearchSchema")
    if any(kind == "HASH" and name not in equal for name, kind in schema.items()):
        raise validation(f"{_WHAT} must be provided when SearchSchema has a HASH key")
    return condition


def _results(search: _Search, projection: Projection | None) -> list[Any]:
    results: list[Any] = []
    size_bytes = 0
    for score, item in search.nearest_first():
        shown = item if projection is None else projection.apply(item)
        size_bytes += values.item_size(shown)
        if size_bytes > REPLY_BYTES_MAX:
            raise validation("The response exceeds 16 MB: ask for fewer results, or for less of them")
        results.append({"Item": shown, "Score": score})
    return results
