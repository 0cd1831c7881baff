"""The servers compared: how each is found, started on a fresh directory, and addressed. None is installed by us."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from processes import Group, listeners

START_SECONDS_MAX = 60.0
KEYS = ("benchaccess", "benchsecretkey")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Endpoint:
    """A server that answers, and whose processes may be watched."""

    name: str
    version: str
    host: str
    port: int
    access_key: str
    secret_key: str
    group: Group | None
    durable: str  # What an acknowledged PUT survives, as far as its makers say.
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def stop(self) -> None:
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def at_url(text: str) -> Endpoint:
    """[NAME=]http://HOST:PORT, with the keys of the environment."""
    name, _, url = text.rpartition("=http://") if "=http://" in text else (text, "", text.removeprefix("http://"))
    host, _, port = url.rstrip("/").partition(":")
    roots = listeners(int(port or 80))
    return Endpoint(
        name,
        "",
        host,
        int(port or 80),
        os.environ.get("AWS_ACCESS_KEY_ID", KEYS[0]),
        os.environ.get("AWS_SECRET_ACCESS_KEY", KEYS[1]),
        Group(roots) if roots else None,
        "not known",
    )


def start_atoll(data: Path, workers: int, log: Path) -> Endpoint:
    port = free_port()
    command = [sys.executable, "-m", "atoll", "up", "--data", str(data), "--port", str(port), "--workers", str(workers)]
    source = Path(__file__).resolve().parent.parent / "src"
    process = _start(command, log, {"PYTHONPATH": str(source), "PYTHONUNBUFFERED": "1"})
    _await_answer(process, port, log)
    exports = dict(re.findall(r"^export (\w+)=(.*)$", log.read_text(), re.MULTILINE))
    keys = [shlex.split(exports[name])[0] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    name = "atoll" if workers == 1 else f"atoll, {workers} workers"
    return Endpoint(
        name, _package("atoll"), "127.0.0.1", port, keys[0], keys[1], Group([process.pid]), "power loss", process
    )


def start_peer(name: str, place: Path) -> Endpoint | None:
    """None when it is not installed."""
    program = _find(name)
    if program is None:
        return None
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command, env, durable = _recipe(name, program, place, port)
    log = place / "log"
    process = _start(command, log, env)
    _await_answer(process, port, log)
    keys = ("S3RVER", "S3RVER") if name == "s3rver" else KEYS
    return Endpoint(name, _version(name, program), "127.0.0.1", port, *keys, Group([process.pid]), durable, process)


S3_PEERS = ("moto", "ministack", "minio", "s3rver")
DYNAMODB_PEERS = ("moto", "ministack", "dynalite", "dynoxide", "dynamodb-local")


def _find(name: str) -> str | None:
    if name != "dynamodb-local":
        return shutil.which({"moto": "moto_server"}.get(name, name))
    # A folder with a jar, of no fixed place.
    jar = Path(os.environ.get("DYNAMODB_LOCAL", ""), "DynamoDBLocal.jar")
    return str(jar) if jar.is_absolute() and jar.exists() and shutil.which("java") else None


def _recipe(name: str, program: str, place: Path, port: int) -> tuple[list[str], dict[str, str], str]:
    if name == "moto":
        return [program, "-H", "127.0.0.1", "-p", str(port)], {}, "nothing (memory)"
    if name == "ministack":
        return [program], {"GATEWAY_PORT": str(port), "HOME": str(place)}, "nothing (memory)"
    if name == "minio":
        env = {"MINIO_ROOT_USER": KEYS[0], "MINIO_ROOT_PASSWORD": KEYS[1]}
        address = f"127.0.0.1:{port}"
        return [program, "server", "--quiet", "--address", address, str(place / "data")], env, "not known"
    if name == "dynalite":
        return [program, "--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0"], {}, "nothing (memory)"
    if name == "dynoxide":
        command = [program, "serve", "--host", "127.0.0.1", "--port", str(port), "--db-path", str(place / "data.db")]
        return command, {}, "not known"
    if name == "dynamodb-local":
        libraries = f"-Djava.library.path={Path(program).parent / 'DynamoDBLocal_lib'}"
        command = ["java", libraries, "-jar", program, "-port", str(port), "-dbPath", str(place), "-sharedDb"]
        return command, {}, "not known"
    return [program, "-d", str(place), "-a", "127.0.0.1", "-p", str(port), "-s"], {}, "a crash of the process"


def _start(command: list[str], log: Path, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        return subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **env},
            start_new_session=True,
        )


def _await_answer(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    raise SystemExit(f"{process.args!r} did not come up:\n{log.read_text(errors='replace')[-2000:]}")


def _package(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "from source"


def _version(name: str, program: str) -> str:
    """As its own environment knows it: pip's for Python programs, the program's word for the others."""
    if name == "dynamodb-local":
        return "not told"
    if name == "dynalite":
        version: str = json.loads((Path(program).resolve().parent / "package.json").read_text())["version"]
        return version
    if name in {"moto", "ministack"}:
        python = Path(program).resolve().parent / "python"
        code = f"import importlib.metadata as m; print(m.version({name!r}))"
        command = [str(python), "-c", code]
    else:
        command = [program, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout.split("\n")[0] or "not told").strip()
