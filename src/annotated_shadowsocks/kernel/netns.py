"""A network namespace of one's own: a whole TCP stack with its sysctls and counters, and no name.

What holds a namespace is a descriptor, a socket, a device or a thread inside. This one has no name
in the file system, and its descriptor is in this process alone, so that it ends with the process in
whatever way that ends, SIGKILL included. There is nothing to clean up, and therefore nothing that
can be left behind.

A thread goes in by setns(2) for as long as it opens what it needs. A socket stays in the namespace
in which it was made, whoever uses it afterwards; /proc and sysctls are those of the thread.

Rejected: a child process for each namespace. It needs a pipe, a protocol on it and a parent that
watches; and one thread with descriptors of two namespaces can hold both ends of a wire.
"""

import ctypes
import errno
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from ..errors import Error

__all__ = ["NamespaceError", "NetworkNamespace", "interface_up"]

_CLONE_NEWNET = 0x4000_0000
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1
_SELF = "/proc/thread-self/ns/net"
_IFREQ = struct.Struct("16sh14x")


class NamespaceError(Error):
    """The kernel would not give us a namespace, a device or a setting; ``errno`` says why."""

    def __init__(self, subject: str, reason: str, errno: int | None = None) -> None:
        self.subject = subject
        self.reason = reason
        self.errno = errno
        super().__init__(f"{subject}: {reason}")


class NetworkNamespace:
    """A fresh network namespace in which only loopback is up; a context manager that lets it go.

    Raises ``NamespaceError`` where we may not make one.
    """

    def __init__(self) -> None:
        self._descriptor = _make()

    @property
    def inode(self) -> int:
        """Its number, as ``ls -l /proc/PID/ns`` shows it."""
        return os.fstat(self._descriptor).st_ino

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread in the namespace, and back afterwards."""
        before = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _call("setns", self._descriptor, _CLONE_NEWNET)
            try:
                yield
            finally:
                _call("setns", before, _CLONE_NEWNET)
        finally:
            os.close(before)

    def set_sysctls(self, settings: Mapping[str, int]) -> None:
        """Set ``net.…`` names. Raises ``NamespaceError`` that names the first that is refused."""
        with self.entered():
            for name, value in settings.items():
                _set(name, value)

    def close(self) -> None:
        """Let go of it: it ends when its last socket and device do."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "NetworkNamespace":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def interface_up(name: str) -> None:
    """Bring a device of the thread's namespace up, as ``ip link set NAME up``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        _, flags = _IFREQ.unpack(fcntl.ioctl(sock, _SIOCGIFFLAGS, _IFREQ.pack(name.encode(), 0)))
        fcntl.ioctl(sock, _SIOCSIFFLAGS, _IFREQ.pack(name.encode(), flags | _IFF_UP))


def _make() -> int:
    """A descriptor of a new namespace, made by a thread that is in it and ends."""
    made: list[int] = []
    errors: list[NamespaceError] = []

    def make() -> None:
        try:
            _call("unshare", _CLONE_NEWNET)
            made.append(os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC))
            interface_up("lo")
        except NamespaceError as error:
            errors.append(error)
        except OSError as error:
            reason = error.strerror or str(error)
            errors.append(NamespaceError("a new network namespace", reason, error.errno))

    thread = threading.Thread(target=make, name="new-namespace")
    thread.start()
    thread.join()
    if errors:
        for descriptor in made:
            os.close(descriptor)
        raise errors[0]
    return made[0]


def _call(name: str, *arguments: int) -> None:
    """A system call that Python 3.11 has no name for."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        code = ctypes.get_errno()
        reason = os.strerror(code)
        if code == errno.EPERM:
            reason = "only root may (CAP_SYS_ADMIN)"
        raise NamespaceError("a network namespace of one's own", reason, code)


def _set(name: str, value: int) -> None:
    path = Path("/proc/sys", *name.split("."))
    try:
        path.write_text(str(value), "ascii")
    except FileNotFoundError as error:
        reason = "this kernel has no such setting"
        raise NamespaceError(f"sysctl {name}", reason, error.errno) from error
    except OSError as error:
        reason = f"{value} is refused: {error.strerror}"
        raise NamespaceError(f"sysctl {name}", reason, error.errno) from error
