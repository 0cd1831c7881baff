"""Access keys of users and of the root. A key's row holds all that authentication needs, so a request costs one read."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.operation import Call, Credential, Identity, Reply
from atoll.services.iam import records, rules, users
from atoll.services.iam.accounts import SECRET_LENGTH, new_access_key_id, put_access_key
from atoll.services.iam.pages import page_of_shelf
from atoll.services.iam.service import iam
from atoll.store import Reader, keys

if TYPE_CHECKING:
    from atoll.aws.types import iam as types

CREDENTIALS_KEPT_MAX: Final = 1024


async def find_credential(reader: Reader, access_key_id: str) -> Credential | None:
    row = await reader.get(records.KEYS, keys.pack(access_key_id))
    return None if row is None else _credential_of(row, access_key_id)


@lru_cache(maxsize=CREDENTIALS_KEPT_MAX)
def _credential_of(row: bytes, access_key_id: str) -> Credential | None:
    """Every request reads its key's row, and hardly ever another than the last."""
    key = records.decode_access_key(row)
    if not key.active:
        return None
    kind = "user" if key.user_name else "root"
    return Credential(key.secret_key, Identity(key.account, key.arn, key.user_id, access_key_id, kind))


@iam.write("CreateAccessKey")
async def create_access_key(call: Call, request: "types.CreateAccessKeyRequest") -> Reply:
    owner = await _owner(call, request)
    if len(await users.access_keys(call, owner.user_name)) >= users.KEYS_PER_USER_MAX:
        raise rules.over_quota("AccessKeysPerUser", users.KEYS_PER_USER_MAX)
    owner.access_key_id, owner.secret_key = new_access_key_id(), ids.new_secret(SECRET_LENGTH)
    put_access_key(call.tx, owner)
    described = _describe(owner) | {"SecretAccessKey": owner.secret_key}
    return {"AccessKey": described}


@iam.read("ListAccessKeys")
async def list_access_keys(call: Call, request: "types.ListAccessKeysRequest") -> Reply:
    owner = await _owner(call, request)
    prefix = keys.pack(owner.user_name.lower())

    def key_id(key: bytes, row: bytes) -> str:
        return keys.unpack_text(key, len(prefix))[0].decode()

    page, rest = await page_of_shelf(call, records.shelf(call.account, "keys"), dict(request), key_id, prefix)
    rows = await call.tx.get_many([(records.KEYS, keys.pack(one)) for one in page])
    return {"AccessKeyMetadata": [_describe(records.decode_access_key(row)) for row in rows if row], **rest}


@iam.write("UpdateAccessKey")
async def update_access_key(call: Call, request: "types.UpdateAccessKeyRequest") -> Reply:
    if request["Status"] not in {"Active", "Inactive"}:
        raise AwsError(
            "ValidationError",
            f"1 validation error detected: Value '{request['Status']}' at 'status' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Active, Inactive]",
            400,
        )
    key = await _find(call, request)
    key.active = request["Status"] == "Active"
    put_access_key(call.tx, key)
    return {}


@iam.write("DeleteAccessKey")
async def delete_access_key(call: Call, request: "types.DeleteAccessKeyRequest") -> Reply:
    key = await _find(call, request)
    call.tx.delete(records.KEYS, keys.pack(key.access_key_id))
    call.tx.delete(records.shelf(call.account, "keys"), keys.pack(key.user_name.lower(), key.access_key_id))
    return {}


async def _owner(call: Call, request: Any) -> records.AccessKey:
    """A key without its id and secret, of the user who was named or else of the caller."""
    if "UserName" not in request and call.identity.kind == "root":
        return records.AccessKey("", "", call.account, call.identity.arn, call.account, "", call.now)
    user = await users.find_or_self(call, request)
    return records.AccessKey("", "", call.account, user.arn, user.id, user.name, call.now)


async def _find(call: Call, request: Any) -> records.AccessKey:
    owner = await _owner(call, request)
    row = await call.tx.get(records.KEYS, keys.pack(request["AccessKeyId"]))
    key = records.decode_access_key(row) if row is not None else None
    if key is None or (key.account, key.user_name) != (owner.account, owner.user_name):
        raise rules.no_such(f"The Access Key with id {request['AccessKeyId']}")
    return key


def _describe(key: records.AccessKey) -> dict[str, Any]:
    described: dict[str, Any] = {
        "AccessKeyId": key.access_key_id,
        "Status": "Active" if key.active else "Inactive",
        "CreateDate": rules.moment(key.created),
    }
    return described | {"UserName": key.user_name} if key.user_name else described
