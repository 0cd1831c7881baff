"""Clients that mean harm, or are broken: the server refuses, forgets them in time, and goes on answering the others."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fault.http_core import Node, exchange, node, statuses

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
IDLE_CONNECTIONS = 10_000
IDLE_CONNECTION_KIB_MAX = 6


@pytest.fixture(scope="module")
def impatient() -> Iterator[Node]:
    with node(head_seconds=0.5, idle_seconds=1.0, stall_seconds=0.5, linger_seconds=0.3, sweep_seconds=0.05) as running:
        yield running


def ask(running: Node) -> None:
    """An honest client gets its answer."""
    with running.connect() as sock:
        assert exchange(sock, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).endswith(b"\r\n\r\nhello")


HEADS = {
    "a length and a coding": (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
    "a coding and a length": (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
    "two lengths": (b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
    "two different lengths": (b"Content-Length: 5\r\nContent-Length: 0\r\n", 400),
    "a list of lengths": (b"Content-Length: 5, 5\r\n", 400),
    "a signed length": (b"Content-Length: +5\r\n", 400),
    "a hexadecimal length": (b"Content-Length: 0x5\r\n", 400),
    "a length past all numbers": (b"Content-Length: 99999999999999999999\r\n", 400),
    "a length past the limit": (b"Content-Length: 999999999999999\r\n", 413),
    "an unknown coding": (b"Transfer-Encoding: gzip\r\n", 501),
    "a coding before chunked": (b"Transfer-Encoding: gzip, chunked\r\n", 501),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
    "chunked in disguise": (b"Transfer-Encoding: \x0bchunked\r\n", 400),
    "a folded line": (b"X: a\r\n b\r\n", 400),
    "a space before the colon": (b"X : a\r\n", 400),
    "a bare line feed": (b"X: a\nY: b\r\n", 400),
    "a bare carriage return": (b"X: a\rY: b\r\n", 400),
    "a zero byte": (b"X: a\x00b\r\n", 400),
    "a name that is no token": (b"X(y): a\r\n", 400),
    "two hosts": (b"Host: g\r\n", 400),
    "more fields than allowed": (b"X: a\r\n" * 201, 431),
    "a head past the limit": (b"X: " + b"a" * 70_000 + b"\r\n", 431),
}


@pytest.mark.parametrize("name", list(HEADS))
def test_a_head_that_could_be_read_in_two_ways_ends_the_connection(impatient: Node, name: str):
    fields, status = HEADS[name]
    with impatient.connect() as sock:
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        said = exchange(sock, GET + b"PUT / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n" + smuggled)
    assert statuses(said) == [200, status]
    ask(impatient)


GARBAGE = {
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 500, 400),
    "lines without CR": (b"GET / HTTP/1.1\nHost: h\n\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "a tunnel": (b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501),
    "an unknown method": (b"STEAL / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    "noise": (bytes(range(256)) * 30, 400),
    "letters without a space": (b"A" * 1000, 400),
    "a target without end": (b"GET /" + b"A" * 100_000, 431),
    "a chunk too long": (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
    "a chunk of no size": (b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", list(GARBAGE))
def test_garbage_is_refused_at_once(impatient: Node, name: str):
    data, status = GARBAGE[name]
    with impatient.connect() as sock:
        assert statuses(exchange(sock, data)) == [status]
    ask(impatient)


def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for(impatient: Node):
    with impatient.connect() as sock:
        sock.sendall(GET[:-2] + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n" + GET)
        sock.shutdown(socket.SHUT_WR)
        assert statuses(exchange(sock, b"")) == [200, 200]


def test_a_thousand_pipelined_requests_are_answered_in_order(impatient: Node):
    with impatient.connect() as sock:
        sock.sendall(b"".join(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(1000)))
        sock.shutdown(socket.SHUT_WR)
        said = exchange(sock, b"")
    places = [said.find(b'"/%d"' % n) for n in range(1000)]
    assert min(places) > 0
    assert places == sorted(places)


async def _drip(port: int, start: bytes, drop: bytes, pace_seconds: float) -> tuple[float, bytes]:
    """Sends a drop at each pace until answered or cut off. Answers how long that took, and the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    begin = time.monotonic()
    writer.write(start)
    answer = asyncio.get_running_loop().create_task(reader.read(65536))
    while not answer.done() and time.monotonic() - begin < 15:
        writer.write(drop)
        await asyncio.wait([answer], timeout=pace_seconds)
    took = time.monotonic() - begin
    writer.close()
    return took, b"" if answer.cancelled() or answer.exception() else answer.result()


