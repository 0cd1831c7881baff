"""kill -9 again and again under load: what was acknowledged is there, whole; what was not is there whole or not at all.

ATOLL_KILLS sets how many kills (50); ATOLL_SEED repeats a run's choices.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from tests.conformance.conftest import CloudUnderTest, empty_bucket
from tests.fault.kept_connection import KeptConnection
from tests.fault.killer import Killer
from tests.fault.s3_history import Client
from tests.server import Server

KILLS = int(os.environ.get("ATOLL_KILLS", "50"))
CLIENTS = 6
GRACE_SECONDS = 0.2
ORPHANS_PER_DROPPED = 60  # The grace of a file that nobody ever referred to is so many times that of a dropped one.
ORPHANS_SECONDS_MAX = 40.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(
        tmp_path / "data", tmp_path / "log", workers=2, env={"ATOLL_SWEEP_GRACE_SECONDS": str(GRACE_SECONDS)}
    )
    running.start()
    yield running
    running.kill()


def client_of(server: Server) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.exports["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=server.exports["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )


def test_nothing_acknowledged_is_lost_and_nothing_torn_is_served(server: Server) -> None:
    seed = int(os.environ.get("ATOLL_SEED", str(int.from_bytes(os.urandom(4)))))
    print(f"seed {seed}, {KILLS} kills")  # noqa: T201 - pytest shows it when the test fails.
    chance = random.Random(seed)
    s3 = client_of(server)
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    cloud = CloudUnderTest(server.endpoint, server.exports, server)
    clients = [Client(n, KeptConnection(cloud), "plain", "versioned", seed) for n in range(CLIENTS)]
    killer = Killer(server, chance)
    for client in clients:
        client.start()
    try:
        while killer.count < KILLS and not any(client.failure for client in clients):
            time.sleep(chance.uniform(0.1, 0.9))
            killer.kill_one()
        time.sleep(0.5)
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(60)
    assert not any(client.is_alive() for client in clients)
    assert [client.failure for client in clients if client.failure] == [], f"seed {seed}"

    server.kill()
    server.start()
    read = sum(client.verify_all() for client in clients)
    check_listings_agree(s3, clients)
    done = sum((client.done for client in clients), start=Counter[str]())
    print(f"{killer.kills}, {dict(done)}, {sum(c.unanswered for c in clients)} unanswered, {read} bodies verified")  # noqa: T201
    assert read > 0
    assert sum(client.unanswered for client in clients) > 0, "no kill met a request: the test proves nothing"
    assert min(done[name] for name in ("put", "get", "delete", "copy", "upload_parts", "put_version")) > 0

    check_scrub(server)
    check_orphans_are_swept(server, s3, clients)


def check_listings_agree(s3: Any, clients: list[Client]) -> None:
    """The listing shows exactly the keys that can be read, each with its size and ETag."""
    listed = {
        entry["Key"]: (entry["Size"], entry["ETag"])
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket="plain")
        for entry in page.get("Contents", [])
    }
    there = {key for client in clients for key, history in client.histories.items() if history.possible != {None}}
    assert set(listed) == there
    for key, told in listed.items():
        head = s3.head_object(Bucket="plain", Key=key)
        assert (head["ContentLength"], head["ETag"]) == told
    versions = {
        f"{v['Key']}?versionId={v['VersionId']}"
        for page in s3.get_paginator("list_object_versions").paginate(Bucket="versioned")
        for v in page.get("Versions", [])
    }
    assert {place for client in clients for place in client.versions} <= versions


def check_scrub(server: Server) -> None:
    """The server's own scrubber reads every stored byte, and finds nothing to name."""
    done = server.command("scrub")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def check_orphans_are_swept(server: Server, s3: Any, clients: list[Client]) -> None:
    """Past the grace what is referred to stays; and when nothing is, no file is left of all that was begun and cut off."""
    assert blob_files(server.data)
    time.sleep(GRACE_SECONDS * ORPHANS_PER_DROPPED + 3)
    for client in clients:
        client.verify_all()
    for bucket in ("plain", "versioned"):
        empty_bucket(s3, bucket)
    await_true(lambda: not blob_files(server.data), ORPHANS_SECONDS_MAX)
    assert blob_files(server.data) == []


def blob_files(data: Path) -> list[Path]:
    return [path for path in (data / "blobs").glob("[0-9a-f][0-9a-f]/*") if path.is_file()]


def await_true(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
