"""The SYN/ACK: what it says, when it is sent again, and when its answer comes too late."""

from . import counters as c
from .admission import at_timeout, next_timeout
from .effects import Move, Removal, SendSegment, TimerKind
from .instant import Instant, text
from .listener import Listener
from .namespace import Namespace
from .request import Request
from .segment import (
    ACK,
    RST,
    SYN,
    FastOpenCookie,
    Flow,
    MaximumSegmentSize,
    Option,
    SackPermitted,
    Segment,
    Timestamps,
    WindowScale,
    find,
)
from .seqnum import SeqNum, add

__all__ = ["WINDOW_SCALE", "advertised_mss", "arm", "build", "on_timer", "resend", "syn_ack"]

#: The shift that this host asks for.
WINDOW_SCALE = 7


def advertised_mss(flow: Flow) -> int:
    """The largest segment on an Ethernet, by the size of the network's header."""
    return 1440 if ":" in flow.local.host else 1460


def syn_ack(
    namespace: Namespace,
    flow: Flow,
    iss: SeqNum,
    ack: SeqNum,
    offered: tuple[Option, ...],
    now: Instant,
    fast_open_cookie: bytes | None = None,
) -> Segment:
    """A SYN/ACK that agrees to the options that a SYN offered.

    [linux tcp_synack_options] The maximum segment size is always there, the rest if offered.
    """
    options: list[Option] = [MaximumSegmentSize(advertised_mss(flow))]
    if offered:
        stamp = find(offered, Timestamps)
        if find(offered, SackPermitted):
            options.append(SackPermitted())
        if stamp and namespace.sysctl.tcp_timestamps:
            options.append(Timestamps(namespace.keyed.tsval(flow, now), stamp.tsval))
        if find(offered, WindowScale):
            options.append(WindowScale(WINDOW_SCALE))
    if fast_open_cookie is not None:
        options.append(FastOpenCookie(fast_open_cookie))
    return Segment(flow.local, flow.remote, SYN | ACK, iss, ack, 65535, tuple(options))


def build(namespace: Namespace, request: Request, now: Instant) -> Segment:
    """The SYN/ACK of a request, which remembers the timestamps that its answer may echo."""
    answer = syn_ack(
        namespace,
        request.flow,
        request.iss,
        request.rcv_nxt,
        request.peer_options,
        now,
        request.fast_open_cookie,
    )
    stamp = find(answer.options, Timestamps)
    if stamp is not None:
        request.last_tsval = stamp.tsval
        if request.first_tsval is None:
            request.first_tsval = stamp.tsval
    return answer


def resend(namespace: Namespace, request: Request, now: Instant, reason: str) -> None:
    """[linux tcp_rtx_synack] send it again, for whatever reason."""
    request.retransmits += 1
    # Asked for only once: a cookie belongs to the first SYN/ACK.
    request.fast_open_cookie = None
    namespace.emit(SendSegment(build(namespace, request, now), reason))
    namespace.count(c.RETRANS_SEGS)
    namespace.count(c.TCP_SYN_RETRANS)


def arm(namespace: Namespace, request: Request, now: Instant) -> None:
    """Set the timer for the next SYN/ACK, or for the end of the request's life if that is first."""
    schedule, rto_max = namespace.profile.schedule, namespace.sysctl.rto_max
    at = next_timeout(schedule, rto_max, request, now)
    namespace.arm(request, TimerKind.SYN_ACK, at, "the answer to the SYN/ACK may take until then")


def on_timer(namespace: Namespace, request: Request, now: Instant) -> None:
    """[linux reqsk_timer_handler] nobody has answered in time."""
    listener = namespace.owner_of(request)
    if listener is None:
        namespace.orphan(request)
        return
    adopted = listener is not request.listener
    if adopted:
        _move(namespace, request, listener)
    verdict = at_timeout(listener, namespace.sysctl, request, now)
    namespace.count(c.TCP_TIMEOUTS)
    if verdict.expired:
        if adopted:
            namespace.count(c.TCP_MIGRATE_REQ_FAILURE)
        _expire(namespace, request, now)
        return
    if adopted:
        namespace.count(c.TCP_MIGRATE_REQ_SUCCESS)
    if verdict.resend:
        resend(namespace, request, now, "no answer to the SYN/ACK")
    listener.syn_queue.young -= request.young
    request.timeouts += 1
    arm(namespace, request, now)


def _move(namespace: Namespace, request: Request, heir: Listener) -> None:
    """Give the request of a closed listener to a sibling."""
    old = request.listener
    old.syn_queue.remove(request)
    heir.syn_queue.add(request)
    request.listener = heir
    reason = "its listener is closed, and tcp_migrate_req lets a sibling inherit"
    namespace.emit(Move(request.flow, old.number, heir.number, reason))


def _expire(namespace: Namespace, request: Request, now: Instant) -> None:
    reason = f"no answer to {request.retransmits + 1} SYN/ACKs in {text(now - request.born)}"
    namespace.remove_request(request, Removal.EXPIRED, reason)
    if namespace.profile.schedule.reset_at_expiry:
        local, remote = request.flow
        goodbye = Segment(local, remote, RST | ACK, add(request.iss, 1), request.rcv_nxt, window=0)
        namespace.send(goodbye, reason)
        namespace.count(c.OUT_RSTS)
