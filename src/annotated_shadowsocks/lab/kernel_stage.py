"""The stage on the live kernel: see ``stage`` for what each verb means.

Two namespaces, a server's and one for kernel clients; every packet between them, and between the
server and scripted peers, goes through ``LiveWire``. Time is real: a script with sixty-three
seconds of retries takes sixty-three seconds.

A kernel's timers are late and never early [linux mod_timer]: they fire in a wheel whose slots grow
with the distance, up to an eighth of it.
"""

import errno
import os
import platform
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType

from ..endpoint import Endpoint
from ..errors import ConfigError
from ..kernel import listeners, proc_tcp
from ..kernel.listeners import Listener
from ..kernel.sock_diag import SockDiag
from ..pictures.trace import ACCEPT_QUEUE, SYN_QUEUE, Trace
from ..scripts.statements import ClientCall, ClientVerb, Outcome, View, WireRule
from ..tcp_model.counters import SK_DROPS
from ..tcp_model.host import SocketOption
from ..tcp_model.instant import MILLISECOND, Duration, Instant
from ..tcp_model.segment import Segment, Unreachable
from . import live_host
from .live_host import LiveHost
from .live_wire import LiveWire
from .model_stage import CLIENT, PEER, SERVER
from .stage import Heard, Queues, Tolerance

__all__ = ["KernelStage"]

#: How long what is under way may take where nothing waits for a timer.
_PATIENCE = 100 * MILLISECOND
#: A tick of the slowest kernel clock, by which two stamps of one timer may differ.
_TICK = 10 * MILLISECOND
#: What a busy machine adds before we carry a packet on; less than any two retries are apart.
_SLACK = 400 * MILLISECOND

_OPTIONS = {
    SocketOption.TCP_DEFER_ACCEPT: socket.TCP_DEFER_ACCEPT,
    SocketOption.TCP_SYNCNT: socket.TCP_SYNCNT,
    SocketOption.TCP_FASTOPEN: socket.TCP_FASTOPEN,
}
_OUTCOMES = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.RESET,
    errno.EPIPE: Outcome.RESET,
    errno.ETIMEDOUT: Outcome.TIMEOUT,
}
# TCP_SYN_SENT of the kernel's states: a socket that waits for the answer to its SYN
_SYN_SENT = 2

_FIRST_PORT = 30_001
_PORTS = 65_536 - _FIRST_PORT


