"""TLS by the standard library: the same requests and bodies, without the descriptors that plain connections lend to threads."""

import asyncio
import hashlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from tests.fault.http_node import BLOB_BYTES, handle

from atoll.aws.wire import WireReply
from atoll.gateway.http import HttpRequest, StopTimes, serve

UPLOAD = os.urandom(1024 * 1024) * 5


async def tell_secure(http: HttpRequest) -> WireReply:
    if http.path == "/secure":
        return WireReply(200, body=str(http.secure).encode())
    return await handle(http)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def port(certificate: tuple[Path, Path]) -> Iterator[int]:
    """A server on a loop in a thread of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    sock = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    made: dict[str, Any] = {}

    async def main() -> None:
        stopping = made["stopping"] = SimpleNamespace(draining=asyncio.Event(), hurried=asyncio.Event())
        made["loop"] = asyncio.get_running_loop()
        await serve(sock, tell_secure, stopping, tls=context, times=StopTimes(finish_seconds=1.0), ready=ready.set)

    def stop() -> None:
        made["stopping"].draining.set()
        made["stopping"].hurried.set()

    thread = threading.Thread(target=lambda: uvloop.run(main()))
    thread.start()
    assert ready.wait(10)
    yield sock.getsockname()[1]
    made["loop"].call_soon_threadsafe(stop)
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def connection(port: int, certificate: tuple[Path, Path]) -> Iterator[HTTPSConnection]:
    connection = HTTPSConnection(
        "localhost", port, context=ssl.create_default_context(cafile=certificate[0]), timeout=20
    )
    yield connection
    connection.close()


def ask(connection: HTTPSConnection, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, bytes]:
    connection.request(method, path, body, **options)
    reply = connection.getresponse()
    return reply.status, reply.read()


def test_requests_and_bodies_of_all_sizes_on_one_connection(connection: HTTPSConnection):
    digest = f"{len(UPLOAD)} {hashlib.md5(UPLOAD).hexdigest()}".encode()
    assert ask(connection, "GET", "/secure") == (200, b"True")
    sock = connection.sock
    assert ask(connection, "PUT", "/digest", UPLOAD) == (200, digest)
    pieces = iter([UPLOAD[:100_000], UPLOAD[100_000:]])
    assert ask(connection, "PUT", "/digest", pieces, encode_chunked=True) == (200, digest)
    assert ask(connection, "GET", "/blob") == (200, bytes(BLOB_BYTES))
    assert ask(connection, "GET", "/slow") == (200, b"slow")
    assert connection.sock is sock


def test_what_is_no_tls_or_no_http_ends_its_connection_only(port: int, connection: HTTPSConnection):
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"hello" not in plain.recv(4096)
    connection.connect()
    assert connection.sock is not None
    connection.sock.sendall(b"GET / HTTP/1.1\nHost: h\n\n")
    assert connection.sock.recv(4096).startswith(b"HTTP/1.1 400 ")
    connection.close()
    assert ask(connection, "GET", "/") == (200, b"hello")
