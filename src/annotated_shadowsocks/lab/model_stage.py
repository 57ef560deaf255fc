"""The model as a stage: two hosts and a wire in virtual time.

Sixty-three seconds of retries pass in milliseconds, and the same script makes the same trace.
"""

import difflib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from errno import EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EINVAL, ENOTCONN

from ..endpoint import Endpoint
from ..errors import ConfigError
from ..pictures.recorded_network import RecordedNetwork
from ..pictures.trace import Party, Trace
from ..scripts.statements import ClientCall, ClientVerb, Outcome, View, WireRule
from ..tcp_model.connection import Connection
from ..tcp_model.effects import Effect, Fail, SendSegment
from ..tcp_model.host import Host, SocketOption
from ..tcp_model.instant import MILLISECOND, Duration, Instant
from ..tcp_model.listener import Listener
from ..tcp_model.profiles import DEFAULT, find
from ..tcp_model.segment import Flow, Segment, Unreachable
from ..tcp_model.states import State
from .stage import Heard, Queues, Tolerance
from .wire import RuledWire

__all__ = ["CLIENT", "PEER", "SERVER", "ModelStage"]

#: The address under test, that of the kernel clients, and that of the scripted peers.
SERVER = {False: Endpoint("10.9.0.1", 5000), True: Endpoint("fd09::1", 5000)}
CLIENT = {False: "10.9.0.2", True: "fd09::2"}
PEER = {False: "10.9.0.3", True: "fd09::3"}

#: packetdrill's own default; the model itself is never late.
_TOLERANCE = Tolerance(4 * MILLISECOND, 4 * MILLISECOND)
_FIRST_PORT = 30_001
_PORTS = 65_536 - _FIRST_PORT
_SHUT_WR = 1


@dataclass(slots=True)
class _Socket:
    """One that is not bound yet: the model's listeners begin with bind()."""

    reuse_port: bool = False
    options: dict[SocketOption, int] = field(default_factory=dict)


