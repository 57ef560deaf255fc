"""The eye on the accept queues of our own listeners.

Two looks. A *glance* asks each socket for its own depth, one system call without a search, ten
times a second. A *look* asks the kernel for what only the list of all listeners tells, once a
second: how many segments each socket has turned away. [bench queue_probe]

``ListenOverflows`` says that somebody in the network namespace lost a connection, and not who. A
listener's own ``sk_drops`` says how much *it* threw away, full queue or not. An overflow of one of
ours moves both, so that the smaller of the two increases is what a listener is charged with; where
the kernel does not tell ``sk_drops``, the namespace's increase, and the figure says so.

Nothing here stops the probe: what cannot be read is told once, and the rest goes on.
"""

import logging
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from ..endpoint import Endpoint
from ..errors import ObserveError
from ..kernel import listeners as kernel
from ..kernel import netstat
from ..kernel.sock_diag import SockDiag
from ..policy.adaptive_backlog import next_backlog, remedy
from ..policy.queue_advice import NEARLY_FULL
from ..relay.sockets import accept_queue, fast_open_limit, somaxconn
from ..wire.inet_diag import TCP_SYN_RECV, Extension
from .figures import Figures

__all__ = ["ALL_WORKERS", "Owned", "QueueProbe", "Readings", "Watched"]

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: Seconds between two warnings about queues.
_WARN_EVERY = 1.0

#: What a listener that all workers share has for a worker.
ALL_WORKERS = "all"

_SO_COOKIE = 57

#: A listening socket and the worker that accepts from it, None where all do.
Owned = tuple[socket.socket, int | None]


class Readings(NamedTuple):
    """Where the probe reads; tests put garbage here."""

    drops: Callable[[], Mapping[int, int | None]]  #: ``sk_drops`` of all listeners, by cookie
    counters: Callable[[], Mapping[str, int]]
    half_accepted: Callable[[int, int], int]  #: depth of the Fast Open queue, by family and port
    close: Callable[[], None] = lambda: None
    somaxconn: Callable[[], int] = somaxconn
    queue: Callable[[socket.socket], tuple[int, int] | None] = accept_queue


class Watched:
    """One listener, and what was seen of it."""

    __slots__ = (
        "asked",
        "cookie",
        "depth",
        "drops",
        "fast_open_depth",
        "fast_open_limit",
        "high_water",
        "limit",
        "name",
        "overflows",
        "peak",
        "sock",
        "source",
        "worker",
    )

    def __init__(self, sock: socket.socket, worker: int | None, asked: int) -> None:
        self.sock = sock
        self.name = str(Endpoint(*sock.getsockname()[:2]))
        self.worker = ALL_WORKERS if worker is None else str(worker)
        cookie = sock.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)
        self.cookie = int.from_bytes(cookie, sys.byteorder)
        self.asked = asked
        self.depth = self.limit = self.high_water = 0
        #: The deepest since the last look.
        self.peak = 0
        self.drops: int | None = None
        self.overflows = 0
        self.source = "socket"
        self.fast_open_limit: int | None = None
        self.fast_open_depth = 0


