"""AssumeRole."""

import asyncio
from typing import Any

import pytest
from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, deny, document, trust

from atoll.operation import Identity
from atoll.services.sts import sessions

ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"
OTHER = "444455556666"


def role(cloud: IamCloud, policy: str, name: str = "r", **more: Any) -> None:
    cloud("CreateRole", RoleName=name, AssumeRolePolicyDocument=policy, **more)


def assume(cloud: IamCloud, caller: Identity, **more: Any) -> dict[str, Any]:
    return cloud.sts("AssumeRole", caller, **{"RoleArn": ROLE, "RoleSessionName": "work", **more})


def refused(cloud: IamCloud, caller: Identity, **more: Any) -> tuple[str, str]:
    error = cloud.refused("AssumeRole", caller, "sts", **{"RoleArn": ROLE, "RoleSessionName": "work", **more})
    return error.code, error.message


def not_authorized(caller: Identity, action: str = "sts:AssumeRole") -> tuple[str, str]:
    return "AccessDenied", f"User: {caller.arn} is not authorized to perform: {action} on resource: {ROLE}"


def test_a_trusted_user_gets_keys_for_an_hour():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    reply = assume(cloud, ann)
    keys = reply["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA")
    assert keys["Expiration"].timestamp() == NOW + 3600
    role_id = cloud("GetRole", RoleName="r")["Role"]["RoleId"]
    assert reply["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role_id}:work",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/work",
    }
    assert reply.keys() == {"Credentials", "AssumedRoleUser"}
    credential = asyncio.run(sessions.find_credential(cloud.store, keys["AccessKeyId"]))
    assert credential is not None
    assert credential.secret_key == keys["SecretAccessKey"]
    assert credential.session_token == keys["SessionToken"]
    assert credential.expires == NOW + 3600
    assert cloud.sts("GetCallerIdentity", credential.identity) == {
        "UserId": f"{role_id}:work",
        "Account": ACCOUNT,
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/work",
    }


def test_who_is_not_trusted_is_refused_as_if_the_role_were_not_there():
    cloud = IamCloud()
    ann, bob = cloud.user("ann"), cloud.user("bob")
    cloud.let("bob", allow("*"))
    assert refused(cloud, bob) == not_authorized(bob)
    role(cloud, trust({"AWS": ann.arn}))
    assert refused(cloud, bob) == not_authorized(bob)


def test_trust_in_the_account_leaves_it_to_the_callers_policies():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))
    assert refused(cloud, ann)[0] == "AccessDenied"
    cloud.let("ann", allow("sts:AssumeRole", ROLE))
    assert assume(cloud, ann)["AssumedRoleUser"]["Arn"].endswith("/work")


def test_a_trusted_user_with_a_denial_of_its_own_is_refused():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    cloud.let("ann", deny("sts:*"))
    code, message = refused(cloud, ann)
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in an identity-based policy")


def test_another_accounts_user_needs_both_sides():
    cloud = IamCloud()
    other_root = cloud.account(OTHER)
    cloud("CreateUser", other_root, UserName="eve")
    key = cloud("CreateAccessKey", other_root, UserName="eve")["AccessKey"]["AccessKeyId"]
    eve = cloud.identity(key)
    role(cloud, trust({"AWS": eve.arn}))
    assert refused(cloud, eve)[0] == "AccessDenied"
    own = document(allow("sts:AssumeRole", ROLE))
    cloud("PutUserPolicy", other_root, UserName="eve", PolicyName="p", PolicyDocument=own)
    assert assume(cloud, eve)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/work"


def test_roots_may_not_assume_roles():
    cloud = IamCloud()
    role(cloud, trust({"AWS": ACCOUNT}))
    assert refused(cloud, cloud.root) == ("AccessDenied", "Roles may not be assumed by root accounts.")


def test_an_external_id_can_be_asked_for():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}, Condition={"StringEquals": {"sts:ExternalId": "secret"}}))
    assert refused(cloud, ann) == not_authorized(ann)
    assert refused(cloud, ann, ExternalId="wrong") == not_authorized(ann)
    assert assume(cloud, ann, ExternalId="secret")["AssumedRoleUser"]["Arn"].endswith("/work")


def test_a_deleted_user_is_not_trusted_when_its_name_is_made_again():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    cloud("DeleteAccessKey", UserName="ann", AccessKeyId=ann.access_key_id)
    cloud("DeleteUser", UserName="ann")
    again = cloud.user("ann")
    assert refused(cloud, again) == not_authorized(again)
    assert ann.user_id in cloud("GetRole", RoleName="r")["Role"]["AssumeRolePolicyDocument"]


def test_the_path_of_the_role_must_be_right():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}), Path="/team/")
    assert refused(cloud, ann) == not_authorized(ann)
    arn = f"arn:aws:iam::{ACCOUNT}:role/team/r"
    assert assume(cloud, ann, RoleArn=arn)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/work"


