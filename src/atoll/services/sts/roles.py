"""AssumeRole: a role's trust policy says who may, and the caller's own policies must agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, Verdict, compile_policy
from atoll.aws.policy_principals import Caller
from atoll.facts import Facts, Principal, request_tags
from atoll.operation import Call, Identity, Permission, Reply
from atoll.services.sts import rules, sessions
from atoll.services.sts.service import sts

if TYPE_CHECKING:
    from atoll.aws.types import sts as types

SECONDS_DEFAULT = 3600
SECONDS_MAX = 43_200
CHAINED_SECONDS_MAX = 3600

_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[\x21-\x7e]*/)?([A-Za-z0-9_+=,.@-]{1,64})")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]*")


@dataclass(frozen=True, slots=True)
class Role:
    arn: str
    name: str
    id: str
    account: str
    trust: str
    seconds_max: int
    tags: Mapping[str, str]


@sts.stream("AssumeRole")
async def assume_role(call: Call, request: "types.AssumeRoleRequest") -> Reply:
    account, name = _check(request)
    tags = _tags(call, request)
    percent = rules.packed_percent(request)
    if call.identity.kind == "root":
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
    role = await _find(call, account, name, request["RoleArn"])
    await _authorise(call, role, request)
    seconds = _seconds(call, role, request)
    facts = _facts(call, request, tags)
    policies = await rules.session_policies(call, request, role.account)
    if policies is not None:
        facts["policies"] = policies
    identity = Identity(
        role.account,
        f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{request['RoleSessionName']}",
        f"{role.id}:{request['RoleSessionName']}",
        "",
        "assumed-role",
    )
    session = sessions.new_session(call, identity, seconds, facts, request.get("MinimumSessionTokenSize", 0))
    await call.write(lambda c: sessions.put(c.tx, session, c.now))
    reply: Reply = {
        "Credentials": sessions.describe(session),
        "AssumedRoleUser": {"AssumedRoleId": identity.user_id, "Arn": identity.arn},
    }
    if percent is not None:
        reply["PackedPolicySize"] = percent
    return reply | ({"SourceIdentity": facts["source_identity"]} if "source_identity" in facts else {})


def _check(request: "types.AssumeRoleRequest") -> tuple[str, str]:
    """The role's account and name."""
    rules.refuse_mfa(request)
    if request.get("ProvidedContexts"):
        raise AwsError("ValidationError", "ProvidedContexts need IAM Identity Center, which is not here.", 400)
    role = _ROLE_ARN.fullmatch(request["RoleArn"])
    if role is None:
        raise AwsError("ValidationError", f"{request['RoleArn']} is invalid", 400)
    rules.check_word("roleSessionName", request["RoleSessionName"], 2, 64)
    if "ExternalId" in request:
        rules.check_word("externalId", request["ExternalId"], 2, 1224, _EXTERNAL_ID)
    if "SourceIdentity" in request:
        rules.check_word("sourceIdentity", request["SourceIdentity"], 2, 64)
    if "DurationSeconds" in request:
        rules.check_seconds(request["DurationSeconds"], SECONDS_MAX)
    return role.group(1), role.group(2)


def _tags(call: Call, request: "types.AssumeRoleRequest") -> dict[str, str]:
    """The session's: those it asks for, and those the caller's own session hands on."""
    asked = rules.check_tags(request.get("Tags", []))
    handed = {key: call.identity.session["tags"][key] for key in call.identity.session.get("transitive", [])}
    clash = {key.lower() for key in asked} & {key.lower() for key in handed}
    if clash:
        raise AwsError(
            "InvalidParameterValue",
            f"One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
            f"from the calling session: {', '.join(sorted(clash))}",
            400,
        )
    missing = set(request.get("TransitiveTagKeys", [])) - asked.keys()
    if missing:
        raise AwsError(
            "InvalidParameterValue", "The specified transitive tag key must be included in the requested tags.", 400
        )
    return {**handed, **asked}


