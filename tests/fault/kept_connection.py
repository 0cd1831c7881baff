"""One signed connection, kept until it fails; it never tries a request twice."""

import http.client
import socket
from contextlib import suppress
from typing import Any

from tests.conformance.signed_http import Answer, SignedHttp

CLIENT_TIMEOUT_SECONDS = 30


class NoAnswer(Exception):
    """The connection ended before the answer was whole: the request may have been carried out."""


class KeptConnection(SignedHttp):
    _socket: socket.socket | None = None

    def send_raw(self, method: str, target: str, headers: Any, body: bytes = b"") -> Answer:
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        try:
            if self._socket is None:
                self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=CLIENT_TIMEOUT_SECONDS)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(head.encode() + b"\r\n" + body)
            answer = http.client.HTTPResponse(self._socket, method=method)
            answer.begin()
            found = {name.lower(): value for name, value in answer.getheaders()}
            data = answer.read()
            if answer.will_close:
                self.close()
            return Answer(answer.status, found, data)
        except TimeoutError:
            raise AssertionError(f"no answer to {method} {target} within {CLIENT_TIMEOUT_SECONDS} s") from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NoAnswer(repr(error)) from error

    def close(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
        self._socket = None
