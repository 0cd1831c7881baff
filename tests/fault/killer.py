"""Who kills: one worker, the parent, or all of them, and then sees to it that the server is up again."""

import os
import random
import signal
import time
from contextlib import suppress

from tests.server import Server, process_tree

WORKERS_GONE_SECONDS_MAX = 10.0


class Killer:
    def __init__(self, server: Server, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.kills = {"worker": 0, "parent": 0, "all": 0}

    @property
    def count(self) -> int:
        return sum(self.kills.values())

    def kill_one(self) -> None:
        kind = self.chance.choices(["worker", "parent", "all"], [6, 2, 2])[0]
        if kind == "worker":
            workers = self.server.processes()[1:]
            if not workers:  # Its successor is not there yet.
                return
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(workers), signal.SIGKILL)
        elif kind == "parent":
            workers = self.server.processes()[1:]
            self.server.kill_parent()
            await_end(workers)
            self.server.start()
        else:
            self.server.kill()
            self.server.start()
        self.kills[kind] += 1


def await_end(pids: list[int]) -> None:
    """Workers must not outlive their parent: they would serve beside the next ones."""
    deadline = time.monotonic() + WORKERS_GONE_SECONDS_MAX
    while any(process_tree(pid) for pid in pids):
        assert time.monotonic() < deadline, f"workers {pids} outlived their parent by {WORKERS_GONE_SECONDS_MAX} s"
        time.sleep(0.02)
