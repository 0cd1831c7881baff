"""Who may do what to tables, and what conditions may ask about a request."""

import asyncio
import json

import pytest
from tests.support import ACCOUNT, ROOT
from tests.unit.dynamodb.control import Control, attributes, global_index, keys

from atoll.aws.errors import AwsError
from atoll.facts import Facts, Principal
from atoll.operation import Call, Identity, perform
from atoll.services.dynamodb import access, exports, insights, items, kinesis, resource_policies, tags  # noqa: F401
from atoll.services.dynamodb.service import asked_of, dynamodb
from atoll.store import Conflict

OTHER = "000000000002"
ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/music"
USER = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ann", "AIDAANN", "k", "user")
OTHER_ROOT = Identity(OTHER, f"arn:aws:iam::{OTHER}:root", OTHER, "k", "root")
OTHER_USER = Identity(OTHER, f"arn:aws:iam::{OTHER}:user/bob", "AIDABOB", "k", "user")


class Judged(Control):
    """Records what is left to ask of IAM, which here allows everything."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.cloud.cloud.authorise = self._authorise

    async def _authorise(self, call, permissions):
        self.asked = list(permissions)

    def put_policy(self, *statements, **others):
        text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        return self("PutResourcePolicy", ResourceArn=ARN, Policy=text, **others)["RevisionId"]

    def message(self, operation, identity, **request):
        with pytest.raises(AwsError) as caught:
            self(operation, identity, **request)
        assert caught.value.code == "AccessDeniedException"
        return caught.value.message


@pytest.fixture
def tables():
    judged = Judged()
    judged.create()
    return judged


def statement(effect, action="dynamodb:*", principal="*", **others):
    return {"Effect": effect, "Principal": principal, "Action": action, "Resource": "*", **others}


def get(tables, identity=None, **request):
    request = {"TableName": "music", "Key": {"p": {"S": "x"}}, **request}
    return tables("GetItem", identity, **request)


def test_without_a_policy_iam_decides_for_users_and_nothing_is_asked_of_it_for_a_root(tables):
    get(tables)
    assert tables.asked == []
    get(tables, USER)
    assert [(one.action, one.resource, one.granted) for one in tables.asked] == [("dynamodb:GetItem", ARN, False)]


def test_another_account_is_refused_and_not_told_what_there_is(tables):
    for identity in (OTHER_ROOT, OTHER_USER):
        for arn in (ARN, ARN + "ally"):
            assert tables.message("GetItem", identity, TableName=arn, Key={"p": {"S": "x"}}) == (
                f"User: {identity.arn} is not authorized to perform: dynamodb:GetItem on resource: {arn} because no "
                "resource-based policy allows the dynamodb:GetItem action"
            )


def test_a_policy_lets_another_account_in_as_far_as_it_says(tables):
    tables.put_policy(statement("Allow", "dynamodb:GetItem", {"AWS": OTHER}))
    assert get(tables, OTHER_ROOT, TableName=ARN) == {}
    get(tables, OTHER_USER, TableName=ARN)
    assert [one.granted for one in tables.asked] == [False]  # Its own policies must allow it too.
    tables.message("PutItem", OTHER_ROOT, TableName=ARN, Item={"p": {"S": "x"}})
    tables.message("DeleteTable", OTHER_ROOT, TableName=ARN)


def test_a_policy_that_names_a_user_of_its_account_needs_none_of_the_users_own(tables):
    tables.put_policy(statement("Allow", "dynamodb:GetItem", "*"))
    get(tables, USER)
    assert [one.granted for one in tables.asked] == [True]


def test_a_denial_binds_the_root_too_but_not_to_change_the_policy(tables):
    tables.put_policy(statement("Deny"), ConfirmRemoveSelfResourceAccess=True)
    assert tables.message("GetItem", None, TableName="music", Key={"p": {"S": "x"}}) == (
        f"User: {ROOT.arn} is not authorized to perform: dynamodb:GetItem on resource: {ARN} with an explicit deny in a "
        "resource-based policy"
    )
    tables.message("UpdateTable", None, TableName="music", DeletionProtectionEnabled=True)
    tables("DeleteResourcePolicy", ResourceArn=ARN)
    assert get(tables) == {}


def test_a_denial_may_be_of_some_keys_however_they_are_written(tables):
    only = {"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": "5"}}
    tables.create("numbers", AttributeDefinitions=attributes(p="N"))
    arn = ARN.replace("music", "numbers")
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement("Deny", Condition=only)]})
    tables("PutResourcePolicy", ResourceArn=arn, Policy=text)
    for number in ("5", "5.0", "0.5e1"):
        for identity in (None, USER):
            tables.message("GetItem", identity, TableName="numbers", Key={"p": {"N": number}})
    assert get(tables, TableName="numbers", Key={"p": {"N": "6"}}) == {}


def test_a_policy_that_comes_between_judgement_and_deed_is_not_passed_by(tables):
    async def deny_meanwhile(call, permissions):
        if call.identity is USER:
            text = json.dumps({"Statement": [statement("Deny")]})
            arguments = {"ResourceArn": ARN, "Policy": text}
            await perform(Call(tables.cloud.cloud, dynamodb, ROOT), "PutResourcePolicy", arguments)

    tables.cloud.cloud.authorise = deny_meanwhile
    with pytest.raises(Conflict):
        get(tables, USER)


def asked(operation, identity=USER, **request):
    return asked_of(Call(Control().cloud.cloud, dynamodb, identity), operation, request)


def test_batches_and_transactions_ask_for_each_table_and_deed():
    key = {"p": {"S": "x"}}
    pairs = [
        (one.action, one.resource.rpartition("/")[2], one.context.get("dynamodb:EnclosingOperation"))
        for one in asked(
            "TransactWriteItems",
            TransactItems=[
                {"Put": {"TableName": "one", "Item": key}},
                {"ConditionCheck": {"TableName": "two", "Key": key, "ConditionExpression": "a = b"}},
            ],
        )
    ]
    assert pairs == [
        ("dynamodb:PutItem", "one", "TransactWriteItems"),
        ("dynamodb:ConditionCheckItem", "two", "TransactWriteItems"),
    ]
    batch = asked("BatchGetItem", RequestItems={"one": {"Keys": [key]}, "two": {"Keys": [key]}})
    assert [(one.action, one.resource.rpartition("/")[2]) for one in batch] == [
        ("dynamodb:BatchGetItem", "one"),
        ("dynamodb:BatchGetItem", "two"),
    ]


@pytest.mark.parametrize(
    ("statement_", "action", "resource"),
    [
        ("SELECT * FROM music", "dynamodb:PartiQLSelect", ARN),
        ("SELECT * FROM music.\"by\" WHERE a = 'b'", "dynamodb:PartiQLSelect", f"{ARN}/index/by"),
        ("INSERT INTO music VALUE {'p': 'x'}", "dynamodb:PartiQLInsert", ARN),
        ("UPDATE music SET a = 1 WHERE p = 'x'", "dynamodb:PartiQLUpdate", ARN),
        ("DELETE FROM music WHERE p = 'x'", "dynamodb:PartiQLDelete", ARN),
    ],
)
def test_statements_ask_by_what_they_do(statement_, action, resource):
    assert [(one.action, one.resource) for one in asked("ExecuteStatement", Statement=statement_)] == [
        (action, resource)
    ]


@pytest.mark.parametrize(
    ("operation", "request_", "wanted"),
    [
        ("ListTables", {}, [("ListTables", "*")]),
        ("Query", {"TableName": "music", "IndexName": "by"}, [("Query", f"{ARN}/index/by")]),
        ("TagResource", {"ResourceArn": ARN, "Tags": []}, [("TagResource", ARN)]),
        ("DeleteBackup", {"BackupArn": f"{ARN}/backup/1"}, [("DeleteBackup", f"{ARN}/backup/1")]),
        (
            "CreateTable",
            {"TableName": "music", "Tags": [{"Key": "k", "Value": "v"}]},
            [("CreateTable", ARN), ("TagResource", ARN)],
        ),
        ("ExportTableToPointInTime", {"TableArn": ARN, "S3Bucket": "b"}, [("ExportTableToPointInTime", ARN)]),
    ],
)
def test_what_each_operation_asks_for(operation, request_, wanted):
    found = [(one.action, one.resource) for one in asked(operation, **request_)]
    assert found == [(f"dynamodb:{action}", resource) for action, resource in wanted]


def facts_of(tables, operation, **request):
    call = Call(tables.cloud.cloud, dynamodb, USER)
    [permission] = asyncio.run(access.weigh(call, asked_of(call, operation, request)))
    return Facts(call, Principal(USER.arn), permission.context)


def test_conditions_may_ask_for_keys_and_attributes(tables):
    tables.create("pairs", KeySchema=keys("p", "c"), AttributeDefinitions=attributes(p="S", c="S"))
    facts = facts_of(
        tables,
        "UpdateItem",
        TableName="pairs",
        Key={"p": {"S": "x"}, "c": {"S": "y"}},
        UpdateExpression="SET #a.b[0].z = if_not_exists(k, :v) REMOVE gone",
        ConditionExpression="attribute_not_exists(other) AND size(body) < :v",
        ExpressionAttributeNames={"#a": "Title"},
        ExpressionAttributeValues={":v": {"N": "1"}},
        ReturnValues="ALL_NEW",
    )
    assert facts("dynamodb:leadingkeys") == ["x"]
    assert facts("dynamodb:attributes") == ["Title", "body", "c", "gone", "k", "other", "p"]
    assert facts("dynamodb:returnvalues") == ["ALL_NEW"]
    assert facts("dynamodb:select") is None


def test_the_leading_keys_of_a_query_are_its_indexes(tables):
    tables.create(
        "indexed", AttributeDefinitions=attributes(p="S", x="S"), GlobalSecondaryIndexes=[global_index("by", "x")]
    )
    values = {":x": {"S": "one"}, ":p": {"S": "two"}}
    by_index = facts_of(
        tables,
        "Query",
        TableName="indexed",
        IndexName="by",
        KeyConditionExpression="#x = :x",
        FilterExpression="p = :p",
        ExpressionAttributeNames={"#x": "x"},
        ExpressionAttributeValues=values,
    )
    assert by_index("dynamodb:leadingkeys") == ["one"]
    by_table = facts_of(
        tables, "Query", TableName="indexed", KeyConditionExpression="p = :p", ExpressionAttributeValues=values
    )
    assert by_table("dynamodb:leadingkeys") == ["two"]


def test_conditions_may_ask_for_tags(tables):
    tables("TagResource", ResourceArn=ARN, Tags=[{"Key": "team", "Value": "blue"}])
    facts = facts_of(tables, "DeleteTable", TableName="music")
    assert facts("aws:resourcetag/team") == ["blue"]
    facts = facts_of(tables, "TagResource", ResourceArn=ARN, Tags=[{"Key": "env", "Value": "test"}])
    assert (facts("aws:requesttag/env"), facts("aws:tagkeys")) == (["test"], ["env"])


@pytest.mark.parametrize(
    ("statement_", "keys_", "attributes_", "full"),
    [
        ("SELECT a.b FROM music WHERE p = 'x' AND c > 1", ["x"], ["a", "c", "p"], ["false"]),
        ("SELECT a FROM music WHERE p IN ['x', 'y'] OR 'z' = p", ["x", "y", "z"], ["a", "p"], ["false"]),
        ("SELECT a FROM music WHERE p = 'x' OR c = 1", None, ["a", "c", "p"], ["true"]),
        ("SELECT a FROM music WHERE NOT p = 'x'", None, ["a", "p"], ["true"]),
        ("INSERT INTO music VALUE {'p': 'x', 'a': 1}", ["x"], ["a", "p"], None),
        ("UPDATE music SET a = b + 1 REMOVE c WHERE p = 'x'", ["x"], ["a", "b", "c", "p"], ["false"]),
        ("DELETE FROM music WHERE p = 'x'", ["x"], ["p"], ["false"]),
    ],
)
def test_conditions_may_ask_the_same_of_statements(tables, statement_, keys_, attributes_, full):
    facts = facts_of(tables, "ExecuteStatement", Statement=statement_)
    assert facts("dynamodb:leadingkeys") == keys_
    assert facts("dynamodb:attributes") == attributes_
    assert facts("dynamodb:fulltablescan") == full


def test_who_selects_everything_says_so(tables):
    assert facts_of(tables, "ExecuteStatement", Statement="SELECT * FROM music")("dynamodb:select") == [
        "ALL_ATTRIBUTES"
    ]
    batch = facts_of(tables, "BatchExecuteStatement", Statements=[{"Statement": "SELECT a FROM music WHERE p = 'x'"}])
    assert batch("dynamodb:select") == ["SPECIFIC_ATTRIBUTES"]
    assert batch("dynamodb:enclosingoperation") == ["BatchExecuteStatement"]


def test_an_export_is_judged_by_its_table_however_that_is_given(tables):
    """A bare name is no ARN, so no denial of the table would fit it."""
    tables.put_policy(statement("Deny"))
    invalid = "One or more parameter values were invalid: ARNs must start with 'arn:': music"
    for identity in (None, USER):
        request = {"TableArn": ARN, "S3Bucket": "bucket"}
        assert "explicit deny" in tables.message("ExportTableToPointInTime", identity or ROOT, **request)
    assert "explicit deny" in tables.message("ExportTableToPointInTime", USER, TableArn="music", S3Bucket="bucket")
    assert tables.refused("ExportTableToPointInTime", TableArn="music", S3Bucket="b") == (
        "ValidationException",
        invalid,
    )
    tables("DeleteResourcePolicy", ResourceArn=ARN)
    with pytest.raises(AwsError, match="ARNs must start with"):
        tables("ExportTableToPointInTime", USER, TableArn="music", S3Bucket="bucket")
    assert [(one.action, one.resource) for one in tables.asked] == [("dynamodb:ExportTableToPointInTime", ARN)]


NAMES_OF_A_TABLE = {
    "BatchGetItem": {"RequestItems": {"music": {"Keys": [{"p": {"S": "x"}}]}}},
    "BatchWriteItem": {"RequestItems": {"music": [{"PutRequest": {"Item": {"p": {"S": "x"}}}}]}},
    "BatchExecuteStatement": {"Statements": [{"Statement": "SELECT * FROM music WHERE p = 'x'"}]},
    "ExecuteStatement": {"Statement": "SELECT * FROM music"},
    "ExecuteTransaction": {"TransactStatements": [{"Statement": "DELETE FROM music WHERE p = 'x'"}]},
    "ExportTableToPointInTime": {"TableArn": "music", "S3Bucket": "bucket"},
    "ImportTable": {"TableCreationParameters": {"TableName": "music"}},
    "RestoreTableToPointInTime": {"SourceTableName": "music", "TargetTableName": "music"},
    "TransactGetItems": {"TransactItems": [{"Get": {"TableName": "music", "Key": {}}}]},
    "TransactWriteItems": {"TransactItems": [{"Delete": {"TableName": "music", "Key": {}}}]},
    "Query": {"TableName": "music"},
    "UpdateTable": {"TableName": "music"},
    "DescribeGlobalTable": {"GlobalTableName": "music"},
}


@pytest.mark.parametrize("operation", NAMES_OF_A_TABLE)
def test_whatever_names_a_table_is_judged_by_its_arn(tables, operation):
    asked = asked_of(tables.cloud.call(), operation, NAMES_OF_A_TABLE[operation])
    assert {one.resource for one in asked} == {ARN}


def test_what_is_not_judged_by_a_table_is_kept_to_its_own_account(tables):
    """It was tried again and again, as if the table's policy had changed since."""
    told = {"ContributorInsightsSummaries": []}
    tables.put_policy(statement("Allow"))
    assert tables("ListContributorInsights", USER, TableName=ARN) == told
    assert [(one.action, one.resource) for one in tables.asked] == [("dynamodb:ListContributorInsights", "*")]
    for identity in (OTHER_ROOT, OTHER_USER):
        assert "no resource-based policy" in tables.message("ListContributorInsights", identity, TableName=ARN)


def test_a_stream_of_kinesis_is_not_what_a_table_is_judged_by(tables):
    tables.put_policy(statement("Deny"))
    stream = "arn:aws:kinesis:us-east-1:000000000001:stream/mine"
    for operation in ("EnableKinesisStreamingDestination", "DisableKinesisStreamingDestination"):
        assert "explicit deny" in tables.message(operation, USER, TableName="music", StreamArn=stream)
