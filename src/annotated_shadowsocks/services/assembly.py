"""Which parts, wired how: from a configuration and open sockets to services that run.

``apply`` may be called again. What has not changed is left alone, and what has is replaced while
the connections of what it replaced go on to their ends.
"""

import asyncio
import dataclasses
import logging
import socket
import time
import zlib
from collections.abc import Callable, Collection, Hashable
from itertools import chain
from typing import TypeAlias

from ..config.accounts import keys_of
from ..config.model import Config, LocalConfig, LogConfig, ServerConfig
from ..crypto.methods import Generation
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..relay.listener import Listener
from ..relay.packet_relay import PacketLimits
from ..resolver.resolver import Resolver
from ..shadowsocks.credentials import client_keys
from ..shadowsocks.identity import KeyTable
from ..shadowsocks.timestamp import Timestamps
from ..system import descriptor_limit
from .bindings import Bindings, socket_options
from .hop import HopPort
from .local import LocalPort, Upstream
from .runtime import Runtime
from .salts import SharedSalts
from .server import ServerPort
from .targets import Targets

__all__ = ["Assembly", "Service"]

Service: TypeAlias = ServerPort | HopPort | LocalPort

_log = logging.getLogger(__name__)

#: How often a process that is to end looks whether its connections have.
_DRAIN_LOOK = 0.05

#: UDP associations where the configuration does not say, and the share of descriptors for them.
_ASSOCIATIONS = 4096
_ASSOCIATION_SHARE = 8
#: And of one client address.
_PER_HOST = 256


