"""Who may do what to buckets and objects: what bucket policies, ACLs and public access blocks say, before IAM is asked.

    explicit denial anywhere       refused, the account's root too (but for the policy itself)
    the owner's own account        IAM's policies or the bucket's or the ACL
    another account                its own IAM policies, and the bucket's policy or the ACL
    nobody known                   the bucket's policy or the ACL

The owner is the bucket's account; of reading an object, and of its ACL, the account that owns the object. What a judgement rests on
(the bucket's id, an object's owner, ACL and tags) is noted in `call.premises`, and the operation's own view is held to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, Verdict, compile_policy
from atoll.aws.policy_principals import Caller
from atoll.facts import Facts, Principal, principal_behind
from atoll.operation import Call, Permission
from atoll.services.s3 import bucket_policy, grants, names, versions
from atoll.services.s3.records import (
    BUCKET_OWNER_ENFORCED,
    BUCKETS,
    Block,
    Bucket,
    Document,
    Version,
    decode_bucket,
)
from atoll.services.s3.service import AlongPut, OnNewBucket, s3
from atoll.store import Conflict, Reader, keys

_BUCKET_ACL = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:ListBucketMultipartUploads": "READ",
    "s3:PutObject": "WRITE",
    "s3:DeleteObject": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
    "s3:PutBucketAcl": "WRITE_ACP",
}
# Here the object's owner stands where elsewhere the bucket's does.
_OBJECT_ACL = {
    "s3:GetObject": "READ",
    "s3:GetObjectVersion": "READ",
    "s3:GetObjectAcl": "READ_ACP",
    "s3:GetObjectVersionAcl": "READ_ACP",
    "s3:PutObjectAcl": "WRITE_ACP",
    "s3:PutObjectVersionAcl": "WRITE_ACP",
}
_OBJECTS_OWN = frozenset({*_OBJECT_ACL, "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"})
_TAGGED = _OBJECTS_OWN | {
    f"s3:{verb}Object{version}Tagging" for verb in ("Get", "Put", "Delete") for version in ("", "Version")
}
_ROOT_ALWAYS = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
_LIST = "s3:ListBucket"


class Outcome(Enum):
    REFUSED = "refused"
    DENIED = "denied"
    OWN_POLICIES = "own policies"  # The caller's own policies decide.
    GRANTED = "granted"  # Only a denial of the caller's own could still refuse.


@dataclass(frozen=True, slots=True)
class Question:
    """All that the decision depends on."""

    caller: str | None  # Account; None is nobody known.
    bucket_owner: str
    owner: str  # Of what the action is about: the bucket, or the object.
    verdict: Verdict = Verdict.SILENT  # The bucket policy's.
    by_acl: bool = False
    restricted: bool = False  # RestrictPublicBuckets, and the policy is public.


def decide(question: Question) -> Outcome:
    if question.verdict is Verdict.DENIED:
        return Outcome.DENIED
    if question.restricted and question.caller != question.bucket_owner:
        return Outcome.REFUSED
    # A bucket's policy shares only what belongs to the bucket's owner.
    verdict = question.verdict if question.owner == question.bucket_owner else Verdict.SILENT
    if question.caller is not None and question.caller == question.owner:
        return Outcome.GRANTED if verdict is Verdict.ALLOWED or question.by_acl else Outcome.OWN_POLICIES
    if verdict is Verdict.SILENT and not question.by_acl:
        return Outcome.REFUSED
    return Outcome.GRANTED if question.caller is None else Outcome.OWN_POLICIES


async def weigh(call: Call, permissions: Sequence[Permission]) -> Sequence[Permission]:
    """What is left to ask of IAM. Most calls are for a plain bucket of the caller's account: one read, and IAM decides all."""
    if call.identity.kind == "service":
        return permissions
    weighed: list[Permission] = []
    rows: dict[str, bytes | None] = {}
    for permission in permissions:
        resource = permission.resource
        if not resource.startswith(names.BUCKET_ARN_PREFIX) or isinstance(permission, OnNewBucket):
            weighed.append(permission)
            continue
        name, _, key = resource[len(names.BUCKET_ARN_PREFIX) :].partition("/")
        if name not in rows:
            rows[name] = await call.cloud.store.get(BUCKETS, keys.pack(name))
        row = rows[name]
        if row is None:
            if call.identity.kind == "anonymous":
                raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404, BucketName=name)
            weighed.append(permission)
        elif _is_plain(call, _bucket_of(row), permission):
            weighed.append(permission)
        else:
            weighed.append(await _weigh_one(call, name, key, permission))
    return weighed


