"""Opening sockets the way this house wants them, and asking the kernel what it made of that."""

import errno
import fcntl
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..endpoint import Endpoint
from ..errors import ListenError

__all__ = [
    "Adopt",
    "SocketOptions",
    "accept_queue",
    "connecting",
    "fast_open_limit",
    "open_stream_listeners",
    "open_udp",
    "reset_on_close",
    "somaxconn",
    "unsent",
    "unsent_room",
]

_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")

#: tcpi_unacked and tcpi_sacked follow eight octets and four 32-bit fields [linux tcp_info].
_QUEUE_IN_TCP_INFO = struct.Struct("24x2I")

#: The first octet of tcp_info is the state; this one is left by the answer to our SYN.
_TCP_SYN_SENT = 2

_INT = struct.Struct("i")

_LINGER_NONE = struct.pack("ii", 1, 0)

#: Of nine 32-bit fields the fourth and the sixth: SK_MEMINFO_SNDBUF and SK_MEMINFO_WMEM_QUEUED.
_SO_MEMINFO = 55
_MEMINFO = struct.Struct("12xI4xI12x")

#: [linux TCP_FASTOPEN_CONNECT] has no name in the socket module.
_TCP_FASTOPEN_CONNECT = 30


#: A bound socket of a family, type and address that another process left us, None for none.
Adopt = Callable[[int, int, tuple[str, int]], socket.socket | None]


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """What a connection's socket is told.

    ``keep_alive`` is seconds of idleness, 0 for never; a minute later a dead peer is given up.
    ``defer_accept`` is seconds for which a listener's queue is spared silent connections.
    """

    no_delay: bool = True
    keep_alive: int = 60
    fast_open: bool = False
    defer_accept: int = 0

    def common(self) -> list[tuple[int, int, int]]:
        """What setsockopt(2) is told of a connection; a listener's is inherited.

        [linux tcp_create_openreq_child]
        """
        options = []
        if self.no_delay:
            options.append((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1))
        if self.keep_alive:
            options.append((socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))
            if hasattr(socket, "TCP_KEEPIDLE"):
                options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, self.keep_alive))
                options.append((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10))
                options.append((socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 6))
        return options

    def apply_listening(self, sock: socket.socket, backlog: int) -> None:
        """Set the options of a listener, on or off: one that listens already may have others."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(self.no_delay))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(bool(self.keep_alive)))
        for option in self.common():
            sock.setsockopt(*option)
        if hasattr(socket, "TCP_FASTOPEN"):
            sock.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_FASTOPEN, backlog if self.fast_open else 0
            )
        if hasattr(socket, "TCP_DEFER_ACCEPT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, self.defer_accept)

    def dialling(self) -> list[tuple[int, int, int]]:
        """What setsockopt(2) is told of a socket that will connect.

        With ``fast_open``, and a cookie of the server at hand, connect(2) returns at once and the
        first octets sent travel in the SYN. So this is for a side that always speaks first: one
        that listens first would wait for a SYN that is never sent.
        """
        options = self.common()
        if self.fast_open and sys.platform == "linux":
            options.append((socket.IPPROTO_TCP, _TCP_FASTOPEN_CONNECT, 1))
        return options


def somaxconn() -> int:
    """The kernel's bound on every backlog."""
    try:
        return int(_SOMAXCONN.read_text())
    except (OSError, ValueError):
        return socket.SOMAXCONN


def open_stream_listeners(
    endpoint: Endpoint,
    backlog: int | None,
    options: SocketOptions,
    share: bool = False,
    adopt: Adopt | None = None,
) -> list[socket.socket]:
    """Listening sockets for every address that ``endpoint``'s host stands for, all or none.

    ``backlog`` is the argument of listen(2); None asks for as much as the kernel allows. With
    ``share``, more may listen at the same address; ``adopt`` is asked before one is opened.
    """
    asked = somaxconn() if backlog is None else backlog
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(endpoint, socket.SOCK_STREAM):
            sock = adopt(family, socket.SOCK_STREAM, address) if adopt else None
            sock = sock or _bound(family, socket.SOCK_STREAM, address, share)
            opened.append(sock)
            options.apply_listening(sock, asked)
            sock.listen(asked)
            sock.setblocking(False)
    except OSError as error:
        for sock in opened:
            sock.close()
        raise _refused(endpoint, "TCP", error) from error
    return opened


