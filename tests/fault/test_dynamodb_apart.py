"""Every operation asked for by those who may not: users without rights, and other accounts that know all the ARNs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.fault.dynamodb_fuzz import send
from tests.fault.dynamodb_requests import DOOMED, TABLE, World
from tests.fault.dynamodb_wire import Connection
from tests.server import Server

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
# They tell of the account that asks, and need no ARN.
OF_ONES_OWN = {"CreateTable", "DescribeEndpoints", "DescribeLimits", "ImportTable", "ListGlobalTables", "ListTables"}
EMPTY_LISTS = {
    "ListBackups": {"BackupSummaries": []},
    "ListExports": {"ExportSummaries": []},
    "ListImports": {"ImportSummaryList": []},
}


@dataclass
class Both:
    """Two accounts: the world is of one, and `other` are the keys of the other's root."""

    cloud: CloudUnderTest
    world: World
    other: dict[str, str]

    def user(self, *statements: dict[str, Any], **keys: str) -> Connection:
        """A new user of the account whose root has these keys."""
        iam = self.cloud.client("iam", **keys)
        name = f"user-{len(statements)}"
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": [*statements]})
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Connection(self.cloud, access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    place = tmp_path_factory.mktemp("server")
    server = Server(place / "data", place / "log")
    server.start()
    cloud = CloudUnderTest(server.endpoint, server.exports, server)
    connection = Connection(cloud)
    other = json.loads(server.command("account", "add", "other").stdout)
    keys = {"access_key": other["access_key_id"], "secret_key": other["secret_access_key"]}
    yield Both(cloud, World(connection), keys)
    connection.close()
    server.kill()


def code_of(connection: Connection, operation: str, request: dict[str, Any]) -> str:
    answer = send(connection, operation, json.dumps(request).encode())
    return str(json.loads(answer.body or b"{}").get("__type", "")).partition("#")[2]


def test_a_user_without_rights_gets_nothing_but_a_refusal(both: Both) -> None:
    nobody = both.user()
    codes = {operation: code_of(nobody, operation, request) for operation, request in both.world.requests()}
    nobody.close()
    assert {operation: code for operation, code in codes.items() if code != "AccessDeniedException"} == {}


def test_a_denial_of_a_table_is_one_of_everything_about_it(both: Both) -> None:
    about = [both.world.arn, f"{both.world.arn}/*"]
    user = both.user(EVERYTHING, {"Effect": "Deny", "Action": "dynamodb:*", "Resource": about})
    got = set()
    for operation, request in both.world.requests():
        if operation in OF_ONES_OWN:
            continue
        text = json.dumps(request).replace(json.dumps(both.world.arn), json.dumps(TABLE))
        names_it = TABLE in text.replace("fuzzed-bucket", "") and not operation.rpartition(".")[2].startswith("List")
        if names_it and code_of(user, operation, json.loads(text)) != "AccessDeniedException":
            got.add(operation)
    user.close()
    # These want an ARN: a name is none, and nobody's.
    assert got <= {"TagResource", "UntagResource", "PutResourcePolicy", "DeleteResourcePolicy", "GetResourcePolicy"}


def addressed(value: Any, arn: str) -> Any:
    """With ARNs for names, wherever a table may be named."""
    if isinstance(value, dict):
        return {addressed(key, arn): addressed(inside, arn) for key, inside in value.items()}
    if isinstance(value, list):
        return [addressed(inside, arn) for inside in value]
    if value in (TABLE, DOOMED):
        return arn.replace(TABLE, value)
    if isinstance(value, str) and f" {TABLE}" in value:
        return value.replace(f" {TABLE}", f' "{arn}"')
    return value


@pytest.mark.parametrize("root", [True, False])
def test_another_account_gets_nothing_by_any_arn(both: Both, root: bool) -> None:
    keys = {"aws_access_key_id": both.other["access_key"], "aws_secret_access_key": both.other["secret_key"]}
    other = Connection(both.cloud, **both.other) if root else both.user(EVERYTHING, **keys)
    for operation, request in both.world.requests():
        if operation in OF_ONES_OWN:
            continue
        answer = send(other, operation, json.dumps(addressed(request, both.world.arn)).encode())
        if answer.status == 200:
            told = json.loads(answer.body)
            errors = [one.get("Error", {}).get("Code") for one in told.get("Responses", [{}])]
            assert errors == ["AccessDenied"] * len(errors) or told == EMPTY_LISTS.get(operation), (operation, told)
        else:
            code = json.loads(answer.body)["__type"].partition("#")[2]
            assert answer.status == 400, (operation, answer)
            assert code in ("AccessDeniedException", "ValidationException") or code.endswith("NotFoundException")
    other.close()
