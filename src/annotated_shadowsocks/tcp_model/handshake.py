"""The end of a handshake: what half-open requests do with segments.

[linux tcp_check_req] Here is the moment that the whole laboratory is about. The client has sent
its final ACK and believes that it is connected. If the accept queue is full, Linux drops that ACK
as if it had been lost: the request stays, its timer sends the SYN/ACK again, the client answers
with a duplicate ACK, and every data segment of the client is another attempt. If a slot is freed
in time, whichever of these comes first takes it. If not, the request expires without a word, and
the client learns of it only when it says something.
"""

from collections.abc import Callable, Mapping

from . import counters as c
from . import retransmission, synack, synchronized
from .admission import defers, on_ack_full
from .arrival import at_half_open, paws_rejects, tsecr_rejects
from .connection import Connection
from .effects import DropAck, DropSegment, Move, QueueAccept, Removal, RemoveRequest
from .instant import Instant
from .listener import Listener
from .namespace import Namespace
from .profile import AckGate, OnAckFull
from .request import Request
from .segment import (
    ACK,
    FIN,
    SYN,
    Option,
    Segment,
    Timestamps,
    Unreachable,
    UnreachableKind,
    find,
)
from .seqnum import add, after
from .states import TRANSITIONS, Action, State

__all__ = [
    "ACTIONS",
    "admit",
    "enqueue",
    "receive",
    "receive_unreachable",
    "refuse",
    "take_deferred",
]

# [linux tcp_v4_err] which errors end a request; the others say nothing about this peer
_FATAL = {
    UnreachableKind.NETWORK,
    UnreachableKind.HOST,
    UnreachableKind.TIME_EXCEEDED,
    UnreachableKind.PARAMETER_PROBLEM,
}
# [linux icmpv6_err_convert] to IPv6 a host that cannot be reached may be back in a moment
_FATAL_TO_IPV6 = {UnreachableKind.PORT, UnreachableKind.PARAMETER_PROBLEM}


def receive(namespace: Namespace, request: Request, segment: Segment, now: Instant) -> bool:
    """A segment for a request. False: it is not for the request after all, look further."""
    listener = namespace.owner_of(request)
    if listener is None:
        namespace.orphan(request)
        return False
    arrival = at_half_open(segment, request, namespace.profile.strict_rst)
    action = TRANSITIONS[namespace.profile.half_open][arrival].action
    if action is Action.RESET:
        # [linux tcp_check_req] "reset will be sent by listening socket", which may know a cookie
        return False
    ACTIONS[action](namespace, request, listener, segment, now)
    return True


