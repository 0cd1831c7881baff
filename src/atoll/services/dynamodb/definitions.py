"""Definitions of tables and indexes: key schemas, attribute definitions and projections, checked and made into records."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from atoll.base import ids
from atoll.services.dynamodb import provisioning
from atoll.services.dynamodb.records import Index, Table
from atoll.services.dynamodb.refusals import invalid, validation

GLOBAL_INDEXES_MAX = 20
LOCAL_INDEXES_MAX = 5
GLOBAL_KEY_ATTRIBUTES_MAX = 4  # of each kind
PROJECTED_ATTRIBUTES_MAX = 100  # named by INCLUDE, over all of a table's indexes
_TABLE_KEY_ATTRIBUTES_MAX = 2

Request = Mapping[str, Any]
Schema = Sequence[Mapping[str, str]]


def attributes_of(request: Request) -> dict[str, str]:
    """AttributeDefinitions by name. Raises ValidationException for one that is defined twice."""
    definitions = request.get("AttributeDefinitions") or []
    found: dict[str, str] = {}
    for definition in definitions:
        if definition["AttributeName"] in found:
            raise invalid(f"Duplicate AttributeName in AttributeDefinitions: {definition['AttributeName']}")
        found[definition["AttributeName"]] = definition["AttributeType"]
    return found


def table_keys(request: Request, attributes: Mapping[str, str]) -> tuple[str, str | None]:
    """The table's partition key and sort key."""
    schema: Schema = request["KeySchema"]
    if len(schema) > _TABLE_KEY_ATTRIBUTES_MAX:
        raise validation(
            f"1 validation error detected: Value '{_shown(schema)}' at 'keySchema' failed to satisfy constraint: "
            f"Member must have length less than or equal to {_TABLE_KEY_ATTRIBUTES_MAX}"
        )
    hashes, ranges = _simple_keys(schema)
    names = {*hashes, *ranges}
    if len(schema) > len(attributes):
        raise validation("Invalid KeySchema: Some index key attribute have no definition")
    _check_defined(schema, attributes)
    if len(names) < len(schema):
        raise _same_name()
    return hashes[0], ranges[0] if ranges else None


def indexes_of(
    request: Request, attributes: Mapping[str, str], table_hash: str, table_range: str | None, now: float
) -> list[Index]:
    """The secondary indexes of a new table."""
    indexes: list[Index] = []
    local = request.get("LocalSecondaryIndexes")
    if local is not None:
        if not local:
            raise invalid("List of LocalSecondaryIndexes is empty")
        if table_range is None:
            raise invalid(
                "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
            )
        indexes += [local_index(asked, attributes, table_hash, now) for asked in local]
        if len(local) > LOCAL_INDEXES_MAX:
            raise invalid(f"Number of LocalSecondaryIndexes exceeds per-table limit of {LOCAL_INDEXES_MAX}")
    others = request.get("GlobalSecondaryIndexes")
    if others is not None:
        if not others:
            raise invalid("List of GlobalSecondaryIndexes is empty")
        billing = request.get("BillingMode", provisioning.PROVISIONED)
        indexes += [global_index(asked, attributes, billing, now) for asked in others]
    check_indexes(indexes)
    return indexes


def check_indexes(indexes: Sequence[Index]) -> None:
    """What holds over all indexes of a table."""
    seen: set[str] = set()
    for index in indexes:
        if index.name in seen:
            raise invalid(f"Duplicate index name: {index.name}")
        seen.add(index.name)
    if sum(index.is_global for index in indexes) > GLOBAL_INDEXES_MAX:
        raise invalid(f"GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}")
    projected = sum(len(index.include) for index in indexes)
    if projected > PROJECTED_ATTRIBUTES_MAX:
        raise invalid(
            f"Number of projected NonKeyAttributes over all indexes exceeds the limit of {PROJECTED_ATTRIBUTES_MAX}"
        )


def local_index(asked: Request, attributes: Mapping[str, str], table_hash: str, now: float) -> Index:
    name, schema = asked["IndexName"], asked["KeySchema"]
    _check_defined(schema, attributes)
    if len(schema) > _TABLE_KEY_ATTRIBUTES_MAX:
        raise invalid(f"KeySchema of a LocalSecondaryIndex may have at most 2 attributes. Index: {name}")
    hashes, ranges = _simple_keys(schema)
    if not ranges:
        raise invalid(f"Index KeySchema does not have a range key for index: {name}")
    if hashes == ranges:
        raise _same_name()
    if hashes[0] != table_hash:
        raise invalid(
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
            f"{name}. index hash key: {hashes[0]}, table hash key: {table_hash}"
        )
    projection, include = _projection(asked)
    return Index(
        name=name,
        uid=ids.new_hex(16),
        is_global=False,
        hash=hashes,
        range=ranges,
        projection=projection,
        include=include,
        created=now,
    )


