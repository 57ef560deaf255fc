"""Fast Open: data in the SYN, and a connection made before the handshake is over.

[RFC7413 §4] A client that has connected before holds a cookie, which proves that it did; its SYN
carries it and the first data. The connection goes into the accept queue at once, in SYN_RECEIVED,
and the application may answer before the client has proved that it is there now. So a second
queue bounds these: ``TCP_FASTOPEN``'s value. When it is full nothing is refused, the SYN is merely
answered as any other, its data left aside.
"""

from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, EPROTO, ETIMEDOUT
from typing import NamedTuple

from . import counters as c
from . import retransmission, synack, synchronized
from .arrival import at_fast_open
from .connection import Connection
from .effects import ArmTimer, ChangeState, Deliver, DropSegment, QueueAccept, TimerKind
from .instant import SECOND, Instant
from .listener import Listener
from .namespace import Namespace
from .request import Request
from .segment import FastOpenCookie, Flow, Segment, Unreachable, UnreachableKind, find
from .seqnum import add, after, before
from .states import TRANSITIONS, Action, State

__all__ = [
    "Offer",
    "forget",
    "make_cookie",
    "offer",
    "on_timer",
    "open_connection",
    "receive",
    "receive_unreachable",
]

# [linux TFO_SERVER_ENABLE] bits of tcp_fastopen
_SERVER_ENABLE = 0x2
_COOKIE_NOT_REQUIRED = 0x200
#: [linux reqsk_fastopen_remove] how long an RST keeps a slot taken
_PARKED = 60 * SECOND
# [linux tcp_v4_err] what a connection's owner is told; IPv6 has the same
_ERRORS = {
    UnreachableKind.NETWORK: ENETUNREACH,
    UnreachableKind.HOST: EHOSTUNREACH,
    UnreachableKind.PORT: ECONNREFUSED,
    UnreachableKind.TIME_EXCEEDED: EHOSTUNREACH,
    UnreachableKind.PARAMETER_PROBLEM: EPROTO,
}


class Offer(NamedTuple):
    """What Fast Open makes of a SYN: a connection now or not, and a cookie to send or none."""

    accepted: bool
    cookie: bytes | None


def make_cookie(namespace: Namespace, flow: Flow) -> bytes:
    """[RFC7413 §4.1.2] eight octets that belong to this client and this server's addresses."""
    addresses = Flow(flow.local._replace(port=0), flow.remote._replace(port=0))
    return namespace.keyed.digest("fast open", addresses)[:8]


def offer(namespace: Namespace, listener: Listener, segment: Segment, now: Instant) -> Offer:
    """[linux tcp_try_fastopen] judge a SYN."""
    nothing = Offer(False, None)
    option = find(segment.options, FastOpenCookie)
    if option is not None and not option.cookie:
        namespace.count(c.TCP_FAST_OPEN_COOKIE_REQD)
    enabled = namespace.sysctl.tcp_fastopen & _SERVER_ENABLE
    if not enabled or (option is None and not segment.payload):
        return nothing
    if not _has_room(namespace, listener, now):
        return nothing
    if namespace.sysctl.tcp_fastopen & _COOKIE_NOT_REQUIRED:
        return Offer(True, None)
    if option is None:
        return nothing
    good = make_cookie(namespace, segment.flow)
    if not option.cookie:
        return Offer(False, good)
    if option.cookie == good:
        return Offer(True, None)
    namespace.count(c.TCP_FAST_OPEN_PASSIVE_FAIL)
    return Offer(False, good)


def _has_room(namespace: Namespace, listener: Listener, now: Instant) -> bool:
    """[linux tcp_fastopen_queue_check]"""
    queue = listener.fast_open
    if queue.limit == 0:
        return False
    if queue.depth >= queue.limit:
        if not queue.parked or queue.parked[0] > now:
            namespace.count(c.TCP_FAST_OPEN_LISTEN_OVERFLOW)
            return False
        queue.parked.popleft()
        queue.depth -= 1
    return True


def open_connection(namespace: Namespace, request: Request, segment: Segment, now: Instant) -> None:
    """[linux tcp_fastopen_create_child] make the connection that a SYN asks for."""
    listener, flow = request.listener, request.flow
    listener.fast_open.depth += 1
    connection = Connection(flow, State.SYN_RECEIVED, request.iss, now)
    connection.learn(request.irs, request.peer_options, bool(namespace.sysctl.tcp_timestamps))
    connection.snd_nxt = add(request.iss, 1)
    connection.snd_wnd = segment.window
    connection.rcv_nxt = request.rcv_nxt = segment.end_seq
    connection.inbox = segment.payload
    connection.request = request
    connection.listener = listener
    namespace.connections[flow] = connection
    reason = "the SYN holds a valid Fast Open cookie"
    namespace.emit(ChangeState(flow, State.LISTEN, State.SYN_RECEIVED, reason))
    namespace.send(synack.build(namespace, request, now), reason)
    queue = listener.accept_queue.connections
    queue.append(connection)
    namespace.emit(QueueAccept(flow, listener.number, len(queue), reason))
    if segment.payload:
        namespace.emit(Deliver(flow, len(segment.payload), False, "data in the SYN"))
    _arm(namespace, connection, request, now)
    namespace.count(c.PASSIVE_OPENS)
    namespace.count(c.TCP_FAST_OPEN_PASSIVE)


