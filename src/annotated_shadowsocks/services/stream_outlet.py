"""UDP over TCP at sslocal: an association whose datagrams leave in one tunnelled stream.

The stream is dialled by the first datagram; a few more wait with it. It lives as long as the
association. Where it ends first, or no server can be dialled, the association ends with it, and the
client's next datagram begins another: that datagrams get lost is what their sender is prepared for.
"""

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..endpoint import Endpoint
from ..errors import Error, label
from ..relay.dialer import Dial, Dialer
from ..relay.packet_outlet import Outside
from ..relay.packet_relay import Association
from ..relay.packet_stream import PacketStream
from ..relay.stream_relay import Codec
from ..shadowsocks.udp_over_tcp import HOSTS, DatagramReceived, UotClient

__all__ = ["StreamOutlet", "Way"]

_log = logging.getLogger(__name__)

#: Datagrams that wait for the stream.
_WAITING = 32


@dataclass(frozen=True, slots=True)
class Way:
    """A server that takes datagrams in a stream.

    ``codecs`` gives, for a new tunnel to a target, what seals and what opens it; ``dialed`` is told
    whether the server could be reached.
    """

    server: Endpoint
    version: int
    codecs: Callable[[Endpoint], tuple[Codec, Codec]]
    dialed: Callable[[bool], None] = lambda well: None

    @property
    def target(self) -> Endpoint:
        """Where a tunnel goes whose octets are datagrams. Its port means nothing; peers say 0."""
        return Endpoint(HOSTS[self.version], 0)


class StreamOutlet:
    """``Outlet`` of one association; ``ways`` are tried in turn, until one server is reached."""

    __slots__ = ("_association", "_dial", "_dialer", "_outside", "_stream", "_waiting", "_ways")

    def __init__(
        self,
        outside: Outside,
        association: Association[Any],
        dialer: Dialer,
        ways: Sequence[Way],
    ) -> None:
        self._outside = outside
        self._association = association
        self._dialer = dialer
        self._stream: PacketStream | None = None
        self._waiting: list[tuple[Endpoint, bytes]] = []
        self._dial: Dial | None = None
        self._ways = list(ways)

    def send(self, target: Endpoint, data: memoryview) -> None:
        """Send to ``target``, or have it wait for the stream."""
        if self._stream is not None:
            self._put(self._stream, target, data)
            return
        if len(self._waiting) >= _WAITING:
            self._outside.dropped["waiting"] += 1
            return
        self._waiting.append((target, bytes(data)))
        if self._dial is None:
            self._dial_next()

    def close(self) -> None:
        """End the stream, or what would have become one."""
        self._waiting.clear()
        if self._dial is not None:
            self._dial.cancel()
        if self._stream is not None:
            self._stream.over = True
            self._outside.poller.close(self._stream.sock)

    def _dial_next(self) -> None:
        way = self._ways.pop(0)
        self._dial = None
        dial = self._dialer.dial(way.server, partial(self._dialed, way))
        # A dial that fails at once has begun the next one by now, and that is the one to cancel.
        if self._dial is None:
            self._dial = dial

    def _dialed(self, way: Way, answer: socket.socket | Error) -> None:
        way.dialed(not isinstance(answer, Error))
        if isinstance(answer, Error):
            _log.warning("%s", answer)
            if self._ways:
                self._dial_next()
                return
            self._outside.dropped[label(answer)] += len(self._waiting)
            self._association.close()
            return
        seals, opens = way.codecs(way.target)
        core = UotClient(way.version)
        self._stream = stream = PacketStream(
            self._outside.poller, answer, opens, seals, core, self._received, self._ended
        )
        stream.start()
        waiting, self._waiting = self._waiting, []
        for target, data in waiting:
            self._put(stream, target, data)

    def _put(self, stream: PacketStream, target: Endpoint, data: memoryview | bytes) -> None:
        if stream.send(target, data):
            self._outside.sent += 1
        else:
            self._outside.dropped["full"] += 1

    def _received(self, event: DatagramReceived) -> None:
        self._association.answer(event.peer, memoryview(event.data))

    def _ended(self, error: Exception | None) -> None:
        if error is not None:
            self._outside.drop(error)
        self._association.close()
