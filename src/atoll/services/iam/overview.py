"""An account at a glance: its counts and quotas, and everything it holds."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atoll.operation import Call, Reply, Request
from atoll.services.iam import (
    attachments,
    aws_managed,
    groups,
    instance_profiles,
    policies,
    records,
    roles,
    rules,
    trust,
    users,
)
from atoll.services.iam.pages import page_of
from atoll.services.iam.records import Entity, Group, Role, User
from atoll.services.iam.service import iam

if TYPE_CHECKING:
    from collections.abc import Callable

_KINDS = ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy")


@iam.read("GetAccountSummary")
async def get_account_summary(call: Call, request: Request) -> Reply:
    root_keys = await users.access_keys(call, "")
    policy_rows = await _rows(call, "policies", policies.POLICIES_MAX)
    quotas = {
        "UsersQuota": users.USERS_MAX,
        "GroupsQuota": groups.GROUPS_MAX,
        "RolesQuota": roles.ROLES_MAX,
        "PoliciesQuota": policies.POLICIES_MAX,
        "InstanceProfilesQuota": records.PROFILES_MAX,
        "PolicySizeQuota": records.POLICY_CHARACTERS_MAX,
        "VersionsPerPolicyQuota": policies.VERSIONS_MAX,
        "AssumeRolePolicySizeQuota": trust.TRUST_CHARACTERS_MAX,
        "GroupsPerUserQuota": groups.GROUPS_PER_USER_MAX,
        "AccessKeysPerUserQuota": users.KEYS_PER_USER_MAX,
    }
    for noun in attachments.NOUNS:
        quotas[f"{noun.name}PolicySizeQuota"] = noun.inline_characters_max
        quotas[f"AttachedPoliciesPer{noun.name}Quota"] = attachments.ATTACHED_MAX
    counts = {
        "Users": len(await _rows(call, "users", users.USERS_MAX)),
        "Groups": len(await _rows(call, "groups", groups.GROUPS_MAX)),
        "Roles": len(await _rows(call, "roles", roles.ROLES_MAX)),
        "InstanceProfiles": len(await _rows(call, "profiles", records.PROFILES_MAX)),
        "Policies": len(policy_rows),
        "AccountAccessKeysPresent": int(bool(root_keys)),
        "AccountMFAEnabled": 0,
        "MFADevices": 0,
        "MFADevicesInUse": 0,
        "Providers": 0,
        "ServerCertificates": 0,
    }
    return {"SummaryMap": counts | quotas}


@iam.read("GetAccountAuthorizationDetails")
async def get_account_authorization_details(call: Call, request: Request) -> Reply:
    wanted = request.get("Filter") or _KINDS
    for kind in wanted:
        if kind not in _KINDS:
            raise rules.invalid("filter", f"Member must satisfy enum value set: [{', '.join(_KINDS)}]", kind)
    found: list[tuple[str, Any]] = []
    decoders: dict[str, tuple[Callable[[bytes], Any], int]] = {
        "User": (records.decode_user, users.USERS_MAX),
        "Group": (records.decode_group, groups.GROUPS_MAX),
        "Role": (records.decode_role, roles.ROLES_MAX),
        "LocalManagedPolicy": (records.decode_policy, policies.POLICIES_MAX),
    }
    for kind, (decode, most) in decoders.items():
        shelf = "policies" if kind == "LocalManagedPolicy" else f"{kind.lower()}s"
        rows = await _rows(call, shelf, most) if kind in wanted else []
        found += [(f"{kind}/{decode(row).name.lower()}", decode(row)) for _, row in rows]
    if "AWSManagedPolicy" in wanted:
        found += [(f"AWSManagedPolicy/{arn}", arn) for arn in aws_managed.DOCUMENTS if await policies.in_use(call, arn)]
    page, rest = page_of(found, request, lambda item: item[0])
    reply: Reply = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], **rest}
    for key, record in page:
        kind = key.partition("/")[0]
        member = "Policies" if kind.endswith("Policy") else f"{kind}DetailList"
        reply[member].append(await _detail(call, record))
    return reply


async def _rows(call: Call, kind: str, most: int) -> list[tuple[bytes, bytes]]:
    rows: list[tuple[bytes, bytes]] = await call.tx.scan(records.shelf(call.account, kind), b"", None, most)
    return rows


async def _detail(call: Call, record: Any) -> dict[str, Any]:
    if isinstance(record, User):
        return users.describe(record) | _policies_of(record) | {"GroupList": record.groups}
    if isinstance(record, Group):
        return groups.describe(record) | _policies_of(record)
    if isinstance(record, Role):
        return await _role_detail(call, record)
    return await policies.detail(call, record)


async def _role_detail(call: Call, role: Role) -> dict[str, Any]:
    described = await roles.describe(call, role)
    # These two are not among a detail's members.
    described.pop("MaxSessionDuration")
    described.pop("Description", None)
    names = await roles.profile_names(call, role.name)
    found = await call.tx.get_many(
        [(records.shelf(call.account, "profiles"), records.name_key(name)) for name in names]
    )
    profiles = [records.decode_profile(row) for row in found if row is not None]
    carried = [await instance_profiles.describe(call, profile, briefly=True) for profile in profiles]
    return described | _policies_of(role) | {"InstanceProfileList": carried}


def _policies_of(entity: Entity) -> dict[str, Any]:
    inline = [{"PolicyName": name, "PolicyDocument": quote(text, safe="")} for name, text in entity.inline.items()]
    attached = attachments.describe_attached(entity.attached)
    return {f"{type(entity).__name__}PolicyList": inline, "AttachedManagedPolicies": attached}
