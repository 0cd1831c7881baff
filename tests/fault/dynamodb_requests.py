"""A valid request of every operation of DynamoDB, on a world of its own: what hostile requests are made from."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from tests.fault.dynamodb_wire import Connection, Refused

TABLE, DOOMED, BUCKET = "fuzzed", "doomed", "fuzzed-bucket"
STREAMS = "DynamoDBStreams_20120810"
_PAY = {"BillingMode": "PAY_PER_REQUEST"}
_WAIT_SECONDS_MAX = 30.0

Request = dict[str, Any]


def s(text: str) -> dict[str, str]:
    return {"S": text}


def n(number: float) -> dict[str, str]:
    return {"N": str(number)}


KEY = {"p": s("a"), "c": n(1)}
VECTOR = {"L": [n(0.5), n(-1), n(2)]}
ITEM = {
    **KEY,
    "t": s("text"),
    "x": n(7),
    "b": {"B": "AAEC"},
    "ss": {"SS": ["a", "b"]},
    "ns": {"NS": ["1", "2.5"]},
    "bs": {"BS": ["AA==", "AQ=="]},
    "l": {"L": [n(1), s("two"), {"L": [{"BOOL": True}]}]},
    "m": {"M": {"a": {"M": {"b": {"NULL": True}}}, "c": n(-1e-9)}},
    "v": VECTOR,
    "ttl": n(4102444800),
}


def schema(*names: str) -> list[Request]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def index(name: str, projection: Request, *key: str) -> Request:
    return {"IndexName": name, "KeySchema": schema(*key), "Projection": projection}


def table(name: str, **more: Any) -> Request:
    kinds = {"p": "S", "c": "N", "t": "S", "x": "N"}
    return {
        "TableName": name,
        "KeySchema": schema("p", "c"),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()],
        "LocalSecondaryIndexes": [index("local", {"ProjectionType": "KEYS_ONLY"}, "p", "x")],
        "GlobalSecondaryIndexes": [
            index("global", {"ProjectionType": "ALL"}, "t", "c"),
            index("narrow", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["m", "ss"]}, "x"),
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "Tags": [{"Key": "k", "Value": "v"}],
        **_PAY,
        **more,
    }


_VECTORS = {
    "IndexName": "near",
    "VectorAttribute": {"AttributeName": "v"},
    "Dimensions": 3,
    "DistanceFunction": "COSINE",
    "Projection": {"ProjectionType": "ALL"},
}


def policy(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": arn}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """Tables with something in them, a backup, an export, an import and a place in a stream. Whatever is gone is made again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._made = 0
        connection.send("PUT", f"/{BUCKET}")
        connection.send("PUT", f"/{BUCKET}/in/one", json.dumps({"Item": ITEM}).encode())
        self.restore()
        self.arn: str = self._call("DescribeTable", TableName=TABLE)["Table"]["TableArn"]
        self.stream: str = self._call("DescribeTable", TableName=TABLE)["Table"]["LatestStreamArn"]
        shard = self._call("DescribeStream", target=STREAMS, StreamArn=self.stream)["StreamDescription"]["Shards"][0]
        self.shard: str = shard["ShardId"]
        self.iterator: str = self._call(
            "GetShardIterator",
            target=STREAMS,
            StreamArn=self.stream,
            ShardId=self.shard,
            ShardIteratorType="TRIM_HORIZON",
        )["ShardIterator"]
        self.backup, self.spare = (
            self._call("CreateBackup", TableName=TABLE, BackupName=name)["BackupDetails"]["BackupArn"]
            for name in ("first", "second")
        )
        self.export: str = self._call("ExportTableToPointInTime", TableArn=self.arn, S3Bucket=BUCKET, S3Prefix="out")[
            "ExportDescription"
        ]["ExportArn"]
        self.import_: str = self._call("ImportTable", **self._import())["ImportTableDescription"]["ImportArn"]
        for arn in (self.backup, self.spare):
            self._await(partial(self._call, "DescribeBackup", BackupArn=arn), "AVAILABLE")

    def restore(self) -> None:
        """Makes what mutated requests have taken away, or changed beyond use."""
        for name, more in ((TABLE, {"VectorIndexes": [_VECTORS]}), (DOOMED, {})):
            arn = getattr(self, "arn", f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}").replace(TABLE, name)
            with suppress(Refused):  # Its policy may deny everything, but for its owner to take it away.
                self._call("DeleteResourcePolicy", ResourceArn=arn)
            try:
                self._call("CreateTable", **table(name, **more))
                self._call(
                    "UpdateContinuousBackups",
                    TableName=name,
                    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                )
            except Refused as refused:
                refused.must_be("ResourceInUseException")
        with_size = [{**ITEM, "c": n(number), "x": n(number)} for number in range(5)]
        self._call("BatchWriteItem", RequestItems={TABLE: [{"PutRequest": {"Item": item}} for item in with_size]})

    def new_name(self) -> str:
        self._made += 1
        return f"made-{self._made:06d}"

    @property
    def _now(self) -> int:
        return int(time.time())

    def _call(self, operation: str, **members: Any) -> Any:
        return self._connection.call(operation, **members)

    def _await(self, ask: Callable[[], Any], wanted: str) -> None:
        end = time.monotonic() + _WAIT_SECONDS_MAX
        while wanted not in json.dumps(ask()):
            assert time.monotonic() < end, f"it does not come to be {wanted}"
            time.sleep(0.1)

    def _import(self) -> Request:
        parameters = table(self.new_name())
        for member in ("StreamSpecification", "Tags", "LocalSecondaryIndexes"):
            del parameters[member]
        return {
            "S3BucketSource": {"S3Bucket": BUCKET, "S3KeyPrefix": "in/"},
            "InputFormat": "DYNAMODB_JSON",
            "InputCompressionType": "NONE",
            "TableCreationParameters": parameters,
        }

    def requests(self) -> list[tuple[str, Request]]:
        """Some are refused when they are sent twice, or at once: that is well."""
        return [*_ITEMS, *_STATEMENTS, *_TABLES, *self._named(), *self._streams()]

    def _named(self) -> list[tuple[str, Request]]:
        arn, on = self.arn, {"TableName": TABLE}
        recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 3}
        return [
            ("CreateBackup", {**on, "BackupName": "again"}),
            ("CreateTable", table(self.new_name(), VectorIndexes=[_VECTORS], ResourcePolicy=policy(arn))),
            ("DeleteBackup", {"BackupArn": self.spare}),
            ("DescribeBackup", {"BackupArn": self.backup}),
            ("DescribeExport", {"ExportArn": self.export}),
            ("DescribeImport", {"ImportArn": self.import_}),
            (
                "ExportTableToPointInTime",
                {
                    "TableArn": arn,
                    "S3Bucket": BUCKET,
                    "S3Prefix": "out",
                    "ExportTime": self._now - 1,
                    "ExportFormat": "DYNAMODB_JSON",
                    "ClientToken": self.new_name(),
                },
            ),
            (
                "ExportTableToPointInTime",
                {
                    "TableArn": arn,
                    "S3Bucket": BUCKET,
                    "ExportType": "INCREMENTAL_EXPORT",
                    "IncrementalExportSpecification": {
                        "ExportFromTime": self._now - 100,
                        "ExportToTime": self._now - 1,
                        "ExportViewType": "NEW_IMAGE",
                    },
                },
            ),
            ("GetResourcePolicy", {"ResourceArn": arn}),
            ("ImportTable", self._import()),
            ("ListExports", {"TableArn": arn, "MaxResults": 3}),
            ("ListImports", {"TableArn": arn, "PageSize": 3}),
            ("ListTagsOfResource", {"ResourceArn": arn}),
            ("PutResourcePolicy", {"ResourceArn": arn, "Policy": policy(arn)}),
            ("DeleteResourcePolicy", {"ResourceArn": arn}),
            ("RestoreTableFromBackup", {"TargetTableName": self.new_name(), "BackupArn": self.backup}),
            (
                "RestoreTableToPointInTime",
                {
                    "SourceTableName": TABLE,
                    "TargetTableName": self.new_name(),
                    "UseLatestRestorableTime": True,
                    "GlobalSecondaryIndexOverride": [index("global", {"ProjectionType": "ALL"}, "t", "c")],
                },
            ),
            ("TagResource", {"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]}),
            ("UntagResource", {"ResourceArn": arn, "TagKeys": ["a"]}),
            ("UpdateContinuousBackups", {**on, "PointInTimeRecoverySpecification": recovery}),
        ]

    def _streams(self) -> list[tuple[str, Request]]:
        where = {"StreamArn": self.stream, "ShardId": self.shard}
        at = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "000000000000000000001"}
        return [
            (f"{STREAMS}.ListStreams", {"TableName": TABLE, "Limit": 2}),
            (f"{STREAMS}.DescribeStream", {"StreamArn": self.stream, "Limit": 2, "ExclusiveStartShardId": self.shard}),
            (f"{STREAMS}.GetShardIterator", {**where, **at}),
            (
                f"{STREAMS}.GetShardIterator",
                {**where, "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": self._now - 1},
            ),
            (f"{STREAMS}.GetRecords", {"ShardIterator": self.iterator, "Limit": 2}),
        ]


_NAMES = {"#t": "t", "#m": "m"}
_VALUES = {":one": n(1), ":l": {"L": [n(1)]}, ":s": {"SS": ["z"]}}
_CONDITION = "attribute_exists(p) AND (size(#t) > :one OR NOT contains(#m.a, :one)) AND NOT x IN (:l, :s)"
_UPDATE = (
    "SET x = if_not_exists(x, :one) + :one, l2 = list_append(l, :l), #m.c = :one REMOVE y, l[1] ADD ns2 :s DELETE ss :s"
)
_ON = {"TableName": TABLE}
_TOLD = {"ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE"}
_ITEMS: list[tuple[str, Request]] = [
    (
        "GetItem",
        {**_ON, "Key": KEY, "ProjectionExpression": "#m.a.b, l[0], x", "ExpressionAttributeNames": {"#m": "m"}},
    ),
    ("GetItem", {**_ON, "Key": KEY, "AttributesToGet": ["x", "m"], "ConsistentRead": True}),
    ("PutItem", {**_ON, "Item": ITEM, "ReturnValues": "ALL_OLD", **_TOLD}),
    (
        "PutItem",
        {
            **_ON,
            "Item": ITEM,
            "ConditionExpression": "attribute_not_exists(#t) OR x BETWEEN :a AND :b OR begins_with(t, :t)",
            "ExpressionAttributeNames": {"#t": "t"},
            "ExpressionAttributeValues": {":a": n(0), ":b": n(9), ":t": s("t")},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    ),
    (
        "PutItem",
        {
            **_ON,
            "Item": ITEM,
            "Expected": {"x": {"Value": n(7), "Exists": True}, "t": {"ComparisonOperator": "NOT_NULL"}},
            "ConditionalOperator": "OR",
        },
    ),
    (
        "UpdateItem",
        {
            **_ON,
            "Key": KEY,
            "UpdateExpression": _UPDATE,
            "ConditionExpression": _CONDITION,
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": _VALUES,
            "ReturnValues": "UPDATED_NEW",
        },
    ),
    (
        "UpdateItem",
        {
            **_ON,
            "Key": KEY,
            "AttributeUpdates": {"x": {"Action": "ADD", "Value": n(1)}, "t": {"Action": "PUT", "Value": s("u")}},
            "Expected": {"l": {"ComparisonOperator": "CONTAINS", "AttributeValueList": [n(1)]}},
            "ReturnValues": "ALL_NEW",
        },
    ),
    ("DeleteItem", {**_ON, "Key": {"p": s("a"), "c": n(99)}, "ReturnValues": "ALL_OLD", **_TOLD}),
    (
        "BatchWriteItem",
        {"RequestItems": {TABLE: [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": {**KEY, "c": n(3)}}}]}},
    ),
    ("BatchGetItem", {"RequestItems": {TABLE: {"Keys": [KEY, {**KEY, "c": n(2)}], "ProjectionExpression": "p, m.a"}}}),
    (
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {**_ON, "Item": ITEM}},
                {
                    "Update": {
                        **_ON,
                        "Key": {**KEY, "c": n(2)},
                        "UpdateExpression": "SET x = :x",
                        "ExpressionAttributeValues": {":x": n(3)},
                    }
                },
                {"Delete": {**_ON, "Key": {**KEY, "c": n(3)}}},
                {"ConditionCheck": {**_ON, "Key": {**KEY, "c": n(4)}, "ConditionExpression": "attribute_exists(p)"}},
            ],
            "ClientRequestToken": "token",
            **_TOLD,
        },
    ),
    ("TransactGetItems", {"TransactItems": [{"Get": {**_ON, "Key": KEY, "ProjectionExpression": "l[2][0]"}}]}),
    (
        "Query",
        {
            **_ON,
            "KeyConditionExpression": "p = :p AND c BETWEEN :one AND :nine",
            "FilterExpression": "attribute_type(#m, :kind) AND NOT (x < :one)",
            "ProjectionExpression": "p, #m.a, l[0]",
            "ExpressionAttributeNames": {"#m": "m"},
            "ExpressionAttributeValues": {":p": s("a"), ":one": n(1), ":nine": n(9), ":kind": s("M")},
            "ExclusiveStartKey": KEY,
            "ScanIndexForward": False,
            "Limit": 3,
            "ReturnConsumedCapacity": "INDEXES",
        },
    ),
    (
        "Query",
        {
            **_ON,
            "IndexName": "global",
            "KeyConditions": {
                "t": {"ComparisonOperator": "EQ", "AttributeValueList": [s("text")]},
                "c": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [n(1), n(3)]},
            },
            "QueryFilter": {"x": {"ComparisonOperator": "IN", "AttributeValueList": [n(1), n(2)]}},
            "Select": "ALL_ATTRIBUTES",
        },
    ),
    (
        "Query",
        {
            **_ON,
            "IndexName": "local",
            "KeyConditionExpression": "p = :p AND x > :x",
            "ExpressionAttributeValues": {":p": s("a"), ":x": n(-1)},
            "Select": "COUNT",
        },
    ),
    (
        "Scan",
        {
            **_ON,
            "IndexName": "narrow",
            "Segment": 1,
            "TotalSegments": 3,
            "Limit": 5,
            "FilterExpression": _CONDITION,
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": _VALUES,
        },
    ),
    ("Scan", {**_ON, "ScanFilter": {"t": {"ComparisonOperator": "NOT_NULL"}}, "ExclusiveStartKey": KEY}),
    (
        "SearchVectors",
        {**_ON, "IndexName": "near", "SearchVector": VECTOR["L"], "TopK": 3, "ReturnConsumedCapacity": "TOTAL"},
    ),
]
_STATEMENTS: list[tuple[str, Request]] = [
    ("ExecuteStatement", {"Statement": statement, "Parameters": parameters})
    for statement, parameters in (
        (f'SELECT p, m.a, l[0] FROM "{TABLE}" WHERE p = ? AND c > 1 AND (x < 9 OR NOT contains(t, ?))', [s("a"), s("b")]),
        (f"SELECT * FROM {TABLE}.\"global\" WHERE t IN ['text', ?] AND c BETWEEN 1 AND 3 ORDER BY t DESC", [s("u")]),
        (f"SELECT * FROM {TABLE} WHERE size(l) > 1 AND begins_with(t, 't') OR m.a IS NOT MISSING", None),
        (f"INSERT INTO {TABLE} VALUE {{'p': ?, 'c': 2, 'l': [1, {{'a': null}}], 's': <<'a', 'b'>>, 'n': 1.5E3}}", [s("i")]),
        (f"UPDATE {TABLE} SET x = x + ? SET l = list_append(l, [1]) REMOVE m.a WHERE p = 'a' AND c = 1 "
         "RETURNING ALL NEW *", [n(1)]),
        (f"UPDATE {TABLE} SET ss = set_add(ss, <<'c'>>) WHERE p = 'a' AND c = 1 AND attribute_type(ss, 'SS')", None),
        (f"DELETE FROM {TABLE} WHERE p = ? AND c = ? AND x = 4 RETURNING ALL OLD *", [s("a"), n(4)]),
    )
] + [
    (
        "BatchExecuteStatement",
        {
            "Statements": [
                {"Statement": f"SELECT * FROM {TABLE} WHERE p = 'a' AND c = ?", "Parameters": [n(1)]},
                {"Statement": f"SELECT * FROM {TABLE} WHERE p = 'a' AND c = 2", "ConsistentRead": True},
            ]
        },
    ),
    (
        "ExecuteTransaction",
        {
            "TransactStatements": [
                {"Statement": f"EXISTS(SELECT * FROM {TABLE} WHERE p = 'a' AND c = 1 AND p IS NOT MISSING)"},
                {"Statement": f"UPDATE {TABLE} SET x = ? WHERE p = 'a' AND c = 2", "Parameters": [n(1)]},
            ],
            "ClientRequestToken": "other",
        },
    ),
]  # fmt: skip
_REPLICA = {"RegionName": "eu-west-1"}
_TABLES: list[tuple[str, Request]] = [
    ("DescribeContinuousBackups", _ON),
    ("DescribeContributorInsights", {**_ON, "IndexName": "global"}),
    ("DescribeEndpoints", {}),
    ("DescribeKinesisStreamingDestination", _ON),
    ("DescribeLimits", {}),
    ("DescribeTable", _ON),
    ("DescribeTableReplicaAutoScaling", _ON),
    ("DescribeTimeToLive", _ON),
    ("CreateGlobalTable", {"GlobalTableName": TABLE, "ReplicationGroup": [_REPLICA]}),
    ("DescribeGlobalTable", {"GlobalTableName": TABLE}),
    ("DescribeGlobalTableSettings", {"GlobalTableName": TABLE}),
    ("EnableKinesisStreamingDestination", {**_ON, "StreamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/of-all"}),
    (
        "DisableKinesisStreamingDestination",
        {**_ON, "StreamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/of-all"},
    ),
    ("ListBackups", {**_ON, "Limit": 2, "TimeRangeLowerBound": 1.5, "TimeRangeUpperBound": 4e9, "BackupType": "ALL"}),
    ("ListContributorInsights", {**_ON, "MaxResults": 2}),
    ("ListGlobalTables", {"Limit": 2}),
    ("ListTables", {"Limit": 2, "ExclusiveStartTableName": "fuzz"}),
    ("UpdateContributorInsights", {**_ON, "ContributorInsightsAction": "ENABLE", "IndexName": "global"}),
    ("UpdateGlobalTable", {"GlobalTableName": TABLE, "ReplicaUpdates": [{"Create": _REPLICA}]}),
    ("UpdateGlobalTableSettings", {"GlobalTableName": TABLE, "GlobalTableBillingMode": "PROVISIONED"}),
    ("UpdateKinesisStreamingDestination", {**_ON, "StreamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/of-all"}),
    (
        "UpdateTable",
        {
            "TableName": DOOMED,
            "AttributeDefinitions": [{"AttributeName": "x", "AttributeType": "N"}],
            "GlobalSecondaryIndexUpdates": [{"Create": index("later", {"ProjectionType": "ALL"}, "x")}],
        },
    ),
    (
        "UpdateTable",
        {
            "TableName": DOOMED,
            "BillingMode": "PROVISIONED",
            "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
            "GlobalSecondaryIndexUpdates": [
                {
                    "Update": {
                        "IndexName": name,
                        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                    }
                }
                for name in ("global", "narrow")
            ],
        },
    ),
    (
        "UpdateTable",
        {
            "TableName": DOOMED,
            "StreamSpecification": {"StreamEnabled": False},
            "DeletionProtectionEnabled": False,
            "TableClass": "STANDARD",
            "OnDemandThroughput": {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 10},
        },
    ),
    ("UpdateTableReplicaAutoScaling", {**_ON, "ReplicaUpdates": [_REPLICA]}),
    ("DeleteTable", {"TableName": DOOMED}),
    ("UpdateTimeToLive", {"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"}}),
]
