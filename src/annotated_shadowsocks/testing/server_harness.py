"""A whole service in this process, and what stands at either end of it.

::

    with serve(server_config(method)) as server:
        async with Target(echo) as target:
            async with TunnelClient(server.endpoint, key, target.endpoint) as client:
                await client.send(b"ping")
                assert await client.receive() == b"ping"

Everything is on loopback, on ports that the kernel picks, in the loop that runs.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ..config.model import Config, LocalConfig, ServerConfig, User
from ..config.secret import Secret
from ..crypto import methods
from ..endpoint import Endpoint
from ..services.assembly import Assembly
from ..services.bindings import Bindings
from ..services.local import LocalPort
from ..services.salts import SharedSalts
from ..services.server import ServerPort
from ..shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from ..shadowsocks.handshake import client_encoder
from ..shadowsocks.key import MasterKey
from ..socks5.client import ClientHandshake, Established
from ..socks5.messages import Command
from ..system import entropy

__all__ = [
    "PASSWORD",
    "Service",
    "Target",
    "TunnelClient",
    "echo",
    "local_config",
    "master_key",
    "open_socks",
    "read_all",
    "serve",
    "server_config",
    "until",
]

PASSWORD = "correct horse"
METHOD = "aes-256-gcm"
ANY_PORT = Endpoint("127.0.0.1", 0)

#: Nobody answers here, and the kernel says so at once: no test asks the world for a name.
NO_NAMES = (Endpoint("127.0.0.1", 1),)

#: Seconds after which something is taken for what never comes.
_PATIENCE = 30.0

#: What serves one connection of a target; the socket is non-blocking and closed afterwards.
Script = Callable[[socket.socket], Awaitable[None]]


def master_key(method: str = METHOD, password: str = PASSWORD) -> MasterKey:
    """The key that the configurations of this module have."""
    return MasterKey.from_password(methods.find(method), password)


def server_config(
    method: str = METHOD,
    *,
    listen: Endpoint = ANY_PORT,
    timeout: float = 60.0,
    udp: bool = False,
    udp_timeout: float = 300.0,
    allow_private_targets: bool = True,
) -> Config:
    """``ssserver``, which may reach loopback unless it is told not to."""
    server = ServerConfig(listen, methods.find(method), Secret(PASSWORD), True, udp, timeout)
    return Config(
        (server,),
        timeout=timeout,
        udp_timeout=udp_timeout,
        allow_private_targets=allow_private_targets,
        dns=NO_NAMES,
    )


def local_config(
    *servers: Endpoint,
    method: str = METHOD,
    listen: Endpoint = ANY_PORT,
    udp: bool = False,
    udp_timeout: float = 300.0,
    users: dict[str, str] | None = None,
    timeout: float = 60.0,
) -> Config:
    """``sslocal`` in front of ``servers``."""
    upstreams = [
        ServerConfig(at, methods.find(method), Secret(PASSWORD), udp=True) for at in servers
    ]
    accounts = tuple(User(name, Secret(password)) for name, password in (users or {}).items())
    local = LocalConfig(listen, True, udp, accounts)
    return Config(tuple(upstreams), (local,), timeout, udp_timeout, dns=NO_NAMES)


@dataclass(frozen=True)
class Service:
    """What ``serve`` started: its first listener's address, and what is inside."""

    assembly: Assembly
    bindings: Bindings

    @property
    def endpoint(self) -> Endpoint:
        """Where TCP is accepted."""
        return Endpoint(*self.assembly.listeners[0].sock.getsockname()[:2])

    @property
    def udp_endpoint(self) -> Endpoint:
        """Where datagrams are taken."""
        (sockets,) = next(iter(self.bindings.udp.values()))
        return Endpoint(*sockets[0].getsockname()[:2])

    @property
    def port(self) -> ServerPort | LocalPort:
        """The one service inside."""
        (port,) = self.assembly.services
        return port

    @property
    def at_rest(self) -> bool:
        """Nothing is left of any connection or datagram: what is watched is what listens."""
        runtime, services = self.assembly.runtime, self.assembly.services
        waiting = sum(len(one.listeners) + len(one.packet_relays) for one in services)
        busy = self.assembly.active + len(runtime.endings)
        return busy == 0 and len(runtime.poller) == waiting

    async def rested(self) -> None:
        """Wait until it is at rest. Raises ``TimeoutError``."""
        await until(lambda: self.at_rest)


