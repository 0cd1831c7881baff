"""The tables of DynamoDB's operations and of its streams', and what each asks of IAM before it runs.

A root may do everything in its account, so nothing is worked out for it: should one of its tables have a policy, `access` comes
back to what was asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Permission, Request, Service
from atoll.services.dynamodb import names
from atoll.services.dynamodb.request_facts import OnItems, plain_facts

ASKED = "asked"

# Members by which requests name what they are about.
_ARN_MEMBERS = ("ResourceArn", "BackupArn", "ExportArn", "ImportArn")
_TABLE_MEMBERS = ("TableName", "TableArn", "GlobalTableName")
_EVERYTHING = frozenset(
    {
        "DescribeEndpoints",
        "DescribeLimits",
        "ListBackups",
        "ListContributorInsights",
        "ListExports",
        "ListGlobalTables",
        "ListImports",
        "ListTables",
    }
)
_ON_ITEMS = frozenset({"DeleteItem", "GetItem", "PutItem", "Query", "Scan", "SearchVectors", "UpdateItem"})
_TRANSACT_ACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
# What a restore writes into its table, it writes in the caller's name.
_RESTORING = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")


def permits(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    if call.identity.kind in ("root", "service"):
        call.premises[ASKED] = (operation, request)
        return ()
    return asked_of(call, operation, request)


def asked_of(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    if operation in _EVERYTHING:
        return (Permission(f"dynamodb:{operation}", "*"),)
    special = _SPECIAL.get(operation)
    if special is not None:
        return list(special(call, operation, request))
    if operation in _ON_ITEMS:
        index = request.get("IndexName")
        return (_on_items(call, operation, request["TableName"], [request], index),)
    resource = next((request[member] for member in _ARN_MEMBERS if member in request), None)
    if resource is None:
        # However the table is given, it is its ARN that is judged: no policy is about bare names.
        given = next(request[member] for member in _TABLE_MEMBERS if member in request)
        resource = table_arn(call, given)
    permission = Permission(f"dynamodb:{operation}", resource, plain_facts(request))
    return (permission, *_beside(operation, permission, request))


def table_arn(call: Call, given: str) -> str:
    """Raises ValidationException for what names no table."""
    return names.locate(call.account, call.region, given).arn


def _beside(operation: str, permission: Permission, request: Request) -> Iterator[Permission]:
    if operation == "CreateTable":
        for member, action in (("Tags", "TagResource"), ("ResourcePolicy", "PutResourcePolicy")):
            if request.get(member):
                yield Permission(f"dynamodb:{action}", permission.resource, permission.context)


def _on_items(
    call: Call, action: str, table: str, requests: Sequence[Mapping[str, Any]], index: str | None = None
) -> OnItems:
    arn = table_arn(call, table)
    resource = arn if index is None else f"{arn}/index/{index}"
    return OnItems(f"dynamodb:{action}", resource, plain_facts(requests[0]), requests=requests, index=index)


def _batch_get(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    for table, asked in request["RequestItems"].items():
        others = {name: member for name, member in asked.items() if name != "Keys"}
        yield _on_items(call, operation, table, [others, *({"Key": key} for key in asked["Keys"])])


def _batch_write(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    for table, writes in request["RequestItems"].items():
        # A write without content is refused by the operation.
        yield _on_items(call, operation, table, [body for write in writes for body in write.values()] or [{}])


def _transact(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    for item in request["TransactItems"]:
        for kind, body in item.items():
            permission = _on_items(call, _TRANSACT_ACTIONS[kind], body["TableName"], [body])
            yield _enclosed(permission, operation)


def _enclosed(permission: OnItems, operation: str) -> OnItems:
    return replace(permission, context={**permission.context, "dynamodb:EnclosingOperation": operation})


def _execute(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    found = _of_statement(call, request)
    if found is not None:
        yield found


def _execute_batch(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    for statement in request.get("Statements") or request.get("TransactStatements") or ():
        found = _of_statement(call, statement)
        if found is not None:
            yield _enclosed(found, operation)


def _of_statement(call: Call, request: Request) -> OnItems | None:
    """None: it is no statement, which the operation says better."""
    # PartiQL's parser is loaded with its operations; whoever only judges need not have it.
    from atoll.services.dynamodb.partiql.parser import parse
    from atoll.services.dynamodb.partiql.tree import Exists, Select
    from atoll.services.dynamodb.values import take_value

    parameters = deepcopy(request.get("Parameters") or [])
    try:
        for parameter in parameters:
            take_value(parameter)
        statement = parse(request["Statement"], parameters)
        select = statement.select if isinstance(statement, Exists) else statement
        arn = table_arn(call, select.target.table)
    except AwsError:
        return None
    index = select.target.index if isinstance(select, Select) else None
    resource = arn if index is None else f"{arn}/index/{index}"
    action = f"dynamodb:PartiQL{type(select).__name__}"
    return OnItems(action, resource, plain_facts(request), index=index, statement=statement)


def _restore_backup(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    yield Permission(f"dynamodb:{operation}", request["BackupArn"])
    yield from _restored(call, operation, request)


def _restore_moment(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    source = request.get("SourceTableArn") or request.get("SourceTableName")
    if source is not None:
        yield Permission(f"dynamodb:{operation}", table_arn(call, source))
    yield from _restored(call, operation, request)


def _restored(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    target = table_arn(call, request["TargetTableName"])
    for action in (operation, *_RESTORING):
        yield Permission(f"dynamodb:{action}", target)


def _import(call: Call, operation: str, request: Request) -> Iterator[Permission]:
    yield Permission(f"dynamodb:{operation}", table_arn(call, request["TableCreationParameters"]["TableName"]))


_SPECIAL = {
    "BatchExecuteStatement": _execute_batch,
    "BatchGetItem": _batch_get,
    "BatchWriteItem": _batch_write,
    "ExecuteStatement": _execute,
    "ExecuteTransaction": _execute_batch,
    "ImportTable": _import,
    "RestoreTableFromBackup": _restore_backup,
    "RestoreTableToPointInTime": _restore_moment,
    "TransactGetItems": _transact,
    "TransactWriteItems": _transact,
}


def stream_permits(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    """On a stream, which an iterator names first of all; ListStreams is about all of them."""
    resource = request.get("StreamArn") or request.get("ShardIterator", "*").partition("|")[0]
    return (Permission(f"dynamodb:{operation}", "*" if operation == "ListStreams" else resource),)


dynamodb = Service("dynamodb", permits)
dynamodbstreams = Service("dynamodbstreams", stream_permits)
for _service in (dynamodb, dynamodbstreams):
    _service.denial = ("AccessDeniedException", 400)
