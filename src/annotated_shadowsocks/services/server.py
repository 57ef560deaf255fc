"""``ssserver``: from an accepted socket to two that are joined, and datagrams.

One connection, in order::

    accepted -> a core says TunnelRequested -> dialled -> StreamRelay -> ended
                    |                             |
                    | anything wrong:             | Endings.refuse
                    | Endings.silence

Where a port has many keys of SIP004, the core says KeySought before that, and goes on when a search
has answered.
"""

import logging
import socket
from collections.abc import Callable

from ..errors import LocalProtocolError
from ..relay.packet_outlet import Outside
from ..relay.packet_relay import PacketLimits
from ..shadowsocks.credentials import KeyRing, ServerKeys
from ..shadowsocks.handshake import KeySought, TunnelRequested
from ..shadowsocks.tunnel import server_handshake
from ..shadowsocks.udp_over_tcp import version_of
from .counters import UserCount
from .inbound import Inbound
from .key_search import KeySearches, Search
from .packet_fronts import server_front
from .packet_streams import PacketStreams
from .port import Port
from .runtime import Runtime

__all__ = ["ServerPort"]

_log = logging.getLogger(__name__)


class ServerPort(Port):
    """``keys`` on some sockets; ``check`` raises ``PolicyRejected`` for what is not allowed."""

    def __init__(
        self,
        runtime: Runtime,
        keys: ServerKeys,
        check: Callable[[str], None] | None,
        handshake_seconds: float,
    ) -> None:
        super().__init__(runtime, check, handshake_seconds)
        self.keys = keys
        self.searches = KeySearches(runtime.loop, keys) if isinstance(keys, KeyRing) else None
        #: Where tunnels of UDP over TCP end; None where they are tunnels like any other.
        self.packet_streams: PacketStreams | None = None

    def relay_packets(self, sockets: list[socket.socket], limits: PacketLimits) -> None:
        """Relay datagrams of ``sockets``, which are bound."""
        front = server_front(self.runtime, self.keys)
        self.add_packet_relay(sockets, front, limits)

    def relay_packet_streams(self, limits: PacketLimits) -> None:
        """End tunnels of UDP over TCP here, and relay what they carry."""
        runtime = self.runtime
        outside = Outside(runtime.poller, runtime.lookup, self._check)
        self.packet_streams = PacketStreams(outside, runtime.endings, runtime.loop, limits)

    @property
    def active(self) -> int:
        """Connections that are not at their end, those that carry datagrams too."""
        return super().active + (len(self.packet_streams) if self.packet_streams else 0)

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Session(self, sock, address))

    def begun(self, user: str) -> Callable[[int, int], None]:
        """Count a stream of datagrams, and say who counts its octets."""
        counters, here = self.runtime.counters, self.account
        account = counters.user(user) if user else UserCount()
        counters.relayed += 1
        account.relayed += 1

        def carried(received: int, sent: int) -> None:
            counters.from_clients += received
            counters.from_targets += sent
            here.octets += received + sent
            account.from_client += received
            account.from_targets += sent

        return carried

    def abort(self) -> None:
        """End every connection."""
        super().abort()
        if self.packet_streams is not None:
            self.packet_streams.close()
        if self.searches is not None:
            self.searches.close()


class _Session(Inbound[TunnelRequested | KeySought]):
    """One connection until it is a relay."""

    __slots__ = ("_core", "_payload", "_search", "_server")

    def __init__(self, port: ServerPort, sock: socket.socket, address: tuple[str, int]) -> None:
        runtime = port.runtime
        self._server = port
        self._core = server_handshake(port.keys, runtime.stream_salts, runtime.timestamps)
        self._search: Search | None = None
        self._payload = b""
        super().__init__(port, sock, address, self._core)

    def handshake_event(self, event: TunnelRequested | KeySought) -> None:
        """See ``HandshakeOwner``."""
        if isinstance(event, KeySought):
            self._seek(event)
            return
        self.requested()
        _log.debug("%s:%d wants %s", *self.address[:2], event.dst)
        version = version_of(event.dst.host)
        if version is not None and self._server.packet_streams is not None:
            self._relay_packets(self._server.packet_streams, version, event.payload)
            return
        self._payload = event.payload
        self.dial(event.dst)

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        if self._search is not None:
            self._search.cancel()
        super().handshake_failed(error, ended)

    def relay(self, far: socket.socket) -> None:
        """See ``Inbound``."""
        port, runtime = self._server, self._server.runtime
        core = self._core
        encoder = core.encoder(runtime.entropy)
        relay = port.new_relay((self.sock, core.decoder), (far, encoder), core.user)
        # What came behind the request may be whole chunks, and no event will tell of them again.
        unread = core.unread()
        plain = runtime.poller.scratch.outbound
        taken, made = core.decoder.convert(memoryview(unread), plain)
        relay.start(self._payload + plain[:made], unread[taken:], self.received)

    def _seek(self, event: KeySought) -> None:
        searches = self._server.searches
        if searches is None:
            raise LocalProtocolError("a key is sought that nobody has")
        self._search = searches.begin(event, self.address[0], self._sought)
        if self._search is None:
            self._sought()

    def _sought(self) -> None:
        self._search = None
        if self.driver is not None:
            self.driver.resume()

    def _relay_packets(self, streams: PacketStreams, version: int, payload: bytes) -> None:
        runtime, core = self._server.runtime, self._core
        codecs = core.decoder, core.encoder(runtime.entropy)
        carried = self._server.begun(core.user)
        carried(self.received, 0)
        owner = core.user or self.address[0]
        streams.begin(self.sock, codecs, version, (payload, core.unread()), owner, carried)