def _resend(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    if namespace.limited_unless_data(request, segment, now, c.TCP_ACK_SKIPPED_SYN_RECV):
        namespace.emit(DropSegment(segment, "the SYN/ACK was sent again a moment ago"))
    else:
        synack.resend(namespace, request, now, "the SYN came again")
        # The interval does not double for it: no timeout has happened.
        synack.arm(namespace, request, now)
    namespace.count_drop(listener)


def _acknowledge(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    if namespace.limited_unless_data(request, segment, now, c.TCP_ACK_SKIPPED_SYN_RECV):
        namespace.emit(DropSegment(segment, "out of window, and that was said a moment ago"))
    else:
        _send_ack(namespace, request, now, "out of window: this is what is expected")
    _count_old(namespace, request, segment)
    namespace.count_drop(listener)


def _challenge(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    if namespace.limited(request, now, c.TCP_ACK_SKIPPED_CHALLENGE):
        namespace.emit(DropSegment(segment, "challenged a moment ago"))
    else:
        _send_ack(namespace, request, now, "an RST elsewhere in the window: a challenge ACK")
        namespace.count(c.TCP_CHALLENGE_ACK)
    namespace.count_drop(listener)


def _send_ack(namespace: Namespace, request: Request, now: Instant, reason: str) -> None:
    """[linux tcp_v4_reqsk_send_ack]"""
    local, remote = request.flow
    options: tuple[Option, ...] = ()
    if request.last_tsval is not None and request.ts_recent is not None:
        options = (Timestamps(namespace.keyed.tsval(request.flow, now), request.ts_recent),)
    seq, ack = add(request.iss, 1), request.rcv_nxt
    namespace.send(Segment(local, remote, ACK, seq, ack, request.window, options), reason)


def _count_old(namespace: Namespace, request: Request, segment: Segment) -> None:
    if paws_rejects(segment, request.ts_recent):
        namespace.count(c.PAWS_ESTAB)
    elif tsecr_rejects(segment, request):
        namespace.count(c.TSECR_REJECTED)


def _ignore(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    namespace.emit(DropSegment(segment, "nothing that a half-open connection can use"))
    _count_old(namespace, request, segment)
    namespace.count_drop(listener)


def _remove(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    namespace.remove_request(request, Removal.RESET, "the peer sent an RST")
    namespace.count(c.ATTEMPT_FAILS)
    namespace.count(c.EMBRYONIC_RSTS)
    namespace.count_drop(listener)


def _refuse(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    namespace.reset(segment, "a SYN inside the window: one of the two is not real")
    namespace.remove_request(request, Removal.REFUSED, "a SYN with another number came")
    namespace.count(c.ATTEMPT_FAILS)
    namespace.count(c.EMBRYONIC_RSTS)
    namespace.count_drop(listener)


def _complete(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    bare = segment.end_seq == add(request.irs, 1)
    if bare and defers(listener, request):
        request.acked = True
        reason = "TCP_DEFER_ACCEPT: a connection without data does not count yet"
        namespace.emit(DropAck(segment, listener.number, reason))
        namespace.count(c.TCP_DEFER_ACCEPT_DROP)
        namespace.count_drop(listener)
        return
    gate = listener.refuses_ack()
    if gate is not None:
        _overflow(namespace, request, listener, segment, gate, now)
        return
    namespace.remove_request(request, Removal.COMPLETED, "the handshake is complete")
    moved = listener is not request.listener
    if moved:
        old = request.listener
        reason = "its listener is closed, and tcp_migrate_req lets a sibling inherit"
        namespace.emit(Move(request.flow, old.number, listener.number, reason))
    admit(namespace, listener, _connect(namespace, request, segment, now), segment, now)
    if moved:
        namespace.count(c.TCP_MIGRATE_REQ_SUCCESS)


#: What each action of the half-open rows does.
ACTIONS: Mapping[Action, Callable[[Namespace, Request, Listener, Segment, Instant], None]] = {
    Action.RESEND_SYN_ACK: _resend,
    Action.ACKNOWLEDGE: _acknowledge,
    Action.CHALLENGE: _challenge,
    Action.IGNORE: _ignore,
    Action.REMOVE: _remove,
    Action.REFUSE: _refuse,
    Action.COMPLETE: _complete,
}


def refuse(namespace: Namespace, listener: Listener, segment: Segment, gate: AckGate) -> None:
    """Count and drop a segment that would have completed a handshake."""
    namespace.emit(DropAck(segment, listener.number, gate.reason))
    namespace.count_own(gate.counters)
    namespace.count_loss(listener)


def _overflow(
    namespace: Namespace,
    request: Request,
    listener: Listener,
    segment: Segment,
    gate: AckGate,
    now: Instant,
) -> None:
    outcome = on_ack_full(gate, namespace.sysctl)
    if outcome is OnAckFull.DEFER:
        _defer(namespace, request, listener, segment, now)
        return
    refuse(namespace, listener, segment, gate)
    if listener is not request.listener:
        namespace.count(c.TCP_MIGRATE_REQ_FAILURE)
    if outcome is OnAckFull.KEEP:
        request.acked = True
    else:
        if outcome is OnAckFull.RESET:
            namespace.reset(segment, gate.reason)
        namespace.remove_request(request, Removal.OVERFLOW, gate.reason)
        namespace.count(c.EMBRYONIC_RSTS)
    # [linux tcp_v4_rcv] the segment itself is the second drop
    namespace.count_drop(listener)


def _connect(namespace: Namespace, request: Request, segment: Segment, now: Instant) -> Connection:
    """[linux tcp_create_openreq_child] a connection out of a request and the ACK that ended it."""
    connection = Connection(request.flow, State.ESTABLISHED, request.iss, now)
    connection.learn(request.irs, request.peer_options, bool(namespace.sysctl.tcp_timestamps))
    stamp = find(segment.options, Timestamps)
    if connection.timestamps and stamp is not None and not after(segment.seq, request.rcv_nxt):
        # An ACK that is refused leaves no time behind: the request keeps that of its SYN.
        connection.ts_recent = stamp.tsval
    connection.snd_una = connection.snd_nxt = add(request.iss, 1)
    connection.snd_wnd = segment.window << connection.snd_scale
    if request.retransmits == 0:
        # [RFC6298 §3] an answer to one of several SYN/ACKs measures nothing
        retransmission.measure(connection, now - request.born)
    return connection


def admit(
    namespace: Namespace,
    listener: Listener,
    connection: Connection,
    segment: Segment,
    now: Instant,
) -> None:
    """Queue a connection, and let it have what came with the ACK that completed it.

    [linux tcp_child_process] If a SYN came with it, the new socket challenges that and stays in
    SYN_RECV until a better ACK. Here it is ESTABLISHED; only its last counter could tell.
    """
    namespace.connections[connection.flow] = connection
    enqueue(namespace, listener, connection, "the handshake is complete")
    namespace.count(c.PASSIVE_OPENS)
    if segment.payload or segment.flags & (SYN | FIN):
        synchronized.receive(namespace, connection, segment, now)


def enqueue(namespace: Namespace, listener: Listener, connection: Connection, reason: str) -> None:
    """Put a connection at the end of an accept queue."""
    connection.listener = listener
    queue = listener.accept_queue.connections
    queue.append(connection)
    namespace.emit(QueueAccept(connection.flow, listener.number, len(queue), reason))


def _defer(
    namespace: Namespace, request: Request, listener: Listener, segment: Segment, now: Instant
) -> None:
    """Let the connection live, but leave it among the half-open ones until accept() makes room."""
    request.deadline = None
    del namespace.requests[request.flow]
    connection = _connect(namespace, request, segment, now)
    connection.listener = listener
    namespace.connections[request.flow] = connection
    listener.deferred.append((request, connection))
    if segment.payload or segment.flags & FIN:
        synchronized.receive(namespace, connection, segment, now)


def take_deferred(namespace: Namespace, listener: Listener) -> None:
    """Move the connection that has waited longest for room, if there is one, into the queue."""
    if not listener.deferred or listener.refuses_ack() is not None:
        return
    request, connection = listener.deferred.popleft()
    listener.syn_queue.remove(request)
    depth, reason = listener.syn_queue.depth, "accept() made room"
    removal = RemoveRequest(request.flow, listener.number, Removal.COMPLETED, depth, reason)
    namespace.emit(removal)
    enqueue(namespace, listener, connection, reason)


def receive_unreachable(namespace: Namespace, request: Request, error: Unreachable) -> None:
    """[linux tcp_req_err] an ICMP error about a SYN/ACK."""
    if error.seq != request.iss:
        namespace.count(c.OUT_OF_WINDOW_ICMPS)
    elif error.kind in (_FATAL_TO_IPV6 if ":" in error.flow.local.host else _FATAL):
        namespace.remove_request(request, Removal.UNREACHABLE, f"ICMP: {error.kind.value}")
        namespace.count_loss(request.listener)
