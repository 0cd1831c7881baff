"""Roles: identities that are put on. Who may is said by a role's trust policy."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atoll.base import ids
from atoll.operation import Call, Reply, Request
from atoll.services.iam import boundaries, records, rules, trust
from atoll.services.iam.pages import page_of_shelf
from atoll.services.iam.records import Role
from atoll.services.iam.service import iam
from atoll.services.iam.tags import register_tagging
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

ROLES_MAX = 1000
DESCRIPTION_CHARACTERS_MAX = 1000
SESSION_SECONDS_MIN = 3600
SESSION_SECONDS_MAX = 43_200


@iam.write("CreateRole")
async def create_role(call: Call, request: "types.CreateRoleRequest") -> Reply:
    name = rules.check_name("roleName", request["RoleName"])
    path = rules.check_path(request.get("Path", "/"))
    role = Role(
        name,
        path,
        f"AROA{ids.new_base32(records.ID_CHARACTERS)}",
        call.account,
        call.now,
        tags=rules.merge_tags({}, request.get("Tags", [])),
        description=_check_description(request.get("Description", "")),
        session_seconds_max=_check_seconds(request.get("MaxSessionDuration", SESSION_SECONDS_MIN)),
    )
    await trust.put_trust(call, role, request["AssumeRolePolicyDocument"])
    if await get(call, name) is not None:
        raise rules.exists(f"Role with name {name}")
    if len(await call.tx.scan(records.shelf(call.account, "roles"), b"", None, ROLES_MAX)) >= ROLES_MAX:
        raise rules.over_quota("RolesPerAccount", ROLES_MAX)
    if "PermissionsBoundary" in request:
        await boundaries.bound(call, role, request["PermissionsBoundary"])
    put(call, role)
    return {"Role": await describe(call, role)}


@iam.read("GetRole")
async def get_role(call: Call, request: "types.GetRoleRequest") -> Reply:
    return {"Role": await describe(call, await find(call, request["RoleName"]))}


@iam.read("ListRoles")
async def list_roles(call: Call, request: Request) -> Reply:
    prefix = request.get("PathPrefix", "/")

    def read(key: bytes, row: bytes) -> Role | None:
        role = records.decode_role(row)
        return role if role.path.startswith(prefix) else None

    page, rest = await page_of_shelf(call, records.shelf(call.account, "roles"), request, read)
    return {"Roles": [await describe(call, role, briefly=True) for role in page], **rest}


@iam.write("UpdateRole")
async def update_role(call: Call, request: "types.UpdateRoleRequest") -> Reply:
    role = await find(call, request["RoleName"])
    role.description = _check_description(request.get("Description", role.description))
    role.session_seconds_max = _check_seconds(request.get("MaxSessionDuration", role.session_seconds_max))
    put(call, role)
    return {}


@iam.write("UpdateRoleDescription")
async def update_role_description(call: Call, request: "types.UpdateRoleDescriptionRequest") -> Reply:
    role = await find(call, request["RoleName"])
    role.description = _check_description(request["Description"])
    put(call, role)
    return {"Role": await describe(call, role)}


@iam.write("UpdateAssumeRolePolicy")
async def update_assume_role_policy(call: Call, request: "types.UpdateAssumeRolePolicyRequest") -> Reply:
    role = await find(call, request["RoleName"])
    await trust.put_trust(call, role, request["PolicyDocument"])
    put(call, role)
    return {}


@iam.write("DeleteRole")
async def delete_role(call: Call, request: "types.DeleteRoleRequest") -> Reply:
    role = await find(call, request["RoleName"])
    if await profile_names(call, role.name):
        raise rules.delete_conflict("remove roles from instance profile")
    if role.inline:
        raise rules.delete_conflict("delete policies")
    if role.attached:
        raise rules.delete_conflict("detach all policies")
    boundaries.unlink(call, role)
    call.tx.delete(*records.entity_place(role))
    return {}


async def get(call: Call, name: str) -> Role | None:
    row = await call.tx.get(records.shelf(call.account, "roles"), records.name_key(name))
    return None if row is None else records.decode_role(row)


async def find(call: Call, name: str) -> Role:
    role = await get(call, name)
    if role is None:
        raise rules.no_such(f"The role with name {name}")
    return role


def put(call: Call, role: Role) -> None:
    call.tx.put(*records.entity_place(role), records.encode(role))


async def describe(call: Call, role: Role, *, briefly: bool = False) -> dict[str, Any]:
    """Lists leave out tags and boundaries."""
    described: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": rules.moment(role.created),
        "AssumeRolePolicyDocument": quote(await trust.current(call, role), safe=""),
        "MaxSessionDuration": role.session_seconds_max,
    }
    if role.description:
        described["Description"] = role.description
    if not briefly and role.tags:
        described["Tags"] = rules.tag_list(role.tags)
    if not briefly and role.boundary:
        described["PermissionsBoundary"] = boundaries.describe(role)
    return described


async def profile_names(call: Call, role_name: str) -> list[str]:
    """The instance profiles that carry the role, in lower case."""
    prefix = keys.pack(role_name.lower())
    rows = await call.tx.scan(records.shelf(call.account, "profiled"), prefix, keys.after(prefix), records.PROFILES_MAX)
    return [keys.unpack_text(key, len(prefix))[0].decode() for key, _ in rows]


def _check_description(text: str) -> str:
    return rules.check_length("description", text, DESCRIPTION_CHARACTERS_MAX)


def _check_seconds(seconds: int) -> int:
    if seconds < SESSION_SECONDS_MIN:
        raise rules.invalid(
            "maxSessionDuration", f"Member must have value greater than or equal to {SESSION_SECONDS_MIN}", str(seconds)
        )
    if seconds > SESSION_SECONDS_MAX:
        raise rules.invalid(
            "maxSessionDuration", f"Member must have value less than or equal to {SESSION_SECONDS_MAX}", str(seconds)
        )
    return seconds


register_tagging("Role", find, put)
