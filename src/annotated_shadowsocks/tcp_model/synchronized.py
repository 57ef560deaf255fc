"""Segments for a connection that both sides know: ACK, data, FIN, and what does not belong there.

For a listener's story three things matter here. A queued connection answers its peer long before
anybody accepts it, so that a client sees its request acknowledged by a server whose application is
asleep. It keeps its slot when the peer resets or closes it. And a client answers a repeated
SYN/ACK with a challenge ACK, which is what the "duplicate ACK" of a full queue is.
"""

from collections.abc import Callable, Mapping
from errno import ECONNRESET, EPIPE

from . import counters as c
from . import retransmission
from .arrival import at_synchronized, at_time_wait, paws_rejects
from .connection import Connection
from .effects import Deliver, DropSegment, TimerKind
from .instant import SECOND, Instant
from .namespace import Namespace
from .segment import ACK, FIN, RST, SYN, Range, Segment, Timestamps, Unreachable, find
from .seqnum import after, before, distance
from .states import TRANSITIONS, Action, State

__all__ = ["ACTIONS", "abort", "challenge", "close", "on_timer", "receive", "receive_unreachable"]

#: [linux TCP_TIMEWAIT_LEN]
_TIME_WAIT_LENGTH = 60 * SECOND
#: The states in which this side has sent its FIN, or is about to.
_CLOSED_HERE = frozenset(
    {State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT}
)
#: The states in which the peer's FIN was received.
_ENDED_THERE = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})


