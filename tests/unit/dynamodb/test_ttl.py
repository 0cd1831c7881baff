"""Time to live: the setting, the rows that say what expires when, and the sweeper."""

import asyncio

import pytest
from tests.support import ACCOUNT, NOW
from tests.unit.dynamodb.streaming import REGION, StreamingCloud

from atoll.services.dynamodb import records, ttl

MANY = 120  # more than one commit of either kind


@pytest.fixture
def cloud():
    made = StreamingCloud()
    made.create()
    return made


def update(cloud, attribute="expires", enabled=True):
    wanted = {"AttributeName": attribute, "Enabled": enabled}
    assert cloud("UpdateTimeToLive", TableName="table", TimeToLiveSpecification=wanted) == {
        "TimeToLiveSpecification": wanted
    }


def refusal(cloud, attribute="expires", enabled=True):
    wanted = {"AttributeName": attribute, "Enabled": enabled}
    return cloud.refused("UpdateTimeToLive", TableName="table", TimeToLiveSpecification=wanted)


def described(cloud):
    return cloud("DescribeTimeToLive", TableName="table")["TimeToLiveDescription"]


def put(cloud, p, expires):
    cloud.put(p, expires={"N": str(expires)})


def sweep(cloud):
    asyncio.run(ttl.sweep(cloud.store, cloud.now))


def index(cloud):
    asyncio.run(ttl.index(cloud.store))


def expiry_rows(cloud):
    prefix = records.shelf(ACCOUNT, REGION, "e/")
    return sum(p.startswith(prefix) for p, _ in cloud.store.rows)


def expiring_rows(cloud):
    return sum(p == records.EXPIRING for p, _ in cloud.store.rows)


def test_it_is_off_until_it_is_set(cloud):
    assert described(cloud) == {"TimeToLiveStatus": "DISABLED"}
    update(cloud)
    assert described(cloud) == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    cloud.later(3600)
    update(cloud, enabled=False)
    assert described(cloud) == {"TimeToLiveStatus": "DISABLED"}


def test_changes_that_aws_refuses_are_refused_in_its_words(cloud):
    invalid = "ValidationException"
    assert refusal(cloud, enabled=False) == (invalid, "TimeToLive is already disabled")
    update(cloud)
    different = "TimeToLive is active on a different AttributeName: current AttributeName is expires"
    assert refusal(cloud) == (invalid, "TimeToLive is already enabled")
    assert refusal(cloud, "other") == (invalid, different)
    assert refusal(cloud, "other", enabled=False) == (invalid, different)
    cloud.later(3599)
    often = "Time to live has been modified multiple times within a fixed interval"
    assert refusal(cloud, enabled=False) == (invalid, often)
    cloud.later(1)
    update(cloud, enabled=False)
    assert refusal(cloud) == (invalid, often)


def test_a_table_that_is_not_there_has_no_time_to_live(cloud):
    assert cloud.refused("DescribeTimeToLive", TableName="none")[0] == "ResourceNotFoundException"
    specification = {"AttributeName": "a", "Enabled": True}
    assert (
        cloud.refused("UpdateTimeToLive", TableName="none", TimeToLiveSpecification=specification)[0]
        == "ResourceNotFoundException"
    )


def test_an_item_is_deleted_when_its_second_has_come_and_not_before(cloud):
    update(cloud)
    put(cloud, "a", int(NOW) + 10)
    cloud.later(9.9)
    sweep(cloud)
    assert cloud.items() == ["a"]
    cloud.later(0.1)
    sweep(cloud)
    assert (cloud.items(), expiry_rows(cloud)) == ([], 0)


@pytest.mark.parametrize(
    "value",
    [
        {"S": str(int(NOW) - 60)},
        {"N": str(int(NOW - ttl.TOO_OLD_SECONDS) - 1)},
        {"N": str(int(NOW) * 1000)},
        {"N": "1E+125"},
        {"N": "-5"},
        {"NULL": True},
        {"NS": [str(int(NOW) - 60)]},
    ],
)
def test_what_is_no_time_in_the_past_five_years_expires_nothing(cloud, value):
    update(cloud)
    cloud.put("a", expires=value)
    sweep(cloud)
    assert cloud.items() == ["a"]