class _Client:
    """A socket of the clients' kernel, and the last thing that is known about it."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.outcome = Outcome.CONNECTING

    def look(self) -> Outcome:
        """How it stands; an error is told once, so that it is kept here."""
        if self.outcome in (Outcome.CONNECTING, Outcome.CONNECTED) and self.sock.fileno() >= 0:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.outcome = _OUTCOMES.get(code, Outcome.RESET)
            elif live_host.tcp_info(self.sock)[0] != _SYN_SENT:
                self.outcome = Outcome.CONNECTED
        return self.outcome


class KernelStage:
    """A live kernel as the host under test; a context manager, after which nothing is left.

    Raises ``NamespaceError`` where the kernel would not give us namespaces and devices.
    """

    def __init__(self, ipv6: bool = False) -> None:
        self.server = SERVER[ipv6]
        self._peer_address = PEER[ipv6]
        with ExitStack() as stack:
            self._server_host = stack.enter_context(LiveHost(self.server.host, ipv6))
            self._clients_host = stack.enter_context(LiveHost(CLIENT[ipv6], ipv6))
            self._diag = stack.enter_context(SockDiag())
            self._open = stack.pop_all()
        self._wire = LiveWire(self._server_host, self._clients_host)
        self._wire.changed = self._measure
        self._sockets: dict[int, socket.socket] = {}
        self._listening: dict[int, int] = {}
        #: ``sk_drops`` of each listener when it was last looked at.
        self._drops: dict[int, int] = {}
        self._clients: dict[str, _Client] = {}
        self._peers: dict[str, Endpoint] = {}

    # What it is

    @property
    def title(self) -> str:
        """``kernel 6.18.44``."""
        return f"kernel {platform.release()}"

    @property
    def now(self) -> Instant:
        """The time."""
        return self._wire.now

    def advance(self, until: Instant) -> None:
        """Let time pass, and carry packets."""
        self._wire.pump(until)

    def settle(self, reached: Callable[[], bool]) -> None:
        """Carry packets until ``reached()``, or for a tenth of a second."""
        deadline = self.now + _PATIENCE
        self._wire.pump(self.now)
        while not reached() and self.now < deadline:
            self._wire.pump(self.now + MILLISECOND)

    @property
    def late(self) -> Duration:
        """What the wire has measured."""
        return self._wire.late

    def tolerance(self, interval: Duration) -> Tolerance:
        """[linux calc_wheel_index] an eighth of the interval late, and what this machine adds."""
        return Tolerance(_TICK, interval // 8 + _TICK + _SLACK)

    # Segments

    def peer(self, name: str) -> Endpoint:
        """An endpoint behind the server's device. Raises ``ConfigError`` if there are too many."""
        if name not in self._peers:
            self._peers[name] = self._introduce(name, self._peer_address, len(self._peers))
        return self._peers[name]

    def _introduce(self, name: str, address: str, number: int) -> Endpoint:
        if number >= _PORTS:
            raise ConfigError("", f"{name} is one client too many", f"use {_PORTS} at most")
        endpoint = Endpoint(address, _FIRST_PORT + number)
        self._wire.introduce(name, endpoint)
        return endpoint

    def send(self, name: str, segment: Segment) -> None:
        """Write it into the server's device."""
        del name
        self._wire.inject(segment)

    def send_unreachable(self, name: str, error: Unreachable) -> None:
        """The same for an ICMP error."""
        del name
        self._wire.inject(error)

    def receive(self, name: str, inbound: bool, deadline: Instant) -> Heard | None:
        """Wait for a segment."""
        self._wire.pump(deadline, lambda: self._wire.waits(name, inbound))
        return self._wire.take(name, inbound)

    # The host under test

    def set_sysctl(self, name: str, value: int, clients: bool) -> None:
        """Write to /proc/sys of one of the two namespaces."""
        (self._clients_host if clients else self._server_host).set_sysctl(name, value)

    def open_socket(self, fd: int) -> None:
        """A socket of the server's kernel."""
        sock = self._server_host.open_socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sockets[fd] = sock

    def reuse_port(self, fd: int) -> None:
        """Set SO_REUSEPORT."""
        self._socket(fd).setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)

    def set_option(self, fd: int, option: SocketOption, value: int) -> None:
        """As setsockopt(2)."""
        self._socket(fd).setsockopt(socket.IPPROTO_TCP, _OPTIONS[option], value)

    def get_option(self, fd: int, option: SocketOption) -> int:
        """As getsockopt(2)."""
        return self._socket(fd).getsockopt(socket.IPPROTO_TCP, _OPTIONS[option])

    def bind(self, fd: int) -> None:
        """Bind to the address under test."""
        self._socket(fd).bind(tuple(self.server))

    def listen(self, fd: int, backlog: int) -> None:
        """Listen, or listen again."""
        live_host.listen(self._socket(fd), backlog)
        self._listening.setdefault(fd, len(self._listening) + 1)
        self._measure()

    def accept(self, fd: int, new_fd: int) -> None:
        """Take a connection."""
        self._sockets[new_fd] = self._socket(fd).accept()[0]
        self._sockets[new_fd].setblocking(False)
        self._measure()

    def shutdown(self, fd: int, how: int) -> None:
        """Shut a socket down."""
        self._socket(fd).shutdown(how)
        self._wire.pump(self.now)

    def close_socket(self, fd: int) -> None:
        """As close(2)."""
        self._listening.pop(fd, None)
        self._sockets.pop(fd).close()
        self._wire.pump(self.now)

    def read(self, fd: int, size: int) -> bytes:
        """As recv(2)."""
        return self._socket(fd).recv(size)

    def write(self, fd: int, data: bytes) -> int:
        """As send(2)."""
        taken = self._socket(fd).send(data)
        self._wire.pump(self.now)
        return taken

    # Kernel clients and the wire

    def tell_client(self, name: str, call: ClientCall) -> None:
        """Have a socket of the clients' kernel do something."""
        if call.verb is ClientVerb.CONNECT:
            self._connect(name, call.value)
        elif name not in self._clients:
            raise ConfigError(f"client {name}", "it has not connected", f"client {name} connect")
        else:
            client = self._clients[name]
            client.look()
            if call.verb is ClientVerb.SEND:
                client.sock.send(bytes(call.value or 0))
            else:
                client.sock.close()
        self._wire.pump(self.now)

    def _connect(self, name: str, syn_retries: int | None) -> None:
        sock = self._clients_host.open_socket()
        local = self._introduce(name, self._clients_host.address, len(self._clients))
        self._clients[name] = _Client(sock)
        if syn_retries is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, syn_retries)
        sock.bind(tuple(local))
        code = sock.connect_ex(tuple(self.server))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))

    def outcome(self, name: str) -> Outcome:
        """How its connection stands."""
        if name not in self._clients:
            raise ConfigError(f"client {name}", "it has not connected", f"client {name} connect")
        return self._clients[name].look()

    def set_wire(self, rule: WireRule) -> None:
        """Change what the wire does."""
        self._wire.set_rule(rule)

    # What can be seen

    def queues(self, fd: int) -> Queues:
        """By sock_diag: listeners, and a list of half-open requests."""
        with self._server_host.namespace.entered():
            found = self._find(fd, listeners.survey(self._diag, self.server.port))
        return Queues(found.depth, found.limit, found.half_open or 0, found.limit)

    def view(self, fd: int, view: View) -> Mapping[str, int]:
        """What one interface says."""
        sock = self._socket(fd)
        if view is View.TCP_INFO:
            _, unacked, sacked = live_host.tcp_info(sock)
            return {"unacked": unacked, "sacked": sacked}
        with self._server_host.namespace.entered():
            if view is View.SOCK_DIAG:
                found = self._find(fd, listeners.listeners(self._diag, self.server.port))
                return {"rqueue": found.depth, "wqueue": found.limit}
            row = proc_tcp.listening_row(os.fstat(sock.fileno()).st_ino, int(sock.family))
        return row._asdict()

    def counter(self, name: str, clients: bool) -> int:
        """Out of /proc/net."""
        return (self._clients_host if clients else self._server_host).counter(name)

    def counters(self, clients: bool) -> Mapping[str, int]:
        """All that have changed since the stage was opened."""
        return (self._clients_host if clients else self._server_host).counters()

    def drops(self, fd: int) -> int:
        """By sock_diag, SK_MEMINFO."""
        with self._server_host.namespace.entered():
            return self._find(fd, listeners.listeners(self._diag, self.server.port)).drops or 0

    def all_drops(self) -> Mapping[int, int]:
        """``drops`` of every listener that is open, by its number in the script."""
        with self._server_host.namespace.entered():
            found = {one.cookie: one for one in listeners.listeners(self._diag, self.server.port)}
        drops = {}
        for fd in self._listening:
            one = found.get(live_host.cookie_of(self._sockets[fd]))
            if one is not None:
                drops[fd] = one.drops or 0
        return drops

    def note(self, text: str) -> None:
        """A line of the script."""
        self._wire.recorder.noted(self.now, text)

    def trace(self, title: str) -> Trace:
        """Everything that has happened, for pictures."""
        self._wire.lose_kept()
        return self._wire.recorder.trace(title, self.title)

    def close(self) -> None:
        """Let everything go."""
        for sock in self._sockets.values():
            sock.close()
        self._open.close()

    def __enter__(self) -> "KernelStage":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # Inside

    def _socket(self, fd: int) -> socket.socket:
        if fd not in self._sockets:
            raise OSError(errno.EBADF, f"{fd} is no socket of the script")
        return self._sockets[fd]

    def _find(self, fd: int, found: list[Listener]) -> Listener:
        cookie = live_host.cookie_of(self._socket(fd))
        for listener in found:
            if listener.cookie == cookie:
                return listener
        raise ConfigError(f"socket {fd}", "it does not listen", f"listen({fd}, ...) = 0")

    def _measure(self) -> None:
        """Write down the queues of each listener that have changed."""
        if not self._listening:
            return
        with self._server_host.namespace.entered():
            found = listeners.survey(self._diag, self.server.port)
        now, recorder = self.now, self._wire.recorder
        for fd, number in self._listening.items():
            cookie = live_host.cookie_of(self._sockets[fd])
            one = next((each for each in found if each.cookie == cookie), None)
            if one is None:
                continue
            for queue, depth in ((ACCEPT_QUEUE, one.depth), (SYN_QUEUE, one.half_open or 0)):
                recorder.measured(now, self.server.host, queue, depth, one.limit, number)
            drops = one.drops or 0
            more = drops - self._drops.get(number, 0)
            recorder.counted(now, self.server.host, SK_DROPS, more, number)
            self._drops[number] = drops
