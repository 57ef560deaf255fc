"""``sslocal``: a SOCKS5 server whose connections leave through a Shadowsocks server.

One connection, in order::

    accepted -> ConnectRequested -> dialled -> SUCCEEDED -> first payload -> StreamRelay -> ended
                    |                  |
                    | Reply.*          | next server, then Reply.*

The address of the target travels in the first chunk. Programs that speak first do so at once after
``SUCCEEDED``, so the relay waits a moment and lets that payload share the chunk: one packet and
one box fewer, and a first packet whose size is not that of a bare address. Programs that listen
first lose that moment.

``SUCCEEDED`` means that the Shadowsocks server was reached. Whether it reaches the target is not
part of its protocol, and shows as an end of the stream.
"""

import logging
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import Error, LocalProtocolError
from ..relay.deadlines import DeadlineQueue
from ..relay.dialer import Dial
from ..relay.driver import Driver
from ..relay.packet_relay import Address, PacketLimits
from ..relay.poller import READ
from ..relay.stream_relay import StreamRelay
from ..shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from ..shadowsocks.handshake import client_encoder
from ..shadowsocks.key import MasterKey
from ..socks5.messages import UNSPECIFIED, Command
from ..socks5.replies import reply_for
from ..socks5.server import ConnectRequested, Request, ServerHandshake
from .packets import LocalPackets
from .port import Port
from .runtime import Runtime

__all__ = ["LocalPort", "Upstream"]

_log = logging.getLogger(__name__)

#: How long the first payload is waited for. A program on this host answers within a millisecond.
_FIRST_PAYLOAD = 0.05


@dataclass(frozen=True, slots=True)
class Upstream:
    """One Shadowsocks server that connections may leave through."""

    endpoint: Endpoint
    key: MasterKey


class LocalPort(Port):
    """A SOCKS5 front on some sockets; ``users`` maps names to passwords, None asks for neither.

    ``upstreams`` take turns; one that cannot be dialled is passed over for the next.
    """

    def __init__(
        self,
        runtime: Runtime,
        upstreams: tuple[Upstream, ...],
        users: Mapping[str, str] | None,
        handshake_seconds: float,
    ) -> None:
        super().__init__(runtime, None)
        self.users = users
        self.commands = {Command.CONNECT}
        self.handshakes: DeadlineQueue[_Session] = DeadlineQueue(
            runtime.loop, handshake_seconds, _Session.expired
        )
        self.first_payloads: DeadlineQueue[StreamRelay] = DeadlineQueue(
            runtime.loop, _FIRST_PAYLOAD, _send_head
        )
        #: UDP ASSOCIATE connections that are open, by the client's host.
        self.controls: Counter[str] = Counter()
        self.udp_port: int | None = None
        self._upstreams = upstreams
        self._turn = 0

    def relay_packets(self, sockets: list[socket.socket], limits: PacketLimits) -> None:
        """Relay datagrams of ``sockets``, which are bound to the port that TCP listens on."""
        self.commands.add(Command.UDP_ASSOCIATE)
        runtime = self.runtime
        codecs = [
            LocalPackets(upstream.endpoint, upstream.key, runtime.packet_salts, runtime.entropy)
            for upstream in self._upstreams
        ]

        def codec_for(client: Address) -> LocalPackets | None:
            # Programs exist that send datagrams without asking first, and peers serve them. Where a
            # password is asked for, only whoever gave it is served.
            if self.users is not None and not self.controls[client[0]]:
                return None
            return codecs[hash(client) % len(codecs)]

        for sock in sockets:
            self.udp_port = sock.getsockname()[1]
            self.add_packet_relay(sock, codec_for, limits)

    def upstreams(self) -> list[Upstream]:
        """All servers in the order in which the next connection should try them."""
        self._turn = (self._turn + 1) % len(self._upstreams)
        return [*self._upstreams[self._turn :], *self._upstreams[: self._turn]]

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Session(self, sock, address))

    def abort(self) -> None:
        """End what is established."""
        super().abort()
        self.first_payloads.clear()

    def control_opened(self, host: str) -> None:
        """A client at ``host`` holds a UDP ASSOCIATE connection."""
        self.controls[host] += 1

    def control_closed(self, host: str) -> None:
        """It is closed, and with the last one of a host its associations end [RFC1928 §6]."""
        self.controls[host] -= 1
        if not self.controls[host]:
            del self.controls[host]
            for packets in self.packet_relays:
                packets.forget_host(host)


