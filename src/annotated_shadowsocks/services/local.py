"""``sslocal``: a SOCKS5 server whose connections leave through a Shadowsocks server.

One connection, in order::

    accepted -> ConnectRequested -> dialled -> SUCCEEDED -> first payload -> StreamRelay -> ended
                    |                  |
                    | Reply.*          | next server, then Reply.*

The address of the target travels in the first chunk. Programs that speak first do so at once after
``SUCCEEDED``, so the relay waits a moment and lets that payload share the chunk: one packet and
one box fewer, and a first packet whose size is not that of a bare address. Programs that listen
first lose that moment.

``SUCCEEDED`` means that the Shadowsocks server was reached (or, with Fast Open, that it will be).
Whether it reaches the target is not part of its protocol, and shows as an end of the stream.
"""

import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..endpoint import Endpoint
from ..errors import (
    AuthenticationError,
    ClockSkewError,
    Error,
    LocalProtocolError,
    PolicyRejected,
    RemoteProtocolError,
    Truncated,
)
from ..relay.deadlines import DeadlineQueue
from ..relay.dialer import Dial
from ..relay.driver import Driver
from ..relay.packet_outlet import Outside
from ..relay.packet_relay import Address, Association, Outlet, PacketLimits
from ..relay.poller import READ
from ..relay.stream_relay import StreamRelay
from ..shadowsocks.credentials import ClientKeys
from ..shadowsocks.tunnel import Decoder, Encoder, client_codecs
from ..socks5.messages import UNSPECIFIED, Command
from ..socks5.replies import reply_for
from ..socks5.server import ConnectRequested, Request, ServerHandshake
from .packet_fronts import seal_maker
from .packets import LocalPackets, PacketSeal, SocksPackets, portable
from .port import Port
from .runtime import Runtime
from .stream_outlet import StreamOutlet, Way

__all__ = ["LocalPort", "Upstream"]

_log = logging.getLogger(__name__)

#: How long the first payload is waited for. A program on this host answers within a millisecond.
_FIRST_PAYLOAD = 0.05

#: How long a server that could not be dialled is tried only after the others.
_REST = 30.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """One Shadowsocks server that connections, datagrams or both may leave through."""

    endpoint: Endpoint
    keys: ClientKeys
    tcp: bool = True
    udp: bool = True
    #: The version of UDP over TCP that it takes datagrams by; 0 where it takes them as they are.
    udp_over_tcp: int = 0


