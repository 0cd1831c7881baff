"""How long changes are kept, and for whom."""

import asyncio

import pytest
from tests.support import ACCOUNT, NOW
from tests.unit.dynamodb.streaming import REGION, StreamingCloud

from atoll.services.dynamodb import log_trim, records

HOUR = 3600.0
DAY = 24 * HOUR


@pytest.fixture
def cloud():
    return StreamingCloud()


def kept(cloud: StreamingCloud) -> int:
    """Rows of logs after a pass of the trimmer."""
    asyncio.run(log_trim.trim(cloud.store, cloud.now))
    prefix = records.shelf(ACCOUNT, REGION, "g/")
    return sum(p.startswith(prefix) for p, _ in cloud.store.rows)


def shelves(cloud: StreamingCloud) -> set[bytes]:
    return {p for p, _ in cloud.store.rows}


def fill(cloud: StreamingCloud, count: int) -> None:
    for number in range(count):
        cloud.put(f"item {number}")


def test_a_streams_log_is_kept_for_a_day(cloud):
    cloud.create()
    fill(cloud, 120)  # more than one commit's worth
    cloud.later(DAY - HOUR)
    cloud.put("later")
    assert kept(cloud) == 121
    cloud.later(HOUR + 1)
    assert kept(cloud) == 1
    assert records.LOGGING in shelves(cloud)


def test_recovery_keeps_the_log_for_its_period(cloud):
    cloud.create()
    cloud.change(recovery_since=NOW, recovery_days=3)
    fill(cloud, 3)
    cloud.later(3 * DAY - 1)
    assert kept(cloud) == 3
    cloud.later(2)
    assert kept(cloud) == 0


def test_recovery_that_began_later_needs_nothing_older(cloud):
    cloud.create()
    fill(cloud, 2)
    cloud.disable_stream()
    cloud.later(2 * DAY)
    cloud.change(recovery_since=cloud.now)
    cloud.put("now")
    assert kept(cloud) == 1


def test_a_disabled_streams_log_goes_after_a_day_and_with_it_the_row_that_tells_of_it(cloud):
    cloud.create()
    fill(cloud, 2)
    cloud.disable_stream()
    cloud.later(DAY - 1)
    assert kept(cloud) == 2
    cloud.later(2)
    assert kept(cloud) == 0
    assert records.LOGGING not in shelves(cloud)


def test_a_dropped_tables_log_goes_after_a_day_and_its_successors_stays(cloud):
    cloud.create()
    fill(cloud, 2)
    cloud("DeleteTable", TableName="table")
    cloud.create()
    cloud.later(DAY - HOUR)
    cloud.put("new")
    assert kept(cloud) == 3
    cloud.later(HOUR + 1)
    assert kept(cloud) == 1
    assert records.streams_shelf(ACCOUNT, REGION) not in shelves(cloud)
    assert sum(p == records.LOGGING for p, _ in cloud.store.rows) == 1
