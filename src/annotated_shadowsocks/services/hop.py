"""A relay of SIP023: passes on what it cannot open, to the server that an identity header names.

::

    client  --[ for us | for bob | sealed for bob ]-->  hop  --[ for bob | sealed for bob ]-->  bob

It holds the key of its own header and knows the identities behind it, so whoever owns this host
learns who talks to which server and how much, and nothing else. What comes back is passed as it
is. A hop keeps no salts: a recording is bob's to refuse.
"""

import logging
import socket
from collections.abc import Mapping

from ..endpoint import Endpoint
from ..relay.packet_relay import PacketLimits
from ..relay.stream_relay import Plain
from ..shadowsocks.aead2022_handshake import HopChosen, RelayHandshake
from ..shadowsocks.identity import KeyTable
from .inbound import Inbound
from .port import Port
from .runtime import Runtime
from .session_packets import HopPackets

__all__ = ["HopPort"]

_log = logging.getLogger(__name__)


class HopPort(Port):
    """``keys`` on some sockets; ``servers`` has the endpoint of each user of theirs, by name."""

    def __init__(
        self,
        runtime: Runtime,
        keys: KeyTable,
        servers: Mapping[str, Endpoint],
        handshake_seconds: float,
    ) -> None:
        # Where to is the operator's choice and not a client's, so no address is refused.
        super().__init__(runtime, None, handshake_seconds, speaks_first=True)
        self.keys = keys
        self.servers = servers

    def relay_packets(self, sockets: list[socket.socket], limits: PacketLimits) -> None:
        """Relay datagrams of ``sockets``, which are bound."""
        # Answers are not opened here: only those whom datagrams went to may speak to a client.
        front = HopPackets(self.keys, self.servers)
        self.add_packet_relay(sockets, front, limits, strict=True)

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Passage(self, sock, address))


class _Passage(Inbound[HopChosen]):
    """One connection until it is a relay."""

    __slots__ = ("_chosen", "_hop")

    def __init__(self, port: HopPort, sock: socket.socket, address: tuple[str, int]) -> None:
        self._hop = port
        self._chosen: HopChosen | None = None
        super().__init__(port, sock, address, RelayHandshake(port.keys))

    def handshake_event(self, event: HopChosen) -> None:
        """See ``HandshakeOwner``."""
        self.requested()
        _log.debug("%s:%d goes on to %s", *self.address[:2], event.hop.name)
        self._chosen = event
        self.dial(self._hop.servers[event.hop.name])

    def relay(self, far: socket.socket) -> None:
        """See ``Inbound``."""
        if self._chosen is not None:
            name, octets = self._chosen.hop.name, self._chosen.octets
            # In one write, as it came in one read: that server wants its fixed header in one.
            relay = self._hop.new_relay((self.sock, Plain()), (far, Plain()), name)
            relay.start(octets, received=self.received)
