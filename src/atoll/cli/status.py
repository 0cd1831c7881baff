"""`atoll status`: whether the cloud runs, where, and what it holds."""

import argparse
import http.client
import os
import shutil
import time

from atoll.base.settings import Settings, read_facts
from atoll.cli.env import endpoint

ANSWER_SECONDS_MAX = 5.0


def run(chosen: argparse.Namespace) -> int:
    settings = Settings(chosen.data)
    running = read_facts(settings.run_file)
    if running is None or not _answers(running["host"], running["port"]):
        print(f"stopped   no node answers for {settings.data}")
        return 1
    print(
        f"running   {endpoint(running['host'], running['port'])}  (pid {running['pid']}, {running['workers']} workers)"
    )
    print(f"version   {running['version']}")
    print(f"since     {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(running['started']))}")
    print(f"region    {running['region']}")
    print(f"data      {settings.data}  ({_size(settings)} used, {_free(settings)} free)")
    if running["dev"]:
        print("keys      ANY key pair is accepted (--dev)")
    return 0


def _answers(host: str, port: int) -> bool:
    address = "127.0.0.1" if host in {"0.0.0.0", ""} else "::1" if host == "::" else host  # noqa: S104
    connection = http.client.HTTPConnection(address, port, timeout=ANSWER_SECONDS_MAX)
    try:
        connection.request("GET", "/_atoll/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _size(settings: Settings) -> str:
    total = 0
    for folder, _, names in os.walk(settings.data):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                continue  # Deleted while we walked.
    return human(total)


def _free(settings: Settings) -> str:
    return human(shutil.disk_usage(settings.data).free)


def human(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.1f} {unit}" if unit != "B" else f"{size_bytes:.0f} B"
        size_bytes /= 1024
    return f"{size_bytes:.1f} TiB"
