"""restic: a backup that must come back bit by bit, and notices any byte that does not."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.conftest import CloudUnderTest, Program


@pytest.fixture
def restic(program: Callable[[str], Program], cloud: CloudUnderTest, bucket: str, tmp_path: Path) -> Program:
    found = program("restic")
    found.env |= {
        "RESTIC_REPOSITORY": f"s3:{cloud.endpoint}/{bucket}/backups",
        "RESTIC_PASSWORD": "correct horse",
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
    }
    return found


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's and link's mode and contents."""
    return {
        str(path.relative_to(root)): (
            stat.S_IMODE(path.lstat().st_mode),
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(root.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_what_is_backed_up_is_restored_bit_by_bit(restic: Program, tmp_path: Path) -> None:
    root = tmp_path / "home"
    (root / "sub").mkdir(parents=True)
    for number in range(60):
        (root / "sub" / f"f{number}").write_bytes(os.urandom(number * 4000))
    (root / "large").write_bytes(os.urandom(30_000_000))
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o755)
    (root / "link").symlink_to("sub/f1")
    first = snapshot(root)

    restic.run("init")
    restic.run("backup", root)
    (root / "sub" / "f3").write_bytes(b"changed")
    (root / "large").unlink()
    second = snapshot(root)
    restic.run("backup", root)
    restic.run("check", "--read-data")

    ids = [entry["id"] for entry in json.loads(restic.run("snapshots", "--json").stdout)]
    assert len(ids) == 2
    for name, wanted in zip(ids, (first, second), strict=True):
        target = tmp_path / f"restored-{name[:8]}"
        restic.run("restore", name, "--target", target)
        assert snapshot(target / root.relative_to("/")) == wanted

    restic.run("forget", "--keep-last", "1", "--prune")
    restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", tmp_path / "last")
    assert snapshot(tmp_path / "last" / root.relative_to("/")) == second
