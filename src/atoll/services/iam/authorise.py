"""May this caller do that? Judged on every call from the rows as they are now, so a changed policy binds at once everywhere.

    root, service     may do everything in their account (a service's name never comes from the wire)
    user              its inline, attached and groups' policies, within its boundary
    assumed-role      the role's policies, within its boundary, within the session's policies
    federated-user    its issuer's policies, within the session's policies

An explicit denial anywhere wins.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from atoll.aws.errors import AwsError
from atoll.aws.policy import Verdict, compile_policy
from atoll.aws.policy_patterns import Lookup
from atoll.facts import Facts, Principal
from atoll.operation import Call, Identity, Permission
from atoll.services.iam import aws_managed, records
from atoll.services.iam.records import Entity, Role, User
from atoll.services.iam.service import EntityPermission
from atoll.store import Reader

OWN = "identity-based policy"
USERS_KEPT_MAX: Final = 1024


class Layer(NamedTuple):
    """Documents of which at least one must allow the action."""

    name: str  # as AWS's messages call it
    documents: list[str]


class Standing(NamedTuple):
    """All that binds a caller. The first layer is its own policies, the others bound it."""

    layers: list[Layer]
    principal: Principal


class Authoriser:
    def __init__(self, store: Reader) -> None:
        self._store = store

    async def __call__(self, call: Call, permissions: Sequence[Permission]) -> None:
        identity = call.identity
        if identity.kind == "service" or not permissions:
            return
        if identity.session.get("temporary") and call.service.name == "iam":
            # GetSessionToken's and GetFederationToken's keys: IAM knows them only with MFA.
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid", 403)
        if identity.kind == "root":
            return
        if identity.kind == "anonymous":
            if not all(permission.granted for permission in permissions):
                raise AwsError("AccessDenied", "Access Denied", 403)
            return
        standing = await standing_of(self._store, identity)
        for permission in permissions:
            resource, tags = await self._resource(call, permission)
            facts = Facts(call, standing.principal, permission.context, tags)
            _judge(call, permission, resource, standing.layers, facts)

    async def _resource(self, call: Call, permission: Permission) -> tuple[str, Mapping[str, str]]:
        """The resource's ARN, and its tags where IAM itself has them."""
        if not isinstance(permission, EntityPermission):
            return permission.resource, {}
        shelf = records.shelf(call.account, _SHELVES[permission.kind])
        row = await self._store.get(shelf, records.name_key(permission.name))
        if row is None:
            return permission.resource, {}
        entity: Any = _DECODERS[permission.kind](row)
        return entity.arn, {
            f"{service}:ResourceTag/{key}": value for key, value in entity.tags.items() for service in ("aws", "iam")
        }


_SHELVES = {
    "user": "users",
    "group": "groups",
    "role": "roles",
    "policy": "policies",
    "instance-profile": "profiles",
}
_DECODERS = {
    "user": records.decode_user,
    "group": records.decode_group,
    "role": records.decode_role,
    "policy": records.decode_policy,
    "instance-profile": records.decode_profile,
}


async def standing_of(store: Reader, identity: Identity) -> Standing:
    session = [Layer("session policy", list(identity.session["policies"]))] if "policies" in identity.session else []
    if identity.session.get("issuer") == "root":
        return Standing([Layer(OWN, [aws_managed.ADMINISTRATOR]), *session], Principal(identity.arn))
    entity = await _entity(store, identity)
    if entity is None:
        return Standing([Layer(OWN, []), *session], Principal(identity.arn))
    own, boundary = await documents_of(store, entity)
    layers = [Layer(OWN, own)]
    if entity.boundary:
        layers.append(Layer("permissions boundary", boundary))
    if identity.kind == "federated-user":  # It has its issuer's policies, not its issuer's name and tags.
        return Standing(layers + session, Principal(identity.arn))
    return Standing(layers + session, Principal(entity.arn, entity.tags))


