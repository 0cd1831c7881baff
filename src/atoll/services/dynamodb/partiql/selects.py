"""Runs SELECT: reads the parts of its plan one after the other until a page is full, and tells by a token where the next one starts."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from atoll.aws.codecs.dynamodb_types import AttributeValue
from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import paging, records, selection, tables
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.expressions import paths
from atoll.services.dynamodb.paging import Page, Source
from atoll.services.dynamodb.partiql import plans, rendering
from atoll.services.dynamodb.partiql.plans import Part, ReadPlan
from atoll.services.dynamodb.partiql.tree import Path, Select, Target
from atoll.services.dynamodb.records import Item, Table, Value
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.selection import Reading, Selection


@dataclass(slots=True)
class Columns:
    """What SELECT answers of an item: each path under its last name."""

    paths: Sequence[Path]

    @property
    def attributes(self) -> frozenset[str]:
        return frozenset(path.root for path in self.paths)

    def apply(self, item: Item) -> Item:
        found = ((path.told, paths.get(item, path.steps)) for path in self.paths)
        return {name: value for name, value in found if value is not None}


@dataclass(slots=True)
class Asked:
    """A SELECT as it was asked for. `digest` binds its tokens to it."""

    select: Select
    consistent: bool = False
    limit: int | None = None
    token: str | None = None
    digest: str = ""


@dataclass(slots=True)
class Found:
    items: list[Any]
    token: str | None = None
    last_key: Item | None = None


def digest_of(statement: str, parameters: Sequence[Value]) -> str:
    return sha256(orjson.dumps([statement, parameters], option=orjson.OPT_SORT_KEYS)).hexdigest()


def columns_of(select: Select) -> Columns | None:
    return None if select.columns is None else Columns(select.columns)


def source_of(table: Table, target: Target, *, consistent: bool) -> Source:
    if target.index is not None and all(index.name != target.index for index in table.indexes):
        # PartiQL does not tell which, unlike Query.
        raise validation("The table does not have the specified index")
    source = paging.source(table, target.index)
    if consistent and source.index is not None and source.index.is_global:
        raise validation("Strongly consistent read is not supported on Global Secondary Indexes")
    return source


async def run(call: Call, asked: Asked, meter: Meter) -> Found:
    select = asked.select
    table = await tables.find(call, select.target.table)
    meter.name(table, select.target.table)
    source = source_of(table, select.target, consistent=asked.consistent)
    plan = plans.plan_read(source, select)
    first = _resume(plan, asked)
    found = Found([])
    size_bytes, left = 0, asked.limit
    for position in range(first, len(plan.parts)):
        if size_bytes >= paging.PAGE_BYTES_MAX:
            found.token = _token(asked, position, None)
            break
        part = plan.parts[position]
        reading = _reading(asked, plan, part, left)
        page = await selection.read(call, reading, meter)
        found.items += _chosen(page, part, reading.selection)
        size_bytes += page.size_bytes
        if left is not None:
            left -= len(page.rows)
        found.last_key = paging.last_key(source, page)
        if found.last_key is not None and not _is_done(plan, position):
            found.token = _token(asked, position, found.last_key)
            break
    if found.token is None:
        found.last_key = None
    return found


def _is_done(plan: ReadPlan, position: int) -> bool:
    """Nothing can follow the one item of the last part, though it has filled the limit."""
    return position == len(plan.parts) - 1 and plan.parts[position].is_one_item


def _reading(asked: Asked, plan: ReadPlan, part: Part, limit: int | None) -> Reading:
    wanted = Selection(None, None, columns_of(asked.select))
    return Reading(plan.source, part.span, wanted, limit, asked.consistent, is_scan=plan.is_scan)


def _chosen(page: Page, part: Part, wanted: Selection) -> list[Any]:
    """The filter sees what the index keeps, even where the columns are read from the table."""
    if part.rest is None and wanted.projection is None:
        return paging.json_of(page.rows)
    rest = None if part.rest is None else rendering.compile_where(part.rest)
    chosen: list[Any] = []
    for position, row in enumerate(page.rows):
        item = records.decode_item(row[1])
        if rest is not None and not rest.matches(item):
            continue
        if page.items is not None:
            item = page.items[position]
        chosen.append(item if wanted.projection is None else wanted.projection.apply(item))
    return chosen


# NextToken: base64 of [digest of the statement, part, key]

_decode = msgspec.json.Decoder(tuple[str, int, dict[str, AttributeValue] | None]).decode


def _token(asked: Asked, position: int, key: Item | None) -> str:
    return base64.b64encode(orjson.dumps([asked.digest, position, key])).decode()


def _resume(plan: ReadPlan, asked: Asked) -> int:
    """Takes the plan to where the last page ended, and answers with which part it goes on."""
    if asked.token is None:
        return 0
    position, key = _read_token(asked)
    if not 0 <= position < len(plan.parts):
        raise validation("Invalid NextToken")
    if key is not None:
        try:
            paging.take_start_key(key)
            paging.check_start_key(plan.source, key, by_scan=True)
        except AwsError:
            raise validation("Invalid NextToken") from None
        plan.parts[position].span.go_on_after(paging.place_of(plan.source, key))
    return position


def _read_token(asked: Asked) -> tuple[int, Item | None]:
    assert asked.token is not None, "there is no token to read"
    try:
        digest, position, key = _decode(base64.b64decode(asked.token, validate=True))
    except (ValueError, RecursionError):  # b64decode's binascii.Error and msgspec's errors are ValueErrors.
        raise validation("Invalid NextToken") from None
    if digest != asked.digest:
        raise validation("NextToken does not match request")
    return position, key  # type: ignore[return-value]
