"""Where datagrams leave towards their targets: one client's sockets, and its routes.

A target sees one source for one client, whatever it sends and to whom: one socket for each address
family, opened by the first datagram that needs it. Its answers come back on that socket, and so may
anybody's who learns its address; whoever owns the outlet is told each time who it was.

There is nothing to wait for and nothing to queue. A datagram that the kernel does not take at once
is dropped and counted, as a router would do; the only ones that wait are a few whose target's name
is being looked up.

Rejected: asyncio's datagram transport, which queues without bound on EAGAIN and reads one datagram
for each wake-up.
"""

import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ..endpoint import Endpoint
from ..errors import PolicyRejected, ResolveError, label
from .dialer import Lookup
from .poller import READ, Poller

__all__ = ["BATCH", "Outside", "PacketOutlet"]

#: Datagrams for each wake-up of a socket.
BATCH = 64

#: Datagrams of one outlet that wait for names, and targets it remembers.
_WAITING = 32
_ROUTES = 256


@dataclass(slots=True)
class Outside:
    """What outlets share: readiness, names, and the rule of what may be reached.

    ``check`` raises ``PolicyRejected`` for a literal that must not be; where ``strict``, nobody is
    heard but who was sent something. ``sent`` counts the datagrams that left, ``dropped`` those
    that went nowhere, by the words of ``errors.label``.
    """

    poller: Poller
    lookup: Lookup
    check: Callable[[str], None] | None = None
    strict: bool = False
    sent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, error: BaseException) -> None:
        """Count a datagram that went nowhere."""
        self.dropped[label(error)] += 1


class PacketOutlet:
    """The sockets that speak for one client.

    ``received`` is told of each answer, whose data is valid until it returns; ``broken`` that this
    outlet is of no more use. ``strict`` is that of ``outside`` until it is set.
    """

    __slots__ = (
        "_broken",
        "_outside",
        "_peers",
        "_received",
        "_routes",
        "_sockets",
        "_waiting",
        "closed",
        "strict",
    )

    def __init__(
        self,
        outside: Outside,
        received: Callable[[Endpoint, memoryview], None],
        broken: Callable[[], None],
    ) -> None:
        self.closed = False
        self.strict = outside.strict
        self._outside = outside
        self._received = received
        self._broken = broken
        self._sockets: dict[int, _Back] = {}
        self._routes: dict[Endpoint, tuple[str, int]] = {}
        self._peers: set[tuple[str, int]] = set()
        self._waiting: dict[Endpoint, list[bytes]] = {}

    def send(self, target: Endpoint, data: memoryview) -> None:
        """Send to ``target``, whose name is looked up and whose address is checked once."""
        route = self._routes.get(target)
        if route is not None:
            self._transmit(route, data)
            return
        waiting = self._waiting.setdefault(target, [])
        waiting.append(bytes(data))
        cancel = None
        if len(waiting) == 1:
            cancel = self._outside.lookup(target.host, lambda found: self._looked_up(target, found))
        # What is known was answered at once. The rest is bounded in all, and not for each name: a
        # client may make up as many names as it likes.
        if sum(map(len, self._waiting.values())) > _WAITING:
            self._outside.dropped["waiting"] += 1
            waiting.pop()
            if cancel is not None:
                cancel()
                del self._waiting[target]

    def close(self) -> None:
        """Give up the sockets, and what still waits; again does nothing."""
        self.closed = True
        for back in self._sockets.values():
            self._outside.poller.close(back.sock)
        self._sockets.clear()
        self._waiting.clear()

    def receive(self, sock: socket.socket) -> None:
        """Pass on what targets have sent."""
        outside = self._outside
        inbound = outside.poller.scratch.inbound
        # Most answers have the source of the one before, and a tuple is compared sooner than made.
        last, endpoint = None, Endpoint("", 0)
        for _ in range(BATCH):
            try:
                count, source = sock.recvfrom_into(inbound)
            except BlockingIOError:
                return
            except OSError as error:
                # An ICMP error about a datagram that we sent: reported once, no reason to stop.
                outside.drop(error)
                continue
            if self.strict and _plain(source[0], source[1]) not in self._peers:
                outside.dropped["stranger"] += 1
                continue
            if source != last:
                last, endpoint = source, Endpoint(*source[:2])
            self._received(endpoint, inbound[:count])
            if self.closed:
                return

    def abandon(self) -> None:
        """Something went wrong in here that nobody foresaw."""
        self._broken()

    def _looked_up(self, target: Endpoint, found: list[str] | ResolveError) -> None:
        # Empty where the outlet was closed while the name was being looked up.
        waiting = self._waiting.pop(target, [])
        if not waiting:
            return
        try:
            route = (self._choose(found), target.port)
        except (ResolveError, PolicyRejected) as error:
            self._outside.dropped[label(error)] += len(waiting)
            return
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
            self._peers.clear()
        self._routes[target] = route
        self._peers.add(_plain(*route))
        for data in waiting:
            self._transmit(route, data)

    def _choose(self, found: list[str] | ResolveError) -> str:
        """The first address that may be reached; raises where there is none."""
        refused: PolicyRejected | ResolveError = ResolveError("no address")
        if isinstance(found, ResolveError):
            raise found
        for address in found:
            try:
                if self._outside.check is not None:
                    self._outside.check(address)
            except PolicyRejected as error:
                refused = error
                continue
            return address
        raise refused

    def _transmit(self, route: tuple[str, int], data: memoryview | bytes) -> None:
        family = socket.AF_INET6 if ":" in route[0] else socket.AF_INET
        try:
            back = self._sockets.get(family)
            if back is None:
                back = self._sockets[family] = _Back(self, self._outside.poller, family)
            back.sock.sendto(data, route)
        except OSError as error:
            # Full buffer, no descriptor, no route, too long: each is a datagram lost, as on any
            # hop of its way.
            self._outside.drop(error)
        else:
            self._outside.sent += 1


def _plain(host: str, port: int) -> tuple[str, int]:
    """An address in the one spelling that the kernel has for it, without its zone."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, host.partition("%")[0])), port


class _Back:
    """One socket of an outlet, towards targets of one address family."""

    __slots__ = ("_outlet", "sock")

    def __init__(self, outlet: PacketOutlet, poller: Poller, family: int) -> None:
        self._outlet = outlet
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        poller.watch(self.sock, READ, self)

    def ready(self, events: int) -> None:
        self._outlet.receive(self.sock)

    def abandon(self, error: Exception) -> None:
        self._outlet.abandon()
