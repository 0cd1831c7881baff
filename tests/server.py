"""A real server in processes of its own, for tests at the border: stopped as an operator stops it, or killed as a power cut does."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 20.0
SOURCE = Path(__file__).resolve().parent.parent / "src"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def process_tree(root: int) -> list[int]:
    """`root` and everything below it, as far as it is still alive."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            # The command name may hold spaces and brackets; the parent's id is the second field after its last ")".
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    return list(_below(root, children)) if Path(f"/proc/{root}").exists() else []


def _below(pid: int, children: Mapping[int, Sequence[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _below(child, children)


class Server:
    """`atoll up` on a data directory. The same directory and port serve again after `restart`, `kill` and `start`."""

    def __init__(
        self,
        data: Path,
        log: Path,
        *,
        workers: int = 1,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.log = log
        self.port = free_port()
        self.workers = workers
        self.exports: dict[str, str] = {}
        self._env = dict(env or {})
        self._prefix = list(prefix)  # A command to run the server under (unshare, prlimit...).
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def processes(self) -> list[int]:
        """The parent first, then its workers."""
        return process_tree(self._process.pid) if self._process is not None else []

    def start(self) -> None:
        command = [sys.executable, "-m", "atoll", "up", "--data", str(self.data), "--port", str(self.port)]
        command += ["--workers", str(self.workers)]
        start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment(),
                start_new_session=True,
            )
        self._await_ready(start)

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return {**inherited, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1", **self._env}

    def _await_ready(self, log_start: int) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            self.exports = dict(_exports(self.log.read_bytes()[log_start:].decode(errors="replace")))
            if "AWS_SECRET_ACCESS_KEY" in self.exports and answers(self.endpoint):
                return
            time.sleep(0.02)
        tail = self.tail()
        self.kill()
        raise AssertionError(f"the server did not come up; its log ends:\n{tail}")

    def stop(self) -> None:
        """As an operator stops it: a request to end, then waiting. A server that must be killed is a failure."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            tail = self.tail()
            self.kill()
            raise AssertionError(
                f"the server did not stop within {STOP_SECONDS_MAX:.0f} s of SIGTERM; its log ends:\n{tail}"
            ) from None
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        """Asks for new workers; the parent lives on."""
        os.kill(self.pid, signal.SIGHUP)

    def kill(self) -> None:
        """kill -9 of every process at once, as a power cut does."""
        if self._process is None:
            return
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):  # What was forked between the listing and the kill.
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None

    def kill_parent(self) -> None:
        """kill -9 of the parent alone: its workers must notice, and go."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """`atoll ...` on this server's data, beside the running server."""
        command = [sys.executable, "-m", "atoll", *arguments, "--data", str(self.data)]
        return subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def _exports(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("export ") and "=" in line:
            name, _, value = line.removeprefix("export ").partition("=")
            yield name.strip(), "".join(shlex.split(value, comments=True))


def answers(endpoint: str) -> bool:
    """Whether anything at all speaks HTTP there; an error is an answer too."""
    try:
        with urllib.request.urlopen(endpoint, timeout=2):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
