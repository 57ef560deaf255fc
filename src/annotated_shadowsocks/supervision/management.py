"""Where a manager is told what to serve: a UDP socket on loopback, or a Unix socket.

A Unix socket is the better place. It is a file, and the kernel lets nobody send to it who may not
write it: here nobody but its owner. On loopback every user of the host can send.
"""

import os
import socket
import stat
from pathlib import Path

from ..endpoint import Endpoint
from ..errors import ListenError
from ..relay.sockets import Adopt, open_udp

__all__ = ["Management", "open_management"]


class Management:
    """Datagram sockets that do not block; ``path`` is the file that one of them is known by."""

    def __init__(self, sockets: list[socket.socket], path: Path | None = None) -> None:
        self.sockets = sockets
        self._path = path
        self._file = _identity(path) if path else None

    def close(self) -> None:
        """Close all and take the file away; again does nothing."""
        for sock in self.sockets:
            sock.close()
        # Another manager may have come in between, and the file is its own then.
        if self._path is not None and _identity(self._path) == self._file:
            self._path.unlink(missing_ok=True)
        self._path = None


def open_management(listen: Endpoint | str, adopt: Adopt | None = None) -> Management:
    """Sockets at ``listen``, an endpoint or a path. Raises ``ListenError``."""
    if isinstance(listen, Endpoint):
        return Management(open_udp(listen, adopt=adopt))
    path = Path(listen)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Before bind(2), which takes the file's mode from here: afterwards there would have been a
        # moment for others to send in, and umask(2) is the whole process's.
        # [test tests/supervision/test_management.py::test_the_file_is_its_owners_from_the_start]
        os.fchmod(sock.fileno(), 0o600)
        _clear(path)
        sock.bind(listen)
    except OSError as error:
        sock.close()
        raise ListenError(listen, error.strerror or str(error), error.errno) from error
    except ListenError:
        sock.close()
        raise
    return Management([sock], path)


def _clear(path: Path) -> None:
    """Take away the socket that a manager left which did not end in peace."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ListenError(str(path), "there is a file that is no socket; name another")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
        try:
            # [man unix(7)] ECONNREFUSED where nobody has the file bound any more
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise ListenError(str(path), "another manager has it")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
