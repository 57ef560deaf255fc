"""A full accept queue, on this kernel and without privilege: what happens, as it happens.

Everything is real: a listener on loopback whose program never calls accept(), clients that are
ordinary sockets, and what the kernel says of both. A client's final ACK cannot be held back without
root, but it can be made to count for nothing: under TCP_DEFER_ACCEPT the handshake waits for data
too, and so the data plays the part of the ACK that finds the queue full.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from ..errors import ObserveError
from ..kernel import netstat
from ..kernel.listeners import Listener, survey
from ..kernel.sock_diag import SockDiag

__all__ = ["COUNTERS", "Moment", "demonstrate"]

#: Counters of the namespace that a moment tells. Others' traffic moves them too.
COUNTERS = ("ListenOverflows", "ListenDrops", "TCPTimeouts", "TCPSynRetrans")

_HOST = "127.0.0.1"
_DEFER = 60
_PATIENCE = 30.0
_LOOK = 0.005
# [linux tcp_info] tcpi_state, and tcpi_retransmits and tcpi_unacked
_INFO = struct.Struct("=B1xB21xI")
_STATES = {1: "ESTABLISHED", 2: "SYN_SENT", 7: "CLOSE"}


class Moment(NamedTuple):
    """Something that was done, or that the kernel did, and how things stood right after it.

    ``at`` is seconds since the beginning, ``drops`` what this listener threw away until then, and
    ``counters`` what the namespace's have grown by. ``why`` explains; ``scene`` groups.
    """

    scene: str
    at: float
    what: str
    why: str
    depth: int
    limit: int
    half_open: int | None
    drops: int | None
    counters: dict[str, int]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return self._asdict() | {"at": round(self.at, 3)}


def demonstrate(backlog: int) -> Iterator[Moment]:
    """Fill a queue of ``listen(backlog)`` and let clients come; takes some seconds.

    Raises ``ObserveError`` where the kernel does not tell of queues, or does not do what it does.
    """
    with ExitStack() as stack:
        diag = stack.enter_context(SockDiag())
        yield from _Scene("a SYN finds the queue full", backlog, diag).full_to_a_syn()
        yield from _Scene("an ACK finds the queue full", backlog, diag).full_to_an_ack()


class _Scene:
    """One listener and its clients."""

    def __init__(self, name: str, backlog: int, diag: SockDiag) -> None:
        self._name = name
        self._backlog = backlog
        self._diag = diag
        self._listener = socket.socket()
        self._clients: list[socket.socket] = []
        self._started = time.monotonic()
        self._before = netstat.counters()

    def full_to_a_syn(self) -> Iterator[Moment]:
        """Clients until one is left outside, its retries, and a place at last."""
        with self._open():
            yield self._moment(
                f"listen({self._backlog})",
                "nobody will call accept(); the kernel completes handshakes all the same",
            )
            capacity = self._seen().limit + 1
            for number in range(1, capacity + 1):
                self._connect()
                self._await(lambda number=number: self._seen().depth == number)  # type: ignore[misc]
                more = " and full: the kernel compares with >, so a backlog of n holds n + 1"
                yield self._moment(
                    f"client {number} connects",
                    "it waits in the accept queue" + (more if number == capacity else ""),
                )
            late = self._connect()
            self._await(lambda: bool(self._seen().drops))
            yield self._moment(
                f"client {capacity + 1} sends a SYN",
                f"dropped without a word: the client is in {_state(late)} and knows nothing of it",
            )
            for nth in ("a second", "a third"):
                drops = self._seen().drops or 0
                self._await(lambda drops=drops: (self._seen().drops or 0) > drops)  # type: ignore[misc]
                yield self._moment(
                    f"its SYN comes {nth} time",
                    "the client retries by itself, and the queue is still full",
                )
            self._accept()
            yield self._moment("accept()", "one place is free, and nobody tells the client")
            self._await(lambda: _state(late) == "ESTABLISHED")
            yield self._moment(
                "its next SYN finds a place",
                "connected: the user waited for a timer, not for the server",
            )

    def full_to_an_ack(self) -> Iterator[Moment]:
        """A client that is connected and is not, and what becomes of its data."""
        with self._open(deferred=True):
            capacity = self._seen().limit + 1
            late = self._connect()
            self._await(lambda: _state(late) == "ESTABLISHED" and self._half_open() == 1)
            yield self._moment(
                "a client connects, and says nothing yet",
                "to the client it is ESTABLISHED; here it is a request in the SYN queue",
            )
            for _ in range(capacity):
                self._connect().sendall(b"hello")
            self._await(lambda: self._seen().depth == capacity)
            yield self._moment(
                f"{capacity} others overtake it", "the accept queue is full, the request waits"
            )
            drops = self._seen().drops or 0
            late.sendall(b"hello")
            self._await(lambda: (self._seen().drops or 0) > drops)
            yield self._moment(
                "the first client speaks",
                "its segment would complete the handshake: ignored, for there is no place",
            )
            self._await(lambda: _retransmits(late) > 0)
            yield self._moment(
                "the client sends it again, and again",
                "it thinks that a packet was lost; the server says SYN/ACK again, when its own "
                "timer says so",
            )
            self._accept()
            self._await(lambda: self._seen().depth == capacity and self._half_open() == 0)
            yield self._moment(
                "accept(), and the next copy finds a place",
                "in time: had the request's timer run out before, the answer would be a RST",
            )

    def _open(self, deferred: bool = False) -> ExitStack:
        stack = ExitStack()
        stack.callback(self._close)
        if deferred:
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER)
        self._listener.bind((_HOST, 0))
        self._listener.listen(self._backlog)
        return stack

    def _close(self) -> None:
        for sock in (self._listener, *self._clients):
            sock.close()

    def _connect(self) -> socket.socket:
        client = socket.socket()
        self._clients.append(client)
        client.setblocking(False)
        client.connect_ex(self._listener.getsockname())
        return client

    def _accept(self) -> None:
        self._clients.append(self._listener.accept()[0])

    def _seen(self) -> Listener:
        port = self._listener.getsockname()[1]
        found = [one for one in survey(self._diag, port) if one.local.host == _HOST]
        if not found:
            raise ObserveError("sock_diag", f"the kernel does not list our listener on port {port}")
        return found[0]

    def _half_open(self) -> int | None:
        return self._seen().half_open

    def _moment(self, what: str, why: str) -> Moment:
        one = self._seen()
        grown = netstat.increase(self._before, netstat.counters())
        return Moment(
            self._name,
            time.monotonic() - self._started,
            what,
            why,
            one.depth,
            one.limit,
            one.half_open,
            one.drops,
            {name: grown.get(name, 0) for name in COUNTERS},
        )

    def _await(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise ObserveError("TCP", f"this kernel has not done it in {_PATIENCE:g} s")
            time.sleep(_LOOK)


def _state(client: socket.socket) -> str:
    state = _info(client)[0]
    return _STATES.get(state, str(state))


def _retransmits(client: socket.socket) -> int:
    return _info(client)[1]


def _info(client: socket.socket) -> tuple[int, int, int]:
    info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
    return _INFO.unpack(info)
