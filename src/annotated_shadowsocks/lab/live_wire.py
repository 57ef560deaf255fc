"""The wire between two live kernels and any number of scripted peers, in real time.

Everything that crosses it is in our hands for a moment: written down with the kernel's own time,
delivered, delayed, held back or thrown away. Nothing passes while nobody pumps.
"""

import heapq
import select
import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError
from ..pictures.recorder import Recorder
from ..pictures.trace import Party
from ..scripts.statements import WireRule
from ..tcp_model import packet
from ..tcp_model.instant import MILLISECOND, Duration, Instant
from ..tcp_model.segment import Segment, Unreachable
from .live_host import LiveHost, Packet
from .stage import Heard
from .wire import RuledWire

__all__ = ["LiveWire"]

#: Whoever has no name in the script.
STRANGER = "?"
#: How long nothing may come before somebody looks what a timer has done meanwhile.
_GLANCE = 100 * MILLISECOND


class _Carried(NamedTuple):
    """A packet of a kernel client on the wire: its number in the trace, and where it goes."""

    number: int
    inbound: bool
    octets: bytes


class LiveWire:
    """The wire. Times are in ns after it was made."""

    def __init__(self, server: LiveHost, clients: LiveHost) -> None:
        self._server = server
        self._clients = clients
        self._start = time.monotonic_ns()
        self._poll = select.poll()
        for host in (server, clients):
            self._poll.register(host, select.POLLIN)
        self._names: dict[Endpoint, str] = {}
        self.recorder = Recorder(
            [Party("server", server.address), Party("clients", clients.address)]
        )
        #: Called when something may have changed at the server.
        self.changed: Callable[[], None] = lambda: None
        self._heard: defaultdict[tuple[str, bool], deque[Heard]] = defaultdict(deque)
        self._rules: RuledWire[_Carried] = RuledWire()
        self._kept: set[int] = set()
        self._delayed: list[tuple[Instant, _Carried]] = []
        #: How long a kernel client's packet, or an answer to one, lay there before it was taken.
        self.late: Duration = 0

    def introduce(self, name: str, endpoint: Endpoint) -> None:
        """Say whose an endpoint is."""
        self._names[endpoint] = name
        self.recorder.introduce(Party(name, *endpoint))

    @property
    def now(self) -> Instant:
        """The time."""
        return time.monotonic_ns() - self._start

    def pump(self, until: Instant, enough: Callable[[], bool] = lambda: False) -> None:
        """Carry packets until a time, or until ``enough()``; at least once, what is there."""
        while True:
            self._carry()
            now = self.now
            if now >= until or enough():
                return
            due = min(until, now + _GLANCE, *(when for when, _ in self._delayed[:1]))
            # Milliseconds, rounded up: a poll that returns early would spin.
            if not self._poll.poll(max(0, -(-(due - now) // 1_000_000))):
                # A request that expires sends nothing.
                self.changed()

    def take(self, name: str, inbound: bool) -> Heard | None:
        """The first segment of a name and direction that was not taken, or None."""
        heard = self._heard[name, inbound]
        return heard.popleft() if heard else None

    def waits(self, name: str, inbound: bool) -> bool:
        """Whether there is one."""
        return bool(self._heard[name, inbound])

    def inject(self, what: Segment | Unreachable) -> None:
        """Have a scripted peer's segment, or an ICMP error for it, arrive at the server."""
        number = self.recorder.sent(self.now, what)
        encoded = packet.encode(what) if isinstance(what, Segment) else self._error(what)
        at = self._server.receive(encoded) - self._start
        self.recorder.arrived(at, number)
        self._carry()
        self.changed()

    def set_rule(self, rule: WireRule) -> None:
        """Change what happens to packets of kernel clients."""
        self._rules.change(rule, self._deliver)
        self._carry()

    def lose_kept(self) -> None:
        """Write down that what is held is lost: the run is over."""
        for number in sorted(self._kept):
            self.recorder.lost(self.now, number)
        self._kept.clear()

    # Inside

    def _carry(self) -> None:
        """Take everything that the two kernels have sent, and deliver what is due."""
        busy = True
        while busy:
            busy = False
            while self._delayed and self._delayed[0][0] <= self.now:
                self._deliver(heapq.heappop(self._delayed)[1])
                busy = True
            for host in (self._server, self._clients):
                while (sent := host.sent()) is not None:
                    self._pass_on(sent, inbound=host is self._clients)
                    busy = True

    def _pass_on(self, sent: Packet, inbound: bool) -> None:
        try:
            segment = packet.decode(sent.octets)
        except RemoteProtocolError as error:
            self.recorder.noted(self.now, f"a packet that is none: {error}")
            return
        if not isinstance(segment, Segment):
            return
        at = sent.at - self._start
        theirs = segment.src if inbound else segment.dst
        name = self._names.get(theirs, STRANGER)
        number = self.recorder.sent(at, segment)
        self._heard[name, inbound].append(Heard(at, segment))
        if theirs.host != self._clients.address:
            self.recorder.arrived(at, number)
            return
        self.late = max(self.late, self.now - at)
        self._route(name, _Carried(number, inbound, sent.octets))
        self.changed()

    def _route(self, name: str, one: _Carried) -> None:
        delay = self._rules.offer(name, one.inbound, one)
        if delay is None:
            self._kept.add(one.number)
            self.recorder.held(self.now, one.number)
        elif delay:
            heapq.heappush(self._delayed, (self.now + delay, one))
        else:
            self._deliver(one)

    def _deliver(self, one: _Carried) -> None:
        host = self._server if one.inbound else self._clients
        at = host.receive(one.octets) - self._start
        self._kept.discard(one.number)
        self.recorder.arrived(at, one.number)
        self.changed()

    def _error(self, error: Unreachable) -> bytes:
        return packet.encode_unreachable(error, error.flow.remote.host)
