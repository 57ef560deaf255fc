"""Every listener of a namespace with both of its queues.

The kernel tells the accept queue of each listener. It lists half-open requests too, but without
their listener. A request names the address that its SYN went to, and the listener that took it is
the one that the kernel's lookup prefers: the exact address before the wildcard, a device before
none. Where several listeners are equally good they share the port by SO_REUSEPORT, and each one's
part is the estimate of ``proc_tcp``.

For a look, ``survey`` asks for the list. For a hundred looks a second ``glance`` takes the estimate
for every listener: the list costs the kernel a walk over its table of all connections.

The readings are not one instant: between two of them a request may complete.
"""

import socket
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from ..endpoint import Endpoint
from ..errors import ObserveError
from ..policy.listen_queue import ListenQueue
from ..wire import inet_diag
from ..wire.inet_diag import AF_INET, AF_INET6, DiagSocket, Extension
from . import proc_tcp
from .sock_diag import SockDiag

__all__ = [
    "Listener",
    "Request",
    "answering",
    "glance",
    "listeners",
    "requests",
    "survey",
    "with_half_open",
]

_FAMILIES = (AF_INET, AF_INET6)
_WILDCARDS = ("0.0.0.0", "::")
_EXTENSIONS = 1 << Extension.SKMEMINFO | 1 << Extension.CONG


class Listener(NamedTuple):
    """A listening socket. ``cookie`` is its identity, ``inode`` the handle for ``owners``."""

    local: Endpoint
    family: int
    v6only: bool
    interface: int  #: index of the device that it is bound to, 0 for any
    cookie: int
    inode: int
    uid: int
    depth: int  #: of the accept queue, and its limit
    limit: int
    drops: int | None  #: ``sk_drops``: 1 for a refused SYN, 2 for a refused ACK
    congestion: str | None = None
    mark: int | None = None
    cgroup: int | None = None
    half_open: int | None = None  #: None where nobody asked or the kernel did not tell
    estimated: bool = False  #: whether ``half_open`` is worked out from references

    @property
    def queue(self) -> ListenQueue:
        """Both queues, for judgement."""
        return ListenQueue(self.depth, self.limit, self.half_open)

    @property
    def address(self) -> str:
        """The local address as ``ss`` writes it: ``*:443`` takes IPv4 and IPv6."""
        host, port = self.local
        if self.family == AF_INET6:
            host = "*" if host == "::" and not self.v6only else f"[{host}]"
        return f"{host}%{_device(self.interface)}:{port}" if self.interface else f"{host}:{port}"


class Request(NamedTuple):
    """A half-open request: a SYN was answered, and the ACK has not come or found no room."""

    local: Endpoint
    remote: Endpoint
    family: int
    interface: int
    retrans: int  #: how often its SYN/ACK was sent again
    expires: int  #: ms until its timer fires next


def survey(diag: SockDiag, port: int = 0) -> list[Listener]:
    """The listeners on ``port`` (0: on any) with both queues. Raises ``ObserveError``."""
    found = listeners(diag, port)
    # A request has the family of its listener, also where it came over IPv4 to an IPv6 socket.
    families = {listener.family for listener in found}
    return with_half_open(found, requests(diag, port, families))


def glance(diag: SockDiag) -> list[Listener]:
    """The same of all listeners, with the estimate for each. Raises ``ObserveError``."""
    found = listeners(diag)
    estimates = proc_tcp.half_open_by_inode({each.family for each in found})
    return [each._replace(half_open=estimates.get(each.inode), estimated=True) for each in found]


def listeners(diag: SockDiag, port: int = 0) -> list[Listener]:
    """The listeners on ``port`` (0: on any), in the order of ports. Raises ``ObserveError``."""
    found = (
        _listener(sock)
        for family in _FAMILIES
        for sock in diag.sockets(family, 1 << inet_diag.TCP_LISTEN, port, _EXTENSIONS)
    )
    return sorted(found, key=lambda each: (each.local.port, each.local.host, each.cookie))


