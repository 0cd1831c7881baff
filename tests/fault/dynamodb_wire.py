"""DynamoDB on one kept connection, signed by botocore, never tried twice; and the tables that the clients work on."""

import json
import zlib
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from tests.fault.kept_connection import KeptConnection, NoAnswer

Item = dict[str, dict[str, Any]]
_CONTENT_TYPE = "application/x-amz-json-1.0"


class Refused(Exception):
    """An answer that says no, and means that nothing was done."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        self.code = document["__type"].rpartition("#")[2]
        self.document = document

    def must_be(self, code: str, *reasons: str) -> None:
        found = [reason["Code"] for reason in self.document.get("CancellationReasons", [])]
        assert (self.code, found) == (code, list(reasons)), self.document


class Connection(KeptConnection):
    def call(self, operation: str, *, target: str = "DynamoDB_20120810", **members: Any) -> dict[str, Any]:
        """Raises NoAnswer where it may have been carried out or not, and AssertionError for an answer that is not whole."""
        body = json.dumps(members).encode()
        headers = {"Host": self.host, "X-Amz-Target": f"{target}.{operation}", "Content-Type": _CONTENT_TYPE}
        request = AWSRequest("POST", f"http://{self.host}/", headers=headers, data=body)
        SigV4Auth(self.credentials, "dynamodb", self.region).add_auth(request)
        answer = self.send_raw("POST", "/", {**dict(request.headers.items()), "Content-Length": str(len(body))}, body)
        if answer.status >= 500:
            raise NoAnswer(f"{answer.status} {answer.body[:200]!r}")
        assert int(answer.headers["x-amz-crc32"]) == zlib.crc32(answer.body), f"{operation}: the answer is damaged"
        document: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            raise Refused(document)
        return document

    def pages(self, operation: str, **members: Any) -> list[Item]:
        """All items of a Query or Scan."""
        items: list[Item] = []
        while True:
            page = self.call(operation, **members)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            members["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _schema(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def _index(name: str, projection: str, *key: str) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": _schema(*key), "Projection": {"ProjectionType": projection}}


def create_tables(connection: Connection) -> None:
    types = {"pk": "S", "sk": "N", "colour": "S", "rank": "N", "flag": "S"}
    connection.call(
        "CreateTable",
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema("pk", "sk"),
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
        GlobalSecondaryIndexes=[
            _index("by-colour", "ALL", "colour", "rank"),
            _index("flagged", "KEYS_ONLY", "flag"),
        ],
        LocalSecondaryIndexes=[_index("by-rank", "ALL", "pk", "rank")],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for name in ("accounts", "transfers", "counters", "names"):
        connection.call(
            "CreateTable",
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=_schema("pk"),
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
