"""kill -9 again and again under load: transactions are whole, nothing acknowledged is lost or doubled, and indexes, counts and
the stream agree with the table.

ATOLL_KILLS sets how many kills (50); ATOLL_SEED repeats a run's choices.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.fault import dynamodb_checks
from tests.fault.dynamodb_history import ACCOUNTS, START, Client, Ledger
from tests.fault.dynamodb_wire import Connection, create_tables
from tests.fault.killer import Killer
from tests.server import Server

KILLS = int(os.environ.get("ATOLL_KILLS", "50"))
CLIENTS = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data", tmp_path / "log", workers=2)
    running.start()
    yield running
    running.kill()


def test_what_dynamodb_acknowledged_outlives_kills_and_what_it_keeps_twice_agrees(server: Server) -> None:
    seed = int(os.environ.get("ATOLL_SEED", str(int.from_bytes(os.urandom(4)))))
    print(f"seed {seed}, {KILLS} kills")  # noqa: T201 - pytest shows it when the test fails.
    chance = random.Random(seed)
    cloud = CloudUnderTest(server.endpoint, server.exports, server)
    connection = Connection(cloud)
    create_tables(connection)
    for n in range(ACCOUNTS):
        account = {"pk": {"S": str(n)}, "balance": {"N": str(START)}}
        connection.call("PutItem", TableName="accounts", Item=account)
    connection.close()
    ledger = Ledger()
    clients = [Client(n, Connection(cloud), ledger, seed) for n in range(CLIENTS)]
    killer = storm(clients, Killer(server, chance), chance)
    assert [client.failure for client in clients if client.failure] == [], f"seed {seed}"

    server.kill()
    server.start()
    items = dynamodb_checks.check_items(connection, clients)
    dynamodb_checks.check_indexes(connection, items)
    changes = dynamodb_checks.check_stream(connection, items)
    transfers = dynamodb_checks.check_accounts(connection, ledger)
    dynamodb_checks.check_counters(connection, ledger)
    dynamodb_checks.check_names(connection, ledger)
    connection.close()
    done = sum((client.done for client in clients), start=Counter[str]())
    unanswered = sum(client.unanswered for client in clients)
    print(f"{killer.kills}, {dict(done)}, {unanswered} unanswered, {changes} changes, {transfers} transfers")  # noqa: T201
    assert unanswered > 0, "no kill met a request: the test proves nothing"
    assert len(done) == 13
    assert min(done.values()) > 0
    assert changes > 10 * KILLS


def storm(clients: list[Client], killer: Killer, chance: random.Random) -> Killer:
    for client in clients:
        client.start()
    try:
        while killer.count < KILLS and not any(client.failure for client in clients):
            time.sleep(chance.uniform(0.05, 0.6))
            killer.kill_one()
        time.sleep(0.5)
    finally:
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(60)
    assert not any(client.is_alive() for client in clients)
    return killer
