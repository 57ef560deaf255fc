"""Datagrams: sockets that clients send to, and for each flow of theirs an outlet of its own.

An *association* is what NAT would call a mapping: a client on one side, an outlet on the other, so
that answers find their way back and a target sees one source for one client. Either side's
datagrams keep it alive; ``timeout`` seconds of silence on both end it.

Whose a datagram is, the front says, and calls it a *flow*: the address it came from where nothing
better is known, a session where the protocol has one. A flow's answers go to where its last good
datagram came from, so a session may change networks. A datagram that is not good moves nothing and
leaves nothing behind, not even an association.

Associations are bounded. An owner that holds many gives up its own most idle one first, so that
nobody's flood ends anybody else's flow.

Rejected: this path compiled by mypyc, with the front, the address, the deadlines and the replay
store. It saved next to nothing: most of what a datagram costs is system calls and keying a box.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from ..endpoint import Endpoint
from ..errors import PolicyRejected, RemoteProtocolError
from .packet_outlet import BATCH, Outside, PacketOutlet
from .places import Places
from .poller import READ

__all__ = [
    "Account",
    "Address",
    "Association",
    "Outlet",
    "PacketFront",
    "PacketLimits",
    "PacketRelay",
    "Postponed",
]

#: Octets in which clients' datagrams wait while this process does something else. The kernel counts
#: what it holds them in as well, so that by default there is room for 256 of the smallest.
_RECEIVE_BUFFER = 4 << 20

#: A socket address as recvfrom gives it: (host, port), and two more fields for IPv6.
Address = tuple[str, int] | tuple[str, int, int, int]

FlowT = TypeVar("FlowT", bound=Hashable)


class Postponed(Exception):
    """A datagram cannot be judged at once: whoever raises this calls ``resume`` later.

    Its argument is what was wrong with the datagram, or None where it is to be judged again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resume: Callable[[RemoteProtocolError | None], None] = lambda error: None


