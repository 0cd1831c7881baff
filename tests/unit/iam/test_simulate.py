"""Simulations say what the judgement of a call would be."""

import pytest
from tests.unit.iam.cloud import ACCOUNT, IamCloud, allow, deny, document, trust

CAT = "arn:aws:s3:::photos/cat.jpg"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"


def simulate(cloud: IamCloud, *policies: str, **request: object) -> list[tuple[str, str, str]]:
    asked = {"ActionNames": ["s3:GetObject", "s3:PutObject"], "ResourceArns": [CAT], **request}
    results = cloud("SimulateCustomPolicy", PolicyInputList=list(policies), **asked)["EvaluationResults"]
    return [(one["EvalActionName"], one["EvalResourceName"], one["EvalDecision"]) for one in results]


def test_each_action_is_judged_on_each_resource():
    cloud = IamCloud()
    own = document(allow("s3:Get*", CAT), deny("s3:*", "arn:aws:s3:::secret/*"))
    found = simulate(cloud, own, ResourceArns=[CAT, "arn:aws:s3:::secret/x"])
    assert found == [
        ("s3:GetObject", CAT, "allowed"),
        ("s3:GetObject", "arn:aws:s3:::secret/x", "explicitDeny"),
        ("s3:PutObject", CAT, "implicitDeny"),
        ("s3:PutObject", "arn:aws:s3:::secret/x", "explicitDeny"),
    ]


def test_without_resources_all_are_meant():
    cloud = IamCloud()
    results = cloud("SimulateCustomPolicy", PolicyInputList=[document(allow("s3:Get*"))], ActionNames=["s3:GetObject"])
    assert results == {
        "EvaluationResults": [
            {
                "EvalActionName": "s3:GetObject",
                "EvalResourceName": "*",
                "EvalDecision": "allowed",
                "MissingContextValues": [],
            }
        ],
        "IsTruncated": False,
    }


def test_facts_are_given_and_missing_ones_are_told():
    cloud = IamCloud()
    own = document(allow("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    request = {"PolicyInputList": [own], "ActionNames": ["s3:GetObject"]}
    (blind,) = cloud("SimulateCustomPolicy", **request)["EvaluationResults"]
    assert (blind["EvalDecision"], blind["MissingContextValues"]) == ("implicitDeny", ["aws:sourceip"])
    entry = {"ContextKeyName": "aws:SourceIp", "ContextKeyValues": ["10.1.2.3"], "ContextKeyType": "ip"}
    (seeing,) = cloud("SimulateCustomPolicy", **request, ContextEntries=[entry])["EvaluationResults"]
    assert (seeing["EvalDecision"], seeing["MissingContextValues"]) == ("allowed", [])


def test_a_boundary_narrows():
    cloud = IamCloud()
    reply = cloud(
        "SimulateCustomPolicy",
        PolicyInputList=[document(allow("s3:*"))],
        PermissionsBoundaryPolicyInputList=[document(allow("s3:Get*"))],
        ActionNames=["s3:GetObject", "s3:PutObject"],
    )
    told = [
        (one["EvalDecision"], one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"])
        for one in reply["EvaluationResults"]
    ]
    assert told == [("allowed", True), ("implicitDeny", False)]


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_a_principals_own_policies_are_judged(kind: str):
    cloud = IamCloud()
    noun = kind.title()
    extra = {"AssumeRolePolicyDocument": trust({"Service": "ec2.amazonaws.com"})} if kind == "role" else {}
    arn = cloud(f"Create{noun}", **{f"{noun}Name": "x"}, **extra)[noun]["Arn"]
    cloud(f"Attach{noun}Policy", **{f"{noun}Name": "x"}, PolicyArn=READ_ONLY)
    request = {"PolicySourceArn": arn, "ActionNames": ["s3:GetObject", "s3:PutObject"]}

    def decisions(**more: object) -> list[str]:
        results = cloud("SimulatePrincipalPolicy", **request, **more)["EvaluationResults"]
        return [one["EvalDecision"] for one in results]

    assert decisions() == ["allowed", "implicitDeny"]
    assert decisions(PolicyInputList=[document(deny("s3:GetObject"), allow("s3:Put*"))]) == ["explicitDeny", "allowed"]


def test_a_users_groups_boundary_and_name_count():
    cloud = IamCloud()
    ann = cloud.user("ann", Tags=[{"Key": "team", "Value": "blue"}])
    cloud("CreateGroup", GroupName="g")
    cloud("AddUserToGroup", GroupName="g", UserName="ann")
    own = document(allow("s3:*", "arn:aws:s3:::${aws:PrincipalTag/team}/${aws:username}/*"))
    cloud("PutGroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=own)
    cloud("PutUserPermissionsBoundary", UserName="ann", PermissionsBoundary=READ_ONLY)
    reply = cloud(
        "SimulatePrincipalPolicy",
        PolicySourceArn=ann.arn,
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::blue/ann/x"],
    )
    assert [one["EvalDecision"] for one in reply["EvaluationResults"]] == ["allowed", "implicitDeny"]
    for one in reply["EvaluationResults"]:
        action, resource = one["EvalActionName"], one["EvalResourceName"]
        assert cloud.may(ann, action, resource) is (one["EvalDecision"] == "allowed")


def test_results_page():
    cloud = IamCloud()
    request = {"PolicyInputList": [document(allow("s3:*"))], "ActionNames": [f"s3:Get{n}" for n in range(5)]}
    first = cloud("SimulateCustomPolicy", **request, MaxItems=3)
    rest = cloud("SimulateCustomPolicy", **request, MaxItems=3, Marker=first["Marker"])
    told = [one["EvalActionName"] for page in (first, rest) for one in page["EvaluationResults"]]
    assert told == request["ActionNames"]
    assert (first["IsTruncated"], rest["IsTruncated"]) == (True, False)


@pytest.mark.parametrize(
    "request_members",
    [
        {"PolicyInputList": ["{}"]},
        {"ActionNames": ["GetObject"]},
        {"ActionNames": ["s3:*"]},
        {"ResourcePolicy": "{}"},
        {"CallerArn": f"arn:aws:iam::{ACCOUNT}:user/ann"},
        {"ResourceArns": ["*"] * 10_001},
        {"PermissionsBoundaryPolicyInputList": ["[]"]},
    ],
)
def test_what_cannot_be_simulated_is_refused(request_members: dict[str, object]):
    members = {"PolicyInputList": [document(allow("s3:*"))], "ActionNames": ["s3:GetObject"], **request_members}
    assert IamCloud().refused("SimulateCustomPolicy", **members).code == "InvalidInput"


def test_only_own_principals_can_be_simulated():
    cloud = IamCloud()
    actions = {"ActionNames": ["s3:GetObject"]}
    missing = cloud.refused("SimulatePrincipalPolicy", PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ann", **actions)
    assert missing.code == "NoSuchEntity"
    foreign = cloud.refused("SimulatePrincipalPolicy", PolicySourceArn="arn:aws:iam::444455556666:user/ann", **actions)
    assert foreign.code == "InvalidInput"
