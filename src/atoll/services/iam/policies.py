"""Managed policies, their versions, and where they are in use."""

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atoll.aws.errors import AwsError
from atoll.aws.policy import compile_policy
from atoll.base import ids
from atoll.operation import Call, Reply, Request
from atoll.services.iam import aws_managed, boundaries, records, rules
from atoll.services.iam.pages import page_of
from atoll.services.iam.records import AWS_POLICY_PREFIX, ManagedPolicy, PolicyVersion
from atoll.services.iam.service import iam
from atoll.services.iam.tags import register_tagging
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

POLICIES_MAX = 1500
VERSIONS_MAX = 5
NAME_CHARACTERS_MAX = 128
DESCRIPTION_CHARACTERS_MAX = 1000

_PATH = re.compile(r"((/[A-Za-z0-9.,+@=_-]+)*)/")


@iam.write("CreatePolicy")
async def create_policy(call: Call, request: "types.CreatePolicyRequest") -> Reply:
    name = rules.check_name("policyName", request["PolicyName"], NAME_CHARACTERS_MAX)
    path = rules.check_path(request.get("Path", "/"))
    if not _PATH.fullmatch(path):
        raise rules.invalid(
            "path", r"Member must satisfy regular expression pattern: ((/[A-Za-z0-9\.,\+@=_-]+)*)/", path
        )
    tags = rules.merge_tags({}, request.get("Tags", []))
    document = _checked(request["PolicyDocument"])
    shelf = records.shelf(call.account, "policies")
    if await call.tx.get(shelf, records.name_key(name)) is not None:
        raise AwsError(
            "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed.", 409
        )
    if len(await call.tx.scan(shelf, b"", None, POLICIES_MAX)) >= POLICIES_MAX:
        raise rules.over_quota("PoliciesPerAccount", POLICIES_MAX)
    policy = ManagedPolicy(
        name,
        path,
        f"ANPA{ids.new_base32(records.ID_CHARACTERS)}",
        call.account,
        call.now,
        call.now,
        document,
        description=rules.check_length("description", request.get("Description", ""), DESCRIPTION_CHARACTERS_MAX),
        tags=tags,
    )
    _put(call, policy)
    _put_version(call, policy, PolicyVersion(1, document, call.now))
    return {"Policy": await _describe(call, policy, briefly=True) | ({"Tags": rules.tag_list(tags)} if tags else {})}


@iam.read("GetPolicy")
async def get_policy(call: Call, request: "types.GetPolicyRequest") -> Reply:
    arn = request["PolicyArn"]
    if arn in aws_managed.DOCUMENTS:
        return {"Policy": await _describe_aws(call, arn)}
    return {"Policy": await _describe(call, await find(call, arn))}


@iam.read("ListPolicies")
async def list_policies(call: Call, request: Request) -> Reply:
    scope = request.get("Scope", "All")
    if scope not in {"All", "AWS", "Local"}:
        raise rules.invalid("scope", "Member must satisfy enum value set: [AWS, Local, All]", scope)
    found: list[dict[str, Any]] = []
    if scope != "AWS":
        rows = await call.tx.scan(records.shelf(call.account, "policies"), b"", None, POLICIES_MAX)
        found += [await _describe(call, records.decode_policy(row), briefly=True) for _, row in rows]
    if scope != "Local":
        found += [await _describe_aws(call, arn) for arn in aws_managed.DOCUMENTS]
    page, rest = page_of([one for one in found if _wanted(one, request)], request, lambda one: str(one["Arn"]))
    return {"Policies": page, **rest}


@iam.write("DeletePolicy")
async def delete_policy(call: Call, request: "types.DeletePolicyRequest") -> Reply:
    policy = await find(call, request["PolicyArn"])
    if await in_use(call, policy.arn):
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    versions = await _versions(call, policy)
    if len(versions) > 1:
        raise AwsError(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy.",
            409,
        )
    call.tx.delete(records.shelf(policy.account, "versions"), _version_key(policy, policy.default_version))
    call.tx.delete(records.shelf(policy.account, "policies"), records.name_key(policy.name))
    return {}


@iam.write("CreatePolicyVersion")
async def create_policy_version(call: Call, request: "types.CreatePolicyVersionRequest") -> Reply:
    document = _checked(request["PolicyDocument"])
    policy = await find(call, request["PolicyArn"])
    if len(await _versions(call, policy)) >= VERSIONS_MAX:
        raise AwsError(
            "LimitExceeded",
            f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you must delete "
            "an existing version.",
            409,
        )
    version = PolicyVersion(policy.next_version, document, call.now)
    policy.next_version += 1
    policy.updated = call.now
    if request.get("SetAsDefault"):
        policy.default_version, policy.document = version.number, document
    _put(call, policy)
    _put_version(call, policy, version)
    return {"PolicyVersion": _describe_version(policy, version, with_document=False)}


