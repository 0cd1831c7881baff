"""The aws command line, version 1, as PyPI has it."""

import json
import os
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest, Program


@pytest.fixture(scope="module")
def aws(program: Callable[[str], Program]) -> Program:
    return program("aws")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files around the border at which the aws command line starts to upload in parts, with names people use."""
    root = tmp_path / "tree"
    for name, size in {
        "empty": 0,
        "small.txt": 10,
        "sub/medium": 300_000,
        "sub/deeper/in parts": 9_000_000,
        "spaces and ümlauts/+plus&and=?#.txt": 5,
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
        # Older than any upload: `sync` sends again what looks newer than its copy, and S3's times are whole seconds.
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_mb_ls_rb(aws: Program) -> None:
    name = f"t-{uuid.uuid4().hex}"
    assert aws.run("s3", "mb", f"s3://{name}").stdout.strip() == f"make_bucket: {name}"
    assert name in aws.run("s3", "ls").stdout
    assert aws.run("s3", "rb", f"s3://{name}").stdout.strip() == f"remove_bucket: {name}"
    assert name not in aws.run("s3", "ls").stdout


def test_rb_force_empties_first(aws: Program, new_bucket: Callable[..., str], tree: Path) -> None:
    name = new_bucket()
    aws.run("s3", "cp", "--recursive", tree, f"s3://{name}/")
    failed = aws.run("s3", "rb", f"s3://{name}", check=False)
    assert failed.returncode != 0
    assert "BucketNotEmpty" in failed.stderr
    aws.run("s3", "rb", "--force", f"s3://{name}")
    assert name not in aws.run("s3", "ls").stdout


def test_cp_there_across_and_back(aws: Program, bucket: str, tree: Path, tmp_path: Path) -> None:
    aws.run("s3", "cp", "--recursive", tree, f"s3://{bucket}/a/")
    aws.run("s3", "cp", "--recursive", f"s3://{bucket}/a/", f"s3://{bucket}/b/")
    aws.run("s3", "cp", "--recursive", f"s3://{bucket}/b/", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_cp_from_and_to_a_pipe(aws: Program, bucket: str) -> None:
    aws.run("s3", "cp", "-", f"s3://{bucket}/k", input="from a pipe")
    assert aws.run("s3", "cp", f"s3://{bucket}/k", "-").stdout == "from a pipe"


def test_sync_moves_only_what_changed_and_deletes_when_told(
    aws: Program, s3: Any, bucket: str, tree: Path, tmp_path: Path
) -> None:
    aws.run("s3", "sync", tree, f"s3://{bucket}/")
    assert aws.run("s3", "sync", "--no-progress", tree, f"s3://{bucket}/").stdout.strip() == ""
    (tree / "small.txt").write_bytes(os.urandom(11))
    (tree / "empty").unlink()
    changed = aws.run("s3", "sync", "--no-progress", "--delete", tree, f"s3://{bucket}/").stdout
    assert len(changed.strip().split("\n")) == 2
    assert "small.txt" in changed
    assert "delete:" in changed
    assert "empty" not in {o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    aws.run("s3", "sync", f"s3://{bucket}/", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)


def test_mv_takes_the_source_away(aws: Program, s3: Any, bucket: str, tree: Path, tmp_path: Path) -> None:
    data = (tree / "sub/deeper/in parts").read_bytes()
    aws.run("s3", "mv", tree / "sub/deeper/in parts", f"s3://{bucket}/one")
    assert not (tree / "sub/deeper/in parts").exists()
    aws.run("s3", "mv", f"s3://{bucket}/one", f"s3://{bucket}/two")
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["two"]
    aws.run("s3", "mv", f"s3://{bucket}/two", tmp_path / "three")
    assert (tmp_path / "three").read_bytes() == data
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_rm_by_pattern(aws: Program, s3: Any, bucket: str, tree: Path) -> None:
    aws.run("s3", "cp", "--recursive", tree, f"s3://{bucket}/")
    aws.run("s3", "rm", "--recursive", f"s3://{bucket}/", "--exclude", "*", "--include", "sub/*")
    left = {o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {"empty", "small.txt", "spaces and ümlauts/+plus&and=?#.txt"}


def test_ls_shows_folders_sizes_and_sums(aws: Program, bucket: str, tree: Path) -> None:
    aws.run("s3", "cp", "--recursive", tree, f"s3://{bucket}/")
    top = aws.run("s3", "ls", f"s3://{bucket}/").stdout.split("\n")
    assert any(line.strip() == "PRE sub/" for line in top)
    assert any(line.endswith(" 10 small.txt") for line in top)
    everything = aws.run("s3", "ls", "--recursive", "--summarize", f"s3://{bucket}/").stdout
    assert "Total Objects: 5" in everything
    assert f"Total Size: {10 + 300_000 + 9_000_000 + 5}" in everything


def test_presign_gives_a_url_that_works(aws: Program, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b", Body=b"data")
    url = aws.run("s3", "presign", f"s3://{bucket}/a b").stdout.strip()
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"data"


def s3api(aws: Program, operation: str, *arguments: str | Path) -> Any:
    out = aws.run("s3api", operation, *arguments).stdout
    return json.loads(out) if out.strip() else {}


def test_s3api_from_making_a_bucket_to_deleting_it(aws: Program, tmp_path: Path) -> None:
    name = f"t-{uuid.uuid4().hex}"
    at = ("--bucket", name)
    body = tmp_path / "body"
    body.write_bytes(b"data")
    assert s3api(aws, "create-bucket", *at)["Location"] == f"/{name}"
    s3api(aws, "put-bucket-versioning", *at, "--versioning-configuration", "Status=Enabled")
    put = s3api(aws, "put-object", *at, "--key", "k", "--body", body, "--metadata", "a=b", "--tagging", "t=1")
    assert put["ETag"] == '"8d777f385d3dfec8815d20f7496026dc"'
    got = s3api(aws, "get-object", *at, "--key", "k", tmp_path / "got")
    assert (got["Metadata"], (tmp_path / "got").read_bytes()) == ({"a": "b"}, b"data")
    assert s3api(aws, "get-object-tagging", *at, "--key", "k")["TagSet"] == [{"Key": "t", "Value": "1"}]
    copied = s3api(aws, "copy-object", *at, "--key", "l", "--copy-source", f"{name}/k")
    assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
    versions = s3api(aws, "list-object-versions", *at)["Versions"]
    assert [v["Key"] for v in versions] == ["k", "l"]
    for version in versions:
        s3api(aws, "delete-object", *at, "--key", version["Key"], "--version-id", version["VersionId"])
    s3api(aws, "delete-bucket", *at)
    failed = aws.run("s3api", "head-bucket", *at, check=False)
    assert failed.returncode in {254, 255}
    assert "(404)" in failed.stderr


def test_s3api_multipart(aws: Program, bucket: str, tmp_path: Path) -> None:
    at = ("--bucket", bucket, "--key", "k")
    body = tmp_path / "body"
    body.write_bytes(b"part")
    upload = s3api(aws, "create-multipart-upload", *at)["UploadId"]
    etag = s3api(aws, "upload-part", *at, "--upload-id", upload, "--part-number", "1", "--body", body)["ETag"]
    parts = json.dumps({"Parts": [{"PartNumber": 1, "ETag": etag}]})
    done = s3api(aws, "complete-multipart-upload", *at, "--upload-id", upload, "--multipart-upload", parts)
    assert done["Key"] == "k"
    assert s3api(aws, "head-object", *at)["ContentLength"] == 4


def test_a_wrong_key_is_told_plainly(aws: Program, cloud: CloudUnderTest) -> None:
    failed = aws.run("s3", "ls", check=False, env={"AWS_SECRET_ACCESS_KEY": "wrong"})
    assert failed.returncode != 0
    assert "SignatureDoesNotMatch" in failed.stderr
