"""Who am I, session tokens, federation tokens, and how ended sessions go."""

import asyncio

import pytest
from tests.unit.iam.cloud import ACCOUNT, NOW, IamCloud, allow, document, trust

from atoll.services.sts import sessions


def test_everybody_may_ask_who_they_are():
    cloud = IamCloud()
    ann = cloud.user("ann")
    assert cloud.sts("GetCallerIdentity", ann) == {"UserId": ann.user_id, "Account": ACCOUNT, "Arn": ann.arn}
    assert cloud.sts("GetCallerIdentity") == {
        "UserId": ACCOUNT,
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:root",
    }


def test_a_session_token_speaks_for_its_user_but_not_to_iam():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("*"))
    session = cloud.session("GetSessionToken", ann)
    assert (session.kind, session.arn, session.user_id) == ("user", ann.arn, ann.user_id)
    assert cloud.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
    error = cloud.refused("ListUsers", session)
    assert (error.code, error.message) == (
        "InvalidClientTokenId",
        "The security token included in the request is invalid",
    )


def test_conditions_see_that_keys_are_temporary():
    cloud = IamCloud()
    ann = cloud.user("ann")
    cloud.let("ann", allow("s3:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}))
    assert not cloud.may(ann, "s3:GetObject", "arn:aws:s3:::b/k")
    assert cloud.may(cloud.session("GetSessionToken", ann), "s3:GetObject", "arn:aws:s3:::b/k")


@pytest.mark.parametrize("root", [True, False])
def test_session_tokens_last_as_long_as_asked_and_a_roots_an_hour(*, root: bool):
    cloud = IamCloud()
    caller = cloud.root if root else cloud.user("ann")
    expiration = cloud.sts("GetSessionToken", caller, DurationSeconds=129_600)["Credentials"]["Expiration"]
    assert expiration.timestamp() == NOW + (3600 if root else 129_600)
    assert cloud.refused("GetSessionToken", caller, "sts", DurationSeconds=899).code == "ValidationError"
    assert cloud.refused("GetSessionToken", caller, "sts", DurationSeconds=129_601).code == "ValidationError"


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken"])
def test_sessions_cannot_make_sessions_of_themselves(operation: str):
    cloud = IamCloud()
    session = cloud.session("GetSessionToken", cloud.root)
    request = {"Name": "guest"} if operation == "GetFederationToken" else {}
    error = cloud.refused(operation, session, "sts", **request)
    assert (error.code, error.message) == ("AccessDenied", f"Cannot call {operation} with session credentials")


def test_a_federated_user_may_do_what_both_its_issuer_and_its_policy_allow():
    cloud = IamCloud()
    ann = cloud.user("ann")
    assert cloud.refused("GetFederationToken", ann, "sts", Name="guest").code == "AccessDenied"
    cloud.let("ann", allow(["s3:Get*", "sts:GetFederationToken"]))
    policy = document(allow(["s3:GetObject", "s3:PutObject"]))
    reply = cloud.sts("GetFederationToken", ann, Name="guest", Policy=policy)
    assert reply["FederatedUser"] == {
        "FederatedUserId": f"{ACCOUNT}:guest",
        "Arn": f"arn:aws:sts::{ACCOUNT}:federated-user/guest",
    }
    guest = cloud.session("GetFederationToken", ann, Name="guest", Policy=policy)
    assert cloud.may(guest, "s3:GetObject", "arn:aws:s3:::b/k")
    assert not cloud.may(guest, "s3:PutObject", "arn:aws:s3:::b/k")
    assert not cloud.may(guest, "s3:GetObjectAcl", "arn:aws:s3:::b/k")
    bare = cloud.session("GetFederationToken", ann, Name="guest")
    assert not cloud.may(bare, "s3:GetObject", "arn:aws:s3:::b/k")


def test_a_roots_federated_user_may_do_what_its_policy_allows():
    cloud = IamCloud()
    guest = cloud.session("GetFederationToken", Name="guest", Policy=document(allow("s3:Get*")))
    assert cloud.may(guest, "s3:GetObject", "arn:aws:s3:::b/k")
    assert not cloud.may(guest, "s3:PutObject", "arn:aws:s3:::b/k")
    cloud("CreateRole", RoleName="r", AssumeRolePolicyDocument=trust("*"))
    error = cloud.refused("AssumeRole", guest, "sts", RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="work")
    assert error.code == "AccessDenied"


def test_ended_sessions_are_remembered_for_a_day_and_then_go_as_new_ones_come():
    cloud = IamCloud()
    old = cloud.sts("GetSessionToken", DurationSeconds=900)["Credentials"]["AccessKeyId"]

    def known() -> bool:
        return asyncio.run(sessions.find_credential(cloud.store, old)) is not None

    cloud.now = NOW + 900 + sessions.REMEMBERED_SECONDS - 1
    cloud.sts("GetSessionToken")
    assert known()
    cloud.now += 2
    cloud.sts("GetSessionToken")
    assert not known()
    assert len(asyncio.run(cloud.store.scan(sessions.ENDINGS, b"", None, 10))) == 2


def test_a_key_nobody_was_given_has_no_credential():
    assert asyncio.run(sessions.find_credential(IamCloud().store, "ASIAIOSFODNN7EXAMPLE")) is None
