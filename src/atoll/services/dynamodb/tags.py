"""Tags of tables: put, taken away, listed."""

from typing import TYPE_CHECKING

from atoll.operation import Call
from atoll.services.dynamodb import tables, tag_rules
from atoll.services.dynamodb.names import check_table_arn
from atoll.services.dynamodb.refusals import validation
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types


@dynamodb.write("TagResource")
async def tag_resource(call: Call, request: "types.TagResourceInput") -> None:
    check_table_arn(request["ResourceArn"])
    if not request["Tags"]:
        raise validation("Atleast one Tag needs to be provided as Input.")
    tag_rules.merged({}, request["Tags"])
    table = await tables.find_own(call, request["ResourceArn"])
    table.tags = tag_rules.merged(table.tags, request["Tags"])
    tables.save(call.tx, table)


@dynamodb.write("UntagResource")
async def untag_resource(call: Call, request: "types.UntagResourceInput") -> None:
    check_table_arn(request["ResourceArn"])
    if not request["TagKeys"]:
        raise validation("Atleast one Tag Key needs to be provided as Input.")
    table = await tables.find_own(call, request["ResourceArn"])
    gone = set(request["TagKeys"])
    table.tags = {name: value for name, value in table.tags.items() if name not in gone}
    tables.save(call.tx, table)


@dynamodb.read("ListTagsOfResource")
async def list_tags_of_resource(
    call: Call, request: "types.ListTagsOfResourceInput"
) -> "types.ListTagsOfResourceOutput":
    """All in one page: a table has few."""
    check_table_arn(request["ResourceArn"])
    if "NextToken" in request:
        raise validation("Invalid NextToken")
    table = await tables.find(call, request["ResourceArn"], named=True)
    return {"Tags": [{"Key": name, "Value": value} for name, value in table.tags.items()]}
