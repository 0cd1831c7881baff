"""Vector indexes and SearchVectors through boto3."""

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.conformance.refusals import refusal
from tests.conformance.waiting import active, until

FAR = 1e-6


def index(distance: str = "EUCLIDEAN", dimensions: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "IndexName": "by-v",
        "VectorAttribute": {"AttributeName": "v"},
        "Dimensions": dimensions,
        "DistanceFunction": distance,
        "Projection": {"ProjectionType": "ALL"},
        **more,
    }


def vector(numbers: Sequence[float]) -> list[Any]:
    return [{"N": str(number)} for number in numbers]


def put(dynamodb: Any, table: str, key: str, numbers: Sequence[float], **more: Any) -> None:
    dynamodb.put_item(TableName=table, Item={"p": {"S": key}, "v": {"L": vector(numbers)}, **more})


def search(dynamodb: Any, table: str, numbers: Sequence[float], top: int = 10, **more: Any) -> list[tuple[str, float]]:
    reply = dynamodb.search_vectors(TableName=table, IndexName="by-v", SearchVector=vector(numbers), TopK=top, **more)
    return [(found["Item"]["p"]["S"], found["Score"]) for found in reply["SearchResults"]]


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


DISTANCES: dict[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "COSINE": lambda one, other: 1 - dot(one, other) / math.sqrt(dot(one, one) * dot(other, other)),
    "EUCLIDEAN": math.dist,
    "DOT_PRODUCT": dot,
}


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_nearest_are_found_in_order(dynamodb: Any, new_table: Callable[..., str], distance: str) -> None:
    chance, dimensions = random.Random(distance), 16
    table = new_table(VectorIndexes=[index(distance, dimensions)])
    vectors = {f"{n}": [round(chance.uniform(-1, 1), 3) for _ in range(dimensions)] for n in range(40)}
    for key, numbers in vectors.items():
        put(dynamodb, table, key, numbers)
    dynamodb.put_item(TableName=table, Item={"p": {"S": "without"}})
    wanted = [round(chance.uniform(-1, 1), 3) for _ in range(dimensions)]
    scores = {key: DISTANCES[distance](wanted, numbers) for key, numbers in vectors.items()}
    expected = sorted(scores, key=scores.__getitem__, reverse=distance == "DOT_PRODUCT")[:7]
    found = search(dynamodb, table, wanted, 7)
    assert [key for key, _ in found] == expected
    for key, score in found:
        assert abs(score - scores[key]) < FAR


def test_an_index_is_described_with_its_table(dynamodb: Any, new_table: Callable[..., str]) -> None:
    asked = index(SearchSchema=[{"AttributeName": "color", "SearchSchemaElementType": "INLINE_FILTER"}])
    kinds = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "color")]
    table = new_table(AttributeDefinitions=kinds, VectorIndexes=[asked])
    told = dynamodb.describe_table(TableName=table)["Table"]
    arn = f"{told['TableArn']}/index/by-v"
    assert told["VectorIndexes"] == [{**asked, "IndexStatus": "ACTIVE", "Backfilling": False, "IndexArn": arn}]


def test_a_search_keeps_to_its_partition_and_filters(dynamodb: Any, new_table: Callable[..., str]) -> None:
    schema = [("shop", "HASH"), ("color", "INLINE_FILTER")]
    kinds = [{"AttributeName": name, "AttributeType": "S"} for name in ("p", "shop", "color")]
    asked = index(SearchSchema=[{"AttributeName": n, "SearchSchemaElementType": kind} for n, kind in schema])
    table = new_table(AttributeDefinitions=kinds, VectorIndexes=[asked])
    for key, shop, color in (("a", "x", "red"), ("b", "x", "blue"), ("c", "y", "red")):
        put(dynamodb, table, key, [1, 2, 3], shop={"S": shop}, color={"S": color})
    put(dynamodb, table, "no shop", [1, 2, 3])
    one = {"SearchConditionExpression": "shop = :s", "ExpressionAttributeValues": {":s": {"S": "x"}}}
    assert {key for key, _ in search(dynamodb, table, [1, 2, 3], **one)} == {"a", "b"}
    both = {
        "SearchConditionExpression": "#s = :s AND color = :c",
        "ExpressionAttributeNames": {"#s": "shop"},
        "ExpressionAttributeValues": {":s": {"S": "x"}, ":c": {"S": "red"}},
    }
    assert search(dynamodb, table, [1, 2, 3], **both) == [("a", 0.0)]
    base = {"TableName": table, "IndexName": "by-v", "SearchVector": vector([1, 2, 3]), "TopK": 1}
    missing = "SearchConditionExpression must be provided when SearchSchema has a HASH key"
    assert refusal(dynamodb.search_vectors, **base) == ("ValidationException", missing)
    above = {**one, "SearchConditionExpression": "shop > :s"}
    wrong = "Invalid comparator used in SearchConditionExpression"
    assert refusal(dynamodb.search_vectors, **base, **above) == ("ValidationException", wrong)


