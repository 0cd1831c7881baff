"""What is asked of each server: the same objects, the same requests, all signed."""

import os
from hashlib import sha256

from load import NextRequest, Request, do_all
from peers import Endpoint
from sigv4 import Signer

BUCKET = "bench"
SMALL_BYTES = 4096
LARGE_BYTES = 64 << 20
_SMALL_OBJECTS = 1000
_LARGE_OBJECTS = 4
_LIST_QUERY = "list-type=2&max-keys=1000&prefix=get%2F"
_LISTED_OBJECT_BYTES = 226  # Of XML, roughly; only for the throughput column.


class Workloads:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._signer = Signer(f"{endpoint.host}:{endpoint.port}", endpoint.access_key, endpoint.secret_key)
        # A few bodies, hashed beforehand: what is measured is the server, not the client's SHA-256.
        self._small = [os.urandom(SMALL_BYTES) for _ in range(16)]
        self._small_hashes = [sha256(body).hexdigest() for body in self._small]
        self._large = memoryview(os.urandom(LARGE_BYTES))
        self._large_hash = sha256(self._large).hexdigest()
        self._round = 0

    def prepare(self) -> None:
        address = self._endpoint.address
        do_all(address, [(self._signer.head("PUT", f"/{BUCKET}", more="content-length: 0\r\n"), b"")])
        do_all(address, [self._put_small(f"get/{n:04}", n) for n in range(_SMALL_OBJECTS)], 8)
        do_all(address, [self._put_large(f"large/{n}") for n in range(_LARGE_OBJECTS)], 1)

    def _put_small(self, key: str, number: int) -> Request:
        which = number % len(self._small)
        more = f"content-length: {SMALL_BYTES}\r\n"
        return self._signer.head("PUT", f"/{BUCKET}/{key}", "", self._small_hashes[which], more), self._small[which]

    def _put_large(self, key: str) -> Request:
        more = f"content-length: {LARGE_BYTES}\r\n"
        return self._signer.head("PUT", f"/{BUCKET}/{key}", "", self._large_hash, more), self._large

    def op_bytes(self, name: str) -> int:
        return {"list_1000": 1000 * _LISTED_OBJECT_BYTES, "put_64m": LARGE_BYTES, "get_64m": LARGE_BYTES}.get(
            name, SMALL_BYTES
        )

    def requests(self, name: str) -> NextRequest:
        self._round += 1
        made: NextRequest = getattr(self, f"_{name}_request")
        return made

    def _put_4k_request(self, connection: int, number: int) -> Request:
        return self._put_small(f"put/{self._round}/{connection}/{number % 5000}", number)

    def _get_4k_request(self, connection: int, number: int) -> Request:
        # 7919 is prime: every connection walks through all objects in an order of its own.
        return self._signer.head("GET", f"/{BUCKET}/get/{(connection * 101 + number * 7919) % _SMALL_OBJECTS:04}"), b""

    def _list_1000_request(self, connection: int, number: int) -> Request:
        return self._signer.head("GET", f"/{BUCKET}", _LIST_QUERY), b""

    def _mixed_request(self, connection: int, number: int) -> Request:
        """Of twenty: twelve GETs, four PUTs, two reads of tags, one DELETE, one listing of 100."""
        step = number % 20
        if step in {3, 8, 13, 18}:
            return self._put_small(f"mixed/{self._round}/{connection}/{number // 20 % 50}/{step}", number)
        if step == 19:
            key = f"mixed/{self._round}/{connection}/{number // 20 % 50}/3"
            return self._signer.head("DELETE", f"/{BUCKET}/{key}"), b""
        if step == 10:
            return self._signer.head("GET", f"/{BUCKET}", "list-type=2&max-keys=100&prefix=get%2F"), b""
        if step in {5, 15}:
            return self._signer.head("GET", f"/{BUCKET}/get/{number % _SMALL_OBJECTS:04}", "tagging="), b""
        return self._get_4k_request(connection, number)

    def _put_64m_request(self, connection: int, number: int) -> Request:
        return self._put_large(f"in/{connection % 16}")

    def _get_64m_request(self, connection: int, number: int) -> Request:
        return self._signer.head("GET", f"/{BUCKET}/large/{(connection + number) % _LARGE_OBJECTS}"), b""
