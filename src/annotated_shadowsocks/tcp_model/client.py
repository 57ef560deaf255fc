"""The active side: from connect() to ESTABLISHED, or to an error.

A client behind a full queue has three ends, and which one it gets is the server's choice. Its SYN
is dropped: it knocks again and at last reports ETIMEDOUT. Its final ACK is dropped: connect() has
long succeeded, and unless it says something it waits for ever. It is reset: ECONNREFUSED before
the SYN/ACK, ECONNRESET after.
"""

from errno import ECONNREFUSED

from . import counters as c
from . import retransmission
from .arrival import at_syn_sent
from .connection import Connection
from .effects import DropSegment
from .instant import SECOND, Instant
from .namespace import Namespace
from .segment import SYN, Flow, Segment
from .seqnum import add
from .states import TRANSITIONS, Action, State

__all__ = ["connect", "receive"]


def connect(namespace: Namespace, flow: Flow, now: Instant, syn_retries: int) -> Connection:
    """[linux tcp_v4_connect] begin a connection; ``syn_retries`` 0 leaves it to the sysctl."""
    connection = Connection(flow, State.CLOSED, namespace.keyed.iss(flow, now), now)
    connection.syn_retries = syn_retries
    connection.rto = min(SECOND, namespace.sysctl.rto_max)
    namespace.connections[flow] = connection
    namespace.count(c.ACTIVE_OPENS)
    namespace.change_state(connection, State.SYN_SENT, "connect()")
    retransmission.send_new(namespace, connection, SYN, b"", now, "connect()")
    return connection


def receive(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """A segment for a client that waits for a SYN/ACK."""
    arrival = at_syn_sent(segment, connection.snd_una, connection.snd_nxt)
    match TRANSITIONS[State.SYN_SENT][arrival].action:
        case Action.CONNECT:
            _establish(namespace, connection, segment, now)
        case Action.ABORT:
            reason = "the SYN was answered by RST"
            namespace.close_connection(connection, reason, ECONNREFUSED, failed=True)
        case Action.RESET:
            namespace.reset(segment, "it acknowledges what was never sent")
        case _:
            namespace.emit(DropSegment(segment, "only a SYN/ACK or an RST can answer a SYN"))


def _establish(
    namespace: Namespace, connection: Connection, segment: Segment, now: Instant
) -> None:
    connection.learn(segment.seq, segment.options, bool(namespace.sysctl.tcp_timestamps))
    # [RFC7323 §2.2] the window of a segment with SYN is never scaled
    connection.snd_wnd = segment.window
    namespace.change_state(connection, State.ESTABLISHED, "the SYN was answered")
    retransmission.acknowledged(namespace, connection, add(connection.iss, 1), now)
    retransmission.send_ack(namespace, connection, now, "the third segment of the handshake")
    retransmission.flush(namespace, connection, now)
