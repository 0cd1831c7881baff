"""Users: people and programs with keys of their own."""

from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call, Reply, Request
from atoll.services.iam import boundaries, records, rules
from atoll.services.iam.pages import page_of_shelf
from atoll.services.iam.records import User
from atoll.services.iam.service import iam
from atoll.services.iam.tags import register_tagging
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

USERS_MAX = 5000
KEYS_PER_USER_MAX = 2


@iam.write("CreateUser")
async def create_user(call: Call, request: "types.CreateUserRequest") -> Reply:
    name = rules.check_name("userName", request["UserName"])
    path = rules.check_path(request.get("Path", "/"))
    tags = rules.merge_tags({}, request.get("Tags", []))
    if await get(call, name) is not None:
        raise rules.exists(f"User with name {name}")
    if len(await call.tx.scan(records.shelf(call.account, "users"), b"", None, USERS_MAX)) >= USERS_MAX:
        raise rules.over_quota("UsersPerAccount", USERS_MAX)
    user = User(name, path, f"AIDA{ids.new_base32(records.ID_CHARACTERS)}", call.account, call.now, tags=tags)
    if "PermissionsBoundary" in request:
        await boundaries.bound(call, user, request["PermissionsBoundary"])
    put(call, user)
    return {"User": describe(user)}


@iam.read("GetUser")
async def get_user(call: Call, request: "types.GetUserRequest") -> Reply:
    if "UserName" not in request and call.identity.is_root:
        return {"User": await _root(call)}
    return {"User": describe(await find_or_self(call, request))}


@iam.read("ListUsers")
async def list_users(call: Call, request: Request) -> Reply:
    prefix = request.get("PathPrefix", "/")

    def read(key: bytes, row: bytes) -> dict[str, Any] | None:
        user = records.decode_user(row)
        return describe(user, briefly=True) if user.path.startswith(prefix) else None

    page, rest = await page_of_shelf(call, records.shelf(call.account, "users"), request, read)
    return {"Users": page, **rest}


@iam.write("UpdateUser")
async def update_user(call: Call, request: "types.UpdateUserRequest") -> Reply:
    user = await find(call, request["UserName"])
    new_name = rules.check_name("newUserName", request.get("NewUserName", user.name))
    new_path = rules.check_path(request.get("NewPath", user.path))
    if new_name.lower() != user.name.lower() and await get(call, new_name) is not None:
        raise rules.exists(f"User with name {new_name}")
    await _unlink(call, user)
    owned = await access_keys(call, user.name)
    call.tx.delete(*records.entity_place(user))
    user.name, user.path = new_name, new_path
    put(call, user)
    _link(call, user)
    for key in owned:
        # A key's row repeats who its user is: renaming writes it again.
        call.tx.delete(records.shelf(call.account, "keys"), keys.pack(key.user_name.lower(), key.access_key_id))
        key.user_name, key.arn = user.name, user.arn
        call.tx.put(records.KEYS, keys.pack(key.access_key_id), records.encode(key))
        call.tx.put(records.shelf(call.account, "keys"), keys.pack(user.name.lower(), key.access_key_id), b"")
    return {}


@iam.write("DeleteUser")
async def delete_user(call: Call, request: "types.DeleteUserRequest") -> Reply:
    user = await find(call, request["UserName"])
    if await access_keys(call, user.name):
        raise rules.delete_conflict("delete access keys")
    if user.inline:
        raise rules.delete_conflict("delete policies")
    if user.attached:
        raise rules.delete_conflict("detach all policies")
    if user.groups:
        raise rules.delete_conflict("remove users from group")
    await _unlink(call, user)
    call.tx.delete(*records.entity_place(user))
    return {}


async def get(call: Call, name: str) -> User | None:
    row = await call.tx.get(records.shelf(call.account, "users"), records.name_key(name))
    return None if row is None else records.decode_user(row)


async def find(call: Call, name: str) -> User:
    user = await get(call, name)
    if user is None:
        raise rules.no_such(f"The user with name {name}")
    return user


async def find_or_self(call: Call, request: Any) -> User:
    """The user who was named, or else the caller."""
    if "UserName" in request:
        return await find(call, request["UserName"])
    if call.identity.kind != "user":
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials", 400)
    return await find(call, call.identity.arn.rsplit("/", 1)[1])


def put(call: Call, user: User) -> None:
    call.tx.put(*records.entity_place(user), records.encode(user))


def describe(user: User, *, briefly: bool = False) -> dict[str, Any]:
    """Lists leave out tags and boundaries."""
    described: dict[str, Any] = {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.id,
        "Arn": user.arn,
        "CreateDate": rules.moment(user.created),
    }
    if not briefly and user.tags:
        described["Tags"] = rules.tag_list(user.tags)
    if not briefly and user.boundary:
        described["PermissionsBoundary"] = boundaries.describe(user)
    return described


async def _root(call: Call) -> dict[str, Any]:
    row = await call.tx.get(records.ACCOUNTS, keys.pack(call.account))
    created = records.decode_account(row).created if row is not None else 0.0
    return {
        "Path": "/",
        "UserName": "root",
        "UserId": call.account,
        "Arn": call.identity.arn,
        "CreateDate": rules.moment(created),
    }


async def access_keys(call: Call, user_name: str) -> list[records.AccessKey]:
    """Of the account's root when the name is empty."""
    prefix = keys.pack(user_name.lower())
    index = await call.tx.scan(records.shelf(call.account, "keys"), prefix, keys.after(prefix), KEYS_PER_USER_MAX)
    found = [(records.KEYS, keys.pack(keys.unpack_text(key, len(prefix))[0])) for key, _ in index]
    return [records.decode_access_key(row) for row in await call.tx.get_many(found) if row is not None]


async def _unlink(call: Call, user: User) -> None:
    """Takes the user's name out of every index."""
    boundaries.unlink(call, user)
    for group in user.groups:
        call.tx.delete(records.shelf(call.account, "members"), records.name_key(group, user.name))


def _link(call: Call, user: User) -> None:
    boundaries.link(call, user)
    for group in user.groups:
        call.tx.put(records.shelf(call.account, "members"), records.name_key(group, user.name), b"")


register_tagging("User", find, put)
