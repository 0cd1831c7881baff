"""The `atoll` command as a person uses it: start, look, make accounts, scrub, stop."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from tests.server import SOURCE, Server, free_port


def atoll(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ATOLL_"))}
    command = [sys.executable, "-m", "atoll", *arguments, "--data", str(data)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**inherited, "PYTHONPATH": str(SOURCE)}, check=False
    )


@pytest.fixture
def server(tmp_path: Path):
    server = Server(tmp_path / "data", tmp_path / "log")
    server.start()
    yield server
    server.stop()


def client(server: Server, service: str, **keys: str):
    given = {
        "aws_access_key_id": server.exports["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": server.exports["AWS_SECRET_ACCESS_KEY"],
    }
    return boto3.client(service, endpoint_url=server.endpoint, region_name="us-east-1", **{**given, **keys})


def test_up_prints_the_lines_that_env_prints(server: Server) -> None:
    env = atoll("env", data=server.data)
    assert env.returncode == 0
    names = [re.fullmatch(r"export (\w+)=(\S+)", line).groups() for line in env.stdout.splitlines()]  # type: ignore[union-attr]
    assert [name for name, _ in names] == [
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    ]
    assert dict(names)["AWS_ENDPOINT_URL"] == server.endpoint
    assert env.stdout in server.log.read_text()
    assert "http://127.0.0.1:4599\n" in atoll("env", "--port", "4599", data=server.data).stdout


def test_keys_are_for_the_owners_eyes_alone(server: Server) -> None:
    assert (server.data / "root.json").stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_status_tells_a_running_node_from_a_stopped_one(server: Server) -> None:
    running = atoll("status", data=server.data)
    assert running.returncode == 0
    assert f"running   {server.endpoint}" in running.stdout
    server.stop()
    stopped = atoll("status", data=server.data)
    assert (stopped.returncode, stopped.stdout.split()[0]) == (1, "stopped")


def test_the_node_says_how_long_its_start_took(server: Server) -> None:
    said = re.search(r"after ([\d.]+) s", server.log.read_text())
    assert said is not None
    assert (
        float(said[1]) < 5.0
    )  # It says how long it took; the promised second is bench/'s to measure, on a quiet machine.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to the parent", "to all, as a terminal does"])
def test_a_signal_stops_it_cleanly(server: Server, number: signal.Signals, send: Callable[[int, int], None]) -> None:
    processes = server.processes()
    send(server.pid, number)
    deadline = time.monotonic() + 15
    # The parent comes first; once it has ended it waits only to be reaped, by `stop`.
    while any(Path(f"/proc/{pid}").exists() for pid in processes[1:]) or (server.data / "run.json").exists():
        assert time.monotonic() < deadline, "it does not stop"
        time.sleep(0.02)
    server.stop()
    assert not (server.data / "run.json").exists()
    assert "Traceback" not in server.log.read_text()


def test_a_worker_that_dies_before_it_has_read_its_orders_does_not_take_the_parent_along(server: Server) -> None:
    worker = server.processes()[1]
    os.kill(worker, signal.SIGSTOP)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(0.3)  # For the parent to have given the order; a parent that is late makes the test easier, not harder.
    os.kill(worker, signal.SIGKILL)
    server.stop()
    assert "Traceback" not in server.log.read_text()
    assert not (server.data / "run.json").exists()


def test_a_second_node_on_the_same_data_or_port_is_refused(server: Server, tmp_path: Path) -> None:
    same_data = atoll("up", "--port", str(free_port()), data=server.data)
    assert (same_data.returncode, same_data.stdout) == (1, "")
    assert "another node is running" in same_data.stderr
    same_port = atoll("up", "--port", str(server.port), data=tmp_path / "other")
    assert same_port.returncode == 1
    assert "in use" in same_port.stderr


def test_accounts_are_apart(server: Server) -> None:
    made = json.loads(atoll("account", "add", "second", "--id", "123456789012", data=server.data).stdout)
    assert made["account_id"] == "123456789012"
    keys = {"aws_access_key_id": made["access_key_id"], "aws_secret_access_key": made["secret_access_key"]}
    assert client(server, "sts", **keys).get_caller_identity()["Account"] == "123456789012"
    client(server, "s3").create_bucket(Bucket="of-the-first")
    second = client(server, "s3", **keys)
    assert second.list_buckets()["Buckets"] == []
    with pytest.raises(second.exceptions.ClientError) as refused:
        second.list_objects_v2(Bucket="of-the-first")
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    again = atoll("account", "add", "third", "--id", "123456789012", data=server.data)
    assert (again.returncode, again.stdout) == (1, "")
    listed = json.loads(atoll("account", "list", data=server.data).stdout)
    assert {account["name"] for account in listed} == {"root", "second"}
    assert made["secret_access_key"] not in json.dumps(listed)


@pytest.mark.parametrize("size_bytes", [1000, 300_000])
def test_scrub_names_what_is_damaged(server: Server, size_bytes: int) -> None:
    s3 = client(server, "s3")
    s3.create_bucket(Bucket="scrubbed")
    marker = os.urandom(64)
    s3.put_object(Bucket="scrubbed", Key="sound", Body=os.urandom(size_bytes))
    s3.put_object(Bucket="scrubbed", Key="hurt", Body=marker * (size_bytes // 64))
    assert atoll("scrub", data=server.data).returncode == 0
    server.stop()
    _damage(server.data, marker)
    scrubbed = atoll("scrub", data=server.data)
    assert scrubbed.returncode == 1
    found = json.loads(scrubbed.stdout)
    assert (found["bucket"], found["key"], found["version_id"]) == ("scrubbed", "hurt", "null")


def _damage(data: Path, marker: bytes) -> None:
    """Turns one bit, wherever the bytes lie."""
    for path in [*data.glob("store.db*"), *data.glob("blobs/??/*")]:
        at = path.read_bytes().find(marker * 2)
        if at >= 0:
            with path.open("r+b") as file:
                file.seek(at + 70)
                byte = file.read(1)[0]
                file.seek(at + 70)
                file.write(bytes([byte ^ 1]))
            return
    raise AssertionError("the object's bytes were not found")


def test_dev_mode_lets_any_key_in_and_says_so(tmp_path: Path) -> None:
    refused = atoll("up", "--dev", "--host", "0.0.0.0", "--port", "0", data=tmp_path / "data")
    assert refused.returncode == 1
    assert "loopback" in refused.stderr
    command = [sys.executable, "-m", "atoll", "up", "--dev", "--port", "0", "--data", str(tmp_path / "data")]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        )
    try:
        port = _port(tmp_path / "data")
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        sts = boto3.client("sts", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys)
        assert sts.get_caller_identity()["Account"] == "000000000000"
        assert "ANY key pair is accepted" in (tmp_path / "log").read_text()
    finally:
        process.terminate()
        assert process.wait(20) == 0


def _port(data: Path) -> int:
    for _ in range(500):
        if (data / "run.json").exists() and atoll("status", data=data).returncode == 0:
            return int(json.loads((data / "run.json").read_text())["port"])
        time.sleep(0.02)
    raise AssertionError("it did not come up")
