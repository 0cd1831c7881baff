"""What the machine itself can do, measured in the same run: nginx for sending files, the disk for durable writes, MD5 for ETags."""

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from load import drive
from peers import free_port
from processes import Group

_LARGE_BYTES = 64 << 20


def measure(place: Path, seconds: float) -> dict[str, Any]:
    return {
        "md5_mb_per_cpu_second": _hash_rate("md5"),
        "sha256_mb_per_cpu_second": _hash_rate("sha256"),
        **_disk(place, seconds),
        **_nginx(place, seconds),
    }


def _hash_rate(name: str) -> float:
    data = os.urandom(1 << 20)
    hasher, count = hashlib.new(name), 0
    started = time.process_time()
    while time.process_time() - started < 0.4:
        hasher.update(data)
        count += 1
    return count * len(data) / 1e6 / (time.process_time() - started)


def _disk(place: Path, seconds: float) -> dict[str, float]:
    """One appended 4 KiB block and fdatasync; sixteen and one; and a long write."""
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place) as file:
        block = os.urandom(4096)
        one = _per_second(lambda: _append(file.fileno(), block), seconds)
        sixteen = _per_second(lambda: _append(file.fileno(), block * 16), seconds)
    with tempfile.TemporaryFile(dir=place) as file:
        data = os.urandom(_LARGE_BYTES)
        long = _per_second(lambda: _append(file.fileno(), data), seconds) * len(data) / 1e6
    return {
        "fdatasync_4k_per_second": one,
        "durable_4k_in_groups_of_16_per_second": sixteen * 16,
        "write_64m_fdatasync_mb_per_second": long,
    }


def _append(descriptor: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
    os.fdatasync(descriptor)


def _per_second(action: Any, seconds: float) -> float:
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        action()
        count += 1
    return count / (time.perf_counter() - started)


_CONFIGURATION = """
worker_processes 1;
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
{user}
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600;
  open_file_cache max=1000; open_file_cache_valid 60s;
  client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;
  uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5;
  server {{ listen 127.0.0.1:{port} reuseport; root {place}/files; }}
}}
"""


def _nginx(place: Path, seconds: float) -> dict[str, Any]:
    """A static file through nginx and our own client: the floor of any GET."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return {"nginx": "not installed"}
    place = Path(tempfile.mkdtemp(dir=place, prefix="nginx-"))
    (place / "files").mkdir()
    (place / "files" / "small").write_bytes(os.urandom(4096))
    (place / "files" / "large").write_bytes(os.urandom(_LARGE_BYTES))
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(_CONFIGURATION.format(place=place, port=port, user=user))
    process = subprocess.Popen([program, "-p", str(place), "-c", str(place / "nginx.conf")], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        group = Group([process.pid])
        rates: dict[str, Any] = {}
        for name, connections in (("small", 1), ("small", 16), ("large", 1), ("large", 16)):
            request = (f"GET /{name} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode(), b"")
            outcome = drive(
                ("127.0.0.1", port),
                lambda _n, _i, request=request: request,
                connections=connections,
                seconds=seconds,
                server=group,
            )
            if outcome.errors:
                raise SystemExit(f"nginx: {outcome.errors}")
            label = f"nginx_{'get_4k' if name == 'small' else 'get_64m'}_c{connections}"
            rates[f"{label}_per_second"] = len(outcome.latencies) / outcome.seconds
            rates[f"{label}_per_cpu_second"] = len(outcome.latencies) / max(outcome.server_cpu_seconds, 0.01)
        for connections in (1, 16):
            for unit in ("second", "cpu_second"):
                ops = rates[f"nginx_get_64m_c{connections}_per_{unit}"]
                rates[f"nginx_get_64m_c{connections}_mb_per_{unit}"] = ops * _LARGE_BYTES / 1e6
        return rates
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(place, ignore_errors=True)
