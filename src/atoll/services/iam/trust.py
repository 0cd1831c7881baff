"""Trust policies: who may put a role on.

A user or role they name is remembered by its unique id too. When it is gone, or another of its name has taken its place, the
policy shows the id instead of the ARN, as AWS's do: a name made again is not trusted.
"""

import json
import re
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, compile_policy
from atoll.operation import Call
from atoll.services.iam import records, rules
from atoll.services.iam.records import Role
from atoll.store import keys

TRUST_CHARACTERS_MAX = 2048

_ENTITY_ARN = re.compile(r"arn:aws:iam::(\d{12}):(user|role)(/(?:.*/)?)([^/]+)")


async def put_trust(call: Call, role: Role, text: str) -> None:
    """The caller puts the role's row. Raises MalformedPolicyDocument, also when a principal does not exist."""
    if rules.document_characters(text) > TRUST_CHARACTERS_MAX:
        raise rules.over_quota("ACLSizePerRole", TRUST_CHARACTERS_MAX)
    compiled = compile_policy(text, Use.TRUST)
    trusted: dict[str, str] = {}
    for statement in (*compiled.denies, *compiled.allows):
        assert statement.principals is not None, "a trust policy has principals"
        for name in sorted(statement.principals.names.get("AWS", ())):
            unique_id = await _unique_id(call, name)
            if unique_id is None:
                raise AwsError("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{name}"', 400)
            if unique_id:
                trusted[name] = unique_id
    role.trust, role.trusted = text, trusted


async def current(call: Call, role: Role) -> str:
    """The document, with the unique ids of principals that are no longer who they were."""
    stale = {arn: known for arn, known in role.trusted.items() if await _unique_id(call, arn) != known}
    if not stale:
        return role.trust
    return json.dumps(_renamed(json.loads(role.trust), stale))


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(member, names) for key, member in value.items()}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value


async def _unique_id(call: Call, name: str) -> str | None:
    """Of a user or role; "" for what has none (accounts, sessions, ids themselves); None when it does not exist."""
    if name.isdecimal():
        known = name == call.account or await call.tx.get(records.ACCOUNTS, keys.pack(name)) is not None
        return "" if known else None
    entity_arn = _ENTITY_ARN.fullmatch(name)
    if entity_arn is None:
        return ""
    account, kind, _, entity_name = entity_arn.groups()
    entity = await records.get_entity(call.tx, account, kind, entity_name)
    return entity.id if entity is not None and entity.arn == name else None
