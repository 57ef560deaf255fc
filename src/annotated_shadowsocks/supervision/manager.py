"""``ssmanager``: obeys datagrams, and tells who asks what is served and how much of it.

===========  ==================================================================================
request      what happens
===========  ==================================================================================
``add``      the port is served; what was served there before is replaced, and its connections end
``remove``   the port is served no more, and its connections end
``list``     the ports, with their passwords where only the owner can ask
``ping``     octets by port, of both directions, since each was added
``stat``     nothing: it is what servers say that a manager has started, and here it has none
===========  ==================================================================================

The connections end because that is why panels remove a port: somebody's allowance is used up.
Nothing is written down, so a panel adds its ports again after a restart, as it does with both
peers.

Rejected: to start a server for each port, as both peers can. One of them does it by a line for the
shell, with what came in the datagram in it. [X41-2017-010]
"""

import asyncio
import logging
import socket
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Protocol

from ..config.manager import added
from ..config.model import Config, ManagerConfig, ServerConfig
from ..config.secret import MASK
from ..config.strength import check_strength
from ..endpoint import Endpoint
from ..errors import ConfigError, ListenError, RemoteProtocolError
from ..manager_protocol.answers import (
    Dialect,
    Listed,
    print_done,
    print_list,
    print_refused,
    print_stat,
    print_unavailable,
)
from ..manager_protocol.requests import Add, List, Ping, Remove, parse_request
from .management import Management

__all__ = ["Manager", "Office"]

_log = logging.getLogger(__name__)

#: More than any datagram has.
_DATAGRAM = 1 << 16


class Office(Protocol):
    """Whoever serves, and does what the manager says."""

    @property
    def config(self) -> Config:
        """What is served."""
        ...

    def change(self, config: Config, anew: Collection[Endpoint]) -> None:
        """Serve ``config``; see ``Assembly.apply``. Raises ``ListenError``, as if never asked."""
        ...

    def octets(self, endpoint: Endpoint) -> int:
        """What was relayed for clients of ``endpoint``."""
        ...


class Manager:
    """Obeys what comes to ``management`` until it is stopped."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, management: Management, office: Office
    ) -> None:
        self._loop = loop
        self._management = management
        self._office = office
        #: Ports that datagrams have added.
        self._added: set[int] = set()
        for sock in management.sockets:
            loop.add_reader(sock, self._heard, sock)
            place = sock.getsockname()
            where = place if isinstance(place, str) else Endpoint(*place[:2])
            _log.info("managed at %s", where)

    def stop(self) -> None:
        """Obey no more."""
        for sock in self._management.sockets:
            self._loop.remove_reader(sock)
        self._management.close()

    def joined(self, config: Config) -> Config:
        """``config``, with what datagrams have added. Where both name a port, the file is right.

        What an added port is like was settled at the start.
        """
        now = self._office.config
        named = {server.endpoint.port for server in config.servers}
        kept = [server for server in now.servers if server.endpoint.port in self._added - named]
        return replace(config, servers=(*config.servers, *kept), manager=now.manager)

    def answers(self, datagram: bytes, private: bool) -> list[bytes]:
        """Obey ``datagram``; ``private`` where nobody but the owner of this process can ask."""
        try:
            request = parse_request(datagram)
        except RemoteProtocolError as error:
            return [self._refused(error)]
        if isinstance(request, Add):
            return [self._add(request)]
        if isinstance(request, Remove):
            return [self._remove(request.port)]
        if isinstance(request, List):
            return print_list(self._dialect, self._listed(private))
        if isinstance(request, Ping):
            return print_stat(self._dialect, self._octets())
        return []

    @property
    def _config(self) -> ManagerConfig:
        config = self._office.config.manager
        if config is None:
            raise ConfigError("", "no manager_address")
        return config

    @property
    def _dialect(self) -> Dialect:
        return Dialect.LIBEV if self._config.libev else Dialect.RUST

    def _heard(self, sock: socket.socket) -> None:
        try:
            datagram, client = sock.recvfrom(_DATAGRAM)
        except OSError:
            # Nothing is there after all, or an ICMP error tells that a client is gone.
            return
        for answer in self.answers(datagram, sock.family == socket.AF_UNIX):
            # A Unix socket without a name sends and cannot be answered.
            if client:
                try:
                    sock.sendto(answer, client)
                except OSError as error:
                    _log.debug("an answer was lost: %s", error)

    def _refused(self, error: Exception) -> bytes:
        _log.warning("not obeyed: %s", error)
        return print_refused(self._dialect, str(error))

    def _add(self, request: Add) -> bytes:
        now = self._office.config
        try:
            servers = added(self._config, request)
            check_strength(replace(now, servers=servers))
        except ConfigError as error:
            return self._refused(error)
        before, others = _parted(now.servers, request.port)
        if before != servers:
            anew = {server.endpoint for server in (*before, *servers)}
            try:
                self._office.change(replace(now, servers=(*others, *servers)), anew)
            except ListenError as error:
                _log.warning("not obeyed: %s", error)
                return print_unavailable(self._dialect, str(error))
            _log.info("port %d is added: %s", request.port, servers[0].method.name)
        self._added.add(request.port)
        return print_done(self._dialect)

    def _remove(self, port: int) -> bytes:
        now = self._office.config
        before, others = _parted(now.servers, port)
        if before:
            anew = {server.endpoint for server in before}
            self._office.change(replace(now, servers=others), anew)
            _log.info("port %d is removed", port)
        self._added.discard(port)
        # Both peers say so of a port that was never there, and a panel asks for no more.
        return print_done(self._dialect)

    def _listed(self, private: bool) -> list[Listed]:
        # [X41-2017-010] both peers tell passwords to whoever asks, and on loopback that may be any
        # user of the host. Through a Unix socket asks who could read the configuration as well.
        found = {}
        for server in self._office.config.servers:
            users = server.users
            found[server.endpoint.port] = Listed(
                server.endpoint.port,
                server.password.reveal() if private else MASK,
                server.method.name,
                None
                if users is None
                else [(one.name, one.password.reveal() if private else MASK) for one in users],
            )
        return list(found.values())

    def _octets(self) -> dict[int, int]:
        octets: dict[int, int] = {}
        for server in self._office.config.servers:
            port = server.endpoint.port
            octets[port] = octets.get(port, 0) + self._office.octets(server.endpoint)
        return octets


def _parted(
    servers: Iterable[ServerConfig], port: int
) -> tuple[tuple[ServerConfig, ...], tuple[ServerConfig, ...]]:
    """The servers at ``port``, and the others."""
    listed = tuple(servers)
    return (
        tuple(one for one in listed if one.endpoint.port == port),
        tuple(one for one in listed if one.endpoint.port != port),
    )
