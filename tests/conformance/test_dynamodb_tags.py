"""Tags of tables through boto3."""

from collections.abc import Callable
from typing import Any

from tests.conformance.refusals import refused

MakeTable = Callable[..., str]


def told(dynamodb: Any, arn: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]}


def test_tags_come_with_a_table_change_and_go(dynamodb: Any, new_table: MakeTable) -> None:
    table = new_table(Tags=[{"Key": "team", "Value": "blue"}, {"Key": "env", "Value": "test"}])
    arn = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "env", "Value": "live"}, {"Key": "Größe", "Value": ""}])
    assert told(dynamodb, arn) == {"team": "blue", "env": "live", "Größe": ""}
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["team", "never"])
    assert told(dynamodb, arn) == {"env": "live", "Größe": ""}


def test_bad_tags_and_arns_are_refused(dynamodb: Any, new_table: MakeTable) -> None:
    arn = dynamodb.describe_table(TableName=new_table())["Table"]["TableArn"]
    one = [{"Key": "k", "Value": "v"}]
    with refused("ValidationException", 400):
        dynamodb.tag_resource(ResourceArn=arn, Tags=[])
    with refused("ValidationException", 400):
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": str(number), "Value": "v"} for number in range(51)])
    with refused("ValidationException", 400):
        dynamodb.tag_resource(ResourceArn="not-an-arn", Tags=one)
    missing = f"Requested resource not found: Table: {arn.rpartition('/')[2]}x not found"
    with refused("ResourceNotFoundException", 400, missing):
        dynamodb.tag_resource(ResourceArn=f"{arn}x", Tags=one)
    foreign = arn.replace(arn.split(":")[4], "123456789012")
    with refused("AccessDeniedException", 400):
        dynamodb.list_tags_of_resource(ResourceArn=foreign)
    assert told(dynamodb, arn) == {}
