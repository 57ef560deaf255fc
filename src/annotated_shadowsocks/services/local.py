"""``sslocal``, TCP: a SOCKS5 server whose connections leave through a Shadowsocks server.

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
from collections.abc import Mapping
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..errors import Error
from ..relay.deadlines import DeadlineQueue
from ..relay.dialer import Dial
from ..relay.driver import Driver
from ..relay.listener import Listener
from ..relay.poller import READ
from ..relay.stream_relay import StreamRelay
from ..shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from ..shadowsocks.handshake import client_encoder
from ..shadowsocks.key import MasterKey
from ..socks5.messages import UNSPECIFIED, Command
from ..socks5.replies import reply_for
from ..socks5.server import ConnectRequested, Request, ServerHandshake
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


class LocalPort:
    """A SOCKS5 front on some listening sockets.

    ``upstreams`` take turns; one that cannot be dialled is passed over for the next. ``udp_port``
    is where UDP ASSOCIATE sends its clients, None where datagrams are not relayed.
    """

    def __init__(
        self,
        runtime: Runtime,
        upstreams: tuple[Upstream, ...],
        listeners: list[socket.socket],
        users: Mapping[str, str] | None = None,
        udp_port: int | None = None,
    ) -> None:
        self.runtime = runtime
        self.users = users
        self.udp_port = udp_port
        self.commands = {Command.CONNECT} | ({Command.UDP_ASSOCIATE} if udp_port else set())
        self.dialer = runtime.dialer(None)
        self.relays: set[StreamRelay] = set()
        self.handshakes: DeadlineQueue[_Session] = DeadlineQueue(
            runtime.loop, runtime.handshake_seconds, _Session.expired
        )
        self.first_payloads: DeadlineQueue[StreamRelay] = DeadlineQueue(
            runtime.loop, _FIRST_PAYLOAD, _send_head
        )
        self._upstreams = upstreams
        self._turn = 0
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
        self.first_payloads.clear()

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""
        counters = self.runtime.counters
        counters.sent_to_target += relay.near.received
        counters.sent_to_client += relay.far.received
        if error is not None:
            counters.failed(error)
        self.relays.discard(relay)

    def upstreams(self) -> list[Upstream]:
        """All servers in the order in which the next connection should try them."""
        self._turn = (self._turn + 1) % len(self._upstreams)
        return [*self._upstreams[self._turn :], *self._upstreams[: self._turn]]

    def _accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Session(self, sock, address))


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
        relay = StreamRelay(
            runtime.poller, runtime.endings, port, (self._sock, encoder), (far, decoder)
        )
        port.relays.add(relay)
        runtime.counters.relayed += 1
        relay.start()
        payload = self._core.unread()
        if payload:
            relay.near.push(payload)
        else:
            port.first_payloads.add(relay)

    def _associate(self) -> None:
        # [RFC1928 §6] datagrams go to the address that the client reached us at, which is the one
        # it is known to reach.
        port = self._port
        if port.udp_port is None:
            raise Error("UDP ASSOCIATE is not among the commands served")
        self._core.succeed(Endpoint(self._sock.getsockname()[0], port.udp_port))
        if self._driver.flush():
            _ControlConnection(port.runtime, self._sock)


class _ControlConnection:
    """The TCP connection of a UDP ASSOCIATE: it says nothing more, and its end is the end."""

    __slots__ = ("_runtime", "_sock")

    def __init__(self, runtime: Runtime, sock: socket.socket) -> None:
        self._runtime = runtime
        self._sock = sock
        runtime.poller.watch(sock, READ, self)

    def ready(self, events: int) -> None:
        try:
            if self._sock.recv_into(self._runtime.poller.scratch.inbound):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._runtime.poller.close(self._sock)

    def abandon(self, error: Exception) -> None:
        self._runtime.poller.close(self._sock)