def global_index(asked: Request, attributes: Mapping[str, str], billing: str, now: float) -> Index:
    _check_defined(asked["KeySchema"], attributes)
    hashes, ranges = _global_keys(asked["KeySchema"])
    projection, include = _projection(asked)
    return Index(
        name=asked["IndexName"],
        uid=ids.new_hex(16),
        is_global=True,
        hash=hashes,
        range=ranges,
        projection=projection,
        include=include,
        throughput=provisioning.of_index(asked, billing, asked["IndexName"]),
        created=now,
    )


def check_all_used(attributes: Mapping[str, str], used: Iterable[str], *, with_indexes: bool) -> None:
    """Raises ValidationException for attributes that are defined, and no key of anything."""
    names = set(used)
    if attributes.keys() <= names:
        return
    if not with_indexes:
        raise invalid(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions"
        )
    raise invalid(
        f"Some AttributeDefinitions are not used. AttributeDefinitions: {_listed(sorted(attributes))}, "
        f"keys used: {_listed(sorted(names))}"
    )


def forget_unused(table: Table, used_otherwise: Container[str]) -> None:
    """Once an index is gone: a table defines only attributes that are some key of it, or are used otherwise."""
    used = {name for index in table.indexes for name in (*index.hash, *index.range)}.union(table.key_names)
    table.attributes = {name: kind for name, kind in table.attributes.items() if name in used or name in used_otherwise}


def _check_defined(schema: Schema, attributes: Mapping[str, str]) -> None:
    names = [element["AttributeName"] for element in schema]
    if not attributes.keys() >= set(names):
        raise invalid(
            f"Some index key attributes are not defined in AttributeDefinitions. Keys: {_listed(names)}, "
            f"AttributeDefinitions: {_listed(sorted(attributes))}"
        )


def _simple_keys(schema: Schema) -> tuple[list[str], list[str]]:
    """Of a table or a local index: one partition key, perhaps a sort key."""
    if schema[0]["KeyType"] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(schema) > 1 and schema[1]["KeyType"] != "RANGE":
        raise validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    return [schema[0]["AttributeName"]], [element["AttributeName"] for element in schema[1:]]


def _global_keys(schema: Schema) -> tuple[list[str], list[str]]:
    """Of a global index: one to four partition keys, then up to four sort keys."""
    if schema[0]["KeyType"] != "HASH":
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    runs = [(kind, [one["AttributeName"] for one in run]) for kind, run in groupby(schema, lambda one: one["KeyType"])]
    if len(runs) > 2:
        raise invalid("All HASH key attributes must precede RANGE key attributes in the KeySchema")
    for kind, names in runs:
        if len(names) > GLOBAL_KEY_ATTRIBUTES_MAX:
            raise invalid(f"The KeySchema exceeds the maximum allowed number of {kind} key attributes")
    hashes, ranges = runs[0][1], runs[1][1] if len(runs) > 1 else []
    if len({*hashes, *ranges}) < len(schema):
        raise (
            _same_name()
            if len(schema) == 2 and ranges
            else validation("The KeySchema contains multiple key attributes with the same name")
        )
    return hashes, ranges


def _projection(asked: Request) -> tuple[Any, list[str]]:
    projection = asked["Projection"]
    kind, include = projection.get("ProjectionType"), projection.get("NonKeyAttributes")
    if kind is None:
        raise invalid("Unknown ProjectionType: null")
    if kind != "INCLUDE" and include is not None:
        raise invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    if kind == "INCLUDE" and include is None:
        raise invalid("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    if include is not None and len(set(include)) < len(include):
        twice = next(name for name, count in Counter(include).items() if count > 1)
        raise invalid(f"Duplicate element in NonKeyAttributes: {twice}")
    return kind, list(include or [])


def _same_name() -> Exception:
    return validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")


def _listed(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"


def _shown(schema: Schema) -> str:
    return _listed(
        [f"KeySchemaElement(attributeName={one['AttributeName']}, keyType={one['KeyType']})" for one in schema]
    )
