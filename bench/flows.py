"""Many sockets in one thread: a flow is a generator that yields what its socket must be ready for.

The generator of load and the origin are both made of flows. A flow costs microseconds where a
thread costs tens of them, and what the load costs is what keeps it from being the bottleneck.
"""

import select
import socket
from collections.abc import Callable, Generator

__all__ = ["READ", "WRITE", "Body", "Flow", "Flows", "taken"]

READ = select.EPOLLIN
WRITE = select.EPOLLOUT

Flow = Generator[int, None, None]
#: What is done with a socket, which does not block. Whoever writes it closes it, or keeps it.
Body = Callable[[socket.socket], Flow]


class Flows:
    """Flows that are under way. An error of one ends the run: what it measured is no figure."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._under_way: dict[int, tuple[socket.socket, Flow, int]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, body: Body, sock: socket.socket | None = None) -> None:
        """Start ``body`` with a new TCP socket, or with one that is given."""
        sock = sock or socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        flow = body(sock)
        wanted = next(flow, 0)
        if wanted:
            self._epoll.register(sock, wanted)
            self._under_way[sock.fileno()] = sock, flow, wanted

    def turn(self, patience: float) -> None:
        """Serve whatever is ready, and wait for it ``patience`` seconds."""
        # epoll_wait(2) counts milliseconds; select(2) on the epoll descriptor, microseconds.
        if patience < 1 and not select.select([self._epoll], [], [], patience)[0]:
            return
        for fd, _ in self._epoll.poll(patience, 256):
            sock, flow, before = self._under_way[fd]
            wanted = next(flow, 0)
            if not wanted:
                del self._under_way[fd]
                if sock.fileno() >= 0:
                    self._epoll.unregister(fd)
            elif wanted != before:
                self._epoll.modify(fd, wanted)
                self._under_way[fd] = sock, flow, wanted

    def run(self) -> None:
        """Until all are at their end. Raises ``TimeoutError`` where nothing happens for long."""
        while before := len(self._under_way):
            self.turn(30)
            if len(self._under_way) == before and not self._epoll.poll(30, 1):
                raise TimeoutError(f"{before} flows, and nothing happened for 30 s")

    def close(self) -> None:
        """Close the sockets of those that are under way."""
        for sock, flow, _ in self._under_way.values():
            flow.close()
            sock.close()
        self._under_way.clear()
        self._epoll.close()


def taken(sock: socket.socket, size: int) -> Generator[int, None, bytes]:
    """Exactly ``size`` octets."""
    data = b""
    while len(data) < size:
        yield READ
        piece = sock.recv(size - len(data))
        if not piece:
            raise EOFError(f"the connection ended {size - len(data)} octets too early")
        data += piece
    return data
