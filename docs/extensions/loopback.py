"""What the checks behind the pages need of real sockets: a bounded run, a pair, a whole tunnel."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.event_loop import RelayEventLoop
from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.programs import free_port
from annotated_shadowsocks.testing.server_harness import (
    Service,
    local_config,
    serve,
    server_config,
)

__all__ = ["PATIENCE", "Tunnel", "connected", "received", "run", "tunnel"]

#: Seconds after which a check has failed.
PATIENCE = 10

# The services log what the checks do to them, and a build is to say only what is wrong.
logging.getLogger("annotated_shadowsocks").addHandler(logging.NullHandler())

T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run ``main`` on the relay's own event loop, for a bounded time."""

    async def bounded() -> T:
        async with asyncio.timeout(PATIENCE):
            return await main()

    with asyncio.Runner(loop_factory=RelayEventLoop) as runner:
        return runner.run(bounded())


def connected() -> tuple[socket.socket, socket.socket]:
    """The two ends of a TCP connection, neither of which blocks."""
    one, other = pair()
    other.setblocking(False)
    return one, other


async def received(sock: socket.socket) -> tuple[bytes, str]:
    """All octets that arrive, and how they end: ``FIN`` or ``RST``."""
    loop, octets = asyncio.get_running_loop(), bytearray()
    try:
        while piece := await loop.sock_recv(sock, 1 << 16):
            octets += piece
    except ConnectionResetError:
        return bytes(octets), "RST"
    return bytes(octets), "FIN"


@dataclass(frozen=True)
class Tunnel:
    """A server and a local, both in this process."""

    server: Service
    local: Service

    async def to_local(self) -> socket.socket:
        """A connection to the local."""
        return await _connect(self.local.endpoint)

    async def to_server(self) -> socket.socket:
        """A connection to the server."""
        return await _connect(self.server.endpoint)


@asynccontextmanager
async def tunnel(
    handshake_seconds: float = 60.0, private_targets: bool = True
) -> AsyncIterator[Tunnel]:
    """Both ends of a tunnel; without ``private_targets`` it leads nowhere on this host."""
    # One port for TCP and for datagrams, as a local expects of its server.
    at = Endpoint("127.0.0.1", free_port())
    config = server_config(
        listen=at,
        timeout=handshake_seconds,
        udp=True,
        allow_private_targets=private_targets,
    )
    with serve(config) as server, serve(local_config(at, udp=True)) as local:
        yield Tunnel(server, local)


async def _connect(endpoint: Endpoint) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, endpoint)
    return sock