@iam.write("SetDefaultPolicyVersion")
async def set_default_policy_version(call: Call, request: "types.SetDefaultPolicyVersionRequest") -> Reply:
    policy = await find(call, request["PolicyArn"])
    version = await _find_version(call, policy, request["VersionId"])
    policy.default_version, policy.document, policy.updated = version.number, version.document, call.now
    _put(call, policy)
    return {}


@iam.write("DeletePolicyVersion")
async def delete_policy_version(call: Call, request: "types.DeletePolicyVersionRequest") -> Reply:
    policy = await find(call, request["PolicyArn"])
    version = await _find_version(call, policy, request["VersionId"])
    if version.number == policy.default_version:
        raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.", 409)
    call.tx.delete(records.shelf(policy.account, "versions"), _version_key(policy, version.number))
    return {}


@iam.read("GetPolicyVersion")
async def get_policy_version(call: Call, request: "types.GetPolicyVersionRequest") -> Reply:
    arn = request["PolicyArn"]
    if arn in aws_managed.DOCUMENTS:
        if request["VersionId"] != aws_managed.VERSION_ID:
            raise _no_version(arn, request["VersionId"])
        return {"PolicyVersion": _aws_version(arn, with_document=True)}
    policy = await find(call, arn)
    version = await _find_version(call, policy, request["VersionId"])
    return {"PolicyVersion": _describe_version(policy, version, with_document=True)}


@iam.read("ListPolicyVersions")
async def list_policy_versions(call: Call, request: Request) -> Reply:
    arn = request["PolicyArn"]
    if arn in aws_managed.DOCUMENTS:
        versions = [_aws_version(arn, with_document=False)]
    else:
        policy = await find(call, arn)
        versions = [_describe_version(policy, one, with_document=False) for one in await _versions(call, policy)]
    # Newest first, as AWS lists them.
    page, rest = page_of(versions, request, lambda version: f"{10**18 - int(version['VersionId'][1:]):019}")
    return {"Versions": page, **rest}


@iam.read("ListEntitiesForPolicy")
async def list_entities_for_policy(call: Call, request: Request) -> Reply:
    arn = request["PolicyArn"]
    if arn not in aws_managed.DOCUMENTS:
        await find(call, arn)
    usage = request.get("PolicyUsageFilter")
    found = await boundaries.entities(call, "attached", arn) if usage != "PermissionsBoundary" else []
    found += await boundaries.entities(call, "bounded", arn) if usage != "PermissionsPolicy" else []
    wanted = request.get("EntityFilter", "").lower()
    entities = [
        entity
        for kind, name in sorted(set(found))
        if wanted in {"", kind} and (entity := await records.get_entity(call.tx, call.account, kind, name)) is not None
    ]
    prefix = request.get("PathPrefix", "/")
    inside = [entity for entity in entities if entity.path.startswith(prefix)]
    page, rest = page_of(inside, request, lambda entity: f"{entity.kind}/{entity.name}")
    listed = {
        f"Policy{noun}s": [{f"{noun}Name": one.name, f"{noun}Id": one.id} for one in page if one.kind == noun.lower()]
        for noun in ("User", "Group", "Role")
    }
    return {**listed, **rest}


async def find(call: Call, arn: str) -> ManagedPolicy:
    if not arn.startswith("arn:aws:iam::") or ":policy/" not in arn:
        raise AwsError("ValidationError", f"ARN {arn} is not valid.", 400)
    if arn in aws_managed.DOCUMENTS:
        raise AwsError("AccessDenied", f"{arn} belongs to AWS: it cannot be changed.", 403)
    row = await call.tx.get(records.shelf(call.account, "policies"), records.name_key(arn.rsplit("/", 1)[1]))
    policy = records.decode_policy(row) if row is not None else None
    if policy is None or policy.arn != arn:
        raise rules.no_policy(arn)
    return policy


async def in_use(call: Call, arn: str) -> bool:
    return bool(await _users_of(call, "attached", arn) or await _users_of(call, "bounded", arn))


async def detail(call: Call, policy: ManagedPolicy | str) -> dict[str, Any]:
    """With all versions and their documents; AWS's own are given by their ARN."""
    if isinstance(policy, str):
        return await _describe_aws(call, policy) | {"PolicyVersionList": [_aws_version(policy, with_document=True)]}
    versions = [_describe_version(policy, one, with_document=True) for one in await _versions(call, policy)]
    described = await _describe(call, policy, briefly=True)
    if policy.description:
        described["Description"] = policy.description
    return described | {"PolicyVersionList": versions}


