"""Policies of tables and streams: put, told, deleted. `access` enforces them."""

from typing import TYPE_CHECKING

from atoll.aws.errors import AwsError
from atoll.aws.policy import Verdict
from atoll.facts import Principal, principal_behind
from atoll.operation import Call, Permission, Reply
from atoll.services.dynamodb import access, policy_rules, tables
from atoll.services.dynamodb.names import Address, read_arn
from atoll.services.dynamodb.records import Table
from atoll.services.dynamodb.refusals import invalid, not_found, validation
from atoll.services.dynamodb.service import dynamodb

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

NO_POLICY = "NO_POLICY"
_PUT = "dynamodb:PutResourcePolicy"


@dynamodb.stream("PutResourcePolicy")
async def put_resource_policy(call: Call, request: "types.PutResourcePolicyInput") -> Reply:
    arn, text = request["ResourceArn"], request["Policy"]
    address = _address(arn)
    policy_rules.check(text)
    known = await policy_rules.identified(call, text)
    principal = await principal_behind(call, text)

    async def attempt(call: Call) -> str:
        table = await _find(call, address)
        current, revision = _policy(table, address)
        _check_expected(request.get("ExpectedRevisionId"), table, current, revision)
        table.policy_known |= known
        if not request.get("ConfirmRemoveSelfResourceAccess"):
            _check_not_locked_out(call, table, arn, text, principal)
        if text != current:
            revision = policy_rules.next_revision(call.now, revision)
            _set(table, address, text, revision)
            tables.save(call.tx, table)
        return revision

    return {"RevisionId": await call.write(attempt)}


@dynamodb.read("GetResourcePolicy")
async def get_resource_policy(call: Call, request: "types.GetResourcePolicyInput") -> "types.GetResourcePolicyOutput":
    address = _address(request["ResourceArn"])
    text, revision = _policy(await _find(call, address), address)
    if not text:
        raise _no_policy(request["ResourceArn"])
    return {"Policy": text, "RevisionId": revision}


@dynamodb.write("DeleteResourcePolicy")
async def delete_resource_policy(
    call: Call, request: "types.DeleteResourcePolicyInput"
) -> "types.DeleteResourcePolicyOutput":
    address = _address(request["ResourceArn"])
    table = await _find(call, address)
    text, revision = _policy(table, address)
    _check_expected(request.get("ExpectedRevisionId"), table, text, revision)
    if not text:
        return {}
    _set(table, address, "", "")
    tables.save(call.tx, table)
    return {"RevisionId": revision}


async def _find(call: Call, address: Address) -> Table:
    """The table, to be changed, of an ARN that may be its stream's."""
    table = await tables.find_own(call, address.arn)
    label = address.within("stream")
    if label is not None and all(stream.label != label for stream in table.streams):
        raise not_found(f"Stream: {address.arn}{address.inside}")
    return table


def _address(arn: str) -> Address:
    address = read_arn(arn)
    if address is None:
        raise validation(f"Invalid ResourceArn provided as input {arn}")
    if address.inside and address.within("stream") is None:
        raise invalid(f"Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {arn}")
    return address


def _policy(table: Table, address: Address) -> tuple[str, str]:
    label = address.within("stream")
    return (table.policy, table.policy_revision) if label is None else table.stream_policies.get(label, ("", ""))


def _set(table: Table, address: Address, text: str, revision: str) -> None:
    label = address.within("stream")
    if label is None:
        table.policy, table.policy_revision = text, revision
    elif text:
        table.stream_policies[label] = (text, revision)
    else:
        del table.stream_policies[label]


def _check_expected(expected: str | None, table: Table, text: str, revision: str) -> None:
    if expected is None or (not text and expected == NO_POLICY) or (text and expected == revision):
        return
    if expected == NO_POLICY:
        raise _no_policy(
            f"Requested policy update expecting none to be present for table {table.name}, but a policy exists with "
            f"revision id {revision}."
        )
    there = f"the policy associated to target table {table.name} has revision id {revision}."
    if not text:
        there = f"no policy is associated to target table {table.name}."
    raise _no_policy(f"Requested update for policy with revision id {expected}, but {there}")


def _check_not_locked_out(call: Call, table: Table, arn: str, text: str, principal: Principal) -> None:
    """A root never is: it may always change a policy of its account."""
    if call.identity.kind == "root" and table.account == call.account:
        return
    if access.verdict_of(call, Permission(_PUT, arn), text, table, principal) is Verdict.DENIED:
        raise validation(
            "Invalid policy document: The new policy will not allow you to update the resource policy in the future. "
            "Set ConfirmRemoveSelfResourceAccess to true if you mean it."
        )


def _no_policy(what: str) -> AwsError:
    return AwsError("PolicyNotFoundException", f"Resource-based policy not found for the provided ResourceArn: {what}")
