"""Contributor insights: the setting, and what is counted while it is on."""

import asyncio

import msgspec
import pytest
from tests.support import NOW
from tests.unit.dynamodb.streaming import StreamingCloud

from atoll.services.dynamodb import backfill, batches, contributors, insights, items, scans, transactions  # noqa: F401 - their operations
from atoll.services.dynamodb.contributors import Rule
from atoll.services.dynamodb.records import Throughput

MINUTE = int(NOW // 60)


@pytest.fixture
def cloud():
    contributors._gathered.clear()
    made = StreamingCloud()
    made(
        "CreateTable",
        TableName="table",
        KeySchema=[{"AttributeName": "p", "KeyType": "HASH"}, {"AttributeName": "c", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in "pcg"],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": "index",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    return made


def update(cloud, action="ENABLE", **more):
    return cloud("UpdateContributorInsights", TableName="table", ContributorInsightsAction=action, **more)


def describe(cloud, **more):
    return cloud("DescribeContributorInsights", TableName="table", **more)


def item(p, c="1"):
    return {"p": {"S": p}, "c": {"S": c}}


def top(cloud, rule, minutes=(MINUTE, MINUTE + 1), most=10):
    asyncio.run(contributors.hand_in(cloud.store, cloud.now))
    return asyncio.run(contributors.top(cloud.store, cloud.table(), "", rule, minutes=minutes, most=most))


def test_they_are_off_until_they_are_switched_on(cloud):
    assert describe(cloud) == {"TableName": "table", "ContributorInsightsStatus": "DISABLED"}
    assert update(cloud) == {
        "TableName": "table",
        "ContributorInsightsStatus": "ENABLING",
        "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS",
    }
    made = int(NOW * 1000)
    assert describe(cloud) == {
        "TableName": "table",
        "ContributorInsightsRuleList": [
            f"DynamoDBContributorInsights-{rule}-table-{made}" for rule in ("PKC", "PKT", "SKC", "SKT")
        ],
        "ContributorInsightsStatus": "ENABLED",
        "LastUpdateDateTime": NOW,
        "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS",
    }
    cloud.later(5)
    assert update(cloud, "DISABLE")["ContributorInsightsStatus"] == "DISABLING"
    off = describe(cloud)
    assert (off["ContributorInsightsStatus"], off["ContributorInsightsRuleList"]) == ("DISABLED", [])
    assert off["LastUpdateDateTime"] == NOW + 5


def test_an_index_has_a_setting_of_its_own_and_rules_for_the_keys_it_has(cloud):
    reply = update(cloud, IndexName="index", ContributorInsightsMode="THROTTLED_KEYS")
    assert (reply["IndexName"], reply["ContributorInsightsMode"]) == ("index", "THROTTLED_KEYS")
    assert describe(cloud, IndexName="index")["ContributorInsightsRuleList"] == [
        f"DynamoDBContributorInsights-PKT-table-index-{int(NOW * 1000)}"
    ]
    assert describe(cloud)["ContributorInsightsStatus"] == "DISABLED"


def test_what_is_not_there_is_refused(cloud):
    for operation, more in (
        ("DescribeContributorInsights", {}),
        ("UpdateContributorInsights", {"ContributorInsightsAction": "ENABLE"}),
    ):
        assert cloud.refused(operation, TableName="none", **more)[0] == "ResourceNotFoundException"
        assert cloud.refused(operation, TableName="table", IndexName="none", **more) == (
            "ResourceNotFoundException",
            "Requested resource not found: Index: none not found",
        )
    assert cloud.refused("ListContributorInsights", NextToken="x")[0] == "ValidationException"
    assert cloud.refused("ListContributorInsights", MaxResults=-1) == (
        "ValidationException",
        "1 validation error detected: Value '-1' at 'maxResults' failed to satisfy constraint: "
        "Member must have value greater than or equal to 0",
    )


def test_the_list_goes_page_by_page(cloud):
    cloud.create("another")
    update(cloud, IndexName="index")
    update(cloud)
    cloud("UpdateContributorInsights", TableName="another", ContributorInsightsAction="ENABLE")
    seen, more = [], {}
    for _ in range(10):
        reply = cloud("ListContributorInsights", MaxResults=1, **more)
        seen += [(told["TableName"], told.get("IndexName")) for told in reply["ContributorInsightsSummaries"]]
        if "NextToken" not in reply:
            break
        more = {"NextToken": reply["NextToken"]}
    assert seen == [("another", None), ("table", None), ("table", "index")]
    only = cloud("ListContributorInsights", TableName="another")["ContributorInsightsSummaries"]
    assert only == [
        {
            "TableName": "another",
            "ContributorInsightsStatus": "ENABLED",
            "ContributorInsightsMode": "ACCESSED_AND_THROTTLED_KEYS",
        }
    ]


def test_accesses_are_counted_by_partition_and_by_item(cloud):
    update(cloud)
    for key in [item("a", "1"), item("a", "2"), item("a", "2"), item("b")]:
        contributors.accessed(cloud.table(), None, key)
    contributors.throttled(cloud.table(), None, item("b"))
    assert top(cloud, Rule.PARTITION_ACCESSED) == [({"p": {"S": "a"}}, 3), ({"p": {"S": "b"}}, 1)]
    assert top(cloud, Rule.ITEM_ACCESSED, most=1) == [(item("a", "2"), 2)]
    assert top(cloud, Rule.PARTITION_THROTTLED) == [({"p": {"S": "b"}}, 1)]


def test_counts_of_later_minutes_add_up(cloud):
    update(cloud)
    for _ in range(3):
        contributors.accessed(cloud.table(), None, item("a"))
        top(cloud, Rule.PARTITION_ACCESSED)
        cloud.later(60)
    assert top(cloud, Rule.PARTITION_ACCESSED, (MINUTE, MINUTE + 2)) == [({"p": {"S": "a"}}, 2)]
    assert top(cloud, Rule.PARTITION_ACCESSED, (MINUTE, MINUTE + 3)) == [({"p": {"S": "a"}}, 3)]


def test_where_they_are_off_nothing_is_counted(cloud):
    contributors.accessed(cloud.table(), None, item("a"))
    update(cloud, ContributorInsightsMode="THROTTLED_KEYS")
    contributors.accessed(cloud.table(), None, item("a"))
    update(cloud, "DISABLE")
    contributors.throttled(cloud.table(), None, item("a"))
    assert not contributors._gathered


def test_too_many_keys_cost_those_asked_for_least(cloud, monkeypatch):
    monkeypatch.setattr(contributors, "GATHERED_MAX", 10)
    update(cloud)
    table = cloud.table()
    for _ in range(5):
        contributors.accessed(table, None, item("hot"))
    for number in range(100):
        contributors.accessed(table, None, item(str(number)))
    assert len(contributors._gathered) <= 10
    assert top(cloud, Rule.PARTITION_ACCESSED, most=1) == [({"p": {"S": "hot"}}, 5)]


def test_every_way_to_an_item_is_counted(cloud):
    update(cloud)
    update(cloud, IndexName="index")
    entry = {**item("a"), "g": {"S": "g"}}
    cloud("PutItem", TableName="table", Item=entry)
    cloud("GetItem", TableName="table", Key=item("a"))
    cloud("UpdateItem", TableName="table", Key=item("a"), AttributeUpdates={})
    cloud("BatchGetItem", RequestItems={"table": {"Keys": [item("a")]}})
    cloud("BatchWriteItem", RequestItems={"table": [{"PutRequest": {"Item": entry}}]})
    cloud("TransactGetItems", TransactItems=[{"Get": {"TableName": "table", "Key": item("a")}}])
    cloud("TransactWriteItems", TransactItems=[{"Delete": {"TableName": "table", "Key": item("none")}}])
    cloud("Scan", TableName="table")
    cloud("Scan", TableName="table", IndexName="index")
    assert top(cloud, Rule.ITEM_ACCESSED) == [(item("a"), 7), (item("none"), 1)]
    index = contributors.top(
        cloud.store, cloud.table(), "index", Rule.PARTITION_ACCESSED, minutes=(MINUTE, MINUTE + 1), most=5
    )
    assert asyncio.run(index) == [({"g": {"S": "g"}}, 1)]


def test_throttled_requests_are_counted_by_their_keys(cloud):
    cloud.change(billing="PROVISIONED", throughput=Throughput(read=1, write=1))
    update(cloud)
    cloud("PutItem", TableName="table", Item={**item("a"), "blob": {"S": "x" * 350_000}})
    for _ in range(2):
        assert (
            cloud.refused("PutItem", TableName="table", Item=item("b"))[0] == "ProvisionedThroughputExceededException"
        )
    assert top(cloud, Rule.ITEM_THROTTLED) == [(item("b"), 2)]


def test_an_index_made_again_has_no_setting(cloud):
    update(cloud, IndexName="index")
    cloud.later(10)
    (index,) = cloud.table().indexes
    cloud.change(indexes=[msgspec.structs.replace(index, created=cloud.now)])
    assert describe(cloud, IndexName="index")["ContributorInsightsStatus"] == "DISABLED"
    assert cloud("ListContributorInsights")["ContributorInsightsSummaries"] == []
    cloud.change(indexes=[])
    assert cloud("ListContributorInsights")["ContributorInsightsSummaries"] == []


def test_a_dropped_table_takes_its_counts_with_it(cloud):
    update(cloud)
    cloud("PutItem", TableName="table", Item=item("a"))
    table = cloud.table()
    asyncio.run(contributors.hand_in(cloud.store, cloud.now))
    counts = contributors.shelf_of(table)
    assert any(p == counts for p, _ in cloud.store.rows)
    cloud("DeleteTable", TableName="table")
    asyncio.run(backfill.sweep(cloud.store))
    assert not any(p == counts for p, _ in cloud.store.rows)
