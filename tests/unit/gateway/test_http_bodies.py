"""Bodies too big to be gathered, in and out: what moves, what is held meanwhile, and who lets go of what."""

import asyncio
import contextlib
import hashlib
import logging
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import MemoryBlobs
from tests.unit.gateway.http_wire import QUICK, Client, bench, run

from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply
from atoll.gateway import bulk
from atoll.gateway.http import Handler, HttpRequest
from atoll.operation import BlobBody, Segment
from atoll.store import Full

MIB = 1024 * 1024
DATA = os.urandom(MIB) * 5 + b"the end"
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def put(*fields: str) -> bytes:
    return "\r\n".join(["PUT / HTTP/1.1", "Host: h", *fields, "", ""]).encode()


SIZED = put(f"Content-Length: {len(DATA)}")
CHUNKED = put("Transfer-Encoding: chunked")


def chunked(data: bytes, step: int = 300_000) -> bytes:
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class Digest:
    def __init__(self, seconds_per_write: float = 0.0) -> None:
        self.md5 = hashlib.md5()
        self.count = 0
        self.largest = 0
        self._seconds_per_write = seconds_per_write

    def write(self, data: memoryview) -> None:
        self.md5.update(data)
        self.count += len(data)
        self.largest = max(self.largest, len(data))
        time.sleep(self._seconds_per_write)


async def digest(http: HttpRequest) -> WireReply:
    sink = Digest()
    try:
        await http.body.drain(sink)
    except AwsError as error:
        return WireReply(error.status or 400, body=f"{error.code} after {sink.count}".encode())
    return WireReply(200, body=f"{http.body.length} {sink.md5.hexdigest()}".encode())