def _send_head(relay: StreamRelay) -> None:
    """No payload has come: the address travels alone."""
    if not relay.over and isinstance(relay.near.codec, AeadEncoder) and relay.near.codec.waiting:
        relay.near.push(b"")


class _Session:
    """One connection until it is a relay, or a control connection of UDP ASSOCIATE."""

    __slots__ = ("_address", "_core", "_dial", "_driver", "_dst", "_port", "_sock", "_untried")

    def __init__(self, port: LocalPort, sock: socket.socket, address: tuple[str, int]) -> None:
        self._port = port
        self._sock = sock
        self._address = address
        self._core = ServerHandshake(port.users, port.commands)
        self._driver: Driver[Request] = Driver(port.runtime.poller, sock, self._core, self)
        self._dial: Dial | None = None
        self._dst = UNSPECIFIED
        self._untried: list[Upstream] = []

    def handshake_event(self, event: Request) -> None:
        """See ``HandshakeOwner``."""
        self._port.handshakes.discard(self)
        self._dst = event.dst
        if isinstance(event, ConnectRequested):
            _log.debug("%s:%d wants %s", *self._address[:2], event.dst)
            self._untried = self._port.upstreams()
            self._dial_next()
        else:
            self._associate()

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        runtime = self._port.runtime
        self._port.handshakes.discard(self)
        if self._dial is not None:
            self._dial.cancel()
        runtime.counters.failed(error)
        _log.debug("%s:%d: %s", *self._address[:2], error)
        if ended:
            runtime.poller.close(self._sock)
        else:
            runtime.endings.refuse(self._sock)

    def expired(self) -> None:
        """The handshake's time is over."""
        self.handshake_failed(TimeoutError("no handshake in time"), ended=False)

    def _dial_next(self) -> None:
        upstream = self._untried.pop(0)

        def dialed(answer: socket.socket | Error) -> None:
            if not isinstance(answer, Error):
                self._relay(answer, upstream.key)
            elif self._untried:
                _log.warning("%s; trying the next server", answer)
                self._dial_next()
            else:
                self._refuse(answer)

        self._dial = self._port.dialer.dial(upstream.endpoint, dialed)

    def _refuse(self, error: Error) -> None:
        self._port.runtime.counters.failed(error)
        _log.warning("%s", error)
        self._core.fail(reply_for(error))
        if self._driver.flush():
            self._port.runtime.endings.refuse(self._sock)

    def _relay(self, far: socket.socket, key: MasterKey) -> None:
        port, runtime = self._port, self._port.runtime
        self._core.succeed(UNSPECIFIED)
        if not self._driver.flush():
            runtime.poller.close(far)
            return
        encoder = client_encoder(key, self._dst, runtime.entropy)
        # An answer that opens with a salt of ours, or with one seen before, is an echo.
        runtime.stream_salts.add(encoder.salt)
        decoder = AeadDecoder(key, runtime.stream_salts)
        relay = port.new_relay((self._sock, encoder), (far, decoder))
        relay.start()
        payload = self._core.unread()
        if payload:
            relay.near.push(payload)
        else:
            port.first_payloads.add(relay)

    def _associate(self) -> None:
        # [RFC1928 §6] datagrams go to the address that the client reached us at: the one address
        # that it is known to reach.
        port = self._port
        if port.udp_port is None:
            raise LocalProtocolError("UDP ASSOCIATE is not among the commands served")
        self._core.succeed(Endpoint(self._sock.getsockname()[0], port.udp_port))
        if self._driver.flush():
            _ControlConnection(port, self._sock, self._address[0])


class _ControlConnection:
    """The TCP connection of a UDP ASSOCIATE: it says nothing more, and its end is the end."""

    __slots__ = ("_host", "_port", "_sock")

    def __init__(self, port: LocalPort, sock: socket.socket, host: str) -> None:
        self._port = port
        self._sock = sock
        self._host = host
        port.control_opened(host)
        port.runtime.poller.watch(sock, READ, self)

    def ready(self, events: int) -> None:
        try:
            if self._sock.recv_into(self._port.runtime.poller.scratch.inbound):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close()

    def abandon(self, error: Exception) -> None:
        self._close()

    def _close(self) -> None:
        self._port.runtime.poller.close(self._sock)
        self._port.control_closed(self._host)
