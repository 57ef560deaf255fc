"""/proc/net/tcp: how many half-open requests belong to each listener, where addresses cannot tell.

Sockets that share a port by SO_REUSEPORT have the same address, and a half-open request names an
address, not its listener. But each request holds a reference to its listener, as does each
connection in the accept queue, and /proc/net/tcp prints the count of references::

    requests  =  references  -  1 (its own)  -  accept queue
    half_open =      ref     -  1            -   rx_queue

An estimate: other holders of a reference (Fast Open, a BPF map) count as requests.
[test tests/kernel/test_proc_tcp.py::test_each_listener_of_a_group_has_its_own_requests]
"""

import os
from collections.abc import Iterator

from ..errors import ObserveError
from .procfs import SELF_NET

__all__ = ["half_open_by_inode"]

# sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref …
_STATE, _QUEUES, _INODE, _REFERENCES = 3, 4, 9, 10
_LISTEN = "0A"


def half_open_by_inode() -> dict[int, int]:
    """The half-open requests of each listener of the namespace, by the listener's inode.

    Raises ``ObserveError``. A listener that no process has open any more has inode 0 and is left
    out, and so is a host's IPv6 where it has none.
    """
    found: dict[int, int] = {}
    for name in ("tcp", "tcp6"):
        path = f"{SELF_NET}/{name}"
        try:
            found |= _half_open(path)
        except FileNotFoundError as error:
            if name == "tcp":
                raise ObserveError(path, "there is no such file", error.errno) from error
        except OSError as error:
            raise ObserveError(path, error.strerror or str(error), error.errno) from error
        except (ValueError, IndexError) as error:
            raise ObserveError(path, f"a row is malformed: {error}") from error
    found.pop(0, None)
    return found


def _half_open(path: str) -> dict[int, int]:
    found = {}
    for row in _listening_rows(path):
        depth = int(row[_QUEUES].partition(":")[2], 16)
        # The two numbers are not read in one instant: accept() may come between them.
        found[int(row[_INODE])] = max(0, int(row[_REFERENCES]) - 1 - depth)
    return found


def _listening_rows(path: str) -> Iterator[list[str]]:
    """The fields of each listener's row."""
    with open(path, encoding="ascii", errors="replace", opener=_close_on_exec) as file:
        file.readline()
        for line in file:
            row = line.split()
            # [linux tcp_seq_start] listeners come first: what follows is a row for each connection
            # of the host, and reading on would cost as much as all of them
            if row[_STATE] != _LISTEN:
                return
            yield row


def _close_on_exec(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC)
