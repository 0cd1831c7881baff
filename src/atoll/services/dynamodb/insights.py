"""Contributor insights, switched on and off for tables and their global indexes. `contributors` counts."""

from typing import TYPE_CHECKING, Any

from atoll.aws import constraints
from atoll.aws.constraints import Constraint
from atoll.operation import Call
from atoll.services.dynamodb import contributors, records, tables
from atoll.services.dynamodb.records import Index, Table
from atoll.services.dynamodb.refusals import not_found, validation
from atoll.services.dynamodb.service import dynamodb
from atoll.store import keys

if TYPE_CHECKING:
    from atoll.aws.types import dynamodb as types

DEFAULT_MODE = "ACCESSED_AND_THROTTLED_KEYS"
SUMMARIES_PER_PAGE_MAX = 100
_TABLES_PER_SCAN = 100


@dynamodb.write("UpdateContributorInsights")
async def update_contributor_insights(
    call: Call, request: "types.UpdateContributorInsightsInput"
) -> "types.UpdateContributorInsightsOutput":
    table = await tables.find_own(call, request["TableName"])
    index = _index(table, request.get("IndexName"))
    name = index.name if index is not None else ""
    before = contributors.setting_of(table, index) or {}
    enabled = request["ContributorInsightsAction"] == "ENABLE"
    mode = request.get("ContributorInsightsMode", before.get("mode", DEFAULT_MODE))
    same = (before.get("enabled", False), before.get("mode", mode)) == (enabled, mode)
    created = before.get("created", call.now) if before.get("enabled") else call.now
    table.insights[name] = {
        "enabled": enabled,
        "mode": mode,
        "created": created,
        "updated": before.get("updated", call.now) if same else call.now,
    }
    tables.save(call.tx, table)
    reply: types.UpdateContributorInsightsOutput = {
        "TableName": table.name,
        "ContributorInsightsStatus": "ENABLING" if enabled else "DISABLING",
        "ContributorInsightsMode": mode,
    }
    return {**reply, "IndexName": name} if name else reply


@dynamodb.read("DescribeContributorInsights")
async def describe_contributor_insights(
    call: Call, request: "types.DescribeContributorInsightsInput"
) -> "types.DescribeContributorInsightsOutput":
    table = await tables.find(call, request["TableName"])
    index = _index(table, request.get("IndexName"))
    name = index.name if index is not None else ""
    setting = contributors.setting_of(table, index)
    reply: dict[str, Any] = {"TableName": table.name}
    if name:
        reply["IndexName"] = name
    if setting is None:
        return {**reply, "ContributorInsightsStatus": "DISABLED"}  # type: ignore[typeddict-item]
    reply |= {
        "ContributorInsightsRuleList": _rules(table, index, setting),
        "ContributorInsightsStatus": _status(setting),
        "LastUpdateDateTime": setting["updated"],
        "ContributorInsightsMode": setting["mode"],
    }
    return reply  # type: ignore[return-value]


@dynamodb.read("ListContributorInsights")
async def list_contributor_insights(
    call: Call, request: "types.ListContributorInsightsInput"
) -> "types.ListContributorInsightsOutput":
    """Of all that have ever been set, by the names of tables and indexes: the token is the last pair told."""
    limit = request.get("MaxResults", 0) or SUMMARIES_PER_PAGE_MAX
    # The model tells only the most.
    constraints.hold(limit, "maxResults", Constraint(least=0, is_number=True))
    after = _after(request.get("NextToken"))
    only = await tables.find(call, request["TableName"]) if "TableName" in request else None
    lo = keys.pack(after[0]) if only is None else records.table_key(only.name)
    hi = None if only is None else lo + b"\x00"
    found: list[types.ContributorInsightsSummary] = []
    shelf = (
        records.tables_shelf(call.account, call.region)
        if only is None
        else records.tables_shelf(only.account, only.region)
    )
    while len(found) <= limit and (rows := await call.tx.scan(shelf, lo, hi, _TABLES_PER_SCAN)):
        for _, row in rows:
            found += _summaries(records.decode_table(row), after)
        lo = rows[-1][0] + b"\x00"
    reply: types.ListContributorInsightsOutput = {"ContributorInsightsSummaries": found[:limit]}
    if len(found) > limit:
        last = found[limit - 1]
        reply["NextToken"] = f"{last['TableName']}/{last.get('IndexName', '')}"
    return reply


def _summaries(table: Table, after: tuple[str, str]) -> list["types.ContributorInsightsSummary"]:
    found: list[types.ContributorInsightsSummary] = []
    for index in (None, *sorted(table.indexes, key=lambda index: index.name)):
        name = index.name if index is not None else ""
        setting = contributors.setting_of(table, index)
        if setting is not None and (table.name, name) > after:
            summary: types.ContributorInsightsSummary = {"TableName": table.name}
            if name:
                summary["IndexName"] = name
            summary["ContributorInsightsStatus"] = _status(setting)
            summary["ContributorInsightsMode"] = setting["mode"]
            found.append(summary)
    return found


def _after(token: str | None) -> tuple[str, str]:
    if token is None:
        return "", ""
    table, separator, index = token.partition("/")
    if not separator:
        raise validation("Invalid NextToken")
    return table, index


def _index(table: Table, name: str | None) -> Index | None:
    if name is None:
        return None
    for index in table.indexes:
        if index.name == name and index.is_global:
            return index
    raise not_found(f"Index: {name}")


def _status(setting: dict[str, Any]) -> str:
    return "ENABLED" if setting["enabled"] else "DISABLED"


def _rules(table: Table, index: Index | None, setting: dict[str, Any]) -> list[str]:
    """The names that AWS gives to CloudWatch's rules of this table or index."""
    if not setting["enabled"]:
        return []
    resource = f"{table.name}-{index.name}" if index is not None else table.name
    made = int(setting["created"] * 1000)
    counted = contributors.rules(table, index, setting["mode"])
    return [f"DynamoDBContributorInsights-{rule.value}-{resource}-{made}" for rule in counted]
