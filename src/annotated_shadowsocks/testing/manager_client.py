"""Whoever tells a manager what to serve: one datagram out, and the answer.

::

    with ManagerClient(("127.0.0.1", 6001)) as panel:
        assert panel.ask(b"ping") == b"stat: {}"
"""

import socket
import tempfile
from pathlib import Path
from types import TracebackType

__all__ = ["ManagerClient"]

#: Seconds after which nobody answers any more.
_PATIENCE = 30.0


class ManagerClient:
    """A datagram socket that can be answered; ``place`` is an address, or a path."""

    def __init__(self, place: tuple[str, int] | str) -> None:
        self._place = place

    def __enter__(self) -> "ManagerClient":
        self._folder = tempfile.TemporaryDirectory()
        if isinstance(self._place, str):
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            # A socket without a name could not be answered.
            self._sock.bind(str(Path(self._folder.name, "client")))
        else:
            self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sock.bind((self._place[0], 0))
        self._sock.settimeout(_PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sock.close()
        self._folder.cleanup()

    def tell(self, datagram: bytes) -> None:
        """Send, and expect nothing."""
        self._sock.sendto(datagram, self._place)

    def ask(self, datagram: bytes) -> bytes:
        """Send, and return the next datagram that comes. Raises ``TimeoutError``."""
        self.tell(datagram)
        return self._sock.recv(1 << 16)
