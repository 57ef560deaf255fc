"""Tunnels of real programs: a client hop and a server hop, each ours or shadowsocks-libev's.

::

    curl        -> sslocal | ss-local  -> ssserver | ss-server -> origin      SOCKS5, any target
    curl or dig -> ss-tunnel           -> ssserver             -> origin      one target, no SOCKS

All read the same JSON document, whose keys the programs share.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import socks  # type: ignore[import-untyped]

from ..endpoint import Endpoint
from .programs import Program, free_port

__all__ = ["METHODS", "OURS", "PATHS", "PATIENCE", "Hop", "Hops", "Tunnel"]

METHODS = (
    "aes-128-gcm",
    "aes-192-gcm",
    "aes-256-gcm",
    "chacha20-ietf-poly1305",
    "xchacha20-ietf-poly1305",
)

OURS = ("sslocal", "ssserver")

#: The client hop and the server hop of every tunnel that is worth a test.
PATHS = (
    ("sslocal", "ss-server"),
    ("ss-local", "ssserver"),
    ("ss-tunnel", "ssserver"),
    ("sslocal", "ssserver"),
)

#: Seconds for whatever is awaited through a tunnel.
PATIENCE = 30.0

_LOOPBACK = "127.0.0.1"

#: libev reads datagrams into a buffer of twice what it thinks fits into its MTU, 2794 octets by
#: default, and cuts off the rest. With this it takes whatever UDP can carry.
_JUMBO = 65535


@dataclass(frozen=True, slots=True)
class Hop:
    """A running hop and where it listens."""

    name: str
    program: Program
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A client hop and its server hop; ``target`` is set where the client hop knows no other."""

    client: Hop
    server: Hop
    target: Endpoint | None = None

    def curl(self, target: Endpoint, path: str) -> list[str]:
        """Arguments for curl to ask ``target`` for ``path``."""
        if self.target is None:
            return ["--socks5-hostname", str(self.client.endpoint), f"http://{target}{path}"]
        return ["--noproxy", "*", f"http://{self.client.endpoint}{path}"]

    def connect(self, target: Endpoint) -> socket.socket:
        """A connection to ``target`` through the tunnel, by PySocks where the hop takes SOCKS5."""
        if self.target is None:
            sock: socket.socket = socks.create_connection(
                target, PATIENCE, None, socks.SOCKS5, *self.client.endpoint
            )
            return sock
        return socket.create_connection(self.client.endpoint, PATIENCE)

    @contextmanager
    def datagrams(self) -> Iterator["Datagrams"]:
        """A new client of the tunnel's UDP."""
        at = self.client.endpoint
        if self.target is None:
            # PySocks: a SOCKS5 client that shares nothing with ours.
            sock = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.set_proxy(socks.SOCKS5, *at)
        else:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sock:
            sock.bind(("", 0))
            sock.settimeout(PATIENCE)
            yield Datagrams(sock, at if self.target else None)


class Datagrams:
    """One client's datagrams; ``entrance`` is where all go whose target the hop chooses."""

    def __init__(self, sock: socket.socket, entrance: Endpoint | None) -> None:
        self._sock = sock
        self._entrance = entrance

    def send(self, target: Endpoint, data: bytes) -> None:
        """Send ``data`` on its way to ``target``."""
        self._sock.sendto(data, self._entrance or target)

    def receive(self) -> bytes:
        """The next datagram that comes back. Raises ``TimeoutError``."""
        data: bytes = self._sock.recvfrom(1 << 16)[0]
        return data


class Hops:
    """Starts hops when they are first asked for, and ends them all with its block.

    ``folder`` is for their configuration files. Servers look names up at ``name_server``. Ours run
    on the event loop that is called ``loop``.
    """

    def __init__(self, folder: Path, name_server: Endpoint, loop: str = "uvloop") -> None:
        self._folder = folder
        self._name_server = name_server
        self._environment = os.environ | {"ANNOTATED_SHADOWSOCKS_LOOP": loop}
        self._stack = ExitStack()
        self._running: dict[str, Hop] = {}

    def __enter__(self) -> "Hops":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def ours(self) -> list[Hop]:
        """Those of our own that run."""
        return [hop for hop in self._running.values() if hop.name in OURS]

    def tunnel(
        self,
        path: tuple[str, str],
        method: str,
        target: Endpoint,
        server_host: str = _LOOPBACK,
        **settings: object,
    ) -> Tunnel:
        """A tunnel through the two named hops; ``settings`` are for both."""
        client_name, server_name = path
        server = self.server(server_name, method, server_host, **settings)
        if client_name == "ss-tunnel":
            settings["tunnel_address"] = str(target)
        client = self.client(client_name, method, server, **settings)
        return Tunnel(client, server, target if client_name == "ss-tunnel" else None)

    def server(self, name: str, method: str, host: str = _LOOPBACK, **settings: object) -> Hop:
        """``ssserver`` or ``ss-server``."""
        own: dict[str, object] = {"nameserver": str(self._name_server)}
        if name in OURS:
            own["allow_private_targets"] = True
        return self._hop(name, "server", host, _shared(method) | own | settings)

    def client(self, name: str, method: str, server: Hop, **settings: object) -> Hop:
        """``sslocal``, ``ss-local`` or ``ss-tunnel``."""
        host, port = server.endpoint
        own: dict[str, object] = {"server": host, "server_port": port}
        return self._hop(name, "local", _LOOPBACK, _shared(method) | own | settings)

    def _hop(self, name: str, side: str, host: str, settings: dict[str, object]) -> Hop:
        key = f"{name} {host} {json.dumps(settings, sort_keys=True)}"
        if key not in self._running:
            self._running[key] = self._start(name, side, Endpoint(host, free_port()), settings)
        return self._running[key]

    def _start(self, name: str, side: str, at: Endpoint, settings: dict[str, object]) -> Hop:
        address = "server" if side == "server" else "local_address"
        document = {"mtu": _JUMBO, address: at.host, f"{side}_port": at.port, **settings}
        if name in OURS:
            # A session ends its hops while connections may be open, and waits for none.
            document |= {"verbose": 2, "shutdown_grace": 0}
            command = [sys.executable, "-m", "annotated_shadowsocks", name]
        else:
            command = [name]
        file = self._folder / f"{name}-{at.port}.json"
        file.write_text(json.dumps(document))
        sockets = [("tcp", at.port), ("udp", at.port)]
        program = Program([*command, "-c", str(file)], sockets, self._environment)
        return Hop(name, self._stack.enter_context(program), at)


def _shared(method: str) -> dict[str, object]:
    return {
        "password": "interop on loopback",
        "method": method,
        "mode": "tcp_and_udp",
        "timeout": 60,
    }
