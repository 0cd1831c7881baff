"""A cloud to test, as its customers see it: an endpoint, keys, and clients nobody has modified."""

import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.server import Server, answers

REGION = "us-east-1"


class CloudUnderTest:
    """What a customer has: an endpoint and keys. With a server of our own, also the switch on its back."""

    def __init__(self, endpoint: str, keys: Mapping[str, str], server: Server | None) -> None:
        self.endpoint = endpoint
        self.access_key = keys["AWS_ACCESS_KEY_ID"]
        self.secret_key = keys["AWS_SECRET_ACCESS_KEY"]
        self.region = keys.get("AWS_REGION", REGION)
        self._server = server

    @property
    def port(self) -> int:
        return int(self.endpoint.rsplit(":", 1)[1])

    @property
    def server(self) -> Server:
        if self._server is None:
            pytest.skip("needs a server of our own to restart or kill; --endpoint gives somebody else's")
        return self._server

    @property
    def env(self) -> dict[str, str]:
        """For programs: the endpoint and keys, and nothing of the machine's own AWS configuration."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {
            **inherited,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client that does not retry, so that a failure is seen. `config` and keys may be overridden."""
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, read_timeout=60)
        arguments: dict[str, Any] = {
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            **settings,
        }
        arguments["config"] = config.merge(settings["config"]) if "config" in settings else config
        return boto3.client(service, **arguments)

    def restart(self) -> None:
        self.server.restart()

    def kill(self) -> None:
        self.server.kill()


@pytest.fixture(scope="session")
def cloud(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    endpoint = request.config.getoption("--endpoint")
    if endpoint is not None:
        assert answers(endpoint), f"nothing answers at {endpoint}"
        yield CloudUnderTest(endpoint.rstrip("/"), os.environ, None)
        return
    place = tmp_path_factory.mktemp("cloud")
    server = Server(place / "data", place / "server.log")
    server.start()
    request.config.stash[_SERVER] = server
    yield CloudUnderTest(server.endpoint, server.exports, server)
    server.stop()


_SERVER = pytest.StashKey[Server]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: Any = yield
    server = item.config.stash.get(_SERVER, None)
    if report.failed and server is not None:
        report.sections.append(("server log", server.tail()))
    return report


@pytest.fixture(scope="session")
def s3(cloud: CloudUnderTest) -> Any:
    return cloud.client("s3")


@pytest.fixture
def new_bucket(s3: Any) -> Iterator[Callable[..., str]]:
    """Makes buckets with names of their own, and takes them away after the test, whatever is in them."""
    made: list[str] = []

    def make(**settings: Any) -> str:
        name = f"t-{uuid.uuid4().hex[:20]}"
        s3.create_bucket(Bucket=name, **settings)
        made.append(name)
        return name

    yield make
    for name in made:
        with suppress(ClientError):  # The test may have deleted it, or be about what can't be deleted.
            empty_bucket(s3, name)
            s3.delete_bucket(Bucket=name)


@pytest.fixture
def bucket(new_bucket: Callable[..., str]) -> str:
    return new_bucket()


@pytest.fixture
def versioned_bucket(s3: Any, bucket: str) -> str:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return bucket


@pytest.fixture(scope="session")
def dynamodb(cloud: CloudUnderTest) -> Any:
    return cloud.client("dynamodb")


@pytest.fixture
def new_table(dynamodb: Any) -> Iterator[Callable[..., str]]:
    """Makes tables with names of their own: partition key "p", and sort key "c" when asked for with range=True."""
    made: list[str] = []

    def make(*, range: bool = False, **overrides: Any) -> str:  # noqa: A002 - as DynamoDB calls it
        keys = [("p", "HASH"), ("c", "RANGE")][: 2 if range else 1]
        settings = {
            "TableName": f"t-{uuid.uuid4().hex[:20]}",
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            "BillingMode": "PAY_PER_REQUEST",
            **overrides,
        }
        dynamodb.create_table(**settings)
        made.append(settings["TableName"])
        dynamodb.get_waiter("table_exists").wait(TableName=made[-1], WaiterConfig={"Delay": 1})
        return made[-1]

    yield make
    for name in made:
        with suppress(ClientError):  # The test may have deleted it, or be about what can't be deleted.
            dynamodb.delete_table(TableName=name)


@pytest.fixture
def target(dynamodb: Any) -> Iterator[str]:
    """The name of a table that is to be, by a restore or an import: it goes after the test."""
    name = f"t-{uuid.uuid4().hex[:20]}"
    yield name
    with suppress(ClientError):
        dynamodb.delete_table(TableName=name)


def empty_bucket(s3: Any, name: str) -> None:
    for upload in s3.list_multipart_uploads(Bucket=name).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    # Encoded listings, because a key may hold what XML can't.
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])


@pytest.fixture
def localhost_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolves every name below localhost to this machine, as RFC 6761 asks and not every resolver does."""
    resolve = socket.getaddrinfo

    def resolve_locally(host: Any, *arguments: Any, **settings: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith("localhost") else host, *arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_locally)


class Program:
    """A client program as a customer runs it."""

    def __init__(self, path: str, env: Mapping[str, str]) -> None:
        self.path = path
        self.env = dict(env)

    def run(self, *arguments: str | Path, check: bool = True, **settings: Any) -> subprocess.CompletedProcess[str]:
        env = {**self.env, **settings.pop("env", {})}
        done = subprocess.run(
            [self.path, *map(str, arguments)],
            env=env,
            capture_output=True,
            text=True,
            timeout=settings.pop("timeout", 120),
            check=False,
            **settings,
        )
        if check and done.returncode != 0:
            shown = " ".join(map(str, arguments))
            raise AssertionError(
                f"{Path(self.path).name} {shown}\nended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done


@pytest.fixture(scope="session")
def program(cloud: CloudUnderTest) -> Callable[[str], Program]:
    """Finds a program, or fails: a suite that skips what it lacks proves nothing."""

    def find(name: str) -> Program:
        path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert path is not None, f"{name} is not installed: run tools/install_test_tools.sh"
        return Program(path, cloud.env)

    return find
