"""Accounts: each has a root, whose keys may do everything in it, and an alias if it wants one."""

import hashlib
import re
from dataclasses import dataclass

from atoll.aws.errors import AwsError
from atoll.base import ids
from atoll.base.clock import SystemClock
from atoll.operation import Call, Reply, Request
from atoll.services.iam import records
from atoll.services.iam.pages import page_of
from atoll.services.iam.service import iam
from atoll.store import Reader, Store, Tx, keys

ACCOUNTS_LISTED_MAX = 10_000
ACCESS_KEY_ID_LENGTH = 20
SECRET_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Account:
    """An account and one pair of its root's keys."""

    account_id: str
    canonical_id: str
    access_key_id: str
    secret_access_key: str
    name: str


async def create_account(
    store: Store,
    name: str,
    *,
    account_id: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
) -> Account:
    """Raises AwsError EntityAlreadyExists when the account or the key is there already."""
    number = account_id or _new_account_id()
    assert re.fullmatch(r"\d{12}", number), "an account id has twelve digits"
    key_id = access_key_id or new_access_key_id()
    secret = secret_access_key or ids.new_secret(SECRET_LENGTH)
    now = SystemClock().now()
    canonical_id = hashlib.sha256(number.encode()).hexdigest()
    account = records.Account(number, canonical_id, name, now)
    root = records.AccessKey(key_id, secret, number, f"arn:aws:iam::{number}:root", number, "", now)

    async def attempt(tx: Tx) -> None:
        found = await tx.get_many([(records.ACCOUNTS, keys.pack(number)), (records.KEYS, keys.pack(key_id))])
        if any(row is not None for row in found):
            raise AwsError("EntityAlreadyExists", f"The account {number} or the access key {key_id} exists.", 409)
        tx.put(records.ACCOUNTS, keys.pack(number), records.encode(account))
        put_access_key(tx, root)

    await store.run(attempt)
    return Account(number, canonical_id, key_id, secret, name)


async def list_accounts(reader: Reader) -> list[records.Account]:
    rows = await reader.scan(records.ACCOUNTS, b"", None, ACCOUNTS_LISTED_MAX)
    return [records.decode_account(row) for _, row in rows]


def put_access_key(tx: Tx, key: records.AccessKey) -> None:
    tx.put(records.KEYS, keys.pack(key.access_key_id), records.encode(key))
    index = keys.pack(key.user_name.lower(), key.access_key_id)
    tx.put(records.shelf(key.account, "keys"), index, b"")


def new_access_key_id(prefix: str = "AKIA") -> str:
    return prefix + ids.new_base32(ACCESS_KEY_ID_LENGTH - len(prefix))


def _new_account_id() -> str:
    return str(10**11 + int(ids.new_hex(16), 16) % (9 * 10**11))


# ------------------------------------------------------------------------------------------------------ aliases


@iam.write("CreateAccountAlias")
async def create_account_alias(call: Call, request: Request) -> Reply:
    alias = request["AccountAlias"]
    if not re.fullmatch(r"[a-z0-9](?!.*--)[a-z0-9-]{1,61}[a-z0-9]", alias) or re.fullmatch(r"\d{12}", alias):
        raise AwsError("ValidationError", "The specified value for accountAlias is invalid.", 400)
    owner = await call.tx.get(records.ALIASES, keys.pack(alias))
    if owner not in {None, call.account.encode()}:
        raise AwsError("EntityAlreadyExists", f"The account alias {alias} already exists.", 409)
    account = await _own(call)
    if account.alias:
        call.tx.delete(records.ALIASES, keys.pack(account.alias))
    account.alias = alias
    call.tx.put(records.ALIASES, keys.pack(alias), call.account.encode())
    call.tx.put(records.ACCOUNTS, keys.pack(call.account), records.encode(account))
    return {}


@iam.write("DeleteAccountAlias")
async def delete_account_alias(call: Call, request: Request) -> Reply:
    account = await _own(call)
    if not account.alias or account.alias != request["AccountAlias"]:
        raise AwsError("NoSuchEntity", f"The account alias {request['AccountAlias']} cannot be found.", 404)
    account.alias = ""
    call.tx.delete(records.ALIASES, keys.pack(request["AccountAlias"]))
    call.tx.put(records.ACCOUNTS, keys.pack(call.account), records.encode(account))
    return {}


@iam.read("ListAccountAliases")
async def list_account_aliases(call: Call, request: Request) -> Reply:
    row = await call.tx.get(records.ACCOUNTS, keys.pack(call.account))
    alias = records.decode_account(row).alias if row is not None else ""
    aliases, rest = page_of([alias] if alias else [], request, str)
    return {"AccountAliases": aliases, **rest}


async def _own(call: Call) -> records.Account:
    row = await call.tx.get(records.ACCOUNTS, keys.pack(call.account))
    if row is None:  # `--dev` serves an account that nobody made.
        return records.Account(call.account, hashlib.sha256(call.account.encode()).hexdigest(), "", call.now)
    return records.decode_account(row)