class LocalPort(Port):
    """A SOCKS5 front on some sockets; ``users`` maps names to passwords, None asks for neither.

    ``upstreams`` take turns; one that cannot be dialled is passed over for the next, and left in
    peace for a while. ``tcp`` False serves UDP ASSOCIATE alone.
    """

    def __init__(
        self,
        runtime: Runtime,
        upstreams: tuple[Upstream, ...],
        users: Mapping[str, str] | None,
        handshake_seconds: float,
        tcp: bool = True,
    ) -> None:
        # With Fast Open a server counts as reached before it was asked, and one that is down would
        # never be passed over: only where there is nothing to choose does that not matter.
        super().__init__(
            runtime,
            None,
            handshake_seconds,
            speaks_first=sum(upstream.tcp for upstream in upstreams) == 1,
        )
        self.users = users
        self._upstreams = [upstream for upstream in upstreams if upstream.tcp]
        self._packet_upstreams = [upstream for upstream in upstreams if upstream.udp]
        self._turn = 0
        #: Until when to spare a server, by its place.
        self._resting: dict[Endpoint, float] = {}
        self.commands = {Command.CONNECT} if tcp and self._upstreams else set()
        self.first_payloads: DeadlineQueue[_FirstPayload] = DeadlineQueue(
            runtime.loop, _FIRST_PAYLOAD, _FirstPayload.give_up
        )
        #: UDP ASSOCIATE connections that are open, by the client's host.
        self.controls: dict[str, set[_ControlConnection]] = {}
        self.udp_port: int | None = None

    def relay_packets(self, sockets: list[socket.socket], limits: PacketLimits) -> None:
        """Relay datagrams of ``sockets``, which are bound to the port that TCP listens on."""
        runtime = self.runtime
        makers = [
            seal_maker(runtime, upstream.endpoint, upstream.keys)
            for upstream in self._packet_upstreams
        ]
        in_streams = any(upstream.udp_over_tcp for upstream in self._upstreams)
        if not makers and not in_streams:
            _log.warning("no server takes datagrams: UDP ASSOCIATE is refused")
            return
        self.commands.add(Command.UDP_ASSOCIATE)

        def choose(client: Address) -> PacketSeal:
            self._admit(client)
            return makers[hash(client) % len(makers)]()

        self.udp_port = sockets[0].getsockname()[1]
        if in_streams:
            front = SocksPackets(self._admit)
            self.add_packet_relay(sockets, front, limits, open_outlet=self._stream_outlet)
        else:
            self.add_packet_relay(sockets, LocalPackets(choose), limits)

    def _stream_outlet(self, outside: Outside, association: Association[Any]) -> Outlet:
        ways = [
            Way(
                upstream.endpoint,
                upstream.udp_over_tcp,
                partial(self._codecs, upstream),
                partial(self.dialed, upstream),
            )
            for upstream in self.upstreams()
            if upstream.udp_over_tcp
        ]
        return StreamOutlet(outside, association, self.dialer, ways)

    def _codecs(self, upstream: Upstream, target: Endpoint) -> tuple[Encoder, Decoder]:
        runtime = self.runtime
        return client_codecs(
            upstream.keys, target, runtime.stream_salts, runtime.timestamps, runtime.entropy
        )

    def _admit(self, client: Address) -> None:
        # Programs exist that send datagrams without asking first, and peers serve them. Where a
        # password is asked for, only whoever gave it is served.
        if self.users is not None and client[0] not in self.controls:
            raise PolicyRejected(client[0], "no password was given on a connection that is open")

    def upstreams(self) -> list[Upstream]:
        """All servers in the order in which the next connection should try them."""
        self._turn = (self._turn + 1) % len(self._upstreams)
        in_turn = [*self._upstreams[self._turn :], *self._upstreams[: self._turn]]
        now = self.runtime.loop.time()
        # A stable sort: last are those that rest, which are better than none.
        return sorted(in_turn, key=lambda upstream: self._resting.get(upstream.endpoint, 0) > now)

    def dialed(self, upstream: Upstream, well: bool) -> None:
        """Learn whether ``upstream`` could be dialled."""
        if well:
            self._resting.pop(upstream.endpoint, None)
        else:
            self._resting[upstream.endpoint] = self.runtime.loop.time() + _REST

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        self.runtime.counters.accepted += 1
        self.handshakes.add(_Session(self, sock, address))

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""
        super().relay_ended(relay, error)
        if isinstance(error, ClockSkewError):
            self.warn("a server's answer has %s, and 30 are allowed: set both clocks", error)
        elif isinstance(error, AuthenticationError) or (
            relay.near.received and not relay.far.received
        ):
            # The server's silence towards a wrong key is all that there is to see of it here.
            self.warn(
                "a server has ended a connection without an answer that our key opens: a wrong "
                "password or method looks like that, and so does a target that cannot be reached"
            )

    def stop(self) -> None:
        """Take no more; associations end, and their clients are told."""
        super().stop()
        for controls in list(self.controls.values()):
            for control in list(controls):
                control.close()

    def abort(self) -> None:
        """End every connection."""
        super().abort()
        self.first_payloads.clear()

    def control_opened(self, control: "_ControlConnection") -> None:
        """A client holds a UDP ASSOCIATE connection."""
        self.controls.setdefault(control.host, set()).add(control)

    def control_closed(self, control: "_ControlConnection") -> None:
        """It is closed, and with the last one of a host its associations end [RFC1928 §6]."""
        controls = self.controls[control.host]
        controls.discard(control)
        if not controls:
            del self.controls[control.host]
            for packets in self.packet_relays:
                packets.forget_owner(control.host)


class _FirstPayload(NamedTuple):
    """What a relay waits for, so that it leaves with the address."""

    relay: StreamRelay
    encoder: Encoder

    def give_up(self) -> None:
        """No payload has come: the address travels alone."""
        if self.encoder.waiting and not self.relay.over:
            self.relay.near.push(b"")


