"""Groups: users that share policies."""

from typing import TYPE_CHECKING, Any

from atoll.base import ids
from atoll.operation import Call, Reply, Request
from atoll.services.iam import boundaries, records, rules, users
from atoll.services.iam.pages import page_of, page_of_shelf
from atoll.services.iam.records import Group
from atoll.services.iam.service import iam
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

GROUPS_MAX = 300
GROUP_NAME_CHARACTERS_MAX = 128
GROUPS_PER_USER_MAX = 10


@iam.write("CreateGroup")
async def create_group(call: Call, request: "types.CreateGroupRequest") -> Reply:
    name = rules.check_name("groupName", request["GroupName"], GROUP_NAME_CHARACTERS_MAX)
    path = rules.check_path(request.get("Path", "/"))
    if await get(call, name) is not None:
        raise rules.exists(f"Group with name {name}")
    if len(await call.tx.scan(records.shelf(call.account, "groups"), b"", None, GROUPS_MAX)) >= GROUPS_MAX:
        raise rules.over_quota("GroupsPerAccount", GROUPS_MAX)
    group = Group(name, path, f"AGPA{ids.new_base32(records.ID_CHARACTERS)}", call.account, call.now)
    put(call, group)
    return {"Group": describe(group)}


@iam.read("GetGroup")
async def get_group(call: Call, request: Request) -> Reply:
    group = await find(call, request["GroupName"])

    def read(key: bytes, row: bytes) -> bytes:
        return key[len(prefix) :]

    prefix = records.name_key(group.name)
    page, rest = await page_of_shelf(call, records.shelf(call.account, "members"), request, read, prefix)
    rows = await call.tx.get_many([(records.shelf(call.account, "users"), name) for name in page])
    members = [users.describe(records.decode_user(row), briefly=True) for row in rows if row is not None]
    return {"Group": describe(group), "Users": members, **rest}


@iam.read("ListGroups")
async def list_groups(call: Call, request: Request) -> Reply:
    prefix = request.get("PathPrefix", "/")

    def read(key: bytes, row: bytes) -> dict[str, Any] | None:
        group = records.decode_group(row)
        return describe(group) if group.path.startswith(prefix) else None

    page, rest = await page_of_shelf(call, records.shelf(call.account, "groups"), request, read)
    return {"Groups": page, **rest}


@iam.read("ListGroupsForUser")
async def list_groups_for_user(call: Call, request: Request) -> Reply:
    user = await users.find(call, request["UserName"])
    page, rest = page_of(user.groups, request, str)
    shelf = records.shelf(call.account, "groups")
    rows = await call.tx.get_many([(shelf, records.name_key(name)) for name in page])
    return {"Groups": [describe(records.decode_group(row)) for row in rows if row is not None], **rest}


@iam.write("UpdateGroup")
async def update_group(call: Call, request: "types.UpdateGroupRequest") -> Reply:
    group = await find(call, request["GroupName"])
    new_name = rules.check_name("newGroupName", request.get("NewGroupName", group.name), GROUP_NAME_CHARACTERS_MAX)
    new_path = rules.check_path(request.get("NewPath", group.path))
    if new_name.lower() != group.name.lower() and await get(call, new_name) is not None:
        raise rules.exists(f"Group with name {new_name}")
    members = await _members(call, group, records.MEMBERS_MAX)
    boundaries.unlink(call, group)
    call.tx.delete(*records.entity_place(group))
    for name in members:
        user = await users.find(call, name)
        user.groups = [new_name if one == group.name else one for one in user.groups]
        users.put(call, user)
        call.tx.delete(records.shelf(call.account, "members"), records.name_key(group.name, name))
        call.tx.put(records.shelf(call.account, "members"), records.name_key(new_name, name), b"")
    group.name, group.path = new_name, new_path
    put(call, group)
    boundaries.link(call, group)
    return {}


@iam.write("DeleteGroup")
async def delete_group(call: Call, request: "types.DeleteGroupRequest") -> Reply:
    group = await find(call, request["GroupName"])
    if await _members(call, group, 1):
        raise rules.delete_conflict("remove users from group")
    if group.inline:
        raise rules.delete_conflict("delete policies")
    if group.attached:
        raise rules.delete_conflict("detach all policies")
    call.tx.delete(*records.entity_place(group))
    return {}


@iam.write("AddUserToGroup")
async def add_user_to_group(call: Call, request: "types.AddUserToGroupRequest") -> Reply:
    group, user = await find(call, request["GroupName"]), await users.find(call, request["UserName"])
    if group.name in user.groups:
        return {}
    if len(user.groups) >= GROUPS_PER_USER_MAX:
        raise rules.over_quota("GroupsPerUser", GROUPS_PER_USER_MAX)
    user.groups.append(group.name)
    users.put(call, user)
    call.tx.put(records.shelf(call.account, "members"), records.name_key(group.name, user.name), b"")
    return {}


@iam.write("RemoveUserFromGroup")
async def remove_user_from_group(call: Call, request: "types.RemoveUserFromGroupRequest") -> Reply:
    group, user = await find(call, request["GroupName"]), await users.find(call, request["UserName"])
    if group.name not in user.groups:
        raise rules.no_such(f"The user with name {user.name} in group {group.name}")
    user.groups.remove(group.name)
    users.put(call, user)
    call.tx.delete(records.shelf(call.account, "members"), records.name_key(group.name, user.name))
    return {}


async def get(call: Call, name: str) -> Group | None:
    row = await call.tx.get(records.shelf(call.account, "groups"), records.name_key(name))
    return None if row is None else records.decode_group(row)


async def find(call: Call, name: str) -> Group:
    group = await get(call, name)
    if group is None:
        raise rules.no_such(f"The group with name {name}")
    return group


def put(call: Call, group: Group) -> None:
    call.tx.put(*records.entity_place(group), records.encode(group))


def describe(group: Group) -> dict[str, Any]:
    return {
        "Path": group.path,
        "GroupName": group.name,
        "GroupId": group.id,
        "Arn": group.arn,
        "CreateDate": rules.moment(group.created),
    }


async def _members(call: Call, group: Group, most: int) -> list[str]:
    """Their names in lower case."""
    prefix = records.name_key(group.name)
    rows = await call.tx.scan(records.shelf(call.account, "members"), prefix, keys.after(prefix), most)
    return [keys.unpack_text(key, len(prefix))[0].decode() for key, _ in rows]
