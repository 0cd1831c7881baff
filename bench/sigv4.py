"""A client's SigV4 at the price of two hash states: for load generators whose own cost must not show in the results.

`head` signs exactly host, x-amz-content-sha256 and x-amz-date, and answers the whole request head as bytes; `post` signs
host, x-amz-date and x-amz-target, as the SDKs do for protocols of JSON.
"""

import hmac
import time
from hashlib import sha256

EMPTY_SHA256 = sha256().hexdigest()
_SIGNED = "host;x-amz-content-sha256;x-amz-date"
_SIGNED_POST = "host;x-amz-date;x-amz-target"
_IPAD = bytes(byte ^ 0x36 for byte in range(256))
_OPAD = bytes(byte ^ 0x5C for byte in range(256))


class Signer:
    def __init__(
        self, host: str, access_key: str, secret_key: str, region: str = "us-east-1", service: str = "s3"
    ) -> None:
        self.host = host
        self._access_key = access_key
        self._secret_key = secret_key
        self._scope_tail = f"{region}/{service}/aws4_request"
        self._parts = (region, service, "aws4_request")
        self._second = 0
        self._timestamp = ""
        self._refresh(int(time.time()))

    def _refresh(self, second: int) -> None:
        """Once a second the date line changes, and once a day the key."""
        self._second = second
        moment = time.gmtime(second)
        timestamp = time.strftime("%Y%m%dT%H%M%SZ", moment)
        if timestamp[:8] != self._timestamp[:8]:
            key = b"AWS4" + self._secret_key.encode()
            for part in (timestamp[:8], *self._parts):
                key = hmac.digest(key, part.encode(), "sha256")
            block = key.ljust(64, b"\0")
            self._inner = sha256(block.translate(_IPAD))
            self._outer = sha256(block.translate(_OPAD))
        self._timestamp = timestamp
        scope = f"{timestamp[:8]}/{self._scope_tail}"
        self._to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n"
        self._authorization = f"authorization: AWS4-HMAC-SHA256 Credential={self._access_key}/{scope}, SignedHeaders="

    def _sign(self, canonical: str, signed: str) -> str:
        """The authorization line."""
        inner = self._inner.copy()
        inner.update(f"{self._to_sign}{sha256(canonical.encode()).hexdigest()}".encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return f"{self._authorization}{signed}, Signature={outer.hexdigest()}"

    def _keep_time(self) -> None:
        second = int(time.time())
        if second != self._second:
            self._refresh(second)

    def head(self, method: str, path: str, query: str = "", payload_hash: str = EMPTY_SHA256, more: str = "") -> bytes:
        """`path` and `query` are in canonical form already: percent-encoded, the query sorted. `more` are unsigned header lines."""
        self._keep_time()
        headers = f"host:{self.host}\nx-amz-content-sha256:{payload_hash}\nx-amz-date:{self._timestamp}\n"
        canonical = f"{method}\n{path}\n{query}\n{headers}\n{_SIGNED}\n{payload_hash}"
        target = f"{path}?{query}" if query else path
        return (
            f"{method} {target} HTTP/1.1\r\nhost: {self.host}\r\nx-amz-date: {self._timestamp}\r\n"
            f"x-amz-content-sha256: {payload_hash}\r\n{self._sign(canonical, _SIGNED)}\r\n{more}\r\n"
        ).encode()

    def post(self, target: str, body: bytes, content_type: str) -> bytes:
        self._keep_time()
        headers = f"host:{self.host}\nx-amz-date:{self._timestamp}\nx-amz-target:{target}\n"
        canonical = f"POST\n/\n\n{headers}\n{_SIGNED_POST}\n{sha256(body).hexdigest()}"
        return (
            f"POST / HTTP/1.1\r\nhost: {self.host}\r\nx-amz-date: {self._timestamp}\r\nx-amz-target: {target}\r\n"
            f"content-type: {content_type}\r\ncontent-length: {len(body)}\r\n{self._sign(canonical, _SIGNED_POST)}\r\n\r\n"
        ).encode()
