"""Where tunnels lead in tests that watch each octet: listeners with scripts, and worse places.

``Target``     gives each connection to a script: ``echo``, a ``Sink``, or a test's own
``Datagrams``  keeps the datagrams that come, and sends others
``Dead``       refuses connections
``FullQueue``  answers no SYN

All are on loopback and in the loop that runs; ``reset`` ends a connection the hard way.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from ..endpoint import Endpoint

__all__ = [
    "Datagrams",
    "Dead",
    "FullQueue",
    "Script",
    "Sink",
    "Target",
    "echo",
    "read_all",
    "reset",
    "until",
]

#: Seconds after which something is taken for what never comes.
_PATIENCE = 30.0

#: What serves one connection of a target; the socket is non-blocking and closed afterwards.
Script = Callable[[socket.socket], Awaitable[None]]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds. Raises ``TimeoutError`` where it does not come true."""
    async with asyncio.timeout(_PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


async def read_all(sock: socket.socket) -> bytes:
    """Everything up to the end of the stream."""
    loop = asyncio.get_running_loop()
    pieces = []
    while piece := await loop.sock_recv(sock, 1 << 18):
        pieces.append(piece)
    return b"".join(pieces)


def reset(sock: socket.socket) -> None:
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def echo(sock: socket.socket) -> None:
    """A target that answers with what it hears, until it hears no more."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(sock, 1 << 16):
        await loop.sock_sendall(sock, data)


class Sink:
    """A script that keeps what it hears from each connection, and how that ended."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.ends: list[str] = []

    async def __call__(self, sock: socket.socket) -> None:
        """Serve one connection."""
        loop = asyncio.get_running_loop()
        number = len(self.heard)
        self.heard.append(b"")
        try:
            while octets := await loop.sock_recv(sock, 1 << 16):
                self.heard[number] += octets
            self.ends.append("FIN")
        except ConnectionResetError:
            self.ends.append("RST")


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
        self._open: set[socket.socket] = set()
        self._errors: list[BaseException] = []

    async def __aenter__(self) -> "Target":
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._listener = socket.create_server((self._host, 0), family=family, backlog=512)
        self._listener.setblocking(False)
        self.endpoint = Endpoint(*self._listener.getsockname()[:2])
        # Not sock_accept, which loses a connection where it is cancelled just behind the accept.
        asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        self._listener.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # A task that was cancelled before its first step has closed nothing.
        for sock in self._open:
            sock.close()
        if self._errors:
            raise self._errors[0]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            self.accepts += 1
            self._open.add(sock)
            task = asyncio.get_running_loop().create_task(self._serve(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket) -> None:
        try:
            await self._script(sock)
        except ConnectionError:
            pass
        except Exception as error:  # noqa: BLE001 - the boundary of the task
            self._errors.append(error)
        finally:
            self._open.discard(sock)
            sock.close()


class Datagrams:
    """A UDP socket that keeps what comes, by arrival, each with its source; open for its block."""

    def __init__(self, host: str = "127.0.0.1", answer: bool = False) -> None:
        #: Octets and source of each datagram.
        self.heard: list[tuple[bytes, Endpoint]] = []
        self._host = host
        self._answer = answer

    async def __aenter__(self) -> "Datagrams":
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.bind((self._host, 0))
        self.endpoint = Endpoint(*self._sock.getsockname()[:2])
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._receive)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()

    def send(self, data: bytes, to: Endpoint) -> None:
        """Send one datagram."""
        self._sock.sendto(data, to)

    async def receive(self, count: int = 1) -> list[tuple[bytes, Endpoint]]:
        """What came, once ``count`` datagrams have."""
        await until(lambda: len(self.heard) >= count)
        return self.heard

    def _receive(self) -> None:
        data, source = self._sock.recvfrom(1 << 16)
        self.heard.append((data, Endpoint(*source[:2])))
        if self._answer:
            self._sock.sendto(data, source)


class Dead:
    """An endpoint that refuses connections, and that nobody else is given meanwhile."""

    def __enter__(self) -> Endpoint:
        self._sock = socket.socket()
        # Bound and not listening.
        self._sock.bind(("127.0.0.1", 0))
        return Endpoint(*self._sock.getsockname())

    def __exit__(self, *_: object) -> None:
        self._sock.close()


class FullQueue:
    """An endpoint where no SYN is answered: a listener that accepts nobody, its queue full."""

    def __enter__(self) -> Endpoint:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        endpoint = Endpoint(*self._listener.getsockname())
        # [linux sk_acceptq_is_full] strictly greater: listen(0) admits one
        self._filler = socket.create_connection(endpoint)
        return endpoint

    def __exit__(self, *_: object) -> None:
        self._filler.close()
        self._listener.close()
