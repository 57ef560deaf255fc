"""Packets of SIP022 at either end of the tunnel, and at a hop in between.

Here a flow is a session, whose id every packet carries, and not an address. A client may come from
another address with the next packet, and is answered there once that packet was found good. Who
only repeats packets moves nothing.

A hop cannot open what it passes on. It knows no sessions, so its flows are addresses like those of
the older generations; the server at the end sees a session roam, and takes it as that.
"""

from collections.abc import Callable, Hashable, Mapping

from ..endpoint import Endpoint
from ..entropy import Entropy
from ..relay.packet_relay import Address
from ..shadowsocks.aead2022_packet import forward_packet, padding_for
from ..shadowsocks.aead2022_session import ClientSession, ServerSession, SessionTable
from ..shadowsocks.identity import KeyTable
from .packets import encoded

__all__ = ["HopPackets", "ServerSessionPackets", "SessionSeal"]


class ServerSessionPackets:
    """``PacketFront`` of ssserver; ``time`` is monotonic.

    ``keys`` may be replaced: sessions of users who stay go on.
    """

    __slots__ = ("_entropy", "_table", "_time", "keys")

    def __init__(
        self,
        keys: KeyTable,
        table: SessionTable,
        entropy: Entropy,
        time: Callable[[], float],
    ) -> None:
        self.keys = keys
        self._table = table
        self._entropy = entropy
        self._time = time

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[ServerSession, Endpoint, memoryview]:
        """Open."""
        return self._table.open(self.keys, datagram, out, self._time())

    def outward(
        self, flow: ServerSession, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """Seal the answer of ``source``."""
        plain = b"".join((encoded(source), datagram))
        padding = padding_for(source.port, len(plain), self._entropy)
        return out[: flow.seal(plain, out, padding)]

    def owner(self, flow: ServerSession, client: Address) -> Hashable:
        """A user has one share, wherever they are; users that cannot be told apart, their host."""
        return flow.user.name or client[0]

    def user(self, flow: ServerSession) -> str:
        """The name that the identity header has led to."""
        return flow.user.name

    def closed(self, flow: ServerSession) -> None:
        """The session is remembered for as long as its packets are recent."""
        self._table.release(flow, self._time())


class SessionSeal:
    """``PacketSeal`` of one flow of sslocal's."""

    __slots__ = ("_entropy", "_session", "_time", "server")

    def __init__(
        self,
        server: Endpoint,
        session: ClientSession,
        entropy: Entropy,
        time: Callable[[], float],
    ) -> None:
        self.server = server
        self._session = session
        self._entropy = entropy
        self._time = time

    def seal(self, plain: memoryview, target: Endpoint, out: memoryview) -> memoryview:
        """See ``PacketSeal``."""
        padding = padding_for(target.port, len(plain), self._entropy)
        return out[: self._session.seal(plain, out, padding)]

    def open(self, packet: memoryview, out: memoryview) -> slice:
        """See ``PacketSeal``."""
        return self._session.open(packet, out, self._time())


class HopPackets:
    """``PacketFront`` of a relay: passes each packet on to the server that its header names.

    ``servers`` has the endpoint of each user of ``keys``. Answers are sealed for the client and
    pass as they are [SIP023].
    """

    __slots__ = ("_servers", "keys")

    def __init__(self, keys: KeyTable, servers: Mapping[str, Endpoint]) -> None:
        self.keys = keys
        self._servers = servers

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Address, Endpoint, memoryview]:
        """Take our own header off."""
        hop, packet = forward_packet(self.keys, datagram, out)
        return client, self._servers[hop.name], packet

    def outward(
        self, flow: Address, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        """As it is."""
        return datagram

    def owner(self, flow: Address, client: Address) -> Hashable:
        """The host."""
        return client[0]

    def user(self, flow: Address) -> str:
        """Nobody has an account here."""
        return ""

    def closed(self, flow: Address) -> None:
        """Nothing is kept for a flow."""
