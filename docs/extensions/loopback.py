"""Real sockets for the checks behind the pages: a bounded run, a connected pair, a whole tunnel.

Everything stays on loopback, and everything ends: what takes longer than ``PATIENCE`` fails.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from annotated_shadowsocks.config.model import Config, LocalConfig, ServerConfig
from annotated_shadowsocks.config.secret import Secret
from annotated_shadowsocks.crypto import methods
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.relay.event_loop import RelayEventLoop
from annotated_shadowsocks.services.assembly import Assembly
from annotated_shadowsocks.services.bindings import Bindings
from annotated_shadowsocks.services.salts import SharedSalts
from annotated_shadowsocks.system import entropy

__all__ = ["PATIENCE", "Tunnel", "connected", "received", "reset", "run", "tunnel", "until"]

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


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until ``condition`` holds."""
    while not condition():
        await asyncio.sleep(0.001)


def connected() -> tuple[socket.socket, socket.socket]:
    """The two ends of a TCP connection, neither of which blocks."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other, _ = listener.accept()
    one.setblocking(False)
    other.setblocking(False)
    return one, other


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def received(sock: socket.socket) -> tuple[bytes, str]:
    """All octets that arrive, and how they end: ``FIN`` or ``RST``."""
    loop, octets = asyncio.get_running_loop(), bytearray()
    try:
        while piece := await loop.sock_recv(sock, 1 << 16):
            octets += piece
    except ConnectionResetError:
        return bytes(octets), "RST"
    return bytes(octets), "FIN"


@dataclass
class Tunnel:
    """A server and a local in this process, where they listen, and what they are made of."""

    server_at: Endpoint
    local_at: Endpoint
    server: Assembly
    local: Assembly

    async def to_local(self) -> socket.socket:
        """A connection to the local."""
        return await _connect(self.local_at)

    async def to_server(self) -> socket.socket:
        """A connection to the server."""
        return await _connect(self.server_at)


@asynccontextmanager
async def tunnel(
    password: str, handshake_seconds: float = 60.0, private_targets: bool = True
) -> AsyncIterator[Tunnel]:
    """Both ends of a tunnel with ``aes-128-gcm``; without ``private_targets`` it leads nowhere."""
    server_at, local_at = _free_endpoint(), _free_endpoint()
    method, secret = methods.find("aes-128-gcm"), Secret(password)
    server = ServerConfig(server_at, method, secret, udp=True, timeout=handshake_seconds)
    config = Config((server,), allow_private_targets=private_targets, timeout=handshake_seconds)
    with_local = replace(config, locals=(LocalConfig(local_at, udp=True),))
    async with AsyncExitStack() as stack:
        parts = [_assembled(stack, part) for part in (config, with_local)]
        yield Tunnel(server_at, local_at, *parts)


def _assembled(stack: AsyncExitStack, config: Config) -> Assembly:
    bindings = Bindings()
    bindings.open(config)
    stack.callback(bindings.close)
    assembly = Assembly(asyncio.get_running_loop(), entropy, SharedSalts(entropy, shared=False))
    stack.callback(assembly.close)
    assembly.apply(config, bindings)
    return assembly


async def _connect(endpoint: Endpoint) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, endpoint)
    return sock


def _free_endpoint() -> Endpoint:
    """A loopback endpoint whose TCP and UDP ports are both free at this moment."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            try:
                datagrams.bind(("127.0.0.1", port))
            except OSError:
                continue
            return Endpoint("127.0.0.1", port)
