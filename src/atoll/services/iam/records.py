"""IAM's rows: their keys, their shapes, and how they are read and written.

    shelf (p)                          key (k)                              record
    global/iam/accounts                pack(account id)                     Account
    global/iam/aliases                 pack(alias)                          account id
    global/iam/keys                    pack(access key id)                  AccessKey       (read at every request)
    {account}/global/iam/keys          pack(user name, access key id)       b""             (user name "": the root's)
    {account}/global/iam/users         pack(name)                           User
    {account}/global/iam/groups        pack(name)                           Group
    {account}/global/iam/members       pack(group name, user name)          b""
    {account}/global/iam/roles         pack(name)                           Role
    {account}/global/iam/profiles      pack(name)                           InstanceProfile
    {account}/global/iam/profiled      pack(role name, profile name)        b""
    {account}/global/iam/policies      pack(name)                           ManagedPolicy   (holds its default document)
    {account}/global/iam/versions      pack(policy name) + number           PolicyVersion
    {account}/global/iam/attached      pack(policy ARN, kind, name)         b""
    {account}/global/iam/bounded       pack(policy ARN, kind, name)         b""             (as permissions boundary)

Names in keys are in lower case: IAM tells no two names apart that differ in case only. One row says all that an identity's own
policies say, so that judging a call reads few rows; what is shared (groups, managed policies) is named there by name and ARN.
"""

from collections.abc import Callable
from typing import ClassVar, TypeVar

import msgspec

from atoll.store import Reader, keys

ACCOUNTS = b"global/iam/accounts"
ALIASES = b"global/iam/aliases"
KEYS = b"global/iam/keys"

AWS_POLICY_PREFIX = "arn:aws:iam::aws:policy/"
ID_CHARACTERS = 17  # after AIDA, AROA...
POLICY_CHARACTERS_MAX = 6144  # of a managed policy, without white space
PROFILES_MAX = 1000
MEMBERS_MAX = 5000  # as many as an account may have users


class Account(msgspec.Struct, array_like=True, omit_defaults=True):
    account_id: str
    canonical_id: str
    name: str
    created: float  # Unix seconds
    alias: str = ""


class AccessKey(msgspec.Struct, array_like=True, omit_defaults=True):
    access_key_id: str
    secret_key: str
    account: str
    arn: str
    user_id: str
    user_name: str  # "": the account's root
    created: float
    active: bool = True


class Entity(msgspec.Struct, array_like=True, omit_defaults=True):
    """What users, groups and roles have in common: a place in the account, and policies."""

    kind: ClassVar[str] = ""
    name: str
    path: str
    id: str
    account: str
    created: float
    inline: dict[str, str] = {}  # policy name -> document
    attached: list[str] = []  # ARNs of managed policies
    boundary: str = ""  # ARN
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"


class User(Entity, array_like=True, omit_defaults=True):
    kind: ClassVar[str] = "user"
    groups: list[str] = []


class Group(Entity, array_like=True, omit_defaults=True):
    kind: ClassVar[str] = "group"


class Role(Entity, array_like=True, omit_defaults=True):
    kind: ClassVar[str] = "role"
    trust: str = ""
    trusted: dict[str, str] = {}  # ARN of a user or role its trust names -> unique id
    description: str = ""
    session_seconds_max: int = 3600


class InstanceProfile(msgspec.Struct, array_like=True, omit_defaults=True):
    name: str
    path: str
    id: str
    account: str
    created: float
    role: str = ""  # its name
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:instance-profile{self.path}{self.name}"


class ManagedPolicy(msgspec.Struct, array_like=True, omit_defaults=True):
    name: str
    path: str
    id: str
    account: str
    created: float
    updated: float
    document: str  # of the default version
    default_version: int = 1
    next_version: int = 2
    description: str = ""
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:policy{self.path}{self.name}"


class PolicyVersion(msgspec.Struct, array_like=True):
    number: int
    document: str
    created: float


T = TypeVar("T", bound=msgspec.Struct)
Record = Account | AccessKey | Entity | InstanceProfile | ManagedPolicy | PolicyVersion

_encoder = msgspec.msgpack.Encoder()


def encode(record: Record) -> bytes:
    return _encoder.encode(record)


def _decoder(shape: type[T]) -> Callable[[bytes], T]:
    decode: Callable[[bytes], T] = msgspec.msgpack.Decoder(shape).decode
    return decode


decode_account = _decoder(Account)
decode_access_key = _decoder(AccessKey)
decode_user = _decoder(User)
decode_group = _decoder(Group)
decode_role = _decoder(Role)
decode_profile = _decoder(InstanceProfile)
decode_policy = _decoder(ManagedPolicy)
decode_version = _decoder(PolicyVersion)


def shelf(account: str, kind: str) -> bytes:
    return f"{account}/global/iam/{kind}".encode()


def name_key(*names: str) -> bytes:
    return keys.pack(*(name.lower() for name in names))


async def get_entity(reader: Reader, account: str, kind: str, name: str) -> User | Group | Role | None:
    """kind: user, group or role."""
    decoders: dict[str, Callable[[bytes], User | Group | Role]] = {
        "user": decode_user,
        "group": decode_group,
        "role": decode_role,
    }
    row = await reader.get(shelf(account, f"{kind}s"), name_key(name))
    return None if row is None else decoders[kind](row)


def entity_place(entity: Entity) -> tuple[bytes, bytes]:
    return shelf(entity.account, f"{entity.kind}s"), name_key(entity.name)
