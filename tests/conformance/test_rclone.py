"""rclone: whole trees, large files in parts, and names no one should have chosen."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest, Program


@pytest.fixture(scope="module")
def rclone(
    program: Callable[[str], Program], cloud: CloudUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    found = program("rclone")
    found.env |= {
        "RCLONE_CONFIG": str(tmp_path_factory.mktemp("rclone") / "none.conf"),
        "RCLONE_CONFIG_ATOLL_TYPE": "s3",
        "RCLONE_CONFIG_ATOLL_PROVIDER": "Other",
        "RCLONE_CONFIG_ATOLL_ENDPOINT": cloud.endpoint,
        "RCLONE_CONFIG_ATOLL_ACCESS_KEY_ID": cloud.access_key,
        "RCLONE_CONFIG_ATOLL_SECRET_ACCESS_KEY": cloud.secret_key,
        "RCLONE_CONFIG_ATOLL_REGION": cloud.region,
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    return found


NAMES = [
    "plain",
    "with space",
    "sub/dir/file",
    "ümläut/日本語/😀",
    "per%cent %2F %00",
    "plus+and&amp;<xml>\"'",
    "question?hash#semi;colon:at@",
    "trailing dot.",
    " leading space",
    "trailing space ",
    "~tilde`back\\slash",
    "tab\there",
    "new\nline",
    "a" * 200,
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number, name in enumerate(NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 1000))
    return root


def test_a_tree_of_hostile_names_goes_there_and_back(
    rclone: Program, s3: Any, bucket: str, tree: Path, tmp_path: Path
) -> None:
    rclone.run("copy", tree, f"atoll:{bucket}/tree")
    rclone.run("check", "--download", tree, f"atoll:{bucket}/tree")
    rclone.run("check", tree, f"atoll:{bucket}/tree")
    stored = {entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert len(stored) == len(NAMES)
    rclone.run("copy", f"atoll:{bucket}/tree", tmp_path / "back")
    back = {
        str(p.relative_to(tmp_path / "back")): p.read_bytes() for p in (tmp_path / "back").rglob("*") if p.is_file()
    }
    assert back == {name: (tree / name).read_bytes() for name in NAMES}


def test_sync_makes_both_sides_the_same(rclone: Program, bucket: str, tree: Path) -> None:
    rclone.run("sync", tree, f"atoll:{bucket}")
    (tree / "plain").unlink()
    (tree / "with space").write_bytes(b"changed")
    (tree / "new").write_bytes(b"new")
    rclone.run("sync", tree, f"atoll:{bucket}")
    rclone.run("check", "--download", tree, f"atoll:{bucket}")
    listed = rclone.run("lsf", "-R", "--files-only", f"atoll:{bucket}").stdout
    assert "plain\n" not in listed
    assert "new\n" in listed


def test_a_large_file_goes_in_parts_at_once(rclone: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(53_000_001))
    parts = ["--s3-upload-cutoff", "8M", "--s3-chunk-size", "5M", "--s3-upload-concurrency", "8"]
    rclone.run("copyto", *parts, large, f"atoll:{bucket}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-11"')
    rclone.run(
        "copyto",
        "--multi-thread-streams",
        "4",
        "--multi-thread-cutoff",
        "8M",
        f"atoll:{bucket}/large",
        tmp_path / "back",
    )
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_a_pipe_of_unknown_length(rclone: Program, bucket: str) -> None:
    text = "line\n" * 200_000
    rclone.run("rcat", f"atoll:{bucket}/piped", input=text)
    assert rclone.run("cat", f"atoll:{bucket}/piped").stdout == text


def test_copies_and_moves_happen_inside_the_server(
    rclone: Program, bucket: str, new_bucket: Callable[..., str], tree: Path
) -> None:
    other = new_bucket()
    rclone.run("copy", tree, f"atoll:{bucket}")
    rclone.run("copy", f"atoll:{bucket}", f"atoll:{other}")
    rclone.run("check", f"atoll:{bucket}", f"atoll:{other}")
    rclone.run("move", f"atoll:{bucket}", f"atoll:{other}/moved")
    assert rclone.run("lsf", f"atoll:{bucket}").stdout == ""
    rclone.run("check", "--download", tree, f"atoll:{other}/moved")


def test_times_of_files_are_kept(rclone: Program, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "f"
    source.write_bytes(b"x")
    os.utime(source, ns=(1_500_000_000_123_456_789, 1_500_000_000_123_456_789))
    rclone.run("copyto", source, f"atoll:{bucket}/f")
    rclone.run("copyto", f"atoll:{bucket}/f", tmp_path / "back")
    assert (tmp_path / "back").stat().st_mtime_ns == 1_500_000_000_123_456_789


def test_purge_leaves_nothing(rclone: Program, s3: Any, new_bucket: Callable[..., str], tree: Path) -> None:
    name = new_bucket()
    rclone.run("copy", tree, f"atoll:{name}")
    rclone.run("purge", f"atoll:{name}")
    assert name not in {b["Name"] for b in s3.list_buckets()["Buckets"]}
