"""What a server's port and a local port have in common: listeners, relays, and their ends."""

import logging
import socket
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from ..errors import AuthenticationError, ClockSkewError
from ..relay.deadlines import DeadlineQueue
from ..relay.listener import Listener
from ..relay.packet_outlet import Outside
from ..relay.packet_relay import (
    Address,
    Association,
    Outlet,
    PacketFront,
    PacketLimits,
    PacketRelay,
)
from ..relay.stream_relay import Codec, StreamRelay
from .counters import PortCount
from .runtime import Runtime

__all__ = ["Port", "Session"]

_log = logging.getLogger(__name__)

#: Seconds between two log lines about handshakes that do not authenticate.
_WARN_EVERY = 60.0


class Session(Hashable, Protocol):
    """A connection until it is a relay; each kind of port has its own."""

    def expired(self) -> None:
        """The handshake's time is over."""
        ...

    def abort(self) -> None:
        """The service ends."""
        ...


class Port:
    """Serves on sockets that it is given and does not own.

    ``speaks_first`` where whatever this port dials is sent something before it answers.
    """

    def __init__(
        self,
        runtime: Runtime,
        check: Callable[[str], None] | None,
        handshake_seconds: float,
        speaks_first: bool = False,
    ) -> None:
        self.runtime = runtime
        #: What log lines call this port.
        self.name = "a port"
        #: Connections whose handshake is not complete, and those that are being dialled.
        self.handshakes: DeadlineQueue[Session] = DeadlineQueue(
            runtime.loop, handshake_seconds, lambda session: session.expired()
        )
        self.dialing: set[Session] = set()
        self.dialer = runtime.dialer(check, speaks_first)
        self.listeners: list[Listener] = []
        self.packet_relays: list[PacketRelay[Any]] = []
        #: With the name of whose they are, empty where there are no names.
        self.relays: dict[StreamRelay, str] = {}
        #: What has ended here is on it, and what another port at the same endpoint has before.
        self.account = PortCount()
        self._check = check
        #: Until when not to give the same warning again.
        self._warned: dict[str, float] = {}

    @property
    def active(self) -> int:
        """Connections that are not at their end: shaking hands, being dialled, relayed."""
        return len(self.handshakes) + len(self.dialing) + len(self.relays)

    @property
    def octets(self) -> int:
        """Octets of what goes on here, which the account does not have."""
        relays = sum(relay.near.received + relay.far.received for relay in self.relays)
        return relays + sum(
            packets.octets_from_clients + packets.octets_to_clients
            for packets in self.packet_relays
            if not packets.closed
        )

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept on ``sockets``, which listen."""
        runtime = self.runtime
        self.listeners += [
            Listener(runtime.poller, runtime.loop, sock, self.accepted) for sock in sockets
        ]

    def accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """A connection was accepted."""
        raise NotImplementedError

    def add_packet_relay(
        self,
        sockets: list[socket.socket],
        front: PacketFront[Any],
        limits: PacketLimits,
        strict: bool = False,
        open_outlet: Callable[[Outside, Association[Any]], Outlet] | None = None,
    ) -> None:
        """Relay the datagrams of ``sockets``; see ``Outside`` and ``PacketRelay``."""
        runtime = self.runtime
        outside = Outside(runtime.poller, runtime.lookup, self._check, strict)
        self.packet_relays.append(
            PacketRelay(
                outside,
                runtime.loop,
                sockets,
                front,
                limits,
                self.failed,
                open_outlet,
                runtime.counters.user,
            )
        )

    def new_relay(
        self,
        near: tuple[socket.socket, Codec],
        far: tuple[socket.socket, Codec],
        user: str = "",
    ) -> StreamRelay:
        """A relay of this port, which counts it; not started."""
        relay = StreamRelay(self.runtime.poller, self.runtime.endings, self, near, far)
        self.relays[relay] = user
        self.runtime.counters.relayed += 1
        if user:
            self.runtime.counters.user(user).relayed += 1
        return relay

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""
        counters = self.runtime.counters
        counters.from_clients += relay.near.received
        counters.from_targets += relay.far.received
        self.account.octets += relay.near.received + relay.far.received
        if user := self.relays.pop(relay):
            account = counters.user(user)
            account.from_client += relay.near.received
            account.from_targets += relay.far.received
        if error is not None:
            counters.failed(error)
            _log.debug("relay broken: %s", error)

    def failed(self, error: BaseException, client: Address) -> None:
        """Count what ``client`` did wrong; a wrong key, or a probe that looks like it, is told."""
        self.runtime.counters.failed(error)
        if isinstance(error, AuthenticationError):
            self.warn(
                "%s:%d sent what the key of %s does not open (%d so far): "
                "a wrong password or method, or a probe",
                *client[:2],
                self.name,
                self.runtime.counters.failures["authentication"],
            )
        elif isinstance(error, ClockSkewError):
            self.warn(
                "%s:%d: %s, and 30 are allowed (%d so far): set both clocks, or it is a recording",
                *client[:2],
                error,
                self.runtime.counters.failures["clock"],
            )

    def warn(self, text: str, *values: object) -> None:
        """Log a warning that a peer can cause at will, so once a minute at most."""
        now = self.runtime.loop.time()
        if now >= self._warned.get(text, now):
            self._warned[text] = now + _WARN_EVERY
            _log.warning(text, *values)

    def stop(self) -> None:
        """Take no more connections and no more datagrams; what is established goes on."""
        for listener in self.listeners:
            listener.stop()
        for packets in self.packet_relays:
            if not packets.closed:
                self.account.octets += packets.octets_from_clients + packets.octets_to_clients
            packets.close()

    def abort(self) -> None:
        """End every connection."""
        for relay in list(self.relays):
            relay.abort()
        while self.handshakes:
            self.handshakes.oldest().abort()
        for session in list(self.dialing):
            session.abort()
        self.handshakes.clear()
        self.dialer.deadlines.clear()
