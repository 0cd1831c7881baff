"""Whom a bucket lets do what, for any ownership, block, ACLs and policy, against the rules said plainly."""

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import TestCloud

from atoll.aws.errors import AwsError
from atoll.operation import Identity, Permission
from atoll.services.s3 import access, acl, buckets, grants, names, objects, policies, public_access  # noqa: F401
from atoll.services.s3.records import BUCKETS, decode_bucket, decode_version, encode
from atoll.services.s3.service import s3
from atoll.store import keys

pytestmark = pytest.mark.slow

OWNER, WRITER, STRANGER = "000000000001", "000000000002", "000000000003"
GROUPS = [grants.ALL_USERS, grants.AUTHENTICATED_USERS]
OBJECT, BUCKET = "arn:aws:s3:::bucket/k", "arn:aws:s3:::bucket"
# The action, its resource, and whose list gives it by which permission.
ACTIONS = {
    "s3:GetObject": (OBJECT, "object", "READ"),
    "s3:GetObjectAcl": (OBJECT, "object", "READ_ACP"),
    "s3:PutObjectAcl": (OBJECT, "object", "WRITE_ACP"),
    "s3:PutObject": (OBJECT, "bucket", "WRITE"),
    "s3:DeleteObject": (OBJECT, "bucket", "WRITE"),
    "s3:ListBucket": (BUCKET, "bucket", "READ"),
    "s3:GetBucketAcl": (BUCKET, "bucket", "READ_ACP"),
    "s3:DeleteBucket": (BUCKET, None, None),
    "s3:GetBucketPolicy": (BUCKET, None, None),
}
GRANTS = st.none() | st.lists(
    st.tuples(
        st.sampled_from([*GROUPS, *map(names.canonical_id, (OWNER, WRITER, STRANGER))]),
        st.sampled_from(["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"]),
    ),
    max_size=3,
)
CALLERS = st.sampled_from(
    [
        *(
            Identity(account, f"arn:aws:iam::{account}:root", account, "k", "root")
            for account in (OWNER, WRITER, STRANGER)
        ),
        *(
            Identity(account, f"arn:aws:iam::{account}:user/u", f"AIDA{account}", "k", "user")
            for account in (OWNER, STRANGER)
        ),
        Identity("", "", "", "", "anonymous"),
    ]
)
STATEMENTS = st.lists(
    st.fixed_dictionaries(
        {
            "Effect": st.sampled_from(["Allow", "Allow", "Deny"]),
            "Principal": st.sampled_from(["*", OWNER, STRANGER, f"arn:aws:iam::{OWNER}:user/u"]),
            "Action": st.sampled_from(["s3:*", *ACTIONS]),
        }
    ),
    max_size=2,
)


def named(statement, caller):
    """Not at all, by the account only, or itself."""
    principal = statement["Principal"]
    if principal == "*" or (principal == caller.arn and caller.arn):
        return "itself"
    return "account" if caller.account and principal == caller.account else ""


def way(who, caller, owner, blocked):
    """How a grant to `who` reaches the caller."""
    known = caller.kind != "anonymous"
    if who in GROUPS:
        return "itself" if not blocked & 2 and (known or who == grants.ALL_USERS) else ""
    return "account" if known and caller.account != owner and who == names.canonical_id(caller.account) else ""


def model(setting, caller, action):
    """refused, granted, or ask: the caller's own policies decide."""
    ownership, blocked, bucket_acl, object_owner, object_acl, statements = setting
    known, own = caller.kind != "anonymous", caller.account == OWNER
    about = [s for s in statements if s["Action"] in {"s3:*", action} and named(s, caller)]
    root_always = own and caller.kind == "root" and action == "s3:GetBucketPolicy"
    if any(s["Effect"] == "Deny" for s in about) and not root_always:
        return "refused"
    public = any(s["Effect"] == "Allow" and s["Principal"] == "*" for s in statements)
    if blocked & 8 and public and not own:
        return "refused"
    counts = ownership != "BucketOwnerEnforced"
    _, whose, permission = ACTIONS[action]
    owner = object_owner if counts and whose == "object" else OWNER
    ways = {named(s, caller) for s in about if s["Effect"] == "Allow" and owner == OWNER}
    if root_always:
        ways = set()
    if counts and whose:
        listed = bucket_acl if whose == "bucket" else object_acl
        ways |= {way(who, caller, owner, blocked) for who, what in listed or [] if what in {permission, "FULL_CONTROL"}}
    ways.discard("")
    if known and caller.account == owner:
        return "granted" if "itself" in ways else "ask"
    if not ways:
        return "refused"
    return "ask" if known else "granted"


async def build(cloud, setting):
    ownership, blocked, bucket_acl, object_owner, object_acl, statements = setting
    await cloud("CreateBucket", Bucket="bucket")
    await cloud("PutObject", Bucket="bucket", Key="k", Body=b"x")
    await cloud("DeletePublicAccessBlock", Bucket="bucket")
    if statements:
        written = [
            {**s, "Principal": "*" if s["Principal"] == "*" else {"AWS": s["Principal"]}, "Resource": "*"}
            for s in statements
        ]
        # The user is taken as known: IAM is not here to ask.
        text = json.dumps({"Version": "2012-10-17", "Statement": written})
        bucket = decode_bucket(cloud.store.rows[BUCKETS, keys.pack("bucket")])
        cloud.store.rows[bucket.shelf("a"), keys.pack("policy")] = encode(access.Document(text))
    row = (BUCKETS, keys.pack("bucket"))
    bucket = decode_bucket(cloud.store.rows[row])
    bucket.ownership, bucket.blocked, bucket.acl, bucket.has_policy = ownership, blocked, bucket_acl, bool(statements)
    cloud.store.rows[row] = encode(bucket)
    (place,) = (place for place in cloud.store.rows if place[0] == bucket.shelf("o"))
    version = decode_version(cloud.store.rows[place])
    version.owner, version.acl = object_owner, object_acl
    cloud.store.rows[place] = encode(version)


async def weighed(cloud, caller, action):
    call = cloud.call(identity=caller)
    try:
        (permission,) = await s3.weigh(call, [Permission(action, ACTIONS[action][0])])
    except AwsError as error:
        if error.code != "AccessDenied":
            raise
        assert not call.premises, "a refused call is let into no bucket"
        return "refused"
    assert permission.action == action
    bucket = decode_bucket(cloud.store.rows[BUCKETS, keys.pack("bucket")])
    assert access.admits(call, bucket)
    return "granted" if permission.granted else "ask"


@settings(max_examples=300)
@given(
    st.tuples(
        st.sampled_from(["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter", ""]),
        st.sampled_from([0, 2, 8, 15]),
        GRANTS,
        st.sampled_from([OWNER, WRITER]),
        GRANTS,
        STATEMENTS,
    ),
    CALLERS,
)
def test_everyone_may_do_what_the_rules_say_and_no_more(setting, caller):
    async def run():
        cloud = TestCloud(s3)
        await build(cloud, setting)
        return {action: await weighed(cloud, caller, action) for action in ACTIONS}

    assert asyncio.run(run()) == {action: model(setting, caller, action) for action in ACTIONS}