def _checked(text: str) -> str:
    # Size first: compiling takes time with the length.
    if rules.document_characters(text) > records.POLICY_CHARACTERS_MAX:
        raise rules.over_quota("PolicySize", records.POLICY_CHARACTERS_MAX)
    compile_policy(text)
    return text


def _put(call: Call, policy: ManagedPolicy) -> None:
    call.tx.put(records.shelf(policy.account, "policies"), records.name_key(policy.name), records.encode(policy))


def _put_version(call: Call, policy: ManagedPolicy, version: PolicyVersion) -> None:
    shelf = records.shelf(policy.account, "versions")
    call.tx.put(shelf, _version_key(policy, version.number), records.encode(version))


def _version_key(policy: ManagedPolicy, number: int) -> bytes:
    return keys.pack(policy.name.lower(), number)


async def _versions(call: Call, policy: ManagedPolicy) -> list[PolicyVersion]:
    prefix = records.name_key(policy.name)
    rows = await call.tx.scan(records.shelf(policy.account, "versions"), prefix, keys.after(prefix), VERSIONS_MAX)
    return [records.decode_version(row) for _, row in rows]


async def _find_version(call: Call, policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    number = re.fullmatch(r"v([1-9]\d{0,17})", version_id, re.ASCII)
    if number is None:
        raise rules.invalid("versionId", r"Member must satisfy regular expression pattern: v[1-9][0-9]*", version_id)
    row = await call.tx.get(records.shelf(policy.account, "versions"), _version_key(policy, int(number.group(1))))
    if row is None:
        raise _no_version(policy.arn, version_id)
    return records.decode_version(row)


def _no_version(arn: str, version_id: str) -> AwsError:
    return AwsError("NoSuchEntity", f"Policy {arn} version {version_id} does not exist or is not attachable.", 404)


def _describe_version(policy: ManagedPolicy, version: PolicyVersion, *, with_document: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "VersionId": f"v{version.number}",
        "IsDefaultVersion": version.number == policy.default_version,
        "CreateDate": rules.moment(version.created),
    }
    return described | {"Document": quote(version.document, safe="")} if with_document else described


def _aws_version(arn: str, *, with_document: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "VersionId": aws_managed.VERSION_ID,
        "IsDefaultVersion": True,
        "CreateDate": rules.moment(aws_managed.CREATED),
    }
    return described | {"Document": quote(aws_managed.DOCUMENTS[arn], safe="")} if with_document else described


async def _users_of(call: Call, kind: str, arn: str) -> int:
    return len(await boundaries.entities(call, kind, arn))


async def _describe(call: Call, policy: ManagedPolicy, *, briefly: bool = False) -> dict[str, Any]:
    """Lists leave out descriptions and tags."""
    described: dict[str, Any] = {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": f"v{policy.default_version}",
        "AttachmentCount": await _users_of(call, "attached", policy.arn),
        "PermissionsBoundaryUsageCount": await _users_of(call, "bounded", policy.arn),
        "IsAttachable": True,
        "CreateDate": rules.moment(policy.created),
        "UpdateDate": rules.moment(policy.updated),
    }
    if policy.description and not briefly:
        described["Description"] = policy.description
    if policy.tags and not briefly:
        described["Tags"] = rules.tag_list(policy.tags)
    return described


async def _describe_aws(call: Call, arn: str) -> dict[str, Any]:
    tail = arn.removeprefix(AWS_POLICY_PREFIX)
    return {
        "PolicyName": tail.rsplit("/", 1)[-1],
        # AWS's ids of these are as fixed as their ARNs; nobody compares them.
        "PolicyId": f"ANPA{sha256(arn.encode()).hexdigest()[: records.ID_CHARACTERS].upper()}",
        "Arn": arn,
        "Path": f"/{tail[: tail.rfind('/') + 1]}",
        "DefaultVersionId": aws_managed.VERSION_ID,
        "AttachmentCount": await _users_of(call, "attached", arn),
        "PermissionsBoundaryUsageCount": await _users_of(call, "bounded", arn),
        "IsAttachable": True,
        "CreateDate": rules.moment(aws_managed.CREATED),
        "UpdateDate": rules.moment(aws_managed.CREATED),
    }


def _wanted(policy: dict[str, Any], request: Request) -> bool:
    if not policy["Path"].startswith(request.get("PathPrefix", "/")):
        return False
    if request.get("OnlyAttached") and not policy["AttachmentCount"]:
        return False
    usage = request.get("PolicyUsageFilter")
    if usage == "PermissionsBoundary":
        return bool(policy["PermissionsBoundaryUsageCount"])
    return True


register_tagging("Policy", find, _put, "PolicyArn")
