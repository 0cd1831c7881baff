"""`atoll dynamodb` as a person uses it: items in from files, out to files, and looked at."""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.server import SOURCE

MANY = 1200  # more than one round of batches, and than a page of 1 MB with some text in it


@pytest.fixture
def atoll(cloud: CloudUnderTest) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(action: str, *arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "atoll", "dynamodb", action, *map(str, arguments)]
        command += ["--data", str(cloud.server.data)]
        env = {**cloud.env, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, env=env, check=False)

    return run


def put(dynamodb: Any, table: str, *items: dict[str, Any]) -> None:
    for item in items:
        dynamodb.put_item(TableName=table, Item=item)


def done(process: subprocess.CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_scan_prints_items_in_either_form(atoll: Any, dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    put(dynamodb, table, {"p": {"S": "a"}, "n": {"N": "1.50"}}, {"p": {"S": "b"}, "n": {"N": "2"}})
    found = [json.loads(line) for line in done(atoll("scan", table)).splitlines()]
    assert sorted(found, key=str) == [{"p": {"S": "a"}, "n": {"N": "1.5"}}, {"p": {"S": "b"}, "n": {"N": "2"}}]
    chosen = atoll("scan", table, "--plain", "--filter", "#n < :n", "--names", '{"#n": "n"}', "--values", '{":n": 2}')
    assert done(chosen) == '{"p":"a","n":1.5}\n'
    assert len(done(atoll("scan", table, "--limit", "1")).splitlines()) == 1


def test_query_reads_one_partition_in_order(atoll: Any, dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table(range=True)
    put(dynamodb, table, *({"p": {"S": "a"}, "c": {"S": str(number)}} for number in range(3)))
    put(dynamodb, table, {"p": {"S": "b"}, "c": {"S": "0"}})
    query = ("query", table, "--plain", "--key", "p = :p", "--values", '{":p": "a"}', "--projection", "c")
    assert done(atoll(*query)).splitlines() == ['{"c":"0"}', '{"c":"1"}', '{"c":"2"}']
    assert done(atoll(*query, "--reverse", "--limit", "2")).splitlines() == ['{"c":"2"}', '{"c":"1"}']


@pytest.mark.parametrize("name", ["items.json", "items.json.gz"])
def test_a_table_goes_to_a_file_and_comes_back_whole(
    atoll: Any, dynamodb: Any, new_table: Callable[..., str], tmp_path: Path, name: str
) -> None:
    source, target, file = new_table(), new_table(), tmp_path / name
    items = [
        {"p": {"S": str(number)}, "text": {"S": "x" * 1000}, "set": {"NS": ["1", "2"]}, "b": {"B": "AAE="}}
        for number in range(MANY)
    ]
    lines = "".join(json.dumps(item) + "\n" for item in items)
    imported = atoll("import", source, given=lines)
    assert imported.stderr == f"{MANY} items\n"
    assert done(atoll("export", source, file)) == ""
    raw = file.read_bytes()
    text = gzip.decompress(raw) if name.endswith(".gz") else raw
    assert sorted(map(json.loads, text.splitlines()), key=str) == sorted(items, key=str)
    assert not list(tmp_path.glob("*.part"))
    assert done(atoll("import", target, file)) == ""
    assert dynamodb.describe_table(TableName=target)["Table"]["ItemCount"] == MANY


def test_csv_is_imported_by_its_first_line(
    atoll: Any, dynamodb: Any, new_table: Callable[..., str], tmp_path: Path
) -> None:
    table, file = new_table(), tmp_path / "items.csv"
    file.write_text('p,price,note\na,1.50,"one, two"\nb,,\n')
    assert atoll("import", table, file, "--types", "price=N").stderr == "2 items\n"
    assert dynamodb.get_item(TableName=table, Key={"p": {"S": "a"}})["Item"] == {
        "p": {"S": "a"},
        "price": {"N": "1.5"},
        "note": {"S": "one, two"},
    }
    assert dynamodb.get_item(TableName=table, Key={"p": {"S": "b"}})["Item"] == {"p": {"S": "b"}}


def test_of_lines_of_one_key_the_last_stays(atoll: Any, dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    lines = "".join(f'{{"p": "a", "n": {number}}}\n' for number in range(MANY))
    done(atoll("import", table, "--plain", given=lines))
    assert dynamodb.get_item(TableName=table, Key={"p": {"S": "a"}})["Item"]["n"] == {"N": str(MANY - 1)}


def test_an_import_that_stops_says_where_to_go_on(atoll: Any, dynamodb: Any, new_table: Callable[..., str]) -> None:
    table = new_table()
    good = [f'{{"p": "{number}"}}\n' for number in range(500)]
    stopped = atoll("import", table, "--plain", given="".join(good) + "nonsense\n")
    assert stopped.returncode == 1
    assert "line 501 is no JSON" in stopped.stderr
    assert "the lines up to 400 are stored; go on with --skip 400" in stopped.stderr
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 400
    assert atoll("import", table, "--plain", "--skip", "400", given="".join(good)).stderr == "100 items\n"
    assert dynamodb.describe_table(TableName=table)["Table"]["ItemCount"] == 500


def test_refusals_are_told_in_one_line(atoll: Any, new_table: Callable[..., str], tmp_path: Path) -> None:
    missing = atoll("scan", "no-such-table")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "atoll: Scan: ResourceNotFoundException: Requested resource not found\n"
    assert atoll("import", new_table(), tmp_path / "none").stderr.endswith("none: No such file or directory\n")
    keyless = atoll("import", new_table(), "--plain", given='{"q": 1}\n')
    assert "line 1 has no p, which is of the table's key" in keyless.stderr


def test_an_endpoint_is_reached_with_the_keys_of_aws_clients(
    cloud: CloudUnderTest, atoll: Any, dynamodb: Any, new_table: Callable[..., str], tmp_path: Path
) -> None:
    table = new_table()
    put(dynamodb, table, {"p": {"S": "a"}})
    assert done(atoll("scan", table, "--plain", "--endpoint", cloud.endpoint)) == '{"p":"a"}\n'
    nobody = atoll("scan", table, "--endpoint", f"http://127.0.0.1:{cloud.port}", "--region", "eu-west-1")
    assert nobody.returncode == 1
