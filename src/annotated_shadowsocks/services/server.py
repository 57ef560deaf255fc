"""``ssserver``: from an accepted socket to two that are joined, and datagrams.

One connection, in order::

    accepted -> ServerHandshake says TunnelRequested -> dialled -> StreamRelay -> ended
                    |                                      |
                    | anything wrong: Endings.silence      | Endings.refuse
"""

import logging
import socket
from collections.abc import Callable

from ..errors import Error, PolicyRejected
from ..relay.dialer import Dial
from ..relay.driver import Driver
from ..relay.packet_relay import PacketLimits
from ..shadowsocks.handshake import ServerHandshake, TunnelRequested, server_encoder
from ..shadowsocks.key import MasterKey
from .packets import PacketBox, ServerPackets
from .port import Port
from .runtime import Runtime

__all__ = ["ServerPort"]

_log = logging.getLogger(__name__)


class ServerPort(Port):
    """One key on some sockets. ``check`` raises ``PolicyRejected`` for what must not be reached."""

    def __init__(
        self,
        runtime: Runtime,
        key: MasterKey,
        check: Callable[[str], None] | None,
        handshake_seconds: float,
    ) -> None:
        super().__init__(runtime, check, handshake_seconds)
        self.key = key

    def relay_packets(self, sockets: list[socket.socket], limits: PacketLimits) -> None:
        """Relay datagrams of ``sockets``, which are bound."""
        runtime = self.runtime
        box = PacketBox(self.key, runtime.packet_salts, runtime.entropy)
        self.add_packet_relay(sockets, ServerPackets(box), limits)

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Session(self, sock, address))


class _Session:
    """One connection until it is a relay."""

    __slots__ = ("_accepted_at", "_address", "_core", "_dial", "_payload", "_port", "_sock")

    def __init__(self, port: ServerPort, sock: socket.socket, address: tuple[str, int]) -> None:
        runtime = port.runtime
        self._port = port
        self._sock = sock
        self._address = address
        self._accepted_at = runtime.loop.time()
        self._core = ServerHandshake(port.key, runtime.stream_salts)
        self._dial: Dial | None = None
        self._payload = b""
        Driver(runtime.poller, sock, self._core, self)

    def handshake_event(self, event: TunnelRequested) -> None:
        """See ``HandshakeOwner``."""
        self._port.handshakes.discard(self)
        self._port.dialing.add(self)
        self._payload = event.payload
        _log.debug("%s:%d wants %s", *self._address[:2], event.dst)
        self._dial = self._port.dialer.dial(event.dst, self._dialed)

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        port, runtime = self._port, self._port.runtime
        port.handshakes.discard(self)
        port.dialing.discard(self)
        if self._dial is not None:
            self._dial.cancel()
        if ended:
            # Everything was read, so this close is a FIN.
            runtime.poller.close(self._sock)
        else:
            runtime.endings.silence(self._sock, self._accepted_at + port.handshakes.delay)
        _log.debug("%s:%d ended before it was a tunnel: %s", *self._address[:2], error)
        port.failed(error, self._address)

    def expired(self) -> None:
        """The handshake's time is over."""
        self.handshake_failed(TimeoutError("no handshake in time"), ended=False)

    def abort(self) -> None:
        """The service ends."""
        self.handshake_failed(ConnectionAbortedError("the service ends"), ended=False)

    def _dialed(self, answer: socket.socket | Error) -> None:
        port, runtime = self._port, self._port.runtime
        port.dialing.discard(self)
        if isinstance(answer, Error):
            runtime.counters.failed(answer)
            if isinstance(answer, PolicyRejected):
                port.warn("%s; allow_private_targets would admit it", answer)
            _log.debug("%s:%d: %s", *self._address[:2], answer)
            runtime.endings.refuse(self._sock)
            return
        try:
            self._relay(answer)
        except Exception:
            # The socket that a dial brought is closed by the dial; this one is ours.
            runtime.poller.close(self._sock)
            raise

    def _relay(self, far: socket.socket) -> None:
        port, runtime = self._port, self._port.runtime
        encoder = server_encoder(port.key, runtime.entropy)
        runtime.stream_salts.add(encoder.salt)
        relay = port.new_relay((self._sock, self._core.decoder), (far, encoder))
        relay.start(self._payload, self._core.unread())
