"""What a policy's conditions and variables may ask about a call. Looked up one by one: most policies ask for nothing."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from atoll.operation import Call, Identity, Permission
from atoll.services.iam.records import Entity

_PRINCIPAL_TYPES = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


def texts(value: Any) -> list[str]:
    """Values as conditions compare them."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list | tuple):
        return [text for one in value for text in texts(one)]
    return [str(value)]


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def principal_arn(identity: Identity, entity: Entity | None) -> str:
    """Of a session: its role, which is what policies name."""
    if identity.kind == "assumed-role" and entity is not None:
        return entity.arn
    return identity.arn


class Facts:
    """Called with a key's lower-case name; answers its values, or None when this call has none."""

    __slots__ = ("_call", "_context", "_entity", "_permission", "_resource_tags", "_tags")

    def __init__(
        self, call: Call, permission: Permission, entity: Entity | None, resource_tags: Mapping[str, str]
    ) -> None:
        self._call = call
        self._permission = permission
        self._entity = entity
        self._resource_tags = resource_tags
        self._context: dict[str, Any] | None = None
        self._tags: dict[str, str] | None = None

    def __call__(self, key: str) -> Sequence[str] | None:
        if key.startswith("aws:principaltag/"):
            value: Any = self._principal_tags().get(key.removeprefix("aws:principaltag/"))
        elif key in _KEYS:
            value = _KEYS[key](self._call)
        elif key == "aws:principalarn":
            value = principal_arn(self._call.identity, self._entity)
        elif key == "aws:username":
            value = self._user_name()
        else:
            value = self._asked().get(key)
        return None if value is None else texts(value)

    def _user_name(self) -> str | None:
        return self._entity.name if self._entity is not None and self._call.identity.kind == "user" else None

    def _principal_tags(self) -> dict[str, str]:
        """A session's tags hide its role's."""
        if self._tags is None:
            own = self._entity.tags if self._entity is not None else {}
            session = self._call.identity.session.get("tags", {})
            self._tags = {key.lower(): value for tags in (own, session) for key, value in tags.items()}
        return self._tags

    def _asked(self) -> dict[str, Any]:
        if self._context is None:
            self._context = {key.lower(): value for key, value in self._permission.context.items()}
            for key, value in self._resource_tags.items():
                self._context[f"aws:resourcetag/{key.lower()}"] = value
                self._context[f"iam:resourcetag/{key.lower()}"] = value
        return self._context


def _session(name: str) -> Callable[[Call], Any]:
    return lambda call: call.identity.session.get(name)


def _issued(call: Call) -> str | None:
    issued = call.identity.session.get("issued")
    return None if issued is None else iso(issued)


_KEYS: dict[str, Callable[[Call], Any]] = {
    "aws:sourceip": lambda call: call.http.source_ip,
    "aws:currenttime": lambda call: iso(call.now),
    "aws:epochtime": lambda call: str(int(call.now)),
    "aws:securetransport": lambda call: call.http.secure,
    "aws:useragent": lambda call: call.http.headers.get("user-agent"),
    "aws:referer": lambda call: call.http.headers.get("referer"),
    "aws:principalaccount": lambda call: call.identity.account,
    "aws:principaltype": lambda call: _PRINCIPAL_TYPES.get(call.identity.kind),
    "aws:principalisawsservice": lambda call: call.identity.kind == "service",
    "aws:viaawsservice": lambda call: False,
    "aws:userid": lambda call: call.identity.user_id,
    "aws:requestedregion": lambda call: call.region,
    "aws:sourceidentity": _session("source_identity"),
    "aws:multifactorauthpresent": lambda call: False if call.identity.session else None,
    "aws:tokenissuetime": _issued,
}
