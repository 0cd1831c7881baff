"""Sends mutated requests to a server of its own, and says which answers are not what they must be.

Every answer is a 200, or a refusal with a code of AWS's; none takes long; the workers live on, stay small and log no bug.
"""

import json
import os
from collections import Counter
from pathlib import Path

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from tests.conformance.conftest import CloudUnderTest
from tests.conformance.signed_http import Answer
from tests.fault.dynamodb_mutations import Mutator
from tests.fault.dynamodb_requests import World
from tests.fault.dynamodb_wire import Connection
from tests.server import Server

# Of a worker's own time, so that whatever else the machine does is not held against it.
SECONDS_MAX = 2.0
SECONDS_MAX_PER_MIB = 0.25
RESIDENT_GROWTH_KIB_MAX = 768 * 1024  # The greatest bodies leave holes, as big as they were, for the next ones.
_RESTORED_EVERY = 100
_TICKS = os.sysconf("SC_CLK_TCK")


class Fuzzer:
    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.statuses: Counter[int] = Counter()
        self.connection = Connection(CloudUnderTest(server.endpoint, server.exports, server))
        self._world = World(self.connection)
        self._processes = server.processes()
        self._resident_kib = self.resident_kib()

    def run(self, number: int) -> None:
        """Raises AssertionError with what reproduces it."""
        if number % _RESTORED_EVERY == 0:
            self._world.restore()
        operation, body, more = Mutator(self.seed, number, self._world.requests()).request()
        before = self._worked_seconds()
        answer = send(self.connection, operation, body, **more)
        seconds = self._worked_seconds() - before
        self.statuses[answer.status] += 1
        try:
            judge(answer)
            assert seconds < SECONDS_MAX + SECONDS_MAX_PER_MIB * len(body) / 2**20, f"it took {seconds:.1f} s"
        except AssertionError as error:
            raise AssertionError(
                f"seed {self.seed} case {number}: {error}\n  {operation} {len(body)} bytes {body[:1500]!r}\n"
                f"  {answer.status} {answer.body[:500]!r}\n{self.server.tail(30)}"
            ) from None

    def check(self) -> None:
        assert self.server.processes() == self._processes, f"seed {self.seed}: a worker has died"
        grown = self.resident_kib() - self._resident_kib
        assert grown < RESIDENT_GROWTH_KIB_MAX, f"seed {self.seed}: the server has grown by {grown // 1024} MiB"
        assert "Traceback" not in self.server.log.read_text(errors="replace"), self.server.tail()

    def _worked_seconds(self) -> float:
        ticks = 0
        for pid in self._processes:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / _TICKS

    def resident_kib(self) -> int:
        return sum(
            int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) for pid in self._processes
        )


def judge(answer: Answer) -> None:
    assert answer.status == 200 or 400 <= answer.status < 500, f"status {answer.status}"
    document = json.loads(answer.body) if answer.body else {}
    assert isinstance(document, dict), "an answer that is no JSON object"
    if answer.status != 200:
        package, sign, code = document["__type"].partition("#")
        assert package.startswith("com.amazon"), f"a refusal of the type {document['__type']}"
        assert sign == "#"
        assert code.isalpha()
        assert code[0].isupper()


def send(connection: Connection, operation: str, body: bytes, **headers: str) -> Answer:
    named = {
        "Host": connection.host,
        "X-Amz-Target": operation if "." in operation else f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = AWSRequest("POST", f"http://{connection.host}/", headers=named, data=body)
    SigV4Auth(connection.credentials, "dynamodb", connection.region).add_auth(request)
    return connection.send_raw("POST", "/", {**dict(request.headers.items()), "Content-Length": str(len(body))}, body)