@pytest.mark.parametrize(
    ("request_members", "message"),
    [
        ({"RoleArn": "arn:aws:iam::1:role/r"}, "arn:aws:iam::1:role/r is invalid"),
        ({"RoleSessionName": "x"}, "'roleSessionName' failed to satisfy constraint"),
        ({"RoleSessionName": "a b"}, "satisfy regular expression pattern"),
        ({"DurationSeconds": 899}, "greater than or equal to 900"),
        ({"DurationSeconds": 43_201}, "less than or equal to 43200"),
        ({"DurationSeconds": 7200}, "exceeds the MaxSessionDuration set for this role"),
        ({"PolicyArns": [{"arn": f"arn:aws:iam::{OTHER}:policy/p"}]}, "is not a managed policy of this account"),
        ({"SourceIdentity": "a b"}, "'sourceIdentity' failed"),
        ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "'tags.member.key' failed"),
    ],
)
def test_malformed_requests_are_validation_errors(request_members: dict[str, Any], message: str):
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}, ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]))
    code, said = refused(cloud, ann, **request_members)
    assert code == "ValidationError"
    assert message in said


def test_a_role_may_allow_longer_sessions_but_not_to_other_sessions():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}), MaxSessionDuration=43_200)
    assert assume(cloud, ann, DurationSeconds=43_200)["Credentials"]["Expiration"].timestamp() == NOW + 43_200
    role(cloud, trust({"AWS": ROLE}), "second", MaxSessionDuration=43_200)
    first = cloud.session("AssumeRole", ann, RoleArn=ROLE, RoleSessionName="work")
    second = f"arn:aws:iam::{ACCOUNT}:role/second"
    code, message = refused(cloud, first, RoleArn=second, DurationSeconds=3601)
    assert (code, message) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    assert assume(cloud, first, RoleArn=second)["AssumedRoleUser"]["Arn"].endswith("assumed-role/second/work")


def test_tags_need_leave_and_become_the_principals():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}), Tags=[{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "test"}])
    tags = [{"Key": "Team", "Value": "red"}]
    assert refused(cloud, ann, Tags=tags) == not_authorized(ann, "sts:TagSession")
    both = ["sts:AssumeRole", "sts:TagSession"]
    only_teams = {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}
    cloud("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=trust({"AWS": ann.arn}, both, Condition=only_teams))
    assert refused(cloud, ann, Tags=[{"Key": "other", "Value": "x"}]) == not_authorized(ann)
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red", "aws:PrincipalTag/stage": "test"}}
    own = document(allow("s3:GetObject", Condition=condition))
    cloud("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=own)
    session = cloud.session("AssumeRole", ann, RoleArn=ROLE, RoleSessionName="work", Tags=tags)
    assert cloud.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
    plain = cloud.session("AssumeRole", ann, RoleArn=ROLE, RoleSessionName="work")
    assert not cloud.may(plain, "s3:GetObject", "arn:aws:s3:::b/k")


def test_transitive_tags_are_handed_on_and_cannot_be_changed():
    cloud = IamCloud()
    ann = cloud.user("ann")
    both = ["sts:AssumeRole", "sts:TagSession"]
    role(cloud, trust({"AWS": ann.arn}, both))
    role(cloud, trust({"AWS": ROLE}, both), "second")
    tags = [{"Key": "team", "Value": "red"}, {"Key": "mood", "Value": "good"}]
    first = cloud.session(
        "AssumeRole", ann, RoleArn=ROLE, RoleSessionName="work", Tags=tags, TransitiveTagKeys=["team"]
    )
    second = f"arn:aws:iam::{ACCOUNT}:role/second"
    handed = cloud.session("AssumeRole", first, RoleArn=second, RoleSessionName="more")
    assert handed.session["tags"] == {"team": "red"}
    code, message = refused(cloud, first, RoleArn=second, Tags=[{"Key": "Team", "Value": "blue"}])
    assert code == "InvalidParameterValue"
    assert "conflicts with a transitive tag key" in message
    assert refused(cloud, ann, TransitiveTagKeys=["nothing"])[0] == "InvalidParameterValue"


def test_a_source_identity_stays():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    assert refused(cloud, ann, SourceIdentity="ann") == not_authorized(ann, "sts:SetSourceIdentity")
    both = ["sts:AssumeRole", "sts:SetSourceIdentity"]
    cloud("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=trust({"AWS": ann.arn}, both))
    role(cloud, trust({"AWS": ROLE}, both), "second")
    assert assume(cloud, ann, SourceIdentity="ann")["SourceIdentity"] == "ann"
    first = cloud.session("AssumeRole", ann, RoleArn=ROLE, RoleSessionName="work", SourceIdentity="ann")
    second = f"arn:aws:iam::{ACCOUNT}:role/second"
    assert assume(cloud, first, RoleArn=second)["SourceIdentity"] == "ann"
    code, _ = refused(cloud, first, RoleArn=second, SourceIdentity="eve")
    assert code == "AccessDenied"


def test_session_policies_must_be_policies_and_small():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    assert refused(cloud, ann, Policy="{}")[0] == "MalformedPolicyDocument"
    large = document(allow([f"s3:Get{n:040}" for n in range(60)]))
    assert refused(cloud, ann, Policy=large)[0] == "PackedPolicyTooLarge"
    assert assume(cloud, ann, Policy=document(allow("s3:*")))["PackedPolicySize"] == 5


def test_no_mfa_code_is_right():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    code, _ = refused(cloud, ann, SerialNumber=f"arn:aws:iam::{ACCOUNT}:mfa/ann", TokenCode="123456")
    assert code == "AccessDenied"


def test_a_token_can_be_asked_to_be_long():
    cloud = IamCloud()
    ann = cloud.user("ann")
    role(cloud, trust({"AWS": ann.arn}))
    assert len(assume(cloud, ann, MinimumSessionTokenSize=4096)["Credentials"]["SessionToken"]) == 4096
