"""/proc/net/tcp: how many half-open requests each listener has, from a count of references.

The kernel keeps that number and shows it nowhere. But each request holds a reference to its
listener, as does each connection in the accept queue, and /proc/net/tcp prints their sum::

    requests  =  references  -  1 (its own)  -  accept queue
    half_open =      ref     -  1            -   rx_queue

This is the only view that tells sockets apart which share a port by SO_REUSEPORT: a request names
an address, and they all have the same. It is an estimate: other holders of a reference (Fast Open,
a BPF map) count as requests.
[test tests/kernel/test_proc_tcp.py::test_each_listener_of_a_group_has_its_own_requests]

It is also the cheap view, on a host with many connections. The file begins with the listeners, and
we stop at the first row that is a connection; a list of the requests costs a walk over all of them.
[bench observe]
"""

import os
from collections.abc import Collection, Iterator
from typing import NamedTuple

from ..errors import ObserveError
from ..wire.inet_diag import AF_INET, AF_INET6
from .procfs import SELF_NET

__all__ = ["ListeningRow", "half_open_by_inode", "listening_row"]

_FILES = {AF_INET: "tcp", AF_INET6: "tcp6"}

# Octets for each read. [linux seq_read_iter] fills what it is offered, and for each row more it
# would search for another connection; [linux get_tcp4_sock] a row is padded to this.
_ROW = 150

# sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref …
_STATE, _QUEUES, _INODE, _REFERENCES = 3, 4, 9, 10
_LISTEN = b"0A"


class ListeningRow(NamedTuple):
    """What a listener's row says; where one would look for the limit, ``tx_queue``, it has 0."""

    rx_queue: int
    tx_queue: int
    half_open: int


def listening_row(inode: int, family: int = AF_INET) -> ListeningRow:
    """The row of one listener, by its inode. Raises ``ObserveError``, also where there is none."""
    path = f"{SELF_NET}/{_FILES[family]}"
    try:
        for row in _listening_rows(path):
            if int(row[_INODE]) == inode:
                tx_queue, _, rx_queue = row[_QUEUES].partition(b":")
                return ListeningRow(int(rx_queue, 16), int(tx_queue, 16), _half_open(row)[1])
    except OSError as error:
        raise ObserveError(path, error.strerror or str(error), error.errno) from error
    except (ValueError, IndexError) as error:
        raise ObserveError(path, f"a row is malformed: {error}") from error
    raise ObserveError(path, f"no listener has the inode {inode}")


def half_open_by_inode(families: Collection[int] = tuple(_FILES)) -> dict[int, int]:
    """The half-open requests of each listener of the namespace, by the listener's inode.

    A listener that no process has open (inode 0) is left out. Raises ``ObserveError``.
    """
    found: dict[int, int] = {}
    for family in families:
        path = f"{SELF_NET}/{_FILES[family]}"
        try:
            found.update(map(_half_open, _listening_rows(path)))
        except FileNotFoundError as error:
            # A kernel may have been built without IPv6, and not without IPv4.
            if family == AF_INET:
                raise ObserveError(path, "there is no such file", error.errno) from error
        except OSError as error:
            raise ObserveError(path, error.strerror or str(error), error.errno) from error
        except (ValueError, IndexError) as error:
            raise ObserveError(path, f"a row is malformed: {error}") from error
    found.pop(0, None)
    return found


def _half_open(row: list[bytes]) -> tuple[int, int]:
    """The inode of a listener, and its number of requests."""
    depth = int(row[_QUEUES].partition(b":")[2], 16)
    # The two numbers are not read in one instant: accept() may come between them.
    return int(row[_INODE]), max(0, int(row[_REFERENCES]) - 1 - depth)


def _listening_rows(path: str) -> list[list[bytes]]:
    """The fields of the listeners' rows."""
    rows: list[list[bytes]] = []
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        lines = _lines(descriptor)
        next(lines, None)  # the names of the columns
        for line in lines:
            row = line.split()
            # [linux tcp_seq_start] listeners come first: what follows are connections
            if row[_STATE] != _LISTEN:
                break
            rows.append(row)
    finally:
        os.close(descriptor)
    return rows


def _lines(descriptor: int) -> Iterator[bytes]:
    octets = b""
    while more := os.read(descriptor, _ROW):
        *lines, octets = (octets + more).split(b"\n")
        yield from lines
