"""Tables made, described, listed and deleted; and every schema that is none."""

import asyncio

import pytest
from tests.support import ACCOUNT, NOW, ROOT
from tests.unit.dynamodb.control import Control, attributes, global_index, keys

from atoll.aws.errors import AwsError
from atoll.operation import Call
from atoll.services.dynamodb import records
from atoll.services.dynamodb import tables as module
from atoll.services.dynamodb.service import dynamodb

INVALID = "One or more parameter values were invalid: "
ARN = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/music"
FIVE = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}


@pytest.fixture
def tables():
    return Control()


def local_index(name, *names, **others):
    return global_index(name, *names, **others)


def test_a_new_table_is_told_as_creating_and_is_there(tables):
    told = tables.create()
    whole = {
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "TableName": "music",
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "TableStatus": "CREATING",
        "CreationDateTime": NOW,
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "TableSizeBytes": 0,
        "ItemCount": 0,
        "TableArn": ARN,
        "TableId": told["TableId"],
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": NOW},
        "DeletionProtectionEnabled": False,
        "WarmThroughput": {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"},
    }
    assert told == whole
    assert tables.describe() == {**whole, "TableStatus": "ACTIVE"}


def test_a_table_with_everything_is_described_with_everything(tables):
    tables.create(
        BillingMode="PROVISIONED",
        KeySchema=keys("p", "c"),
        AttributeDefinitions=attributes(p="S", c="N", x="B"),
        ProvisionedThroughput={"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        LocalSecondaryIndexes=[
            local_index("loc", "p", "x", Projection={"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]})
        ],
        GlobalSecondaryIndexes=[global_index("glo", "x", ProvisionedThroughput=FIVE)],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        TableClass="STANDARD_INFREQUENT_ACCESS",
        DeletionProtectionEnabled=True,
    )
    tables.put({"p": {"S": "one"}, "c": {"N": "1"}, "x": {"B": "eA=="}, "a": {"S": "four"}, "b": {"S": "five"}})
    told = tables.describe()
    label = told["LatestStreamLabel"]
    assert label == "2027-01-15T08:00:00.000"
    del told["TableId"]
    assert told == {
        "AttributeDefinitions": attributes(p="S", c="N", x="B"),
        "TableName": "music",
        "KeySchema": keys("p", "c"),
        "TableStatus": "ACTIVE",
        "CreationDateTime": NOW,
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
        "TableSizeBytes": 4 + 3 + 2 + 5 + 5,
        "ItemCount": 1,
        "TableArn": ARN,
        "DeletionProtectionEnabled": True,
        "TableClassSummary": {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        "WarmThroughput": {"ReadUnitsPerSecond": 3, "WriteUnitsPerSecond": 4, "Status": "ACTIVE"},
        "LatestStreamLabel": label,
        "LatestStreamArn": f"{ARN}/stream/{label}",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        "LocalSecondaryIndexes": [
            {
                "IndexName": "loc",
                "KeySchema": keys("p", "x"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["a"]},
                "IndexSizeBytes": 4 + 3 + 2 + 5,
                "ItemCount": 1,
                "IndexArn": f"{ARN}/index/loc",
            }
        ],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": "glo",
                "KeySchema": keys("x"),
                "Projection": {"ProjectionType": "ALL"},
                "IndexStatus": "ACTIVE",
                "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, **FIVE},
                "WarmThroughput": {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 5, "Status": "ACTIVE"},
                "IndexSizeBytes": 4 + 3 + 2 + 5 + 5,
                "ItemCount": 1,
                "IndexArn": f"{ARN}/index/glo",
            }
        ],
    }


def test_a_table_that_logs_is_marked_for_the_trimmer(tables):
    tables.create(StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    tables.create("other")
    assert [name for _, name in tables.rows(records.LOGGING)] == [b"music"]


def test_a_name_is_taken_once(tables):
    tables.create()
    with pytest.raises(AwsError) as caught:
        tables.create()
    assert (caught.value.code, caught.value.message) == ("ResourceInUseException", "Table already exists: music")


def test_a_deleted_table_is_gone_at_once_and_its_name_free(tables):
    tables.create(AttributeDefinitions=attributes(p="S", x="S"), GlobalSecondaryIndexes=[global_index("by", "x")])
    told = tables("DeleteTable", TableName="music")["TableDescription"]
    assert (told["TableName"], told["TableStatus"], told["ItemCount"]) == ("music", "DELETING", 0)
    for member in ("KeySchema", "AttributeDefinitions", "CreationDateTime", "GlobalSecondaryIndexes"):
        assert member not in told
    missing = ("ResourceNotFoundException", "Requested resource not found: Table: music not found")
    assert tables.refused("DescribeTable", TableName="music") == missing
    assert tables.refused("DeleteTable", TableName="music") == missing
    assert tables.create()["TableStatus"] == "CREATING"


def test_a_protected_table_is_not_deleted(tables):
    tables.create(DeletionProtectionEnabled=True)
    assert tables.refused("DeleteTable", TableName="music") == (
        "ValidationException",
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
    )
    assert tables.describe()["DeletionProtectionEnabled"]


def test_what_hooks_keep_of_a_deleted_table_is_not_swept(tables, monkeypatch):
    async def keep(call, table):
        return frozenset({records.items_shelf(table)})

    monkeypatch.setattr(module, "before_delete", [keep])
    tables.create()
    tables.put({"p": {"S": "x"}})
    shelf = records.items_shelf(tables.table())
    counters = records.counters_shelf(tables.table())
    tables("DeleteTable", TableName="music")
    tables.reconcile()
    assert len(tables.rows(shelf)) == 1
    assert tables.rows(counters) == []


def test_tables_are_listed_by_name_page_by_page(tables):
    for name in ("bbb", "aaa", "ccc", "aaab"):
        tables.create(name)
    assert tables("ListTables") == {"TableNames": ["aaa", "aaab", "bbb", "ccc"]}
    assert tables("ListTables", Limit=2) == {"TableNames": ["aaa", "aaab"], "LastEvaluatedTableName": "aaab"}
    assert tables("ListTables", Limit=2, ExclusiveStartTableName="aaab") == {"TableNames": ["bbb", "ccc"]}
    assert tables("ListTables", ExclusiveStartTableName="zzz") == {"TableNames": []}
    code, _ = tables.refused("ListTables", ExclusiveStartTableName="not a name")
    assert code == "ValidationException"


def test_a_table_is_found_by_name_or_arn_and_an_operation_may_not_tell_its_name(tables):
    tables.create()
    call = Call(tables.cloud.cloud, dynamodb, ROOT)

    async def find(name):
        async with tables.cloud.store.snapshot() as call.tx:
            return await module.find(call, name)

    assert asyncio.run(find("music")).name == "music"
    assert asyncio.run(find(ARN)).name == "music"
    assert asyncio.run(find("music")) is asyncio.run(find(ARN))
    for name, message in (
        ("nope", "Requested resource not found"),
        ("x!", "2 validation errors detected: "),
        (f"{ARN}/index/by", "Invalid TableArn: Invalid ResourceArn provided as input "),
        (ARN.replace("us-east-1", "eu-west-1"), INVALID),
    ):
        with pytest.raises(AwsError) as caught:
            asyncio.run(find(name))
        assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "ab",
            "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: "
            "Member must have length greater than or equal to 3",
        ),
        (
            "a" * 256,
            f"1 validation error detected: Value '{'a' * 256}' at 'tableName' failed to satisfy constraint: "
            "Member must have length less than or equal to 255",
        ),
        (
            "bad name",
            "1 validation error detected: Value 'bad name' at 'tableName' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
    ],
)
def test_a_bad_name_is_told_with_what_is_wrong_with_it(tables, name, message):
    assert tables.refused("DescribeTable", TableName=name) == ("ValidationException", message)


def element(name, kind):
    return {"AttributeName": name, "KeyType": kind}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            {"KeySchema": [element("p", "RANGE")]},
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            {"KeySchema": [element("p", "HASH"), element("c", "HASH")]},
            "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type",
        ),
        ({"KeySchema": keys("p", "p")}, "Invalid KeySchema: Some index key attribute have no definition"),
        (
            {"KeySchema": keys("q")},
            INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [q], "
            "AttributeDefinitions: [p]",
        ),
        ({"KeySchema": keys("p", "c")}, "Invalid KeySchema: Some index key attribute have no definition"),
        (
            {"KeySchema": [*keys("p", "c"), element("z", "RANGE")]},
            "1 validation error detected: Value '[KeySchemaElement(attributeName=p, keyType=HASH), "
            "KeySchemaElement(attributeName=c, keyType=RANGE), KeySchemaElement(attributeName=z, keyType=RANGE)]' at "
            "'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2",
        ),
        (
            {"AttributeDefinitions": [*attributes(p="S"), *attributes(p="N")]},
            INVALID + "Duplicate AttributeName in AttributeDefinitions: p",
        ),
        (
            {"AttributeDefinitions": attributes(p="S", c="S")},
            INVALID + "Number of attributes in KeySchema does not exactly match number of attributes defined in "
            "AttributeDefinitions",
        ),
        (
            {
                "AttributeDefinitions": attributes(p="S", created="S", x="S"),
                "GlobalSecondaryIndexes": [global_index("by", "x")],
            },
            INVALID
            + "Some AttributeDefinitions are not used. AttributeDefinitions: [created, p, x], keys used: [p, x]",
        ),
        (
            {"GlobalSecondaryIndexes": [global_index("by", "x")]},
            INVALID + "Some index key attributes are not defined in AttributeDefinitions. Keys: [x], "
            "AttributeDefinitions: [p]",
        ),
        (
            {"ProvisionedThroughput": FIVE},
            INVALID + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is "
            "PAY_PER_REQUEST",
        ),
        (
            {"BillingMode": "PROVISIONED"},
            INVALID + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            {"OnDemandThroughput": {"MaxReadRequestUnits": 0}},
            INVALID + "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range",
        ),
        (
            {"OnDemandThroughput": {"MaxWriteRequestUnits": -1}},
            INVALID + "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range",
        ),
        (
            {"GlobalSecondaryIndexes": [global_index("by", "p", OnDemandThroughput={"MaxReadRequestUnits": 0})]},
            INVALID + "Requested MaxReadRequestUnits for OnDemandThroughput for index : by is outside of valid range",
        ),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": FIVE,
                "OnDemandThroughput": {"MaxReadRequestUnits": 1},
            },
            INVALID + "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is "
            "PROVISIONED",
        ),
        (
            {"WarmThroughput": {"ReadUnitsPerSecond": 11_999}},
            INVALID + "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than initial throughput for "
            "OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
            "on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
        ),
        ({"GlobalSecondaryIndexes": []}, INVALID + "List of GlobalSecondaryIndexes is empty"),
        ({"LocalSecondaryIndexes": []}, INVALID + "List of LocalSecondaryIndexes is empty"),
        (
            {"LocalSecondaryIndexes": [local_index("loc", "p", "x")]},
            INVALID + "Table KeySchema does not have a range key, which is required when specifying a "
            "LocalSecondaryIndex",
        ),
        (
            {"GlobalSecondaryIndexes": [global_index("by", "p"), global_index("by", "p")]},
            INVALID + "Duplicate index name: by",
        ),
        (
            {"GlobalSecondaryIndexes": [global_index(f"by{number}", "p") for number in range(21)]},
            INVALID + "GlobalSecondaryIndex count exceeds the per-table limit of 20",
        ),
        (
            {"GlobalSecondaryIndexes": [global_index("by", "p", ProvisionedThroughput=FIVE)]},
            INVALID + "ProvisionedThroughput should not be specified for index: by when BillingMode is PAY_PER_REQUEST",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": True}},
            INVALID + "Table is being created with a stream enabled, UpdateViewType is required",
        ),
        (
            {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "KEYS_ONLY"}},
            INVALID + "Table is being created with a stream disabled, UpdateViewType should not be specified",
        ),
        (
            {"SSESpecification": {"Enabled": False, "SSEType": "KMS"}},
            INVALID + "SSEType can not be specified if Enabled is false",
        ),
        (
            {"SSESpecification": {"Enabled": False, "KMSMasterKeyId": "key"}},
            INVALID + "KMSMasterKeyId can not be specified if Enabled is false",
        ),
        ({"SSESpecification": {"Enabled": True}}, INVALID + "Encryption with a key of KMS is not supported"),
    ],
)
def test_a_bad_table_is_refused_in_awss_words(tables, request_, message):
    assert tables.invalid(**request_) == message
    assert tables("ListTables") == {"TableNames": []}


