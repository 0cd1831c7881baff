"""What Query and Scan answer of the rows they look at: the filter, Select, the projection; and what the reading costs."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from atoll.aws.errors import AwsError
from atoll.operation import Call, Reply
from atoll.services.dynamodb import contributors, paging, places, records, throttling
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.expressions import conditions, legacy, projections
from atoll.services.dynamodb.expressions.bindings import Bindings
from atoll.services.dynamodb.expressions.conditions import Condition
from atoll.services.dynamodb.paging import Fetch, Page, Source, Span
from atoll.services.dynamodb.records import Item
from atoll.services.dynamodb.refusals import invalid, validation

_LAST_PARTITION = 3


class Projecting(Protocol):
    @property
    def attributes(self) -> frozenset[str]:
        """The top-level attributes that it looks at."""
        ...

    def apply(self, item: Item) -> Item: ...


@dataclass(slots=True)
class Selection:
    select: str | None
    filter: Condition | None
    projection: Projecting | None

    @property
    def counts_only(self) -> bool:
        return self.select == "COUNT"

    @property
    def is_plain(self) -> bool:
        """Rows go out as they are."""
        return self.filter is None and self.projection is None


@dataclass(slots=True)
class Reading:
    """One page to be read, and how it is answered."""

    source: Source
    span: Span
    selection: Selection
    limit: int | None
    consistent: bool
    is_scan: bool = False


def of_request(request: Mapping[str, Any], bindings: Bindings, filter_member: str) -> Selection:
    """What can be said before the table is known. `filter_member`: QueryFilter or ScanFilter."""
    filtering = _filter(request, bindings, filter_member)
    names = request.get("AttributesToGet")
    if names is not None:
        projections.check_distinct(names)
    paging.take_start_key(request.get("ExclusiveStartKey"))
    projection: Projecting | None = None
    if names is not None:
        projection = projections.from_attributes(names)
    elif "ProjectionExpression" in request:
        projection = projections.compile_projection(request["ProjectionExpression"], bindings)
    _check_select(request, by_query=filter_member == "QueryFilter")
    return Selection(request.get("Select"), filtering, projection)


def _filter(request: Mapping[str, Any], bindings: Bindings, member: str) -> Condition | None:
    if "FilterExpression" in request:
        return conditions.compile_condition(request["FilterExpression"], bindings, "FilterExpression")
    if request.get(member):
        return legacy.filter_conditions(request[member], request.get("ConditionalOperator"))
    return None


def _check_select(request: Mapping[str, Any], *, by_query: bool) -> None:
    select = request.get("Select")
    given = next((member for member in ("AttributesToGet", "ProjectionExpression") if member in request), None)
    if select == "SPECIFIC_ATTRIBUTES":
        if given is None:
            # Only Query says it so.
            start = "1 validation error detected: " if by_query else ""
            raise validation(
                f"{start}Must specify the AttributesToGet or ProjectionExpression "
                "when choosing to get SPECIFIC_ATTRIBUTES"
            )
        return
    if select is not None and given is not None:
        what = "only the Count" if select == "COUNT" else select
        raise validation(f"Cannot specify the {given} when choosing to get {what}")
    if select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in request:
        raise validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")


def source_of(request: Mapping[str, Any], table: records.Table) -> Source:
    source = paging.source(table, request.get("IndexName"))
    if source.index is not None and source.index.is_global and request.get("ConsistentRead"):
        raise validation("Consistent reads are not supported on global secondary indexes")
    return source


def needs_fetch(source: Source, selection: Selection) -> bool:
    """Whether items have to be read from the table for what the index does not keep. Raises where AWS does not do that."""
    index = source.index
    if index is None or index.projection == "ALL":
        return False
    if selection.select == "ALL_ATTRIBUTES":
        if index.is_global:
            raise invalid(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
                "because its projection type is not ALL"
            )
        return True
    if selection.projection is None:
        return False
    missing = missing_of(source, selection.projection.attributes)
    if missing and index.is_global:
        raise invalid(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
    return bool(missing)


def missing_of(source: Source, attributes: Iterable[str]) -> list[str]:
    """Those that rows of the source don't have."""
    return sorted(name for name in attributes if not source.keeps(name))