@contextmanager
def serve(config: Config, salts: SharedSalts | None = None) -> Iterator[Service]:
    """Serve ``config`` on the running loop; ``salts`` is what it shares with others."""
    salts = salts or SharedSalts(entropy, shared=False)
    bindings = Bindings()
    bindings.open(config)
    assembly = Assembly(asyncio.get_running_loop(), entropy, salts)
    try:
        assembly.apply(config, bindings)
        yield Service(assembly, bindings)
    finally:
        assembly.close()
        bindings.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds. Raises ``TimeoutError`` where it does not come true."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def echo(sock: socket.socket) -> None:
    """A target that answers with what it hears, until it hears no more."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(sock, 1 << 16):
        await loop.sock_sendall(sock, data)


class Target:
    """Gives each connection to ``script`` and counts them; listens for the time of its block.

    What a script raises, other than that its peer went away, is raised at the end of the block.
    """

    def __init__(self, script: Script = echo, host: str = "127.0.0.1") -> None:
        #: Connections accepted.
        self.accepts = 0
        self._script = script
        self._host = host
        self._tasks: set[asyncio.Task[None]] = set()
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> "Target":
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._listener = socket.create_server((self._host, 0), family=family, backlog=512)
        self._listener.setblocking(False)
        self.endpoint = Endpoint(*self._listener.getsockname()[:2])
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._listener.close()
        if self._errors:
            raise self._errors[0]

    async def _accept(self) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            self.accepts += 1
            task = asyncio.create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                await self._script(sock)
            except ConnectionError:
                pass
            except Exception as error:  # noqa: BLE001 - the boundary of the task
                self._errors.append(error)


class TunnelClient:
    """The client's side of one Shadowsocks stream; connected for the time of its block.

    ``dst`` None leaves it to the caller to begin the stream with an address.
    """

    def __init__(self, server: Endpoint, key: MasterKey, dst: Endpoint | None) -> None:
        self._server = server
        if dst is None:
            self._encoder = AeadEncoder(key, entropy(key.method.salt_size))
        else:
            self._encoder = client_encoder(key, dst, entropy)
        self._decoder = AeadDecoder(key)
        self._wire = b""

    async def __aenter__(self) -> "TunnelClient":
        self.sock = socket.socket()
        self.sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.sock, self._server)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sock.close()

    def seal(self, payload: bytes) -> bytes:
        """``payload`` as it goes over the wire, in front of it what was not sent yet."""
        out = memoryview(bytearray(len(payload) + len(payload) // 256 + 512))
        return bytes(out[: self._encoder.convert(memoryview(payload), out)[1]])

    async def send(self, payload: bytes) -> None:
        """Send ``payload``; the first one takes the address along."""
        await asyncio.get_running_loop().sock_sendall(self.sock, self.seal(payload))

    async def receive(self) -> bytes:
        """What has come since; ``b""`` at the end of the stream."""
        loop = asyncio.get_running_loop()
        out = memoryview(bytearray(1 << 18))
        while True:
            taken, made = self._decoder.convert(memoryview(self._wire), out)
            self._wire = self._wire[taken:]
            if self._decoder.error is not None:
                raise self._decoder.error
            if made:
                return bytes(out[:made])
            received = await loop.sock_recv(self.sock, 1 << 16)
            if not received:
                return b""
            self._wire += received


async def open_socks(
    proxy: Endpoint,
    dst: Endpoint,
    command: Command = Command.CONNECT,
    auth: tuple[str, str] | None = None,
) -> tuple[socket.socket, Endpoint]:
    """A non-blocking socket behind a SOCKS5 handshake, and the address that the reply named.

    Raises what ``socks5.client`` raises where the proxy refuses.
    """
    loop = asyncio.get_running_loop()
    handshake = ClientHandshake(dst, command, auth)
    sock = socket.socket(socket.AF_INET6 if ":" in proxy.host else socket.AF_INET)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, proxy)
        while not isinstance(event := handshake.next_event(), Established):
            await loop.sock_sendall(sock, handshake.data_to_send())
            # By single octets, so that nothing behind the handshake is taken.
            received = await loop.sock_recv(sock, 1)
            if received:
                handshake.receive_data(received)
            else:
                handshake.receive_eof()
    except BaseException:
        sock.close()
        raise
    return sock, event.bound


async def read_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    loop = asyncio.get_running_loop()
    pieces = []
    while piece := await loop.sock_recv(sock, 1 << 18):
        pieces.append(piece)
    return b"".join(pieces)