def projected(**projection):
    return {"GlobalSecondaryIndexes": [global_index("by", "p", Projection=projection)]}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (projected(), "Unknown ProjectionType: null"),
        (
            projected(ProjectionType="ALL", NonKeyAttributes=["a"]),
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (projected(ProjectionType="INCLUDE"), "ProjectionType is INCLUDE, but NonKeyAttributes is not specified"),
        (
            projected(ProjectionType="INCLUDE", NonKeyAttributes=["a", "b", "a"]),
            "Duplicate element in NonKeyAttributes: a",
        ),
    ],
)
def test_a_bad_projection_is_refused(tables, request_, message):
    assert tables.invalid(**request_) == INVALID + message


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (keys("p"), INVALID + "Index KeySchema does not have a range key for index: loc"),
        (keys("p", "p"), "Both the Hash Key and the Range Key element in the KeySchema have the same name"),
        (
            keys("x", "c"),
            INVALID + "Index KeySchema does not have the same leading hash key as table KeySchema for index: loc. "
            "index hash key: x, table hash key: p",
        ),
        (
            [*keys("p", "c"), element("x", "RANGE")],
            INVALID + "KeySchema of a LocalSecondaryIndex may have at most 2 attributes. Index: loc",
        ),
    ],
)
def test_a_bad_local_index_is_refused(tables, schema, message):
    index = local_index("loc", KeySchema=schema)
    request = {"KeySchema": keys("p", "c"), "AttributeDefinitions": attributes(p="S", c="S", x="S")}
    assert tables.invalid(**request, LocalSecondaryIndexes=[index]) == message


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ("HHHHH", INVALID + "The KeySchema exceeds the maximum allowed number of HASH key attributes"),
        ("HRRRRR", INVALID + "The KeySchema exceeds the maximum allowed number of RANGE key attributes"),
        ("HRH", INVALID + "All HASH key attributes must precede RANGE key attributes in the KeySchema"),
        ("R", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"),
    ],
)
def test_a_global_index_has_up_to_four_attributes_of_each_kind(tables, kinds, message):
    names = [f"a{number}" for number in range(len(kinds))]
    schema = [element(name, {"H": "HASH", "R": "RANGE"}[kind]) for name, kind in zip(names, kinds, strict=True)]
    index = global_index("by", KeySchema=schema)
    defined = attributes(p="S", **dict.fromkeys(names, "S"))
    assert tables.invalid(AttributeDefinitions=defined, GlobalSecondaryIndexes=[index]) == message


