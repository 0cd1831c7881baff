"""A body read a piece at a time and then drained: nothing is lost between the two, and what breaks is told in either."""

import asyncio
import os
from collections.abc import Callable

import pytest
from tests.unit.gateway.http_wire import QUICK, Client, bench, run

from atoll.aws.errors import AwsError
from atoll.aws.wire import WireReply
from atoll.gateway.http import HttpRequest

MIB = 1024 * 1024
DATA = os.urandom(MIB) * 3 + b"the end"


def post(*fields: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: h", *fields, "", ""]).encode()


def chunked(data: bytes, step: int) -> bytes:
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


class Kept:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: memoryview) -> None:
        self.data += data


def reading(at_least: int) -> Callable[[HttpRequest], "asyncio.Future[WireReply]"]:
    """Reads so many bytes by pieces, and drains the rest."""

    async def handler(http: HttpRequest) -> WireReply:
        kept = Kept()
        try:
            while len(kept.data) < at_least:
                piece = await http.body.next_bytes()
                kept.data += piece
                if not piece:
                    break
            await asyncio.sleep(0.05)  # Long enough for all of a client's bytes to be waiting.
            await http.body.drain(kept)
        except AwsError as error:
            return WireReply(error.status or 400, body=f"{error.code} after {len(kept.data)}".encode())
        return WireReply(200, body=b"whole" if kept.data == DATA else b"%d bytes, and not those" % len(kept.data))

    return handler  # type: ignore[return-value]


@pytest.mark.parametrize("at_least", [0, 1, 100_000, 2 * MIB, len(DATA), len(DATA) + 1])
@pytest.mark.parametrize(
    "wire",
    [
        post(f"Content-Length: {len(DATA)}") + DATA,
        post("Transfer-Encoding: chunked") + chunked(DATA, 70_000),
        post("Transfer-Encoding: chunked") + chunked(DATA, len(DATA)),
    ],
)
def test_no_byte_is_lost_and_the_connection_goes_on(wire: bytes, at_least: int) -> None:
    async def test() -> None:
        async with bench(reading(at_least)) as made:
            client = await made.client()
            for _ in range(2):
                sending = asyncio.get_running_loop().create_task(client.send(wire))
                assert (await client.reply()).body == b"whole"
                await sending

    run(test)


def test_a_client_that_waits_to_be_asked_is_asked() -> None:
    async def test() -> None:
        async with bench(reading(1)) as made:
            client = await made.client()
            await client.send(post(f"Content-Length: {len(DATA)}", "Expect: 100-continue"))
            assert (await client.reply()).status == 100
            sending = asyncio.get_running_loop().create_task(client.send(DATA))
            assert (await client.reply()).body == b"whole"
            await sending

    run(test)


async def _shut(client: Client) -> None:
    client.shut()


async def _wait(client: Client) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(("end", "code"), [(_shut, b"IncompleteBody"), (_wait, b"RequestTimeout")])
@pytest.mark.parametrize("at_least", [1, len(DATA)])
def test_a_body_that_does_not_come_is_told_so(
    end: Callable[[Client], "asyncio.Future[None]"], code: bytes, at_least: int
) -> None:
    async def test() -> None:
        async with bench(reading(at_least), QUICK) as made:
            client = await made.client()
            await client.send(post(f"Content-Length: {len(DATA)}") + DATA[:50_000])
            await end(client)
            reply = await client.reply()
            assert (reply.status, reply.body.split()[0]) == (400, code)

    run(test)
