"""Imports: a new table, filled with what lies in S3. Until it is through it is CREATING, and nobody gets at it.

    {account}/{region}/dynamodb/imports   pack(id)   Import

The work is done by `import_jobs`, with the permissions of who asked. Amazon Ion is refused.
"""

from typing import TYPE_CHECKING, Any

import msgspec

from atoll.operation import Call
from atoll.services.dynamodb import jobs, ledgers, tables
from atoll.services.dynamodb.ledgers import IN_PROGRESS, Ledger
from atoll.services.dynamodb.records import CREATING
from atoll.services.dynamodb.refusals import invalid
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

JOB = "import"
_LIST_MAX = 25
_TOLD = ("S3BucketSource", "InputFormat", "InputFormatOptions", "InputCompressionType", "TableCreationParameters")


class Import(msgspec.Struct, omit_defaults=True):
    id: str
    table_arn: str
    table_id: str
    asked: dict[str, Any]
    token: str
    started: float
    status: str = IN_PROGRESS
    ended: float = 0.0
    processed: int = 0
    imported: int = 0
    size_bytes: int = 0
    errors: int = 0
    failure: tuple[str, str] = ("", "")

    @property
    def arn(self) -> str:
        return f"{self.table_arn}/import/{self.id}"


class Importing(msgspec.Struct):
    import_id: str
    account: str
    region: str
    table_name: str
    requester: jobs.Requester
    finished: str = ""  # the key up to which objects are done
    records: int = 0  # of the object after it that are done
    processed: int = 0
    imported: int = 0
    size_bytes: int = 0
    errors: int = 0


ledger: Ledger[Import] = Ledger("Import", Import)


@dynamodb.write("ImportTable")
async def import_table(call: Call, request: "types.ImportTableInput") -> "types.ImportTableOutput":
    asked: Any = {"InputCompressionType": "NONE", **request}
    token = asked.pop("ClientToken", "")
    known = await ledger.asked_before(call, token, asked)
    if known is not None:
        return {"ImportTableDescription": _description(known)}
    if asked["InputFormat"] == "ION":
        raise invalid("InputFormat ION is not supported here; DYNAMODB_JSON and CSV are")
    if "Csv" in asked.get("InputFormatOptions", {}) and asked["InputFormat"] != "CSV":
        raise invalid("InputFormatOptions Csv can only be specified when InputFormat is CSV")
    table = tables.new_table(call, asked["TableCreationParameters"])
    table.status = CREATING
    await tables.put_new(call, table)
    started = Import(ledgers.new_id(call.now), table.arn, table.id, asked, token, call.now)
    ledger.put(call.tx, call.account, call.region, started)
    job = Importing(started.id, call.account, call.region, table.name, jobs.requester(call))
    jobs.start(call.tx, jobs.key(JOB, call.account, call.region, started.id), job)
    return {"ImportTableDescription": _description(started)}


@dynamodb.read("DescribeImport")
async def describe_import(call: Call, request: "types.DescribeImportInput") -> "types.DescribeImportOutput":
    return {"ImportTableDescription": _description(await ledger.find(call, request["ImportArn"]))}


@dynamodb.read("ListImports")
async def list_imports(call: Call, request: "types.ListImportsInput") -> "types.ListImportsOutput":
    limit = request.get("PageSize", _LIST_MAX)
    found, following = await ledger.page(call, request.get("TableArn"), limit, request.get("NextToken"))
    reply: types.ListImportsOutput = {"ImportSummaryList": [_summary(one) for one in found]}
    if following is not None:
        reply["NextToken"] = following
    return reply


def _summary(one: Import) -> Any:
    told = {
        "ImportArn": one.arn,
        "ImportStatus": one.status,
        "TableArn": one.table_arn,
        "S3BucketSource": one.asked["S3BucketSource"],
        "InputFormat": one.asked["InputFormat"],
        "StartTime": one.started,
    }
    return told if one.status == IN_PROGRESS else {**told, "EndTime": one.ended}


def _description(one: Import) -> Any:
    told = {
        "ImportArn": one.arn,
        "ImportStatus": one.status,
        "TableArn": one.table_arn,
        "TableId": one.table_id,
        "StartTime": one.started,
        **{member: one.asked[member] for member in _TOLD if member in one.asked},
    }
    if one.token:
        told["ClientToken"] = one.token
    if one.status == IN_PROGRESS:
        return told
    told |= {
        "EndTime": one.ended,
        "ErrorCount": one.errors,
        "ProcessedItemCount": one.processed,
        "ImportedItemCount": one.imported,
        "ProcessedSizeBytes": one.size_bytes,
    }
    if one.failure[0]:
        told["FailureCode"], told["FailureMessage"] = one.failure
    return told
