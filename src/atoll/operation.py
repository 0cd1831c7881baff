"""An operation: one AWS API call as one store transaction. Read, change, answer.

A service is a table of operations. `read` operations get a snapshot and cannot write; `write` operations get a
transaction and may be run again; `stream` operations move bodies too big for memory: they write blobs first and
end in at most one `call.write`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from atoll.aws.cors import Rule
from atoll.base import ids
from atoll.blobs.contract import Blobs
from atoll.store import Reader, Store, Tx

T = TypeVar("T")
Request = dict[str, Any]
Reply = dict[str, Any]
Function = Callable[["Call", Any], Awaitable[Any]]


class Kind(StrEnum):
    READ = "read"
    WRITE = "write"
    STREAM = "stream"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed the call. `session` are facts a policy may ask about (aws:PrincipalTag..., a session policy)."""

    account: str
    arn: str
    user_id: str
    access_key_id: str
    kind: str  # "root", "user", "assumed-role", "federated-user", "anonymous"; "service" never comes from the wire
    session: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_root(self) -> bool:
        return self.kind == "root"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a key pair is worth: the secret its requests are signed with, and whom they speak for."""

    secret_key: str
    identity: Identity
    session_token: str = ""  # Temporary keys are only good together with it.
    expires: float = 0.0  # Unix seconds; 0 is never.


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing the caller must be allowed: an action on a resource, with what conditions may ask about.

    `granted`: the resource's own policy (a bucket's, a role's trust) already allows it to this caller, so that only
    a denial, or the bounds of a session, can still refuse it.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Any] = field(default_factory=dict)
    granted: bool = False


class Sink(Protocol):
    """Takes a body's bytes. Called from one thread at a time, never from two at once; may block."""

    def write(self, data: memoryview) -> None: ...


@runtime_checkable
class Lender(Sink, Protocol):
    """A sink that bytes may be received straight into: what is lent is filled from its start, then `took` says how far."""

    def lend(self) -> memoryview:
        """Room for at least one byte. It is good until `took` or `write`."""
        ...

    def took(self, count: int) -> None: ...


class Body(Protocol):
    """A request body, decoded (no chunk framing) and verified (payload hash, chunk signatures, length).

    Nothing a body delivers may be committed before `drain` or `read` has returned: only then is it known to be whole and
    signed. Both raise AwsError (IncompleteBody, XAmzContentSHA256Mismatch, SignatureDoesNotMatch...).
    """

    length: int | None
    """Decoded bytes, when known beforehand (Content-Length or x-amz-decoded-content-length)."""

    trailers: Mapping[str, str]
    """Lower-case names; complete once the body has been drained."""

    def in_memory(self) -> bytes | None:
        """The whole body when it is small and already here (and verified), else None: the fast path."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises AwsError EntityTooLarge above `limit` bytes."""
        ...

    async def drain(self, sink: Sink) -> None: ...


@dataclass(slots=True)
class Segment:
    """Bytes [offset, offset + length) of a blob."""

    blob_id: str
    offset: int
    length: int


@dataclass(slots=True)
class BlobBody:
    """A reply body that lies in blobs. The gateway sends it (sendfile where it can) and then calls `close`.

    When `first` is given it is the already open descriptor of the first segment. Segments after the first are opened one by one.
    The gateway closes the descriptors, `first` included; `close` lets go of the rest (a hold on the blobs).
    """

    blobs: Blobs
    segments: Sequence[Segment]
    first: int | None = None
    close: Callable[[], None] | None = None

    @property
    def length(self) -> int:
        return sum(segment.length for segment in self.segments)


@dataclass(slots=True)
class HttpFacts:
    """What of the HTTP request itself an operation may need beyond its modelled members."""

    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    source_ip: str = "127.0.0.1"
    secure: bool = False
    body: bytes = b""  # As it came, where the payload does not stream: for digests of the document it is


class Authorise(Protocol):
    async def __call__(self, call: "Call", permissions: Sequence[Permission]) -> None:
        """Raises AwsError AccessDenied (or the service's own code) unless every permission is granted."""
        ...


@dataclass(slots=True)
class Cloud:
    """What every call shares: the engines and the registry. Built once per process by `node`."""

    store: Store
    blobs: Blobs
    services: Mapping[str, "Service"]
    authorise: Authorise
    now: Callable[[], float]  # Unix seconds
    region: str = "us-east-1"


