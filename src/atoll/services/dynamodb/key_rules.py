"""What an item must have to lie in a table: its key, and values that its indexes can take."""

from collections.abc import Container

from atoll.aws.errors import AwsError
from atoll.services.dynamodb import values, vector_rules
from atoll.services.dynamodb.places import PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX
from atoll.services.dynamodb.records import Index, Item, Table, Value
from atoll.services.dynamodb.refusals import invalid, validation

_NOT_VALID = "One or more parameter values are not valid. "
_EMPTY = "The AttributeValue for a key attribute cannot contain an empty {} value. "
_OF_INDEX = "A value specified for a secondary index key is not supported. "
_OF_UPDATE = "The update expression attempted to update a secondary index key to a value that is not supported. "


def check_key(table: Table, key: Item) -> None:
    """Raises unless `key` is the table's key, and nothing else."""
    names = table.key_names
    if len(key) != len(names):
        raise mismatch()
    for name in names:
        value = key.get(name)
        if value is None or table.attributes[name] not in value:
            raise mismatch()
    _check_lengths(table, key)


def check_item(table: Table, item: Item) -> None:
    """Raises unless `item` has the table's key and its indexes can take it."""
    for name in table.key_names:
        value = item.get(name)
        if value is None:
            raise invalid(f"Missing the key {name} in the item")
        kind = table.attributes[name]
        if kind not in value:
            raise invalid(f"Type mismatch for key {name} expected: {kind} actual: {next(iter(value), 'NULL')}")
    _check_lengths(table, item)
    if table.indexes or table.vectors:
        check_indexes(table, item)


def check_indexes(table: Table, item: Item, updated: Container[str] | None = None) -> None:
    """`updated`: only these attributes were written by an update; what lay there before an index came is let be."""
    if table.vectors:
        vector_rules.check_vectors(table, item, updated)
    for index in table.indexes:
        for name in index.hash:
            if name in item and name not in table.key_names and (updated is None or name in updated):
                _check_index_value(
                    table, index, name, item[name], PARTITION_KEY_BYTES_MAX, by_update=updated is not None
                )
        for name in index.range:
            # The table's partition key may be longer than an index's sort key.
            if name in item and name != table.range and (updated is None or name in updated):
                _check_index_value(table, index, name, item[name], SORT_KEY_BYTES_MAX, by_update=updated is not None)


def check_not_empty(table: Table, item: Item) -> None:
    """Raises if a value of the table's key, or of an index's, is empty. What is missing, or of another type, is let be."""
    for name in table.key_names:
        value = item.get(name, {})
        if table.attributes[name] in value and _is_empty(value):
            _check_length(table, item, name, PARTITION_KEY_BYTES_MAX)
    for index in table.indexes:
        for name in (*index.hash, *index.range):
            if name in item and table.attributes[name] in item[name] and _is_empty(item[name]):
                _check_index_value(table, index, name, item[name], PARTITION_KEY_BYTES_MAX, by_update=False)


def tells_of_emptiness(error: AwsError) -> bool:
    return error.message.startswith(_NOT_VALID)


def _is_empty(value: Value) -> bool:
    return value.get("S") == "" or value.get("B") == ""


def check_not_updated(table: Table, attributes: Container[str]) -> None:
    """Raises if an update writes the table's key."""
    for name in table.key_names:
        if name in attributes:
            raise invalid(f"Cannot update attribute {name}. This attribute is part of the key")


def _check_lengths(table: Table, item: Item) -> None:
    _check_length(table, item, table.hash, PARTITION_KEY_BYTES_MAX)
    if table.range is not None:
        _check_length(table, item, table.range, SORT_KEY_BYTES_MAX)


def _check_length(table: Table, item: Item, name: str, bytes_max: int) -> None:
    kind = table.attributes[name]
    size_bytes = values.value_size(item[name])
    if size_bytes == 0:
        raise empty(kind, name)
    if size_bytes > bytes_max:
        raise too_long(bytes_max)


def _check_index_value(table: Table, index: Index, name: str, value: Value, bytes_max: int, *, by_update: bool) -> None:
    kind = table.attributes[name]
    if kind not in value:
        raise invalid(
            f"Type mismatch for Index Key {name} Expected: {kind} Actual: {next(iter(value), 'NULL')}"
            f" IndexName: {index.name}"
        )
    size_bytes = values.value_size(value)
    if size_bytes == 0:
        complaint = _EMPTY.format(_words(kind))
        if by_update:
            raise validation(f"{_NOT_VALID}{_OF_UPDATE}{complaint}".rstrip())
        raise validation(f"{_NOT_VALID}{_OF_INDEX}{complaint}IndexName: {index.name}, IndexKey: {name}")
    if size_bytes > bytes_max:
        raise too_long(bytes_max)


def empty(kind: str, name: str) -> AwsError:
    """Of a value in the place of a key attribute of this type and name."""
    return validation(f"{_NOT_VALID}{_EMPTY.format(_words(kind))}Key: {name}")


def too_long(bytes_max: int) -> AwsError:
    """Of a value in the place of a partition key or of a sort key, as the limit says."""
    if bytes_max == PARTITION_KEY_BYTES_MAX:
        # AWS leaves out that blank too.
        return invalid(f"Size of hashkey has exceeded the maximum size limit of{bytes_max} bytes")
    return invalid(f"Aggregated size of all range keys has exceeded the size limit of {bytes_max} bytes")


def _words(kind: str) -> str:
    return "binary" if kind == "B" else "string"


def mismatch() -> AwsError:
    return validation("The provided key element does not match the schema")
