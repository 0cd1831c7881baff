"""UpdateTable: throughput, billing, streams, protection, and one index a call."""

import time

import pytest
from tests.support import NOW
from tests.unit.dynamodb.control import Control, attributes, global_index, keys

from atoll.services.dynamodb import records

INVALID = "One or more parameter values were invalid: "
FIVE = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
ONE_INDEX = (
    "LimitExceededException",
    "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
)


@pytest.fixture
def tables():
    return Control()


def update(tables, **request):
    return tables("UpdateTable", TableName="music", **request)["TableDescription"]


def refused(tables, **request):
    return tables.refused("UpdateTable", TableName="music", **request)


def units(read, write):
    return {"ReadCapacityUnits": read, "WriteCapacityUnits": write}


def test_an_update_of_nothing_is_refused(tables):
    tables.create()
    for request in ({}, {"GlobalSecondaryIndexUpdates": []}, {"AttributeDefinitions": attributes(x="S")}):
        assert refused(tables, **request) == (
            "ValidationException",
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
            "SSESpecification or ReplicaUpdates is required",
        )


def test_a_missing_table_is_not_updated(tables):
    assert refused(tables, DeletionProtectionEnabled=True) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: music not found",
    )


def test_throughput_goes_up_and_down_and_the_times_are_told(tables):
    tables.create(BillingMode="PROVISIONED", ProvisionedThroughput=FIVE)
    assert update(tables, ProvisionedThroughput=units(6, 5))["TableStatus"] == "UPDATING"
    tables.cloud.time += 60
    update(tables, ProvisionedThroughput=units(6, 1))
    assert tables.describe()["ProvisionedThroughput"] == {
        "NumberOfDecreasesToday": 1,
        "LastIncreaseDateTime": NOW,
        "LastDecreaseDateTime": NOW + 60,
        **units(6, 1),
    }
    tables.cloud.time += 24 * 3600
    assert tables.describe()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 0


def test_the_same_throughput_again_is_refused(tables):
    tables.create(BillingMode="PROVISIONED", ProvisionedThroughput=FIVE)
    assert refused(tables, ProvisionedThroughput=FIVE) == (
        "ValidationException",
        "The provisioned throughput for the table will not change. The requested value equals the current value. "
        "Current ReadCapacityUnits provisioned for the table: 5. Requested ReadCapacityUnits: 5. "
        "Current WriteCapacityUnits provisioned for the table: 5. Requested WriteCapacityUnits: 5. "
        "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.",
    )


