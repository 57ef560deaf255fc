"""The model as a host that anybody can connect to: a real kernel here, the model there.

A TUN device leads to the host, which has one address. What arrives there goes into the model; what
the model sends goes back; its timers run by the real clock. Behind its listener stands an
application that answers web requests, as fast or as slowly as it was told to.
"""

import ipaddress
import select
import time
from collections.abc import Callable
from typing import TypeAlias

from ..endpoint import Endpoint
from ..errors import ConfigError, RemoteProtocolError
from ..kernel.routes import device_of
from ..kernel.tun import Interface, Tun
from ..tcp_model import packet
from ..tcp_model.connection import Connection
from ..tcp_model.effects import Effect, SendSegment
from ..tcp_model.host import Host
from ..tcp_model.instant import Duration, Instant
from ..tcp_model.listener import Listener
from ..tcp_model.segment import Segment
from . import web_page
from .web_page import Facts

__all__ = ["LiveModel", "Report", "interfaces"]

#: Told of everything, in order: when, and a segment that arrived or an effect.
Report: TypeAlias = Callable[[Instant, Segment | Effect], None]

_HOW = "write it as 198.51.100.2/24"


def interfaces(text: str) -> tuple[Interface, Interface]:
    """The host's address on the device, and the model's own: ``198.51.100.2/24`` is the latter.

    The kernel gets the network's first address, or its second where the model has that. Raises
    ``ConfigError``.
    """
    try:
        model = ipaddress.ip_interface(text)
    except ValueError as error:
        raise ConfigError(text, "that is no address", _HOW) from error
    network = model.network
    if network.num_addresses < 4:
        raise ConfigError(text, "there is no room for two hosts", _HOW)
    if model.ip in (network.network_address, network.broadcast_address):
        raise ConfigError(text, f"{model.ip} is no address of a host", _HOW)
    if network.is_loopback or network.is_multicast or network.is_link_local or model.is_reserved:
        raise ConfigError(text, "that network has a meaning of its own", _HOW)
    other = network[1] if network[1] != model.ip else network[2]
    return ipaddress.ip_interface(f"{other}/{network.prefixlen}"), model


class _Visit:
    """An accepted connection: what it has asked so far."""

    def __init__(self, connection: Connection, facts: Facts) -> None:
        self.connection = connection
        self.facts = facts
        self.request = b""


class LiveModel:
    """A host of the model on a TUN device of the thread's namespace.

    ``pace`` is the time between two accept() calls, None for an application that never accepts.
    Raises ``NamespaceError``, ``ObserveError`` and ``ConfigError``.
    """

    def __init__(
        self,
        host: Host,
        address: str,
        port: int,
        pace: Duration | None,
        report: Report,
    ) -> None:
        theirs, ours = interfaces(address)
        taken = device_of(ours.network)
        if taken is not None:
            remedy = "choose another network"
            raise ConfigError(address, f"{taken} has a route to {ours.network}", remedy)
        self.host = host
        self.endpoint = Endpoint(str(ours.ip), port)
        self.accepted = 0
        self._report = report
        self._start = time.monotonic_ns()
        self._pace = pace
        self._next_accept: Instant = 0
        self._visits: list[_Visit] = []
        self._tun = Tun("backlog%d")
        try:
            self._tun.configure(theirs)
            self._listener: Listener = host.bind(self.endpoint)
        except BaseException:
            self._tun.close()
            raise

    @property
    def device(self) -> str:
        """The name of its device."""
        return self._tun.name

    @property
    def listener(self) -> Listener:
        """The listener, for a look at its queues."""
        return self._listener

    @property
    def now(self) -> Instant:
        """Since it was started."""
        return time.monotonic_ns() - self._start

    def listen(self, backlog: int) -> None:
        """Listen, or listen again."""
        self._did(self.host.listen(self._listener, backlog, self.now))

    def run(self, until: Instant | None = None) -> None:
        """Serve until a time, or for ever."""
        poll = select.poll()
        poll.register(self._tun, select.POLLIN)
        while until is None or self.now < until:
            due = self._due(until)
            wait = None if due is None else max(0, -(-(due - self.now) // 1_000_000))
            poll.poll(wait)
            self.step()

    def step(self) -> None:
        """Do everything that can be done now."""
        while (octets := self._tun.read()) is not None:
            self._receive(octets)
        self._did(self.host.handle_timer(self.now))
        self._accept()
        self._visits = [visit for visit in self._visits if self._serve(visit)]

    def close(self) -> None:
        """Remove the device; whoever is connected hears nothing any more."""
        self._tun.close()

    def __enter__(self) -> "LiveModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _due(self, until: Instant | None) -> Instant | None:
        times = [self.host.get_timer(), until]
        if self._pace is not None and self._listener.accept_queue.depth:
            times.append(self._next_accept)
        return min((one for one in times if one is not None), default=None)

    def _receive(self, octets: bytes) -> None:
        try:
            segment = packet.decode(octets)
        except RemoteProtocolError:
            return
        now = self.now
        if isinstance(segment, Segment):
            if segment.dst.host == self.endpoint.host:
                self._report(now, segment)
                self._did(self.host.receive_segment(segment, now))
        elif segment is not None:
            self._did(self.host.receive_unreachable(segment, now))

    def _did(self, effects: list[Effect]) -> None:
        now = self.now
        for effect in effects:
            if isinstance(effect, SendSegment):
                self._tun.write(packet.encode(effect.segment))
            self._report(now, effect)

    def _accept(self) -> None:
        while self._pace is not None and self.now >= self._next_accept:
            waited = self._listener.accept_queue.depth
            connection, effects = self.host.accept(self._listener, self.now)
            if connection is None:
                return
            self._did(effects)
            self.accepted += 1
            self._next_accept = self.now + self._pace
            listener = self._listener
            facts = Facts(
                self.host.profile,
                listener.backlog or 0,
                listener.accept_queue.limit,
                waited,
                self.accepted,
            )
            self._visits.append(_Visit(connection, facts))

    def _serve(self, visit: _Visit) -> bool:
        """Read, and answer where there is a request; whether there is more to come."""
        try:
            data = self.host.recv(visit.connection, 65536)
            if data:
                visit.request += data
                if not web_page.is_complete(visit.request):
                    return True
                page = web_page.answer(visit.request, visit.facts)
                self._did(self.host.send(visit.connection, page, self.now))
        except BlockingIOError:
            return True
        except OSError:
            pass  # reset by its peer: there is nobody to tell
        self._did(self.host.close(visit.connection, self.now))
        return False
