"""One query to one server, each on a socket of its own.

A socket per query costs two system calls and buys much: the kernel picks a random source port and
lets in nothing but what comes from the server's address and port, and an ICMP error from a
dead server arrives as the error of exactly this query.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Protocol

from .messages import build_query, read_response
from .question import Failure, Query, Response

__all__ = ["Exchange", "TcpExchange", "UdpExchange", "failure_of", "open_exchange"]

#: Called once, with the response or with a ``Failure``; never after ``close``.
Responded = Callable[[Query, Response], None]

# Datagrams taken per wake-up; what forged ones are left must not keep the loop from other work.
_BATCH = 16

# [RFC1035 §4.2.1] 512 octets without EDNS; a server that sends more is read all the same
_MAX_DATAGRAM = 4096


class Exchange(Protocol):
    """A query on the wire."""

    def close(self) -> None:
        """Forget it; may be called twice."""
        ...


def failure_of(error: OSError) -> Failure:
    """The failure that stands for a socket's error."""
    # The loops put texts of their own in ``strerror``; getaddrinfo puts its own codes in ``errno``.
    if error.errno is not None and error.errno in errno.errorcode:
        reason = os.strerror(error.errno)
    else:
        reason = error.strerror or str(error)
    return Failure(f"is out of reach ({reason})", silent=True)


def open_exchange(loop: asyncio.AbstractEventLoop, query: Query, responded: Responded) -> Exchange:
    """Send ``query`` by the transport that it names; raises ``OSError`` if that fails at once."""
    return (TcpExchange if query.tcp else UdpExchange)(loop, query, responded)


class UdpExchange:
    """One datagram there, and the first one back in which ``read_response`` sees a response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, query: Query, responded: Responded) -> None:
        self._loop = loop
        self._query = query
        self._responded = responded
        family, address = _socket_address(query)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            # [linux udp_lib_get_port] binds to a random free port; [linux __udp4_lib_lookup] gives
            # a connected socket only its peer's datagrams
            self._socket.connect(address)
            self._socket.send(build_query(query))
        except OSError:
            self._socket.close()
            raise
        loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """See ``Exchange.close``."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _readable(self) -> None:
        for _ in range(_BATCH):
            try:
                response = read_response(self._query, self._socket.recv(_MAX_DATAGRAM))
            except BlockingIOError:
                return
            except OSError as error:
                response = failure_of(error)
            if response is not None:
                self.close()
                self._responded(self._query, response)
                return


class TcpExchange:
    """A connection for one query and its response."""

    def __init__(self, loop: asyncio.AbstractEventLoop, query: Query, responded: Responded) -> None:
        self._loop = loop
        self._query = query
        self._responded = responded
        self._task = loop.create_task(self._run())

    def close(self) -> None:
        """See ``Exchange.close``."""
        self._task.cancel()

    async def _run(self) -> None:
        response: Response | None
        try:
            # The socket must be closed by the task that waits for it: closed by another, its
            # descriptor could be a new socket's before the loop has stopped watching it.
            family, address = _socket_address(self._query)
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.setblocking(False)
                await self._loop.sock_connect(sock, address)
                response = await self._exchange(sock)
        except OSError as error:
            response = failure_of(error)
        if response is None:
            response = Failure("answered by TCP something else")
        self._responded(self._query, response)

    async def _exchange(self, sock: socket.socket) -> Response | None:
        wire = build_query(self._query)
        # [RFC7766 §8] length and message in one segment
        await self._loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await self._read_exact(sock, 2), "big")
        return read_response(self._query, await self._read_exact(sock, size))

    async def _read_exact(self, sock: socket.socket, n: int) -> bytes:
        data = b""
        while len(data) < n:
            more = await self._loop.sock_recv(sock, n - len(data))
            if not more:
                raise ConnectionError("closed the connection early")
            data += more
        return data


def _socket_address(query: Query) -> tuple[int, tuple[object, ...]]:
    # Only this call understands the zone of fe80::1%eth0; for a literal it asks nobody.
    found = socket.getaddrinfo(
        query.server.host, query.server.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )
    family, _, _, _, address = found[0]
    return family, address
