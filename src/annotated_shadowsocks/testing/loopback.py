"""Sockets of this host's loopback for tests: joined pairs, their ends, and what the kernel holds.

Whatever is sent on loopback has arrived when ``send`` returns, so a test need not wait for it.
"""

import errno
import fcntl
import os
import resource
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "abort",
    "arrived",
    "black_hole",
    "listener",
    "no_descriptors_left",
    "open_descriptors",
    "pair",
    "read_to_end",
    "unsent",
]

#: Seconds after which a blocking call of a test's own end is taken for one that never returns.
_PATIENCE = 30.0

_SIOCOUTQNSD = 0x894B


def listener(backlog: int = 128) -> socket.socket:
    """A listening TCP socket on a free port of 127.0.0.1, non-blocking."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    sock.setblocking(False)
    return sock


@contextmanager
def black_hole(host: str, port: int = 0) -> Iterator[int]:
    """A port of ``host`` (127.x.x.x) that answers no SYN; gives its number."""
    with socket.socket() as sock, socket.socket() as first:
        sock.bind((host, port))
        sock.listen(0)
        # [linux sk_acceptq_is_full] a backlog of 0 admits one, and drops the SYN of the next
        first.connect(sock.getsockname())
        yield sock.getsockname()[1]


@contextmanager
def no_descriptors_left() -> Iterator[list[int]]:
    """Leave this process nothing to open; gives the descriptors that were taken for that."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        # A low limit, lest there be millions to take.
        resource.setrlimit(resource.RLIMIT_NOFILE, (_highest_descriptor() + 5, limits[1]))
        try:
            while True:
                taken.append(os.dup(0))
        except OSError as error:
            if error.errno != errno.EMFILE:
                raise
        yield taken
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


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


def _highest_descriptor() -> int:
    return max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())


def _ask(sock: socket.socket, request: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(sock, request, bytes(4)))[0])


def _fix_buffers(sock: socket.socket, size: int | None) -> None:
    if size is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
