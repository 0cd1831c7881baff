"""`atoll up`: one node, from its lock on the data directory to its clean end.

This process stays small: it imports no service, so that each worker it forks reads the code as it is on the disk at that moment.
"""

import argparse
import fcntl
import ipaddress
import os
import sys
import time
from pathlib import Path
from socket import socket
from typing import Any

from atoll import __version__
from atoll.base import log
from atoll.base.settings import Settings, read_facts, write_facts
from atoll.cli.env import endpoint, lines
from atoll.gateway import workers


def run(chosen: argparse.Namespace) -> int:
    started = time.monotonic()
    log.configure(chosen.log_level)
    settings = Settings(
        data=chosen.data.absolute(),
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        dev=chosen.dev,
        region=chosen.region,
        domains=("localhost", *chosen.domain),
    )
    if settings.dev and not _is_loopback(settings.host):
        return _refuse("--dev lets anyone in: it binds to loopback only")
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = _lock(settings.lock_file)
    if lock is None:
        return _refuse(f"another node is running on {settings.data}")
    try:
        sockets = workers.listen(settings.host, settings.port, settings.workers)
    except OSError as error:
        return _refuse(f"{settings.host}:{settings.port}: {error.strerror}")
    port = sockets[0].getsockname()[1]
    root = _root(settings)
    if root is None:
        return _refuse(f"the root account could not be made in {settings.data}")
    write_facts(settings.run_file, _facts(settings, port))
    try:
        return workers.run_workers(sockets, _worker(settings), lambda: _announce(settings, root, port, started))
    finally:
        settings.run_file.unlink(missing_ok=True)
        os.close(lock)


def _worker(settings: Settings) -> workers.WorkerMain:
    async def serve(sock: socket, control: workers.WorkerControl) -> None:
        from atoll import node

        await node.serve(settings, sock, control)

    return serve


def _refuse(reason: str) -> int:
    print(f"atoll: {reason}", file=sys.stderr)
    return 1


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _lock(path: Path) -> int | None:
    """The descriptor of the locked file: held for as long as it is open; the kernel frees it when the process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # lockf, not flock: a POSIX lock is the parent's alone. Its forks don't inherit it, so orphaned ones can't hold it.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _root(settings: Settings) -> dict[str, Any] | None:
    """The root account's keys. The first start makes them in a process of its own: SQLite and its threads don't survive a fork."""
    found = read_facts(settings.root_file)
    if found is not None:
        return found
    child = os.fork()
    if child == 0:
        _make_root(settings)
    os.waitpid(child, 0)
    return read_facts(settings.root_file)


def _make_root(settings: Settings) -> None:
    status = 1
    try:
        import asyncio

        from atoll import node

        asyncio.run(node.prepare(settings))
        status = 0
    finally:
        if status:
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        os._exit(status)


def _facts(settings: Settings, port: int) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": port,
        "pid": os.getpid(),
        "workers": settings.workers,
        "region": settings.region,
        "dev": settings.dev,
        "version": __version__,
        "started": time.time(),  # noqa: TID251 - for people to read, nothing is decided by it.
    }


def _announce(settings: Settings, root: dict[str, Any], port: int, started: float) -> None:
    seconds = time.monotonic() - started
    where = endpoint(settings.host, port)
    print(f"Atoll {__version__} is up at {where} after {seconds:.2f} s. Its data is in {settings.data}.")
    print("Paste this into the shell that will use it:\n")
    print("\n".join(lines(root, settings.host, port, settings.region)), flush=True)
    if settings.dev:
        print(
            "\n!!! --dev: ANY key pair is accepted, and nothing is checked. For tests on this machine only. !!!",
            flush=True,
        )
