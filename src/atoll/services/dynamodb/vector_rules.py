"""Vector indexes as tables define them, and what they ask of items.

A definition is kept in the table's record as it was asked for. There is nothing to fill: a search looks at the items themselves
(see `vectors`), so an index is there, and true, from the commit that makes it.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from atoll.services.dynamodb import definitions
from atoll.services.dynamodb.provisioning import ON_DEMAND
from atoll.services.dynamodb.records import ACTIVE, Item, Table
from atoll.services.dynamodb.refusals import invalid, validation

DIMENSIONS_MAX = 4096
INDEXES_MAX = 20

Request = Mapping[str, Any]
Definition = Mapping[str, Any]


def attribute_of(definition: Definition) -> str:
    return str(definition["VectorAttribute"]["AttributeName"])


def schema_of(definition: Definition) -> dict[str, str]:
    """HASH or INLINE_FILTER, by attribute."""
    return {part["AttributeName"]: part["SearchSchemaElementType"] for part in definition.get("SearchSchema", ())}


def defined_names(definitions: Any) -> set[str]:
    """Attributes that AttributeDefinitions have to tell of."""
    return {name for definition in definitions or () for name in schema_of(definition)}


def change(table: Table, request: Request) -> None:
    """What CreateTable or UpdateTable makes of a table's vector indexes. Raises ValidationException."""
    for definition in request.get("VectorIndexes") or ():
        _add(table, definition, table.attributes)
    updates = request.get("VectorIndexUpdates") or ()
    if len(updates) > 1:
        raise validation("Only one vector index can be created or deleted at a time")
    given = {one["AttributeName"]: one["AttributeType"] for one in request.get("AttributeDefinitions") or ()}
    for update in updates:
        if len(update) != 1:
            raise invalid("VectorIndexUpdate must contain exactly one of Create or Delete")
        if "Create" in update:
            _add(table, update["Create"], {**given, **table.attributes})
        else:
            _remove(table, update["Delete"]["IndexName"])
    if table.vectors and table.billing != ON_DEMAND:
        raise invalid("Vector indexes are supported only on tables that use the PAY_PER_REQUEST billing mode")


def _add(table: Table, definition: Definition, attributes: Mapping[str, str]) -> None:
    name, schema = definition["IndexName"], schema_of(definition)
    if name in _names(table):
        raise invalid(f"Duplicate index name: {name}")
    if len(table.vectors) == INDEXES_MAX:
        raise invalid(f"Vector index count exceeds the per-table limit of {INDEXES_MAX}")
    if definition["Dimensions"] > DIMENSIONS_MAX:
        raise invalid(f"Dimensions must be between 1 and {DIMENSIONS_MAX}. Index: {name}")
    if not schema.keys() <= attributes.keys():
        raise validation("One element in SearchSchema is not defined in attribute definitions")
    if len(schema) < len(definition.get("SearchSchema", ())) or list(schema.values()).count("HASH") > 1:
        raise invalid(f"SearchSchema must have each attribute once, and at most one HASH. Index: {name}")
    for other in table.vectors:
        same = attribute_of(other) == attribute_of(definition)
        if same and other["Dimensions"] != definition["Dimensions"]:
            raise invalid("Vector indexes of the same attribute must have the same Dimensions")
    _check_projection(definition)
    table.attributes |= {attribute: attributes[attribute] for attribute in schema}
    table.vectors = [*table.vectors, dict(definition)]


def _check_projection(definition: Definition) -> None:
    projection = definition["Projection"]
    kind = projection.get("ProjectionType")
    if kind is None:
        raise invalid("Unknown ProjectionType: null")
    if (kind == "INCLUDE") != ("NonKeyAttributes" in projection):
        wrong = "is INCLUDE, but" if kind == "INCLUDE" else f"is {kind}, and"
        verb = "is not specified" if kind == "INCLUDE" else "is specified"
        raise invalid(f"ProjectionType {wrong} NonKeyAttributes {verb}")


def _remove(table: Table, name: str) -> None:
    kept = [definition for definition in table.vectors if definition["IndexName"] != name]
    if len(kept) == len(table.vectors):
        raise validation(f"The table does not have the specified index: {name}")
    table.vectors = kept
    definitions.forget_unused(table, defined_names(kept))


def _names(table: Table) -> Iterator[str]:
    yield from (index.name for index in table.indexes)
    yield from (definition["IndexName"] for definition in table.vectors)


def described(table: Table) -> list[dict[str, Any]]:
    """As DescribeTable tells. Nobody counts what is in them, so nothing is said of that."""
    return [
        {
            **definition,
            "IndexStatus": ACTIVE,
            "Backfilling": False,
            "IndexArn": table.index_arn(definition["IndexName"]),
        }
        for definition in table.vectors
    ]


def check_vectors(table: Table, item: Item, updated: Container[str] | None = None) -> None:
    """Raises ValidationException for an item that a vector index can't take."""
    for definition in table.vectors:
        name = attribute_of(definition)
        if name in item and (updated is None or name in updated):
            _check_vector(definition, name, item[name])
        for part in schema_of(definition):
            if part in item and (updated is None or part in updated) and table.attributes[part] not in item[part]:
                raise invalid(
                    f"Type mismatch for Index Key {part} Expected: {table.attributes[part]} "
                    f"Actual: {next(iter(item[part]), 'NULL')} IndexName: {definition['IndexName']}"
                )


def _check_vector(definition: Definition, name: str, value: Mapping[str, Any]) -> None:
    index = definition["IndexName"]
    elements = value.get("L")
    if elements is None:
        raise invalid(f"Invalid type for vector attribute {name}: expected a list of numbers. IndexName: {index}")
    if len(elements) != definition["Dimensions"]:
        raise invalid(
            f"Vector attribute {name} has {len(elements)} dimensions, expected {definition['Dimensions']}. "
            f"IndexName: {index}"
        )
    for position, element in enumerate(elements):
        if "N" not in element:
            raise invalid(f"Invalid type for element {position} of vector attribute {name}. IndexName: {index}")
