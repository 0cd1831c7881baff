"""STS as boto3 sees it: keys that end, and what they may do."""

import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.identity import allow, document, refusal


@pytest.fixture(scope="session")
def iam(cloud: CloudUnderTest) -> Any:
    return cloud.client("iam")


@pytest.fixture(scope="session")
def sts(cloud: CloudUnderTest) -> Any:
    return cloud.client("sts")


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def ann(iam: Any, cloud: CloudUnderTest, undo: ExitStack) -> tuple[str, Any]:
    """A user that may do anything in S3, and STS as it sees it."""
    name = f"t-{uuid.uuid4().hex[:16]}"
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    undo.callback(iam.delete_user, UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(allow(["s3:*", "sts:*"])))
    undo.callback(iam.delete_user_policy, UserName=name, PolicyName="p")
    key = iam.create_access_key(UserName=name)["AccessKey"]
    undo.callback(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    pair = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    return arn, cloud.client("sts", **pair)


@pytest.fixture
def role(iam: Any, ann: tuple[str, Any], undo: ExitStack) -> str:
    """A role that reads S3 and that ann may assume."""
    name = f"t-{uuid.uuid4().hex[:16]}"
    trust = {"Effect": "Allow", "Principal": {"AWS": ann[0]}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    undo.callback(iam.delete_role, RoleName=name)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(allow(["s3:Get*", "s3:List*"])))
    undo.callback(iam.delete_role_policy, RoleName=name, PolicyName="p")
    return str(arn)


@pytest.fixture
def client_of(cloud: CloudUnderTest) -> Callable[..., Any]:
    """A client with the keys that STS handed out."""

    def make(service: str, keys: dict[str, str], **changed: str) -> Any:
        given = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        return cloud.client(service, **{**given, **changed})

    return make


def test_the_root_is_told_who_it_is(sts: Any) -> None:
    identity = sts.get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{identity['Account']}:root"
    assert identity["UserId"] == identity["Account"]


def test_a_role_is_put_on(s3: Any, ann: tuple[str, Any], role: str, bucket: str, client_of: Callable[..., Any]) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    reply = ann[1].assume_role(RoleArn=role, RoleSessionName="work")
    keys = reply["Credentials"]
    assert abs(keys["Expiration"].timestamp() - time.time() - 3600) < 60
    assert reply["AssumedRoleUser"]["Arn"].endswith(f":assumed-role/{role.rsplit('/', 1)[1]}/work")
    assert client_of("sts", keys).get_caller_identity()["Arn"] == reply["AssumedRoleUser"]["Arn"]
    as_role = client_of("s3", keys)
    assert as_role.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    error = refusal(as_role.put_object, Bucket=bucket, Key="k", Body=b"y")
    assert (error.code, error.status) == ("AccessDenied", 403)
    narrow = ann[1].assume_role(RoleArn=role, RoleSessionName="work", Policy=document(allow("s3:ListBucket")))
    assert narrow["PackedPolicySize"] > 0
    as_less = client_of("s3", narrow["Credentials"])
    assert as_less.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert "because no session policy allows" in refusal(as_less.get_object, Bucket=bucket, Key="k").message


def test_temporary_keys_need_their_token(ann: tuple[str, Any], role: str, client_of: Callable[..., Any]) -> None:
    keys = ann[1].assume_role(RoleArn=role, RoleSessionName="work")["Credentials"]
    for token in ("", "x" * 128):
        error = refusal(client_of("sts", keys, aws_session_token=token).get_caller_identity)
        assert (error.code, error.status) == ("InvalidClientTokenId", 403)


def test_who_is_not_trusted_gets_nothing(iam: Any, ann: tuple[str, Any], role: str) -> None:
    name = role.rsplit("/", 1)[1]
    closed = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=document(closed))
    error = refusal(ann[1].assume_role, RoleArn=role, RoleSessionName="work")
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == f"User: {ann[0]} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_session_tokens(ann: tuple[str, Any], client_of: Callable[..., Any]) -> None:
    keys = ann[1].get_session_token(DurationSeconds=900)["Credentials"]
    assert client_of("sts", keys).get_caller_identity()["Arn"] == ann[0]
    assert "Buckets" in client_of("s3", keys).list_buckets()
    assert refusal(client_of("iam", keys).list_users).code == "InvalidClientTokenId"


def test_federation_tokens(ann: tuple[str, Any], bucket: str, client_of: Callable[..., Any]) -> None:
    reply = ann[1].get_federation_token(Name="guest", Policy=document(allow("s3:PutObject")))
    assert reply["FederatedUser"]["Arn"].endswith(":federated-user/guest")
    guest = client_of("s3", reply["Credentials"])
    guest.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert refusal(guest.get_object, Bucket=bucket, Key="k").code == "AccessDenied"


def test_presigned_urls_carry_the_token(
    s3: Any, ann: tuple[str, Any], role: str, bucket: str, client_of: Callable[..., Any]
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    keys = ann[1].assume_role(RoleArn=role, RoleSessionName="work")["Credentials"]
    url = client_of("s3", keys).generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"x"
