"""The model's network, with somebody who writes down what it does."""

from collections.abc import Iterable, Mapping

from ..tcp_model.effects import Effect, SendSegment
from ..tcp_model.host import Host
from ..tcp_model.instant import Duration, Instant
from ..tcp_model.network import Network, Wire
from ..tcp_model.segment import Segment
from .recorder import Recorder
from .trace import Party, Trace

__all__ = ["RecordedNetwork"]


class RecordedNetwork(Network):
    """``Network`` with a ``recorder``; nothing that happens on it is different.

    A packet that takes longer than ``usual`` was held, and so was one that the wire gave up and
    that ``send_at`` has arrive after all.
    """

    def __init__(
        self,
        hosts: Mapping[str, Host],
        wire: Wire | None = None,
        parties: Iterable[Party] = (),
        usual: Duration = 0,
    ) -> None:
        super().__init__(hosts, wire)
        self.recorder = Recorder(parties)
        self._usual = usual
        self._reason = ""
        self._answered: int | None = None
        # Packets are told apart by identity: the same segment may be sent twice.
        self._kept: dict[int, tuple[Segment, int, Instant]] = {}
        self._on_their_way: dict[int, tuple[Segment, list[int]]] = {}

    def note(self, address: str, effects: list[Effect]) -> None:
        """Take what a host did, and write down why."""
        host, packet, self._answered = self.hosts[address], self._answered, None
        self.recorder.did(self.now, address, host, effects, packet)
        for effect in effects:
            self._reason = effect.reason if isinstance(effect, SendSegment) else ""
            super().note(address, [effect])
        self._reason = ""

    def send(self, segment: Segment) -> None:
        """Put a segment on the wire, whoever made it."""
        packet = self.recorder.sent(self.now, segment, self._reason)
        arrives = self.wire(segment, self.now)
        if arrives is None:
            self._kept[id(segment)] = segment, packet, self.now
            return
        if arrives > self.now + self._usual:
            self.recorder.held(self.now, packet)
        self._fly(segment, packet, arrives)

    def send_at(self, segment: Segment, arrives: Instant) -> None:
        """Have a segment arrive at a time, past the wire."""
        if id(segment) in self._kept:
            _, packet, since = self._kept.pop(id(segment))
            self.recorder.held(since, packet)
        else:
            packet = self.recorder.sent(self.now, segment, self._reason)
        self._fly(segment, packet, arrives)

    def deliver(self, segment: Segment) -> None:
        """Have a segment arrive now."""
        _, packets = self._on_their_way[id(segment)]
        self._answered = packets.pop(0)
        if not packets:
            del self._on_their_way[id(segment)]
        self.recorder.arrived(self.now, self._answered)
        super().deliver(segment)
        self._answered = None

    def recorded(self, title: str, source: str) -> Trace:
        """What has happened; what the wire has kept until now is lost."""
        for _, packet, since in self._kept.values():
            self.recorder.lost(since, packet)
        self._kept.clear()
        return self.recorder.trace(title, source)

    def _fly(self, segment: Segment, packet: int, arrives: Instant) -> None:
        self._on_their_way.setdefault(id(segment), (segment, []))[1].append(packet)
        super().send_at(segment, arrives)
