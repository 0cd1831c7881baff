"""Scan: all items of a table or an index in the order of their hashes, or of one of many segments of it."""

from atoll.operation import Call, Reply, Request
from atoll.services.dynamodb import paging, places, request_expressions, selection, tables
from atoll.services.dynamodb.expressions import legacy
from atoll.services.dynamodb.paging import Source, Span
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.selection import Reading
from atoll.services.dynamodb.service import dynamodb

_EXPRESSIONS = ("ProjectionExpression", "FilterExpression")
_WITH_VALUES = ("FilterExpression",)
_LEGACY = ("AttributesToGet", "ScanFilter", "ConditionalOperator")


@dynamodb.read("Scan")
async def scan(call: Call, request: Request) -> Reply:
    legacy.check_not_mixed(request, _EXPRESSIONS, _LEGACY)
    bindings = request_expressions.bindings_of(request, _EXPRESSIONS, _WITH_VALUES)
    _check_segment(request)
    wanted = selection.of_request(request, bindings, "ScanFilter")
    bindings.check_all_used()
    table = await tables.find(call, request["TableName"])
    source = selection.source_of(request, table)
    span = _span(request, source)
    reading = Reading(source, span, wanted, request.get("Limit"), bool(request.get("ConsistentRead")), is_scan=True)
    return await selection.answer(call, request, reading)


def _check_segment(request: Request) -> None:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return
    if total is None:
        raise validation(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if segment is None:
        raise validation(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if segment >= total:
        raise validation(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total}"
        )


def _span(request: Request, source: Source) -> Span:
    segment, total = request.get("Segment", 0), request.get("TotalSegments", 1)
    low, high = places.hash_bounds(segment, total)
    span = Span(source.shelf, low, high)
    start = request.get("ExclusiveStartKey")
    if start is not None:
        paging.check_start_key(source, start, by_scan=True)
        place = paging.place_of(source, start)
        if place < low or (high is not None and place >= high):
            raise validation(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. "
                "Please use ExclusiveStartKey with correct Segment. "
                f"TotalSegments: {total} Segment: {segment}"
            )
        span.go_on_after(place)
    return span
