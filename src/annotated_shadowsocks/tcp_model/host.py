"""A host: sockets on one side, segments on the other, and time as an argument.

::

    host = Host(profiles.find("linux-6.18"), {"tcp_syncookies": 0}, secret=b"seed")
    listener = host.bind(Endpoint("192.0.2.1", 80))
    host.listen(listener, 1, now=0)
    effects = host.receive_segment(syn, now)      SendSegment, AddRequest, ArmTimer, Count
    host.get_timer()                              when to call handle_timer, or None
    connection, effects = host.accept(listener, now)

Every verb that takes ``now`` returns what a kernel would do, in order; ``accept`` and ``connect``
return their connection too. ``now`` may not decrease. A driver owes the host two things: to call
``handle_timer`` when ``get_timer`` says so, and to deliver segments. One that is late is like a
slow kernel; nothing breaks.

What a socket call would refuse raises ``OSError`` with its errno, as the real call does.
"""

import errno
from collections.abc import Mapping

from ..endpoint import Endpoint
from ..errors import LocalProtocolError
from . import client, fastopen, handshake, opening, retransmission, stopping, synack, synchronized
from .arrival import at_listener
from .connection import Connection
from .counters import Counters
from .effects import Dequeue, DropSegment, Effect, SetLimit
from .instant import Instant
from .listener import Listener
from .named import Named
from .namespace import Namespace
from .profile import Feature, Profile
from .request import Request, retrans_to_secs, secs_to_retrans
from .reuseport import Group
from .segment import Flow, Segment, Unreachable
from .seqnum import add
from .states import TRANSITIONS, Action, State
from .sysctl import Sysctl

__all__ = ["Host", "SocketOption"]

# [linux TFO_SERVER_WO_SOCKOPT1] both bits: Fast Open for every listener
_FAST_OPEN_FOR_ALL = 0x402


class SocketOption(Named):
    """Options of a listener that concern its queues, each with the feature that it needs."""

    #: Seconds that a bare final ACK is not enough, rounded up to a timeout.
    TCP_DEFER_ACCEPT = Feature.DEFER_ACCEPT
    #: SYN/ACKs sent again, in place of tcp_synack_retries; 1 to 127.
    TCP_SYNCNT = Feature.SYNCNT
    #: Connections that Fast Open may make before their handshakes are over; 0 turns it off.
    TCP_FASTOPEN = Feature.FAST_OPEN


