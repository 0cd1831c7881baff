"""Instance profiles: how an instance gets a role. Each carries one at most."""

from typing import TYPE_CHECKING, Any

from atoll.base import ids
from atoll.operation import Call, Reply, Request
from atoll.services.iam import records, roles, rules
from atoll.services.iam.pages import page_of_shelf
from atoll.services.iam.records import InstanceProfile
from atoll.services.iam.service import iam
from atoll.services.iam.tags import register_tagging

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

PROFILE_NAME_CHARACTERS_MAX = 128


@iam.write("CreateInstanceProfile")
async def create_instance_profile(call: Call, request: "types.CreateInstanceProfileRequest") -> Reply:
    name = rules.check_name("instanceProfileName", request["InstanceProfileName"], PROFILE_NAME_CHARACTERS_MAX)
    path = rules.check_path(request.get("Path", "/"))
    tags = rules.merge_tags({}, request.get("Tags", []))
    if await _get(call, name) is not None:
        raise rules.exists(f"Instance Profile {name}")
    shelf = records.shelf(call.account, "profiles")
    if len(await call.tx.scan(shelf, b"", None, records.PROFILES_MAX)) >= records.PROFILES_MAX:
        raise rules.over_quota("InstanceProfilesPerAccount", records.PROFILES_MAX)
    profile = InstanceProfile(
        name, path, f"AIPA{ids.new_base32(records.ID_CHARACTERS)}", call.account, call.now, tags=tags
    )
    _put(call, profile)
    return {"InstanceProfile": await describe(call, profile)}


@iam.read("GetInstanceProfile")
async def get_instance_profile(call: Call, request: "types.GetInstanceProfileRequest") -> Reply:
    return {"InstanceProfile": await describe(call, await _find(call, request["InstanceProfileName"]))}


@iam.read("ListInstanceProfiles")
async def list_instance_profiles(call: Call, request: Request) -> Reply:
    prefix = request.get("PathPrefix", "/")

    def read(key: bytes, row: bytes) -> InstanceProfile | None:
        profile = records.decode_profile(row)
        return profile if profile.path.startswith(prefix) else None

    page, rest = await page_of_shelf(call, records.shelf(call.account, "profiles"), request, read)
    return {"InstanceProfiles": [await describe(call, profile, briefly=True) for profile in page], **rest}


@iam.read("ListInstanceProfilesForRole")
async def list_instance_profiles_for_role(call: Call, request: Request) -> Reply:
    role = await roles.find(call, request["RoleName"])
    prefix = records.name_key(role.name)

    def read(key: bytes, row: bytes) -> bytes:
        return key[len(prefix) :]

    page, rest = await page_of_shelf(call, records.shelf(call.account, "profiled"), request, read, prefix)
    rows = await call.tx.get_many([(records.shelf(call.account, "profiles"), name) for name in page])
    found = [records.decode_profile(row) for row in rows if row is not None]
    return {"InstanceProfiles": [await describe(call, profile, briefly=True) for profile in found], **rest}


@iam.write("AddRoleToInstanceProfile")
async def add_role_to_instance_profile(call: Call, request: "types.AddRoleToInstanceProfileRequest") -> Reply:
    profile = await _find(call, request["InstanceProfileName"])
    role = await roles.find(call, request["RoleName"])
    if profile.role:
        raise rules.over_quota("InstanceSessionsPerInstanceProfile", 1)
    profile.role = role.name
    _put(call, profile)
    call.tx.put(records.shelf(call.account, "profiled"), records.name_key(role.name, profile.name), b"")
    return {}


@iam.write("RemoveRoleFromInstanceProfile")
async def remove_role_from_instance_profile(call: Call, request: "types.RemoveRoleFromInstanceProfileRequest") -> Reply:
    profile = await _find(call, request["InstanceProfileName"])
    if profile.role.lower() != request["RoleName"].lower():
        raise rules.no_such(f"The role with name {request['RoleName']}")
    call.tx.delete(records.shelf(call.account, "profiled"), records.name_key(profile.role, profile.name))
    profile.role = ""
    _put(call, profile)
    return {}


@iam.write("DeleteInstanceProfile")
async def delete_instance_profile(call: Call, request: "types.DeleteInstanceProfileRequest") -> Reply:
    profile = await _find(call, request["InstanceProfileName"])
    if profile.role:
        raise rules.delete_conflict("remove roles from instance profile")
    call.tx.delete(records.shelf(call.account, "profiles"), records.name_key(profile.name))
    return {}


async def describe(call: Call, profile: InstanceProfile, *, briefly: bool = False) -> dict[str, Any]:
    role = await roles.get(call, profile.role) if profile.role else None
    described: dict[str, Any] = {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.id,
        "Arn": profile.arn,
        "CreateDate": rules.moment(profile.created),
        "Roles": [await roles.describe(call, role, briefly=True)] if role is not None else [],
    }
    if profile.tags and not briefly:
        described["Tags"] = rules.tag_list(profile.tags)
    return described


async def _get(call: Call, name: str) -> InstanceProfile | None:
    row = await call.tx.get(records.shelf(call.account, "profiles"), records.name_key(name))
    return None if row is None else records.decode_profile(row)


async def _find(call: Call, name: str) -> InstanceProfile:
    profile = await _get(call, name)
    if profile is None:
        raise rules.no_such(f"Instance Profile {name}")
    return profile


def _put(call: Call, profile: InstanceProfile) -> None:
    call.tx.put(records.shelf(profile.account, "profiles"), records.name_key(profile.name), records.encode(profile))


register_tagging("InstanceProfile", _find, _put)