class PacketFront(Protocol[FlowT]):
    """What datagrams mean towards clients.

    ``out`` is a buffer to build results in, which are valid until the next call. A datagram to be
    dropped raises ``RemoteProtocolError``, one from a client that is not served
    ``PolicyRejected``, and one that takes a while ``Postponed``.
    """

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[FlowT, Endpoint, memoryview]:
        """From ``client``: whose it is, where it goes, and what is sent there."""
        ...

    def outward(
        self, flow: FlowT, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """From ``source`` to ``flow``: what is sent to the client."""
        ...

    def owner(self, flow: FlowT, client: Address) -> Hashable:
        """Who gives up a flow when there are too many; asked once, when ``flow`` is new."""
        ...

    def user(self, flow: FlowT) -> str:
        """Whose account ``flow`` is on; empty where nobody has one."""
        ...

    def closed(self, flow: FlowT) -> None:
        """The association of ``flow`` has ended."""
        ...


class Account(Protocol):
    """What is counted for one user: datagrams, and octets of them as clients sent and got them."""

    packets_from_client: int
    packets_from_targets: int
    from_client: int
    from_targets: int


class Outlet(Protocol):
    """The other side of an association; see ``packet_outlet``."""

    def send(self, target: Endpoint, data: memoryview) -> None:
        """Send to ``target``."""
        ...

    def close(self) -> None:
        """Give up what it holds."""
        ...


@dataclass(frozen=True, slots=True)
class PacketLimits:
    """``timeout`` in seconds; associations in all, and of one owner."""

    timeout: float = 300.0
    associations: int = 4096
    per_owner: int = 256


class PacketRelay(Generic[FlowT]):
    """Relays datagrams of bound ``sockets`` that serve the same clients.

    ``failed`` is told what was not authentic or not of the protocol; ``open_outlet`` makes what an
    association sends through, sockets of its own where that is None; ``account_of`` gives a user's
    account.
    """

    def __init__(
        self,
        outside: Outside,
        loop: asyncio.AbstractEventLoop,
        sockets: list[socket.socket],
        front: PacketFront[FlowT],
        limits: PacketLimits | None = None,
        failed: Callable[[RemoteProtocolError, Address], None] | None = None,
        open_outlet: "Callable[[Outside, Association[FlowT]], Outlet] | None" = None,
        account_of: Callable[[str], Account] | None = None,
    ) -> None:
        self.outside = outside
        self.sockets = sockets
        self.front = front
        self.limits = limits or PacketLimits()
        #: Datagrams that went through to clients.
        self.to_clients = 0
        #: Octets of datagrams that went through, as they were at the clients' side.
        self.octets_from_clients = self.octets_to_clients = 0
        self.closed = False
        self.places: Places[Association[FlowT]] = Places(
            loop,
            self.limits.timeout,
            self.limits.associations,
            self.limits.per_owner,
            Association.close,
        )
        self._failed = failed
        self._account_of = account_of
        self._open_outlet = open_outlet or _own_sockets
        self._associations: dict[FlowT, Association[FlowT]] = {}
        for sock in sockets:
            # [man socket(7)] granted up to net.core.rmem_max, and then doubled
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            outside.poller.watch(sock, READ, _Front(self, sock))

    def __str__(self) -> str:
        """``HOST:PORT``, of each socket."""
        return ", ".join(str(Endpoint(*sock.getsockname()[:2])) for sock in self.sockets)

    def __len__(self) -> int:
        """Associations alive."""
        return len(self._associations)

    @property
    def from_clients(self) -> int:
        """Datagrams that went through from clients."""
        return self.outside.sent

    @property
    def dropped(self) -> Counter[str]:
        """Those that did not, either way, by cause."""
        return self.outside.dropped

    def receive(self, sock: socket.socket) -> None:
        """Relay what clients have sent to ``sock``."""
        inbound, receive = self.outside.poller.scratch.inbound, sock.recvfrom_into
        for _ in range(BATCH):
            try:
                count, client = receive(inbound)
            except BlockingIOError:
                return
            except OSError as error:
                # An ICMP error about a datagram that we sent: reported once, no reason to stop.
                self.outside.drop(error)
                continue
            self._take(inbound[:count], client, sock)

    def _take(self, datagram: memoryview, client: Address, sock: socket.socket) -> None:
        """Relay one datagram."""
        try:
            flow, target, data = self.front.inward(
                datagram, client, self.outside.poller.scratch.outbound
            )
        except RemoteProtocolError as error:
            self.refuse(error, client)
            return
        except PolicyRejected as error:
            self.outside.drop(error)
            return
        except Postponed as postponed:
            postponed.resume = partial(self._again, bytes(datagram), client, sock)
            return
        association = self._associations.get(flow)
        if association is None:
            association = self._associate(flow, client)
        # Only here, where the datagram was found good: a recording of it from another place
        # would lead the answers there.
        association.sock = sock
        association.client = client
        self.places.touch(association)
        self.octets_from_clients += len(datagram)
        account = association.account
        if account is not None:
            account.packets_from_client += 1
            account.from_client += len(datagram)
        association.outlet.send(target, data)

    def _again(
        self,
        datagram: bytes,
        client: Address,
        sock: socket.socket,
        error: RemoteProtocolError | None,
    ) -> None:
        """What was postponed: it is good after all, or ``error`` says why not."""
        if self.closed:
            return
        if error is None:
            self._take(memoryview(datagram), client, sock)
        else:
            self.refuse(error, client)

    def refuse(self, error: RemoteProtocolError, client: Address) -> None:
        """Drop a datagram of ``client`` that breaks the protocol, and tell."""
        self.outside.drop(error)
        if self._failed is not None:
            self._failed(error, client)

    def forget_owner(self, owner: Hashable) -> None:
        """End all associations of an owner."""
        self.places.end(owner)

    def close(self) -> None:
        """End all associations and stop receiving; the sockets stay open for whoever owns them."""
        self.closed = True
        for sock in self.sockets:
            self.outside.poller.forget(sock)
        self.places.clear()

    def gone(self, association: "Association[FlowT]") -> bool:
        """Forget ``association``; False where it was forgotten before."""
        if not self.places.leave(association):
            return False
        del self._associations[association.flow]
        self.front.closed(association.flow)
        return True

    def _associate(self, flow: FlowT, client: Address) -> "Association[FlowT]":
        association = Association(self, flow)
        association.outlet = self._open_outlet(self.outside, association)
        user = self.front.user(flow)
        if user and self._account_of is not None:
            association.account = self._account_of(user)
        self.places.take(association, self.front.owner(flow, client))
        self._associations[flow] = association
        return association


class _Front:
    """One socket that clients send to."""

    __slots__ = ("_relay", "_sock")

    def __init__(self, relay: PacketRelay[FlowT], sock: socket.socket) -> None:
        self._relay = relay
        self._sock = sock

    def ready(self, events: int) -> None:
        self._relay.receive(self._sock)

    def abandon(self, error: Exception) -> None:
        # The datagram in hand is lost, and the relay goes on.
        self._relay.outside.drop(error)


class Association(Generic[FlowT]):
    """One flow, where its client was heard last, and the outlet that speaks for it."""

    __slots__ = ("_relay", "account", "client", "flow", "outlet", "sock")

    outlet: Outlet
    #: Where the last good datagram came from, and the socket that it came to.
    client: Address
    sock: socket.socket

    def __init__(self, relay: PacketRelay[FlowT], flow: FlowT) -> None:
        self.flow = flow
        self.account: Account | None = None
        self._relay = relay

    def answer(self, source: Endpoint, data: memoryview) -> None:
        """Pass on to the client what ``source`` has sent."""
        relay = self._relay
        out = relay.outside.poller.scratch.outbound
        try:
            sealed = relay.front.outward(self.flow, source, data, out)
            # Only now: junk from anywhere would keep an association alive for ever.
            relay.places.touch(self)
            self.sock.sendto(sealed, self.client)
            relay.to_clients += 1
            relay.octets_to_clients += len(sealed)
            account = self.account
            if account is not None:
                account.packets_from_targets += 1
                account.from_targets += len(sealed)
        except (RemoteProtocolError, OSError) as error:
            relay.outside.drop(error)

    def close(self) -> None:
        """End; again does nothing."""
        if self._relay.gone(self):
            self.outlet.close()


def _own_sockets(outside: Outside, association: Association[FlowT]) -> Outlet:
    return PacketOutlet(outside, association.answer, association.close)