class QueueProbe:
    """Watches listeners; ``readings`` are the kernel's own where none are given."""

    def __init__(self, readings: Readings | None = None) -> None:
        self.watched: list[Watched] = []
        self._configured: int | None = None
        self._adaptive = False
        self._readings = readings or _kernel_readings()
        self._somaxconn = 0
        self._overflows: int | None = None
        #: Overflows of the last look that no listener of ours has dropped yet.
        self._open = 0
        self._counters: Mapping[str, int] = {}
        self._next_warning = 0.0
        self._told: set[str] = set()

    def watch(
        self, listeners: Iterable[Owned], configured: int | None = None, adaptive: bool = False
    ) -> None:
        """Watch these and no others; what was seen of one that was watched before is kept.

        ``configured`` and ``adaptive`` are what the operator wants of their backlogs.
        """
        self._configured, self._adaptive = configured, adaptive
        before = {watched.sock: watched for watched in self.watched}
        self._somaxconn = self._readings.somaxconn()
        asked = self._somaxconn if self._configured is None else self._configured
        self.watched = [
            before.get(sock) or Watched(sock, worker, asked) for sock, worker in listeners
        ]
        self.glance()

    def glance(self) -> None:
        """See how deep each queue is, and let one that is nearly full be longer."""
        for watched in self.watched:
            queue = self._readings.queue(watched.sock)
            if queue is None:
                self._tell("this system does not tell its accept queues")
                continue
            watched.depth, watched.limit = queue
            watched.peak = max(watched.peak, watched.depth)
            watched.high_water = max(watched.high_water, watched.depth)
            self._adapt(watched)

    def look(self, now: float) -> None:
        """``glance``, and see what was turned away; ``now`` paces the warnings."""
        self._somaxconn = self._readings.somaxconn()
        self.glance()
        found = self._attempt(self._readings.drops) or {}
        # Read second, so that an overflow between the two is in the namespace's count and in no
        # listener's: it is kept for the next look to be charged.
        namespace = self._namespace()
        losers = [(self._charge(one, found, namespace + self._open), one) for one in self.watched]
        self._open = max(0, namespace - sum(lost for lost, _ in losers))
        for watched in self.watched:
            watched.fast_open_limit = fast_open_limit(watched.sock)
            if watched.fast_open_limit:
                at = watched.sock.family, watched.sock.getsockname()[1]
                depth = self._attempt(partial(self._readings.half_accepted, *at))
                watched.fast_open_depth = depth or 0
        self._warn(losers, now)
        for watched in self.watched:
            watched.peak = watched.depth

    def figures(self, figures: Figures) -> None:
        """Note what was seen."""
        for one in self.watched:
            at = one.name, one.worker
            figures.set("listener_backlog_asked", one.asked, *at)
            figures.set("listener_accept_queue_limit", one.limit, *at)
            figures.set("listener_accept_queue_depth", one.depth, *at)
            figures.set("listener_accept_queue_high_water", one.high_water, *at)
            figures.set("listener_overflows_total", one.overflows, *at, one.source)
            if one.drops is not None:
                figures.set("listener_drops_total", one.drops, *at)
            if one.fast_open_limit is not None:
                figures.set("listener_fast_open_limit", one.fast_open_limit, *at)
            if one.fast_open_limit:
                figures.set("listener_fast_open_depth", one.fast_open_depth, one.name)
        figures.set("somaxconn", self._somaxconn)
        for name, series in (("ListenOverflows", "overflows"), ("ListenDrops", "drops")):
            if name in self._counters:
                figures.set(f"listen_{series}_total", self._counters[name])

    def close(self) -> None:
        """Watch nothing, and let go of what it was read with."""
        self.watched = []
        self._readings.close()

    def crowded(self) -> list[str]:
        """The queues that are nearly full, in words; empty where every listener has headroom."""
        return [
            f"the accept queue of {one.name} is at {one.depth} of {one.limit}"
            for one in self.watched
            if one.depth > NEARLY_FULL * one.limit
        ]

    def status(self) -> str:
        """The fullest queue in a few words."""
        if not self.watched:
            return "no listener"
        one = max(self.watched, key=lambda w: w.depth / (w.limit + 1))
        others = f" (the fullest of {len(self.watched)})" if len(self.watched) > 1 else ""
        return f"accept queue {one.depth}/{one.limit} at {one.name}{others}"

    def _adapt(self, watched: Watched) -> None:
        wanted = next_backlog(
            self._configured, self._adaptive, watched.depth, watched.limit, self._somaxconn
        )
        if wanted is None:
            return
        try:
            # [linux __inet_listen_sk] on a socket that listens this only replaces the limit
            watched.sock.listen(wanted)
        except OSError as error:
            self._tell(f"listen({wanted}) again: {error.strerror}")
            return
        before, watched.asked = watched.limit, wanted
        watched.limit = (self._readings.queue(watched.sock) or (0, wanted))[1]
        _log.info(
            "the accept queue of %s may hold %d instead of %d: %s",
            watched.name,
            watched.limit,
            before,
            f"it was at {watched.depth}"
            if watched.depth > NEARLY_FULL * before
            else f"net.core.somaxconn is {self._somaxconn}",
        )

    def _namespace(self) -> int:
        """The increase of ``ListenOverflows`` since the last look."""
        self._counters = self._attempt(self._readings.counters) or self._counters
        overflows = self._counters.get("ListenOverflows")
        before, self._overflows = self._overflows, overflows
        return max(0, overflows - before) if overflows is not None and before is not None else 0

    def _charge(self, watched: Watched, found: Mapping[int, int | None], namespace: int) -> int:
        """Count what ``watched`` has turned away since the last look, and return it."""
        drops, before = found.get(watched.cookie), watched.drops
        if drops is None:
            lost, watched.source = namespace, "namespace"
        else:
            watched.drops, watched.source = drops, "socket"
            lost = min(namespace, max(0, drops - before)) if before is not None else 0
        watched.overflows += lost
        return lost

    def _warn(self, losers: Sequence[tuple[int, Watched]], now: float) -> None:
        troubled = [
            (lost, one) for lost, one in losers if lost or one.peak > NEARLY_FULL * one.limit
        ]
        if not troubled or now < self._next_warning:
            return
        self._next_warning = now + _WARN_EVERY
        lost, one = max(troubled, key=lambda pair: (pair[0], pair[1].peak))
        whose = "" if one.source == "socket" else " in this network namespace"
        what = f"{lost} times a client was turned away{whose}" if lost else "nearly full"
        more = f"; {len(troubled) - 1} other queues too" if len(troubled) > 1 else ""
        _log.warning(
            "the accept queue of %s %s %d of %d: %s%s; %s",
            one.name,
            # A loop that stood still has seen nothing of it, and the kernel has counted.
            "was at"
            if not lost or one.source != "socket" or one.peak > one.limit
            else "was full between two looks, which saw",
            one.peak,
            one.limit,
            what,
            more,
            remedy(self._configured, self._adaptive, one.limit, self._somaxconn),
        )

    def _attempt(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except ObserveError as error:
            self._tell(str(error))
            return None

    def _tell(self, problem: str) -> None:
        if problem not in self._told:
            self._told.add(problem)
            _log.warning("%s; the queues are watched without it", problem)


def _kernel_readings() -> Readings:
    diag = SockDiag()
    info = 1 << Extension.INFO

    def half_accepted(family: int, port: int) -> int:
        # [linux tcp_fastopen_create_child] what Fast Open let in is a whole socket in SYN_RECV; a
        # half-open request, which the kernel lists with it, is none and has no tcp_info
        found = diag.sockets(family, 1 << TCP_SYN_RECV, port, info)
        return sum(1 for one in found if one.tcp_info is not None)

    return Readings(
        lambda: {each.cookie: each.drops for each in kernel.listeners(diag)},
        netstat.counters,
        half_accepted,
        diag.close,
    )