def test_hundreds_of_dripping_heads_are_cut_off_and_slow_nobody(impatient: Node):
    async def attack() -> list[tuple[float, bytes]]:
        drips = [_drip(impatient.port, b"GET / HTTP/1.1\r\nHost: h\r\nX: ", b"x", 0.1) for _ in range(300)]
        attackers = asyncio.gather(*drips)
        await asyncio.sleep(0.2)
        begin = time.monotonic()
        await asyncio.to_thread(ask, impatient)
        assert time.monotonic() - begin < 2
        return await attackers

    for took, answer in asyncio.run(attack()):
        assert took < 5
        assert statuses(answer) == [408]


@pytest.mark.parametrize(
    ("fields", "status"),
    [(b"Content-Length: 1000", 408), (b"Content-Length: 10000000", 400), (b"Transfer-Encoding: chunked", 408)],
)
def test_a_body_that_stops_coming_is_given_up(impatient: Node, fields: bytes, status: int):
    with impatient.connect() as sock:
        begin = time.monotonic()
        said = exchange(sock, b"PUT /digest HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n\r\n" + b"5\r\nhello\r\n")
        assert time.monotonic() - begin < 5
    assert statuses(said) == [status]


def test_more_stalled_uploads_than_threads_leave_room_for_others():
    with node(body_threads=4, stall_seconds=20.0) as running:
        stalled = [running.connect() for _ in range(64)]
        for sock in stalled:
            sock.sendall(b"PUT /digest HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\nstart")
        begin = time.monotonic()
        with running.connect() as sock:
            sock.sendall(b"PUT /digest HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 9000000\r\n\r\n")
            assert b"9000000 " in exchange(sock, bytes(9_000_000))
        # Sixteen rounds of threads that each give up on their client after a tenth of a second.
        assert time.monotonic() - begin < 8
        for sock in stalled:
            sock.close()


def test_readers_that_do_not_read_are_cut_off(impatient: Node):
    readers = []
    for _ in range(64):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", impatient.port))
        sock.sendall(b"GET /blob HTTP/1.1\r\nHost: h\r\n\r\n" * 3)
        readers.append(sock)
    time.sleep(0.1)
    ask(impatient)
    (worker,) = impatient.workers()
    end = time.monotonic() + 10
    while descriptors(worker) > 40 and time.monotonic() < end:
        time.sleep(0.05)
    assert descriptors(worker) <= 40
    for sock in readers:
        sock.close()


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


HOLD_CONNECTIONS = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
port, count = int(sys.argv[1]), int(sys.argv[2])
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
for sock in held:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
for sock in held:
    assert sock.recv(4096).endswith(b"hello")
print("held", flush=True)
sys.stdin.read()
for sock in held:
    sock.sendall(b"GET / HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n")
for sock in held:
    assert sock.recv(4096).endswith(b"hello")
print("answered", flush=True)
"""


def test_ten_thousand_idle_connections_are_held_cheaply_and_still_answered():
    with node(idle_seconds=120.0) as running:
        (worker,) = running.workers()
        ask(running)
        before_kib = resident_kib(worker)
        # In a process of its own: one process may not open as many files as both sides need.
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD_CONNECTIONS, str(running.port), str(IDLE_CONNECTIONS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            held_kib = resident_kib(worker) - before_kib
            begin = time.monotonic()
            ask(running)
            assert time.monotonic() - begin < 1
            sys.stdout.write(f"{held_kib / IDLE_CONNECTIONS:.2f} KiB per idle connection\n")
            assert held_kib / IDLE_CONNECTIONS < IDLE_CONNECTION_KIB_MAX
            assert holder.communicate(timeout=60)[0] == "answered\n"
        finally:
            holder.kill()
            holder.wait()