def test_a_global_index_of_four_and_four_attributes_is_made(tables):
    names = [f"a{number}" for number in range(8)]
    schema = [element(name, "HASH") for name in names[:4]] + [element(name, "RANGE") for name in names[4:]]
    tables.create(
        AttributeDefinitions=attributes(p="S", **dict.fromkeys(names, "N")),
        GlobalSecondaryIndexes=[global_index("by", KeySchema=schema)],
    )
    assert tables.describe()["GlobalSecondaryIndexes"][0]["KeySchema"] == schema


def test_the_same_attribute_twice_in_a_key_of_many_is_refused(tables):
    for kinds in (("a", "HASH"), ("a", "RANGE")):
        index = global_index("by", KeySchema=[element("a", "HASH"), element("b", "HASH"), element(*kinds)][0:3])
        if kinds[1] == "HASH":
            index["KeySchema"] = [element("a", "HASH"), element("a", "HASH")]
        message = tables.invalid(AttributeDefinitions=attributes(p="S", a="S", b="S"), GlobalSecondaryIndexes=[index])
        assert message == "The KeySchema contains multiple key attributes with the same name"


def test_global_tables_and_their_kin_are_refused(tables):
    tables.create()
    for request in (
        {"ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]},
        {"MultiRegionConsistency": "STRONG"},
    ):
        code, message = tables.refused("UpdateTable", TableName="music", **request)
        assert code == "ValidationException"
        assert message.endswith("this cloud is one region, and has no global tables")
