"""A live kernel in a namespace of its own, with one device that leads to us.

There are two in a laboratory: the host under test, and the host of the kernel clients. Each has the
same settings whatever the machine around it has, so that a script means the same everywhere.
"""

import ctypes
import errno
import ipaddress
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, TypeVar

from ..endpoint import Endpoint
from ..errors import ConfigError
from ..kernel import netstat
from ..kernel.capture import Capture
from ..kernel.netns import NamespaceError, NetworkNamespace
from ..kernel.tun import Tun
from ..tcp_model.profiles import DEFAULT
from ..tcp_model.sysctl import KNOBS

__all__ = ["LiveHost", "Packet", "cookie_of", "listen", "tcp_info"]

T = TypeVar("T")

_SO_COOKIE = 57
# struct tcp_info: tcpi_state first; tcpi_unacked and tcpi_sacked, a listener's depth and limit
_TCP_INFO = struct.Struct("=B23x2I")


class Packet(NamedTuple):
    """A packet that the host sent, and when, in ns of ``time.monotonic_ns``."""

    at: int
    octets: bytes


class LiveHost:
    """A namespace with an address on a TUN device; a context manager.

    Raises ``NamespaceError`` where the kernel would not make one.
    """

    def __init__(self, address: str, ipv6: bool) -> None:
        self.address = address
        with ExitStack() as stack:
            self.namespace = stack.enter_context(NetworkNamespace())
            self._pin()
            self.family = socket.AF_INET6 if ipv6 else socket.AF_INET
            network = ipaddress.ip_interface(f"{address}/{64 if ipv6 else 16}")
            with self.namespace.entered():
                self.tun = stack.enter_context(Tun())
                self.tun.configure(network)
                self._capture = stack.enter_context(Capture(self.tun.name))
                self._before = netstat.counters()
            self._open = stack.pop_all()

    def _pin(self) -> None:
        """Set what the model has as defaults, as far as this kernel has it."""
        defaults = DEFAULT.sysctl()
        for name in sorted(DEFAULT.knobs):
            try:
                self.namespace.set_sysctls({_path(name): getattr(defaults, name)})
            except NamespaceError as error:
                if error.errno != errno.ENOENT:
                    raise

    def fileno(self) -> int:
        """Readable when a packet waits."""
        return self.tun.fileno()

    def sent(self) -> Packet | None:
        """The next packet that it has sent, or None."""
        octets = self.tun.read()
        return None if octets is None else Packet(self._capture.sent_at(octets), octets)

    def receive(self, octets: bytes) -> int:
        """Have a packet arrive; returns when, in ns of ``time.monotonic_ns``."""
        at = time.monotonic_ns()
        self.tun.write(octets)
        return at

    def inside(self, call: Callable[[], T]) -> T:
        """What ``call`` returns in the namespace."""
        with self.namespace.entered():
            return call()

    def open_socket(self) -> socket.socket:
        """A TCP socket of it, non-blocking."""
        sock = self.inside(lambda: socket.socket(self.family, socket.SOCK_STREAM))
        sock.setblocking(False)
        self._open.enter_context(sock)
        return sock

    def bind(self, sock: socket.socket, endpoint: Endpoint) -> None:
        """Bind, with the address and port that ``endpoint`` has."""
        sock.bind((endpoint.host, endpoint.port))

    def set_sysctl(self, name: str, value: int) -> None:
        """Change a setting of the namespace. Raises ``ConfigError``."""
        knob = KNOBS.get(name)
        if knob is None or name not in DEFAULT.knobs:
            has = f"there are {', '.join(sorted(DEFAULT.knobs))}"
            raise ConfigError(f"sysctl {name}", "no script can set that on a kernel", has)
        try:
            self.namespace.set_sysctls({_path(name): value})
        except NamespaceError as error:
            remedy = f"write {knob.least} to {knob.greatest}: {knob.meaning}"
            raise ConfigError(error.subject, error.reason, remedy) from error

    def counter(self, name: str) -> int:
        """A counter since the host was made. Raises ``ConfigError`` for one that there is not."""
        counted = self.inside(netstat.counters)
        if name not in counted:
            raise ConfigError(
                f"counter {name}", "this kernel has none of that name", "see nstat -az"
            )
        return counted[name] - self._before.get(name, 0)

    def counters(self) -> dict[str, int]:
        """All that have changed since the host was made, by how much."""
        return netstat.increase(self._before, self.inside(netstat.counters))

    def close(self) -> None:
        """Let everything go: sockets, the device, the namespace."""
        self._open.close()

    def __enter__(self) -> "LiveHost":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def listen(sock: socket.socket, backlog: int) -> None:
    """The system call, with exactly this argument. Raises ``OSError``.

    [POSIX listen] CPython's own makes 0 of whatever is less.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.listen(sock.fileno(), backlog):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def tcp_info(sock: socket.socket) -> tuple[int, int, int]:
    """State, unacked and sacked; for a listener these are the accept queue's depth and limit."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    state, unacked, sacked = _TCP_INFO.unpack(info)
    return state, unacked, sacked


def cookie_of(sock: socket.socket) -> int:
    """The kernel's identity of a socket (SO_COOKIE)."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8), sys.byteorder)


def _path(name: str) -> str:
    return f"net.core.{name}" if name == "somaxconn" else f"net.ipv4.{name}"
