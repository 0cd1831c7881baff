"""Permissions boundaries of users and roles, and the index that tells where a managed policy is in use.

attached, bounded   pack(policy ARN, kind, name)   b""
"""

from typing import Any

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.iam import aws_managed, records
from atoll.services.iam.records import Entity, Role, User
from atoll.store import keys

ENTITIES_PER_POLICY_MAX = 10_000


def describe(entity: User | Role) -> dict[str, str]:
    return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": entity.boundary}


async def bound(call: Call, entity: User | Role, arn: str) -> None:
    """The caller puts the entity's row."""
    await find_policy_document(call, arn)
    unbound(call, entity)
    entity.boundary = arn
    call.tx.put(*_place("bounded", arn, entity), b"")


def unbound(call: Call, entity: User | Role) -> None:
    if entity.boundary:
        call.tx.delete(*_place("bounded", entity.boundary, entity))
    entity.boundary = ""


def attach(call: Call, entity: Entity, arn: str) -> None:
    call.tx.put(*_place("attached", arn, entity), b"")


def detach(call: Call, entity: Entity, arn: str) -> None:
    call.tx.delete(*_place("attached", arn, entity))


def link(call: Call, entity: Entity) -> None:
    """Enters a renamed entity again, under its new name."""
    for arn in entity.attached:
        attach(call, entity, arn)
    if entity.boundary:
        call.tx.put(*_place("bounded", entity.boundary, entity), b"")


def unlink(call: Call, entity: Entity) -> None:
    for arn in entity.attached:
        detach(call, entity, arn)
    if entity.boundary:
        call.tx.delete(*_place("bounded", entity.boundary, entity))


async def entities(call: Call, kind: str, arn: str) -> list[tuple[str, str]]:
    """(kind, name in lower case) of all that have this policy; kind: attached or bounded."""
    prefix = keys.pack(arn)
    rows = await call.tx.scan(records.shelf(call.account, kind), prefix, keys.after(prefix), ENTITIES_PER_POLICY_MAX)
    found = []
    for key, _ in rows:
        entity_kind, end = keys.unpack_text(key, len(prefix))
        found.append((entity_kind.decode(), keys.unpack_text(key, end)[0].decode()))
    return found


async def find_policy_document(call: Call, arn: str) -> str:
    """The default version of a managed policy that may be attached in this account."""
    if arn.startswith(records.AWS_POLICY_PREFIX):
        document = aws_managed.DOCUMENTS.get(arn)
        if document is not None:
            return document
    elif arn.startswith(f"arn:aws:iam::{call.account}:policy/"):
        row = await call.tx.get(records.shelf(call.account, "policies"), records.name_key(arn.rsplit("/", 1)[1]))
        policy = records.decode_policy(row) if row is not None else None
        if policy is not None and policy.arn == arn:
            return policy.document
    else:
        _refuse_foreign(arn)
    raise AwsError("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)


def _refuse_foreign(arn: str) -> Any:
    if not arn.startswith("arn:aws:iam::") or ":policy/" not in arn:
        raise AwsError("ValidationError", f"ARN {arn} is not valid.", 400)


def _place(kind: str, arn: str, entity: Entity) -> tuple[bytes, bytes]:
    return records.shelf(entity.account, kind), keys.pack(arn, entity.kind, entity.name.lower())
