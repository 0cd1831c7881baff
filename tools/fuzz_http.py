"""Throws mutated requests at the HTTP core, cut at random points, and compares its answers with an oracle's.

    python tools/fuzz_http.py [--seconds 60] [--seed N] [--case N]

The oracle is a second reading of RFC 9112, written apart from the server: slow, and on whole inputs. For each connection it says which
requests there are, with their bodies, and whether a refusal follows. The server must say the same: the same requests in the same order,
nothing twice, nothing after a refusal. It must also stay alive, stay small, and log no bug. A failure prints the seed and
the case, and `--seed N --case M` runs that one alone.
"""

import argparse
import hashlib
import json
import os
import random
import re
import select
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.fault.http_core import Node, node  # noqa: E402

METHODS = (b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS", b"PATCH")
TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
TEXT = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
CASES_PER_BATCH = 16
ANSWER_SECONDS = 20.0
RESIDENT_GROWTH_KIB_MAX = 64 * 1024


# --- The oracle.


@dataclass
class Said:
    """What the server ought to answer on one connection."""

    requests: list[list] = field(default_factory=list)  # [method, path, query, headers, body bytes, body MD5]
    refused: bool = False


class Bad(Exception):
    pass


class More(Exception):
    """The input ends inside a request."""


def oracle(data: bytes) -> Said:
    said = Said()
    try:
        while data:
            data, keep = _request(data, said)
            if not keep:
                break
    except (Bad, More):
        said.refused = True  # The client shuts its side after the last byte: a part of a request is refused, too.
    return said


def _request(data: bytes, said: Said) -> tuple[bytes, bool]:
    while data.startswith(b"\r\n"):
        data = data[2:]
    if data in (b"", b"\r"):
        if data:
            raise More
        return b"", True
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise More
    line, *lines = head.split(b"\r\n")
    method, target, http_1_1 = _line(line)
    fields = [_field(each) for each in lines]
    named = {}
    for name, value in fields:
        named.setdefault(name.lower(), []).append(value)
    body, rest = _body(named, rest, http_1_1=http_1_1)
    if len(fields) > 200 or len(head) > 65536:
        raise Bad
    hosts = named.get("host", [])
    if len(hosts) > 1 or (http_1_1 and not hosts):
        raise Bad
    if any(value.lower() != "100-continue" for value in named.get("expect", [])):
        raise Bad
    path, query, authority = _target(method, target)
    if authority is not None:
        fields = [[name, authority if name.lower() == "host" else value] for name, value in fields]
    said.requests.append([method, path, query, fields, len(body), hashlib.md5(body).hexdigest()])
    connection = [each.strip().lower() for each in ",".join(named.get("connection", [])).split(",")]
    return rest, "close" not in connection if http_1_1 else "keep-alive" in connection


def _line(line: bytes) -> tuple[str, str, bool]:
    words = line.split(b" ")
    if len(words) != 3 or words[0] not in METHODS or words[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise Bad
    if not re.fullmatch(rb"[\x21-\x7e]+", words[1]):
        raise Bad
    return words[0].decode(), words[1].decode(), words[2] == b"HTTP/1.1"


def _field(line: bytes) -> list[str]:
    name, colon, value = line.partition(b":")
    if not colon or not TOKEN.fullmatch(name) or not TEXT.fullmatch(value):
        raise Bad
    if name.lower() == b"transfer-encoding" and value.endswith(b"\t"):
        raise Bad  # Allowed, but llhttp does not take it, which harms nobody.
    return [name.decode(), value.decode("latin-1").strip(" \t")]


def _target(method: str, target: str) -> tuple[str, str, str | None]:
    authority = None
    if not target.startswith("/") and not (target == "*" and method == "OPTIONS"):
        absolute = re.fullmatch(r"(?i:https?)://([A-Za-z0-9\-._~%!$&'()*+,;=:\[\]]+)([/?#].*)?", target)
        if not absolute:
            raise Bad
        authority, target = absolute[1], absolute[2] or "/"
        target = target if target.startswith("/") else "/" + target
    path, _, query = target.partition("?")
    return path, query, authority


def _body(named: dict, rest: bytes, *, http_1_1: bool) -> tuple[bytes, bytes]:
    lengths, codings = named.get("content-length", []), named.get("transfer-encoding", [])
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != "chunked" or not http_1_1:
            raise Bad
        return _chunks(rest)
    if not lengths:
        return b"", rest
    if len(lengths) > 1 or not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
        raise Bad
    count = int(lengths[0])
    if len(rest) < count:
        raise More
    return rest[:count], rest[count:]


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            raise More
        size = re.fullmatch(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[\t\x20-\x7e\x80-\xff]*)?", line)
        if not size:
            raise Bad
        count = int(size[1], 16)
        if count == 0:
            break
        if len(data) < count + 2:
            raise More
        if data[count : count + 2] != b"\r\n":
            raise Bad
        body, data = body + data[:count], data[count + 2 :]
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            raise More
        if not line:
            return body, data
        _field(line)


# --- Inputs.


def _new_request(chance: random.Random) -> bytes:
    method = chance.choice(METHODS)
    target = chance.choice(
        (b"/", b"/a%20b//c?x=1?y", b"/x", b"http://other/p?q", b"/%2e%2e/", b"/k?")
    ) + b"%d" % chance.randrange(100)
    version = b"HTTP/1.0" if chance.random() < 0.08 else b"HTTP/1.1"
    fields = [b"Host: h"]
    for _ in range(chance.randrange(4)):
        name = chance.choice((b"X-Amz-Date", b"x-amz-META-k", b"Accept", b"Authorization", b"User-Agent"))
        fields.append(
            name + b":" + chance.choice((b" ", b"", b"\t ")) + chance.choice((b"v", b"a, b", b"", b"\xe9\xff", b'"q"'))
        )
    if chance.random() < 0.1:
        fields.append(
            chance.choice((b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade\r\nUpgrade: h2c"))
        )
    body = b""
    kind = chance.random()
    if kind < 0.35:
        body = chance.randbytes(chance.choice((0, 1, 3, 100, 5000)))
        fields.append(b"Content-Length: %d" % len(body))
    elif kind < 0.6:
        for _ in range(chance.randrange(4)):
            piece = chance.randbytes(chance.choice((1, 2, 20, 3000)))
            body += b"%x%b\r\n%b\r\n" % (len(piece), chance.choice((b"", b"", b";a=b", b" ")), piece)
        body += b"0\r\n" + chance.choice((b"", b"T: v\r\n")) + b"\r\n"
        fields.append(b"Transfer-Encoding: " + chance.choice((b"chunked", b"Chunked")))
    chance.shuffle(fields)
    return b" ".join((method, target, version)) + b"\r\n" + b"".join(each + b"\r\n" for each in fields) + b"\r\n" + body


SPLICES = (
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b" ", b"\t", b"\x00", b"\x0b", b":", b";", b",", b"\xff", b"0", b"-1", b"+", b"g",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Host: g\r\n", b"Host : g\r\n", b" folded\r\n", b"Expect: 200-ok\r\n", b"0\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0", b"GET / ",
    b"HTTP/2.0", b"GET / HTTP/1.1\r\nHost: s\r\n\r\n", b"FFFFFFFFFFFFFFFFF", b"X: " + b"y" * 300 + b"\r\n",
)  # fmt: skip


def _mutated(chance: random.Random, data: bytes) -> bytes:
    at = chance.randrange(len(data) + 1)
    if chance.random() < 0.5:
        # Lines are where framing is decided.
        ends = [match.end() for match in re.finditer(rb"\r\n", data)]
        at = chance.choice(ends) if ends else at
    match chance.randrange(6):
        case 0:
            return data[:at] + chance.choice(SPLICES) + data[at:]
        case 1:
            return data[:at] + data[at + chance.choice((1, 1, 1, 2, 5)) :]
        case 2:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 3:
            end = min(len(data), at + chance.randrange(1, 60))
            return data[:end] + data[at:end] + data[end:]
        case 4:
            return data[:at] if chance.random() < 0.5 else data
        case _:
            return (
                data[:at].swapcase() + data[at:]
                if chance.random() < 0.2
                else data[:at] + chance.choice(SPLICES) + data[at:]
            )


def new_case(seed: int, number: int) -> tuple[bytes, list[int]]:
    """The bytes of one connection, and where they are cut."""
    chance = random.Random(f"{seed}/{number}")
    data = b"".join(_new_request(chance) for _ in range(chance.choice((1, 1, 2, 3, 8))))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 4))):
        data = _mutated(chance, data)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 1, 2, 6))))
    if chance.random() < 0.02:
        cuts = list(range(min(len(data), 300)))
    return data, cuts


