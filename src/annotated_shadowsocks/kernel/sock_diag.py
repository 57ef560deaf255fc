"""Asking the kernel for TCP sockets by netlink: what ``ss`` does, in about as many system calls.

One socket serves all questions. A question is a dump: the kernel walks a hash table and sends what
matches, a datagram at a time as we take them. Listeners have a table of their own, so that asking
for them costs the same on a host with a million connections as on an idle one; half-open requests
are found by a walk over all connections.

The namespace that is shown is that of the thread that opened the socket, for as long as it is open.

Rejected: the filters in the kernel's byte code. They save time only where many listeners have the
same port, and the port alone is part of every question.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable
from types import TracebackType

from ..errors import ObserveError, RemoteProtocolError
from ..wire import inet_diag, netlink
from ..wire.inet_diag import DiagSocket

__all__ = ["SockDiag", "open_netlink"]

_NETLINK_SOCK_DIAG = 4

# [linux netlink_recvmsg] a dump fills what the reader offers, up to 32 KiB; nothing is cut off
_DATAGRAM = 65536

#: Seconds. The kernel has its answer ready when send() returns, so this is for imitations of it.
_PATIENCE = 2
_TIMEOUT = struct.pack("@ll", _PATIENCE, 0)

#: How often a table may change under our eyes before we say so.
_ATTEMPTS = 5

_WHAT = "TCP sockets"
_REASONS = {
    errno.EPROTONOSUPPORT: "this kernel has no sock_diag, or a sandbox hides it",
    errno.EAFNOSUPPORT: "this system has no netlink, or a sandbox hides it",
    errno.ENOENT: "the kernel has no tcp_diag; as root: modprobe tcp_diag",
    errno.EPERM: "netlink is not permitted here; a seccomp or security profile forbids it",
    errno.EACCES: "netlink is not permitted here; a seccomp or security profile forbids it",
    errno.EAGAIN: f"no answer to netlink within {_PATIENCE} s",
}


def open_netlink() -> socket.socket:
    """A socket to the kernel's sock_diag. Raises ``OSError``."""
    sock = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    )
    # [linux netlink_getsockbyportid] a connected socket takes nothing from other processes
    sock.connect((0, 0))
    return sock


class SockDiag:
    """A reader of the TCP sockets of one network namespace; a context manager that closes it.

    ``opened`` opens the socket to the kernel; it is called again after a question that went wrong,
    because the rest of its answer would be in the way of the next.
    """

    def __init__(self, opened: Callable[[], socket.socket] = open_netlink) -> None:
        self._opened = opened
        self._socket: socket.socket | None = None
        self._seq = 0

    def sockets(
        self, family: int, states: int, port: int = 0, extensions: int = 0
    ) -> list[DiagSocket]:
        """The sockets of ``family`` in ``states``; see ``inet_diag.request``.

        Raises ``ObserveError``; the next call starts afresh.
        """
        question = inet_diag.request(family, states, port, extensions)
        try:
            for _ in range(_ATTEMPTS):
                found, consistent = self._dump(question)
                if consistent:
                    return found
        except RemoteProtocolError as error:
            self.close()
            raise ObserveError(_WHAT, f"the kernel's answer is malformed: {error}") from error
        except OSError as error:
            self.close()
            raise _refused(error.errno or 0) from error
        except BaseException:
            # Whatever interrupts us half way through an answer, the rest of it is still there.
            self.close()
            raise
        raise ObserveError(_WHAT, f"the table changed during each of {_ATTEMPTS} readings")

    def _dump(self, question: bytes) -> tuple[list[DiagSocket], bool]:
        """One dump, and whether it shows one moment."""
        if self._socket is None:
            self._socket = self._opened()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
        self._seq = (self._seq + 1) & 0xFFFF_FFFF
        flags = netlink.NLM_F_REQUEST | netlink.NLM_F_DUMP
        self._socket.send(netlink.encode(inet_diag.SOCK_DIAG_BY_FAMILY, flags, self._seq, question))
        found: list[DiagSocket] = []
        consistent = True
        while True:
            datagram = self._socket.recv(_DATAGRAM)
            if not datagram:
                raise RemoteProtocolError("an empty datagram")
            for message in netlink.messages(datagram):
                if message.seq != self._seq:
                    continue
                consistent = consistent and not message.flags & netlink.NLM_F_DUMP_INTR
                if message.type == inet_diag.SOCK_DIAG_BY_FAMILY:
                    found.append(inet_diag.decode(message.payload))
                elif message.type in (netlink.NLMSG_DONE, netlink.NLMSG_ERROR):
                    code = netlink.errno_of(message)
                    if code:
                        raise OSError(code, os.strerror(code))
                    return found, consistent

    def close(self) -> None:
        """Let go of the socket to the kernel."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> "SockDiag":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _refused(code: int) -> ObserveError:
    reason = _REASONS.get(code) or os.strerror(code)
    return ObserveError(_WHAT, reason, code or None)
