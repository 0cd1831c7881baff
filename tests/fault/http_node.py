"""A node that serves nothing but the HTTP core: `python http_node.py WORKERS [LIMIT=VALUE ...]` prints its port and what it does.

/        "hello"                      /slow    "slow", after 50 ms           /pid     the worker's process id
/digest  the body's length and MD5    /blob    BLOB_BYTES bytes              /die     ends the worker's process
other    the request, as JSON
"""

import asyncio
import hashlib
import json
import os
import signal
import socket
import sys
from dataclasses import replace
from typing import Any

from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply
from atoll.gateway.http import HttpRequest, Limits, StopTimes, serve
from atoll.gateway.workers import WorkerControl, listen, run_workers
from atoll.operation import BlobBody, Segment

BLOB_BYTES = 3 * 1024 * 1024


class Digest:
    def __init__(self) -> None:
        self.md5 = hashlib.md5()
        self.count = 0

    def write(self, data: memoryview) -> None:
        self.md5.update(data)
        self.count += len(data)


class OneBlob:
    def open(self, blob_id: str) -> int:
        descriptor = os.memfd_create(blob_id)
        os.truncate(descriptor, BLOB_BYTES)
        return descriptor

    def new(self) -> Any:
        raise NotImplementedError

    def hold(self) -> Any:
        raise NotImplementedError


async def digest(http: HttpRequest) -> WireReply:
    sink = Digest()
    try:
        await http.body.drain(sink)
    except AwsError as error:
        return WireReply(error.status or 400, body=error.code.encode())
    return WireReply(200, body=f"{sink.count} {sink.md5.hexdigest()}".encode())


async def handle(http: HttpRequest) -> WireReply:
    match http.path:
        case "/":
            return WireReply(200, body=b"hello")
        case "/slow":
            await asyncio.sleep(0.05)
            return WireReply(200, body=b"slow")
        case "/pid":
            return WireReply(200, body=str(os.getpid()).encode())
        case "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "/digest":
            return await digest(http)
        case "/blob":
            return WireReply(200, body=BlobBody(OneBlob(), [Segment("blob", 0, BLOB_BYTES)]))
    sink = Digest()
    try:
        await http.body.drain(sink)
    except AwsError as error:
        return WireReply(error.status or 400, body=error.code.encode())
    said = [http.method, http.path, http.query, http.headers.items, sink.count, sink.md5.hexdigest()]
    return WireReply(200, body=json.dumps(said).encode())


def main() -> int:
    given = dict(argument.split("=") for argument in sys.argv[2:])
    idle_seconds = float(given.pop("drain_idle_seconds", 0.5))
    changed: dict[str, Any] = {name: type(getattr(Limits(), name))(value) for name, value in given.items()}
    limits = replace(Limits(), **changed)
    sockets = listen("127.0.0.1", 0, int(sys.argv[1]))

    async def worker(sock: socket.socket, control: WorkerControl) -> None:
        times = StopTimes(idle_seconds=idle_seconds, finish_seconds=3.0)
        await serve(sock, handle, control, limits=limits, times=times, ready=control.ready)

    port = sockets[0].getsockname()[1]

    def announce() -> None:
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()

    return run_workers(sockets, worker, announce)


if __name__ == "__main__":
    sys.exit(main())
