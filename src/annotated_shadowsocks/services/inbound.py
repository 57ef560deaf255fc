"""An accepted connection until it is a relay: what a server and a hop before it do alike.

Whatever goes wrong before there is a request ends in silence, and what goes wrong behind it in a
refusal; who came is told neither.
"""

import logging
import socket
from typing import Generic, TypeVar

from ..endpoint import Endpoint
from ..errors import Error, PolicyRejected
from ..relay.dialer import Dial
from ..relay.driver import Driver
from ..wire.core import StreamCore
from .port import Port

__all__ = ["Inbound"]

_log = logging.getLogger(__name__)

EventT = TypeVar("EventT")


class Inbound(Generic[EventT]):
    """One connection. A subclass knows what an event of ``core`` means, and how to ``relay``."""

    __slots__ = ("_accepted_at", "_dial", "_port", "address", "driver", "received", "sock")

    def __init__(
        self,
        port: Port,
        sock: socket.socket,
        address: tuple[str, int],
        core: StreamCore[EventT],
    ) -> None:
        runtime = port.runtime
        self._port = port
        self.sock = sock
        self.address = address
        self._accepted_at = runtime.loop.time()
        self._dial: Dial | None = None
        #: Octets that came before there was a relay.
        self.received = 0
        #: Until there is a request; the two refer to each other.
        self.driver: Driver[EventT] | None = Driver(runtime.poller, sock, core, self)

    def handshake_event(self, event: EventT) -> None:
        """See ``HandshakeOwner``."""
        raise NotImplementedError

    def relay(self, far: socket.socket) -> None:
        """Begin to relay to ``far``, the socket of what was dialled."""
        raise NotImplementedError

    def requested(self) -> None:
        """There is a request: the handshake is over."""
        if self.driver is not None:
            self.received = self.driver.received
        self.driver = None
        self._port.handshakes.discard(self)

    def dial(self, dst: Endpoint) -> None:
        """Connect to ``dst`` and then ``relay``."""
        self._port.dialing.add(self)
        self._dial = self._port.dialer.dial(dst, self._dialed)

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        port, runtime = self._port, self._port.runtime
        self.driver = None
        port.handshakes.discard(self)
        port.dialing.discard(self)
        if self._dial is not None:
            self._dial.cancel()
        if ended:
            # Everything was read, so this close is a FIN.
            runtime.poller.close(self.sock)
        else:
            runtime.endings.silence(self.sock, self._accepted_at + port.handshakes.delay)
        _log.debug("%s:%d ended before it was a tunnel: %s", *self.address[:2], error)
        port.failed(error, self.address)

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
            _log.debug("%s:%d: %s", *self.address[:2], answer)
            runtime.endings.refuse(self.sock)
            return
        try:
            self.relay(answer)
        except Exception:
            # The socket that a dial brought is closed by the dial; this one is ours.
            runtime.poller.close(self.sock)
            raise
