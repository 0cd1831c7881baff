"""Global tables: there are none, for this cloud is one region. Lists of them are empty; what would make one is refused."""

from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import tables
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types


@dynamodb.read("ListGlobalTables")
async def list_global_tables(call: Call, request: "types.ListGlobalTablesInput") -> "types.ListGlobalTablesOutput":
    return {"GlobalTables": []}


@dynamodb.refusal("DescribeGlobalTable")
async def describe_global_table(call: Call, request: "types.DescribeGlobalTableInput") -> Any:
    raise _not_found(request["GlobalTableName"])


@dynamodb.refusal("DescribeGlobalTableSettings")
async def describe_global_table_settings(call: Call, request: "types.DescribeGlobalTableSettingsInput") -> Any:
    raise _not_found(request["GlobalTableName"])


@dynamodb.refusal("UpdateGlobalTable")
async def update_global_table(call: Call, request: "types.UpdateGlobalTableInput") -> Any:
    raise _not_found(request["GlobalTableName"])


@dynamodb.refusal("UpdateGlobalTableSettings")
async def update_global_table_settings(call: Call, request: "types.UpdateGlobalTableSettingsInput") -> Any:
    raise _not_found(request["GlobalTableName"])


@dynamodb.refusal("CreateGlobalTable")
async def create_global_table(call: Call, request: "types.CreateGlobalTableInput") -> Any:
    name = request["GlobalTableName"]
    if await tables.get(call, name) is None:
        raise AwsError("TableNotFoundException", f"Table not found: Table with name '{name}' does not exist.")
    raise _refused()


@dynamodb.refusal("DescribeTableReplicaAutoScaling")
async def describe_table_replica_auto_scaling(call: Call, request: "types.DescribeTableReplicaAutoScalingInput") -> Any:
    await tables.find(call, request["TableName"], named=True)
    raise _refused()


@dynamodb.refusal("UpdateTableReplicaAutoScaling")
async def update_table_replica_auto_scaling(call: Call, request: "types.UpdateTableReplicaAutoScalingInput") -> Any:
    await tables.find(call, request["TableName"], named=True)
    raise _refused()


def _not_found(name: str) -> AwsError:
    return AwsError(
        "GlobalTableNotFoundException", f"Global table not found: Global table with name: '{name}' does not exist."
    )


def _refused() -> AwsError:
    return validation("This cloud is one region: it has no global tables, no replicas and nothing that scales them")
