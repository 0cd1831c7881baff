"""Clients that remember what they were told, and a checker that holds the server to it.

Every key belongs to one client, so its history is a sequence. A body tells which attempt wrote it and carries a digest of itself:

    key | attempt | length \n  pseudo-random bytes of that seed  sha256 of all before

An acknowledged write fixes what a key holds. One that got no answer, or a 503, may have happened or not: both are possible until the
next read or write that is acknowledged. A read must be one of the possible, whole, and with the right ETag.
"""

import hashlib
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.conformance.signed_http import Answer
from tests.fault.kept_connection import KeptConnection, NoAnswer

PART_BYTES_MIN = 5 * 2**20
_DIGEST_BYTES = 32
Value = str | None
"""Which attempt's bytes a key holds; None: nothing."""


def body_of(label: str, size: int) -> bytes:
    filler = random.Random(label).randbytes(max(0, size - _DIGEST_BYTES))
    text = f"{label}|{len(filler)}\n".encode() + filler
    return text + hashlib.sha256(text).digest()


def label_of(body: bytes) -> str:
    """Which attempt wrote it. Raises AssertionError when it is torn or mixed."""
    head, _, rest = body.partition(b"\n")
    label, _, length = head.decode(errors="replace").rpartition("|")
    assert length.isdigit(), f"not a body of ours: {body[:80]!r}..."
    assert len(rest) == int(length) + _DIGEST_BYTES, (
        f"{label}: {len(rest)} bytes instead of {int(length) + _DIGEST_BYTES}"
    )
    assert hashlib.sha256(body[:-_DIGEST_BYTES]).digest() == body[-_DIGEST_BYTES:], f"{label}: its digest is wrong"
    return label


@dataclass
class History:
    """What one key may hold."""

    possible: set[Value] = field(default_factory=lambda: {None})
    attempts: int = 0

    def acknowledged(self, value: Value) -> None:
        self.possible = {value}

    def uncertain(self, value: Value) -> None:
        self.possible = self.possible | {value}

    def seen(self, value: Value) -> None:
        assert value in self.possible, f"holds {value}, though only {self.possible} is possible"
        self.possible = {value}


