"""Policies of tables and streams: their revisions, and what is no policy."""

import json

import pytest
from tests.support import ACCOUNT, NOW
from tests.unit.dynamodb.control import Control

from atoll.services.dynamodb import resource_policies  # noqa: F401

ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/music"
REVISION = str(int(NOW * 1000))


def policy(action="dynamodb:*", effect="Allow", principal=ACCOUNT, **others):
    statement = {"Effect": effect, "Principal": {"AWS": principal}, "Action": action, "Resource": "*", **others}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def tables():
    control = Control()
    control.create()
    return control


def put(tables, text, **others):
    return tables("PutResourcePolicy", ResourceArn=ARN, Policy=text, **others)["RevisionId"]


def test_a_policy_is_told_as_it_was_put(tables):
    assert put(tables, policy()) == REVISION
    assert tables("GetResourcePolicy", ResourceArn=ARN) == {"Policy": policy(), "RevisionId": REVISION}


def test_the_same_policy_again_is_no_new_revision_and_another_is_a_later_one(tables):
    assert put(tables, policy()) == put(tables, policy()) == REVISION
    assert put(tables, policy("dynamodb:PutItem")) == str(int(REVISION) + 1)


def test_a_revision_may_be_expected(tables):
    missing = "Resource-based policy not found for the provided ResourceArn: "
    assert tables.refused("PutResourcePolicy", ResourceArn=ARN, Policy=policy(), ExpectedRevisionId="1")[0] == (
        "PolicyNotFoundException"
    )
    put(tables, policy(), ExpectedRevisionId="NO_POLICY")
    put(tables, policy("dynamodb:PutItem"), ExpectedRevisionId=REVISION)
    second = str(int(REVISION) + 1)
    for operation, request in (("PutResourcePolicy", {"Policy": policy()}), ("DeleteResourcePolicy", {})):
        assert tables.refused(operation, ResourceArn=ARN, ExpectedRevisionId=REVISION, **request) == (
            "PolicyNotFoundException",
            f"{missing}Requested update for policy with revision id {REVISION}, but the policy associated to target "
            f"table music has revision id {second}.",
        )
    assert tables.refused("PutResourcePolicy", ResourceArn=ARN, Policy=policy(), ExpectedRevisionId="NO_POLICY") == (
        "PolicyNotFoundException",
        f"{missing}Requested policy update expecting none to be present for table music, but a policy exists with "
        f"revision id {second}.",
    )
    assert tables("DeleteResourcePolicy", ResourceArn=ARN, ExpectedRevisionId=second) == {"RevisionId": second}
    assert tables.refused("GetResourcePolicy", ResourceArn=ARN) == ("PolicyNotFoundException", missing + ARN)
    assert tables("DeleteResourcePolicy", ResourceArn=ARN) == {}


def test_a_stream_has_a_policy_of_its_own(tables):
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    told = tables("UpdateTable", TableName="music", StreamSpecification=stream)["TableDescription"]
    arn = told["LatestStreamArn"]
    tables("PutResourcePolicy", ResourceArn=arn, Policy=policy())
    assert tables("GetResourcePolicy", ResourceArn=arn)["Policy"] == policy()
    assert tables.refused("GetResourcePolicy", ResourceArn=ARN)[0] == "PolicyNotFoundException"
    tables("DeleteResourcePolicy", ResourceArn=arn)
    assert tables.refused("GetResourcePolicy", ResourceArn=arn)[0] == "PolicyNotFoundException"
    assert tables.refused("GetResourcePolicy", ResourceArn=arn + "9")[0] == "ResourceNotFoundException"


def test_a_table_may_be_made_with_a_policy(tables):
    tables.create("guarded", ResourcePolicy=policy())
    arn = ARN.replace("music", "guarded")
    assert tables("GetResourcePolicy", ResourceArn=arn) == {"Policy": policy(), "RevisionId": REVISION}
    assert tables.invalid(name="broken", ResourcePolicy="{}") == "Invalid policy document: Syntax errors in policy."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no", "Invalid policy document: This policy contains invalid Json"),
        (json.dumps({"Statement": [{"Effect": "Allow"}]}), "Invalid policy document: Policy statement must contain"),
        (policy(principal="nobody"), 'Invalid policy document: Invalid principal in policy: "AWS":"nobody"'),
        (
            policy(Sid="x" * 20_480),
            "One or more parameter values were invalid: The policy exceeds the limit of 20480 bytes",
        ),
    ],
)
def test_what_is_no_policy_is_refused(tables, text, message):
    code, told = tables.refused("PutResourcePolicy", ResourceArn=ARN, Policy=text)
    assert code == "ValidationException"
    assert told.startswith(message)


@pytest.mark.parametrize(
    ("arn", "refusal"),
    [
        (ARN + "_", ("ResourceNotFoundException", "Requested resource not found: Table: music_ not found")),
        ("music", ("ValidationException", "Invalid ResourceArn provided as input music")),
        (
            ARN + "/index/by",
            (
                "ValidationException",
                "One or more parameter values were invalid: Invalid resource arn provided, only table or stream is "
                f"accepted. Provided resource arn: {ARN}/index/by",
            ),
        ),
    ],
)
def test_only_a_table_or_a_stream_that_is_there_has_a_policy(tables, arn, refusal):
    assert tables.refused("PutResourcePolicy", ResourceArn=arn, Policy=policy()) == refusal
    assert tables.refused("GetResourcePolicy", ResourceArn=arn) == refusal
    assert tables.refused("DeleteResourcePolicy", ResourceArn=arn) == refusal
