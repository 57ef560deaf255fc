"""One packet from its sending to its end, in numbers and words that a reader can follow.

Sequence numbers are relative, as tcpdump shows them: each side's SYN has 0, and the first octet of
its data has 1. A side whose SYN the trace does not have counts from what the other acknowledges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..tcp_model.instant import Instant
from ..tcp_model.segment import ACK, FIN, RST, SYN, Segment, Unreachable, flags_text
from ..tcp_model.seqnum import SeqNum, add, distance
from .trace import PacketArrived, PacketHeld, PacketLost, PacketSent, Trace

__all__ = ["Numbers", "Passage", "passages"]


class Numbers(NamedTuple):
    """Relative numbers of a segment; ``ack`` is None where the ACK bit is not set."""

    seq: int
    end: int
    ack: int | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A packet and what became of it."""

    packet: int
    sender: str
    receiver: str
    segment: Segment | Unreachable
    numbers: Numbers
    sent_at: Instant
    #: Why it was sent; empty where nobody knows.
    reason: str
    held: bool
    arrived_at: Instant | None
    lost_at: Instant | None
    #: Its numbers had been sent before; of a bare ACK, that nothing in it is new.
    again: bool

    @property
    def flags(self) -> str:
        """The letters of tcpdump; ``icmp`` for an ICMP error."""
        if isinstance(self.segment, Unreachable):
            return "icmp"
        return flags_text(self.segment.flags)

    @property
    def name(self) -> str:
        """What people call such a segment: ``SYN/ACK``, ``ACK``, ``5 octets``, ``FIN``, ``RST``."""
        if isinstance(self.segment, Unreachable):
            return f"ICMP {self.segment.kind.value}"
        flags, size = self.segment.flags, len(self.segment.payload)
        data = f"{size} octet{'s' * (size != 1)}" if size else ""
        if flags & SYN:
            first = "SYN/ACK" if flags & ACK else "SYN"
        elif flags & RST:
            first = "RST"
        elif flags & FIN:
            first = "FIN"
        else:
            return data or ("ACK" if flags & ACK else "none")
        return f"{first} + {data}" if data else first

    @property
    def text(self) -> str:
        """One line in tcpdump's words: ``S. seq 0 ack 1``, ``P. seq 1:6 ack 1``, ``. ack 1``."""
        if isinstance(self.segment, Unreachable):
            return f"icmp {self.segment.kind.value}"
        seq, end, ack = self.numbers
        parts = [self.flags]
        if self.segment.payload:
            parts.append(f"seq {seq}:{seq + len(self.segment.payload)}")
        elif end != seq or self.segment.flags & RST:
            parts.append(f"seq {seq}")
        if ack is not None:
            parts.append(f"ack {ack}")
        return " ".join(parts)


def passages(trace: Trace) -> dict[int, Passage]:
    """All packets of a trace by their numbers, in the order of sending."""
    ends: dict[int, tuple[bool, Instant | None, Instant | None]] = {}
    for event in trace.events:
        if isinstance(event, PacketHeld | PacketArrived | PacketLost):
            held, arrived, lost = ends.get(event.packet, (False, None, None))
            ends[event.packet] = (
                held or isinstance(event, PacketHeld),
                event.at if isinstance(event, PacketArrived) else arrived,
                event.at if isinstance(event, PacketLost) else lost,
            )
    counting = _Counting(event for event in trace.events if isinstance(event, PacketSent))
    found = {}
    for event in trace.events:
        if isinstance(event, PacketSent):
            numbers, again = counting.next(event.segment)
            end = ends.get(event.packet, (False, None, None))
            found[event.packet] = Passage(
                event.packet,
                event.sender,
                event.receiver,
                event.segment,
                numbers,
                event.at,
                event.reason,
                *end,
                again,
            )
    return found


class _Counting:
    """Relative numbers, and whether a segment says anything new."""

    def __init__(self, sent: Iterable[PacketSent]) -> None:
        self._first: dict[tuple[object, object], SeqNum] = {}
        self._said: dict[tuple[object, object], set[tuple[int, ...]]] = {}
        segments = [one.segment for one in sent if isinstance(one.segment, Segment)]
        for segment in segments:
            if segment.flags & SYN:
                self._first.setdefault((segment.src, segment.dst), segment.seq)
        for segment in segments:
            # The first number that is left of a conversation whose beginning was not seen.
            if not segment.flags & RST:
                self._first.setdefault((segment.src, segment.dst), add(segment.seq, -1))
            if segment.flags & ACK:
                self._first.setdefault((segment.dst, segment.src), add(segment.ack, -1))

    def next(self, segment: Segment | Unreachable) -> tuple[Numbers, bool]:
        """The numbers of the packet that was sent next."""
        if isinstance(segment, Unreachable):
            return Numbers(0, 0, None), False
        way, back = (segment.src, segment.dst), (segment.dst, segment.src)
        said = self._said.setdefault(way, set())
        if segment.flags & SYN:
            if segment.seq != self._first[way]:
                # A new attempt on the same endpoints begins to count anew.
                self._first[way] = segment.seq
                said.clear()
            if segment.flags & ACK:
                self._first[back] = add(segment.ack, -1)
        size = distance(segment.seq, segment.end_seq)
        seq = distance(self._first.get(way, segment.seq), segment.seq)
        ack = distance(self._first.get(back, 0), segment.ack) if segment.flags & ACK else None
        if segment.flags & RST and segment.seq == 0:
            seq = 0  # an RST for somebody unknown, whose number is relative to nothing
        # What takes sequence space is old if its end is; an ACK, if it was said in these words.
        word = (seq + size,) if size else (seq, ack or 0, segment.flags)
        again = word in said and not segment.flags & RST
        said.add(word)
        return Numbers(seq, seq + size, ack), again
