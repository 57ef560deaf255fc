"""``ssservice demo``: a server, a client and an origin on loopback, and real traffic through them.

Everything is the program's own: the services are assembled as ``ssserver`` and ``sslocal`` assemble
them, only in one process and from a configuration that exists nowhere else. The key is fresh
each time. What is printed was measured in this run.
"""

import asyncio
import base64
import hashlib
import signal
import socket
import time
from contextlib import AsyncExitStack

from ..config.model import Config, LocalConfig, ServerConfig
from ..config.secret import Secret
from ..crypto import methods
from ..endpoint import Endpoint
from ..relay.listener import Listener
from ..relay.sockets import accept_queue
from ..services.assembly import Assembly
from ..services.bindings import Bindings
from ..services.salts import SharedSalts
from ..shadowsocks import uri
from ..socks5 import udp
from ..socks5.client import ClientHandshake, Established
from ..socks5.messages import UNSPECIFIED, Command
from ..system import entropy, raise_descriptor_limit
from .demo_origin import Origin

__all__ = ["run"]

_METHOD = "aes-256-gcm"
_LOOPBACK = "127.0.0.1"
_SIZE = 16 * 1024 * 1024
_EXIT_DIFFERS = 70

#: Seconds for a datagram to cross loopback four times.
_PATIENCE = 10


def run(keep: bool) -> int:
    """Show the tunnel at work; returns the exit status. ``keep`` stays up until Ctrl-C."""
    raise_descriptor_limit()
    try:
        return asyncio.run(_demonstrate(keep))
    except KeyboardInterrupt:
        return 0


async def _demonstrate(keep: bool) -> int:
    method = methods.find(_METHOD)
    password = Secret(base64.b64encode(entropy(method.key_size)).decode())
    server_at, local_at = _free_endpoint(), _free_endpoint()
    server = ServerConfig(server_at, method, password, tcp=True, udp=True)
    local = LocalConfig(local_at, tcp=True, udp=True)
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(Origin(_SIZE))
        listeners = [
            # Loopback is a private target, which a server refuses unless it is told otherwise.
            _serve(stack, Config((server,), allow_private_targets=True)),
            _serve(stack, Config((server,), (local,))),
        ]
        print(f"Annotated Shadowsocks, {method.name}, a fresh key, everything on loopback\n")
        for name, listener in zip(("ssserver", "sslocal"), listeners, strict=True):
            print(f"  {name:9} {_described(listener)}")
        print(f"  {'origin':9} http://{origin.http}/  and UDP echo on {origin.echo}\n")
        good = await _fetch(local_at, origin)
        good &= await _echo(local_at, origin)
        link = uri.encode(uri.ServerUri(method.name, password.reveal(), server_at, tag="demo"))
        print(f"\n  {link}\n  curl --socks5-hostname {local_at} http://{origin.http}/\n")
        if keep and good:
            await _interrupted()
    print("All octets arrived as they were sent." if good else "Octets were lost or changed.")
    return 0 if good else _EXIT_DIFFERS


def _serve(stack: AsyncExitStack, config: Config) -> Listener:
    """Run what ``config`` says until the stack unwinds; returns its TCP listener."""
    bindings = Bindings()
    bindings.open(config)
    stack.callback(bindings.close)
    assembly = Assembly(asyncio.get_running_loop(), entropy, SharedSalts(entropy, shared=False))
    stack.callback(assembly.close)
    assembly.apply(config, bindings)
    return assembly.listeners[0]


def _described(listener: Listener) -> str:
    host, port = listener.sock.getsockname()[:2]
    queue = accept_queue(listener.sock)
    if queue is None:
        return f"{host}:{port}"
    limit = queue[1]
    return (
        f"{host}:{port}  backlog asked: as much as the kernel allows, granted {limit} "
        f"(the accept queue holds {limit + 1})"
    )


async def _fetch(local_at: Endpoint, origin: Origin) -> bool:
    """Fetch over TCP through SOCKS5, by name, and compare digests."""
    target = Endpoint("localhost", origin.http.port)
    started = time.perf_counter()
    with await _socks(local_at, ClientHandshake(target)) as sock:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, b"GET /random HTTP/1.0\r\nHost: localhost\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        chunks = []
        while chunk := await loop.sock_recv(sock, 1 << 18):
            chunks.append(chunk)
    elapsed = time.perf_counter() - started
    body = b"".join(chunks).partition(b"\r\n\r\n")[2]
    digest = hashlib.sha256(body).hexdigest()
    same = digest == origin.digest
    print(
        f"  TCP  SOCKS5 CONNECT to {target}, GET /random\n"
        f"       {len(body):,} octets in {elapsed * 1000:.0f} ms, sha256 {digest[:16]}…, "
        f"{'equal to' if same else 'NOT'} the origin's"
    )
    return same


async def _echo(local_at: Endpoint, origin: Origin) -> bool:
    """Send a datagram through a UDP association and compare what comes back."""
    loop = asyncio.get_running_loop()
    payload = entropy(1200)
    handshake = ClientHandshake(UNSPECIFIED, Command.UDP_ASSOCIATE)
    with (
        await _socks(local_at, handshake) as control,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        # The control connection keeps the association: its end would be the association's.
        control.setblocking(False)
        sock.setblocking(False)
        sock.connect((_LOOPBACK, local_at.port))
        await loop.sock_sendall(sock, udp.encode(origin.echo, payload))
        async with asyncio.timeout(_PATIENCE):
            source, data = udp.decode(await loop.sock_recv(sock, 1 << 16))
    same = bytes(data) == payload and source == origin.echo
    print(
        f"  UDP  SOCKS5 UDP ASSOCIATE, one datagram to {origin.echo}\n"
        f"       {len(payload):,} octets there and {len(data):,} back from {source}, "
        f"{'equal' if same else 'NOT equal'}"
    )
    return same


async def _socks(proxy: Endpoint, handshake: ClientHandshake) -> socket.socket:
    """A socket behind ``handshake`` at ``proxy``; nothing can follow it unasked."""
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, proxy)
    while not isinstance(handshake.next_event(), Established):
        await loop.sock_sendall(sock, handshake.data_to_send())
        received = await loop.sock_recv(sock, 1 << 12)
        if received:
            handshake.receive_data(received)
        else:
            handshake.receive_eof()
    return sock


def _free_endpoint() -> Endpoint:
    """A loopback endpoint whose TCP and UDP ports are both free at this moment."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            # Below the ports that the kernel gives to whoever connects meanwhile.
            port = 20_000 + int.from_bytes(entropy(2), "big") % 12_000
            try:
                tcp.bind((_LOOPBACK, port))
                datagrams.bind((_LOOPBACK, port))
            except OSError:
                continue
            return Endpoint(_LOOPBACK, port)


async def _interrupted() -> None:
    loop = asyncio.get_running_loop()
    pressed = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, pressed.set)
    print("Up until Ctrl-C.", flush=True)
    await pressed.wait()