def receive(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """A segment for a connection that Fast Open made and nobody has confirmed."""
    request = connection.request
    if request is None:
        raise LookupError(f"{connection} is in SYN_RECEIVED without a handshake")
    strict = namespace.profile.strict_rst
    arrival = at_fast_open(segment, request, connection.snd_nxt, strict)
    action = TRANSITIONS[State.SYN_RECEIVED][arrival].action
    match action:
        case Action.COMPLETE:
            _complete(namespace, connection, request, segment, now)
        case Action.RESET:
            namespace.reset(segment, "it acknowledges what was never sent")
        case Action.RESEND_SYN_ACK:
            _resend(namespace, connection, request, segment, now)
        case Action.ACKNOWLEDGE:
            if not namespace.limited_unless_data(request, segment, now, c.TCP_ACK_SKIPPED_SYN_RECV):
                reason = "out of window: this is what is expected"
                retransmission.send_ack(namespace, connection, now, reason)
        case Action.CHALLENGE:
            synchronized.challenge(namespace, connection, segment, now)
        case Action.REMOVE:
            namespace.count(c.ATTEMPT_FAILS)
            forget(namespace, connection, now, by_reset=True)
            namespace.close_connection(connection, "the peer sent an RST", ECONNRESET, failed=True)
        case Action.REFUSE:
            # The application may use it already, so a forged SYN must not end it.
            namespace.count(c.ATTEMPT_FAILS)
            namespace.reset(segment, "a SYN inside the window: one of the two is not real")
        case _:
            namespace.emit(DropSegment(segment, "nothing that a half-open connection can use"))


def receive_unreachable(
    namespace: Namespace, connection: Connection, error: Unreachable, now: Instant
) -> None:
    """[linux tcp_v4_err] an ICMP error about the SYN/ACK ends it, if nobody has accepted it yet."""
    if before(error.seq, connection.iss) or after(error.seq, connection.snd_nxt):
        namespace.count(c.OUT_OF_WINDOW_ICMPS)
    elif connection.listener is not None and error.kind in _ERRORS:
        forget(namespace, connection, now, by_reset=False)
        reason, number = f"ICMP: {error.kind.value}", _ERRORS[error.kind]
        namespace.close_connection(connection, reason, number, failed=True)


def _complete(
    namespace: Namespace,
    connection: Connection,
    request: Request,
    segment: Segment,
    now: Instant,
) -> None:
    forget(namespace, connection, now, by_reset=False)
    if request.retransmits == 0:
        retransmission.measure(connection, now - request.born)
    connection.deadline = None
    namespace.change_state(connection, State.ESTABLISHED, "the handshake is complete")
    synchronized.receive(namespace, connection, segment, now)
    if connection.orphan and connection.state is not State.CLOSED:
        synchronized.close(namespace, connection, now)


def forget(namespace: Namespace, connection: Connection, now: Instant, by_reset: bool) -> None:
    """[linux reqsk_fastopen_remove] the handshake is over: give its place in the queue back.

    Not at once if an RST disowned a connection that the application has accepted already: whoever
    spoofs SYNs then runs into the limit.
    """
    request, connection.request = connection.request, None
    if request is None:
        return
    listener = request.listener
    accepted = connection.listener is None
    if by_reset and accepted and listener.state is State.LISTEN:
        listener.fast_open.parked.append(now + _PARKED)
    else:
        listener.fast_open.depth -= 1


def on_timer(namespace: Namespace, connection: Connection, request: Request, now: Instant) -> None:
    """[linux tcp_fastopen_synack_timer] nobody has confirmed it in time; one try more."""
    namespace.count(c.TCP_TIMEOUTS)
    listener = request.listener
    retries = listener.syn_retries or namespace.sysctl.tcp_synack_retries + 1
    if request.timeouts >= retries:
        forget(namespace, connection, now, by_reset=False)
        namespace.close_connection(connection, "nobody confirmed it", ETIMEDOUT, failed=True)
        namespace.count(c.TCP_ABORT_ON_TIMEOUT)
        return
    synack.resend(namespace, request, now, "no answer to the SYN/ACK")
    request.timeouts += 1
    _arm(namespace, connection, request, now)


def _resend(
    namespace: Namespace,
    connection: Connection,
    request: Request,
    segment: Segment,
    now: Instant,
) -> None:
    if namespace.limited_unless_data(request, segment, now, c.TCP_ACK_SKIPPED_SYN_RECV):
        namespace.emit(DropSegment(segment, "the SYN/ACK was sent again a moment ago"))
    else:
        synack.resend(namespace, request, now, "the SYN came again")


def _arm(namespace: Namespace, connection: Connection, request: Request, now: Instant) -> None:
    interval = namespace.profile.schedule.interval(request.timeouts, namespace.sysctl.rto_max)
    namespace.timers.arm(connection, now + interval)
    kind = TimerKind.SYN_ACK
    namespace.emit(ArmTimer(kind, connection.flow, now + interval, kind.value))
