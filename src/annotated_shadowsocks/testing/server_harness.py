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
import base64
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ..config.model import Config, Destination, LocalConfig, ServerConfig, User
from ..config.secret import Secret
from ..crypto import methods
from ..endpoint import Endpoint
from ..services.assembly import Assembly
from ..services.assembly import Service as Port
from ..services.bindings import Bindings
from ..services.salts import SharedSalts
from ..shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from ..shadowsocks.credentials import ClientKeys, client_keys
from ..shadowsocks.key import MasterKey
from ..shadowsocks.timestamp import Timestamps
from ..shadowsocks.tunnel import Decoder, Encoder, client_codecs
from ..socks5.client import ClientHandshake, Established
from ..socks5.messages import Command
from ..system import entropy
from .targets import read_all, until

__all__ = [
    "AEAD_METHODS",
    "ALL_METHODS",
    "PASSWORD",
    "Service",
    "TunnelClient",
    "client_key",
    "exchange",
    "local_config",
    "master_key",
    "open_socks",
    "password",
    "rested",
    "serve",
    "server_config",
]

PASSWORD = "correct horse"
METHOD = "aes-256-gcm"

#: Every method that works here, and those of SIP004.
ALL_METHODS = tuple(row.name for row in methods.TABLE.values() if not row.unavailable)
AEAD_METHODS = tuple(methods.of_generation(methods.Generation.AEAD))

ANY_PORT = Endpoint("127.0.0.1", 0)

#: Nobody answers here, and the kernel says so at once: no test asks the world for a name.
NO_NAMES = (Endpoint("127.0.0.1", 1),)


def password(method: str, number: int = 0) -> str:
    """A password for ``method``; SIP022 takes keys, of which each ``number`` is another."""
    row = methods.find(method)
    if row.generation is methods.Generation.AEAD_2022:
        return base64.b64encode(bytes([number]) * row.key_size).decode()
    return f"{PASSWORD} {number}" if number else PASSWORD


def master_key(method: str = METHOD, password: str = PASSWORD) -> MasterKey:
    """The key that the configurations of this module have."""
    return MasterKey.from_password(methods.find(method), password)


def client_key(method: str = METHOD, of: str = "") -> ClientKeys:
    """What a client of those configurations has, or of the password ``of``."""
    return client_keys(methods.find(method), of or password(method))


def server_config(
    method: str = METHOD,
    *,
    listen: Endpoint = ANY_PORT,
    timeout: float = 60.0,
    udp: bool = False,
    udp_timeout: float = 300.0,
    allow_private_targets: bool = True,
    users: Mapping[str, str] | None = None,
    destinations: tuple[Destination, ...] = (),
    of: str = "",
) -> Config:
    """``ssserver``, which may reach loopback unless it is told not to; ``users`` by name.

    Its password is ``of``, where it is to be another than in all of these configurations.
    """
    secret = Secret(of or password(method))
    accounts = users and tuple(User(name, Secret(text)) for name, text in users.items())
    server = ServerConfig(
        listen,
        methods.find(method),
        secret,
        True,
        udp,
        timeout,
        users=accounts or None,
        destinations=destinations,
    )
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
    of: str = "",
) -> Config:
    """``sslocal`` in front of ``servers``, with the password ``of`` where it is another."""
    secret = Secret(of or password(method))
    upstreams = [ServerConfig(at, methods.find(method), secret, udp=True) for at in servers]
    accounts = tuple(User(name, Secret(text)) for name, text in (users or {}).items())
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
    def port(self) -> Port:
        """The one service inside."""
        (port,) = self.assembly.services
        return port


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


async def rested(*services: Service) -> None:
    """Wait until nothing is left of any connection or datagram of ``services``.

    They are all that runs in this loop, where they may share one poller. Raises ``TimeoutError``.
    """
    runtimes = [service.assembly.runtime for service in services]
    pollers = {id(runtime.poller): runtime.poller for runtime in runtimes}.values()
    ports = [service.port for service in services]
    waiting = sum(len(port.listeners) + len(port.packet_relays) for port in ports)

    def at_rest() -> bool:
        busy = sum(service.assembly.active for service in services)
        ending = sum(len(runtime.endings) for runtime in runtimes)
        return busy == ending == 0 and sum(map(len, pollers)) == waiting

    await until(at_rest)


class _Nothing:
    """Remembers no salt: a client that a test plays may be answered by a recording."""

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        return True


class TunnelClient:
    """The client's side of one Shadowsocks stream; connected for the time of its block.

    ``dst`` None leaves it to the caller to begin the stream with an address, which only a key of
    SIP004 can. ``wall`` is the client's clock.
    """

    def __init__(
        self,
        server: Endpoint,
        keys: ClientKeys,
        dst: Endpoint | None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._server = server
        self._encoder: Encoder
        self._decoder: Decoder
        if dst is None and isinstance(keys, MasterKey):
            self._encoder = AeadEncoder(keys, entropy(keys.method.salt_size))
            self._decoder = AeadDecoder(keys)
        else:
            self._encoder, self._decoder = client_codecs(
                keys, dst or ANY_PORT, _Nothing(), Timestamps(wall), entropy
            )
        self._wire = b""

    async def __aenter__(self) -> "TunnelClient":
        self.sock = socket.socket()
        self.sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(self.sock, self._server)
        except BaseException:
            self.sock.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.sock.close()

    def seal(self, payload: bytes) -> bytes:
        """``payload`` as it goes over the wire, in front of it what was not sent yet."""
        out = memoryview(bytearray(len(payload) + len(payload) // 256 + 2048))
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


async def exchange(proxy: Endpoint, dst: Endpoint, sent: bytes) -> bytes:
    """Send through ``proxy`` to ``dst``, end our direction, and return all that comes back."""
    sock, _ = await open_socks(proxy, dst)
    with sock:
        await asyncio.get_running_loop().sock_sendall(sock, sent)
        sock.shutdown(socket.SHUT_WR)
        return await read_all(sock)
