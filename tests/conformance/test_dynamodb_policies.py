"""Who may do what to tables, through boto3: users by IAM's policies, other accounts by the tables' own."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.identity import allow, document
from tests.conformance.refusals import refused
from tests.conformance.test_cli import atoll

MakeTable = Callable[..., str]
GetClient = Callable[..., tuple[Any, str]]


@pytest.fixture(scope="module")
def other_account(cloud: CloudUnderTest) -> dict[str, str]:
    """Its id and its root's keys."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    made: dict[str, str] = json.loads(atoll("account", "add", name, data=cloud.server.data).stdout)
    return made


@pytest.fixture(scope="module")
def other(cloud: CloudUnderTest, other_account: dict[str, str]) -> Any:
    return cloud.client(
        "dynamodb",
        aws_access_key_id=other_account["access_key_id"],
        aws_secret_access_key=other_account["secret_access_key"],
    )


@pytest.fixture
def new_user(cloud: CloudUnderTest) -> Iterator[GetClient]:
    """Users of the tables' account: a client and an ARN, for whom only the given statements hold."""
    iam, made = cloud.client("iam"), []

    def make(*statements: dict[str, Any]) -> tuple[Any, str]:
        name = f"u-{uuid.uuid4().hex[:12]}"
        arn = iam.create_user(UserName=name)["User"]["Arn"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        made.append((name, key["AccessKeyId"]))
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document(*statements))
        keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
        return cloud.client("dynamodb", **keys), arn

    yield make
    for name, key in made:
        for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
            iam.delete_user_policy(UserName=name, PolicyName=policy)
        iam.delete_access_key(UserName=name, AccessKeyId=key)
        iam.delete_user(UserName=name)


def arn_of(dynamodb: Any, table: str) -> str:
    arn: str = dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    return arn


def key(text: str) -> dict[str, dict[str, str]]:
    return {"p": {"S": text}}


def no_policy(arn: str, action: str, resource: str) -> str:
    return (
        f"User: {arn} is not authorized to perform: {action} on resource: {resource} because no identity-based policy "
        f"allows the {action} action"
    )


def test_a_user_may_do_what_its_policies_allow(dynamodb: Any, new_table: MakeTable, new_user: GetClient) -> None:
    table = new_table()
    arn = arn_of(dynamodb, table)
    user, name = new_user(allow(["dynamodb:GetItem", "dynamodb:PartiQLSelect", "dynamodb:BatchGetItem"], arn))
    assert "Item" not in user.get_item(TableName=table, Key=key("a"))
    assert user.execute_statement(Statement=f'SELECT * FROM "{table}"')["Items"] == []
    user.batch_get_item(RequestItems={table: {"Keys": [key("a")]}})
    with refused("AccessDeniedException", 400, no_policy(name, "dynamodb:PutItem", arn)):
        user.put_item(TableName=table, Item=key("a"))
    with refused("AccessDeniedException", 400, no_policy(name, "dynamodb:PartiQLInsert", arn)):
        user.execute_statement(Statement=f"INSERT INTO \"{table}\" VALUE {{'p': 'a'}}")
    write = {"Put": {"TableName": table, "Item": key("a")}}
    with refused("AccessDeniedException", 400, no_policy(name, "dynamodb:PutItem", arn)):
        user.transact_write_items(TransactItems=[write])
    with refused("AccessDeniedException", 400, no_policy(name, "dynamodb:ListTables", "*")):
        user.list_tables()