# --- The comparison.


def answers(said: bytes, requests: list[list]) -> tuple[list, list[int]]:
    """The echoes the server sent, and the statuses of its refusals."""
    echoes: list = []
    refusals: list[int] = []
    while said:
        head, end, said = said.partition(b"\r\n\r\n")
        assert end, f"an answer without an end: {head[:100]!r}"
        assert not refusals, "an answer after a refusal"
        status = int(head[9:12])
        assert head.startswith(b"HTTP/1.1 "), head[:100]
        if status == 100:
            continue
        length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1])
        if status != 200:
            said = said[length:]  # Of a handler, whose drain has failed. The core's own refusals have none.
            refusals.append(status)
        elif len(echoes) < len(requests) and requests[len(echoes)][0] == "HEAD":
            echoes.append("HEAD")
        else:
            assert len(said) >= length, "an answer cut short"
            body, said = said[:length], said[length:]
            echoes.append("hello" if body == b"hello" else json.loads(body))
    return echoes, refusals


def compare(data: bytes, said: bytes) -> None:
    expected = oracle(data)
    echoes, refusals = answers(said, expected.requests)
    wanted = ["HEAD" if each[0] == "HEAD" else "hello" if each[1] == "/" else each for each in expected.requests]
    assert echoes == wanted, f"requests\n  server {echoes}\n  oracle {wanted}"
    assert bool(refusals) == expected.refused, f"refusals: server {refusals}, oracle {expected.refused}"
    assert not refusals or 400 <= refusals[0] < 600
    assert 500 not in refusals, "our bug"