def receive(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> bool:
    """A segment for a connection. False: its endpoints are free for it, look further."""
    if connection.state is State.TIME_WAIT:
        arrival = at_time_wait(segment, connection)
    else:
        arrival = at_synchronized(segment, connection)
    action = TRANSITIONS[connection.state][arrival].action
    if action is Action.REOPEN:
        return False
    ACTIONS[action](namespace, connection, segment, now)
    return True


def receive_unreachable(namespace: Namespace, connection: Connection, error: Unreachable) -> None:
    """[linux tcp_v4_err] an ICMP error: believed if it quotes what is under way, and then kept.

    It would be told to whoever owns the connection if that timed out.
    """
    in_flight = not before(error.seq, connection.snd_una) and not after(
        error.seq, connection.snd_nxt
    )
    if connection.state is not State.TIME_WAIT and not in_flight:
        namespace.count(c.OUT_OF_WINDOW_ICMPS)


def _ignore(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    namespace.emit(DropSegment(segment, "nothing that the connection can use"))


def _acknowledge(
    namespace: Namespace, connection: Connection, segment: Segment, now: Instant
) -> None:
    """[linux tcp_send_dupack] it lies outside: say where this side is."""
    old = paws_rejects(segment, connection.ts_recent)
    if connection.state is State.TIME_WAIT:
        counter = c.TCP_ACK_SKIPPED_TIME_WAIT
        if old:
            namespace.count(c.PAWS_TIMEWAIT)
        if old or segment.flags & ACK:
            _linger(namespace, connection, segment, now)
    elif old:
        counter = c.TCP_ACK_SKIPPED_PAWS
        namespace.count(c.PAWS_ESTAB)
    else:
        counter = c.TCP_ACK_SKIPPED_SEQ
    if namespace.limited_unless_data(connection, segment, now, counter):
        namespace.emit(DropSegment(segment, "out of window, and that was said a moment ago"))
    else:
        reason = "out of window: a duplicate ACK"
        twice = _duplicate(connection, segment)
        retransmission.send_ack(namespace, connection, now, reason, twice)


def challenge(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """[RFC5961 §4.2] whoever sent this knows the connection, or will reset itself by the answer."""
    if namespace.limited(connection, now, c.TCP_ACK_SKIPPED_CHALLENGE):
        namespace.emit(DropSegment(segment, "challenged a moment ago"))
    else:
        reason = f"{_name(segment)} for a connection that exists: a challenge ACK"
        retransmission.send_ack(namespace, connection, now, reason)
        namespace.count(c.TCP_CHALLENGE_ACK)
    if segment.flags & SYN:
        namespace.count(c.TCP_SYN_CHALLENGE)


def _name(segment: Segment) -> str:
    if segment.flags & SYN:
        return "SYN/ACK again" if segment.flags & ACK else "SYN"
    return "inexact RST" if segment.flags & RST else "impossible ACK"


def _abort(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    # [linux tcp_reset] a side that has read the end of the data can only fail to write
    error = EPIPE if connection.state is State.CLOSE_WAIT else ECONNRESET
    if connection.state is State.TIME_WAIT:
        namespace.close_connection(connection, "the peer sent an RST")
    else:
        namespace.close_connection(connection, "the peer sent an RST", error, failed=True)


def _linger(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    _wait(namespace, connection, TimerKind.TIME_WAIT, now + _TIME_WAIT_LENGTH)


def _process(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """Steps five to eight of [RFC9293 §3.10.7.4]: the ACK, the text, the FIN."""
    stamp = find(segment.options, Timestamps) if connection.timestamps else None
    if stamp is not None and not after(segment.seq, connection.rcv_nxt):
        connection.ts_recent = stamp.tsval
    if not before(segment.ack, connection.snd_una):
        connection.snd_wnd = segment.window << connection.snd_scale
    if after(segment.ack, connection.snd_una):
        retransmission.acknowledged(namespace, connection, segment.ack, now)
        _on_ack(namespace, connection, now)
    if not connection.is_open:
        return
    if segment.payload or segment.flags & FIN:
        _text(namespace, connection, segment, now)
    if connection.is_open:
        retransmission.flush(namespace, connection, now)


#: What each action of the synchronized rows does.
ACTIONS: Mapping[Action, Callable[[Namespace, Connection, Segment, Instant], None]] = {
    Action.IGNORE: _ignore,
    Action.ACKNOWLEDGE: _acknowledge,
    Action.CHALLENGE: challenge,
    Action.ABORT: _abort,
    Action.LINGER: _linger,
    Action.PROCESS: _process,
}


def _on_ack(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """Move on if our FIN was acknowledged."""
    if connection.state not in _CLOSED_HERE or connection.snd_una != connection.snd_nxt:
        return
    if connection.fin_wanted or connection.unsent:
        return
    if connection.state is State.FIN_WAIT_1:
        namespace.change_state(connection, State.FIN_WAIT_2, "the FIN was acknowledged")
        timeout = namespace.sysctl.tcp_fin_timeout * SECOND
        _wait(namespace, connection, TimerKind.FIN_WAIT_2, now + timeout)
    elif connection.state is State.CLOSING:
        _enter_time_wait(namespace, connection, now)
    elif connection.state is State.LAST_ACK:
        _prove(namespace, connection)
        namespace.close_connection(connection, "the FIN was acknowledged, both sides are done")


def _text(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """Data and FIN: take what is next, keep what is early, acknowledge in any case."""
    offset = distance(segment.seq, connection.rcv_nxt)
    ended = connection.state in _ENDED_THERE
    if ended and offset <= 0:
        namespace.emit(DropSegment(segment, "it begins behind the end of the peer's data"))
        return
    if (ended or connection.orphan) and segment.payload[max(offset, 0) :]:
        _abort_on_data(namespace, connection, segment)
        return
    if offset < 0:
        connection.out_of_order[segment.seq] = segment
        retransmission.send_ack(namespace, connection, now, "something before it is missing")
        return
    twice = _duplicate(connection, segment)
    _take(namespace, connection, segment, now)
    while early := _next_early(connection):
        del connection.out_of_order[early.seq]
        _take(namespace, connection, early, now)
    retransmission.send_ack(namespace, connection, now, "data or FIN received", twice)


def _abort_on_data(namespace: Namespace, connection: Connection, segment: Segment) -> None:
    """[linux tcp_rcv_state_process] data that nobody can take: behind a FIN, or after close()."""
    error = EPIPE if connection.state is State.CLOSE_WAIT else ECONNRESET
    namespace.reset(segment, "data for somebody who has closed, or from somebody who has")
    namespace.close_connection(connection, "data that nobody can take", error)
    namespace.count(c.TCP_ABORT_ON_DATA)


def _duplicate(connection: Connection, segment: Segment) -> Range | None:
    """What of a segment was received before."""
    if segment.seq == segment.end_seq or not before(segment.seq, connection.rcv_nxt):
        return None
    beyond = after(segment.end_seq, connection.rcv_nxt)
    return segment.seq, connection.rcv_nxt if beyond else segment.end_seq


def _next_early(connection: Connection) -> Segment | None:
    """A segment that came too early and now begins at or before what is expected."""
    waiting = connection.out_of_order.values()
    return next((s for s in waiting if not after(s.seq, connection.rcv_nxt)), None)


def _take(namespace: Namespace, connection: Connection, segment: Segment, now: Instant) -> None:
    """Take what a segment has beyond what is there; it begins at or before ``rcv_nxt``."""
    if connection.eof or not after(segment.end_seq, connection.rcv_nxt):
        return
    fresh = segment.payload[distance(segment.seq, connection.rcv_nxt) :]
    connection.rcv_nxt = segment.end_seq
    if fresh:
        connection.inbox += fresh
        namespace.emit(Deliver(connection.flow, len(fresh), False, "data in order"))
    if not segment.flags & FIN:
        return
    connection.eof = True
    namespace.emit(Deliver(connection.flow, 0, True, "the peer has closed"))
    if connection.state is State.ESTABLISHED:
        namespace.change_state(connection, State.CLOSE_WAIT, "the peer has closed")
    elif connection.state is State.FIN_WAIT_1:
        namespace.change_state(connection, State.CLOSING, "both sides close at once")
    elif connection.state is State.FIN_WAIT_2:
        _enter_time_wait(namespace, connection, now)


def _enter_time_wait(namespace: Namespace, connection: Connection, now: Instant) -> None:
    _prove(namespace, connection)
    namespace.change_state(connection, State.TIME_WAIT, "both sides have closed")
    _wait(namespace, connection, TimerKind.TIME_WAIT, now + _TIME_WAIT_LENGTH)


def _prove(namespace: Namespace, connection: Connection) -> None:
    """[linux tcp_update_metrics] a peer with a measured round trip is a real one."""
    if connection.srtt is not None:
        namespace.proven.add(connection.flow.remote.host)


def _wait(namespace: Namespace, connection: Connection, kind: TimerKind, at: Instant) -> None:
    connection.probing = False
    namespace.arm(connection, kind, at, kind.value)


def close(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """[linux __tcp_close] the owner of a connection has no more use for it."""
    connection.orphan = True
    if connection.state is State.CLOSED:
        return
    if connection.inbox:
        # [RFC9293 §3.6.1] unread data would be lost in silence
        abort(namespace, connection, now, "closed with data unread")
        namespace.count(c.TCP_ABORT_ON_CLOSE)
    elif connection.state is State.SYN_SENT:
        namespace.close_connection(connection, "closed before it was connected")
    elif connection.state in (State.ESTABLISHED, State.CLOSE_WAIT):
        open_there = connection.state is State.ESTABLISHED
        new = State.FIN_WAIT_1 if open_there else State.LAST_ACK
        namespace.change_state(connection, new, "the application has closed")
        connection.fin_wanted = True
        retransmission.flush(namespace, connection, now)


def abort(namespace: Namespace, connection: Connection, now: Instant, reason: str) -> None:
    """[linux tcp_send_active_reset] end a connection by an RST."""
    namespace.send(retransmission.segment(namespace, connection, RST | ACK, now), reason)
    namespace.count(c.OUT_RSTS)
    namespace.close_connection(connection, reason)


def on_timer(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """The connection's only timer has fired."""
    if connection.state is State.TIME_WAIT:
        namespace.close_connection(connection, "the peer's last segments are gone by now")
    elif connection.state is State.FIN_WAIT_2:
        namespace.close_connection(connection, "the peer never closed")
    else:
        retransmission.on_timer(namespace, connection, now)
