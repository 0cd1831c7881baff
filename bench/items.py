"""What is asked of each DynamoDB: the same tables and items, the same requests, all signed, as bytes made beforehand where they can be."""

import http.client
import json
import os
import time
from collections.abc import Callable
from typing import Any

from load import NextRequest, Request, drive
from peers import Endpoint
from sigv4 import Signer

ITEMS = 1000
QUERIED_PARTITIONS = 200
QUERIED_ITEMS = 10
BATCH_ITEMS = 25
ITEM_BYTES = 1024
SMALL_ITEM_BYTES = 100
ACTIVE_SECONDS_MAX = 30.0
_CONTENT_TYPE = "application/x-amz-json-1.0"
_TARGET = "DynamoDB_20120810."
_LOADERS = 8


class Client:
    """Makes signed requests, and sends some itself where what they answer is of interest."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._address = endpoint.address
        host = f"{endpoint.host}:{endpoint.port}"
        self._signer = Signer(host, endpoint.access_key, endpoint.secret_key, service="dynamodb")

    def request(self, operation: str, body: bytes) -> Request:
        return self._signer.post(_TARGET + operation, body, _CONTENT_TYPE), body

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        head, body = self.request(operation, json.dumps(members).encode())
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        try:
            connection.request("POST", "/", body, headers)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"{operation}: {answer.status} {read[:500]!r}")
        made: dict[str, Any] = json.loads(read)
        return made

    def create_table(self, name: str, *, sorted_by: str | None = None, index: str | None = None) -> None:
        """Keys are texts. An index is by the attribute of its name."""
        keys = ["pk", *([sorted_by] if sorted_by else [])]
        request: dict[str, Any] = {
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": _schema(keys),
            "AttributeDefinitions": [
                {"AttributeName": key, "AttributeType": "S"} for key in [*keys, *([index] if index else [])]
            ],
        }
        if index:
            projection = {"ProjectionType": "KEYS_ONLY"}
            request["GlobalSecondaryIndexes"] = [
                {"IndexName": f"by-{index}", "KeySchema": _schema([index]), "Projection": projection}
            ]
        self.call("CreateTable", **request)
        deadline = time.monotonic() + ACTIVE_SECONDS_MAX
        while self.call("DescribeTable", TableName=name)["Table"]["TableStatus"] != "ACTIVE":
            if time.monotonic() > deadline:
                raise SystemExit(f"table {name} does not become active")
            time.sleep(0.1)


def _schema(keys: list[str]) -> list[dict[str, str]]:
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)]


def _item(key: str, size_bytes: int = ITEM_BYTES) -> dict[str, Any]:
    """About the size asked for: some texts, a number, a truth, a list and a map, as people keep them."""
    item: dict[str, Any] = {"pk": {"S": key}, "n": {"N": "1234.5"}}
    if size_bytes < 200:
        return {**item, "text": {"S": "x" * (size_bytes - 20)}}
    item["active"] = {"BOOL": True}
    item["tags"] = {"L": [{"S": "one"}, {"S": "two"}, {"N": "3"}]}
    item["place"] = {"M": {"street": {"S": "Long Street 7"}, "zip": {"S": "00100"}, "floor": {"N": "3"}}}
    item["colour"] = {"S": f"c{hash(key) % 1000}"}
    for n in range(8):
        item[f"text{n}"] = {"S": os.urandom((size_bytes - 130) // 16).hex()}
    return item


class Workloads:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.client = Client(endpoint)
        self._round = 0
        # Made once; what is measured is the server, not the client's JSON. `KEY` is what is replaced.
        template = json.dumps({"TableName": "TABLE", "Item": _item("KEY")}, separators=(",", ":"))
        self._put = template.replace("TABLE", "plain")
        self._put_indexed = template.replace("TABLE", "indexed").replace('"colour":{"S":"', '"colour":{"S":"COLOUR')
        self._batch_item = '{"PutRequest":' + json.dumps({"Item": _item("KEY")}, separators=(",", ":")) + "}"
        self._small = '{"PutRequest":' + json.dumps({"Item": _item("KEY", SMALL_ITEM_BYTES)}) + "}"

    def prepare(self) -> None:
        for name in ("plain", "counters", "growth"):
            self.client.create_table(name)
        self.client.create_table("indexed", index="colour")
        self.client.create_table("ordered", sorted_by="sk")
        self._load(ITEMS, lambda n: ("PutItem", self._put.replace("KEY", f"get{n}")))
        self._load(ITEMS, lambda n: ("PutItem", _counter(n)))
        self._load(QUERIED_PARTITIONS * QUERIED_ITEMS, lambda n: ("PutItem", _ordered(n)))
        self._check()

    def _check(self) -> None:
        """A server that answers quickly and wrongly is not measured."""
        got = self.client.call("GetItem", TableName="plain", Key={"pk": {"S": "get0"}})
        if got["Item"]["place"]["M"]["zip"] != {"S": "00100"}:
            raise SystemExit(f"not what was put: {got}")
        found = self.client.call(
            "Query",
            TableName="ordered",
            KeyConditionExpression="pk = :p",
            ExpressionAttributeValues={":p": {"S": "p0"}},
        )
        if [item["sk"]["S"] for item in found["Items"]] != [f"s{n:04}" for n in range(QUERIED_ITEMS)]:
            raise SystemExit(f"not what was put: {found}")

    def _load(self, count: int, request_of: Callable[[int], tuple[str, str]], start: int = 0) -> None:
        numbers = iter(range(start, start + count))

        def following(_connection: int, _number: int) -> Request:
            operation, body = request_of(next(numbers))
            return self.client.request(operation, body.encode())

        outcome = drive(self._endpoint.address, following, connections=_LOADERS, seconds=3600, ops_max=count)
        if outcome.errors or len(outcome.latencies) != count:
            raise SystemExit(f"preparing failed: {len(outcome.latencies)} of {count} answered, {outcome.errors}")

    def grow(self, have: int, want: int) -> None:
        """More small items into the table that only reads are measured on."""
        self._load(
            (want - have) // BATCH_ITEMS,
            lambda n: ("BatchWriteItem", _batch("growth", self._small, f"{n}/{{}}")),
            start=have // BATCH_ITEMS,
        )
        last = {"pk": {"S": f"{want // BATCH_ITEMS - 1}/{BATCH_ITEMS - 1}"}}
        if "Item" not in self.client.call("GetItem", TableName="growth", Key=last):
            raise SystemExit(f"item {want - 1} is missing")

    def requests(self, name: str) -> NextRequest:
        self._round += 1
        request_of: Callable[[int, int], tuple[str, str]] = getattr(self, f"_{name}_request")

        def following(connection: int, number: int) -> Request:
            operation, body = request_of(connection, number)
            return self.client.request(operation, body.encode())

        return following

    def growth_requests(self, items: int) -> NextRequest:
        def following(connection: int, number: int) -> Request:
            n = _walk(connection, number, items)
            key = f"{n // BATCH_ITEMS}/{n % BATCH_ITEMS}"
            return self.client.request("GetItem", f'{{"TableName":"growth","Key":{{"pk":{{"S":"{key}"}}}}}}'.encode())

        return following

    def _put_1k_request(self, connection: int, number: int) -> tuple[str, str]:
        return "PutItem", self._put.replace("KEY", f"put{self._round}/{connection}/{number}")

    def _put_gsi_request(self, connection: int, number: int) -> tuple[str, str]:
        body = self._put_indexed.replace("KEY", f"put{self._round}/{connection}/{number}")
        return "PutItem", body.replace("COLOUR", str(number % 97))

    def _get_1k_request(self, connection: int, number: int) -> tuple[str, str]:
        key = f"get{_walk(connection, number, ITEMS)}"
        return "GetItem", f'{{"TableName":"plain","Key":{{"pk":{{"S":"{key}"}}}}}}'

    def _query_10_request(self, connection: int, number: int) -> tuple[str, str]:
        partition = _walk(connection, number, QUERIED_PARTITIONS)
        return "Query", (
            '{"TableName":"ordered","KeyConditionExpression":"pk = :p AND sk >= :s",'
            f'"ExpressionAttributeValues":{{":p":{{"S":"p{partition}"}},":s":{{"S":"s"}}}},"Limit":{QUERIED_ITEMS}}}'
        )

    def _update_request(self, connection: int, number: int) -> tuple[str, str]:
        return "UpdateItem", (
            f'{{"TableName":"counters","Key":{{"pk":{{"S":"c{_walk(connection, number, ITEMS)}"}}}},'
            '"UpdateExpression":"SET n = n + :one","ExpressionAttributeValues":{":one":{"N":"1"}},'
            '"ReturnValues":"UPDATED_NEW"}'
        )

    def _transact_2_request(self, connection: int, number: int) -> tuple[str, str]:
        """A transfer between two counters of this connection's own: two who meet would rightly be cancelled."""
        first = connection * 15 + number % 7
        updates = ",".join(
            f'{{"Update":{{"TableName":"counters","Key":{{"pk":{{"S":"c{n}"}}}},"UpdateExpression":"ADD n :d",'
            f'"ConditionExpression":"attribute_exists(pk)","ExpressionAttributeValues":{{":d":{{"N":"{delta}"}}}}}}}}'
            for n, delta in ((first, -1), (first + 7, 1))
        )
        return "TransactWriteItems", f'{{"TransactItems":[{updates}]}}'

    def _batch_25_request(self, connection: int, number: int) -> tuple[str, str]:
        prefix = f"b{self._round}/{connection}/{number}/{{}}"
        return "BatchWriteItem", _batch("plain", self._batch_item, prefix)


def _walk(connection: int, number: int, count: int) -> int:
    # 7919 is prime: every connection walks through all of them in an order of its own.
    return (connection * 101 + number * 7919) % count


def _batch(table: str, template: str, key: str) -> str:
    puts = ",".join(template.replace("KEY", key.format(n)) for n in range(BATCH_ITEMS))
    return f'{{"RequestItems":{{"{table}":[{puts}]}}}}'


def _counter(n: int) -> str:
    return f'{{"TableName":"counters","Item":{{"pk":{{"S":"c{n}"}},"n":{{"N":"0"}}}}}}'


def _ordered(n: int) -> str:
    item = {
        **_item("", 200),
        "pk": {"S": f"p{n // QUERIED_ITEMS}"},
        "sk": {"S": f"s{n % QUERIED_ITEMS:04}"},
    }
    return json.dumps({"TableName": "ordered", "Item": item})
