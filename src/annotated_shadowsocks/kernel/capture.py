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
from typing import NamedTuple

__all__ = ["Capture", "Sent", "packet_socket", "receive"]

_ETH_P_ALL = 0x0003
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_TIMESPEC = struct.Struct("@ll")
_LARGEST = 65535
_BILLION = 1_000_000_000
#: Octets that may wait: a flood of SYNs and its answers.
_BUFFER = 64 << 20
#: Seconds that the kernel is given to begin its stamps, and that a datagram lies before it is read.
_PATIENCE = 5.0
_LIE = 0.002


class Sent(NamedTuple):
    """A packet that went out, and when, in ns of ``time.time_ns``."""

    octets: bytes
    at: int


def packet_socket(device: str) -> socket.socket:
    """A packet socket on ``device`` of the thread's namespace, for ``receive``.

    Needs loopback, to see that the kernel's stamps have begun. Raises ``OSError`` where we may not
    look (CAP_NET_RAW).
    """
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    # No protocol until it is bound: it would see all devices in the meantime.
    sock = socket.socket(socket.AF_PACKET, kind, 0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        _await_stamps()
        sock.bind((device, _ETH_P_ALL))
    except BaseException:
        sock.close()
        raise
    return sock


def receive(sock: socket.socket) -> Sent | None:
    """The next packet of a packet socket, or None for one that came in and did not go out.

    Raises ``BlockingIOError``, or ``TimeoutError`` where it has a timeout.
    """
    octets, ancillary, _, sender = sock.recvmsg(_LARGEST, 64)
    if sender[2] != _PACKET_OUTGOING:
        return None
    return Sent(octets, _stamp(ancillary))


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            return int(seconds) * _BILLION + int(nanoseconds)
    # [linux __sock_recv_timestamp] gives one to each that asked
    raise AssertionError("a packet without its time")


def _await_stamps() -> None:
    """Return when packets are stamped as they are sent.

    [linux net_enable_timestamp] leaves that to a worker, and until this has run a packet gets the
    time of its reading.
    """
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        receiver.settimeout(_PATIENCE)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            sender.sendto(b"", receiver.getsockname())
            time.sleep(_LIE)
            read_at = time.time_ns()
            if _stamp(receiver.recvmsg(0, 64)[1]) < read_at:
                return
        raise OSError("the kernel does not stamp packets as they are sent")


class Capture:
    """The packets that the kernel sends over ``device`` of the thread's namespace.

    Raises ``OSError`` where we may not look (CAP_NET_RAW).
    """

    def __init__(self, device: str) -> None:
        self._socket = packet_socket(device)
        self._seen: deque[Sent] = deque()

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
        offset = _wall_clock_offset()
        while True:
            try:
                sent = receive(self._socket)
            except BlockingIOError:
                return
            if sent is not None:
                self._seen.append(Sent(sent.octets, min(sent.at - offset, time.monotonic_ns())))

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


def _wall_clock_offset() -> int:
    """Nanoseconds of the wall clock less those of ``time.monotonic_ns``.

    From the quickest of some readings, for whoever is put aside between the two clocks misjudges.
    """
    readings = []
    for _ in range(5):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after - before, wall - before))
    return min(readings)[1]
