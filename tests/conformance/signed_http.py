"""HTTP below the SDKs, for requests they would never send. Signed by botocore's signer, so by an oracle that is not ours."""

import base64
import hashlib
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

if TYPE_CHECKING:
    from tests.conformance.conftest import CloudUnderTest

_AUTOMATIC = -1


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # lower-case names
    body: bytes


class _Signer(S3SigV4Auth):
    """botocore's, which would otherwise choose by itself whether the payload is signed."""

    chosen = ""

    def payload(self, request: AWSRequest) -> str:
        return self.chosen


class SignedHttp:
    def __init__(
        self, cloud: "CloudUnderTest", *, access_key: str | None = None, secret_key: str | None = None
    ) -> None:
        self.port = cloud.port
        self.region = cloud.region
        self.host = f"127.0.0.1:{cloud.port}"
        self.credentials = Credentials(access_key or cloud.access_key, secret_key or cloud.secret_key)

    def sign(
        self, method: str, target: str, body: bytes = b"", *, payload: str | None = None, **headers: str
    ) -> dict[str, str]:
        """The headers of a signed request; `target` is the raw path and query, exactly as it will be sent."""
        sent = {
            "Host": self.host,
            "X-Amz-Content-SHA256": payload or hashlib.sha256(body).hexdigest(),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = AWSRequest(method, f"http://{sent['Host']}{target}", headers=sent)
        signer = _Signer(self.credentials, "s3", self.region)
        signer.chosen = sent["X-Amz-Content-SHA256"]
        signer.add_auth(request)
        return dict(request.headers.items())

    def send(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        *,
        payload: str | None = None,
        length: int | None = _AUTOMATIC,
        content_md5: bool = False,
        expect: bool = False,
        **headers: str,
    ) -> Answer:
        if content_md5:
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        signed = self.sign(method, target, body, payload=payload, **headers)
        if length is not None and (body or length != _AUTOMATIC or method in {"PUT", "POST"}):
            signed["Content-Length"] = str(len(body) if length == _AUTOMATIC else length)
        if expect:
            signed["Expect"] = "100-continue"
        return self.send_raw(method, target, signed, body)

    def send_raw(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
        """Nothing added, nothing quoted: http.client would refuse what hostile clients send."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.connect()
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        try:
            connection.sock.sendall(head.encode("latin-1") + b"\r\n" + body)
            answer = http.client.HTTPResponse(connection.sock, method=method)
            answer.begin()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()
