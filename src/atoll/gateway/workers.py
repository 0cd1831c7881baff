"""The processes of one node: a small parent that holds the listening sockets, and one worker on each.

    starting --ready--> serving --drain--> draining --exit-->
        \\____ exit _______/  (replaced on the same socket, whose backlog outlives it)

The parent forks: it runs no loop and no thread, so a fork is safe at any moment, takes milliseconds, and hands over sockets and
closures as they are. What a worker imports itself is read anew by each successor, so SIGHUP also brings in new code.
One channel (a socket pair) joins parent and worker: `r` up says ready; `d` down says drain, `s` stop; its end says that
the other side has died.
"""

import asyncio
import contextlib
import logging
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

log = logging.getLogger(__name__)

READY: Final = b"r"
DRAIN: Final = b"d"
STOP: Final = b"s"
BACKLOG: Final = 4096  # The kernel's own default limit.
STOP_SECONDS: Final = 12.0  # From asking all to stop to killing those that have not.
STEADY_SECONDS: Final = 5.0  # A worker that lived longer did not die of how it starts.
BACKOFF_SECONDS: Final = 0.25  # After the second early death in a row, doubled with each further one.
BACKOFF_SECONDS_MAX: Final = 15.0
SWITCH_SECONDS: Final = 0.0005  # A pool thread back from the kernel waits at most so long for the interpreter's lock.


