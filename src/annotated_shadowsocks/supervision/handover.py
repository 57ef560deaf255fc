"""Handing the listening sockets to a new process of this program: SIGUSR2.

The old process starts the program again, by the command line that it was started by itself, and
leaves it every socket that it listens on: the sockets themselves, so that there is no moment in
which none of the two listens, and nobody is refused. The new one reads the configuration, takes
the sockets for its own (see ``heritage``), and when it serves it sends SIGQUIT to the old one,
which takes no more connections and ends with the last that it has. Where the new one cannot start,
the old one goes on as if nothing had been asked.

Rejected: a new process that asks the old one for its sockets over a Unix socket. It needs a place
in the file system, rights to it, and a protocol, and all that it gains is that the two need not be
parent and child.
"""

import os
import sys
from collections.abc import Iterable

from ..errors import ListenError
from .heritage import HANDOVER_VARIABLE

__all__ = ["start_successor"]


def start_successor(descriptors: Iterable[int]) -> int:
    """Start this program anew with ``descriptors``; returns its process id.

    Raises ``ListenError`` where it cannot be started.
    """
    left = list(descriptors)
    # The watchdog's variables would name the old process.
    environment = {k: v for k, v in os.environ.items() if k != "WATCHDOG_PID"}
    environment[HANDOVER_VARIABLE] = f"{os.getpid()}:{','.join(map(str, left))}"
    try:
        for descriptor in left:
            os.set_inheritable(descriptor, True)
        # All other descriptors of ours close with exec: none is inheritable unless it is said.
        return os.posix_spawn(
            sys.executable, [sys.executable, *sys.orig_argv[1:]], environment, setsigmask=()
        )
    except OSError as error:
        raise ListenError("sockets that are handed over", str(error), error.errno) from error
    finally:
        for descriptor in left:
            os.set_inheritable(descriptor, False)