def exchange_all(port: int, cases: list[tuple[bytes, list[int]]]) -> list[bytes]:
    """Many connections at once: pieces are sent in turns, so that a cut is mostly a read of its own at the server."""
    socks = [socket.create_connection(("127.0.0.1", port)) for _ in cases]
    pieces = [[data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)] for data, cuts in cases]
    for sock in socks:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while any(pieces):
        for sock, left in zip(socks, pieces, strict=True):
            if left:
                _send_next(sock, left)
    said = dict.fromkeys(socks, b"")
    waiting = set(socks)
    end = time.monotonic() + ANSWER_SECONDS
    while waiting:
        if time.monotonic() > end:
            raise TimeoutError(min(map(socks.index, waiting)))
        for sock in select.select(list(waiting), [], [], 1)[0]:
            piece = b""
            with suppress(ConnectionError):
                piece = sock.recv(1 << 16)
            said[sock] += piece
            if not piece:
                waiting.discard(sock)
                sock.close()
    return [said[sock] for sock in socks]


def _send_next(sock: socket.socket, left: list[bytes]) -> None:
    try:
        sock.sendall(left.pop(0))
        if not left:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        left.clear()  # It was refused, and its connection closed, before all was sent.


def resident_kib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


def run_batch(running: Node, seed: int, numbers: range) -> None:
    cases = [new_case(seed, number) for number in numbers]
    try:
        said = exchange_all(running.port, cases)
    except TimeoutError as error:
        print(f"seed {seed} case {numbers.start + error.args[0]}: the answer does not end")
        raise SystemExit(1) from None
    for number, (data, cuts), answer in zip(numbers, cases, said, strict=True):
        try:
            compare(data, answer)
        except (AssertionError, ValueError) as error:
            print(
                f"seed {seed} case {number}: {error}\n  sent {data[:800]!r}\n  cut at {cuts[:20]}\n  got {answer[:1500]!r}"
            )
            raise SystemExit(1) from None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--case", type=int, default=None)
    given = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if given.seed is None else given.seed
    # One gathers every body before it starts the handler; the other streams nearly all of them into it.
    with node(1) as gathering, node(1, small_body_bytes=64, queued_body_bytes=2048) as streaming:
        nodes = (gathering, streaming)
        workers = [running.workers() for running in nodes]
        before_kib = [resident_kib(worker) for (worker,) in workers]
        numbers = range(CASES_PER_BATCH) if given.case is None else range(given.case, given.case + 1)
        end = time.monotonic() + given.seconds
        while True:
            for running in nodes:
                run_batch(running, seed, numbers)
            assert [running.workers() for running in nodes] == workers, f"seed {seed}, {numbers}: a worker has died"
            if given.case is not None or time.monotonic() > end:
                break
            numbers = range(numbers.stop, numbers.stop + CASES_PER_BATCH)
        for before, (worker,) in zip(before_kib, workers, strict=True):
            assert resident_kib(worker) - before < RESIDENT_GROWTH_KIB_MAX, f"seed {seed}: a worker has grown"
    print(f"seed {seed}: {2 * numbers.stop} connections, every answer as the oracle has it")


if __name__ == "__main__":
    main()
