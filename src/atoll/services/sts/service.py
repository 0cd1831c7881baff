"""The table of STS's operations. Only GetFederationToken asks IAM beforehand; AssumeRole must read the role's trust first."""

from collections.abc import Sequence

from atoll.operation import Call, Permission, Request, Service

_SELF_SERVICE = frozenset({"GetCallerIdentity", "GetSessionToken"})  # Everybody may, says AWS.


def permits(call: Call, operation: str, request: Request) -> Sequence[Permission]:
    if operation in _SELF_SERVICE or operation == "AssumeRole":
        return ()
    if operation == "GetFederationToken":
        return (Permission("sts:GetFederationToken", f"arn:aws:sts::{call.account}:federated-user/{request['Name']}"),)
    return (Permission(f"sts:{operation}"),)


sts = Service("sts", permits)
