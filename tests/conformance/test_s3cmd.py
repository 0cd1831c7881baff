"""s3cmd, which signs and parses with code of its own."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest, Program


@pytest.fixture(scope="module")
def s3cmd(
    program: Callable[[str], Program], cloud: CloudUnderTest, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    found = program("s3cmd")
    host = f"127.0.0.1:{cloud.port}"
    config = tmp_path_factory.mktemp("s3cmd") / "config"
    config.write_text(
        f"[default]\naccess_key = {cloud.access_key}\nsecret_key = {cloud.secret_key}\nhost_base = {host}\nhost_bucket = {host}\n"
        f"bucket_location = {cloud.region}\nuse_https = False\nmax_retries = 1\n"
    )
    found.env["S3CMD_CONFIG"] = str(config)
    return found


def test_put_get_list_and_delete(s3cmd: Program, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "a file & more"
    source.write_bytes(os.urandom(100_000))
    s3cmd.run("put", source, f"s3://{bucket}/dir/a file & ümlaut+")
    assert f"s3://{bucket}/dir/a file & ümlaut+" in s3cmd.run("ls", f"s3://{bucket}/dir/").stdout
    s3cmd.run("get", f"s3://{bucket}/dir/a file & ümlaut+", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    s3cmd.run("del", f"s3://{bucket}/dir/a file & ümlaut+")
    assert s3cmd.run("ls", "--recursive", f"s3://{bucket}/").stdout == ""


def test_buckets_are_made_and_removed(s3cmd: Program) -> None:
    name = f"t-{os.urandom(8).hex()}"
    s3cmd.run("mb", f"s3://{name}")
    assert f"s3://{name}" in s3cmd.run("ls").stdout
    s3cmd.run("rb", f"s3://{name}")
    assert f"s3://{name}" not in s3cmd.run("ls").stdout


def test_a_large_file_goes_in_parts(s3cmd: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(16_000_000))
    s3cmd.run("put", "--multipart-chunk-size-mb=5", source, f"s3://{bucket}/large")
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-4"')
    s3cmd.run("get", f"s3://{bucket}/large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_sync_copy_move_and_info(s3cmd: Program, s3: Any, bucket: str, tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / "tree" / f"d{number % 2}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 1000))
    s3cmd.run("sync", f"{tmp_path}/tree/", f"s3://{bucket}/t/")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 5
    s3cmd.run("cp", f"s3://{bucket}/t/d0/f2", f"s3://{bucket}/copied")
    s3cmd.run("mv", f"s3://{bucket}/copied", f"s3://{bucket}/moved")
    assert s3.get_object(Bucket=bucket, Key="moved")["Body"].read() == (tmp_path / "tree/d0/f2").read_bytes()
    assert "File size: 2000" in s3cmd.run("info", f"s3://{bucket}/moved").stdout
    (tmp_path / "tree/d1/f1").unlink()
    s3cmd.run("sync", "--delete-removed", f"{tmp_path}/tree/", f"s3://{bucket}/t/")
    s3cmd.run("sync", f"s3://{bucket}/t/", f"{tmp_path}/back/")
    back = sorted(str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*") if p.is_file())
    assert back == ["d0/f0", "d0/f2", "d0/f4", "d1/f3"]
