"""Workers replaced, killed and orphaned under load: which requests may be lost, and which never."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

import pytest
from tests.fault.http_core import SOURCE, Node, node

from atoll.gateway.workers import listen

UPLOAD = os.urandom(1024 * 1024) * 8
UPLOAD_DIGEST = f"{len(UPLOAD)} {hashlib.md5(UPLOAD).hexdigest()}".encode()
REPLACED_SECONDS_MAX = 0.1
RESTARTS = 4
REQUESTS_MIN = 2000


class Load:
    """Clients that ask without pause and take every answer for what it should be. No request is tried twice."""

    def __init__(self, running: Node) -> None:
        self.port = running.port
        self.done = 0
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def _ask(self, connection: HTTPConnection, method: str, path: str, body: bytes | None, answer: bytes) -> None:
        headers = {"Connection": "close"} if path == "/?close" else {}
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        said = reply.read()
        assert (reply.status, said) == (200, answer), f"{reply.status} {said[:100]!r}"

    def client(self, method: str, path: str, body: bytes | None, answer: bytes) -> None:
        """One connection, kept for as long as the server keeps it (http.client sees `Connection: close`, and connects anew)."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self._stop.is_set():
            try:
                self._ask(connection, method, path, body, answer)
            except (OSError, HTTPException, AssertionError) as error:
                with self._lock:
                    self.failures.append(f"{method} {path}: {error!r}")
                connection.close()
            else:
                with self._lock:
                    self.done += 1
        connection.close()

    def during(self, act: Callable[[], None]) -> None:
        kinds = [
            *[("GET", "/", None, b"hello")] * 4,
            *[("GET", "/?close", None, b"hello")] * 4,
            *[("GET", "/slow", None, b"slow")] * 4,
            *[("PUT", "/digest", UPLOAD, UPLOAD_DIGEST)] * 2,
            ("GET", "/blob", None, bytes(3 * 1024 * 1024)),
        ]
        with ThreadPoolExecutor(len(kinds)) as pool:
            clients = [pool.submit(self.client, *kind) for kind in kinds]
            try:
                act()
            finally:
                self._stop.set()
            for client in clients:
                client.result()


def replaced(running: Node, before: list[int]) -> list[int]:
    """Waits until the parent has other workers than `before`, and as many."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        now = running.workers()
        if len(now) == len(before) and not set(now) & set(before):
            return now
        time.sleep(0.02)
    raise AssertionError(f"still {running.workers()} after {before}")


@pytest.mark.parametrize("workers", [1, 2])
def test_restarts_under_load_lose_no_request(workers: int):
    with node(workers) as running:
        load = Load(running)

        def restart() -> None:
            for _ in range(RESTARTS):
                time.sleep(0.5)
                before = running.workers()
                running.hang_up()
                replaced(running, before)
            while load.done < REQUESTS_MIN and not load.failures:
                time.sleep(0.1)

        load.during(restart)
        assert load.failures == []
        assert load.done >= REQUESTS_MIN


def test_many_restarts_at_once_end_with_new_workers():
    with node(2) as running:
        before = running.workers()
        for _ in range(5):
            running.hang_up()
        replaced(running, before)
        with running.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert sock.recv(4096).endswith(b"hello")


def test_a_killed_worker_loses_only_what_it_was_answering():
    with node(2) as running:
        load = Load(running)
        kills = 3

        def kill() -> None:
            for _ in range(kills):
                time.sleep(0.7)
                victim = running.workers()[0]
                os.kill(victim, signal.SIGKILL)
                end = time.monotonic() + 10
                while victim in running.workers() or len(running.workers()) < 2:
                    assert time.monotonic() < end
                    time.sleep(0.01)
            time.sleep(0.7)

        load.during(kill)
        # Each client has one request under way, and a keep-alive connection that dies with its worker.
        assert len(load.failures) <= kills * 15
        assert load.done > 100
        assert not [failure for failure in load.failures if "AssertionError" in failure]


def test_a_dead_worker_is_replaced_at_once_and_its_backlog_is_served():
    with node(1) as running:
        (before,) = running.workers()
        os.kill(before, signal.SIGSTOP)
        waiting = [running.connect() for _ in range(50)]  # Accepted by the kernel alone.
        for sock in waiting:
            sock.sendall(b"GET /pid HTTP/1.1\r\nHost: h\r\n\r\n")
        os.kill(before, signal.SIGKILL)
        begin = time.monotonic()
        while running.workers() in ([before], []):
            assert time.monotonic() - begin < REPLACED_SECONDS_MAX * 5
        took = time.monotonic() - begin
        (after,) = running.workers()
        for sock in waiting:
            assert sock.recv(4096).endswith(str(after).encode())
            sock.close()
        assert took < REPLACED_SECONDS_MAX


def test_a_worker_that_dies_again_and_again_is_not_started_again_and_again():
    with node(1) as running:
        seen: set[int] = set()
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            workers = running.workers()
            seen.update(workers)
            for pid in workers:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        # The first replacement comes at once, the next after 0.25, 0.5, 1 and 2 seconds.
        assert 3 <= len(seen) <= 6


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_end_when_their_parent_is_killed():
    with node(2, must_end=True) as running:
        workers = running.workers()
        running.process.kill()
        running.process.wait()
        end = time.monotonic() + 8
        while any(map(alive, workers)) and time.monotonic() < end:
            time.sleep(0.02)
        assert not any(map(alive, workers))


def test_a_stop_waits_for_requests_that_run_and_for_no_more():
    with node(1, must_end=True) as running:
        sock, idle, stuck = running.connect(), running.connect(), running.connect()
        sock.sendall(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        stuck.sendall(b"PUT /digest HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\nstart")
        time.sleep(0.02)
        begin = time.monotonic()
        running.process.terminate()
        assert sock.recv(4096).endswith(b"Connection: close\r\n\r\nslow")
        assert idle.recv(4096) == b""
        assert running.process.wait(10) == 0
        assert time.monotonic() - begin < 8
        for each in (sock, idle, stuck):
            each.close()


def test_a_second_server_cannot_take_the_port():
    sockets = listen("127.0.0.1", 0, 2)
    port = sockets[0].getsockname()[1]
    for count in (1, 2):
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", port, count)
    for sock in sockets:
        sock.close()


def test_a_worker_that_cannot_start_ends_the_node():
    program = (
        "import sys\n"
        "from atoll.gateway.workers import listen, run_workers\n"
        "async def worker(sock, control):\n"
        "    raise SystemExit(3) if control.index else RuntimeError('no disk')\n"
        "sys.exit(run_workers(listen('127.0.0.1', 0, 2), worker, lambda: print('ready')))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "no disk" in ended.stderr


def test_connections_are_spread_over_the_workers():
    with node(2) as running:
        seen = set()
        for _ in range(100):
            with socket.create_connection(("127.0.0.1", running.port), 20) as sock:
                sock.sendall(b"GET /pid HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                seen.add(int(sock.recv(4096).rpartition(b"\r\n")[2]))
        assert seen == set(running.workers())