class Call:
    """One API call on its way through an operation. All an operation may touch."""

    __slots__ = ("cloud", "http", "identity", "now", "premises", "region", "request_id", "service", "tx")

    def __init__(
        self,
        cloud: Cloud,
        service: "Service",
        identity: Identity,
        *,
        region: str | None = None,
        request_id: str | None = None,
        http: HttpFacts | None = None,
    ) -> None:
        self.cloud = cloud
        self.service = service
        self.identity = identity
        self.region = region or cloud.region
        self.request_id = request_id or ids.new_request_id()
        self.http = http or HttpFacts()
        self.now = cloud.now()
        self.premises: dict[str, Any] = {}  # What the service's own judgement (Service.weigh) rests on.
        self.tx: Any = None  # A Reader in reads, a Tx in writes, None in streams until call.read / call.write.

    @property
    def account(self) -> str:
        return self.identity.account

    @property
    def blobs(self) -> Blobs:
        return self.cloud.blobs

    async def read(self, fn: Callable[["Call"], Awaitable[T]]) -> T:
        """Runs `fn` with self.tx a snapshot: for `stream` operations."""
        async with self.cloud.store.snapshot() as reader:
            self.tx = reader
            try:
                return await fn(self)
            finally:
                self.tx = None

    async def write(self, fn: Callable[["Call"], Awaitable[T]]) -> T:
        """Runs `fn` with self.tx a transaction, perhaps more than once: the last step of a `stream` operation."""

        async def attempt(tx: Tx) -> T:
            self.tx = tx
            return await fn(self)

        try:
            return await self.cloud.store.run(attempt)
        finally:
            self.tx = None

    async def authorise(self, *permissions: Permission) -> None:
        """For what only shows inside an operation (a copy's source); `perform` has asked for the rest."""
        weigh = self.service.weigh
        await self.cloud.authorise(self, permissions if weigh is None else await weigh(self, permissions))

    async def api(
        self, service: str, operation: str, request: Request, *, as_service: bool = False, account: str = ""
    ) -> Reply:
        """Another service's public API, in process, authorised as this caller.

        `as_service` asks in this service's own name instead (in `account`, when not the caller's): for what it must know
        to answer, whoever asks. What it then tells the caller is its own responsibility.
        """
        identity = self.identity
        if as_service:
            principal = f"{self.service.name}.amazonaws.com"
            identity = Identity(account or self.account, principal, principal, "", "service")
        other = Call(
            self.cloud,
            self.cloud.services[service],
            identity,
            region=self.region,
            request_id=self.request_id,
            http=self.http,
        )
        return await perform(other, operation, request)


Permits = Callable[[Call, str, Request], Sequence[Permission]]
Weigh = Callable[[Call, Sequence[Permission]], Awaitable[Sequence[Permission]]]
"""Adds what the resources themselves say of the caller: raises AwsError AccessDenied, or answers what is left to ask of IAM."""

CrossOriginRules = Callable[[Reader, str], Awaitable[list[Rule] | None]]
"""By a bucket's name; None where there is no such bucket."""


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    kind: Kind
    function: Function
    refuses: bool = False  # It only says, in AWS's words, that this cannot be had here.


class Service:
    """A table of operations by their AWS names."""

    def __init__(self, name: str, permits: Permits | None = None) -> None:
        self.name = name  # botocore's name of the service
        self.permits: Permits = permits or self._one_action
        self.weigh: Weigh | None = None  # Of services whose resources have policies.
        self.denial = ("AccessDenied", 403)  # The code and status of what it does not allow.
        self.cross_origin: CrossOriginRules | None = None  # S3's: the gateway answers browsers by them.
        self.operations: dict[str, Operation] = {}

    def _one_action(self, call: Call, operation: str, request: Request) -> Sequence[Permission]:
        return (Permission(f"{self.name}:{operation}"),)

    def _register(self, name: str, kind: Kind, *, refuses: bool = False) -> Callable[[Function], Function]:
        def decorate(function: Function) -> Function:
            assert name not in self.operations, f"{self.name} has two of {name}"
            self.operations[name] = Operation(name, kind, function, refuses)
            return function

        return decorate

    def read(self, name: str) -> Callable[[Function], Function]:
        return self._register(name, Kind.READ)

    def refusal(self, name: str) -> Callable[[Function], Function]:
        """Of what cannot be had here: the function raises AwsError, whatever is asked."""
        return self._register(name, Kind.READ, refuses=True)

    def write(self, name: str) -> Callable[[Function], Function]:
        return self._register(name, Kind.WRITE)

    def stream(self, name: str) -> Callable[[Function], Function]:
        return self._register(name, Kind.STREAM)


async def perform(call: Call, name: str, request: Request) -> Reply:
    """Authorises and runs one operation. Raises AwsError, or the store's errors."""
    operation = call.service.operations[name]
    await call.authorise(*call.service.permits(call, name, request))
    if operation.kind is Kind.STREAM:
        return await operation.function(call, request) or {}
    if operation.kind is Kind.READ:
        return await call.read(lambda c: operation.function(c, request)) or {}
    return await call.write(lambda c: operation.function(c, request)) or {}


__all__ = [
    "Authorise",
    "BlobBody",
    "Body",
    "Call",
    "Cloud",
    "Credential",
    "CrossOriginRules",
    "HttpFacts",
    "Identity",
    "Kind",
    "Lender",
    "Operation",
    "Permission",
    "Permits",
    "Reader",
    "Reply",
    "Request",
    "Segment",
    "Service",
    "Sink",
    "Weigh",
    "perform",
]
