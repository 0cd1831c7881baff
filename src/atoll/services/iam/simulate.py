"""What would these policies, or this user's, group's or role's, say? The same judgement as a call's, on facts that are given."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.policy import Verdict, compile_policy
from atoll.operation import Call, Reply, Request
from atoll.services.iam import records, rules
from atoll.services.iam.authorise import OWN, Layer, documents_of, judge_layer
from atoll.services.iam.pages import page_of
from atoll.services.iam.records import Entity
from atoll.services.iam.service import iam

COMBINATIONS_MAX = 10_000
BOUNDARY = "permissions boundary"

_SOURCE = re.compile(r"arn:aws:iam::(\d{12}):(user|group|role)/(?:.*/)?([^/]+)")
_ACTION = re.compile(r"[a-zA-Z0-9-]+:[a-zA-Z0-9]+")
_UNSUPPORTED = (
    "ResourcePolicy",
    "ResourceOwner",
    "CallerArn",
    "ResourceHandlingOption",
    "PolicyExclusionList",
    "OrderedOrganizationPolicyInputList",
)


@iam.read("SimulateCustomPolicy")
async def simulate_custom_policy(call: Call, request: Request) -> Reply:
    layers = [Layer(OWN, _compiled(request["PolicyInputList"]))]
    return _simulate(layers + _given_boundary(request), {}, request)


@iam.read("SimulatePrincipalPolicy")
async def simulate_principal_policy(call: Call, request: Request) -> Reply:
    entity = await _source(call, request["PolicySourceArn"])
    own, boundary = await documents_of(call.tx, entity)
    layers = [Layer(OWN, own + _compiled(request.get("PolicyInputList", [])))]
    given = _given_boundary(request)
    if given:
        layers += given
    elif entity.boundary:
        layers.append(Layer(BOUNDARY, boundary))
    return _simulate(layers, _facts_of(entity), request)


class Given:
    """The facts of a simulation; remembers which were asked for in vain."""

    def __init__(self, facts: Mapping[str, Sequence[str]]) -> None:
        self._facts = facts
        self.missing: set[str] = set()

    def __call__(self, key: str) -> Sequence[str] | None:
        values = self._facts.get(key)
        if values is None:
            self.missing.add(key)
        return values


def _simulate(layers: list[Layer], known: Mapping[str, Sequence[str]], request: Request) -> Reply:
    for member in _UNSUPPORTED:
        if request.get(member):
            raise AwsError("InvalidInput", f"{member} is not supported.", 400)
    for action in request["ActionNames"]:
        if not _ACTION.fullmatch(action):
            raise AwsError("InvalidInput", f"Invalid Entity: {action}", 400)
    resources = request.get("ResourceArns") or ["*"]
    if len(request["ActionNames"]) * len(resources) > COMBINATIONS_MAX:
        raise AwsError("InvalidInput", f"At most {COMBINATIONS_MAX} pairs of action and resource.", 400)
    facts = {**known, **_entries(request.get("ContextEntries", []))}
    pairs = list(enumerate((action, resource) for action in request["ActionNames"] for resource in resources))
    page, rest = page_of(pairs, request, lambda pair: f"{pair[0]:06}")
    return {"EvaluationResults": [_result(layers, *pair, facts) for _, pair in page], **rest}


def _result(layers: list[Layer], action: str, resource: str, facts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    given = Given(facts)
    verdicts = {layer.name: judge_layer(layer, action.lower(), resource, given) for layer in layers}
    if Verdict.DENIED in verdicts.values():
        decision = "explicitDeny"
    else:
        decision = "implicitDeny" if Verdict.SILENT in verdicts.values() else "allowed"
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision,
        "MissingContextValues": sorted(given.missing),
    }
    if BOUNDARY in verdicts:
        allowed = verdicts[BOUNDARY] is Verdict.ALLOWED
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _compiled(texts: Sequence[str]) -> list[str]:
    for text in texts:
        if rules.document_characters(text) > records.POLICY_CHARACTERS_MAX:
            raise AwsError("InvalidInput", f"A policy is above {records.POLICY_CHARACTERS_MAX} characters.", 400)
        try:
            compile_policy(text)
        except AwsError as error:
            raise AwsError("InvalidInput", error.message, 400) from None
    return list(texts)


def _given_boundary(request: Request) -> list[Layer]:
    texts = request.get("PermissionsBoundaryPolicyInputList")
    return [Layer(BOUNDARY, _compiled(texts))] if texts else []


def _entries(entries: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[str]]:
    return {
        entry["ContextKeyName"].lower(): entry.get("ContextKeyValues", [])
        for entry in entries
        if "ContextKeyName" in entry
    }


async def _source(call: Call, arn: str) -> Entity:
    named = _SOURCE.fullmatch(arn)
    if named is None or named.group(1) != call.account:
        raise AwsError("InvalidInput", f"Invalid Entity Arn: {arn}", 400)
    _, kind, name = named.groups()
    entity = await records.get_entity(call.tx, call.account, kind, name)
    if entity is None or entity.arn != arn:
        raise rules.no_such(f"The {kind} with name {name}")
    return entity


def _facts_of(entity: Entity) -> dict[str, Sequence[str]]:
    facts: dict[str, Sequence[str]] = {
        "aws:principalarn": [entity.arn],
        "aws:principalaccount": [entity.account],
        **{f"aws:principaltag/{key.lower()}": [value] for key, value in entity.tags.items()},
    }
    if entity.kind == "user":
        facts |= {"aws:username": [entity.name], "aws:userid": [entity.id], "aws:principaltype": ["User"]}
    return facts