def open_udp(
    endpoint: Endpoint, share: bool = False, adopt: Adopt | None = None
) -> list[socket.socket]:
    """Bound datagram sockets; see ``open_stream_listeners``."""
    opened: list[socket.socket] = []
    try:
        for family, address in _addresses(endpoint, socket.SOCK_DGRAM):
            sock = adopt(family, socket.SOCK_DGRAM, address) if adopt else None
            sock = sock or _bound(family, socket.SOCK_DGRAM, address, share)
            opened.append(sock)
            sock.setblocking(False)
    except OSError as error:
        for sock in opened:
            sock.close()
        raise _refused(endpoint, "UDP", error) from error
    return opened


def accept_queue(listener: socket.socket) -> tuple[int, int] | None:
    """(depth, limit) of a listener's accept queue, None where the kernel does not say.

    The limit is the backlog as granted; the queue holds one connection more.
    """
    try:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    except (OSError, AttributeError):
        return None
    # [linux tcp_get_info] a listener reports its accept queue in these two fields
    depth, limit = _QUEUE_IN_TCP_INFO.unpack_from(info)
    return depth, limit


def fast_open_limit(listener: socket.socket) -> int | None:
    """How many connections may wait in a listener's Fast Open queue, 0 where it takes none.

    Its depth is told by no call: those in it are sockets in SYN_RECV, see ``kernel.listeners``.
    """
    try:
        # [linux do_tcp_getsockopt] reads back fastopenq.max_qlen, which somaxconn bounds
        return listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN)
    except (OSError, AttributeError):
        return None


def connecting(sock: socket.socket) -> bool:
    """Whether a connection was asked for and is not there yet."""
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_SYN_SENT
    except (OSError, AttributeError):
        return False


def reset_on_close(sock: socket.socket) -> None:
    """Have the close that follows send an RST, and drop what is undelivered."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    except OSError:
        # A socket that is in error already has nobody left to tell.
        pass


def unsent(sock: socket.socket) -> int:
    """Octets that the kernel holds for the peer and the peer has not acknowledged."""
    try:
        # [linux SIOCOUTQ] has the number of TIOCOUTQ
        return int(_INT.unpack(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(_INT.size)))[0])
    except OSError:
        return 0


def unsent_room(sock: socket.socket) -> int:
    """Octets that the kernel would take for the peer at once, 0 where it does not say."""
    try:
        size, queued = _MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, 36))
    except (OSError, struct.error):
        return 0
    # [linux sk_stream_memory_free] both count memory, and octets take a little more of it: an
    # eighth is allowed for what holds them.
    return int(size - queued) * 7 // 8


def _addresses(endpoint: Endpoint, kind: int) -> list[tuple[int, tuple[str, int]]]:
    """Address family and (host, port) of each address of ``endpoint``, without repeats."""
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(str(endpoint), f"unknown host ({error.strerror})") from error
    pairs = [(family, (str(address[0]), endpoint.port)) for family, _, _, _, address in found]
    return list(dict.fromkeys(pairs))


def _bound(family: int, kind: int, address: tuple[str, int], share: bool) -> socket.socket:
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            # Lets a restart bind while old connections are in TIME_WAIT; two listeners still clash.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # "::" means every address, IPv4's too; any other literal is only itself.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != "::"))
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _refused(endpoint: Endpoint, transport: str, error: OSError) -> ListenError:
    remedy = {
        errno.EADDRINUSE: "another program listens there; stop it or choose another port",
        errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: "this host has no such address",
    }.get(error.errno or 0, "")
    reason = os.strerror(error.errno) if error.errno else str(error)
    text = f"{reason}; {remedy}" if remedy else reason
    return ListenError(f"{endpoint} ({transport})", text, error.errno)
