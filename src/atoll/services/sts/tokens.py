"""Who am I, and temporary keys in one's own name (GetSessionToken) or in a narrower one (GetFederationToken)."""

from typing import TYPE_CHECKING, Any

from atoll.aws.errors import AwsError
from atoll.operation import Call, Identity, Reply
from atoll.services.sts import rules, sessions
from atoll.services.sts.service import sts

if TYPE_CHECKING:
    from atoll.aws.types import sts as types

SECONDS_DEFAULT = 43_200
SECONDS_MAX = 129_600
ROOT_SECONDS_MAX = 3600


@sts.read("GetCallerIdentity")
async def get_caller_identity(call: Call, request: "types.GetCallerIdentityRequest") -> Reply:
    return {"UserId": call.identity.user_id, "Account": call.account, "Arn": call.identity.arn}


@sts.stream("GetSessionToken")
async def get_session_token(call: Call, request: "types.GetSessionTokenRequest") -> Reply:
    rules.refuse_mfa(request)
    _refuse_sessions(call, "GetSessionToken")
    seconds = _seconds(call, request)
    session = sessions.new_session(
        call, call.identity, seconds, {"temporary": True}, request.get("MinimumSessionTokenSize", 0)
    )
    await call.write(lambda c: sessions.put(c.tx, session, c.now))
    return {"Credentials": sessions.describe(session)}


@sts.stream("GetFederationToken")
async def get_federation_token(call: Call, request: "types.GetFederationTokenRequest") -> Reply:
    _refuse_sessions(call, "GetFederationToken")
    name = rules.check_word("name", request["Name"], 2, 32)
    seconds = _seconds(call, request)
    percent = rules.packed_percent(request)
    facts: dict[str, Any] = {
        "temporary": True,
        "tags": rules.check_tags(request.get("Tags", [])),
        # Without a policy of its own a federated user may do nothing.
        "policies": await rules.session_policies(call, request, call.account) or [],
        "issuer": "root" if call.identity.is_root else call.identity.arn.rsplit("/", 1)[1],
        "issuer_id": call.identity.user_id,
    }
    identity = Identity(
        call.account,
        f"arn:aws:sts::{call.account}:federated-user/{name}",
        f"{call.account}:{name}",
        "",
        "federated-user",
    )
    session = sessions.new_session(call, identity, seconds, facts, request.get("MinimumSessionTokenSize", 0))
    await call.write(lambda c: sessions.put(c.tx, session, c.now))
    reply: Reply = {
        "Credentials": sessions.describe(session),
        "FederatedUser": {"FederatedUserId": identity.user_id, "Arn": identity.arn},
    }
    return reply | ({"PackedPolicySize": percent} if percent is not None else {})


def _refuse_sessions(call: Call, operation: str) -> None:
    if call.identity.session or call.identity.kind not in {"root", "user"}:
        raise AwsError("AccessDenied", f"Cannot call {operation} with session credentials", 403)


def _seconds(call: Call, request: Any) -> int:
    seconds = rules.check_seconds(request.get("DurationSeconds", SECONDS_DEFAULT), SECONDS_MAX)
    # AWS, too, gives a root an hour without telling.
    return min(seconds, ROOT_SECONDS_MAX) if call.identity.is_root else seconds
