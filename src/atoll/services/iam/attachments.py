"""The policies of users, groups and roles: inline ones, managed ones attached, and boundaries. One set of operations a noun."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atoll.aws.policy import compile_policy
from atoll.operation import Call, Reply, Request
from atoll.services.iam import boundaries, groups, roles, rules, users
from atoll.services.iam.pages import page_of
from atoll.services.iam.service import iam

if TYPE_CHECKING:
    from atoll.services.iam.records import Entity

POLICY_NAME_CHARACTERS_MAX = 128
ATTACHED_MAX = 10


@dataclass(frozen=True, slots=True)
class Noun:
    name: str  # User, Group, Role
    find: Callable[[Call, str], Awaitable[Any]]
    put: Callable[[Call, Any], None]
    inline_characters_max: int  # of all its inline policies together

    async def of(self, call: Call, request: Request) -> Any:
        return await self.find(call, request[f"{self.name}Name"])

    def no_policy(self, name: str) -> Exception:
        return rules.no_such(f"The {self.name.lower()} policy with name {name}")


NOUNS = (
    Noun("User", users.find, users.put, 2048),
    Noun("Group", groups.find, groups.put, 5120),
    Noun("Role", roles.find, roles.put, 10_240),
)


def _register_inline(noun: Noun) -> None:
    async def put_policy(call: Call, request: Request) -> Reply:
        name = rules.check_name("policyName", request["PolicyName"], POLICY_NAME_CHARACTERS_MAX)
        entity: Entity = await noun.of(call, request)
        inline = {**entity.inline, name: request["PolicyDocument"]}
        if sum(map(rules.document_characters, inline.values())) > noun.inline_characters_max:
            raise rules.inline_too_large(noun.name.lower(), entity.name, noun.inline_characters_max)
        compile_policy(request["PolicyDocument"])
        entity.inline = inline
        noun.put(call, entity)
        return {}

    async def get_policy(call: Call, request: Request) -> Reply:
        entity: Entity = await noun.of(call, request)
        document = entity.inline.get(request["PolicyName"])
        if document is None:
            raise noun.no_policy(request["PolicyName"])
        return {
            f"{noun.name}Name": entity.name,
            "PolicyName": request["PolicyName"],
            "PolicyDocument": quote(document, safe=""),
        }

    async def delete_policy(call: Call, request: Request) -> Reply:
        entity: Entity = await noun.of(call, request)
        if entity.inline.pop(request["PolicyName"], None) is None:
            raise noun.no_policy(request["PolicyName"])
        noun.put(call, entity)
        return {}

    async def list_policies(call: Call, request: Request) -> Reply:
        entity: Entity = await noun.of(call, request)
        page, rest = page_of(list(entity.inline), request, str)
        return {"PolicyNames": page, **rest}

    iam.write(f"Put{noun.name}Policy")(put_policy)
    iam.read(f"Get{noun.name}Policy")(get_policy)
    iam.write(f"Delete{noun.name}Policy")(delete_policy)
    iam.read(f"List{noun.name}Policies")(list_policies)


def _register_attached(noun: Noun) -> None:
    async def attach(call: Call, request: Request) -> Reply:
        arn = request["PolicyArn"]
        entity: Entity = await noun.of(call, request)
        await boundaries.find_policy_document(call, arn)
        if arn in entity.attached:
            return {}
        if len(entity.attached) >= ATTACHED_MAX:
            raise rules.over_quota(f"PoliciesPer{noun.name}", ATTACHED_MAX)
        entity.attached.append(arn)
        noun.put(call, entity)
        boundaries.attach(call, entity, arn)
        return {}

    async def detach(call: Call, request: Request) -> Reply:
        arn = request["PolicyArn"]
        entity: Entity = await noun.of(call, request)
        if arn not in entity.attached:
            raise rules.no_policy(arn)
        entity.attached.remove(arn)
        noun.put(call, entity)
        boundaries.detach(call, entity, arn)
        return {}

    async def list_attached(call: Call, request: Request) -> Reply:
        entity: Entity = await noun.of(call, request)
        prefix = request.get("PathPrefix", "/")
        arns = [arn for arn in entity.attached if path_of(arn).startswith(prefix)]
        page, rest = page_of(arns, request, policy_name)
        return {"AttachedPolicies": describe_attached(page), **rest}

    iam.write(f"Attach{noun.name}Policy")(attach)
    iam.write(f"Detach{noun.name}Policy")(detach)
    iam.read(f"ListAttached{noun.name}Policies")(list_attached)


def _register_boundary(noun: Noun) -> None:
    async def put_boundary(call: Call, request: Request) -> Reply:
        entity = await noun.of(call, request)
        await boundaries.bound(call, entity, request["PermissionsBoundary"])
        noun.put(call, entity)
        return {}

    async def delete_boundary(call: Call, request: Request) -> Reply:
        entity = await noun.of(call, request)
        if not entity.boundary:
            raise rules.no_such(f"The permissions boundary of {noun.name.lower()} {entity.name}")
        boundaries.unbound(call, entity)
        noun.put(call, entity)
        return {}

    iam.write(f"Put{noun.name}PermissionsBoundary")(put_boundary)
    iam.write(f"Delete{noun.name}PermissionsBoundary")(delete_boundary)


def describe_attached(arns: list[str]) -> list[dict[str, str]]:
    return [{"PolicyName": policy_name(arn), "PolicyArn": arn} for arn in arns]


def policy_name(arn: str) -> str:
    return arn.rsplit("/", 1)[1]


def path_of(arn: str) -> str:
    """/team/ of arn:aws:iam::111122223333:policy/team/name."""
    resource = arn.split(":", 5)[5]
    return resource[len("policy") : resource.rindex("/") + 1]


for _noun in NOUNS:
    _register_inline(_noun)
    _register_attached(_noun)
    if _noun.name != "Group":
        _register_boundary(_noun)
