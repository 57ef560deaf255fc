"""``ssserver``, TCP: from an accepted socket to two that are joined.

One connection, in order::

    accepted -> ServerHandshake says TunnelRequested -> dialled -> StreamRelay -> ended
                    |                                      |
                    | anything wrong: Endings.silence      | Endings.refuse
"""

import logging
import socket

from ..errors import Error, PolicyRejected
from ..relay.deadlines import DeadlineQueue
from ..relay.dialer import Dial, Dialer
from ..relay.driver import Driver
from ..relay.listener import Listener
from ..relay.stream_relay import StreamRelay
from ..shadowsocks.handshake import ServerHandshake, TunnelRequested, server_encoder
from ..shadowsocks.key import MasterKey
from .runtime import Runtime

__all__ = ["ServerPort"]

_log = logging.getLogger(__name__)


class ServerPort:
    """One key on some listening sockets."""

    def __init__(
        self, runtime: Runtime, key: MasterKey, dialer: Dialer, listeners: list[socket.socket]
    ) -> None:
        self.runtime = runtime
        self.key = key
        self.dialer = dialer
        self.relays: set[StreamRelay] = set()
        self.handshakes: DeadlineQueue[_Session] = DeadlineQueue(
            runtime.loop, runtime.handshake_seconds, _Session.expired
        )
        self.listeners = [
            Listener(runtime.poller, runtime.loop, sock, self._accepted) for sock in listeners
        ]

    @property
    def active(self) -> int:
        """Connections that a draining process waits for."""
        return len(self.relays)

    def stop(self) -> None:
        """Accept no more; what is established goes on."""
        for listener in self.listeners:
            listener.stop()

    def abort(self) -> None:
        """Give up what is still established."""
        for relay in list(self.relays):
            relay.abort()
        self.handshakes.clear()

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""
        counters = self.runtime.counters
        counters.sent_to_target += relay.near.received
        counters.sent_to_client += relay.far.received
        if error is not None:
            counters.failed(error)
        self.relays.discard(relay)

    def _accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
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
        self._payload = event.payload
        _log.debug("%s:%d wants %s", *self._address[:2], event.dst)
        self._dial = self._port.dialer.dial(event.dst, self._dialed)

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        runtime = self._port.runtime
        self._port.handshakes.discard(self)
        runtime.counters.failed(error)
        if self._dial is not None:
            self._dial.cancel()
        if ended:
            # Everything was read, so this close is a FIN.
            runtime.poller.close(self._sock)
        else:
            runtime.endings.silence(self._sock, self._accepted_at)
        _log.debug("%s:%d ended before it was a tunnel: %s", *self._address[:2], error)

    def expired(self) -> None:
        """The handshake's time is over."""
        self.handshake_failed(TimeoutError("no handshake in time"), ended=False)

    def _dialed(self, answer: socket.socket | Error) -> None:
        port, runtime = self._port, self._port.runtime
        if isinstance(answer, Error):
            runtime.counters.failed(answer)
            level = logging.INFO if isinstance(answer, PolicyRejected) else logging.DEBUG
            _log.log(level, "%s:%d: %s", *self._address[:2], answer)
            runtime.endings.refuse(self._sock)
            return
        encoder = server_encoder(port.key, runtime.entropy)
        runtime.stream_salts.add(encoder.salt)
        relay = StreamRelay(
            runtime.poller,
            runtime.endings,
            port,
            (self._sock, self._core.decoder),
            (answer, encoder),
        )
        port.relays.add(relay)
        runtime.counters.relayed += 1
        relay.start(self._payload, self._core.unread())
