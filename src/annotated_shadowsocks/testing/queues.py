"""A listener whose program never accepts, with as much in its queues as a test wants.

Half-open requests need no forged packets: under TCP_DEFER_ACCEPT the kernel ignores the ACK that
completes a handshake and waits for data, so that a client's ordinary connect() leaves a request in
the SYN queue until it sends something.
"""

import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["StalledListener", "until"]

#: Seconds within which the kernel has surely done what it was asked to do.
_PATIENCE = 20.0

_SO_COOKIE = 57

# struct tcp_info: tcpi_unacked and tcpi_sacked, which are a listener's depth and limit
_TCP_INFO_QUEUE = struct.Struct("=24x2I")


class StalledListener:
    """Listens on a free port of ``host``, or on ``port``, and accepts nothing."""

    def __init__(
        self,
        backlog: int = 8,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        family: socket.AddressFamily = socket.AF_INET,
        deferred: bool = False,
        shared: bool = False,
        v6only: bool = True,
    ) -> None:
        self.sock = socket.socket(family)
        self._clients: list[socket.socket] = []
        if shared:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if deferred:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
        if family == socket.AF_INET6:
            self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        self.sock.bind((host, port))
        self.sock.listen(backlog)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.sock.getsockname()[1]
        return port

    @property
    def inode(self) -> int:
        """The inode of its socket."""
        return os.fstat(self.sock.fileno()).st_ino

    @property
    def cookie(self) -> int:
        """The kernel's identity of its socket (SO_COOKIE)."""
        return int.from_bytes(self.sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)

    def queue(self) -> tuple[int, int]:
        """Depth and limit of the accept queue, as the kernel tells the socket's owner."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_QUEUE.size)
        depth, limit = _TCP_INFO_QUEUE.unpack(info)
        return depth, limit

    def connect(self, count: int, host: str = "127.0.0.1") -> list[socket.socket]:
        """Make ``count`` clients that believe to be connected; they end with the listener."""
        clients = [
            socket.create_connection((host, self.port), timeout=_PATIENCE) for _ in range(count)
        ]
        self._clients += clients
        return clients

    def fill(self, count: int) -> None:
        """Put ``count`` connections into the accept queue, and see them there."""
        wanted = self.queue()[0] + count
        self.connect(count)
        until(lambda: self.queue()[0] == wanted)

    def knock(self, count: int) -> list[socket.socket]:
        """Begin ``count`` connections and wait for none: their SYNs may be dropped.

        A client whose SYN was dropped sends it again in a second, unless it is closed.
        """
        clients = [socket.socket(self.sock.family) for _ in range(count)]
        self._clients += clients
        for client in clients:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", self.port))
        return clients

    def close(self) -> None:
        """Close the listener, then its clients."""
        for sock in (self.sock, *self._clients):
            sock.close()

    def __enter__(self) -> "StalledListener":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the kernel does in its own time. Raises ``TimeoutError``."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the kernel has not done it")
        time.sleep(0.002)
