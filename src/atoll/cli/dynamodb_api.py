"""DynamoDB's HTTP API for `atoll dynamodb`: signed with botocore, tried again when that may help. Any cloud's, not only ours.

Bodies stay JSON as they are on the wire: a client that makes objects of every attribute, and numbers of their text, is slower
and loses digits.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import botocore.session
import orjson
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionError as Unconnected
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session

from atoll.base import ids
from atoll.base.settings import DEFAULT_PORT, DEFAULT_REGION, Settings, read_facts
from atoll.cli.env import endpoint

Item = dict[str, dict[str, Any]]

ATTEMPTS_MAX = 10
WAIT_SECONDS_MAX = 5.0
_FIRST_WAIT_SECONDS = 0.05
ANSWER_SECONDS_MAX = 60
BATCH_ITEMS_MAX = 25

_WORTH_ANOTHER_TRY = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException", "InternalServerError"}
)


class Failed(Exception):
    """What to tell whoever sits at the terminal."""


class Api:
    def __init__(self, url: str, region: str, credentials: Credentials, connections: int) -> None:
        self.url = url
        self._signer = SigV4Auth(credentials, "dynamodb", region)
        self._answered = False
        self._http = URLLib3Session(max_pool_connections=connections, timeout=ANSWER_SECONDS_MAX)

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        """Raises Failed. Nothing that is asked here does harm when it is done twice."""
        body = orjson.dumps(request)
        for attempt in range(ATTEMPTS_MAX):
            last = attempt == ATTEMPTS_MAX - 1
            try:
                status, answer = self._send(operation, body)
            except (HTTPClientError, Unconnected) as error:
                # Where nobody ever answered there is no cloud; one that did may be restarting.
                if last or not self._answered:
                    raise Failed(f"{self.url} does not answer: {error}") from error
            else:
                self._answered = True
                if status == 200:
                    return answer
                code, message = _refusal(answer)
                if last or not (status >= 500 or code in _WORTH_ANOTHER_TRY):
                    raise Failed(f"{operation}: {code}: {message}")
            pause(attempt)
        raise AssertionError("the last attempt answers or raises")

    def put_all(self, table: str, items: list[Item]) -> None:
        """At most BATCH_ITEMS_MAX, of different keys. Raises Failed."""
        waiting = {table: [{"PutRequest": {"Item": item}} for item in items]}
        tries = 0
        while waiting:
            before = len(waiting[table])
            waiting = self.call("BatchWriteItem", RequestItems=waiting).get("UnprocessedItems", {})
            if waiting:
                tries = 0 if len(waiting[table]) < before else tries + 1
                if tries == ATTEMPTS_MAX:
                    raise Failed(f"{table} takes no more items: {len(waiting[table])} of a batch are left")
                pause(tries)

    def _send(self, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        }
        request = AWSRequest("POST", self.url, headers=headers, data=body)
        self._signer.add_auth(request)
        response = self._http.send(request.prepare())
        try:
            answer = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            answer = {"message": response.content[:200].decode("utf-8", "replace")}
        return response.status_code, answer if isinstance(answer, dict) else {}


def _refusal(answer: dict[str, Any]) -> tuple[str, str]:
    code = str(answer.get("__type", "unknown error")).rpartition("#")[2]
    return code, str(answer.get("message", answer.get("Message", "")))


def pause(attempt: int) -> None:
    longest = min(WAIT_SECONDS_MAX, _FIRST_WAIT_SECONDS * 2.0**attempt)
    # Somewhere in between, so that those refused together do not come back together.
    time.sleep(longest * (0.5 + int(ids.new_hex(4), 16) / 0x20000))


def connect(chosen: argparse.Namespace, connections: int) -> Api:
    """To the cloud of the data directory with its root's keys; with --endpoint to any, with the keys AWS clients find."""
    if chosen.endpoint is not None:
        session = botocore.session.get_session()
        found = session.get_credentials()
        if found is None:
            raise Failed("no keys for this endpoint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        region = chosen.region or session.get_config_variable("region") or DEFAULT_REGION
        return Api(chosen.endpoint.rstrip("/") + "/", region, found, connections)
    settings = Settings(chosen.data)
    root = read_facts(settings.root_file)
    if root is None:
        raise Failed(f"no cloud in {settings.data} yet; `atoll up` makes one")
    running = read_facts(settings.run_file) or {}
    url = endpoint(running.get("host", "127.0.0.1"), running.get("port", DEFAULT_PORT)) + "/"
    region = chosen.region or running.get("region", DEFAULT_REGION)
    return Api(url, region, Credentials(root["access_key_id"], root["secret_access_key"]), connections)


def pages(api: Api, operation: str, request: dict[str, Any], segments: int = 1) -> Iterator[list[Item]]:
    """Of Query, or of Scan in so many segments at once: a page of each is under way, and no more."""
    with ThreadPoolExecutor(segments) as pool:
        parts = [request]
        if segments > 1:
            parts = [{**request, "Segment": segment, "TotalSegments": segments} for segment in range(segments)]
        waiting: dict[Future[dict[str, Any]], dict[str, Any]] = {}

        def ask(part: dict[str, Any]) -> None:
            waiting[pool.submit(api.call, operation, **part)] = part

        for part in parts:
            ask(part)
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    part, answer = waiting.pop(future), future.result()
                    if "LastEvaluatedKey" in answer:
                        ask({**part, "ExclusiveStartKey": answer["LastEvaluatedKey"]})
                    yield answer["Items"]
        finally:
            for future in waiting:
                future.cancel()


def put_in_batches(api: Api, table: str, items: list[Item], threads: int, told: Callable[[int], None]) -> None:
    """All of them, of different keys, so that their order does not matter. Raises Failed."""
    batches = [items[start : start + BATCH_ITEMS_MAX] for start in range(0, len(items), BATCH_ITEMS_MAX)]
    with ThreadPoolExecutor(threads) as pool:
        for batch, _ in zip(batches, pool.map(lambda batch: api.put_all(table, batch), batches), strict=True):
            told(len(batch))
