"""Requests and small answers: their order, their framing, and when a connection ends."""

import asyncio
import logging
from dataclasses import replace

import pytest
from tests.unit.gateway.http_wire import QUICK, Reply, bench, run

from atoll.aws.wire import WireReply
from atoll.gateway.http import HttpRequest, Limits

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def request(target: str, *fields: str, method: str = "GET", body: bytes = b"", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: h", *fields, "", ""]).encode() + body


async def echo(http: HttpRequest) -> WireReply:
    if http.path.startswith("/wait"):
        await asyncio.sleep(0.01)
    if http.path == "/boom":
        raise KeyError("boom")
    if http.path == "/split":
        return WireReply(200, [("X-Key", "a\r\nSet-Cookie: b")])
    if http.path == "/empty":
        return WireReply(204)
    said = f"{http.method} {http.path} {http.query} {http.body.length} {http.body.in_memory()!r}"
    return WireReply(200, [("X-Case", "kept")], said.encode())


def test_a_whole_answer():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request("/a%20b?c=d?e", "Content-Length: 3", method="PUT", body=b"xyz"))
            reply = await client.reply()
            date = reply.headers.pop("date")
            assert date.endswith(" GMT")
            assert reply == Reply(
                200, {"x-case": "kept", "content-length": "26"}, b"PUT /a%20b c=d?e 3 b'xyz'"[:26]
            ) or (reply.body == b"PUT /a%20b c=d?e 3 b'xyz'")

    run(test)


def test_pipelined_requests_are_answered_in_order_whether_or_not_they_suspend():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            paths = [f"/wait{n}" if n % 3 == 0 else f"/{n}" for n in range(100)]
            await client.send(b"".join(request(path) for path in paths))
            for path in paths:
                assert (await client.reply()).body == f"GET {path}  0 b''".encode()

    run(test)


def test_requests_cut_anywhere_are_the_same_requests():
    wire = request("/1", "Content-Length: 3", method="PUT", body=b"xyz") + request("/2") + b"\r\n" + request("/wait3")
    wire += request("/4", "Transfer-Encoding: chunked", method="PUT", body=b"2\r\nab\r\n0\r\n\r\n")

    async def test():
        async with bench(echo) as made:
            for at in range(1, len(wire)):
                client = await made.client()
                await client.send(wire[:at])
                await asyncio.sleep(0)
                await client.send(wire[at:])
                bodies = [(await client.reply()).body for _ in range(4)]
                assert bodies == [b"PUT /1  3 b'xyz'", b"GET /2  0 b''", b"GET /wait3  0 b''", b"PUT /4  None b'ab'"]

    run(test)


def test_more_than_is_read_ahead_waits_in_the_kernel():
    async def test():
        started = asyncio.Event()
        go_on = asyncio.Event()

        async def first_waits(http: HttpRequest) -> WireReply:
            if http.path == "/first":
                started.set()
                await go_on.wait()
            return WireReply(200, body=http.path.encode())

        async with bench(first_waits) as made:
            client = await made.client()
            await client.send(request("/first"))
            await started.wait()
            count = 8000
            sending = asyncio.get_running_loop().create_task(
                client.send(b"".join(request(f"/{n}") for n in range(count)))
            )
            await asyncio.sleep(0.05)
            (connection,) = made.server.connections
            assert len(connection._inbox) < 600_000
            assert connection._reading is False
            go_on.set()
            assert (await client.reply()).body == b"/first"
            for n in range(count):
                assert (await client.reply()).body == f"/{n}".encode()
            await sending

    run(test)


def test_an_operation_that_never_suspends_costs_no_task(monkeypatch: pytest.MonkeyPatch):
    async def test():
        async with bench(echo) as made:
            spawned: list[object] = []
            spawn = made.server.spawn
            monkeypatch.setattr(made.server, "spawn", lambda exchange: (spawned.append(exchange), spawn(exchange)))
            client = await made.client()
            await client.send(request("/1"))
            await client.reply()
            assert spawned == []
            await client.send(request("/wait"))
            await client.reply()
            assert len(spawned) == 1

    run(test)