def test_after_four_decreases_a_day_there_is_one_an_hour(tables):
    tables.create(BillingMode="PROVISIONED", ProvisionedThroughput=units(9, 9))
    for write in (8, 7, 6, 5):
        update(tables, ProvisionedThroughput=units(9, write))
    code, message = refused(tables, ProvisionedThroughput=units(9, 4))
    assert code == "LimitExceededException"
    assert "Number of decreases today: 4. Last decrease at Friday, January 15, 2027 8:00:00 AM UTC. Next" in message
    assert tables.describe()["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
    tables.cloud.time += 3600
    update(tables, ProvisionedThroughput=units(9, 4))
    assert tables.describe()["ProvisionedThroughput"]["NumberOfDecreasesToday"] == 5


def test_billing_goes_to_on_demand_and_back(tables):
    tables.create(
        BillingMode="PROVISIONED",
        ProvisionedThroughput=FIVE,
        AttributeDefinitions=attributes(p="S", x="S"),
        GlobalSecondaryIndexes=[global_index("by", "x", ProvisionedThroughput=FIVE)],
    )
    assert "BillingModeSummary" not in tables.describe()
    update(tables, BillingMode="PAY_PER_REQUEST")
    told = tables.describe()
    assert told["BillingModeSummary"] == {
        "BillingMode": "PAY_PER_REQUEST",
        "LastUpdateToPayPerRequestDateTime": NOW,
    }
    assert told["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    update(tables, BillingMode="PAY_PER_REQUEST")  # Nothing changes, and that is well.

    assert refused(tables, BillingMode="PROVISIONED")[1].startswith(
        INVALID + "ReadCapacityUnits and WriteCapacityUnits"
    )
    _, message = refused(tables, BillingMode="PROVISIONED", ProvisionedThroughput=FIVE)
    assert message == INVALID + "ProvisionedThroughput must be specified for index: by"
    index = {"Update": {"IndexName": "by", "ProvisionedThroughput": units(2, 2)}}
    update(tables, BillingMode="PROVISIONED", ProvisionedThroughput=FIVE, GlobalSecondaryIndexUpdates=[index])
    told = tables.describe()
    assert told["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
    assert told["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
    assert told["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 2


def test_on_demand_tables_have_no_capacity_but_may_have_limits(tables):
    tables.create()
    assert refused(tables, ProvisionedThroughput=FIVE)[1].startswith(INVALID + "Neither ReadCapacityUnits")
    update(tables, OnDemandThroughput={"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20})
    update(tables, OnDemandThroughput={"MaxWriteRequestUnits": -1})
    assert tables.describe()["OnDemandThroughput"] == {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": -1}
    update(tables, WarmThroughput={"ReadUnitsPerSecond": 15000})
    assert tables.describe()["WarmThroughput"] == {
        "ReadUnitsPerSecond": 15000,
        "WriteUnitsPerSecond": 4000,
        "Status": "ACTIVE",
    }
    assert refused(tables, WarmThroughput={"ReadUnitsPerSecond": 14000}) == (
        "ValidationException",
        INVALID + "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, "
        "decreasing WarmThroughput is not supported",
    )


def test_a_stream_is_enabled_once_disabled_once_and_new_each_time(tables):
    tables.create()
    on = {"StreamEnabled": True, "StreamViewType": "OLD_IMAGE"}
    assert refused(tables, StreamSpecification={"StreamEnabled": False}) == (
        "ValidationException",
        "Table has no stream to disable: TableName: music",
    )
    assert refused(tables, StreamSpecification={"StreamEnabled": True}) == (
        "ValidationException",
        "One or more parameter values were invalid: If stream is being enabled then UpdateViewType is required",
    )
    first = update(tables, StreamSpecification=on)
    assert first["StreamSpecification"] == on
    assert refused(tables, StreamSpecification={**on, "StreamEnabled": False}) == (
        "ValidationException",
        "One or more parameter values were invalid: "
        "If stream is being disabled, then UpdateViewType must not be specified",
    )
    assert len(tables.rows(records.LOGGING)) == 1
    assert refused(tables, StreamSpecification=on) == (
        "ValidationException",
        "Table already has an enabled stream: TableName: music",
    )
    tables.cloud.time += 1
    off = update(tables, StreamSpecification={"StreamEnabled": False})
    assert "StreamSpecification" not in off
    assert off["LatestStreamLabel"] == first["LatestStreamLabel"]
    assert tables.table().streams[0].disabled == NOW + 1
    second = update(tables, StreamSpecification=on)
    assert second["LatestStreamLabel"] == "2027-01-15T08:00:01.000"


def test_class_and_protection_change(tables):
    tables.create()
    update(tables, TableClass="STANDARD_INFREQUENT_ACCESS", DeletionProtectionEnabled=True)
    told = tables.describe()
    assert told["TableClassSummary"] == {"TableClass": "STANDARD_INFREQUENT_ACCESS", "LastUpdateDateTime": NOW}
    assert told["DeletionProtectionEnabled"]


def index_update(**action):
    return {"GlobalSecondaryIndexUpdates": [action]}


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (
            index_update(),
            (
                "ValidationException",
                INVALID + "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null",
            ),
        ),
        (
            index_update(Create=global_index("new", "x"), Delete={"IndexName": "by"}),
            (
                "ValidationException",
                INVALID + "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
            ),
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Create": global_index(name, "x")} for name in ("one", "two")]},
            ONE_INDEX,
        ),
        (
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by"}}, {"Create": global_index("two", "x")}]},
            ONE_INDEX,
        ),
        (
            index_update(Delete={"IndexName": "nope"}),
            ("ResourceNotFoundException", "Requested resource not found: Index: nope not found"),
        ),
        (
            index_update(Delete={"IndexName": "loc"}),
            ("ValidationException", "Cannot delete an index that is not a GlobalSecondaryIndex: loc"),
        ),
        (
            index_update(Update={"IndexName": "loc", "ProvisionedThroughput": FIVE}),
            ("ValidationException", "Cannot update an index that is not a GlobalSecondaryIndex: loc"),
        ),
        (
            {**index_update(Create=global_index("loc", "x")), "AttributeDefinitions": attributes(x="S")},
            ("ValidationException", "Attempting to create an index which already exists"),
        ),
        (
            index_update(Create=global_index("new", "x")),
            (
                "ValidationException",
                INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [x], "
                "AttributeDefinitions: []",
            ),
        ),
        (
            {**index_update(Create=global_index("new", "x")), "AttributeDefinitions": attributes(x="N")},
            (
                "ValidationException",
                INVALID + "Attributes cannot be redefined. Please check that your attribute has the same type as "
                "previously defined. Existing schema: Schema:[SchemaElement: key{x:S:HASH}] New schema: "
                "Schema:[SchemaElement: key{x:N:HASH}]",
            ),
        ),
    ],
)
def test_what_cannot_be_done_to_an_index_is_refused(tables, request_, refusal):
    tables.create(
        KeySchema=keys("p", "c"),
        AttributeDefinitions=attributes(p="S", c="S", x="S"),
        LocalSecondaryIndexes=[global_index("loc", "p", "x")],
        GlobalSecondaryIndexes=[global_index("by", "x")],
    )
    before = tables.table()
    assert refused(tables, **request_) == refusal
    assert tables.table() == before


def test_one_index_is_made_or_dropped_at_a_time(tables):
    tables.create(AttributeDefinitions=attributes(p="S", x="S"), GlobalSecondaryIndexes=[global_index("by", "x")])
    create = {**index_update(Create=global_index("new", "y")), "AttributeDefinitions": attributes(y="S", unused="S")}
    told = update(tables, **create)
    assert told["AttributeDefinitions"] == attributes(p="S", x="S", y="S")
    assert refused(tables, **index_update(Delete={"IndexName": "by"})) == ONE_INDEX
    assert refused(tables, **{**create, **index_update(Create=global_index("newer", "y"))}) == ONE_INDEX
    tables.reconcile()
    update(tables, **index_update(Delete={"IndexName": "by"}))


def test_an_index_gets_throughput_of_its_own(tables):
    tables.create(
        BillingMode="PROVISIONED",
        ProvisionedThroughput=FIVE,
        GlobalSecondaryIndexes=[global_index("by", "p", ProvisionedThroughput=FIVE)],
    )
    update(tables, **index_update(Update={"IndexName": "by", "ProvisionedThroughput": units(7, 5)}))
    assert tables.describe()["GlobalSecondaryIndexes"][0]["ProvisionedThroughput"]["ReadCapacityUnits"] == 7
    _, message = refused(tables, **index_update(Update={"IndexName": "by", "ProvisionedThroughput": units(7, 5)}))
    assert message.startswith("The provisioned throughput for the index by will not change.")


def test_updates_of_indexes_without_number_are_refused_in_little_time(tables):
    start = time.process_time()
    tables.create()
    many = [{"Update": {"IndexName": f"i{number}", "ProvisionedThroughput": FIVE}} for number in range(100_000)]
    code, message = tables.refused("UpdateTable", TableName="music", GlobalSecondaryIndexUpdates=many)
    assert (code, message) == ("ResourceNotFoundException", "Requested resource not found: Index: i0 not found")
    assert time.process_time() - start < 10


def test_projected_attributes_without_number_are_refused_in_little_time(tables):
    start = time.process_time()
    names = [*(f"a{number}" for number in range(100_000)), "a99999"]
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": names}
    message = tables.invalid(
        AttributeDefinitions=attributes(p="S", x="S"),
        GlobalSecondaryIndexes=[{**global_index("by-x", "x"), "Projection": projection}],
    )
    assert message == "One or more parameter values were invalid: Duplicate element in NonKeyAttributes: a99999"
    assert time.process_time() - start < 10
