"""A trace in rows: what every ladder draws, in whatever medium.

A row is a packet, or something that a host did without one. A packet whose way took no time, or in
whose time nothing else happened, is one row; otherwise it departs in one and arrives in another. A
row knows why it happened, and how things stood after it: the states at both ends of its flow, the
depths of all queues, and which counters of the server went up.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from ..endpoint import Endpoint
from ..tcp_model.counters import SK_DROPS
from ..tcp_model.instant import MILLISECOND, Instant
from ..tcp_model.segment import Flow, Segment
from . import trace as t
from .passage import Passage, passages

__all__ = ["Gauge", "Kind", "Row", "Story", "short_state", "tell"]


class Kind(Enum):
    """What a row shows."""

    PACKET = "a packet, sent and arrived"
    DEPARTURE = "a packet, sent"
    ARRIVAL = "a packet that was sent in an earlier row"
    LOSS = "a packet that never arrived"
    REMARK = "no packet"


class Gauge(NamedTuple):
    """A queue that was measured."""

    host: str
    listener: int
    queue: str
    #: The most that any row shows, of depth and of limit.
    most: int


@dataclass(slots=True)
class Row:
    """One line of a ladder."""

    at: Instant
    kind: Kind
    #: The client's name; empty in a remark about nobody.
    client: str = ""
    passage: Passage | None = None
    #: Who did what a remark is about.
    host: str = ""
    #: Why it was sent, where that is not plain, or what the remark says.
    why: str = ""
    #: What the receiver made of it.
    outcome: str = ""
    #: The receiver turned it away.
    refused: bool = False
    #: The connection as its client names it.
    flow: Flow | None = None
    #: States of the client and of the server, empty where nobody knows.
    states: tuple[str, str] = ("", "")
    #: Depth and limit of every gauge.
    depths: tuple[tuple[int, int | None] | None, ...] = ()
    #: Counters of the server, by how much they went up.
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def texts(self) -> list[str]:
        """What to say beside it. Why a packet was sent is told where the outcome is no news."""
        passage = self.passage
        routine = passage is not None and not passage.again and passage.name != "RST"
        arrives = self.kind is Kind.ARRIVAL
        why = "" if arrives or (routine and (self.outcome or self.why in _PLAIN)) else self.why
        return [text for text in (why, self.outcome) if text]


@dataclass(frozen=True, slots=True)
class Story:
    """Rows, and what they have in common. ``server`` is whose queues were measured."""

    title: str
    source: str
    server: str
    clients: tuple[str, ...]
    gauges: tuple[Gauge, ...]
    rows: tuple[Row, ...]


#: Reasons that the segment itself tells.
_PLAIN = ("connect()", "the answer to a SYN", "the third segment of the handshake")
#: What is seen so soon after a row is a consequence of it: a kernel's queues are read, not told.
_SOON = 100 * MILLISECOND
_SHORT = {"TCP_NEW_SYN_RECV": "SYN-RECV", "SYN_RECEIVED": "SYN-RECV", "ESTABLISHED": "ESTAB"}

#: What is said of a packet that its receiver did something with; the rest goes without saying.
_OUTCOMES = {
    "AddRequest": "into the SYN queue",
    "QueueAccept": "into the accept queue",
    "DropSyn": "dropped: {}",
    "DropAck": "ignored: {}",
    "DropSegment": "thrown away: {}",
    "RemoveRequest": "out of the SYN queue: {}",
    "Fail": "the application gets {}",
}
_REFUSALS = ("DropSyn", "DropAck", "DropSegment")
#: The same without a packet.
_REMARKS = {
    "RemoveRequest": "{client} is removed from the SYN queue: {}",
    "Dequeue": "{client} leaves the accept queue: {}",
    "QueueAccept": "{client} into the accept queue: {}",
    "Move": "{client} moves: {}",
    "Fail": "{client} has an error: {}",
}


def short_state(state: str) -> str:
    """A state as ``ss`` writes it: ``SYN-RECV``, ``ESTAB``, ``FIN-WAIT-1``."""
    return _SHORT.get(state, state.replace("_", "-"))


def tell(trace: t.Trace, only: Collection[str] = (), script: bool = False) -> Story:
    """The story of a trace; of ``only`` these clients where any are named.

    Depths and counters are those of the whole trace all the same. With ``script`` there is a row
    for each remark that no host has made: the lines of the script that was run.
    """
    teller = _Teller(trace, only, script)
    for event in trace.events:
        teller.hear(event)
    return teller.story()


class _Teller:
    def __init__(self, trace: t.Trace, only: Collection[str], script: bool) -> None:
        self._trace = trace
        self._script = script
        self._only = only
        self._passages = passages(trace)
        self._names = {(one.address, one.port): one.name for one in trace.parties}
        measured = [e for e in trace.events if isinstance(e, t.QueueMeasured)]
        sent = [e.receiver for e in trace.events if isinstance(e, t.PacketSent)]
        self._server = next(iter([e.host for e in measured] + sent), "")
        # The SYN queue comes first everywhere: what enters the accept queue comes out of it.
        keys = dict.fromkeys((e.host, e.listener, e.queue) for e in measured)
        self._gauges = sorted(keys, key=lambda key: (*key[:2], key[2] != t.SYN_QUEUE))
        self._depths: dict[tuple[str, int, str], tuple[int, int | None]] = {}
        self._states: dict[tuple[str, Flow], str] = {}
        self._rows: list[Row] = []
        #: The latest row of each packet, and the latest of all, be it shown or not.
        self._of: dict[int, Row] = {}
        self._latest: Row | None = None
        self._counted: dict[str, int] = {}
        # Where nobody tells of states, nobody knows that it listens either.
        told = any(isinstance(e, t.StateChanged) for e in trace.events)
        self._idle = "LISTEN" if told else ""
        self._told = told

    def hear(self, event: t.Event) -> None:
        """Take the next event."""
        match event:
            case t.PacketSent(at, packet, _, _, _, reason):
                self._packet(at, Kind.DEPARTURE, packet).why = reason
            case t.PacketHeld(_, packet, reason) if packet in self._of:
                self._of[packet].outcome = f"held: {reason}" if reason else "on the wire"
            case t.PacketArrived(at, packet) if packet in self._of:
                self._end(at, packet, Kind.PACKET, Kind.ARRIVAL)
            case t.PacketLost(at, packet, reason) if packet in self._of:
                row = self._end(at, packet, Kind.LOSS, Kind.LOSS)
                row.outcome = f"lost: {reason}" if reason else "lost on the wire"
            case t.Acted():
                self._act(event)
            case t.StateChanged(_, host, flow, _, new):
                self._states[host, flow] = new
            case t.QueueMeasured(at, host, queue, depth, limit, listener):
                self._depths[host, listener, queue] = depth, limit
                if self._latest is None or at > self._latest.at + _SOON:
                    self._add(Row(at, Kind.REMARK, host=host, why="its queues are looked at"))
            case t.CounterMoved(at, host, name, by):
                self._count(at, host, name, by)
            case t.Noted(at, text, host) if host or self._script:
                self._add(Row(at, Kind.REMARK, host=host, why=text))
            case _:
                pass  # also what became of a packet whose sending the trace does not have
        self._look()

    def story(self) -> Story:
        """All of it."""
        clients = dict.fromkeys(row.client for row in self._rows if row.client)
        gauges = []
        for number, key in enumerate(self._gauges):
            shown = (row.depths[number] for row in self._rows)
            most = max((max(one[0], one[1] or 0) for one in shown if one), default=0)
            gauges.append(Gauge(*key, most))
        trace = self._trace
        named = trace.title, trace.source, self._server
        return Story(*named, tuple(clients), tuple(gauges), tuple(self._rows))

    def _add(self, row: Row) -> Row:
        self._latest = row
        row.counters, self._counted = self._counted, {}
        if not (self._only and row.client and row.client not in self._only):
            self._rows.append(row)
        return row

    def _packet(self, at: Instant, kind: Kind, packet: int) -> Row:
        passage = self._passages[packet]
        outward = passage.sender == self._server
        client = passage.receiver if outward else passage.sender
        row = self._of[packet] = self._add(Row(at, kind, client, passage))
        if isinstance(passage.segment, Segment):
            segment = passage.segment
            ends = (segment.dst, segment.src) if outward else (segment.src, segment.dst)
            row.flow = Flow(*ends)
        return row

    def _end(self, at: Instant, packet: int, at_once: Kind, later: Kind) -> Row:
        row = self._of[packet]
        if row.outcome or self._rows[-1:] != [row]:
            # It was held, or something else has happened meanwhile.
            return self._packet(at, later, packet)
        row.kind, self._latest = at_once, row
        return row

    def _act(self, event: t.Acted) -> None:
        if event.packet in self._of:
            row = self._of[event.packet]
            self._latest = row
            if event.action == "RemoveRequest" and row.outcome:
                return
            row.outcome = _OUTCOMES.get(event.action, row.outcome).format(event.reason)
            row.refused = row.refused or event.action in _REFUSALS
        elif event.action in _REMARKS:
            row = Row(event.at, Kind.REMARK, host=event.host)
            if event.flow is not None:
                near, far = event.flow
                row.flow = Flow(far, near) if event.host == self._server else event.flow
                row.client = self._name(row.flow.local)
            row.why = _REMARKS[event.action].format(event.reason, client=row.client)
            self._add(row)

    def _count(self, at: Instant, host: str, name: str, by: int) -> None:
        if host != self._server:
            return
        row = self._latest
        # A timer counts before it acts, and then the row is still to come.
        soon = row is not None and at <= row.at + _SOON
        counted = row.counters if row is not None and soon else self._counted
        counted[name] = counted.get(name, 0) + by
        if name == SK_DROPS and not self._told and row is not None and soon:
            self._infer(row)

    def _infer(self, row: Row) -> None:
        """A kernel does not say why its listener drops a packet; a full queue says it."""
        inward = row.passage is not None and row.passage.receiver == self._server
        depths = [d for k, d in self._depths.items() if k[2] == t.ACCEPT_QUEUE]
        full = any(limit is not None and depth > limit for depth, limit in depths)
        if inward and full and row.kind in (Kind.PACKET, Kind.ARRIVAL):
            row.refused = True
            row.outcome = "turned away, while the accept queue is full"

    def _name(self, end: Endpoint) -> str:
        return self._names.get(end) or self._names.get((end.host, None)) or str(end)

    def _look(self) -> None:
        """Write down in the latest row how things stand."""
        row = self._latest
        if row is None:
            return
        row.depths = tuple(self._depths.get(key) for key in self._gauges)
        if row.flow is not None:
            near, far = row.flow
            here = self._states.get((row.client, row.flow), "")
            there = self._states.get((self._server, Flow(far, near)), self._idle)
            row.states = here, there
