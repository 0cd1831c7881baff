"""A full disk refuses writes plainly, goes on serving reads, takes deletions, and is as good as new when there is room again."""

import hashlib
import os
import shlex
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.conftest import CloudUnderTest
from tests.fault.kept_connection import KeptConnection, NoAnswer
from tests.fault.s3_history import body_of, label_of
from tests.server import Server

# More than the 64 MiB that blobs leave to the store, and little enough to be filled in seconds.
DISK_MIB = 160
BODY_BYTES = 3_000_000
SMALL_BYTES = 8_000  # Kept in the record itself, so it fills the store's part.
SWEPT_SECONDS_MAX = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """On a tmpfs of its own, in a mount namespace of its own: nothing is left mounted, whatever happens."""
    assert shutil.which("unshare"), "unshare (util-linux) is needed to give the server a small disk"
    data = tmp_path / "data"
    data.mkdir()
    namespaces = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    mount = f'mount -t tmpfs -o size={DISK_MIB}m,mode=700 tmpfs {shlex.quote(str(data))} && exec "$@"'
    running = Server(
        data,
        tmp_path / "log",
        workers=2,
        env={"ATOLL_SWEEP_GRACE_SECONDS": "0.5"},
        prefix=["unshare", *namespaces, "sh", "-c", mount, "sh"],
    )
    running.start()
    yield running
    running.kill()


@pytest.fixture
def connection(server: Server) -> Iterator[KeptConnection]:
    made = KeptConnection(CloudUnderTest(server.endpoint, server.exports, server))
    assert made.send("PUT", "/full").status == 200
    yield made
    made.close()


def fill(connection: KeptConnection, prefix: str, size: int, kept: dict[str, str], refusals: int = 3) -> int:
    """Puts objects until so many in a row are refused. Notes what was acknowledged; answers how many."""
    count, refused_in_a_row = 0, 0
    while refused_in_a_row < refusals:
        label = f"{prefix}{count + refused_in_a_row}"
        answer = connection.send("PUT", f"/full/{label}", body_of(label, size))
        if answer.status == 200:
            kept[label] = answer.headers["etag"]
            count, refused_in_a_row = count + 1, 0
        else:
            check_refusal(answer.status, answer.body)
            refused_in_a_row += 1
        assert count < 200_000
    return count


def check_refusal(status: int, body: bytes) -> None:
    """A client may try again later, which is what S3 says with 503 and others with 507; never 500, which is a bug's."""
    assert status in {503, 507}, f"{status} {body!r}"
    assert b"<Code>" in body


def check_all(connection: KeptConnection, kept: dict[str, str]) -> None:
    for label, etag in kept.items():
        answer = connection.send("GET", f"/full/{label}")
        assert answer.status == 200, f"{label}: {answer}"
        assert label_of(answer.body) == label
        assert etag == f'"{hashlib.md5(answer.body).hexdigest()}"'


def test_a_full_disk_refuses_writes_serves_reads_and_recovers(server: Server, connection: KeptConnection) -> None:
    kept: dict[str, str] = {}
    large = fill(connection, "large/", BODY_BYTES, kept)
    assert large > 5
    check_all(connection, kept)

    # Refused in the middle of an upload in parts, too, which leaves no object.
    begun = connection.send("POST", "/full/parts?uploads")
    assert begun.status == 200
    upload_id = begun.body.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    part = connection.send("PUT", f"/full/parts?partNumber=1&uploadId={upload_id}", b"x" * BODY_BYTES)
    check_refusal(part.status, part.body)
    assert connection.send("DELETE", f"/full/parts?uploadId={upload_id}").status == 204
    assert connection.send("HEAD", "/full/parts").status == 404

    kill_workers(server, connection)
    check_all(connection, kept)
    delete_large(connection, kept)
    check_room_is_back(connection, kept, large)


def test_a_disk_full_of_small_objects_still_takes_deletions(server: Server, connection: KeptConnection) -> None:
    kept: dict[str, str] = {}
    large = fill(connection, "large/", BODY_BYTES, kept)
    # The small ones lie in the store itself, which may use what blobs must leave free: now that is gone, too.
    assert fill(connection, "small/", SMALL_BYTES, kept) > 100
    check_all(connection, kept)
    kill_workers(server, connection)
    check_all(connection, kept)
    delete_large(connection, kept)
    check_room_is_back(connection, kept, large)


def kill_workers(server: Server, connection: KeptConnection) -> None:
    """Those that come after start on the full disk, and serve it as it is."""
    for pid in server.processes()[1:]:
        os.kill(pid, signal.SIGKILL)
    connection.close()
    await_answers(connection)


def delete_large(connection: KeptConnection, kept: dict[str, str]) -> None:
    for label in [name for name in kept if name.startswith("large/")]:
        answer = connection.send("DELETE", f"/full/{label}")
        assert answer.status == 204, f"{label}: {answer}"
        del kept[label]


def check_room_is_back(connection: KeptConnection, kept: dict[str, str], large: int) -> None:
    check_all(connection, kept)
    again: dict[str, str] = {}
    deadline = time.monotonic() + SWEPT_SECONDS_MAX
    while len(again) < large // 2 and time.monotonic() < deadline:
        fill(connection, f"again/{len(again)}/", BODY_BYTES, again, refusals=1)
        time.sleep(0.5)
    assert len(again) >= large // 2, f"only {len(again)} of {large} fit where {large} were deleted"
    check_all(connection, kept | again)


def await_answers(connection: KeptConnection) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if connection.send("GET", "/full?list-type=2&max-keys=1").status == 200:
                return
        except NoAnswer:
            pass
        time.sleep(0.1)
    raise AssertionError("no worker came up on the full disk")
