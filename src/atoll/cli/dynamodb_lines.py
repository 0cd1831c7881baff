"""Items as lines of text: DynamoDB's own JSON, plain JSON, CSV.

Plain JSON is easier to read and to make, and says less: sets come out as lists and binary as base64 text. What it cannot say
when it goes in, the table's key schema says of keys, and --types of the columns of CSV.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

import orjson

from atoll.cli.dynamodb_api import Failed, Item

_TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "L", "M", "BOOL", "NULL"})
_TYPES_OF_COLUMNS = frozenset({"S", "N", "B", "BOOL"})


class _Number(str):
    """A number's text as it stands in the JSON: it has more digits than a float."""


def line(item: Item, *, plain: bool) -> bytes:
    return orjson.dumps({name: _plain(value) for name, value in item.items()} if plain else item) + b"\n"


def _plain(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    if kind == "N":
        return orjson.Fragment(content)
    if kind == "NS":
        return [orjson.Fragment(number) for number in content]
    if kind == "L":
        return [_plain(member) for member in content]
    if kind == "M":
        return {name: _plain(member) for name, member in content.items()}
    return None if kind == "NULL" else content


def read_json(text: Iterable[str], types: Mapping[str, str], *, plain: bool) -> Iterator[tuple[int, Item]]:
    """(the line's number, its item). `types`: of attributes that text alone may not tell. Raises Failed."""
    for number, row in enumerate(text, 1):
        if row.strip():
            yield number, item_of(row, f"line {number}", types, plain=plain)


def item_of(text: str, where: str, types: Mapping[str, str], *, plain: bool) -> Item:
    """Raises Failed."""
    try:
        found = json.loads(text, parse_int=_Number, parse_float=_Number) if plain else orjson.loads(text)
    except (json.JSONDecodeError, orjson.JSONDecodeError) as error:
        raise Failed(f"{where} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Failed(f"{where} is no JSON object")
    if plain:
        return {name: _typed(value, types.get(name)) for name, value in found.items()}
    # As DynamoDB exports them to S3.
    inner = found.get("Item")
    wrapped = len(found) == 1 and isinstance(inner, dict) and not (len(inner) == 1 and inner.keys() <= _TYPES)
    item: Item = inner if wrapped and isinstance(inner, dict) else found
    for name, value in item.items():
        if not (isinstance(value, dict) and len(value) == 1 and value.keys() <= _TYPES):
            raise Failed(f'{where}: {name} has no type, such as {{"S": ...}}; for plain JSON say --plain')
    return item


def _typed(value: Any, kind: str | None = None) -> dict[str, Any]:
    if kind in {"S", "B"} and isinstance(value, str):
        return {kind: str(value)}
    if isinstance(value, _Number):
        return {"N": str(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, list):
        return {"L": [_typed(member) for member in value]}
    if isinstance(value, dict):
        return {"M": {name: _typed(member) for name, member in value.items()}}
    return {"S": value}


def read_csv(text: TextIO, types: Mapping[str, str]) -> Iterator[tuple[int, Item]]:
    """By the names in its first line. An empty cell is no attribute. Raises Failed."""
    rows = csv.DictReader(text)
    for row in rows:
        where = f"line {rows.line_num}"
        if None in row or None in row.values():
            raise Failed(f"{where} has not as many cells as the first one")
        yield rows.line_num, {name: _cell(cell, types.get(name, "S"), where) for name, cell in row.items() if cell}


def _cell(cell: str, kind: str, where: str) -> dict[str, Any]:
    if kind != "BOOL":
        return {kind: cell}
    if cell.lower() not in {"true", "false"}:
        raise Failed(f"{where}: {cell} is neither true nor false")
    return {"BOOL": cell.lower() == "true"}


def column_types(text: str | None) -> dict[str, str]:
    """Of --types price=N,sold=BOOL. Raises Failed."""
    found = {}
    for part in (text or "").split(",") if text else ():
        name, separator, kind = part.rpartition("=")
        if not separator or kind not in _TYPES_OF_COLUMNS:
            raise Failed(f"--types: {part} is not NAME=TYPE with a type of {', '.join(sorted(_TYPES_OF_COLUMNS))}")
        found[name] = kind
    return found
