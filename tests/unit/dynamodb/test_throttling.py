"""Token buckets: five minutes saved up, one debt allowed, and what is refused says why."""

from tests.support import TestCloud
from tests.unit.dynamodb.writing import by_x, new_table

from atoll.base import ids
from atoll.operation import Call
from atoll.services.dynamodb import throttling
from atoll.services.dynamodb.capacity import Meter
from atoll.services.dynamodb.changes import IndexWritten, Written
from atoll.services.dynamodb.records import Table, Throughput
from atoll.services.dynamodb.service import dynamodb


def _provisioned(read: int, write: int, **settings: object) -> Table:
    return new_table(uid=ids.new_hex(16), billing="PROVISIONED", throughput=Throughput(read, write), **settings)


def _spend(call: Call, table: Table, units: int) -> None:
    meter = Meter(None)
    meter.write(table, Written(None, units * 1024))
    throttling.charge(call, meter)


def test_a_table_has_five_minutes_saved_up_and_one_debt() -> None:
    cloud, table = TestCloud(dynamodb), _provisioned(1, 2)
    _spend(cloud.call(), table, 599)
    assert throttling.refusal_of_write(cloud.call(), table) is None
    _spend(cloud.call(), table, 21)
    refusal = throttling.refusal_of_write(cloud.call(), table)
    assert refusal is not None
    assert refusal.code == "ProvisionedThroughputExceededException"
    assert refusal.message.startswith("The level of configured provisioned throughput for the table was exceeded.")
    assert refusal.fields == {
        "ThrottlingReasons": [{"reason": "TableWriteProvisionedThroughputExceeded", "resource": table.arn}]
    }
    assert throttling.refusal_of_read(cloud.call(), table) is None


def test_the_debt_is_paid_by_time() -> None:
    cloud, table = TestCloud(dynamodb), _provisioned(1, 2)
    _spend(cloud.call(), table, 620)
    cloud.time += 10
    assert throttling.refusal_of_write(cloud.call(), table) is not None
    cloud.time += 1
    assert throttling.refusal_of_write(cloud.call(), table) is None


def test_a_transaction_that_runs_again_pays_once() -> None:
    cloud, table = TestCloud(dynamodb), _provisioned(1, 1)
    call = cloud.call()
    for _ in range(3):
        _spend(call, table, 200)
    assert throttling.refusal_of_write(cloud.call(), table) is None
    _spend(cloud.call(), table, 100)
    assert throttling.refusal_of_write(cloud.call(), table) is not None


def test_an_index_without_room_holds_up_its_table() -> None:
    index = by_x(uid=ids.new_hex(16), throughput=Throughput(1, 1))
    cloud, table = TestCloud(dynamodb), _provisioned(1000, 1000, indexes=[index])
    meter = Meter(None)
    meter.write(table, Written(None, 10, [IndexWritten(index, None, 300 * 1024)]))
    throttling.charge(cloud.call(), meter)
    refusal = throttling.refusal_of_write(cloud.call(), table)
    assert refusal is not None
    assert refusal.fields["ThrottlingReasons"] == [
        {"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{table.arn}/index/by-x"}
    ]


def test_on_demand_is_limited_only_when_it_has_a_maximum() -> None:
    cloud, free = TestCloud(dynamodb), new_table(uid=ids.new_hex(16))
    _spend(cloud.call(), free, 100_000)
    assert throttling.refusal_of_write(cloud.call(), free) is None
    bound = new_table(uid=ids.new_hex(16), throughput=Throughput(max_write=1))
    _spend(cloud.call(), bound, 300)
    refusal = throttling.refusal_of_write(cloud.call(), bound)
    assert refusal is not None
    assert refusal.code == "ThrottlingException"
    assert refusal.fields["throttlingReasons"][0]["reason"] == "TableWriteMaxOnDemandThroughputExceeded"


def test_a_new_rate_holds_at_once() -> None:
    cloud, table = TestCloud(dynamodb), _provisioned(1, 1)
    _spend(cloud.call(), table, 310)
    table.throughput = Throughput(1, 100)
    # The moment before it was set went by at the old rate.
    assert throttling.refusal_of_write(cloud.call(), table) is not None
    cloud.time += 1
    assert throttling.refusal_of_write(cloud.call(), table) is None
