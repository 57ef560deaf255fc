"""What a segment is to the state that receives it: the tests of SEGMENT ARRIVES, in their order.

Everything here is a question; nothing changes. The order is the kernel's, and it is visible on the
wire: a half-open request answers a wrong ACK number with RST even if the segment also lies outside
the window, because it looks at the ACK first.
"""

from typing import Protocol

from .segment import ACK, FIN, RST, SYN, Segment, Timestamps, find
from .seqnum import SeqNum, add, after, before, distance, overlaps_window
from .states import Arrival

__all__ = [
    "HalfOpen",
    "Synchronized",
    "at_fast_open",
    "at_half_open",
    "at_listener",
    "at_syn_sent",
    "at_synchronized",
    "at_time_wait",
    "paws_rejects",
    "tsecr_rejects",
]


class HalfOpen(Protocol):
    """What is known of a peer whose handshake is not complete."""

    irs: SeqNum
    iss: SeqNum
    rcv_nxt: SeqNum
    window: int
    ts_recent: int | None
    first_tsval: int | None
    last_tsval: int | None


class Synchronized(Protocol):
    """What is known of a connection."""

    iss: SeqNum
    snd_una: SeqNum
    snd_nxt: SeqNum
    rcv_nxt: SeqNum
    window: int
    ts_recent: int | None
    eof: bool


def at_listener(segment: Segment) -> Arrival:
    """A segment for which there is no connection."""
    flags = segment.flags
    if flags & RST:
        return Arrival.STRAY_RST
    return _syn(flags) if flags & SYN else _content(segment)


def at_syn_sent(segment: Segment, snd_una: SeqNum, snd_nxt: SeqNum) -> Arrival:
    """[RFC9293 §3.10.7.3] a segment for somebody who waits for a SYN/ACK."""
    flags = segment.flags
    if flags & ACK:
        acceptable = after(segment.ack, snd_una) and not after(segment.ack, snd_nxt)
        if not acceptable:
            return Arrival.BAD_ACK
        if flags & RST:
            return Arrival.RST
    elif flags & RST:
        return Arrival.STRAY_RST
    return _syn(flags) if flags & SYN else _content(segment)


def at_half_open(segment: Segment, half: HalfOpen, strict_rst: bool = False) -> Arrival:
    """[linux tcp_check_req] a segment for a request that waits for its final ACK.

    ``strict_rst`` is the profile's.
    """
    flags = segment.flags
    if _is_same_syn(segment, half):
        return Arrival.DUPLICATE_SYN
    judged_by_ack = flags & ACK and not (strict_rst and flags & RST)
    if judged_by_ack and segment.ack != add(half.iss, 1):
        return Arrival.BAD_ACK
    return _in_order(segment, half, strict_rst)


def at_fast_open(
    segment: Segment, half: HalfOpen, snd_nxt: SeqNum, strict_rst: bool = False
) -> Arrival:
    """The same for a connection that Fast Open made.

    Its ACK is looked at last, by the connection itself, and may cover data that followed the
    SYN/ACK.
    """
    if _is_same_syn(segment, half):
        return Arrival.DUPLICATE_SYN
    found = _in_order(segment, half, strict_rst)
    if found in (Arrival.ACK, Arrival.TEXT, Arrival.FIN):
        sent = after(segment.ack, half.iss) and not after(segment.ack, snd_nxt)
        return found if sent else Arrival.BAD_ACK
    return found


def _is_same_syn(segment: Segment, half: HalfOpen) -> bool:
    lone = segment.flags & (SYN | RST | ACK) == SYN
    return lone and segment.seq == half.irs and not paws_rejects(segment, half.ts_recent)


