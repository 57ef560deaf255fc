"""Sending, and sending again: SYN, data and FIN, from the first timeout to the last.

One timer per connection, as in a kernel. For data there are two stages: a *tail loss probe* after
two round trips sends the newest segment again, since a lost last segment is announced by nobody
[RFC8985 §7]; then come retransmission timeouts that double. For a SYN the first
``tcp_syn_linear_timeouts`` do not double, so that a client behind a full queue knocks once a
second for five seconds before it becomes patient.
"""

from errno import ETIMEDOUT

from . import counters as c
from .connection import Connection, Sent
from .effects import TimerKind
from .instant import MILLISECOND, SECOND, Duration, Instant, text
from .namespace import Namespace
from .segment import (
    ACK,
    FIN,
    PSH,
    SYN,
    MaximumSegmentSize,
    Option,
    Range,
    SackBlocks,
    SackPermitted,
    Segment,
    Timestamps,
    WindowScale,
    sequence_space,
)
from .seqnum import SeqNum, add, after, before, distance
from .states import State
from .synack import WINDOW_SCALE, advertised_mss

__all__ = [
    "RTO_MIN",
    "acknowledged",
    "flush",
    "measure",
    "on_timer",
    "segment",
    "send_ack",
    "send_new",
]

#: [linux TCP_RTO_MIN]
RTO_MIN: Duration = 200 * MILLISECOND
#: [RFC6298 §5.7] for a connection whose SYN was sent more than once
_RTO_FALLBACK: Duration = 3 * SECOND
_TLP_SLACK: Duration = 2 * MILLISECOND
_ORPHAN_RETRIES = 8


def segment(
    namespace: Namespace,
    connection: Connection,
    flags: int,
    now: Instant,
    seq: SeqNum | None = None,
    payload: bytes = b"",
    duplicate: Range | None = None,
) -> Segment:
    """A segment of this connection, with the options that it should have."""
    local, remote = connection.flow
    options: tuple[Option, ...] = ()
    if flags & SYN:
        options = _syn_options(namespace, connection, now)
    else:
        if connection.timestamps:
            tsval = namespace.keyed.tsval(connection.flow, now)
            options = (Timestamps(tsval, connection.ts_recent or 0),)
        if connection.sack_permitted and (duplicate or connection.out_of_order):
            options += (SackBlocks(_received(connection, duplicate)),)
    start = connection.snd_nxt if seq is None else seq
    ack = connection.rcv_nxt if flags & ACK else 0
    return Segment(local, remote, flags, start, ack, connection.window, options, payload)


def _received(connection: Connection, duplicate: Range | None) -> tuple[Range, ...]:
    """What came out of order, and before it [RFC2883 §4] what came twice."""
    blocks: list[Range] = []
    early = connection.out_of_order.values()
    for one in sorted(early, key=lambda one: distance(connection.rcv_nxt, one.seq)):
        if blocks and not after(one.seq, blocks[-1][1]):
            left, right = blocks.pop()
            blocks.append((left, one.end_seq if after(one.end_seq, right) else right))
        else:
            blocks.append((one.seq, one.end_seq))
    # [RFC2018 §3] timestamps leave room for three
    return tuple(([duplicate] if duplicate else []) + blocks)[:3]


def _syn_options(namespace: Namespace, connection: Connection, now: Instant) -> tuple[Option, ...]:
    """[linux tcp_syn_options] everything that this host can do."""
    size, scale = MaximumSegmentSize(advertised_mss(connection.flow)), WindowScale(WINDOW_SCALE)
    if not namespace.sysctl.tcp_timestamps:
        return (size, SackPermitted(), scale)
    stamp = Timestamps(namespace.keyed.tsval(connection.flow, now), 0)
    return (size, SackPermitted(), stamp, scale)


def send_ack(
    namespace: Namespace,
    connection: Connection,
    now: Instant,
    reason: str,
    duplicate: Range | None = None,
) -> None:
    """Say what was received, once; an ACK is never sent again."""
    answer = segment(namespace, connection, ACK, now, duplicate=duplicate)
    namespace.send(answer, reason)


def send_new(
    namespace: Namespace,
    connection: Connection,
    flags: int,
    payload: bytes,
    now: Instant,
    reason: str,
) -> None:
    """Send something that takes sequence numbers, and keep it until it is acknowledged."""
    seq = connection.snd_nxt
    end_seq = add(seq, sequence_space(flags, payload))
    namespace.send(segment(namespace, connection, flags, now, payload=payload), reason)
    connection.unacked.append(Sent(seq, flags, payload, end_seq, now))
    connection.snd_nxt = end_seq
    _arm(namespace, connection, now)


