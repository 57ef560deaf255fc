"""The beginning of a handshake: what a listener does with segments that belong to no connection.

[linux tcp_conn_request] A SYN passes the profile's gates one by one. A gate that is shut drops it,
answers it, lets it in for another, or turns it into a cookie; a cookie still has to pass the gates
behind, so that with a full accept queue not even cookies are sent. What passes them all becomes a
request, or with Fast Open a connection.
"""

from . import cookies, fastopen, handshake, synack
from . import counters as c
from .admission import NOT_EXEMPT, admit
from .arrival import at_listener
from .ceiling import Counted
from .connection import Connection
from .effects import AddRequest, DropAck, DropSegment, DropSyn, Removal, WriteLog
from .instant import Instant
from .listener import Listener
from .namespace import Namespace
from .profile import Exempt, Feature, Gate, Verdict
from .request import Request
from .segment import (
    ACK,
    MaximumSegmentSize,
    SackPermitted,
    Segment,
    Timestamps,
    find,
)
from .seqnum import SeqNum, add
from .states import TRANSITIONS, Action, State

__all__ = ["receive"]

_PROVEN = frozenset({Exempt.PROVEN})
_REUSED = frozenset({Exempt.REUSED})


def receive(
    namespace: Namespace,
    listener: Listener,
    segment: Segment,
    now: Instant,
    reused_iss: SeqNum | None = None,
) -> None:
    """A segment for a listener.

    ``reused_iss`` is given where the flow's last connection was in TIME_WAIT and makes room.
    """
    match TRANSITIONS[State.LISTEN][at_listener(segment)].action:
        case Action.OPEN:
            _open(namespace, listener, segment, now, reused_iss)
        case Action.CHECK_COOKIE:
            _check_cookie(namespace, listener, segment, now)
        case Action.RESET:
            namespace.reset(segment, "there is no connection that it could belong to")
        case _:
            namespace.emit(DropSegment(segment, "nothing that begins a connection"))
            if not segment.flags & ACK:
                # [linux tcp_rcv_state_process] an RST with ACK takes the path of an ACK
                namespace.count_drop(listener)


def _open(
    namespace: Namespace,
    listener: Listener,
    segment: Segment,
    now: Instant,
    reused_iss: SeqNum | None,
) -> None:
    exempt = _exemptions(namespace, segment, reused_iss)
    verdict, gate, waived = admit(listener, namespace.sysctl, len(namespace.requests), exempt)
    for one in waived:
        if one.verdict is Verdict.EVICT:
            _evict(namespace, listener, one)
        else:
            _flood(namespace, listener, one)
    if gate is not None:
        _turn_away(namespace, listener, segment, gate, verdict)
    elif verdict is Verdict.COOKIE:
        _send_cookie(namespace, listener, segment, now)
    else:
        _begin(namespace, listener, segment, now, reused_iss)


def _exemptions(
    namespace: Namespace, segment: Segment, reused_iss: SeqNum | None
) -> frozenset[Exempt]:
    proven = segment.src.host in namespace.proven
    if not proven and reused_iss is None:
        return NOT_EXEMPT
    return (_PROVEN if proven else NOT_EXEMPT) | (_REUSED if reused_iss is not None else NOT_EXEMPT)


def _flood(namespace: Namespace, listener: Listener, gate: Gate) -> None:
    """[linux tcp_syn_flood_action] the SYN queue is full: count it, and say so once."""
    mode = namespace.sysctl.tcp_syncookies
    if mode:
        namespace.count(c.TCP_REQ_Q_FULL_DO_COOKIES)
    else:
        namespace.count_own(gate.counters)
    if mode != 2 and not listener.flood_logged and namespace.profile.counter_names is None:
        listener.flood_logged = True
        what = "Sending cookies" if mode else "Dropping request"
        line = f"TCP: Possible SYN flooding on port {listener.local}. {what}."
        namespace.emit(WriteLog(line, "said once for each listener"))


def _evict(namespace: Namespace, listener: Listener, gate: Gate) -> None:
    """Make room for a SYN by the oldest request."""
    everyone = gate.ceiling.counted is Counted.SYN_CACHE
    requests = namespace.requests.values()
    oldest = next(r for r in requests if everyone or r.listener is listener)
    namespace.count_own(gate.counters)
    namespace.remove_request(oldest, Removal.EVICTED, gate.reason)