def test_a_user_may_be_bound_to_its_own_keys_and_to_some_attributes(
    dynamodb: Any, new_table: MakeTable, new_user: GetClient
) -> None:
    table = new_table()
    for text in ("mine", "yours"):
        dynamodb.put_item(TableName=table, Item={**key(text), "open": {"S": "o"}, "shut": {"S": "s"}})
    own = {
        "ForAllValues:StringEquals": {
            "dynamodb:LeadingKeys": ["mine"],
            "dynamodb:Attributes": ["p", "open"],
        },
        "StringEqualsIfExists": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    }
    actions = ["dynamodb:GetItem", "dynamodb:Query"]
    user, _ = new_user(allow(actions, arn_of(dynamodb, table), Condition=own))
    item = user.get_item(
        TableName=table, Key=key("mine"), ProjectionExpression="p, #o", ExpressionAttributeNames={"#o": "open"}
    )
    assert item["Item"] == {**key("mine"), "open": {"S": "o"}}
    with refused("AccessDeniedException", 400):
        user.get_item(TableName=table, Key=key("yours"), ProjectionExpression="p")
    with refused("AccessDeniedException", 400):
        user.get_item(TableName=table, Key=key("mine"), ProjectionExpression="shut")
    query: dict[str, Any] = {"TableName": table, "KeyConditionExpression": "p = :p", "ProjectionExpression": "p"}
    query["Select"] = "SPECIFIC_ATTRIBUTES"
    assert user.query(**query, ExpressionAttributeValues={":p": {"S": "mine"}})["Items"] == [key("mine")]
    with refused("AccessDeniedException", 400):
        user.query(**query, ExpressionAttributeValues={":p": {"S": "yours"}})


def policy(effect: str, action: Any, principal: Any) -> str:
    return document({"Effect": effect, "Action": action, "Resource": "*", "Principal": principal})


def test_another_account_comes_in_by_a_tables_policy_alone(
    dynamodb: Any, new_table: MakeTable, other: Any, other_account: dict[str, str]
) -> None:
    table = new_table()
    arn = arn_of(dynamodb, table)
    dynamodb.put_item(TableName=table, Item=key("a"))
    for resource in (arn, f"{arn}-not-there"):
        with refused("AccessDeniedException", 400):
            other.get_item(TableName=resource, Key=key("a"))
    text = policy("Allow", "dynamodb:GetItem", {"AWS": other_account["account_id"]})
    revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy=text)["RevisionId"]
    told = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (told["Policy"], told["RevisionId"]) == (text, revision)
    assert other.get_item(TableName=arn, Key=key("a"))["Item"] == key("a")
    with refused("AccessDeniedException", 400):
        other.put_item(TableName=arn, Item=key("b"))
    with refused("ResourceNotFoundException", 400, "Requested resource not found"):
        other.get_item(TableName=table, Key=key("a"))  # A name means the caller's own table.
    assert dynamodb.delete_resource_policy(ResourceArn=arn)["RevisionId"] == revision
    with refused("AccessDeniedException", 400):
        other.get_item(TableName=arn, Key=key("a"))
    missing = f"Resource-based policy not found for the provided ResourceArn: {arn}"
    with refused("PolicyNotFoundException", 400, missing):
        dynamodb.get_resource_policy(ResourceArn=arn)


def test_a_tables_policy_may_grant_to_a_user_and_deny_to_everyone(
    dynamodb: Any, new_table: MakeTable, new_user: GetClient
) -> None:
    table = new_table()
    arn = arn_of(dynamodb, table)
    user, name = new_user()
    with refused("AccessDeniedException", 400, no_policy(name, "dynamodb:GetItem", arn)):
        user.get_item(TableName=table, Key=key("a"))
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy("Allow", "dynamodb:GetItem", {"AWS": name}))
    user.get_item(TableName=table, Key=key("a"))
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy("Deny", "dynamodb:GetItem", "*"))
    for client in (user, dynamodb):
        with refused("AccessDeniedException", 400):
            client.get_item(TableName=table, Key=key("a"))
    dynamodb.put_item(TableName=table, Item=key("a"))


def test_a_policy_that_is_none_is_refused(dynamodb: Any, new_table: MakeTable) -> None:
    arn = arn_of(dynamodb, new_table())
    with refused("ValidationException", 400, "Invalid policy document: This policy contains invalid Json"):
        dynamodb.put_resource_policy(ResourceArn=arn, Policy="no policy")
