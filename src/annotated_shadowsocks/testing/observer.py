"""What somebody on the path sees of a connection: packets, and nothing of the programs.

::

    with Watch("lo", port) as watch:
        ...                                   connections to the server at ``port``
    sights = watch.sights()                   one for each, by the client's port

A ``Sight`` has what a censor could tell one failed handshake from another by. ``apart`` asks of two
samples of some figure whether they could come from one distribution: the two-sample test of
Kolmogorov and Smirnov, which needs no assumption about what that distribution is.
"""

import math
import struct
import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple

from ..kernel.capture import packet_socket, receive
from ..tcp_model.segment import ACK, FIN, RST, SYN
from ..wire import internet

__all__ = ["Sight", "Watch", "apart"]

_LOOK = 0.05
#: [RFC9293 §3.1] ports, the numbers, data offset with the flags, the window
_HEADER = struct.Struct("!HHIIHH")
_FLAGS = 0xFF
_WORDS = 12


class _Seen(NamedTuple):
    """One packet; not a whole ``Segment``, for loopback leaves the checksum to be made later."""

    at: float
    source: int
    destination: int
    flags: int
    window: int
    size: int


@dataclass
class Sight:
    """One connection, as packets tell it; times are seconds after the server's SYN/ACK."""

    asked: tuple[float, ...] = ()
    """When the client sent its SYNs; these are seconds after the first of them."""
    answered: float = math.nan
    """When the server's SYN/ACK followed, in the same seconds."""
    octets: int = 0
    """What the server sent, retransmissions included."""
    end: str = "none"
    """The flag of the server's first packet that ended something: FIN, RST or none."""
    ended: float = math.nan
    """When that was."""
    acks: int = 0
    """Packets of the server before its end."""
    windows: tuple[int, ...] = ()
    """The windows that they announced, in the order of change."""
    answer_to_fin: float = math.nan
    """Seconds from the client's FIN to the server's end, where that came later."""


class Watch:
    """Packets of TCP connections to ``port`` over ``device`` of the thread's namespace.

    Needs CAP_NET_RAW. Every connection is to have a client's port of its own.
    """

    def __init__(self, device: str, port: int) -> None:
        self._port = port
        self._socket = packet_socket(device)
        self._socket.settimeout(_LOOK)
        self._packets: list[tuple[float, bytes]] = []
        self._over = False
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> "Watch":
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._reader.join()
        self._socket.close()

    def _read(self) -> None:
        while True:
            try:
                sent = receive(self._socket)
            except TimeoutError:
                if self._over:
                    return
                continue
            # On loopback each packet is seen twice, as it goes out and as it comes in.
            if sent is not None:
                self._packets.append((sent.at * 1e-9, sent.octets))

    def sights(self) -> dict[int, Sight]:
        """What was seen, by the client's port; ask when the block is over."""
        flows: dict[int, list[_Seen]] = {}
        for at, octets in self._packets:
            seen = _parse(at, octets)
            if seen is not None and self._port in (seen.source, seen.destination):
                client = seen.destination if seen.source == self._port else seen.source
                flows.setdefault(client, []).append(seen)
        return {client: self._sight(flow) for client, flow in flows.items()}

    def _sight(self, flow: list[_Seen]) -> Sight:
        sight, opened, fin = Sight(), math.nan, math.nan
        first = flow[0].at
        for seen in flow:
            if seen.source != self._port:
                if seen.flags & SYN:
                    sight.asked += (seen.at - first,)
                if seen.flags & FIN and math.isnan(fin):
                    fin = seen.at
            elif seen.flags & SYN:
                opened = seen.at
                sight.answered = opened - first
            else:
                sight.octets += seen.size
                if seen.flags & (FIN | RST):
                    sight.end = "RST" if seen.flags & RST else "FIN"
                    sight.ended = seen.at - opened
                    sight.answer_to_fin = seen.at - fin
                    break
                if seen.flags & ACK:
                    sight.acks += 1
                    if sight.windows[-1:] != (seen.window,):
                        sight.windows += (seen.window,)
        return sight


def _parse(at: float, octets: bytes) -> _Seen | None:
    packet = internet.decode(octets)
    if packet.protocol != internet.TCP:
        return None
    source, destination, _, _, bits, window = _HEADER.unpack_from(packet.payload)
    size = len(packet.payload) - (bits >> _WORDS) * 4
    return _Seen(at, source, destination, bits & _FLAGS, window, size)


def apart(one: Sequence[float], other: Sequence[float]) -> float:
    """The chance of samples at least so far apart from one distribution: Kolmogorov-Smirnov.

    By the asymptotic formula, good for samples of some twenty and more.
    """
    first, second = sorted(one), sorted(other)
    far = max(
        abs(bisect_right(first, value) / len(first) - bisect_right(second, value) / len(second))
        for value in {*first, *second}
    )
    size = len(first) * len(second) / (len(first) + len(second))
    # Smirnov's series, with the correction of Stephens for samples of finite size.
    scaled = (math.sqrt(size) + 0.12 + 0.11 / math.sqrt(size)) * far
    if scaled < 0.2:
        return 1.0
    terms = (math.exp(-2 * (k * scaled) ** 2) * (1 if k % 2 else -1) for k in range(1, 101))
    return min(1.0, 2 * math.fsum(terms))
