"""Arrow's own S3 filesystem (the AWS SDK for C++): a dataset of Parquet files."""

from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs
from tests.conformance.conftest import CloudUnderTest


@pytest.fixture(scope="module")
def arrow(cloud: CloudUnderTest) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=cloud.access_key,
        secret_key=cloud.secret_key,
        endpoint_override=f"127.0.0.1:{cloud.port}",
        scheme="http",
        region=cloud.region,
    )


@pytest.fixture(scope="module")
def table() -> pa.Table:
    rows = 300_000
    return pa.table(
        {
            "id": pa.array(range(rows)),
            "group": pa.array([f"g{n % 4}" for n in range(rows)]),
            "value": pa.array([n * 0.5 for n in range(rows)]),
        }
    )


def test_a_partitioned_dataset_is_written_and_queried(arrow: fs.S3FileSystem, bucket: str, table: pa.Table) -> None:
    ds.write_dataset(
        table, f"{bucket}/data", format="parquet", partitioning=["group"], partitioning_flavor="hive", filesystem=arrow
    )
    read = ds.dataset(f"{bucket}/data", format="parquet", partitioning="hive", filesystem=arrow)
    assert read.count_rows() == table.num_rows
    some = read.to_table(filter=(ds.field("group") == "g2") & (ds.field("id") < 100), columns=["id", "value"])
    assert sorted(some["id"].to_pylist()) == list(range(2, 100, 4))
    whole = read.to_table().sort_by("id")
    assert whole.select(["id", "value"]).equals(table.select(["id", "value"]))


def test_one_file_of_many_row_groups_is_read_in_ranges(arrow: fs.S3FileSystem, bucket: str, table: pa.Table) -> None:
    pq.write_table(table, f"{bucket}/one.parquet", filesystem=arrow, row_group_size=10_000, compression="none")
    with arrow.open_input_file(f"{bucket}/one.parquet") as source:
        file = pq.ParquetFile(source)
        assert file.num_row_groups == 30
        assert file.read_row_group(17)["id"].to_pylist() == list(range(170_000, 180_000))


def test_a_stream_of_many_parts(arrow: fs.S3FileSystem, s3: Any, bucket: str) -> None:
    block = bytes(range(256)) * 4096
    with arrow.open_output_stream(f"{bucket}/stream") as sink:
        for _ in range(24):
            sink.write(block)
    assert s3.head_object(Bucket=bucket, Key="stream")["ContentLength"] == 24 * len(block)
    with arrow.open_input_stream(f"{bucket}/stream") as source:
        assert source.read() == block * 24


def test_files_and_directories(arrow: fs.S3FileSystem, bucket: str) -> None:
    arrow.create_dir(f"{bucket}/dir/sub")
    with arrow.open_output_stream(f"{bucket}/dir/sub/file") as sink:
        sink.write(b"data")
    found = {info.path: (info.type, info.size) for info in arrow.get_file_info(fs.FileSelector(bucket, recursive=True))}
    assert found[f"{bucket}/dir/sub/file"] == (fs.FileType.File, 4)
    assert found[f"{bucket}/dir"][0] == fs.FileType.Directory
    arrow.copy_file(f"{bucket}/dir/sub/file", f"{bucket}/copy")
    arrow.move(f"{bucket}/copy", f"{bucket}/moved")
    assert arrow.open_input_stream(f"{bucket}/moved").read() == b"data"
    assert arrow.get_file_info(f"{bucket}/copy").type == fs.FileType.NotFound
    arrow.delete_dir(f"{bucket}/dir")
    assert arrow.get_file_info(f"{bucket}/dir/sub/file").type == fs.FileType.NotFound