def _turn_away(
    namespace: Namespace,
    listener: Listener,
    segment: Segment,
    gate: Gate,
    verdict: Verdict | None,
) -> None:
    if gate.verdict is Verdict.COOKIE:
        _flood(namespace, listener, gate)
    namespace.emit(DropSyn(segment, listener.number, gate.reason))
    if verdict is Verdict.RESET:
        namespace.reset(segment, gate.reason)
    if gate.verdict is not Verdict.COOKIE:
        namespace.count_own(gate.counters)
    namespace.count_loss(listener)


def _begin(
    namespace: Namespace,
    listener: Listener,
    segment: Segment,
    now: Instant,
    reused_iss: SeqNum | None,
) -> None:
    flow = segment.flow
    iss = namespace.keyed.iss(flow, now) if reused_iss is None else reused_iss
    request = Request(flow, listener, segment.seq, iss, segment.options, segment.window, now)
    if Feature.FAST_OPEN in namespace.profile.features:
        fast_open = fastopen.offer(namespace, listener, segment, now)
        if fast_open.accepted:
            fastopen.open_connection(namespace, request, segment, now)
            return
        request.fast_open_cookie = fast_open.cookie
    namespace.requests[flow] = request
    listener.syn_queue.add(request)
    reason = "a SYN, and room for it"
    namespace.emit(AddRequest(flow, listener.number, listener.syn_queue.depth, reason))
    synack.arm(namespace, request, now)
    namespace.send(synack.build(namespace, request, now), "the answer to a SYN")


def _send_cookie(namespace: Namespace, listener: Listener, segment: Segment, now: Instant) -> None:
    """[linux cookie_init_sequence] answer, and keep nothing but the time."""
    offered = segment.options
    size = find(offered, MaximumSegmentSize)
    iss = cookies.make(namespace, segment.flow, segment.seq, size.value if size else 536, now)
    cookies.remember_sending(namespace.groups[listener.local], now)
    if find(offered, Timestamps) is None or not namespace.sysctl.tcp_timestamps:
        # Its only place for the other options would have been the timestamp.
        offered = ()
    ack = add(segment.seq, 1)
    answer = synack.syn_ack(namespace, segment.flow, iss, ack, offered, now)
    namespace.send(answer, "a cookie: the SYN queue is full, and nothing is remembered")
    namespace.count(c.SYNCOOKIES_SENT)


def _check_cookie(namespace: Namespace, listener: Listener, segment: Segment, now: Instant) -> None:
    """[linux cookie_v4_check] an ACK that nobody waits for, unless it brings a cookie back."""
    group = namespace.groups[listener.local]
    if not namespace.sysctl.tcp_syncookies or not cookies.recently_sent(group, now):
        namespace.reset(segment, "there is no connection that it could belong to")
        return
    iss, irs = add(segment.ack, -1), add(segment.seq, -1)
    mss = cookies.check(namespace, segment.flow, iss, irs, now)
    if mss is None:
        namespace.reset(segment, "the cookie is none of ours, or too old")
        namespace.count(c.SYNCOOKIES_FAILED)
        return
    namespace.count(c.SYNCOOKIES_RECV)
    gate = listener.refuses_ack()
    if gate is not None:
        # tcp_abort_on_overflow is not asked here: there is no request to abort.
        handshake.refuse(namespace, listener, segment, gate)
        return
    if segment.flow in namespace.requests:
        # [linux tcp_v4_syn_recv_sock] counted before it is found that the flow is taken
        reason = "a cookie for a flow that has a half-open request by now"
        namespace.emit(DropAck(segment, listener.number, reason))
        namespace.count(c.PASSIVE_OPENS)
        return
    connection = Connection(segment.flow, State.ESTABLISHED, iss, now)
    stamp = find(segment.options, Timestamps)
    options = (MaximumSegmentSize(mss), *((SackPermitted(), stamp) if stamp else ()))
    connection.learn(irs, options, bool(namespace.sysctl.tcp_timestamps))
    connection.snd_una = connection.snd_nxt = segment.ack
    connection.snd_wnd = segment.window
    handshake.admit(namespace, listener, connection, segment, now)
