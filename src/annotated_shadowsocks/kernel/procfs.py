"""Reading /proc: one way to do it, and one error that says what is missing.

``SELF_NET`` is the network part of /proc as the calling *thread* sees it. ``/proc/net`` is a link
to that of the thread's process, which means its first thread, and is another one after setns(2).
"""

import os
from pathlib import Path

from ..errors import ObserveError

__all__ = ["SELF_NET", "network_namespace", "read"]

SELF_NET = "/proc/thread-self/net"

#: More than the files of here have, and less than malloc() would fetch from the kernel for a read.
_PIECE = 1 << 15

_NAMESPACE = Path("/proc/thread-self/ns/net")


def read(path: str) -> str:
    """The text of a file that the kernel makes in one piece. Raises ``ObserveError``."""
    try:
        # No buffer objects, and no second read to see the end: counters are read a hundred times a
        # second. [linux single_open] such a file fills what a read offers, as far as it goes
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            octets = piece = os.read(descriptor, _PIECE)
            while len(piece) == _PIECE:
                piece = os.read(descriptor, _PIECE)
                octets += piece
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        reason = "there is no such file; is /proc mounted, and is this kernel Linux 3.17 or newer?"
        raise ObserveError(path, reason, error.errno) from error
    except OSError as error:
        raise ObserveError(path, error.strerror or str(error), error.errno) from error
    return octets.decode("ascii", "replace")


def network_namespace() -> int | None:
    """The number of the thread's network namespace, as ``ls -l /proc/PID/ns`` shows it."""
    try:
        return _NAMESPACE.stat().st_ino
    except OSError:
        return None
