"""Starts tests/fault/http_node.py and speaks raw bytes to it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "src"
ANSWER_SECONDS = 20.0


@dataclass
class Node:
    process: subprocess.Popen[str]
    port: int

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS)

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def node(workers: int = 1, *, must_end: bool = False, **limits: float) -> Iterator[Node]:
    """A node of its own. Unless the test itself must end it, it is still alive at the end, and then stops as asked."""
    arguments = [str(workers), *(f"{name}={value}" for name, value in limits.items())]
    process = subprocess.Popen(
        [sys.executable, str(HERE / "http_node.py"), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "it did not start"
        yield Node(process, int(line))
        if must_end:
            assert process.poll() is not None
            return
        assert process.poll() is None, f"it ended by itself, with {process.returncode}"
        process.terminate()
        assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def exchange(sock: socket.socket, data: bytes) -> bytes:
    """Everything the server says until it closes."""
    said = b""
    try:
        if data:
            sock.sendall(data)
        while piece := sock.recv(65536):
            said += piece
    except ConnectionError:
        pass
    return said


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) [^\r]*\r\n", said)]