class ModelStage:
    """See ``Stage``. The host under test has ``profile``, its clients are of the measured Linux."""

    def __init__(
        self,
        profile: str = DEFAULT.name,
        ipv6: bool = False,
        settings: Mapping[str, int] | None = None,
    ) -> None:
        """Raises ``ConfigError`` for an unknown profile, or settings that it does not take."""
        self.title = f"model {profile}"
        self.server = SERVER[ipv6]
        self._client_address, self._peer_address = CLIENT[ipv6], PEER[ipv6]
        self._host = Host(find(profile), settings, secret=b"server")
        self._clients = Host(DEFAULT, secret=b"clients")
        hosts = {self.server.host: self._host, self._client_address: self._clients}
        parties = [Party("server", self.server.host), Party("clients", self._client_address)]
        self._network = RecordedNetwork(hosts, self._carry, parties)
        self._wire: RuledWire[Segment] = RuledWire()
        self._sockets: dict[int, _Socket | Listener | Connection] = {}
        self._names: dict[Endpoint, str] = {}
        self._peers: dict[str, Endpoint] = {}
        self._connections: dict[str, Connection] = {}
        self._errors: dict[Flow, int] = {}
        self._seen = 0
        self._heard: defaultdict[tuple[str, bool], deque[Heard]] = defaultdict(deque)

    # Time

    @property
    def now(self) -> Instant:
        """The time."""
        return self._network.now

    def advance(self, until: Instant) -> None:
        """Let time pass."""
        self._network.run_until(max(until, self.now))

    def settle(self, reached: Callable[[], bool]) -> None:
        """Nothing here is ever under way for longer than it should be."""
        del reached

    @property
    def late(self) -> Duration:
        """Nothing is late where time is virtual."""
        return 0

    def tolerance(self, interval: Duration) -> Tolerance:
        """A constant, for scripts that were written by a clock."""
        del interval
        return _TOLERANCE

    # Segments

    def peer(self, name: str) -> Endpoint:
        """The endpoint of a scripted peer. Raises ``ConfigError`` if there are too many."""
        if name not in self._peers:
            self._peers[name] = self._introduce(name, self._peer_address, len(self._peers))
        return self._peers[name]

    def _introduce(self, name: str, address: str, number: int) -> Endpoint:
        if number >= _PORTS:
            raise ConfigError("", f"{name} is one client too many", f"use {_PORTS} at most")
        endpoint = Endpoint(address, _FIRST_PORT + number)
        self._names[endpoint] = name
        self._network.recorder.introduce(Party(name, *endpoint))
        return endpoint

    def send(self, name: str, segment: Segment) -> None:
        """A scripted peer sends."""
        del name
        self._network.send(segment)
        self._network.settle()

    def send_unreachable(self, name: str, error: Unreachable) -> None:
        """The same for an ICMP error."""
        del name
        number = self._network.recorder.sent(self.now, error)
        self._network.recorder.arrived(self.now, number)
        self._did(self._host.receive_unreachable(error, self.now))

    def receive(self, name: str, inbound: bool, deadline: Instant) -> Heard | None:
        """The next segment of a name and direction, if there is one by the deadline."""
        queue = self._heard[name, inbound]
        while True:
            self._listen_in()
            if queue:
                return queue.popleft()
            when = self._network.get_timer()
            if when is None or when > deadline:
                self.advance(deadline)
                return None
            self.advance(when)

    def _listen_in(self) -> None:
        """Sort what was sent since the last time by who sent it or shall have it."""
        moments = self._network.trace
        for at, _, effect in moments[self._seen :]:
            if isinstance(effect, SendSegment):
                inbound = effect.segment.dst == self.server
                far = effect.segment.src if inbound else effect.segment.dst
                self._heard[self._names.get(far, ""), inbound].append(Heard(at, effect.segment))
            elif isinstance(effect, Fail):
                self._errors[effect.flow] = effect.errno
        self._seen = len(moments)

    def _carry(self, segment: Segment, now: Instant) -> Instant | None:
        inbound = segment.dst == self.server
        far = segment.src if inbound else segment.dst
        if far.host != self._client_address:
            return now
        delay = self._wire.offer(self._names.get(far, ""), inbound, segment)
        return None if delay is None else now + delay

    def _did(self, effects: list[Effect]) -> None:
        self._network.note(self.server.host, effects)
        self._network.settle()

    # The host under test

    def set_sysctl(self, name: str, value: int, clients: bool) -> None:
        """Change a setting."""
        (self._clients if clients else self._host).set_sysctl(name, value)

    def open_socket(self, fd: int) -> None:
        """A new socket."""
        self._sockets[fd] = _Socket()

    def reuse_port(self, fd: int) -> None:
        """Set SO_REUSEPORT."""
        socket = self._socket(fd)
        if not isinstance(socket, _Socket):
            raise ConfigError("", "SO_REUSEPORT comes after bind()", "set it before")
        socket.reuse_port = True

    def set_option(self, fd: int, option: SocketOption, value: int) -> None:
        """Set an option, at once or when the socket is bound."""
        socket = self._socket(fd)
        if isinstance(socket, Listener):
            self._host.setsockopt(socket, option, value)
        elif isinstance(socket, _Socket):
            self._host.check_option(option, value)
            socket.options[option] = value
        else:
            raise ConfigError("", f"{option.name} is for listeners here", "set it on the listener")

    def get_option(self, fd: int, option: SocketOption) -> int:
        """What the system says about it."""
        return self._host.getsockopt(self._listener(fd), option)

    def bind(self, fd: int) -> None:
        """Bind."""
        socket = self._socket(fd)
        if not isinstance(socket, _Socket):
            raise OSError(EINVAL, "it is bound")
        listener = self._host.bind(self.server, socket.reuse_port)
        self._sockets[fd] = listener
        for option, value in socket.options.items():
            self._host.setsockopt(listener, option, value)

    def listen(self, fd: int, backlog: int) -> None:
        """Listen, or listen again."""
        self._did(self._host.listen(self._listener(fd), backlog, self.now))

    def accept(self, fd: int, new_fd: int) -> None:
        """Take a connection."""
        connection, effects = self._host.accept(self._listener(fd), self.now)
        self._did(effects)
        if connection is None:
            raise BlockingIOError(EAGAIN, "nobody waits")
        self._sockets[new_fd] = connection

    def shutdown(self, fd: int, how: int) -> None:
        """Stop listening; the model's connections have no half close."""
        if isinstance(self._socket(fd), Connection):
            raise ConfigError("", "the model shuts down listeners only", "use close()")
        if how != _SHUT_WR:
            self._did(self._host.shutdown(self._listener(fd), self.now))

    def close_socket(self, fd: int) -> None:
        """Close."""
        socket = self._socket(fd)
        del self._sockets[fd]
        if not isinstance(socket, _Socket):
            self._did(self._host.close(socket, self.now))

    def read(self, fd: int, size: int) -> bytes:
        """Read."""
        return self._host.recv(self._connection(fd), size)

    def write(self, fd: int, data: bytes) -> int:
        """Write."""
        self._did(self._host.send(self._connection(fd), data, self.now))
        return len(data)

    def _socket(self, fd: int) -> _Socket | Listener | Connection:
        socket = self._sockets.get(fd)
        if socket is None:
            raise OSError(EBADF, f"there is no socket {fd}")
        return socket

    def _listener(self, fd: int) -> Listener:
        socket = self._socket(fd)
        if not isinstance(socket, Listener):
            raise OSError(EINVAL, f"socket {fd} was not bound")
        return socket

    def _connection(self, fd: int) -> Connection:
        socket = self._socket(fd)
        if not isinstance(socket, Connection):
            raise OSError(ENOTCONN, f"socket {fd} is not connected")
        return socket

    # Kernel clients and the wire

    def tell_client(self, name: str, call: ClientCall) -> None:
        """Have a client do something. ``OSError`` is what its own call would have raised."""
        now = self.now
        if call.verb is ClientVerb.CONNECT:
            local = self._introduce(name, self._client_address, len(self._connections))
            retries = call.value or 0
            connection, effects = self._clients.connect(local, self.server, now, retries)
            self._connections[name] = connection
        elif call.verb is ClientVerb.SEND:
            effects = self._clients.send(self._connections[name], bytes(call.value or 0), now)
        else:
            effects = self._clients.close(self._connections[name], now)
        self._network.note(self._client_address, effects)
        self._network.settle()

    def outcome(self, name: str) -> Outcome:
        """How its connection stands."""
        self._listen_in()
        connection = self._connections[name]
        error = self._errors.get(connection.flow)
        if error is not None:
            known = {ECONNREFUSED: Outcome.REFUSED, ECONNRESET: Outcome.RESET}
            return known.get(error, Outcome.TIMEOUT)
        waits = connection.state is State.SYN_SENT
        return Outcome.CONNECTING if waits else Outcome.CONNECTED

    def set_wire(self, rule: WireRule) -> None:
        """Change what the wire does."""
        self._wire.change(rule, lambda segment: self._network.send_at(segment, self.now))
        self._network.settle()

    # What can be seen

    def queues(self, fd: int) -> Queues:
        """Both queues."""
        listener = self._listener(fd)
        accept, syn = listener.accept_queue, listener.syn_queue
        return Queues(accept.depth, accept.limit, syn.depth, syn.limit)

    def view(self, fd: int, view: View) -> Mapping[str, int]:
        """What an interface of Linux would show."""
        accept_depth, accept_limit, syn_depth, _ = self.queues(fd)
        if view is View.TCP_INFO:
            return {"unacked": accept_depth, "sacked": accept_limit}
        if view is View.SOCK_DIAG:
            return {"rqueue": accept_depth, "wqueue": accept_limit}
        return {"rx_queue": accept_depth, "tx_queue": 0, "half_open": syn_depth}

    def counter(self, name: str, clients: bool) -> int:
        """A counter. Raises ``ConfigError`` for one that the model never counts."""
        host = self._clients if clients else self._host
        names = host.profile.counted()
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            has = ", ".join(sorted(names)) or "none"
            hint = f"did you mean {near[0]}?" if near else f"it has {has}"
            raise ConfigError("", f"{self.title} has no counter {name}", hint)
        return host.counters[name]

    def drops(self, fd: int) -> int:
        """What a listener has swallowed."""
        return self._listener(fd).drops

    def counters(self, clients: bool) -> Mapping[str, int]:
        """All that are not zero."""
        return (self._clients if clients else self._host).counters.snapshot()

    def all_drops(self) -> Mapping[int, int]:
        """``drops`` of every listener that is open, by its number in the script."""
        sockets = self._sockets.items()
        return {
            fd: one.drops
            for fd, one in sockets
            if isinstance(one, Listener) and one.state is State.LISTEN
        }

    def note(self, text: str) -> None:
        """A line of the script."""
        self._network.recorder.noted(self.now, text)

    def trace(self, title: str) -> Trace:
        """Everything so far."""
        return self._network.recorded(title, self.title)
