"""Makes a trace: takes what was seen, in any order, and gives it back in the order of time.

Whoever watches a wire says ``sent``, ``held``, ``arrived`` and ``lost``. Whoever has the model's
effects says ``did``. Whoever can only look at a kernel says ``measured``, ``changed`` and
``counted`` as often as it likes: what is as it was before is not written down again.
"""

from collections.abc import Iterable
from errno import errorcode
from operator import attrgetter

from ..endpoint import Endpoint
from ..tcp_model import effects as e
from ..tcp_model.effects import Effect
from ..tcp_model.host import Host
from ..tcp_model.instant import Instant
from ..tcp_model.segment import Flow, Segment, Unreachable
from .trace import (
    ACCEPT_QUEUE,
    SYN_QUEUE,
    Acted,
    CounterMoved,
    Event,
    Noted,
    PacketArrived,
    PacketHeld,
    PacketLost,
    PacketSent,
    Party,
    QueueMeasured,
    StateChanged,
    Trace,
)

__all__ = ["Recorder"]


class Recorder:
    """One trace in the making; ``parties`` give names to addresses."""

    def __init__(self, parties: Iterable[Party] = ()) -> None:
        self._parties = list(parties)
        self._events: list[Event] = []
        self._packets = 0
        self._queues: dict[tuple[str, int, str], tuple[int, int | None]] = {}
        self._states: dict[Flow, str] = {}

    def introduce(self, party: Party) -> None:
        """Give a name to an address, or to one socket of it, from now on."""
        self._parties.append(party)

    def name(self, address: str, port: int | None = None) -> str:
        """Who that is: the socket's own name, else the host's, else its address."""
        here = [one for one in self._parties if one.address == address]
        for wanted in (port, None):
            for one in here:
                if one.port == wanted:
                    return one.name
        return address if port is None else str(Endpoint(address, port))

    # The wire

    def sent(self, at: Instant, segment: Segment | Unreachable, reason: str = "") -> int:
        """A packet was put on the wire; returns its number."""
        self._packets += 1
        src, dst = _ends(segment)
        sender, receiver = self.name(*src), self.name(*dst)
        self._events.append(PacketSent(at, self._packets, sender, receiver, segment, reason))
        return self._packets

    def held(self, at: Instant, packet: int, reason: str = "") -> None:
        """The wire keeps it back."""
        self._events.append(PacketHeld(at, packet, reason))

    def arrived(self, at: Instant, packet: int) -> None:
        """Its receiver has it."""
        self._events.append(PacketArrived(at, packet))

    def lost(self, at: Instant, packet: int, reason: str = "") -> None:
        """The wire threw it away."""
        self._events.append(PacketLost(at, packet, reason))

    # The hosts

    def did(
        self,
        at: Instant,
        address: str,
        host: Host,
        effects: Iterable[Effect],
        packet: int | None = None,
    ) -> None:
        """The model's ``host`` did this just now; ``packet`` is what it answered, if anything."""
        touched: dict[Flow, str] = {}
        for effect in effects:
            match effect:
                case e.Count(name, amount, listener):
                    self.counted(at, address, name, amount, listener)
                case e.WriteLog(text):
                    self.noted(at, f"kernel: {text}", self.name(address))
                case e.SetLimit(_, _, reason):
                    self.noted(at, reason, self.name(address))
                case e.DropSyn() | e.DropAck() | e.DropSegment():
                    flow, action = effect.segment.flow, type(effect).__name__
                    self.acted(at, action, flow, effect.reason, packet)
                case e.SendSegment() | e.ArmTimer():
                    pass
                case _:
                    if not isinstance(effect, e.ChangeState):
                        action, reason = type(effect).__name__, effect.reason
                        if isinstance(effect, e.Fail):
                            reason = f"{errorcode[effect.errno]}, {reason}"
                        self.acted(at, action, effect.flow, reason, packet)
                    touched.setdefault(effect.flow, effect.reason)
        for flow, reason in touched.items():
            self.changed(at, flow, host.state_of(flow).name, reason)
        self._forget_closed(at, address, {one.number for one in host.listeners})
        for one in host.listeners:
            for queue, waiting in ((SYN_QUEUE, one.syn_queue), (ACCEPT_QUEUE, one.accept_queue)):
                self.measured(at, address, queue, waiting.depth, waiting.limit, one.number)

    def _forget_closed(self, at: Instant, address: str, open_ones: set[int]) -> None:
        """A listener that is closed has no queues: whatever was in them is elsewhere, or gone."""
        for (where, listener, queue), (_, limit) in list(self._queues.items()):
            if where == address and listener not in open_ones:
                self.measured(at, address, queue, 0, limit, listener)

    def acted(
        self, at: Instant, action: str, flow: Flow, reason: str = "", packet: int | None = None
    ) -> None:
        """A host did something about a flow, which is named as that host has it."""
        self._events.append(Acted(at, self.name(*flow.local), action, reason, flow, packet))

    def changed(self, at: Instant, flow: Flow, state: str, reason: str = "") -> None:
        """A connection is in this state at its local end; nothing new is nothing to write down."""
        old = self._states.get(flow)
        if state != old:
            self._states[flow] = state
            host = self.name(*flow.local)
            self._events.append(StateChanged(at, host, flow, old or "", state, reason))

    def measured(
        self,
        at: Instant,
        address: str,
        queue: str,
        depth: int,
        limit: int | None,
        listener: int = 1,
    ) -> None:
        """A queue of a listener is this full; nothing new is nothing to write down."""
        where, now = (address, listener, queue), (depth, limit)
        if self._queues.get(where) != now:
            self._queues[where] = now
            host = self.name(address)
            self._events.append(QueueMeasured(at, host, queue, depth, limit, listener))

    def counted(
        self, at: Instant, address: str, name: str, by: int = 1, listener: int | None = None
    ) -> None:
        """A counter went up; by nothing is nothing to write down."""
        if by:
            self._events.append(CounterMoved(at, self.name(address), name, by, listener))

    def noted(self, at: Instant, text: str, host: str = "") -> None:
        """A remark."""
        self._events.append(Noted(at, text, host))

    def trace(self, title: str, source: str) -> Trace:
        """Everything so far; what happened at the same time stays in the order it was told in."""
        events = sorted(self._events, key=attrgetter("at"))
        return Trace(title, source, tuple(self._parties), tuple(events))


def _ends(packet: Segment | Unreachable) -> Flow:
    """Sender, then receiver. An ICMP error comes from beyond, on behalf of whoever it is about."""
    if isinstance(packet, Unreachable):
        return Flow(packet.flow.remote, packet.flow.local)
    return Flow(packet.src, packet.dst)