def flush(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """Send what the application has written, as far as the peer's window goes, and then the FIN."""
    while connection.unsent:
        in_flight = distance(connection.snd_una, connection.snd_nxt)
        size = min(len(connection.unsent), connection.mss, connection.snd_wnd - in_flight)
        if size <= 0:
            return
        payload, connection.unsent = connection.unsent[:size], connection.unsent[size:]
        flags = ACK if connection.unsent else ACK | PSH
        send_new(namespace, connection, flags, payload, now, "the application has written")
    if connection.fin_wanted:
        connection.fin_wanted = False
        send_new(namespace, connection, FIN | ACK, b"", now, "the application has closed")


def acknowledged(namespace: Namespace, connection: Connection, ack: SeqNum, now: Instant) -> None:
    """Take an acknowledgement of something new."""
    connection.snd_una = ack
    unacked = connection.unacked
    first: Sent | None = None
    while unacked and not before(ack, unacked[0].end_seq):
        sent = unacked.popleft()
        first = first or sent
    if first is not None and connection.timeouts == 0 and not connection.probed:
        # [RFC6298 §3] what was sent twice measures nothing
        measure(connection, now - first.at)
    connection.timeouts, connection.probed, connection.first_timeout_at = 0, False, None
    connection.rto = _computed_rto(namespace, connection)
    connection.deadline = None
    if unacked:
        _arm(namespace, connection, now)


def measure(connection: Connection, rtt: Duration) -> None:
    """[RFC6298 §2] take a round-trip time into account."""
    if connection.srtt is None:
        connection.srtt, connection.rttvar = rtt, rtt // 2
        return
    connection.rttvar = (3 * connection.rttvar + abs(connection.srtt - rtt)) // 4
    connection.srtt = (7 * connection.srtt + rtt) // 8


def on_timer(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """[linux tcp_write_timer_handler] something was not acknowledged in time."""
    if connection.probing:
        _probe(namespace, connection, now)
    else:
        _time_out(namespace, connection, now)


def _probe(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """[linux tcp_send_loss_probe] the newest segment again, before anything counts as lost."""
    connection.probed = True
    _send_again(namespace, connection, connection.unacked[-1], now, "tail loss probe")
    namespace.count(c.TCP_LOSS_PROBES)
    _arm(namespace, connection, now)


def _time_out(namespace: Namespace, connection: Connection, now: Instant) -> None:
    """[linux tcp_retransmit_timer] the oldest segment again, or the end."""
    namespace.count(c.TCP_TIMEOUTS)
    if _is_hopeless(namespace, connection, now):
        waited = text(now - connection.unacked[0].at)
        namespace.close_connection(connection, f"no answer in {waited}", ETIMEDOUT, failed=True)
        namespace.count(c.TCP_ABORT_ON_TIMEOUT)
        return
    connection.timeouts += 1
    if connection.first_timeout_at is None:
        connection.first_timeout_at = now
    oldest = connection.unacked[0]
    _send_again(namespace, connection, oldest, now, "no answer in time")
    if oldest.flags & SYN:
        namespace.count(c.TCP_SYN_RETRANS)
    linear = namespace.sysctl.tcp_syn_linear_timeouts
    if connection.state is not State.SYN_SENT or connection.timeouts > linear:
        connection.rto = min(2 * connection.rto, namespace.sysctl.rto_max)
    _arm(namespace, connection, now)


def _is_hopeless(namespace: Namespace, connection: Connection, now: Instant) -> bool:
    """[linux tcp_write_timeout] enough retransmissions, or the time that they would have taken."""
    sysctl = namespace.sysctl
    if connection.timeouts == 0:
        return False
    if connection.state is State.SYN_SENT:
        retries = connection.syn_retries or sysctl.tcp_syn_retries
        enough = connection.timeouts >= retries + sysctl.tcp_syn_linear_timeouts
        start, base = connection.opened_at, SECOND
    else:
        retries, enough = sysctl.tcp_retries2, False
        if connection.orphan and connection.rto < sysctl.rto_max:
            retries = sysctl.tcp_orphan_retries or _ORPHAN_RETRIES
        start, base = connection.first_timeout_at or now, RTO_MIN
    return enough or now - start >= _patience(retries, base, sysctl.rto_max)


def _patience(retries: int, base: Duration, rto_max: Duration) -> Duration:
    """[linux tcp_model_timeout] how long that many doublings of ``base`` take, up to the cap."""
    doublings = (rto_max // base).bit_length() - 1
    if retries <= doublings:
        return ((2 << retries) - 1) * base
    return ((2 << doublings) - 1) * base + (retries - doublings) * rto_max


def _send_again(
    namespace: Namespace, connection: Connection, sent: Sent, now: Instant, reason: str
) -> None:
    again = segment(namespace, connection, sent.flags, now, sent.seq, sent.payload)
    namespace.send(again, reason)
    namespace.count(c.RETRANS_SEGS)


def _computed_rto(namespace: Namespace, connection: Connection) -> Duration:
    if connection.srtt is None:
        return _RTO_FALLBACK
    # [linux tcp_rtt_estimator] the floor is under the variance, not under the sum
    rto = connection.srtt + max(4 * connection.rttvar, RTO_MIN)
    return min(rto, namespace.sysctl.rto_max)


def _arm(namespace: Namespace, connection: Connection, now: Instant) -> None:
    if connection.request is not None:
        # [linux tcp_retransmit_timer] before the SYN/ACK is answered, nothing else is sent again
        return
    if connection.state is State.SYN_SENT:
        _set(namespace, connection, TimerKind.SYN, now + connection.rto)
        return
    if connection.timeouts == 0 and not connection.probed:
        connection.rto = _computed_rto(namespace, connection)
        if connection.sack_permitted and namespace.sysctl.tcp_early_retrans >= 3:
            rto_at = connection.unacked[0].at + connection.rto
            at = min(now + _probe_timeout(connection), max(rto_at, now))
            _set(namespace, connection, TimerKind.LOSS_PROBE, at)
            return
    elif connection.deadline is not None:
        return
    _set(namespace, connection, TimerKind.RETRANSMIT, now + connection.rto)


def _set(namespace: Namespace, connection: Connection, kind: TimerKind, at: Instant) -> None:
    connection.probing = kind is TimerKind.LOSS_PROBE
    namespace.arm(connection, kind, at, kind.value)


def _probe_timeout(connection: Connection) -> Duration:
    """[RFC8985 §7.2] two round trips; for a single segment its ACK may also be delayed."""
    if connection.srtt is None:
        return SECOND
    return 2 * connection.srtt + (RTO_MIN if len(connection.unacked) == 1 else _TLP_SLACK)
