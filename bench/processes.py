"""What a server's processes cost: CPU seconds and resident memory, read from /proc."""

import os
from contextlib import suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    # The command name may hold spaces and brackets, so fields are counted from its last ")": state is field 0.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def listeners(port: int) -> list[int]:
    """Who holds a listening TCP socket on this port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return [pid for pid in _all_pids() if inodes & _open_files(pid)]


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _open_files(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
    return found


class Group:
    """Some processes and all they have started."""

    def __init__(self, roots: list[int]) -> None:
        self.roots = roots
        self.rss_max_bytes = 0

    def members(self) -> list[int]:
        parents: dict[int, int] = {}
        for pid in _all_pids():
            with suppress(OSError):
                parents[pid] = int(_stat(pid)[1])
        members = set(self.roots)
        grown = True
        while grown:
            more = {pid for pid, parent in parents.items() if parent in members} - members
            members |= more
            grown = bool(more)
        return sorted(members)

    def cpu_seconds(self) -> float:
        """User and system time, that of ended and awaited children included."""
        ticks = 0
        for pid in self.members():
            with suppress(OSError):
                ticks += sum(int(field) for field in _stat(pid)[11:15])
        return ticks / _TICKS_PER_SECOND

    def sample_memory(self) -> int:
        pages = 0
        for pid in self.members():
            with suppress(OSError):
                pages += int(_stat(pid)[21])
        self.rss_max_bytes = max(self.rss_max_bytes, pages * _PAGE_BYTES)
        return pages * _PAGE_BYTES