def admits(call: Call, bucket: Bucket) -> bool:
    """Whether an operation may look into this bucket: its account's own may, others once their call was weighed."""
    return bucket.account == call.account or bucket.id in call.premises


def hold(call: Call, bucket: Bucket, key: str, version: Version | None) -> None:
    """Raises Conflict when the object is no longer what was judged: the client asks again, and is judged again."""
    judged: dict[str, Any] = call.premises.get(bucket.id, {})
    if key in judged and judged[key] != _premise(version):
        raise Conflict("the object has changed since access to it was judged")


@lru_cache(maxsize=1024)
def _bucket_of(row: bytes) -> Bucket:
    """Only to be read: it is shared."""
    bucket: Bucket = decode_bucket(row)
    return bucket


def _is_plain(call: Call, bucket: Bucket, permission: Permission) -> bool:
    identity = call.identity
    if identity.account != bucket.account or identity.kind == "anonymous":
        return False
    if bucket.has_policy or bucket.ownership != BUCKET_OWNER_ENFORCED:
        return False
    # An IAM policy may ask about an object's tags; a root has none.
    return identity.kind == "root" or permission.action not in _TAGGED


async def _weigh_one(call: Call, name: str, key: str, permission: Permission) -> Permission:
    async with call.cloud.store.snapshot() as reader:
        scene = await _scene(call, reader, name, key, permission)
    if scene is None:
        return permission
    judge = await _judge(call, scene)
    outcome = judge.outcome(permission)
    if outcome is Outcome.REFUSED and scene.missing and permission.action in _OBJECT_ACL:
        # There is nothing to read; whoever may list the bucket may know.
        listing = Permission(_LIST, names.bucket_arn(name), {"s3:prefix": key})
        outcome = judge.outcome(listing)
    if outcome in {Outcome.REFUSED, Outcome.DENIED}:
        raise _refusal(call, permission, outcome)
    judged = call.premises.setdefault(scene.bucket.id, {})
    if scene.looked:
        judged[key] = _premise(scene.version)
    return replace(
        permission, granted=outcome is Outcome.GRANTED, context={**permission.context, **_tag_context(scene.version)}
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """What the store knows of what was asked about, all in one view."""

    bucket: Bucket
    document: Document | None
    key: str
    looked: bool  # Whether the object was looked for.
    version: Version | None

    @property
    def missing(self) -> bool:
        return self.looked and (self.version is None or self.version.delete_marker)


async def _scene(call: Call, reader: Reader, name: str, key: str, permission: Permission) -> Scene | None:
    row = await reader.get(BUCKETS, keys.pack(name))
    if row is None:
        return None
    bucket = _bucket_of(row)
    document = await bucket_policy.load(reader, bucket) if bucket.has_policy else None
    looked = bool(key) and permission.action in _TAGGED and not isinstance(permission, AlongPut)
    found = None
    if looked:
        version_id = permission.context.get("s3:VersionId")
        found = await (
            versions.current(reader, bucket, key)
            if version_id is None
            else versions.find(reader, bucket, key, version_id)
        )
    return Scene(bucket, document, key, looked, found[1] if found else None)


@dataclass(frozen=True, slots=True)
class Judge:
    """One caller before one scene."""

    call: Call
    scene: Scene
    principal: Principal
    caller: Caller

    def outcome(self, permission: Permission) -> Outcome:
        bucket, identity = self.scene.bucket, self.call.identity
        restricted = (
            bucket.blocks(Block.RestrictPublicBuckets)
            and self.scene.document is not None
            and bucket_policy.is_public(self.scene.document.text)
        )
        verdict = self._verdict(permission)
        if identity.kind == "root" and identity.account == bucket.account and permission.action in _ROOT_ALWAYS:
            verdict = Verdict.SILENT
        return decide(
            Question(
                caller=None if identity.kind == "anonymous" else identity.account,
                bucket_owner=bucket.account,
                owner=self._owner(permission),
                verdict=verdict,
                by_acl=self._by_acl(permission),
                restricted=restricted,
            )
        )

    def _verdict(self, permission: Permission) -> Verdict:
        if self.scene.document is None:
            return Verdict.SILENT
        compiled = compile_policy(self.scene.document.text, Use.RESOURCE)
        facts = Facts(self.call, self.principal, permission.context, _tag_context(self.scene.version))
        verdict = compiled.judge_for(self.caller, permission.action.lower(), permission.resource, facts)
        if isinstance(permission, AlongPut) and verdict is Verdict.SILENT:
            return compiled.judge_for(self.caller, "s3:putobject", permission.resource, facts)
        return verdict

    def _owner(self, permission: Permission) -> str:
        bucket, version = self.scene.bucket, self.scene.version
        own = permission.action in _OBJECTS_OWN and not isinstance(permission, AlongPut)
        if own and version is not None and not version.delete_marker and bucket.ownership != BUCKET_OWNER_ENFORCED:
            return version.owner
        return bucket.account

    def _by_acl(self, permission: Permission) -> bool:
        bucket, version = self.scene.bucket, self.scene.version
        if bucket.ownership == BUCKET_OWNER_ENFORCED:
            return False
        action = "s3:PutObject" if isinstance(permission, AlongPut) else permission.action
        if action in _BUCKET_ACL:
            wanted, acl, owner = _BUCKET_ACL[action], bucket.acl, bucket.account
        elif action in _OBJECT_ACL and version is not None and not version.delete_marker:
            wanted, acl, owner = _OBJECT_ACL[action], version.acl, version.owner
        else:
            return False
        return grants.grants(grants.effective(acl, owner), self._grantees(owner), wanted)

    def _grantees(self, owner: str) -> frozenset[str]:
        """What the caller goes by in ACLs. What an account was granted is for its own policies to hand on, also to the owner's."""
        identity = self.call.identity
        known = identity.kind != "anonymous"
        groups = {grants.ALL_USERS, grants.AUTHENTICATED_USERS} if known else {grants.ALL_USERS}
        if self.scene.bucket.blocks(Block.IgnorePublicAcls):
            groups = set()
        return frozenset(
            groups | {names.canonical_id(identity.account)} if known and identity.account != owner else groups
        )


async def _judge(call: Call, scene: Scene) -> Judge:
    identity = call.identity
    canonical = names.canonical_id(identity.account)
    if scene.document is None or identity.kind == "anonymous":
        return Judge(call, scene, Principal(identity.arn), Caller(identity.account, frozenset({identity.arn} - {""})))
    principal = await principal_behind(call, scene.document.text)
    unique_id = identity.user_id.partition(":")[0]
    known = scene.document.known
    called = {arn for arn in (identity.arn, principal.arn) if known.get(arn, unique_id) == unique_id}
    # A root's id is its account's number, which in a policy means the whole account.
    called |= {unique_id} - {identity.account}
    return Judge(call, scene, principal, Caller(identity.account, frozenset(called), canonical=canonical))


def _tag_context(version: Version | None) -> dict[str, Any]:
    if version is None or not version.tags:
        return {}
    return {f"s3:ExistingObjectTag/{key}": value for key, value in version.tags}


def _premise(version: Version | None) -> Any:
    return None if version is None else (version.owner, version.acl, version.tags, version.delete_marker)


def _refusal(call: Call, permission: Permission, outcome: Outcome) -> AwsError:
    if call.identity.kind == "anonymous":
        return AwsError("AccessDenied", "Access Denied", 403)
    reason = (
        "with an explicit deny in a resource-based policy"
        if outcome is Outcome.DENIED
        else f"because no resource-based policy allows the {permission.action} action"
    )
    return AwsError(
        "AccessDenied",
        f"User: {call.identity.arn} is not authorized to perform: {permission.action} on resource: "
        f'"{permission.resource}" {reason}',
        403,
    )


s3.weigh = weigh
