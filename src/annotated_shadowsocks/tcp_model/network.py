"""Hosts and the wire between them, in virtual time.

A wire says when a segment that is sent now arrives, or that it never does; everything that a wire
in a laboratory can do (delay, loss, holding back, reordering) is such a function. Sixty-three
seconds of retries pass as fast as they can be computed, and in the same order every time: by time,
and at the same time in the order of sending, segments before timers.
"""

import heapq
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from .effects import Effect, SendSegment
from .host import Host
from .instant import Duration, Instant
from .segment import Segment

__all__ = ["Moment", "Network", "Wire", "delayed"]

#: When a segment sent at this time arrives, or None if it is lost.
Wire: TypeAlias = Callable[[Segment, Instant], Instant | None]


def delayed(by: Duration) -> Wire:
    """A wire that takes its time and loses nothing."""
    return lambda _segment, now: now + by


class Moment(NamedTuple):
    """One line of a trace: when, at which host, and what it did."""

    at: Instant
    host: str
    effect: Effect


class Network:
    """``hosts`` by their addresses, which are what segments name; the wire may be replaced."""

    def __init__(self, hosts: Mapping[str, Host], wire: Wire | None = None) -> None:
        self.hosts = dict(hosts)
        self.wire: Wire = wire or delayed(0)
        self.now: Instant = 0
        self.trace: list[Moment] = []
        self._flying: list[tuple[Instant, int, Segment]] = []
        self._serial = 0

    def note(self, address: str, effects: list[Effect]) -> None:
        """Take what a host did: write it down, and send what it sends."""
        for effect in effects:
            self.trace.append(Moment(self.now, address, effect))
            if isinstance(effect, SendSegment):
                self.send(effect.segment)

    def send(self, segment: Segment) -> None:
        """Put a segment on the wire, whoever made it."""
        arrives = self.wire(segment, self.now)
        if arrives is not None:
            self.send_at(segment, arrives)

    def send_at(self, segment: Segment, arrives: Instant) -> None:
        """Have a segment arrive at a time, past the wire."""
        self._serial += 1
        heapq.heappush(self._flying, (max(arrives, self.now), self._serial, segment))

    def deliver(self, segment: Segment) -> None:
        """Have a segment arrive now; one for nobody is gone."""
        host = self.hosts.get(segment.dst.host)
        if host is not None:
            self.note(segment.dst.host, host.receive_segment(segment, self.now))

    def settle(self) -> None:
        """Let everything arrive that is due by now, and what it sets off."""
        self.run_until(self.now)

    def get_timer(self) -> Instant | None:
        """When something happens next, or None."""
        times = [host.get_timer() for host in self.hosts.values()]
        if self._flying:
            times.append(self._flying[0][0])
        return min((time for time in times if time is not None), default=None)

    def run_until(self, at: Instant) -> None:
        """Let time pass."""
        while (when := self.get_timer()) is not None and when <= at:
            self.now = max(when, self.now)
            self._step()
        self.now = max(at, self.now)

    def run(self) -> None:
        """Let time pass until nothing is left to happen."""
        while (when := self.get_timer()) is not None:
            self.run_until(when)

    def _step(self) -> None:
        if self._flying and self._flying[0][0] <= self.now:
            self.deliver(heapq.heappop(self._flying)[2])
            return
        for address, host in self.hosts.items():
            when = host.get_timer()
            if when is not None and when <= self.now:
                self.note(address, host.handle_timer(self.now))
