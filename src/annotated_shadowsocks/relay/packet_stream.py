"""Datagrams in a tunnelled stream: one TCP socket, both ways, and nothing queued.

What the socket brings is opened by a codec, cut into datagrams by a core of
``shadowsocks.udp_over_tcp`` and handed on at once. What goes the other way is framed, sealed and
sent at once too. The difference to a datagram socket is that the kernel may take half of one: the
rest of it waits, and the datagrams that come meanwhile are dropped and counted, as on any line that
is full. Queueing them would only make them late.

A stream whose peer has ended it is over, and so is one that brings what is no datagram.
"""

import socket
from collections.abc import Callable
from typing import Protocol

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError, Truncated
from ..shadowsocks.udp_over_tcp import DatagramReceived
from ..wire.core import Event
from .poller import ERROR, HANGUP, READ, WRITE, Poller, Scratch
from .stream_relay import Codec

__all__ = ["PacketCore", "PacketStream"]

#: How far the inbound buffer is filled at once: a whole chunk and more, of any generation.
_READ = 2 * Scratch.LIMIT


class PacketCore(Protocol):
    """Either end of UDP over TCP; see ``shadowsocks.udp_over_tcp``."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived."""
        ...

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        ...

    def next_event(self) -> Event[DatagramReceived]:
        """The next datagram, or why there is none."""
        ...

    def data_to_send(self) -> bytes:
        """What is framed."""
        ...

    def send(self, peer: Endpoint, data: bytes | memoryview) -> None:
        """Frame a datagram."""
        ...


class PacketStream:
    """One stream of datagrams over ``sock``, which is its own until ``ended`` is called.

    ``opens`` and ``seals`` convert what comes and what goes. ``received`` is told of each datagram,
    and ``ended`` once why there will be no more: None after an end in order, else the error. The
    socket is then still open, and whoever is told closes it. ``carried`` is told of octets as they
    are on the wire, how many came and how many went.
    """

    __slots__ = (
        "_carried",
        "_core",
        "_ended",
        "_opens",
        "_pending",
        "_poller",
        "_received",
        "_residue",
        "_seals",
        "over",
        "sock",
    )

    def __init__(
        self,
        poller: Poller,
        sock: socket.socket,
        opens: Codec,
        seals: Codec,
        core: PacketCore,
        received: Callable[[DatagramReceived], None],
        ended: Callable[[Exception | None], None],
        carried: Callable[[int, int], None] = lambda received, sent: None,
    ) -> None:
        self.sock = sock
        self.over = False
        self._poller = poller
        self._opens = opens
        self._seals = seals
        self._core = core
        self._received = received
        self._ended = ended
        self._carried = carried
        self._residue = b""
        self._pending = b""

    def start(self, plain: bytes = b"", residue: bytes = b"") -> None:
        """Begin, with what a handshake left over: opened octets, and wire octets behind them."""
        self._poller.watch(self.sock, READ, self)
        self._core.receive_data(plain)
        size = len(residue)
        self._poller.scratch.inbound[:size] = residue
        self._open(size)
        self._tell()
        if not self.over and self._opens.error is not None:
            self._end(self._opens.error)

    def send(self, peer: Endpoint, data: bytes | memoryview) -> bool:
        """Send a datagram to ``peer``, or from it; False where the line is full, or has ended."""
        if self._pending or self.over:
            return False
        self._core.send(peer, data)
        out = self._poller.scratch.outbound
        _, made = self._seals.convert(memoryview(self._core.data_to_send()), out)
        self._carried(0, made)
        sent = self._put(out[:made])
        if sent < made and not self.over:
            self._pending = bytes(out[sent:made])
            self._poller.watch(self.sock, READ | WRITE, self)
        return not self.over

    def ready(self, events: int) -> None:
        """See ``Watcher.ready``."""
        if events & WRITE and self._pending:
            self._pending = self._pending[self._put(self._pending) :]
            if not self._pending and not self.over:
                self._poller.watch(self.sock, READ, self)
        if events & (READ | ERROR | HANGUP) and not self.over:
            self._receive()

    def abandon(self, error: Exception) -> None:
        """See ``Watcher.abandon``."""
        self._end(error)

    def _put(self, octets: memoryview | bytes) -> int:
        try:
            return self.sock.send(octets)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._end(error)
            return 0

    def _receive(self) -> None:
        inbound = self._poller.scratch.inbound
        held = len(self._residue)
        inbound[:held] = self._residue
        try:
            count = self.sock.recv_into(inbound[held:_READ])
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        self._carried(count, 0)
        self._open(held + count)
        if not count:
            if self._residue or not self._opens.between_chunks:
                self._end(Truncated("stream ended inside a chunk"))
                return
            self._core.receive_eof()
        self._tell()
        if self.over:
            return
        if self._opens.error is not None:
            self._end(self._opens.error)
        elif not count:
            self._end(None)

    def _open(self, filled: int) -> None:
        """Convert what is in the inbound buffer, for the core."""
        inbound, outbound = self._poller.scratch.inbound, self._poller.scratch.outbound
        taken, made = self._opens.convert(inbound[:filled], outbound)
        self._residue = bytes(inbound[taken:filled])
        self._core.receive_data(outbound[:made])

    def _tell(self) -> None:
        """Hand on every datagram that is whole."""
        try:
            while not self.over and isinstance(event := self._core.next_event(), DatagramReceived):
                self._received(event)
        except RemoteProtocolError as error:
            # The core keeps the error and its traceback the core: a circle for each such stream.
            error.__traceback__ = None
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        if not self.over:
            self.over = True
            self._ended(error)