class Host:
    """One network namespace under one profile."""

    __slots__ = ("_bound", "_namespace", "_now")

    def __init__(
        self,
        profile: Profile,
        settings: Mapping[str, int] | None = None,
        secret: bytes = b"",
    ) -> None:
        """Raises ``ConfigError`` for settings that the profile's system does not take."""
        self._namespace = Namespace(profile, profile.sysctl(settings), secret)
        self._now: Instant = 0
        self._bound = 0

    # What can be seen

    @property
    def profile(self) -> Profile:
        """What kind of host it is."""
        return self._namespace.profile

    @property
    def sysctl(self) -> Sysctl:
        """The settings in force."""
        return self._namespace.sysctl

    @property
    def counters(self) -> Counters:
        """What was counted, over all listeners."""
        return self._namespace.counters

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Sockets that were bound and not closed."""
        return tuple(self._namespace.listeners)

    @property
    def requests(self) -> Mapping[Flow, Request]:
        """Half-open requests: ``ss -tn state syn-recv``."""
        return self._namespace.requests

    @property
    def connections(self) -> Mapping[Flow, Connection]:
        """Everything else that is neither closed nor listening."""
        return self._namespace.connections

    def state_of(self, flow: Flow) -> State:
        """The state that a segment of this flow would meet."""
        namespace = self._namespace
        request = namespace.requests.get(flow)
        # A request without a listener is found and thrown away: it might as well not be there.
        if request is not None and namespace.owner_of(request) is not None:
            return namespace.profile.half_open
        connection = namespace.connections.get(flow)
        if connection is not None:
            return connection.state
        return State.CLOSED if namespace.listener_for(flow) is None else State.LISTEN

    # Segments and time

    def receive_segment(self, segment: Segment, now: Instant) -> list[Effect]:
        """A segment has arrived."""
        self._begin(now)
        self._deliver(segment, now)
        return self._take_effects()

    def receive_unreachable(self, error: Unreachable, now: Instant) -> list[Effect]:
        """An ICMP error about a segment of ours has arrived; it ends what is half-open."""
        self._begin(now)
        request = self._namespace.requests.get(error.flow)
        connection = self._namespace.connections.get(error.flow)
        if request is not None:
            handshake.receive_unreachable(self._namespace, request, error)
        elif connection is not None and connection.request is not None:
            fastopen.receive_unreachable(self._namespace, connection, error, now)
        elif connection is not None:
            synchronized.receive_unreachable(self._namespace, connection, error)
        return self._take_effects()

    def get_timer(self) -> Instant | None:
        """When ``handle_timer`` wants to be called, or None."""
        return self._namespace.timers.next()

    def handle_timer(self, now: Instant) -> list[Effect]:
        """Do everything whose time has come; early calls do nothing."""
        self._begin(now)
        namespace = self._namespace
        while (block := namespace.timers.pop(now)) is not None:
            if isinstance(block, Request):
                synack.on_timer(namespace, block, now)
            elif block.request is not None:
                fastopen.on_timer(namespace, block, block.request, now)
            else:
                synchronized.on_timer(namespace, block, now)
        return self._take_effects()

    # The passive side

    def bind(self, local: Endpoint, reuse_port: bool = False) -> Listener:
        """A new socket, bound and not listening; host ``0.0.0.0`` or ``::`` takes every address."""
        namespace = self._namespace
        if reuse_port and Feature.REUSEPORT not in namespace.profile.features:
            raise OSError(errno.ENOPROTOOPT, f"{self.profile.name} has no SO_REUSEPORT groups")
        for other in namespace.listeners:
            if other.local == local and not (reuse_port and other.reuse_port):
                raise OSError(errno.EADDRINUSE, f"{local} is in use")
        self._bound += 1
        listener = Listener(self._bound, local, namespace.profile, reuse_port)
        namespace.listeners.append(listener)
        namespace.groups.setdefault(local, Group())
        return listener

    def setsockopt(self, listener: Listener, option: SocketOption, value: int) -> None:
        """Set an option before or after listen()."""
        self.check_option(option, value)
        if option is SocketOption.TCP_DEFER_ACCEPT:
            listener.defer_accept = secs_to_retrans(value)
        elif option is SocketOption.TCP_SYNCNT:
            listener.syn_retries = value
        else:
            listener.fast_open.limit = min(value, self.sysctl.somaxconn)

    def check_option(self, option: SocketOption, value: int) -> None:
        """Whether a socket that is not bound yet could set it. Raises ``OSError``."""
        self._check_option(option)
        if option is SocketOption.TCP_SYNCNT and not 1 <= value <= 127:
            raise OSError(errno.EINVAL, f"TCP_SYNCNT {value}: 1 to 127 are possible")
        if option is SocketOption.TCP_FASTOPEN and value < 0:
            raise OSError(errno.EINVAL, f"TCP_FASTOPEN {value} is negative")

    def getsockopt(self, listener: Listener, option: SocketOption) -> int:
        """What a kernel would say: TCP_DEFER_ACCEPT has been rounded."""
        self._check_option(option)
        if option is SocketOption.TCP_DEFER_ACCEPT:
            return retrans_to_secs(listener.defer_accept)
        if option is SocketOption.TCP_SYNCNT:
            # [linux do_tcp_getsockopt] unset, it shows the active side's sysctl
            return listener.syn_retries or self.sysctl.tcp_syn_retries
        return listener.fast_open.limit

    def listen(self, listener: Listener, backlog: int, now: Instant) -> list[Effect]:
        """Listen; again, to change the limit, at once and without touching who waits."""
        self._begin(now)
        self._check_open(listener)
        sysctl = self.sysctl
        limit = self.profile.clamp.limit(backlog, sysctl.somaxconn)
        listener.backlog = backlog
        listener.accept_queue.limit = limit
        if listener.state is not State.LISTEN:
            listener.first_limit = limit
            if sysctl.tcp_fastopen & _FAST_OPEN_FOR_ALL == _FAST_OPEN_FOR_ALL:
                listener.fast_open.limit = listener.fast_open.limit or limit
            listener.fast_open.depth = 0
            listener.state = State.LISTEN
            self._namespace.groups[listener.local].members.append(listener)
        listener.resize(sysctl)
        reason = f"listen({backlog}) on {self.profile.title}"
        self._namespace.emit(SetLimit(listener.number, limit, reason))
        return self._take_effects()

    def accept(self, listener: Listener, now: Instant) -> tuple[Connection | None, list[Effect]]:
        """The connection that has waited longest, or None where a call would block.

        It may have been reset or closed by its peer while it waited: it has kept its slot.
        """
        self._begin(now)
        if listener.state is not State.LISTEN:
            raise OSError(errno.EINVAL, f"{listener.local} does not listen")
        queue = listener.accept_queue.connections
        if not queue:
            return None, []
        connection = queue.popleft()
        connection.listener = None
        dequeue = Dequeue(connection.flow, listener.number, len(queue), "accept()")
        self._namespace.emit(dequeue)
        handshake.take_deferred(self._namespace, listener)
        return connection, self._take_effects()

    def shutdown(self, listener: Listener, now: Instant) -> list[Effect]:
        """Stop listening but keep the socket, which may listen again: SHUT_RD on a listener."""
        self._begin(now)
        self._check_open(listener)
        if listener.state is not State.LISTEN:
            raise OSError(errno.ENOTCONN, f"{listener.local} does not listen")
        stopping.stop(self._namespace, listener, now)
        return self._take_effects()

    def close(self, socket: Listener | Connection, now: Instant) -> list[Effect]:
        """Close a listener or a connection; twice is once."""
        self._begin(now)
        if isinstance(socket, Connection):
            synchronized.close(self._namespace, socket, now)
        elif socket in self._namespace.listeners:
            if socket.state is State.LISTEN:
                stopping.stop(self._namespace, socket, now)
            self._namespace.listeners.remove(socket)
        return self._take_effects()

    # The active side, and data

    def connect(
        self, local: Endpoint, remote: Endpoint, now: Instant, syn_retries: int = 0
    ) -> tuple[Connection, list[Effect]]:
        """Begin a connection; ``syn_retries`` is TCP_SYNCNT, 0 for the sysctl's."""
        self._begin(now)
        flow = Flow(local, remote)
        if flow in self.connections or flow in self.requests:
            raise OSError(errno.EADDRINUSE, f"{flow} exists")
        connection = client.connect(self._namespace, flow, now, syn_retries)
        return connection, self._take_effects()

    def send(self, connection: Connection, data: bytes, now: Instant) -> list[Effect]:
        """Write; what the peer's window does not take yet waits."""
        self._begin(now)
        if connection.error is not None:
            error, connection.error = connection.error, None
            raise OSError(error, f"{connection.flow}: {errno.errorcode[error]}")
        if connection.state is State.CLOSED or connection.orphan:
            raise OSError(errno.EPIPE, f"{connection.flow} is closed")
        connection.unsent += data
        if connection.state is not State.SYN_SENT:
            retransmission.flush(self._namespace, connection, now)
        return self._take_effects()

    def recv(self, connection: Connection, size: int) -> bytes:
        """Read what is there; ``b""`` is the end, and ``BlockingIOError`` that nothing is there."""
        if connection.inbox:
            data, connection.inbox = connection.inbox[:size], connection.inbox[size:]
            return data
        if connection.eof:
            # [linux tcp_recvmsg_locked] a peer that has closed is at its end, whatever came after
            return b""
        if connection.error is not None:
            error, connection.error = connection.error, None
            raise OSError(error, f"{connection.flow}: {errno.errorcode[error]}")
        if connection.state is State.CLOSED:
            return b""
        raise BlockingIOError(errno.EAGAIN, f"{connection.flow} has nothing to read")

    def set_sysctl(self, name: str, value: int) -> None:
        """Change a setting while the host runs. Raises ``ConfigError``.

        No listener's limit changes with somaxconn: it is read by listen() alone.
        """
        namespace = self._namespace
        namespace.sysctl = self.profile.change(namespace.sysctl, name, value)
        for listener in namespace.listeners:
            listener.resize(namespace.sysctl)

    # Inside

    def _deliver(self, segment: Segment, now: Instant) -> None:
        namespace, flow = self._namespace, segment.flow
        reused_iss = None
        request = namespace.requests.get(flow)
        if request is not None:
            if handshake.receive(namespace, request, segment, now):
                return
        elif (connection := namespace.connections.get(flow)) is not None:
            if self._to_connection(connection, segment, now):
                return
            # [linux tcp_timewait_state_process] far beyond what the old connection has sent
            reused_iss = add(connection.snd_nxt, 65535 + 2) or 1
        listener = namespace.listener_for(flow)
        if listener is not None:
            opening.receive(namespace, listener, segment, now, reused_iss)
        elif TRANSITIONS[State.CLOSED][at_listener(segment)].action is Action.RESET:
            namespace.reset(segment, "nobody listens")
        else:
            namespace.emit(DropSegment(segment, "nobody listens, and it is an RST"))

    def _to_connection(self, connection: Connection, segment: Segment, now: Instant) -> bool:
        """Whether the connection took the segment; one in TIME_WAIT may make way for a SYN."""
        namespace = self._namespace
        if connection.state is State.SYN_SENT:
            client.receive(namespace, connection, segment, now)
        elif connection.state is State.SYN_RECEIVED:
            fastopen.receive(namespace, connection, segment, now)
        elif not synchronized.receive(namespace, connection, segment, now):
            if namespace.listener_for(connection.flow) is None:
                reason = "a new SYN, but nobody listens any more"
                retransmission.send_ack(namespace, connection, now, reason)
                return True
            namespace.close_connection(connection, "a new SYN takes its endpoints")
            return False
        return True

    def _begin(self, now: Instant) -> None:
        if now < self._now:
            raise LocalProtocolError(f"time went back from {self._now} to {now}")
        self._now = now

    def _take_effects(self) -> list[Effect]:
        effects = self._namespace.effects
        self._namespace.effects = []
        return effects

    def _check_open(self, listener: Listener) -> None:
        if listener not in self._namespace.listeners:
            raise OSError(errno.EBADF, f"{listener.local} is closed")

    def _check_option(self, option: SocketOption) -> None:
        feature: Feature = option.value
        if feature not in self.profile.features:
            raise OSError(errno.ENOPROTOOPT, f"{self.profile.name} has no {option.name}")