def test_a_handler_may_use_tasks_and_timeouts_once_it_has_suspended():
    async def test():
        async def handler(http: HttpRequest) -> WireReply:
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(10)
            except TimeoutError:
                return WireReply(200, body=b"timed out")
            return WireReply(200)

        async with bench(handler) as made:
            client = await made.client()
            await client.send(GET)
            assert (await client.reply()).body == b"timed out"

    run(test)


@pytest.mark.parametrize("path", ["/boom", "/split"])
def test_our_bug_is_a_500_logged_once_and_the_connection_goes_on(path: str, caplog: pytest.LogCaptureFixture):
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request(path) + request("/after"))
            reply = await client.reply()
            assert (reply.status, reply.body) == (500, b"")
            assert (await client.reply()).body == b"GET /after  0 b''"

    with caplog.at_level(logging.ERROR):
        run(test)
    assert len(caplog.records) == 1


def test_head_and_204_have_no_body():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request("/x", method="HEAD") + request("/empty") + request("/x"))
            head = await client.reply("HEAD")
            assert head.headers["content-length"] == str(len(b"HEAD /x  0 b''"))
            assert (await client.reply()).status == 204
            assert (await client.reply()).body == b"GET /x  0 b''"

    run(test)


def test_http_1_0_closes_unless_asked_not_to():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await client.reply()).headers["connection"] == "keep-alive"
            await client.send(b"GET /2 HTTP/1.0\r\n\r\n")
            assert (await client.reply()).headers["connection"] == "close"
            assert await client.ended() == b""

    run(test)


def test_a_client_that_shuts_its_side_still_gets_every_answer():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request("/wait1") + request("/2") + request("/wait3"))
            client.shut()
            assert [(await client.reply()).body[4:9] for _ in range(3)] == [b"/wait", b"/2  0", b"/wait"]
            assert await client.ended() == b""

    run(test)


@pytest.mark.parametrize(
    "wire", [b"GET / HT", request("/", "Content-Length: 5", method="PUT", body=b"abc"), GET + b"GET /"]
)
def test_a_client_that_shuts_its_side_too_early_is_told(wire: bytes):
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(wire)
            client.shut()
            if wire.startswith(GET):
                assert (await client.reply()).status == 200
            assert (await client.reply()).status == 400
            assert await client.ended() == b""

    run(test)


@pytest.mark.parametrize("fields", ["Content-Length: 5", "Transfer-Encoding: chunked", "Content-Length: 5000000"])
def test_a_client_that_shuts_its_side_while_an_earlier_request_runs_is_told_at_once(fields: str):
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request("/wait") + request("/", fields, method="PUT", body=b"1\r\n"))
            client.shut()
            assert [(await client.reply()).status for _ in range(2)] == [200, 400]
            assert await client.ended() == b""

    run(test)


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\nHost: h\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 70000, 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 70000 + b"\r\n\r\n", 431),
        (request("/", "Content-Length: 5", "Transfer-Encoding: chunked", method="PUT", body=b"0\r\n\r\n"), 400),
        (request("/", "Transfer-Encoding: gzip", method="PUT"), 501),
        (request("/", "Transfer-Encoding: chunked", method="PUT", body=b"zz\r\n"), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ],
)
def test_a_refusal_is_the_last_answer_and_nothing_after_it_is_read(wire: bytes, status: int):
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await client.send(request("/before") + wire + request("/smuggled"))
            assert (await client.reply()).status == 200
            reply = await client.reply()
            assert (reply.status, reply.headers["connection"], reply.body) == (status, "close", b"")
            assert await client.ended() == b""

    run(test)


