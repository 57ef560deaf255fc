"""A server of the time that it is told to give, for programs that would rather ask than know."""

import socket
import struct
import threading
from types import TracebackType

from ..endpoint import Endpoint

__all__ = ["TimeServer"]

#: Seconds from 1900, where NTP begins to count, to 1970 [RFC5905 §6].
_EPOCH = 2_208_988_800

#: [RFC5905 §7.3] leap indicator, version and mode in one octet; stratum; poll; precision; root
#: delay and dispersion; reference id; and four timestamps: reference, origin, receive, transmit.
_PACKET = struct.Struct(">BBbbII4sQQQQ")

#: No leap second, version 4, and the mode of a server.
_SERVER = 0 << 6 | 4 << 3 | 4


class TimeServer:
    """Tells all who ask on loopback that it is ``time``, in seconds since 1970.

    It serves as long as its block does.
    """

    def __init__(self, time: int) -> None:
        self._time = (time + _EPOCH) << 32
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        #: Where it listens.
        self.endpoint = Endpoint(*self._sock.getsockname())
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "TimeServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A close would not wake the thread.
        self._sock.sendto(b"", self.endpoint)
        self._thread.join()
        self._sock.close()

    def _serve(self) -> None:
        while True:
            request, client = self._sock.recvfrom(1024)
            if not request:
                return
            if len(request) >= _PACKET.size:
                asked = _PACKET.unpack_from(request)[-1]
                times = (self._time, asked, self._time, self._time)
                answer = _PACKET.pack(_SERVER, 1, 0, -20, 0, 0, b"TEST", *times)
                self._sock.sendto(answer, client)
