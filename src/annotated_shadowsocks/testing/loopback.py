"""Sockets of this host's loopback for tests: joined pairs, their ends, and what the kernel holds.

Whatever is sent on loopback has arrived when ``send`` returns, so a test need not wait for it.
"""

import fcntl
import socket
import struct
import termios
from pathlib import Path

__all__ = ["abort", "arrived", "listener", "open_descriptors", "pair", "read_to_end", "unsent"]

#: Seconds after which a blocking call of a test's own end is taken for one that never returns.
_PATIENCE = 30.0

_SIOCOUTQNSD = 0x894B


def listener(backlog: int = 128) -> socket.socket:
    """A listening TCP socket on a free port of 127.0.0.1, non-blocking."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    sock.setblocking(False)
    return sock


def pair(buffers: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Two joined TCP sockets: one for the code under test, non-blocking, and one for the test.

    ``buffers`` is the size that all four kernel buffers are fixed at, in octets.
    """
    with socket.socket() as waiting:
        waiting.bind(("127.0.0.1", 0))
        _fix_buffers(waiting, buffers)
        waiting.listen()
        outer = socket.socket()
        _fix_buffers(outer, buffers)
        outer.settimeout(_PATIENCE)
        outer.connect(waiting.getsockname())
        inner, _ = waiting.accept()
    inner.setblocking(False)
    return inner, outer


def abort(sock: socket.socket) -> None:
    """Close with a RST instead of a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_to_end(sock: socket.socket) -> tuple[bytes, str]:
    """All octets that still come to a blocking socket, and how they end: ``FIN`` or ``RST``."""
    octets = bytearray()
    while True:
        try:
            piece = sock.recv(65536)
        except ConnectionResetError:
            return bytes(octets), "RST"
        if not piece:
            return bytes(octets), "FIN"
        octets += piece


def arrived(sock: socket.socket) -> int:
    """Octets that wait in the kernel to be read from ``sock``."""
    return _ask(sock, termios.FIONREAD)


def unsent(sock: socket.socket) -> int:
    """Octets of ``sock`` that the kernel has not sent even once."""
    return _ask(sock, _SIOCOUTQNSD)


def open_descriptors() -> int:
    """How many descriptors this process has open; the one of this look is always counted too."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _ask(sock: socket.socket, request: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0])


def _fix_buffers(sock: socket.socket, size: int | None) -> None:
    if size is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