class _Session:
    """One connection until it is a relay, or a control connection of UDP ASSOCIATE."""

    __slots__ = ("_address", "_core", "_dial", "_driver", "_dst", "_port", "_sock", "_untried")

    def __init__(self, port: LocalPort, sock: socket.socket, address: tuple[str, int]) -> None:
        self._port = port
        self._sock = sock
        self._address = address
        self._core = ServerHandshake(port.users, port.commands)
        #: Until there is nothing more to say; the two refer to each other.
        self._driver: Driver[Request] | None = Driver(port.runtime.poller, sock, self._core, self)
        self._dial: Dial | None = None
        self._dst = UNSPECIFIED
        self._untried: list[Upstream] = []

    def handshake_event(self, event: Request) -> None:
        """See ``HandshakeOwner``."""
        self._port.handshakes.discard(self)
        self._dst = event.dst
        if isinstance(event, ConnectRequested):
            _log.debug("%s:%d wants %s", *self._address[:2], event.dst)
            self._port.dialing.add(self)
            self._untried = self._port.upstreams()
            self._dial_next()
        else:
            self._associate()

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """See ``HandshakeOwner``."""
        runtime = self._port.runtime
        self._driver = None
        self._port.handshakes.discard(self)
        self._port.dialing.discard(self)
        if self._dial is not None:
            self._dial.cancel()
        runtime.counters.failed(error)
        _log.debug("%s:%d: %s", *self._address[:2], error)
        if isinstance(error, RemoteProtocolError) and not isinstance(error, Truncated):
            # What a browser hears that was given this port as an HTTP proxy.
            self._port.warn("%s:%d: %s; %s", *self._address[:2], error, self._port.name)
        if ended:
            runtime.poller.close(self._sock)
        else:
            runtime.endings.refuse(self._sock)

    def expired(self) -> None:
        """The handshake's time is over."""
        self.handshake_failed(TimeoutError("no handshake in time"), ended=False)

    def abort(self) -> None:
        """The service ends."""
        self.handshake_failed(ConnectionAbortedError("the service ends"), ended=False)

    def _dial_next(self) -> None:
        upstream = self._untried.pop(0)
        self._dial = None
        dial = self._port.dialer.dial(upstream.endpoint, partial(self._dialed, upstream))
        # A dial that fails at once has begun the next one by now, and that is the one to cancel.
        if self._dial is None:
            self._dial = dial

    def _dialed(self, upstream: Upstream, answer: socket.socket | Error) -> None:
        port = self._port
        port.dialed(upstream, well=not isinstance(answer, Error))
        if isinstance(answer, Error) and self._untried:
            _log.warning("%s; trying the next server", answer)
            self._dial_next()
            return
        port.dialing.discard(self)
        if isinstance(answer, Error):
            self._refuse(answer)
            return
        try:
            self._relay(answer, upstream.keys)
        except Exception:
            # The socket that a dial brought is closed by the dial; this one is ours.
            port.runtime.poller.close(self._sock)
            raise

    def _refuse(self, error: Error) -> None:
        self._port.runtime.counters.failed(error)
        _log.warning("%s", error)
        self._core.fail(reply_for(error))
        if self._reply():
            self._port.runtime.endings.refuse(self._sock)

    def _reply(self) -> bool:
        """Send what the core says at last; False where the client is gone, which is handled."""
        driver, self._driver = self._driver, None
        # Session and driver hold each other, and so do a core and its parser until that returns.
        # Cut here, the two circles leave the cycle collector nothing to do for a connection.
        self._core.next_event()
        return driver is not None and driver.flush()

    def _relay(self, far: socket.socket, keys: ClientKeys) -> None:
        port, runtime = self._port, self._port.runtime
        self._core.succeed(UNSPECIFIED)
        if not self._reply():
            runtime.poller.close(far)
            return
        encoder, decoder = client_codecs(
            keys, self._dst, runtime.stream_salts, runtime.timestamps, runtime.entropy
        )
        relay = port.new_relay((self._sock, encoder), (far, decoder))
        relay.start()
        payload = self._core.unread()
        if payload:
            relay.near.push(payload)
        else:
            port.first_payloads.add(_FirstPayload(relay, encoder))

    def _associate(self) -> None:
        # [RFC1928 §6] datagrams go to the address that the client reached us at: the one address
        # that it is known to reach.
        port = self._port
        if port.udp_port is None:
            raise LocalProtocolError("UDP ASSOCIATE is not among the commands served")
        self._core.succeed(Endpoint(portable(self._sock.getsockname()[0]), port.udp_port))
        if self._reply():
            _ControlConnection(port, self._sock, self._address[0])


class _ControlConnection:
    """The TCP connection of a UDP ASSOCIATE: it says nothing more, and its end is the end."""

    __slots__ = ("_port", "_sock", "host")

    def __init__(self, port: LocalPort, sock: socket.socket, host: str) -> None:
        self._port = port
        self._sock = sock
        self.host = host
        port.control_opened(self)
        port.runtime.poller.watch(sock, READ, self)

    def ready(self, events: int) -> None:
        try:
            if self._sock.recv_into(self._port.runtime.poller.scratch.inbound):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()

    def abandon(self, error: Exception) -> None:
        self.close()

    def close(self) -> None:
        """End it, and what it stood for."""
        self._port.runtime.poller.close(self._sock)
        self._port.control_closed(self)