def check_filter(source: Source, selection: Selection) -> None:
    """Of a query: a filter can't see what the index does not keep."""
    if selection.filter is None or source.index is None or selection.select == "ALL_ATTRIBUTES":
        return
    missing = missing_of(source, selection.filter.attributes)
    if missing:
        raise unprojected_filter(source, missing)


def check_filters_no_key(key_names: Iterable[str], attributes: Container[str], told: str = "Filter Expression") -> None:
    """Of what a key condition has chosen already."""
    for name in key_names:
        if name in attributes:
            raise validation(f"{told} can only contain non-primary key attributes: Primary key attribute: {name}")


def unprojected_filter(source: Source, missing: Sequence[str]) -> AwsError:
    assert source.index is not None
    return invalid(
        f"Secondary index {source.index.name} does not project one or more filter attributes: [{', '.join(missing)}]"
    )


async def answer(call: Call, request: Mapping[str, Any], reading: Reading) -> Reply:
    source, selection = reading.source, reading.selection
    meter = Meter(request.get("ReturnConsumedCapacity"))
    meter.name(source.table, request["TableName"])
    page = await read(call, reading, meter)
    chosen = _chosen(page, selection)
    reply: Reply = {"Count": len(page.rows) if chosen is None else len(chosen), "ScannedCount": len(page.rows)}
    if not selection.counts_only:
        reply["Items"] = paging.json_of(page.rows) if chosen is None else chosen
    last = paging.last_key(source, page)
    if last is not None:
        reply["LastEvaluatedKey"] = last
    return reply | meter.report_one()


async def read(call: Call, reading: Reading, meter: Meter) -> Page:
    """One page, paid for."""
    source = reading.source
    fetch = Fetch(call.tx, source.table) if needs_fetch(source, reading.selection) else None
    throttling.admit_read(call, source.table, source.index)
    page = await paging.read_page(call.tx, reading.span, reading.limit, fetch)
    _charge(meter, reading, page)
    throttling.charge(call, meter)
    contributors.accessed_all(source.table, source.index, page.rows)
    return page


def _chosen(page: Page, selection: Selection) -> list[Item | orjson.Fragment] | None:
    """The items to answer; None: all rows as they are."""
    if page.items is None and selection.is_plain:
        return None
    items = page.items or [records.decode_item(row) for _, row in page.rows]
    chosen: list[Any] = items
    if selection.filter is not None:
        chosen = [item for item in items if selection.filter.matches(item)]
    if selection.projection is not None and not selection.counts_only:
        chosen = [selection.projection.apply(item) for item in chosen]
    return chosen


def _charge(meter: Meter, reading: Reading, page: Page) -> None:
    source, consistent = reading.source, reading.consistent
    if source.index is not None:
        meter.read_units(source.table, None, 0.0)
    if page.fetched_bytes is not None:
        for size_bytes in page.fetched_bytes:
            meter.read(source.table, None, size_bytes, consistent=consistent)
        index_bytes = sum(records.item_size(row) for _, row in page.rows)
        meter.read(source.table, source.index, index_bytes, consistent=consistent)
    elif reading.is_scan and source.table.billing == "PAY_PER_REQUEST":
        for size_bytes in _by_partition(reading, page):
            meter.read(source.table, source.index, size_bytes, consistent=consistent)
    else:
        meter.read(source.table, source.index, page.size_bytes, consistent=consistent)


def _by_partition(reading: Reading, page: Page) -> list[int]:
    """An on-demand table has four partitions from the start. A scan pays for each it comes to, though it be empty."""
    span = reading.span
    first = places.shard_of(span.low) if span.low else 0
    last = _LAST_PARTITION if span.high is None else places.shard_of(span.high)
    if page.is_cut:
        last = places.shard_of(page.rows[-1][0])
    sizes = dict.fromkeys(range(first, last + 1), 0)
    for place, row in page.rows:
        shard = places.shard_of(place)
        sizes[shard] = sizes.get(shard, 0) + records.item_size(row)
    return list(sizes.values())
