"""Requests that mean harm: DynamoDB refuses them in AWS's way, in little time and room, and goes on answering the others.

`tools/fuzz_dynamodb.py` does the same for as long as you like, with other seeds.
"""

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.fault.dynamodb_fuzz import Fuzzer, judge, send
from tests.fault.dynamodb_requests import KEY, TABLE
from tests.fault.dynamodb_wire import Connection
from tests.server import Server

SEED = 20121
CASES = 1200
MIB = 1024 * 1024
BODY_BYTES = 15 * MIB


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("server")
    running = Server(place / "data", place / "log")
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="module")
def whole(server: Server) -> Iterator[Fuzzer]:
    fuzzer = Fuzzer(server, SEED)
    yield fuzzer
    fuzzer.connection.close()


@pytest.fixture
def fuzzer(whole: Fuzzer) -> Iterator[Fuzzer]:
    yield whole
    whole.check()


def test_mutated_requests_of_every_operation_get_an_answer(fuzzer: Fuzzer) -> None:
    for number in range(CASES):
        fuzzer.run(number)
    assert fuzzer.statuses[200] > CASES / 10
    assert fuzzer.statuses[400] > CASES / 10


def put(filling: bytes) -> bytes:
    """A PutItem whose item is as full as a body may be."""
    start = json.dumps({"TableName": TABLE, "Item": {**KEY, "z": {"L": ["?"]}}}).encode()
    return start.replace(b'"?"', b",".join([filling] * (BODY_BYTES // (len(filling) + 1))))


BODIES = {
    "lists": put(b'{"L":[]}'),
    "nulls": put(b"null"),
    "numbers": put(b'{"N":"1.50"}'),
    "sets": put(b'{"NS":["1"]}'),
    "one long text": put(b'{"S":"' + b"x" * (BODY_BYTES // 2) + b'"}'),
    "one long number": put(b'{"N":"' + b"9" * (BODY_BYTES // 2) + b'"}'),
    "one long base64": put(b'{"B":"' + b"A" * 4 * (BODY_BYTES // 8) + b'"}'),
    "a deep hole": b'{"TableName":' + b"[" * BODY_BYTES,
    "what nobody asked for": b'{"Colour":[' + b"{}," * (BODY_BYTES // 3) + b'0],"TableName":"nil","Item":{}}',
}


@pytest.mark.parametrize("name", BODIES)
def test_the_greatest_bodies_are_answered_and_leave_nothing(fuzzer: Fuzzer, name: str) -> None:
    answers = [send(fuzzer.connection, "PutItem", BODIES[name]) for _ in range(2)]
    for answer in answers:
        judge(answer)
    assert {answer.status for answer in answers} <= {400, 413}


def test_what_is_refused_is_forgotten_at_once(fuzzer: Fuzzer) -> None:
    """Not at the next great collection of garbage, which may be thousands of requests away."""
    before = fuzzer.resident_kib()
    for _ in range(40):
        assert send(fuzzer.connection, "PutItem", BODIES["one long text"]).status == 400
    assert fuzzer.resident_kib() - before < 128 * 1024


def test_bombs_are_not_unpacked(fuzzer: Fuzzer) -> None:
    zeros = gzip.compress(bytes(2**30), 1)
    for bomb in (zeros, zeros * 2):
        assert send(fuzzer.connection, "PutItem", bomb, Content_Encoding="gzip").status == 413
    start = time.monotonic()
    # AWS says of what can't be undone that the fault is its own, and so do we.
    assert send(fuzzer.connection, "PutItem", gzip.compress(b"", 1) * 500_000, Content_Encoding="gzip").status == 500
    assert time.monotonic() - start < 10


def test_great_bodies_at_once_are_worked_on_one_at_a_time(server: Server, fuzzer: Fuzzer) -> None:
    cloud = CloudUnderTest(server.endpoint, server.exports, server)
    connections = [Connection(cloud) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda connection: send(connection, "PutItem", BODIES["lists"]), connections):
            judge(answer)
    for connection in connections:
        connection.close()
    peak = max(int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) for pid in server.processes())
    assert peak < 1536 * 1024, f"the server needed {peak // 1024} MiB"
