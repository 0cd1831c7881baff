"""One object as large as S3 takes at once, in and out, while the server's memory is watched."""

import hashlib
import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from load import do_all
from peers import Endpoint
from sigv4 import Signer

BUCKET = "huge"
_BLOCK_BYTES = 8 << 20
_SAMPLE_SECONDS = 0.1


def move_huge(endpoint: Endpoint, size: int) -> list[dict[str, Any]]:
    signer = Signer(f"{endpoint.host}:{endpoint.port}", endpoint.access_key, endpoint.secret_key)
    do_all(endpoint.address, [(signer.head("PUT", f"/{BUCKET}", more="content-length: 0\r\n"), b"")])
    block = os.urandom(_BLOCK_BYTES)
    digest = hashlib.sha256()
    for piece in _pieces(block, size):
        digest.update(piece)
    rows = [_watched(endpoint, "put", size, lambda: _put(endpoint, signer, block, size, digest.hexdigest()))]
    rows.append(_watched(endpoint, "get", size, lambda: _get(endpoint, signer, size, digest.hexdigest())))
    do_all(endpoint.address, [(signer.head("DELETE", f"/{BUCKET}/object"), b"")])
    return rows


def _pieces(block: bytes, size: int) -> Iterator[memoryview]:
    view = memoryview(block)
    for start in range(0, size, len(block)):
        yield view[: min(len(block), size - start)]


@contextmanager
def _memory_watched(endpoint: Endpoint) -> Iterator[None]:
    stop = threading.Event()
    group = endpoint.group
    if group is not None:
        group.rss_max_bytes = 0

    def watch() -> None:
        while group is not None and not stop.wait(_SAMPLE_SECONDS):
            group.sample_memory()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def _watched(endpoint: Endpoint, name: str, size: int, action: Any) -> dict[str, Any]:
    group = endpoint.group
    before_bytes = group.sample_memory() if group is not None else 0
    cpu_before = group.cpu_seconds() if group is not None else 0.0
    started = time.perf_counter()
    with _memory_watched(endpoint):
        action()
    seconds = time.perf_counter() - started
    cpu = (group.cpu_seconds() if group is not None else 0.0) - cpu_before
    row = {
        "server": endpoint.name,
        "workload": f"{name}_huge",
        "bytes": size,
        "seconds": seconds,
        "mb_per_second": size / 1e6 / seconds,
        "server_cpu_seconds": cpu,
        "server_rss_before_mb": before_bytes / 1e6,
        "server_rss_max_mb": group.rss_max_bytes / 1e6 if group is not None else None,
    }
    print(
        f"{endpoint.name}: {name} of {size / 2**30:.2f} GiB in {seconds:.1f} s, {row['mb_per_second']:.0f} MB/s, {cpu:.1f} CPU s, "
        f"memory {row['server_rss_before_mb']:.0f} -> at most {row['server_rss_max_mb'] or float('nan'):.0f} MB",
        flush=True,
    )
    return row


def _put(endpoint: Endpoint, signer: Signer, block: bytes, size: int, digest: str) -> None:
    head = signer.head("PUT", f"/{BUCKET}/object", "", digest, f"content-length: {size}\r\n")
    connection = http.client.HTTPConnection(*endpoint.address, timeout=600)
    connection.connect()
    connection.sock.sendall(head)
    for piece in _pieces(block, size):
        connection.sock.sendall(piece)
    answer = http.client.HTTPResponse(connection.sock, method="PUT")
    answer.begin()
    body = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{endpoint.name} refused the huge object: {answer.status} {body[:500]!r}")


def _get(endpoint: Endpoint, signer: Signer, size: int, digest: str) -> None:
    connection = http.client.HTTPConnection(*endpoint.address, timeout=600)
    connection.connect()
    connection.sock.sendall(signer.head("GET", f"/{BUCKET}/object"))
    answer = http.client.HTTPResponse(connection.sock, method="GET")
    answer.begin()
    buffer = bytearray(_BLOCK_BYTES)
    hasher, received = hashlib.sha256(), 0
    while count := answer.readinto(buffer):
        hasher.update(memoryview(buffer)[:count])
        received += count
    connection.close()
    if (answer.status, received, hasher.hexdigest()) != (200, size, digest):
        raise SystemExit(f"{endpoint.name} gave back something else: {answer.status}, {received} bytes")
