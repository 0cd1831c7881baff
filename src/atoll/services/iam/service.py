"""The table of IAM's operations, and what each asks of IAM itself before it runs.

The resource is named here without its path, which only the store knows; `authorise` finds the entity's full ARN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atoll.facts import request_tags
from atoll.operation import Call, Permission, Request, Service

# Operations that name no entity, by what they list.
_LISTS = {
    "ListUsers": "user/",
    "ListGroups": "group/",
    "ListRoles": "role/",
    "ListInstanceProfiles": "instance-profile/",
}
_ANYTHING = frozenset(
    {
        "ListPolicies",
        "ListAccountAliases",
        "CreateAccountAlias",
        "DeleteAccountAlias",
        "GetAccountSummary",
        "GetAccountAuthorizationDetails",
        "SimulateCustomPolicy",
    }
)
# The member that names an operation's resource, and its kind: the first present decides.
_NAMES = (
    ("GroupName", "group"),
    ("InstanceProfileName", "instance-profile"),
    ("RoleName", "role"),
    ("UserName", "user"),
    ("PolicyName", "policy"),
)


@dataclass(frozen=True, slots=True)
class EntityPermission(Permission):
    """On an entity that is there already, if any: `authorise` puts its full ARN in place of `resource`."""

    kind: str = ""
    name: str = ""


def permits(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    action = f"iam:{operation}"
    context = _context(request)
    asked = [
        _on_entity(call, action, request, context) or Permission(action, _resource(call, operation, request), context)
    ]
    if operation == "AddRoleToInstanceProfile":
        role = request["RoleName"]
        asked.append(EntityPermission("iam:PassRole", _arn(call, "role", f"/{role}"), kind="role", name=role))
    if "NewPath" in request or f"New{_moved(operation)}Name" in request:
        kind = _moved(operation)
        name = request.get(f"New{kind}Name", request[f"{kind}Name"])
        # Where it moves to. Without a path said, it keeps the one it has, which has just been asked about.
        asked.append(Permission(action, _arn(call, kind.lower(), f"{request.get('NewPath', '/')}{name}"), context))
    return asked


def _moved(operation: str) -> str:
    return operation.removeprefix("Update")


def _on_entity(call: Call, action: str, request: Request, context: Mapping[str, Any]) -> Permission | None:
    if action.startswith("iam:Create") and action != "iam:CreateAccessKey":
        return None
    for member, kind in _NAMES:
        if member in request:
            name = request[member]
            return EntityPermission(action, _arn(call, kind, f"/{name}"), context, kind=kind, name=name)
    return None


def _arn(call: Call, kind: str, name: str) -> str:
    return f"arn:aws:iam::{call.account}:{kind}{name}"


def _resource(call: Call, operation: str, request: Request) -> str:
    if operation in _ANYTHING:
        return "*"
    if operation in _LISTS:
        return _arn(call, _LISTS[operation], request.get("PathPrefix", "/").lstrip("/"))
    if operation == "GetAccessKeyLastUsed":
        return _arn(call, "user", "/*")
    if operation == "SimulatePrincipalPolicy":
        return str(request["PolicySourceArn"])
    for member, kind in _NAMES:
        if member in request:
            return _arn(call, kind, f"{request.get('Path', '/')}{request[member]}")
    if "PolicyArn" in request:
        return str(request["PolicyArn"])
    return call.identity.arn  # GetUser, ListAccessKeys...: of oneself


def _context(request: Mapping[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if "PolicyArn" in request:
        context["iam:PolicyARN"] = request["PolicyArn"]
    if "PermissionsBoundary" in request:
        context["iam:PermissionsBoundary"] = request["PermissionsBoundary"]
    context |= request_tags(request.get("Tags", []))
    if "TagKeys" in request:
        context["aws:TagKeys"] = request["TagKeys"]
    return context


iam = Service("iam", permits)