async def _find(call: Call, account: str, name: str, arn: str) -> Role:
    try:
        reply = await call.api("iam", "GetRole", {"RoleName": name}, as_service=True, account=account)
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise
        raise _refusal(call, arn) from None
    role = reply["Role"]
    if role["Arn"] != arn:
        raise _refusal(call, arn)
    tags = {tag["Key"]: tag["Value"] for tag in role.get("Tags", [])}
    trust = unquote(role["AssumeRolePolicyDocument"])
    return Role(arn, role["RoleName"], role["RoleId"], account, trust, role["MaxSessionDuration"], tags)


def _refusal(call: Call, arn: str, action: str = "sts:AssumeRole") -> AwsError:
    # Whether the role is there at all is nothing a stranger may learn.
    return AwsError(
        "AccessDenied", f"User: {call.identity.arn} is not authorized to perform: {action} on resource: {arn}", 403
    )


async def _authorise(call: Call, role: Role, request: "types.AssumeRoleRequest") -> None:
    if call.identity.kind not in {"user", "assumed-role"}:
        raise _refusal(call, role.arn)
    actions = ["sts:AssumeRole"]
    if request.get("Tags"):
        actions.append("sts:TagSession")
    source = request.get("SourceIdentity", call.identity.session.get("source_identity"))
    if source is not None:
        actions.append("sts:SetSourceIdentity")
    context = _context(request, source)
    principal = await _principal(call)
    facts = Facts(call, principal, context, {f"aws:ResourceTag/{key}": value for key, value in role.tags.items()})
    caller = Caller(
        call.account, frozenset({call.identity.arn, principal.arn, call.identity.user_id.partition(":")[0]})
    )
    trust = compile_policy(role.trust, Use.TRUST)
    asked = []
    for action in actions:
        verdict = trust.judge_for(caller, action.lower(), role.arn, facts)
        if verdict in {Verdict.DENIED, Verdict.SILENT}:
            raise _refusal(call, role.arn, action)
        granted = verdict is Verdict.ALLOWED and call.account == role.account
        asked.append(Permission(action, role.arn, context, granted=granted))
    await call.authorise(*asked)


def _context(request: "types.AssumeRoleRequest", source: str | None) -> dict[str, Any]:
    context = {"sts:RoleSessionName": request["RoleSessionName"], **request_tags(request.get("Tags", []))}
    if "ExternalId" in request:
        context["sts:ExternalId"] = request["ExternalId"]
    if "TransitiveTagKeys" in request:
        context["sts:TransitiveTagKeys"] = request["TransitiveTagKeys"]
    if source is not None:
        context["sts:SourceIdentity"] = source
    return context


async def _principal(call: Call) -> Principal:
    """The user or role that calls, with its tags."""
    name = call.identity.arn.split("/")[1 if call.identity.kind == "assumed-role" else -1]
    noun = "Role" if call.identity.kind == "assumed-role" else "User"
    try:
        reply = await call.api("iam", f"Get{noun}", {f"{noun}Name": name}, as_service=True)
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise
        return Principal(call.identity.arn)  # Gone since its keys were made: authorisation will refuse it.
    entity = reply[noun]
    if entity[f"{noun}Id"] != call.identity.user_id.partition(":")[0]:
        return Principal(call.identity.arn)
    return Principal(entity["Arn"], {tag["Key"]: tag["Value"] for tag in entity.get("Tags", [])})


def _seconds(call: Call, role: Role, request: "types.AssumeRoleRequest") -> int:
    seconds = request.get("DurationSeconds", SECONDS_DEFAULT)
    if seconds > role.seconds_max:
        raise AwsError(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 400
        )
    if call.identity.kind == "assumed-role" and seconds > CHAINED_SECONDS_MAX:
        raise AwsError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            400,
        )
    return seconds


def _facts(call: Call, request: "types.AssumeRoleRequest", tags: dict[str, str]) -> dict[str, Any]:
    """What the session remembers."""
    caller = call.identity.session
    facts: dict[str, Any] = {}
    if tags:
        facts["tags"] = tags
        facts["transitive"] = [*caller.get("transitive", []), *request.get("TransitiveTagKeys", [])]
    source = caller.get("source_identity")
    if source is not None and request.get("SourceIdentity", source) != source:
        raise AwsError("AccessDenied", "Source identity cannot be changed once it is set.", 403)
    source = request.get("SourceIdentity", source)
    if source is not None:
        facts["source_identity"] = source
    return facts