def _in_order(segment: Segment, half: HalfOpen, strict_rst: bool) -> Arrival:
    flags = segment.flags
    if (
        not overlaps_window(segment.seq, segment.end_seq, half.rcv_nxt, half.window)
        or paws_rejects(segment, half.ts_recent)
        or tsecr_rejects(segment, half)
    ):
        return Arrival.STRAY_RST if flags & RST else Arrival.OUT_OF_WINDOW
    if flags & RST:
        inexact = strict_rst and segment.seq != half.rcv_nxt
        return Arrival.INEXACT_RST if inexact else Arrival.RST
    # A SYN at irs lies left of the window: it is cut off, and the rest may complete the handshake.
    if flags & SYN and segment.seq != half.irs:
        return _syn(flags)
    return _content(segment)


def at_synchronized(segment: Segment, connection: Synchronized) -> Arrival:
    """[linux tcp_validate_incoming] a segment for a connection."""
    flags = segment.flags
    start, end = connection.rcv_nxt, add(connection.rcv_nxt, connection.window)
    inside = not before(segment.end_seq, start) and not after(segment.seq, end)
    if flags & RST:
        # [linux tcp_reset_check] some peers do not count their own FIN
        if segment.seq == start or (connection.eof and add(segment.seq, 1) == start):
            return Arrival.RST
        return Arrival.INEXACT_RST if inside else Arrival.STRAY_RST
    if flags & SYN:
        # [RFC5961 §4.2] regardless of the sequence number
        return _syn(flags)
    if not flags & ACK:
        return Arrival.NO_ACK
    if not inside or paws_rejects(segment, connection.ts_recent):
        return Arrival.OUT_OF_WINDOW
    if after(segment.ack, connection.snd_nxt):
        return Arrival.BAD_ACK
    # [linux tcp_ack] no further back than what was acknowledged since the handshake
    spread = min(connection.window, distance(connection.iss, connection.snd_una) - 1)
    if before(segment.ack, add(connection.snd_una, -max(spread, 0))):
        return Arrival.OLD_ACK
    return _content(segment)


def at_time_wait(segment: Segment, connection: Synchronized) -> Arrival:
    """[linux tcp_timewait_state_process] a segment for a connection that is over."""
    flags = segment.flags
    old = paws_rejects(segment, connection.ts_recent)
    exact = segment.seq == connection.rcv_nxt and not old
    if flags & RST:
        return Arrival.RST if exact else Arrival.STRAY_RST
    if exact and segment.end_seq == segment.seq:
        return Arrival.ACK
    if flags & SYN and not flags & ACK and not old:
        # [RFC9293 §3.6.1] beyond the old connection, by its number or by its clock
        newer = after(segment.seq, connection.rcv_nxt) or _is_newer(segment, connection.ts_recent)
        return Arrival.SYN if newer else Arrival.DUPLICATE_SYN
    return Arrival.OUT_OF_WINDOW


def paws_rejects(segment: Segment, ts_recent: int | None) -> bool:
    """[RFC7323 §5] whether the segment's clock shows that it is an old duplicate."""
    if ts_recent is None:
        return False
    stamp = find(segment.options, Timestamps)
    return stamp is not None and distance(ts_recent, stamp.tsval) < 0


def tsecr_rejects(segment: Segment, half: HalfOpen) -> bool:
    """[linux tcp_check_req] whether it echoes a time at which no SYN/ACK was sent."""
    if half.first_tsval is None or half.last_tsval is None:
        return False
    stamp = find(segment.options, Timestamps)
    if stamp is None or stamp.tsecr == 0:
        return False
    return before(stamp.tsecr, half.first_tsval) or after(stamp.tsecr, half.last_tsval)


def _is_newer(segment: Segment, ts_recent: int | None) -> bool:
    stamp = find(segment.options, Timestamps)
    return stamp is not None and ts_recent is not None and distance(ts_recent, stamp.tsval) > 0


def _syn(flags: int) -> Arrival:
    if flags & ACK:
        return Arrival.SYN_ACK
    return Arrival.SYN_FIN if flags & FIN else Arrival.SYN


def _content(segment: Segment) -> Arrival:
    if not segment.flags & ACK:
        return Arrival.NO_ACK
    if segment.flags & FIN:
        return Arrival.FIN
    return Arrival.TEXT if segment.payload else Arrival.ACK
