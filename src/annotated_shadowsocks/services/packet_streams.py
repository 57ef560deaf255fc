"""UDP over TCP at ssserver: tunnels to a host that does not exist, which end here as datagrams.

Each such stream has an outlet of its own, as an association of datagrams has, and the same limits.
It ends with its connection, after silence on both sides, or when its owner wants more streams than
may be; whoever still needs it opens another.
"""

import asyncio
import socket
from collections.abc import Callable, Hashable

from ..endpoint import Endpoint
from ..errors import RemoteProtocolError
from ..relay.endings import Endings
from ..relay.packet_outlet import Outside, PacketOutlet
from ..relay.packet_relay import PacketLimits
from ..relay.packet_stream import PacketStream
from ..relay.places import Places
from ..relay.stream_relay import Codec
from ..shadowsocks.udp_over_tcp import DatagramReceived, UotServer
from .packets import portable

__all__ = ["PacketStreams"]


class PacketStreams:
    """All streams of datagrams that one port of ssserver has ended in itself."""

    def __init__(
        self,
        outside: Outside,
        endings: Endings,
        loop: asyncio.AbstractEventLoop,
        limits: PacketLimits,
    ) -> None:
        self.outside = outside
        self.endings = endings
        #: Datagrams that went back to clients.
        self.to_clients = 0
        self.places: Places[_Stream] = Places(
            loop, limits.timeout, limits.associations, limits.per_owner, _Stream.close
        )

    def __len__(self) -> int:
        """Streams that are open."""
        return len(self.places)

    def begin(
        self,
        sock: socket.socket,
        codecs: tuple[Codec, Codec],
        version: int,
        left_over: tuple[bytes, bytes],
        owner: Hashable,
        carried: Callable[[int, int], None],
    ) -> None:
        """Take over ``sock``, whose client has asked for ``version``.

        ``codecs`` open what it says and seal what it is told; ``left_over`` are octets that were
        opened with its request, and some behind them that were not. ``carried`` as of
        ``PacketStream``.
        """
        stream = _Stream(self, sock, codecs, version, carried)
        self.places.take(stream, owner)
        stream.start(left_over)

    def close(self) -> None:
        """End them all."""
        self.places.clear()


class _Stream:
    __slots__ = ("_core", "_outlet", "_stream", "_streams")

    def __init__(
        self,
        streams: PacketStreams,
        sock: socket.socket,
        codecs: tuple[Codec, Codec],
        version: int,
        carried: Callable[[int, int], None],
    ) -> None:
        self._streams = streams
        self._core = UotServer(version)
        self._outlet = PacketOutlet(streams.outside, self._answered, self.close)
        self._stream = PacketStream(
            streams.outside.poller, sock, *codecs, self._core, self._received, self._ended, carried
        )

    def start(self, left_over: tuple[bytes, bytes]) -> None:
        """Begin, once there is a place to give up again."""
        self._stream.start(*left_over)

    def close(self) -> None:
        """End it from this side: the client may open another one."""
        if self._leave():
            self._stream.over = True
            self._streams.endings.refuse(self._stream.sock)

    def _received(self, event: DatagramReceived) -> None:
        self._streams.places.touch(self)
        # What is connected has one peer, and hears nobody else.
        self._outlet.strict = self._core.connected is not None
        self._outlet.send(event.peer, memoryview(event.data))

    def _answered(self, source: Endpoint, data: memoryview) -> None:
        streams = self._streams
        peer = self._core.connected or Endpoint(portable(source.host), source.port)
        if self._stream.send(peer, data):
            streams.places.touch(self)
            streams.to_clients += 1
        else:
            streams.outside.dropped["full"] += 1

    def _ended(self, error: Exception | None) -> None:
        if not self._leave():
            return
        streams, sock = self._streams, self._stream.sock
        if isinstance(error, RemoteProtocolError):
            # As any tunnel that brings what its key does not open: see ``relay.endings``.
            streams.outside.drop(error)
            streams.endings.silence(sock)
        else:
            streams.outside.poller.close(sock)

    def _leave(self) -> bool:
        if not self._streams.places.leave(self):
            return False
        self._outlet.close()
        return True
