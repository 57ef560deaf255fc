"""Datagrams: one socket that clients send to, and for each client a place of its own behind it.

An *association* is what NAT would call a mapping: the client's address on one side, a socket of
its own on the other, so that answers find their way back and a target sees one source for one
client. Either side's datagrams keep it alive; ``timeout`` seconds of silence on both end it.

There is nothing to wait for and nothing to queue. A datagram that the kernel does not take at once
is dropped and counted, as a router would do; the only ones that wait are a few whose target's name
is being looked up. A datagram that is not authentic leaves nothing behind, not even an association.

Associations are bounded. A client that holds many gives up its own most idle one first, so that
nobody's flood ends anybody else's flow.

Rejected: asyncio's datagram transport, which queues without bound on EAGAIN and reads one datagram
for each wake-up.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..endpoint import Endpoint
from ..errors import PolicyRejected, RemoteProtocolError, ResolveError, label
from .deadlines import DeadlineQueue
from .dialer import Lookup
from .poller import READ, Poller

__all__ = ["PacketCodec", "PacketLimits", "PacketRelay"]

#: Datagrams for each wake-up.
_BATCH = 64

#: Datagrams of one association that wait for names, and targets it remembers.
_WAITING = 32
_ROUTES = 256

#: A socket address as recvfrom gives it: (host, port), and two more fields for IPv6.
Address = tuple[str, int] | tuple[str, int, int, int]


class PacketCodec(Protocol):
    """What a datagram becomes on its way; both raise ``RemoteProtocolError`` for one to be dropped.

    ``out`` is a buffer to build the result in, which is valid until the next call.
    """

    def inward(self, datagram: memoryview, out: memoryview) -> tuple[Endpoint, memoryview]:
        """From a client: where it goes, and what is sent there."""
        ...

    def outward(self, source: Endpoint, datagram: memoryview, out: memoryview) -> memoryview:
        """From ``source``: what is sent to the client."""
        ...


@dataclass(frozen=True, slots=True)
class PacketLimits:
    """``timeout`` in seconds; associations in all, and of one client address."""

    timeout: float = 300.0
    associations: int = 4096
    per_host: int = 256


class PacketRelay:
    """Relays datagrams of one bound socket.

    ``codec_for`` gives the codec for a client's address, or None where it is not served; ``check``
    raises ``PolicyRejected`` for a literal that must not be reached, and ``failed`` is told what
    was not authentic or not of the protocol.
    """

    def __init__(
        self,
        poller: Poller,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        codec_for: Callable[[Address], PacketCodec | None],
        lookup: Lookup,
        check: Callable[[str], None] | None = None,
        limits: PacketLimits | None = None,
        failed: Callable[[RemoteProtocolError, Address], None] | None = None,
    ) -> None:
        self.poller = poller
        self.sock = sock
        self.lookup = lookup
        self.check = check
        self.limits = limits or PacketLimits()
        #: Datagrams that went through, from clients and to them, and why others did not.
        self.from_clients = 0
        self.to_clients = 0
        self.dropped: Counter[str] = Counter()
        self.idle: DeadlineQueue[_Association] = DeadlineQueue(
            loop, self.limits.timeout, _Association.close
        )
        self._codec_for = codec_for
        self._failed = failed
        self._count = 0
        #: Client host, then client address.
        self._hosts: dict[str, dict[Address, _Association]] = {}
        poller.watch(sock, READ, self)

    def __str__(self) -> str:
        """``HOST:PORT``."""
        return str(Endpoint(*self.sock.getsockname()[:2]))

    def __len__(self) -> int:
        """Associations alive."""
        return self._count

    def ready(self, events: int) -> None:
        """See ``Watcher.ready``."""
        inbound, outbound = self.poller.scratch.inbound, self.poller.scratch.outbound
        receive = self.sock.recvfrom_into
        for _ in range(_BATCH):
            try:
                count, client = receive(inbound)
            except BlockingIOError:
                return
            except OSError as error:
                # An ICMP error about a datagram that we sent: reported once, and no reason to stop.
                self.drop(error)
                continue
            codec = self._codec_for(client)
            if codec is None:
                self.dropped["client"] += 1
                continue
            try:
                target, data = codec.inward(inbound[:count], outbound)
            except RemoteProtocolError as error:
                self.refuse(error, client)
                continue
            association = self._association(client, codec)
            self.idle.add(association)
            association.send(target, data)

    def abandon(self, error: Exception) -> None:
        """See ``Watcher.abandon``: the datagram in hand is lost and the relay goes on."""
        self.drop(error)

    def refuse(self, error: RemoteProtocolError, client: Address) -> None:
        """Drop a datagram of ``client`` that breaks the protocol, and tell."""
        self.drop(error)
        if self._failed is not None:
            self._failed(error, client)

    def drop(self, error: BaseException) -> None:
        """Count a datagram that went nowhere."""
        self.dropped[label(error)] += 1

    def forget_host(self, host: str) -> None:
        """End all associations of a client host."""
        for association in list(self._hosts.get(host, {}).values()):
            association.close()

    def close(self) -> None:
        """End all associations and stop receiving; the socket stays open for whoever owns it."""
        self.poller.forget(self.sock)
        for host in list(self._hosts):
            self.forget_host(host)
        self.idle.clear()

    def gone(self, association: "_Association") -> bool:
        """Forget ``association``; False where it was forgotten before."""
        host, client = association.client[0], association.client
        siblings = self._hosts.get(host, {})
        if siblings.get(client) is not association:
            return False
        del siblings[client]
        self._count -= 1
        if not siblings:
            del self._hosts[host]
        self.idle.discard(association)
        return True

    def _association(self, client: Address, codec: PacketCodec) -> "_Association":
        siblings = self._hosts.get(client[0], {})
        association = siblings.get(client)
        if association is not None:
            return association
        self._make_room(siblings)
        association = _Association(self, client, codec)
        self._hosts.setdefault(client[0], {})[client] = association
        self._count += 1
        return association

    def _make_room(self, siblings: dict[Address, "_Association"]) -> None:
        """Evict the most idle for a newcomer: of its own host where it has any, else of all."""
        full = self._count >= self.limits.associations
        if len(siblings) >= self.limits.per_host or (full and siblings):
            min(siblings.values(), key=self.idle.due).close()
        elif full:
            self.idle.oldest().close()


class _Association:
    """One client address, and the sockets that speak for it."""

    __slots__ = ("_codec", "_relay", "_routes", "_sockets", "_waiting", "client")

    def __init__(self, relay: PacketRelay, client: Address, codec: PacketCodec) -> None:
        self.client = client
        self._relay = relay
        self._codec = codec
        self._sockets: dict[int, _Back] = {}
        self._routes: dict[Endpoint, tuple[str, int]] = {}
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
            cancel = self._relay.lookup(target.host, lambda found: self._looked_up(target, found))
        # What is known was answered at once. The rest is bounded in all, and not for each name: a
        # client may make up as many names as it likes.
        if sum(map(len, self._waiting.values())) > _WAITING:
            self._relay.dropped["waiting"] += 1
            waiting.pop()
            if cancel is not None:
                cancel()
                del self._waiting[target]

    def receive(self, sock: socket.socket) -> None:
        """Pass on to the client what targets have sent."""
        relay = self._relay
        inbound, outbound = relay.poller.scratch.inbound, relay.poller.scratch.outbound
        for _ in range(_BATCH):
            try:
                count, source = sock.recvfrom_into(inbound)
            except BlockingIOError:
                return
            except OSError as error:
                relay.drop(error)
                continue
            try:
                data = self._codec.outward(Endpoint(*source[:2]), inbound[:count], outbound)
                # Only now: junk from anywhere would keep an association alive for ever.
                relay.idle.add(self)
                relay.sock.sendto(data, self.client)
                relay.to_clients += 1
            except (RemoteProtocolError, OSError) as error:
                relay.drop(error)

    def close(self) -> None:
        """End: give up the sockets, and what still waits; again does nothing."""
        if not self._relay.gone(self):
            return
        for back in self._sockets.values():
            self._relay.poller.close(back.sock)
        self._sockets.clear()
        self._waiting.clear()

    def _looked_up(self, target: Endpoint, found: list[str] | ResolveError) -> None:
        # Empty where the association was closed while the name was being looked up.
        waiting = self._waiting.pop(target, [])
        if not waiting:
            return
        try:
            route = (self._choose(found), target.port)
        except (ResolveError, PolicyRejected) as error:
            self._relay.dropped[label(error)] += len(waiting)
            return
        if len(self._routes) >= _ROUTES:
            self._routes.clear()
        self._routes[target] = route
        for data in waiting:
            self._transmit(route, data)

    def _choose(self, found: list[str] | ResolveError) -> str:
        """The first address that may be reached; raises where there is none."""
        refused: PolicyRejected | ResolveError = ResolveError("no address")
        if isinstance(found, ResolveError):
            raise found
        for address in found:
            try:
                if self._relay.check is not None:
                    self._relay.check(address)
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
                back = self._sockets[family] = _Back(self, self._relay.poller, family)
            back.sock.sendto(data, route)
            self._relay.from_clients += 1
        except OSError as error:
            # Full buffer, no descriptor, no route, too long: each is a datagram lost, as on any
            # hop of its way.
            self._relay.drop(error)


class _Back:
    """One socket of an association, towards targets of one address family."""

    __slots__ = ("_association", "sock")

    def __init__(self, association: _Association, poller: Poller, family: int) -> None:
        self._association = association
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        poller.watch(self.sock, READ, self)

    def ready(self, events: int) -> None:
        self._association.receive(self.sock)

    def abandon(self, error: Exception) -> None:
        self._association.close()
