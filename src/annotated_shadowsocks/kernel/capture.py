"""When the kernel sent a packet, by its own clock.

Whoever reads packets from a device reads them when it is scheduled, and on a busy machine that is
late by more than some timers are long. A packet socket sees the same packets with the time at which
the kernel sent them, so that an interval is the kernel's and not the reader's.
"""

import socket
import struct
import time
from collections import deque
from types import TracebackType

__all__ = ["Capture"]

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_TIMESPEC = struct.Struct("@ll")
_LARGEST = 65535
#: Octets that may wait: a flood of SYNs and its answers.
_BUFFER = 8 << 20
_BILLION = 1_000_000_000


class Capture:
    """The packets that the kernel sends over ``device`` of the thread's namespace.

    Raises ``OSError`` where we may not look (CAP_NET_RAW).
    """

    def __init__(self, device: str) -> None:
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        # No protocol until it is bound: it would see all devices in the meantime.
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((device, _ETH_P_ALL))
        except BaseException:
            self._socket.close()
            raise
        self._seen: deque[tuple[bytes, int]] = deque()

    def sent_at(self, packet: bytes) -> int:
        """When ``packet`` was sent, in ns of ``time.monotonic_ns``; ask in the order of sending.

        The present for a packet that was not seen.
        """
        self._collect()
        for index, (octets, at) in enumerate(self._seen):
            if octets == packet:
                # What stands before it was sent, and lost on its way to the reader.
                for _ in range(index + 1):
                    self._seen.popleft()
                return at
        return time.monotonic_ns()

    def _collect(self) -> None:
        # The kernel's stamps are of the wall clock, which may be set while we run.
        offset = time.time_ns() - time.monotonic_ns()
        while True:
            try:
                octets, ancillary, _, sender = self._socket.recvmsg(_LARGEST, 64)
            except BlockingIOError:
                return
            if sender[2] != _PACKET_OUTGOING:
                continue
            for level, kind, value in ancillary:
                if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                    seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                    at = seconds * _BILLION + nanoseconds - offset
                    self._seen.append((octets, min(at, time.monotonic_ns())))

    def close(self) -> None:
        """Look no more."""
        self._socket.close()

    def __enter__(self) -> "Capture":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
