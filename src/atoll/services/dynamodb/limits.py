"""DescribeLimits and DescribeEndpoints: what an account may provision, and where its tables are."""

from typing import TYPE_CHECKING

from atoll.operation import Call
from atoll.services.dynamodb.provisioning import UNITS_MAX
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

_CACHE_MINUTES = 1440


@dynamodb.read("DescribeLimits")
async def describe_limits(call: Call, request: "types.DescribeLimitsInput") -> "types.DescribeLimitsOutput":
    """The one limit there is: what CreateTable calls out of bounds."""
    return {
        "AccountMaxReadCapacityUnits": UNITS_MAX,
        "AccountMaxWriteCapacityUnits": UNITS_MAX,
        "TableMaxReadCapacityUnits": UNITS_MAX,
        "TableMaxWriteCapacityUnits": UNITS_MAX,
    }


@dynamodb.read("DescribeEndpoints")
async def describe_endpoints(
    call: Call, request: "types.DescribeEndpointsRequest"
) -> "types.DescribeEndpointsResponse":
    """Where the caller has found us already: it may know us under a name that we do not."""
    address = call.http.headers.get("host", f"dynamodb.{call.region}.amazonaws.com")
    return {"Endpoints": [{"Address": address, "CachePeriodInMinutes": _CACHE_MINUTES}]}
