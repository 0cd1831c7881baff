"""Who may do what to tables: what their own policies say, before IAM is asked.

    explicit denial anywhere     refused, the account's root too (but for the policy itself)
    the table's own account      IAM's policies or the table's
    another account              its own IAM policies, and the table's policy
    nobody known                 refused

A root is judged as its operation finds the table (`hold`): most tables have no policy, and then there is nothing to judge. Everyone
else is judged beforehand (`weigh`), and the operation is held to the policy that was judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.policy import Use, Verdict, compile_policy
from atoll.aws.policy_principals import Caller
from atoll.facts import Facts, Principal, principal_behind
from atoll.operation import Call, Permission
from atoll.services.dynamodb.names import Address, read_arn
from atoll.services.dynamodb.records import Table, decode_table, table_key, tables_shelf
from atoll.services.dynamodb.request_facts import OfItems, OnItems, table_facts
from atoll.services.dynamodb.service import ASKED, asked_of, dynamodb, dynamodbstreams
from atoll.store import Conflict

_ROOT_ALWAYS = frozenset({"dynamodb:DeleteResourcePolicy", "dynamodb:GetResourcePolicy", "dynamodb:PutResourcePolicy"})
_WEIGHED = "weighed"


async def weigh(call: Call, permissions: Sequence[Permission]) -> Sequence[Permission]:
    """What is left to ask of IAM."""
    if call.identity.kind == "service":
        return permissions
    rows: dict[str, bytes | None] = {}
    call.premises[_WEIGHED] = rows  # By the ARNs of the tables that were judged.
    weighed: list[Permission] = []
    for permission in permissions:
        address = read_arn(permission.resource)
        if address is None:
            weighed.append(permission)
            continue
        if call.identity.kind == "anonymous":
            raise refusal(call, permission)
        arn = address.arn
        if arn not in rows:
            rows[arn] = await call.cloud.store.get(
                tables_shelf(address.account, address.region), table_key(address.name)
            )
        row = rows[arn]
        weighed.append(await _weigh_one(call, permission, address, None if row is None else decode_table(row)))
    return weighed


def hold(call: Call, table: Table) -> None:
    """Raises unless this call may look into this table, by the policy it has now."""
    if call.identity.kind == "service":
        return
    if ASKED in call.premises:
        _hold_root(call, table)
    elif _WEIGHED in call.premises:
        _hold_weighed(call, table)


def _hold_weighed(call: Call, table: Table) -> None:
    if table.arn not in call.premises[_WEIGHED]:
        # The operation was judged, but not by this table: in its own account it may look.
        refuse_unknown(call, Address(table.account, table.region, table.name))
    elif call.premises.get(table.uid) != table.policy_revision:
        raise Conflict("the table or its policy has changed since access to it was judged")


def _hold_root(call: Call, table: Table) -> None:
    operation, request = call.premises[ASKED]
    asked = [(permission, read_arn(permission.resource)) for permission in asked_of(call, operation, request)]
    about = [(permission, address) for permission, address in asked if address is not None and address.arn == table.arn]
    if not about and table.account != call.account:
        raise refusal(call, Permission(f"dynamodb:{operation}", table.arn))
    for permission, address in about:
        _judge(call, permission, table, address, Principal(call.identity.arn))


def refuse_unknown(call: Call, address: Address) -> None:
    """Another account is not told which tables there are not."""
    if address.account != call.account and call.identity.kind != "service":
        action = f"dynamodb:{call.premises[ASKED][0]}" if ASKED in call.premises else "dynamodb:DescribeTable"
        raise refusal(call, Permission(action, address.arn))


async def _weigh_one(call: Call, permission: Permission, address: Address, table: Table | None) -> Permission:
    if table is None:
        if address.account != call.account:
            raise refusal(call, permission)
        return permission
    document = policy_of(table, address)
    call.premises[table.uid] = table.policy_revision
    if not document:
        if table.account != call.account:
            raise refusal(call, permission)
        return _seen(permission, table)
    principal = await principal_behind(call, document)
    verdict = _judge(call, permission, table, address, principal)
    return _seen(permission, table, granted=verdict is Verdict.ALLOWED and table.account == call.account)


def _judge(call: Call, permission: Permission, table: Table, address: Address, principal: Principal) -> Verdict:
    """What the table's policy says. Raises AccessDeniedException for a denial, and to another account for silence."""
    verdict = verdict_of(call, permission, policy_of(table, address), table, principal)
    own = table.account == call.account
    if verdict is Verdict.DENIED:
        if not (own and call.identity.kind == "root" and permission.action in _ROOT_ALWAYS):
            raise refusal(call, permission, denied=True)
        return Verdict.SILENT
    if verdict is Verdict.SILENT and not own:
        raise refusal(call, permission)
    return verdict


def verdict_of(call: Call, permission: Permission, document: str, table: Table, principal: Principal) -> Verdict:
    if not document:
        return Verdict.SILENT
    identity = call.identity
    unique_id = identity.user_id.partition(":")[0]
    known = table.policy_known
    called = {arn for arn in (identity.arn, principal.arn) if known.get(arn, unique_id) == unique_id}
    # A root's id is its account's number, which in a policy means the whole account.
    called |= {unique_id} - {identity.account}
    seen = _seen(permission, table)
    facts = Facts(call, principal, seen.context)
    caller = Caller(identity.account, frozenset(called))
    return compile_policy(document, Use.RESOURCE).judge_for(caller, seen.action.lower(), seen.resource, facts)


def policy_of(table: Table, address: Address) -> str:
    """A stream has a policy of its own; backups, exports and imports have none."""
    label = address.within("stream")
    if label is not None:
        return table.stream_policies.get(label, ("", ""))[0]
    return table.policy if not address.inside or address.within("index") is not None else ""


def _seen(permission: Permission, table: Table, *, granted: bool = False) -> Permission:
    """With all that conditions may ask."""
    context: Mapping[str, Any] = permission.context
    if isinstance(permission, OnItems):
        context = OfItems(permission, table)
    elif table.tags:
        context = {**context, **table_facts(table)}
    return Permission(permission.action, permission.resource, context, granted)


def refusal(call: Call, permission: Permission, *, denied: bool = False) -> AwsError:
    action = permission.action
    reason = (
        "with an explicit deny in a resource-based policy"
        if denied
        else f"because no resource-based policy allows the {action} action"
    )
    return AwsError(
        "AccessDeniedException",
        f"User: {call.identity.arn} is not authorized to perform: {action} on resource: {permission.resource} {reason}",
    )


dynamodb.weigh = weigh
dynamodbstreams.weigh = weigh