@pytest.mark.parametrize("text", ["179999994e1", "1799999940.75", "1.79999994E9"])
def test_numbers_of_any_form_are_times(cloud, text):
    update(cloud)
    put(cloud, "a", text)
    sweep(cloud)
    assert cloud.items() == []


def test_an_item_that_has_got_more_time_stays(cloud):
    update(cloud)
    put(cloud, "a", int(NOW) + 10)
    put(cloud, "a", int(NOW) + 100)
    put(cloud, "b", int(NOW) + 10)
    cloud.put("b")
    cloud.later(50)
    sweep(cloud)
    assert cloud.items() == ["a", "b"]
    assert expiry_rows(cloud) == 1


def test_a_row_that_no_longer_fits_its_item_deletes_the_row_alone(cloud):
    update(cloud)
    put(cloud, "a", int(NOW) + 100)
    place = next(k[8:] for (p, k) in cloud.store.rows if p == records.expiry_shelf(cloud.table()))
    asyncio.run(
        cloud.store.write([(records.expiry_shelf(cloud.table()), (int(NOW) - 5).to_bytes(8, "big") + place, b"")])
    )
    sweep(cloud)
    assert cloud.items() == ["a"]
    assert expiry_rows(cloud) == 1


def test_the_stream_tells_who_deleted_it(cloud):
    update(cloud)
    put(cloud, "a", int(NOW) - 60)
    sweep(cloud)
    arn = cloud("DescribeTable", TableName="table")["Table"]["LatestStreamArn"]
    insert, remove = cloud.read(arn)
    assert "userIdentity" not in insert
    assert remove["eventName"] == "REMOVE"
    assert remove["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


def test_many_items_expire_in_commits_of_a_bounded_size(cloud):
    update(cloud)
    for number in range(MANY):
        put(cloud, f"item {number}", int(NOW) - number)
    cloud.put("stays")
    sweep(cloud)
    assert cloud.items() == ["stays"]
    assert expiry_rows(cloud) == 0


def test_items_that_were_there_before_expire_too(cloud):
    for number in range(MANY):
        put(cloud, f"item {number}", int(NOW) + 5)
    assert expiry_rows(cloud) == 0
    update(cloud)
    index(cloud)
    assert expiry_rows(cloud) == MANY
    cloud.later(5)
    sweep(cloud)
    assert cloud.items() == []
    assert not [k for p, k in cloud.store.rows if p == records.JOBS and b"ttl" in k]


def test_when_it_is_off_nothing_expires_and_its_rows_go(cloud):
    update(cloud)
    for number in range(MANY):
        put(cloud, f"item {number}", int(NOW) + 10)
    cloud.later(3600)
    update(cloud, enabled=False)
    sweep(cloud)
    assert len(cloud.items()) == MANY
    index(cloud)
    assert (expiry_rows(cloud), expiring_rows(cloud)) == (0, 0)


def test_another_attribute_takes_over_from_the_old_one(cloud):
    update(cloud, "old")
    cloud.put("a", old={"N": str(int(NOW) + 10)})
    cloud.put("b", new={"N": str(int(NOW) + 10)})
    cloud.later(3600)
    update(cloud, "old", enabled=False)
    cloud.later(3600)
    update(cloud, "new")
    index(cloud)
    sweep(cloud)
    assert cloud.items() == ["a"]


def test_a_dropped_tables_setting_is_forgotten_and_its_successor_has_none(cloud):
    update(cloud)
    put(cloud, "a", int(NOW) + 10)
    cloud("DeleteTable", TableName="table")
    cloud.create()
    put(cloud, "b", int(NOW) + 10)
    cloud.later(20)
    sweep(cloud)
    index(cloud)
    assert cloud.items() == ["b"]
    assert expiring_rows(cloud) == 0