class Assembly:
    """The services of one process; ``worker`` chooses its UDP sockets among the bindings."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        entropy: Entropy,
        salts: SharedSalts,
        worker: int = 0,
    ) -> None:
        self._loop = loop
        self._worker = worker
        self._resolver: Resolver | None = None
        self._resolver_settings: Hashable = None
        timestamps = Timestamps(time.time, salts.since)
        self.runtime = Runtime(loop, entropy, salts.streams, salts.packets, timestamps)
        #: By all that a service depends on: one whose key is still wanted has not changed.
        self._services: dict[Hashable, Service] = {}
        self._retired: list[Service] = []

    @property
    def active(self) -> int:
        """Connections that are not at their end, and those with octets left to deliver."""
        undelivered = len(self.runtime.endings.last_words)
        return undelivered + sum(service.active for service in self.all_services())

    @property
    def services(self) -> list[Service]:
        """What serves, without what a reload has replaced."""
        return list(self._services.values())

    @property
    def listeners(self) -> list[Listener]:
        """All listeners that accept."""
        return [listener for service in self.services for listener in service.listeners]

    def apply(self, config: Config, bindings: Bindings, anew: Collection[Endpoint] = ()) -> None:
        """Serve ``config`` on ``bindings``, which must hold every endpoint that it names.

        At endpoints of ``anew`` the connections of what was replaced end, and the count begins
        at 0.
        """
        self._renew(config)
        accounts = [self.runtime.counters.ports.pop(endpoint, None) for endpoint in anew]
        parts = config.locals or config.servers
        common = dataclasses.replace(
            config,
            servers=config.servers if config.locals else (),
            locals=(),
            log=LogConfig(),
            shutdown_grace=0,
        )
        wanted = {(common, part): part for part in parts}
        for key in [key for key in self._services if key not in wanted]:
            service = self._services.pop(key)
            service.stop()
            self._retired.append(service)
        for key, part in wanted.items():
            if key not in self._services:
                self._services[key] = self._build(config, part, bindings)
        for service in self._retired:
            if any(service.account is account for account in accounts):
                service.abort()
        self._retired = [service for service in self._retired if service.active]

    def octets(self, endpoint: Endpoint) -> int:
        """What was relayed for clients of ``endpoint``, either way, as it was on the wire."""
        account = self.runtime.counters.ports.get(endpoint)
        if account is None:
            return 0
        served = (one for one in self.all_services() if one.account is account)
        return account.octets + sum(service.octets for service in served)

    def stop(self) -> None:
        """Take no more connections and datagrams."""
        for service in self._services.values():
            service.stop()

    def when_idle(self, done: Callable[[], None]) -> None:
        """Call ``done`` once no connection is left, at once where there is none."""
        if self.active:
            self._loop.call_later(_DRAIN_LOOK, self.when_idle, done)
        else:
            done()

    def close(self) -> None:
        """End everything now."""
        self.stop()
        for service in self.all_services():
            service.abort()
        if self._resolver is not None:
            self._resolver.close()
        self.runtime.stop()

    def all_services(self) -> chain[Service]:
        """What serves, and what a reload has replaced and connections still need."""
        return chain(self._services.values(), self._retired)

    def _renew(self, config: Config) -> None:
        """What services that are built from here on share."""
        self.runtime.options = socket_options(config)
        self.runtime.endings.silence_seconds = config.timeout
        settings = (config.dns, config.ipv6_first)
        if self._resolver is None or settings != self._resolver_settings:
            # The one before is not closed: connections of a service that is replaced may wait for
            # its answers. It ends with the last of them.
            self._resolver = Resolver(
                servers=config.dns or (),
                system=config.dns is None,
                ipv6_first=config.ipv6_first,
            )
            self._resolver_settings = settings
            self.runtime.lookup = self._resolver.lookup

    def _build(
        self, config: Config, part: ServerConfig | LocalConfig, bindings: Bindings
    ) -> Service:
        service: Service
        if isinstance(part, ServerConfig):
            endpoint, tcp, udp = part.endpoint, part.tcp, part.udp
            service = self._server(config, part)
            kind = f"Shadowsocks {part.method.name}"
        else:
            endpoint, tcp, udp = part.listen, True, part.udp
            service = self._local(config, part)
            kind = "SOCKS5"
        service.name = f"{kind} on {endpoint}"
        service.account = self.runtime.counters.port(endpoint)
        if tcp:
            service.listen(bindings.listeners(endpoint, self._worker))
        limits = _packet_limits(config)
        if udp and (sockets := self._packet_sockets(part, bindings.udp[endpoint])):
            service.relay_packets(sockets, limits)
        if tcp and isinstance(service, ServerPort):
            service.relay_packet_streams(limits)
        asked = "auto" if config.backlog is None else config.backlog
        for listener in service.listeners:
            _log.info("listening on %s, backlog asked %s: %s, TCP", listener, asked, kind)
        for packets in service.packet_relays:
            _log.info("listening on %s: %s, UDP", packets, kind)
        return service

    def _packet_sockets(
        self, part: ServerConfig | LocalConfig, sockets: list[list[socket.socket]]
    ) -> list[socket.socket]:
        """What this worker reads of an endpoint's sockets, of which each worker has some."""
        if isinstance(part, LocalConfig) or part.method.generation is not Generation.AEAD_2022:
            return sockets[self._worker]
        # A session has one window, so one worker hears all of it, wherever it roams, and all that
        # is sealed with the same key. The kernel deals by addresses and knows neither.
        owner = zlib.crc32(part.password.reveal().encode()) % len(sockets)
        return [sock for each in sockets for sock in each] if self._worker == owner else []

    def _server(self, config: Config, part: ServerConfig) -> ServerPort | HopPort:
        targets = Targets(config.allow_private_targets, self._loop.time)
        keys = keys_of(part)
        if part.destinations and isinstance(keys, KeyTable):
            servers = {one.name: one.endpoint for one in part.destinations}
            return HopPort(self.runtime, keys, servers, part.timeout)
        return ServerPort(self.runtime, keys, targets.check, part.timeout)

    def _local(self, config: Config, part: LocalConfig) -> LocalPort:
        upstreams = tuple(
            Upstream(
                server.endpoint,
                client_keys(server.method, server.password.reveal()),
                server.tcp,
                server.udp,
                server.udp_over_tcp,
            )
            for server in config.servers
        )
        users = {user.name: user.password.reveal() for user in part.users} or None
        return LocalPort(self.runtime, upstreams, users, config.timeout, part.tcp)


def _packet_limits(config: Config) -> PacketLimits:
    # An association may hold two descriptors, and every place that relays datagrams its share.
    places = sum(part.udp for part in config.locals or config.servers)
    affordable = min(_ASSOCIATIONS, descriptor_limit() // _ASSOCIATION_SHARE) // max(places, 1)
    most = config.udp_max_associations or max(affordable, 1)
    # The programs that use sslocal share its host's address, so no one of them is to be bounded.
    per_host = most if config.locals else min(_PER_HOST, most)
    return PacketLimits(config.udp_timeout, most, per_host)