class Client(threading.Thread):
    """One client and its keys. `failure` is the first thing that should not have been."""

    def __init__(self, number: int, connection: KeptConnection, bucket: str, versioned_bucket: str, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.number = number
        self.connection = connection
        self.bucket = bucket
        self.versioned_bucket = versioned_bucket
        self.chance = random.Random(f"{seed}/{number}")
        self.histories = {f"c{number}/k{n}": History() for n in range(12)}
        self.versions: dict[str, str] = {}  # Acknowledged version ids, and what they hold.
        self.version_attempts = 0
        self.done: Counter[str] = Counter()
        self.unanswered = 0
        self.failure: str | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        steps = (
            [self.put] * 8
            + [self.get] * 6
            + [self.delete] * 2
            + [self.copy] * 2
            + [self.put_version] * 2
            + [self.upload_parts]
        )
        while not self.stopping.is_set() and self.failure is None:
            step = self.chance.choice(steps)
            key = self.chance.choice(list(self.histories))
            try:
                step(key)
                self.done[step.__name__] += 1
            except NoAnswer:
                self.unanswered += 1
                time.sleep(0.02)
            except AssertionError as error:
                self.failure = f"{self.name}, {step.__name__} of {key}: {error}"
        self.connection.close()

    def _size(self) -> int:
        return self.chance.choice([self.chance.randint(0, 4096), self.chance.randint(17_000, 300_000), 1_200_000])

    def _path(self, key: str, bucket: str | None = None) -> str:
        return f"/{bucket or self.bucket}/{quote(key)}"

    def _next_label(self, key: str) -> str:
        history = self.histories[key]
        history.attempts += 1
        return f"{key}#{history.attempts}"

    def _write(self, key: str, value: Value, *request: Any, **headers: str) -> Answer:
        """Sends what makes `key` hold `value`, and notes what that means for its history."""
        history = self.histories[key]
        history.uncertain(value)  # From the first byte on.
        answer = self.connection.send(*request, **headers)
        if answer.status in {200, 204}:
            history.acknowledged(value)
        else:
            # Anything but "not now" is wrong: no request here is at fault.
            assert answer.status == 503, f"{answer.status} {answer.body[:300]!r}"
        return answer

    def put(self, key: str) -> None:
        label = self._next_label(key)
        body = body_of(label, self._size())
        answer = self._write(key, label, "PUT", self._path(key), body)
        if answer.status == 200:
            assert answer.headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'

    def delete(self, key: str) -> None:
        self._write(key, None, "DELETE", self._path(key))

    def copy(self, key: str) -> None:
        source = self.chance.choice([other for other in self.histories if other != key])
        possible = self.histories[source].possible
        if len(possible) != 1 or None in possible:
            return
        (label,) = possible
        answer = self._write(key, label, "PUT", self._path(key), **{"x-amz-copy-source": self._path(source)})
        assert answer.status != 200 or b"<ETag>" in answer.body, answer

    def upload_parts(self, key: str) -> None:
        label = self._next_label(key)
        body = body_of(label, PART_BYTES_MIN + 50_000 if self.chance.random() < 0.3 else 50_000)
        begun = self.connection.send("POST", f"{self._path(key)}?uploads")
        if begun.status != 200:
            return
        upload_id = _between(begun.body, "UploadId")
        listed = ""
        for number, start in enumerate(range(0, len(body), PART_BYTES_MIN), 1):
            part = body[start : start + PART_BYTES_MIN]
            sent = self.connection.send("PUT", f"{self._path(key)}?partNumber={number}&uploadId={upload_id}", part)
            if sent.status != 200:
                assert sent.status == 503, f"{sent.status} {sent.body[:300]!r}"
                return
            listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{sent.headers['etag']}</ETag></Part>"
        if self.chance.random() < 0.15:
            return  # Left lying, as clients that die leave them.
        whole = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
        self._write(key, label, "POST", f"{self._path(key)}?uploadId={upload_id}", whole)

    def put_version(self, key: str) -> None:
        self.version_attempts += 1
        label = f"v-{key}#{self.version_attempts}"
        answer = self.connection.send("PUT", self._path(key, self.versioned_bucket), body_of(label, self._size()))
        if answer.status == 200:
            self.versions[f"{key}?versionId={answer.headers['x-amz-version-id']}"] = label
        else:
            assert answer.status == 503, f"{answer.status} {answer.body[:300]!r}"

    def get(self, key: str) -> None:
        answer = self.connection.send("GET", self._path(key))
        if answer.status == 503:
            return
        self.histories[key].seen(held(answer))

    def verify_all(self) -> int:
        """After the storm: every key once more, and every acknowledged version. Answers how many bodies were read."""
        count = 0
        for key, history in self.histories.items():
            answer = self.connection.send("GET", self._path(key))
            try:
                history.seen(held(answer))
            except AssertionError as error:
                raise AssertionError(f"{key}: {error}") from None
            count += answer.status == 200
        for place, label in self.versions.items():
            path, _, query = place.partition("?")
            answer = self.connection.send("GET", f"{self._path(path, self.versioned_bucket)}?{query}")
            assert held(answer) == label, f"version {place}: {answer.status}, {label} was acknowledged"
            count += 1
        return count


def held(answer: Answer) -> Value:
    """What an answered GET says the key holds, once its body is known to be whole."""
    if answer.status == 404:
        return None
    assert answer.status == 200, f"{answer.status} {answer.body[:300]!r}"
    label = label_of(answer.body)
    if "-" not in answer.headers["etag"]:
        assert answer.headers["etag"] == f'"{hashlib.md5(answer.body).hexdigest()}"', label
    return label


def _between(document: bytes, name: str) -> str:
    found = re.search(f"<{name}>([^<]+)</{name}>".encode(), document)
    assert found is not None, document
    return found[1].decode()