def test_results_have_what_is_projected_and_asked_for(dynamodb: Any, new_table: Callable[..., str]) -> None:
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}
    table = new_table(VectorIndexes=[index(Projection=projection)])
    put(dynamodb, table, "a", [1, 0, 0], title={"S": "A"}, secret={"S": "hidden"})
    asked: dict[str, Any] = {"TableName": table, "IndexName": "by-v", "SearchVector": vector([1, 0, 0]), "TopK": 1}
    reply = dynamodb.search_vectors(**asked, ReturnConsumedCapacity="TOTAL")
    assert reply["SearchResults"] == [{"Item": {"p": {"S": "a"}, "title": {"S": "A"}}, "Score": 0.0}]
    assert reply["ConsumedCapacity"] == {"VectorSearchRequestBytes": 12.0}
    reply = dynamodb.search_vectors(**asked, ProjectionExpression="title")
    assert reply["SearchResults"][0]["Item"] == {"title": {"S": "A"}}


def test_writes_that_an_index_can_not_take_are_refused(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(VectorIndexes=[index()])
    put(dynamodb, table, "good", [1, 2, 3])
    for value in ({"L": vector([1, 2])}, {"S": "1,2,3"}, {"NS": ["1", "2", "3"]}, {"L": [{"S": "1"}] * 3}):
        code, _ = refusal(dynamodb.put_item, TableName=table, Item={"p": {"S": "bad"}, "v": value})
        assert code == "ValidationException"
        code, _ = refusal(
            dynamodb.update_item,
            TableName=table,
            Key={"p": {"S": "good"}},
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": value},
        )
        assert code == "ValidationException"
    assert search(dynamodb, table, [1, 2, 3]) == [("good", 0.0)]


def test_what_is_changed_or_deleted_is_found_so(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(VectorIndexes=[index()])
    put(dynamodb, table, "a", [0, 0, 0])
    put(dynamodb, table, "b", [1, 0, 0])
    put(dynamodb, table, "a", [5, 0, 0])
    assert search(dynamodb, table, [0, 0, 0]) == [("b", 1.0), ("a", 5.0)]
    dynamodb.delete_item(TableName=table, Key={"p": {"S": "b"}})
    assert search(dynamodb, table, [0, 0, 0]) == [("a", 5.0)]


def test_an_index_comes_and_goes_with_update_table(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    put(dynamodb, table, "before", [3, 4, 0])
    dynamodb.update_table(TableName=table, VectorIndexUpdates=[{"Create": index()}])
    active(dynamodb, table)
    assert search(dynamodb, table, [0, 0, 0]) == [("before", 5.0)]
    dynamodb.update_table(TableName=table, VectorIndexUpdates=[{"Delete": {"IndexName": "by-v"}}])
    assert "VectorIndexes" not in active(dynamodb, table)
    asked = {"TableName": table, "IndexName": "by-v", "SearchVector": vector([1]), "TopK": 1}
    missing = "The table does not have the specified index: by-v"
    assert refusal(dynamodb.search_vectors, **asked) == ("ValidationException", missing)


def test_a_search_that_makes_no_sense_is_refused(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(VectorIndexes=[index()])
    asked: dict[str, Any] = {"TableName": table, "IndexName": "by-v", "SearchVector": vector([1, 2, 3]), "TopK": 1}
    beyond = ("ValidationException", "Provided TopK value is out of valid range")
    assert refusal(dynamodb.search_vectors, **{**asked, "TopK": 101}) == beyond
    code, _ = refusal(dynamodb.search_vectors, **{**asked, "SearchVector": vector([1, 2])})
    assert code == "ValidationException"
    code, _ = refusal(dynamodb.search_vectors, **{**asked, "SearchVector": [{"S": "x"}] * 3})
    assert code == "ValidationException"
    code, _ = refusal(dynamodb.search_vectors, **{**asked, "TableName": "no-such-table"})
    assert code == "ResourceNotFoundException"


def test_definitions_that_make_no_sense_are_refused(dynamodb: Any) -> None:
    base: dict[str, Any] = {
        "TableName": "never-made",
        "KeySchema": [{"AttributeName": "p", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    schema = [{"AttributeName": "color", "SearchSchemaElementType": "INLINE_FILTER"}]
    undefined = ("ValidationException", "One element in SearchSchema is not defined in attribute definitions")
    assert refusal(dynamodb.create_table, **base, VectorIndexes=[index(SearchSchema=schema)]) == undefined
    for wrong in (
        [index(), index()],
        [index(dimensions=4097)],
        [index(), index(dimensions=4, IndexName="other")],
        [index(Projection={"ProjectionType": "INCLUDE"})],
    ):
        code, _ = refusal(dynamodb.create_table, **base, VectorIndexes=wrong)
        assert code == "ValidationException"
    paid = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    code, _ = refusal(dynamodb.create_table, **{**base, **paid}, VectorIndexes=[index()])
    assert code == "ValidationException"


def test_a_backup_brings_vector_indexes_along(dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(VectorIndexes=[index()])
    put(dynamodb, table, "a", [1, 2, 3])
    arn = dynamodb.create_backup(TableName=table, BackupName="a-backup")["BackupDetails"]["BackupArn"]
    told = until(
        lambda: dynamodb.describe_backup(BackupArn=arn)["BackupDescription"],
        lambda told: told["BackupDetails"]["BackupStatus"] == "AVAILABLE",
    )
    assert told["SourceTableFeatureDetails"]["VectorIndexes"] == [index()]
    target = f"{table}-again"
    dynamodb.restore_table_from_backup(TargetTableName=target, BackupArn=arn)
    active(dynamodb, target)
    assert search(dynamodb, target, [1, 2, 3]) == [("a", 0.0)]
    dynamodb.delete_table(TableName=target)
    dynamodb.delete_backup(BackupArn=arn)
