"""What a person may choose about a node, and the files in its data directory that tell others of it."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4566
DEFAULT_REGION = "us-east-1"


def default_data() -> Path:
    """$ATOLL_DATA, or atoll/ in the user's XDG data directory."""
    chosen = os.environ.get("ATOLL_DATA")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "atoll"


def _sweep_grace() -> float:
    return float(os.environ.get("ATOLL_SWEEP_GRACE_SECONDS", "60"))


@dataclass(frozen=True, slots=True)
class Settings:
    data: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    dev: bool = False
    region: str = DEFAULT_REGION
    domains: tuple[str, ...] = ("localhost",)
    sweep_grace_seconds: float = field(default_factory=_sweep_grace)

    @property
    def root_file(self) -> Path:
        """The root account's keys, readable by the owner alone."""
        return self.data / "root.json"

    @property
    def run_file(self) -> Path:
        """Where the running node listens."""
        return self.data / "run.json"

    @property
    def lock_file(self) -> Path:
        return self.data / "lock"


def read_facts(path: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return facts


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Whole or not at all, and for the owner's eyes only: some of these are keys."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    # fsync the directory too: the rename alone can be lost in a power cut.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