def expected(length: int | None) -> bytes:
    return f"{length} {hashlib.md5(DATA).hexdigest()}".encode()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads give up on a client within milliseconds, so that tests soon see the slow path."""
    monkeypatch.setattr(bulk, "_RECEIVE_TIMEOUT", struct.pack("ll", 0, 20_000))
    monkeypatch.setattr(bulk, "SEND_MILLISECONDS", 5)


@pytest.mark.parametrize(
    ("wire", "length"),
    [(SIZED + DATA, len(DATA)), (CHUNKED + chunked(DATA), None), (CHUNKED + chunked(DATA, 50), None)],
)
def test_a_big_body_arrives_whole_and_the_connection_goes_on(wire: bytes, length: int | None):
    async def test():
        async with bench(digest) as made:
            client = await made.client()
            for _ in range(2):
                sending = asyncio.get_running_loop().create_task(client.send(wire))
                assert (await client.reply()).body == expected(length)
                await sending

    run(test)


def test_turns_end_so_that_others_get_theirs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "TURN_BYTES_MAX", MIB)

    async def test():
        async with bench(digest) as made:
            client = await made.client()
            sending = asyncio.get_running_loop().create_task(client.send(SIZED + DATA))
            assert (await client.reply()).body == expected(len(DATA))
            await sending

    run(test)


@pytest.mark.usefixtures("impatient")
def test_a_slow_body_holds_no_thread_and_arrives_whole():
    async def test():
        async with bench(digest, QUICK) as made:
            clients = [await made.client() for _ in range(3 * QUICK.body_threads)]
            for client in clients:
                await client.send(SIZED + DATA[:1000])
            await asyncio.sleep(0.1)
            assert made.server.pool._work_queue.qsize() == 0
            fast = await made.client()
            sending = asyncio.get_running_loop().create_task(fast.send(SIZED + DATA))
            assert (await fast.reply()).body == expected(len(DATA))
            await sending
            slow = clients[0]
            sending = asyncio.get_running_loop().create_task(slow.send(DATA[1000:]))
            assert (await slow.reply()).body == expected(len(DATA))
            await sending

    run(test)


@pytest.mark.parametrize("wire", [SIZED + DATA[: 3 * MIB], CHUNKED + chunked(DATA)[: 3 * MIB]])
@pytest.mark.parametrize("shut", [True, False])
@pytest.mark.usefixtures("impatient")
def test_a_body_that_ends_early_is_incomplete(wire: bytes, shut: bool):
    async def test():
        raised: list[str] = []

        async def handler(http: HttpRequest) -> WireReply:
            reply = await digest(http)
            raised.append(bytes(reply.body).split()[0].decode())
            return reply

        async with bench(handler) as made:
            client = await made.client()
            await client.send(wire)
            if shut:
                client.shut()
                reply = await client.reply()
                assert (reply.status, reply.body.split()[0]) == (400, b"IncompleteBody")
                assert await client.ended() == b""
            else:
                client.sock.close()
                while not raised:
                    await asyncio.sleep(0.01)
            assert raised == ["IncompleteBody"]

    run(test)


@pytest.mark.parametrize("wire", [SIZED + DATA[: 2 * MIB], CHUNKED + chunked(DATA)[: 2 * MIB]])
@pytest.mark.usefixtures("impatient")
def test_a_body_that_stalls_is_timed_out(wire: bytes):
    async def test():
        async with bench(digest, QUICK) as made:
            client = await made.client()
            await client.send(wire)
            reply = await client.reply()
            assert (reply.status, reply.body.split()[0]) == (400, b"RequestTimeout")
            client.shut()
            assert await client.ended() == b""

    run(test)


def test_a_chunked_body_whose_framing_breaks_is_refused_by_its_drain():
    async def test():
        async with bench(digest) as made:
            client = await made.client()
            await client.send(CHUNKED + chunked(DATA)[:-5] + b"zz\r\n\r\n")
            reply = await client.reply()
            assert (reply.status, reply.body.split()[0]) == (400, b"InvalidRequest")
            assert await client.ended() == b""

    run(test)


@pytest.mark.parametrize("wire", [CHUNKED + chunked(DATA, 10_000)])
def test_what_waits_for_a_slow_sink_is_bounded(wire: bytes):
    async def test():
        held: list[int] = []

        async def handler(http: HttpRequest) -> WireReply:
            sink = Digest(seconds_per_write=0.002)
            await http.body.drain(sink)
            return WireReply(200, body=sink.md5.hexdigest().encode())

        async with bench(handler) as made:
            client = await made.client()
            sending = asyncio.get_running_loop().create_task(client.send(wire))
            while not sending.done():
                held.extend(connection._body.held_bytes for connection in made.server.connections)
                await asyncio.sleep(0.002)
            assert (await client.reply()).body == hashlib.md5(DATA).hexdigest().encode()
            assert max(held) <= MIB + 512 * 1024  # What is queued, and what one read brings.

    run(test)


@pytest.mark.parametrize("fields", [[f"Content-Length: {len(DATA)}"], ["Transfer-Encoding: chunked"]])
def test_a_big_body_is_asked_for_only_when_it_is_wanted(fields: list[str]):
    async def test():
        want = asyncio.Event()

        async def handler(http: HttpRequest) -> WireReply:
            await want.wait()
            return await digest(http)

        async with bench(handler) as made:
            client = await made.client()
            await client.send(put(*fields, "Expect: 100-continue"))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client._loop.sock_recv(client.sock, 1), 0.05)
            want.set()
            assert (await client.reply()).status == 100
            sized = fields[0].startswith("Content-Length")
            sending = asyncio.get_running_loop().create_task(client.send(DATA if sized else chunked(DATA)))
            assert (await client.reply()).body == expected(len(DATA) if sized else None)
            await sending

    run(test)


def test_a_small_body_is_asked_for_at_once():
    async def test():
        async with bench(digest) as made:
            client = await made.client()
            await client.send(put("Content-Length: 3", "Expect: 100-continue"))
            assert (await client.reply()).status == 100
            await client.send(b"abc")
            assert (await client.reply()).body == b"3 " + hashlib.md5(b"abc").hexdigest().encode()

    run(test)


@pytest.mark.parametrize("expect", [["Expect: 100-continue"], []])
def test_an_upload_can_be_refused_unread(expect: list[str]):
    async def refuse(http: HttpRequest) -> WireReply:
        return WireReply(403, body=b"no")

    async def test():
        async with bench(refuse) as made:
            client = await made.client()
            await client.send(put(f"Content-Length: {len(DATA)}", *expect))
            reply = await client.reply()
            assert (reply.status, reply.body, reply.headers["connection"]) == (403, b"no", "close")
            # What a client still sends does not take the answer from it.
            await client.send(DATA[:100_000])
            client.shut()
            assert await client.ended() == b""

    run(test)


def test_a_sink_that_fails_fails_the_handler_and_ends_the_connection():
    class Brim:
        def write(self, data: memoryview) -> None:
            raise Full("no room")

    async def handler(http: HttpRequest) -> WireReply:
        try:
            await http.body.drain(Brim())
        except Full:
            return WireReply(507)
        return WireReply(200)

    async def test():
        async with bench(handler) as made:
            client = await made.client()
            await client.send(SIZED + DATA[:MIB])
            reply = await client.reply()
            assert (reply.status, reply.headers["connection"]) == (507, "close")

    run(test)


def open_blobs() -> int:
    """Descriptors of blobs this process holds."""
    held = 0
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # The descriptor the listing itself was read by.
            held += "memfd:blob" in os.readlink(link)
    return held


class Shelf(MemoryBlobs):
    """Counts how often it has been let go."""

    def __init__(self) -> None:
        super().__init__()
        self.closes = 0

    def close(self) -> None:
        self.closes += 1

    async def let_go(self, times: int) -> None:
        while self.closes < times:
            await asyncio.sleep(0.005)
        assert (self.closes, open_blobs()) == (times, 0)

    def handler(self, segments: list[tuple[int, int]], *, first: bool) -> Handler:
        blob_id = self.put(DATA)

        async def handler(http: HttpRequest) -> WireReply:
            body = BlobBody(
                self,
                [Segment(blob_id, offset, length) for offset, length in segments],
                self.open(blob_id) if first else None,
                self.close,
            )
            return WireReply(200, [("Content-Length", str(body.length))], body)

        return handler


SEGMENTS = {
    "empty": [(0, 0)],
    "small": [(5, 1000), (0, 3)],
    "big": [(0, len(DATA))],
    "pieces": [(MIB - 3, 2 * MIB), (0, 0), (len(DATA) - 7, 7), (1, 300_000)],
}


@pytest.mark.parametrize("name", list(SEGMENTS))
@pytest.mark.parametrize("first", [True, False])
def test_a_blob_arrives_whole_and_everything_is_let_go(name: str, first: bool):
    async def test():
        shelf = Shelf()
        async with bench(shelf.handler(SEGMENTS[name], first=first)) as made:
            client = await made.client()
            await client.send(GET + b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n" + GET)
            whole = b"".join(DATA[offset : offset + length] for offset, length in SEGMENTS[name])
            assert (await client.reply()).body == whole
            assert (await client.reply("HEAD")).headers["content-length"] == str(len(whole))
            assert (await client.reply()).body == whole
            await shelf.let_go(3)

    run(test)


@pytest.mark.usefixtures("impatient")
def test_a_slow_reader_holds_no_thread_and_gets_everything():
    async def test():
        shelf = Shelf()
        async with bench(shelf.handler([(0, len(DATA))], first=True), QUICK) as made:
            clients = [await made.client() for _ in range(3 * QUICK.body_threads)]
            for client in clients:
                await client.send(GET)
            await asyncio.sleep(0.1)
            assert made.server.pool._work_queue.qsize() == 0
            for client in clients:
                assert (await client.reply()).body == DATA
            await shelf.let_go(len(clients))

    run(test)


def _vanish(client: Client) -> None:
    client.sock.close()


def _sit(client: Client) -> None:
    pass


@pytest.mark.parametrize("leave", [_vanish, _sit])
@pytest.mark.usefixtures("impatient")
def test_a_reader_that_leaves_or_stops_reading_is_let_go(leave: Callable[[Client], None]):
    async def test():
        shelf = Shelf()
        async with bench(shelf.handler([(0, len(DATA))], first=True), QUICK) as made:
            client = await made.client()
            await client.send(GET)
            await asyncio.sleep(0.05)
            leave(client)
            while made.server.connections:
                await asyncio.sleep(0.01)
            await shelf.let_go(1)

    run(test)


@pytest.mark.parametrize("segments", [[(0, 100), (len(DATA) - 5, 10)], [(0, MIB), (len(DATA) - 5, 10)]])
def test_a_blob_shorter_than_its_record_is_our_bug_and_never_a_whole_answer(
    segments: list[tuple[int, int]], caplog: pytest.LogCaptureFixture
):
    async def test():
        shelf = Shelf()
        async with bench(shelf.handler(segments, first=True)) as made:
            client = await made.client()
            await client.send(GET)
            if segments[0][1] == 100:
                assert (await client.reply()).status == 500
            else:
                rest = await client.ended()
                assert rest == b"reset" or len(rest.partition(b"\r\n\r\n")[2]) < MIB + 10
            await shelf.let_go(1)

    with caplog.at_level(logging.ERROR):
        run(test)
    assert len(caplog.records) == 1


def test_a_stop_ends_what_threads_are_moving():
    async def test():
        shelf = Shelf()

        async def handler(http: HttpRequest) -> WireReply:
            return await (digest(http) if http.method == "PUT" else shelf.handler([(0, len(DATA))], first=True)(http))

        async with bench(handler) as made:
            sender, reader = await made.client(), await made.client()
            await sender.send(SIZED + DATA[:MIB])
            await reader.send(GET)
            await asyncio.sleep(0.05)
            start = asyncio.get_running_loop().time()
            await made.server.stop(0.1)
            assert asyncio.get_running_loop().time() - start < 1.5
            await shelf.let_go(1)

    run(test)