async def _entity(store: Reader, identity: Identity) -> User | Role | None:
    """The user or role itself; None when it is gone, or another of its name has taken its place."""
    unique_id = identity.user_id
    if identity.kind == "assumed-role":
        name, unique_id = identity.arn.split("/")[1], unique_id.partition(":")[0]
        row = await store.get(records.shelf(identity.account, "roles"), records.name_key(name))
        role = records.decode_role(row) if row is not None else None
        return role if role is not None and role.id == unique_id else None
    name = identity.arn.rsplit("/", 1)[1]
    if identity.kind == "federated-user":
        name, unique_id = identity.session["issuer"], identity.session["issuer_id"]
    row = await store.get(records.shelf(identity.account, "users"), records.name_key(name))
    user = _user_of(row) if row is not None else None
    return user if user is not None and user.id == unique_id else None


@lru_cache(maxsize=USERS_KEPT_MAX)
def _user_of(row: bytes) -> User:
    """Shared by all who read the same row: never to be changed."""
    return records.decode_user(row)


async def documents_of(store: Reader, entity: Entity) -> tuple[list[str], list[str]]:
    """What its own policies say, and what its boundary says: two more reads at most."""
    own = list(entity.inline.values())
    attached = list(entity.attached)
    if isinstance(entity, User) and entity.groups:
        shelf = records.shelf(entity.account, "groups")
        rows = await store.get_many([(shelf, records.name_key(group)) for group in entity.groups])
        for group in (records.decode_group(row) for row in rows if row is not None):
            own += group.inline.values()
            attached += group.attached
    managed = await managed_documents(store, entity.account, [*attached, entity.boundary])
    own += [managed[arn] for arn in attached if arn in managed]
    return own, [managed[entity.boundary]] if entity.boundary in managed else []


async def managed_documents(store: Reader, account: str, arns: Iterable[str]) -> dict[str, str]:
    """Default versions by ARN; a policy that is gone is left out, and so allows nothing."""
    documents = {arn: aws_managed.DOCUMENTS[arn] for arn in arns if arn in aws_managed.DOCUMENTS}
    ours = [arn for arn in arns if arn and arn not in documents]
    if ours:
        shelf = records.shelf(account, "policies")
        rows = await store.get_many([(shelf, records.name_key(arn.rsplit("/", 1)[1])) for arn in ours])
        found = [records.decode_policy(row) for row in rows if row is not None]
        documents |= {one.arn: one.document for one in found}
    return documents


def judge_layer(layer: Layer, action: str, resource: str, lookup: Lookup) -> Verdict:
    best = Verdict.SILENT
    for document in layer.documents:
        verdict = compile_policy(document).judge(action, resource, lookup)
        if verdict is Verdict.DENIED:
            return verdict
        best = max(best, verdict)
    return best


def _judge(call: Call, permission: Permission, resource: str, layers: list[Layer], facts: Facts) -> None:
    action = permission.action.lower()
    verdicts = [judge_layer(layer, action, resource, facts) for layer in layers]
    for layer, verdict in zip(layers, verdicts, strict=True):
        if verdict is Verdict.DENIED:
            raise refusal(call, permission.action, resource, f"with an explicit deny in {_a(layer.name)}")
    # What a resource's policy grants a user needs no policy of the user's own, and its boundary does not narrow it;
    # a role's boundary and a session's policies do.
    for layer, verdict in zip(layers, verdicts, strict=True):
        waived = permission.granted and (layer.name == OWN or call.identity.kind == "user")
        if verdict is Verdict.SILENT and not waived:
            reason = f"because no {layer.name} allows the {permission.action} action"
            raise refusal(call, permission.action, resource, reason)


def _a(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def refusal(call: Call, action: str, resource: str, reason: str) -> AwsError:
    shown = f'"{resource}"' if call.service.name == "s3" else resource
    code, status = call.service.denial
    return AwsError(
        code, f"User: {call.identity.arn} is not authorized to perform: {action} on resource: {shown} {reason}", status
    )
