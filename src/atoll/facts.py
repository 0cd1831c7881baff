"""What a policy's conditions and variables may ask about a call. Looked up one by one: most policies ask for nothing.

Whoever judges a policy says who the caller is (`Principal`) and what the action adds (s3:prefix, aws:RequestTag/...).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call

_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The user or role behind an identity."""

    arn: str  # of a session: its role's
    tags: Mapping[str, str] = field(default_factory=dict)


class Facts:
    """Called with a key's lower-case name; answers its values, or None when this call has none."""

    __slots__ = ("_call", "_given", "_lower", "_principal", "_tags")

    def __init__(self, call: Call, principal: Principal, *given: Mapping[str, Any]) -> None:
        self._call = call
        self._principal = principal
        self._given = given
        self._lower: dict[str, Any] | None = None
        self._tags: dict[str, str] | None = None

    def __call__(self, key: str) -> Sequence[str] | None:
        if key in _KEYS:
            value = _KEYS[key](self._call)
        elif key.startswith("aws:principaltag/"):
            value = self._principal_tags().get(key.removeprefix("aws:principaltag/"))
        elif key == "aws:principalarn":
            value = self._principal.arn or None  # Nobody known has none.
        else:
            value = self._asked().get(key)
        return None if value is None else texts(value)

    def _principal_tags(self) -> dict[str, str]:
        """A session's tags hide its role's."""
        if self._tags is None:
            session = self._call.identity.session.get("tags", {})
            self._tags = {key.lower(): value for tags in (self._principal.tags, session) for key, value in tags.items()}
        return self._tags

    def _asked(self) -> dict[str, Any]:
        if self._lower is None:
            self._lower = {key.lower(): value for given in self._given for key, value in given.items()}
        return self._lower


def texts(value: Any) -> list[str]:
    """Values as conditions compare them."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts(one)]
    return [str(value)]


def request_tags(tags: Sequence[Any]) -> dict[str, Any]:
    """What a request with these tags makes of them for conditions."""
    if not tags:
        return {}
    return {
        **{f"aws:RequestTag/{tag['Key']}": tag.get("Value", "") for tag in tags},
        "aws:TagKeys": [tag["Key"] for tag in tags],
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user_name(call: Call) -> str | None:
    return call.identity.arn.rsplit("/", 1)[1] if call.identity.kind == "user" else None


def _issued(call: Call) -> str | None:
    issued = call.identity.session.get("issued")
    return None if issued is None else _iso(issued)


_KEYS: dict[str, Callable[[Call], Any]] = {
    "aws:sourceip": lambda call: call.http.source_ip,
    "aws:currenttime": lambda call: _iso(call.now),
    "aws:epochtime": lambda call: str(int(call.now)),
    "aws:securetransport": lambda call: call.http.secure,
    "aws:useragent": lambda call: call.http.headers.get("user-agent"),
    "aws:referer": lambda call: call.http.headers.get("referer"),
    "aws:username": _user_name,
    "aws:userid": lambda call: call.identity.user_id or None,
    "aws:principalaccount": lambda call: call.identity.account or None,
    "aws:principaltype": lambda call: _PRINCIPAL_TYPES.get(call.identity.kind),
    "aws:principalisawsservice": lambda call: call.identity.kind == "service",
    "aws:viaawsservice": lambda call: False,
    "aws:requestedregion": lambda call: call.region,
    "aws:sourceidentity": lambda call: call.identity.session.get("source_identity"),
    # Long-term keys do not have this key at all; that is AWS's rule.
    "aws:multifactorauthpresent": lambda call: False if call.identity.session else None,
    "aws:tokenissuetime": _issued,
}


async def principal_behind(call: Call, policy: str) -> Principal:
    """The user or role behind the caller, as far as a resource's policy asks. Only IAM knows tags, and the path in a role's name."""
    identity = call.identity
    if identity.kind == "assumed-role":
        kind, name = "Role", identity.arn.split("/")[1]
    elif identity.kind == "user" and "principaltag" in policy.lower():
        kind, name = "User", identity.arn.rsplit("/", 1)[1]
    else:
        return Principal(identity.arn)
    try:
        reply = await call.api("iam", f"Get{kind}", {f"{kind}Name": name}, as_service=True, account=identity.account)
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise
        return Principal(identity.arn)
    entity = reply[kind]
    if entity[f"{kind}Id"] != identity.user_id.partition(":")[0]:  # Another of its name.
        return Principal(identity.arn)
    return Principal(entity["Arn"], {tag["Key"]: tag["Value"] for tag in entity.get("Tags", [])})


async def unique_id(call: Call, arn: str) -> str | None:
    """Of the user or role a policy names by its ARN; None where there is none."""
    account, _, path = arn.removeprefix("arn:aws:iam::").partition(":")
    kind = "User" if path.startswith("user/") else "Role"
    asked = {f"{kind}Name": path.rpartition("/")[2]}
    try:
        reply = await call.api("iam", f"Get{kind}", asked, as_service=True, account=account)
    except AwsError:
        return None
    entity: Mapping[str, str] = reply[kind]
    return entity[f"{kind}Id"] if entity["Arn"] == arn else None