def requests(diag: SockDiag, port: int = 0, families: Collection[int] = _FAMILIES) -> list[Request]:
    """The half-open requests to ``port`` (0: to any). Raises ``ObserveError``.

    For each family the kernel walks its table of all connections. Connections by Fast Open are
    none of them: they stand in the accept queue from their SYN on.
    """
    # [linux inet_diag_dump_icsk] asked for TCP_SYN_RECV it would send both; asked for this, one
    states = 1 << inet_diag.TCP_NEW_SYN_RECV
    return [
        Request(s.local, s.remote, s.family, s.interface, s.retrans, s.expires)
        for family in families
        for s in diag.sockets(family, states, port)
    ]


def with_half_open(found: Sequence[Listener], half_open: Iterable[Request]) -> list[Listener]:
    """``found`` with each listener's number of requests among ``half_open``."""
    by_port: dict[tuple[int, int], list[Listener]] = {}
    for listener in found:
        by_port.setdefault((listener.family, listener.local.port), []).append(listener)
    counts: Counter[int] = Counter()
    shared: set[int] = set()
    for request in half_open:
        candidates = by_port.get((request.family, request.local.port), [])
        candidates = [c for c in candidates if c.interface in (0, request.interface)]
        takers = _preferred(candidates, request.local.host)
        if len(takers) == 1:
            counts[takers[0].cookie] += 1
        else:
            shared.update(listener.cookie for listener in takers)
    estimates = _estimates() if shared else {}
    return [
        one._replace(half_open=estimates.get(one.inode), estimated=True)
        if one.cookie in shared
        else one._replace(half_open=counts[one.cookie])
        for one in found
    ]


def answering(found: Iterable[Listener], host: str, port: int) -> list[Listener]:
    """Those of ``found`` that take a SYN to ``host``, a literal, and ``port``.

    Several share by SO_REUSEPORT; and which device a SYN comes over is not known here, so that
    those that are bound to one are each among the answers.
    """
    by_device: dict[int, list[Listener]] = {}
    for each in found:
        if each.local.port == port:
            by_device.setdefault(each.interface, []).append(each)
    return [each for alike in by_device.values() for each in _answering(alike, host)]


def _answering(alike: Sequence[Listener], host: str) -> list[Listener]:
    if ":" in host:
        return _preferred((each for each in alike if each.family == AF_INET6), host)
    own = _preferred((each for each in alike if each.family == AF_INET), host)
    both = (each for each in alike if each.family == AF_INET6 and not each.v6only)
    mapped = _preferred(both, f"::ffff:{host}")
    # [linux compute_score] an exact address is looked for first; then an IPv4 socket is preferred
    exact = bool(mapped) and mapped[0].local.host != "::"
    return mapped if not own or (exact and own[0].local.host != host) else own


def _preferred(candidates: Iterable[Listener], host: str) -> list[Listener]:
    """Those that the kernel's lookup prefers for ``host``, all equally good."""
    best: list[Listener] = []
    best_rank = (False, False)
    for listener in candidates:
        exact = listener.local.host == host
        if not exact and listener.local.host not in _WILDCARDS:
            continue
        # [linux __inet_lookup_listener] the exact address before the wildcard, then by score, to
        # which a device of its own adds
        rank = (exact, listener.interface != 0)
        if not best or rank > best_rank:
            best, best_rank = [listener], rank
        elif rank == best_rank:
            best.append(listener)
    return best


def _estimates() -> dict[int, int]:
    try:
        return proc_tcp.half_open_by_inode()
    except ObserveError:
        return {}


def _listener(sock: DiagSocket) -> Listener:
    return Listener(
        local=sock.local,
        family=sock.family,
        v6only=bool(sock.v6only),
        interface=sock.interface,
        cookie=sock.cookie,
        inode=sock.inode,
        uid=sock.uid,
        depth=sock.rqueue,
        limit=sock.wqueue,
        drops=sock.drops,
        congestion=sock.congestion,
        mark=sock.mark,
        cgroup=sock.cgroup,
    )


def _device(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return f"if{index}"  # as ss does for a device that is gone