class WorkerControl:
    """A worker's side of the channel. The parent sets `draining` and `hurried` (http.Stopping); its death sets both."""

    def __init__(self, channel: socket.socket, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self.draining = asyncio.Event()
        self.hurried = asyncio.Event()
        self._channel = channel
        channel.setblocking(False)  # noqa: FBT003
        loop = asyncio.get_running_loop()
        loop.add_reader(channel, self._listen)
        loop.add_signal_handler(signal.SIGTERM, self._stop)

    def ready(self) -> None:
        """Connections are being accepted: a predecessor may go."""
        with contextlib.suppress(OSError):
            self._channel.send(READY)

    def _listen(self) -> None:
        try:
            orders = self._channel.recv(16)
        except BlockingIOError:
            return
        except OSError:
            orders = b""
        if not orders:
            asyncio.get_running_loop().remove_reader(self._channel)
        self.draining.set()
        if not orders or STOP in orders:
            self.hurried.set()

    def _stop(self) -> None:
        self.draining.set()
        self.hurried.set()


WorkerMain = Callable[[socket.socket, WorkerControl], Coroutine[Any, Any, None]]


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """`count` sockets on one address, among which the kernel spreads the connections. Port 0: any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as on_failure:

        def bound(port: int, *, shared: bool) -> socket.socket:
            sock = on_failure.enter_context(socket.socket(family))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((host, port))
            return sock

        # Alone first: SO_REUSEPORT would let a second Atoll share the port with this one, silently.
        sockets = [bound(port, shared=False)]
        if count > 1:
            port = sockets[0].getsockname()[1]
            sockets[0].close()
            sockets = [bound(port, shared=True) for _ in range(count)]
        for sock in sockets:
            sock.listen(BACKLOG)
        on_failure.pop_all()
    return sockets


def run_workers(sockets: Sequence[socket.socket], worker_main: WorkerMain, on_ready: Callable[[], None]) -> int:
    """Runs one worker on each socket until SIGTERM or SIGINT, and answers an exit status. SIGHUP replaces all workers.

    Takes over the process's signals, so it is called from its main thread, before any other thread or loop has started.
    `on_ready` is called once, when all serve. When a first worker dies before it was ready, all end, with status 1.
    """
    return _Parent(sockets, worker_main, on_ready).run()


@dataclass(slots=True, eq=False)
class _Worker:
    pid: int
    channel: socket.socket
    slot: "_Slot"
    started: float
    ready: bool = False


@dataclass(slots=True, eq=False)
class _Slot:
    """One socket and who serves it."""

    index: int
    sock: socket.socket
    current: _Worker | None = None
    successor: _Worker | None = None  # Starting; the current one serves until it is ready.
    replace_again: bool = False  # SIGHUP came while one was starting: that one may have read what is now old.
    early_deaths: int = 0
    start_at: float | None = None


class _Parent:
    def __init__(self, sockets: Sequence[socket.socket], worker_main: WorkerMain, on_ready: Callable[[], None]) -> None:
        self._slots = [_Slot(index, sock) for index, sock in enumerate(sockets)]
        self._worker_main = worker_main
        self._on_ready = on_ready
        self._announced = False
        self._workers: dict[int, _Worker] = {}
        self._selector = selectors.DefaultSelector()
        self._status: int | None = None  # Once it is stopping.
        self._kill_at = 0.0

    def run(self) -> int:
        with self._signals() as signals:
            self._selector.register(signals, selectors.EVENT_READ)
            for slot in self._slots:
                slot.current = self._start(slot)
            while self._status is None or self._workers:
                self._turn(signals)
        self._selector.close()
        return self._status

    def _turn(self, signals: socket.socket) -> None:
        for key, _ in self._selector.select(self._wait_seconds()):
            if key.fileobj is signals:
                for number in signals.recv(64):
                    self._signalled(number)
            elif key.data.pid in self._workers:  # Not reaped a moment ago, in this same turn.
                self._heard(key.data)
        now = time.monotonic()
        for slot in self._slots:
            if slot.start_at is not None and slot.start_at <= now and self._status is None:
                slot.start_at = None
                slot.current = self._start(slot)
        if self._status is not None and now >= self._kill_at:
            for pid in self._workers:
                os.kill(pid, signal.SIGKILL)
            self._kill_at = now + 1

    def _wait_seconds(self) -> float | None:
        if self._status is not None:
            return max(0.0, self._kill_at - time.monotonic())
        starts = [slot.start_at for slot in self._slots if slot.start_at is not None]
        return max(0.0, min(starts) - time.monotonic()) if starts else None

    # Signals.

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """A socket that yields the number of each signal that arrives."""
        handled, before = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD), {}
        receiver, sender = socket.socketpair()
        with receiver, sender:
            sender.setblocking(False)  # noqa: FBT003
            wakeup = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
            for number in handled:
                before[number] = signal.signal(number, lambda *_: None)
            try:
                yield receiver
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakeup)

    def _signalled(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP and self._status is None:
            log.info("replacing the workers")
            for slot in self._slots:
                self._replace(slot)
        elif number in (signal.SIGTERM, signal.SIGINT):
            # Asked a second time, it waits no longer.
            self._stop(0, STOP_SECONDS if self._status is None else 0.0)

    def _stop(self, status: int, within_seconds: float) -> None:
        self._status = status
        self._kill_at = time.monotonic() + within_seconds
        for worker in self._workers.values():
            _tell(worker, STOP)

    # Workers.

    def _start(self, slot: _Slot) -> _Worker:
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_worker(slot, theirs, ours)
        theirs.close()
        worker = self._workers[pid] = _Worker(pid, ours, slot, time.monotonic())
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker

    def _become_worker(self, slot: _Slot, channel: socket.socket, *others: socket.socket) -> NoReturn:
        """Never returns into the parent's frames, whatever happens."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # A terminal sends them to all; the parent decides.
            # A sibling that held the parent's ends would keep a worker from seeing the parent die.
            self._selector.close()
            siblings = [worker.channel for worker in self._workers.values()]
            for sock in (*others, *siblings, *(other.sock for other in self._slots if other is not slot)):
                sock.close()
            _run(self._worker_main, slot.sock, channel, (slot.index, len(self._slots)))
            status = 0
        finally:
            if sys.exc_info()[0] is not None:
                sys.excepthook(*sys.exc_info())
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _replace(self, slot: _Slot) -> None:
        if slot.current is None:
            slot.start_at = None
            slot.current = self._start(slot)
        elif slot.successor is None and slot.current.ready:
            slot.successor = self._start(slot)
        else:
            slot.replace_again = True

    def _heard(self, worker: _Worker) -> None:
        try:
            said = worker.channel.recv(16)
        except ConnectionResetError:
            said = b""  # It ended without having read what it was told last.
        if not said:
            self._selector.unregister(worker.channel)  # SIGCHLD tells the rest.
            return
        worker.ready = True
        slot = worker.slot
        if slot.successor is worker:
            if slot.current is not None:
                _tell(slot.current, DRAIN)
            slot.current, slot.successor = worker, None
        if slot.replace_again and slot.current is worker:
            slot.replace_again = False
            self._replace(slot)
        if not self._announced and all(each.current is not None and each.current.ready for each in self._slots):
            self._announced = True
            self._on_ready()

    def _reap(self) -> None:
        for pid in list(self._workers):
            reaped, status = os.waitpid(pid, os.WNOHANG)
            if reaped:
                worker = self._workers.pop(pid)
                with contextlib.suppress(KeyError):
                    self._selector.unregister(worker.channel)
                worker.channel.close()
                self._died(worker, os.waitstatus_to_exitcode(status))

    def _died(self, worker: _Worker, status: int) -> None:
        slot = worker.slot
        if self._status is not None or worker not in (slot.current, slot.successor):
            return
        log.error("worker %d (pid %d) died with status %d", slot.index, worker.pid, status)
        if worker is slot.successor:
            slot.successor = None  # The current one goes on serving.
            return
        slot.current, slot.successor = slot.successor, None
        if not self._announced and not worker.ready:
            self._stop(1, STOP_SECONDS)
        elif slot.current is None:
            slot.start_at = time.monotonic() + self._backoff_seconds(worker)

    def _backoff_seconds(self, worker: _Worker) -> float:
        slot = worker.slot
        lived_seconds = time.monotonic() - worker.started
        slot.early_deaths = slot.early_deaths + 1 if lived_seconds < STEADY_SECONDS else 0
        if slot.early_deaths < 2:
            return 0.0
        return min(BACKOFF_SECONDS * 2.0 ** min(slot.early_deaths - 2, 16), BACKOFF_SECONDS_MAX)


def _tell(worker: _Worker, order: bytes) -> None:
    with contextlib.suppress(OSError):  # It has died: SIGCHLD says so.
        worker.channel.send(order)


def _run(worker_main: WorkerMain, sock: socket.socket, channel: socket.socket, place: tuple[int, int]) -> None:
    import uvloop

    sys.setswitchinterval(SWITCH_SECONDS)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def main() -> None:
        await worker_main(sock, WorkerControl(channel, *place))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