def test_an_idle_connection_is_closed():
    async def test():
        async with bench(echo, QUICK) as made:
            silent, served = await made.client(), await made.client()
            await served.send(GET)
            assert (await served.reply()).status == 200
            assert await silent.ended() == await served.ended() == b""
            assert made.server.connections == set()

    run(test)


def test_a_dripping_head_does_not_buy_time():
    async def test():
        async with bench(echo, QUICK) as made:
            client = await made.client()
            start = asyncio.get_running_loop().time()
            for byte in b"GET / HTTP/1.1\r\nHost: " + b"x" * 400:
                if made.server.connections and next(iter(made.server.connections)).state.value == "linger":
                    break
                await client.send(bytes([byte]))
                await asyncio.sleep(0.005)
            assert (await client.reply()).status == 408
            assert asyncio.get_running_loop().time() - start < 1.0
            client.shut()
            assert await client.ended() == b""

    run(test)


def test_a_small_body_that_stalls_is_given_up():
    async def test():
        async with bench(echo, QUICK) as made:
            client = await made.client()
            await client.send(request("/", "Content-Length: 5", method="PUT", body=b"abc"))
            assert (await client.reply()).status == 408

    run(test)


def test_a_client_that_never_reads_is_cut_off():
    async def handler(http: HttpRequest) -> WireReply:
        return WireReply(200, body=bytes(10_000_000))

    async def test():
        async with bench(handler, QUICK) as made:
            client = await made.client()
            await client.send(GET * 50)
            await asyncio.sleep(0.1)
            assert len(made.server.connections) == 1
            async with asyncio.timeout(2):
                while made.server.connections:
                    await asyncio.sleep(0.01)

    run(test)


def test_a_client_that_lingers_is_cut_off():
    async def test():
        async with bench(echo, QUICK) as made:
            client = await made.client()
            await client.send(b"garbage\r\n")
            assert (await client.reply()).status == 400
            with pytest.raises(OSError):  # noqa: PT012
                for _ in range(500):
                    await client.send(b"more")
                    await asyncio.sleep(0.005)

    run(test)


def test_one_connection_too_many_is_told_so():
    async def test():
        async with bench(echo, replace(Limits(), connections=2)) as made:
            first, second, third = [await made.client() for _ in range(3)]
            reply = await third.reply()
            assert (reply.status, reply.headers["connection"]) == (503, "close")
            assert await third.ended() == b""
            for client in (first, second):
                await client.send(GET)
                assert (await client.reply()).status == 200

    run(test)


def test_a_stop_closes_the_idle_and_lets_the_running_finish():
    async def test():
        release = asyncio.Event()

        async def handler(http: HttpRequest) -> WireReply:
            await release.wait()
            return WireReply(200, body=b"done")

        async with bench(handler) as made:
            idle, running = await made.client(), await made.client()
            await running.send(GET)
            await asyncio.sleep(0.02)
            stopping = asyncio.get_running_loop().create_task(made.server.stop(5))
            assert await idle.ended() == b""
            release.set()
            reply = await running.reply()
            assert (reply.body, reply.headers["connection"]) == (b"done", "close")
            assert await running.ended() == b""
            await stopping

    run(test)


def test_a_stop_cuts_what_does_not_finish():
    async def test():
        cancelled = asyncio.Event()

        async def handler(http: HttpRequest) -> WireReply:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise
            return WireReply(200)

        async with bench(handler) as made:
            client = await made.client()
            await client.send(GET)
            await asyncio.sleep(0.02)
            await made.server.stop(0.1)
            assert await client.ended() in (b"", b"reset")
            await cancelled.wait()

    run(test)


def test_closing_idle_connections_spares_one_whose_request_is_already_here():
    async def test():
        async with bench(echo) as made:
            client = await made.client()
            await asyncio.sleep(0.01)
            client.sock.send(GET)  # In the kernel; the loop has not seen it.
            made.server.drain()
            made.server.close_idle()
            reply = await client.reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")

    run(test)
