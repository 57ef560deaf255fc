"""A listening socket and its two queues.

The SYN queue holds half-open requests; the accept queue holds connections that wait for
``accept()``. What fits into either is not decided here: the queues count, and the gates of the
profile ask them. Systems with one queue have both of these too, and a gate that adds them up.
"""

from collections import deque
from typing import Protocol

from ..endpoint import Endpoint
from .ceiling import Counted, Sizes
from .connection import Connection
from .instant import Instant
from .profile import AckGate, Gate, Profile, Verdict
from .request import Request
from .states import State
from .sysctl import Sysctl

__all__ = ["AcceptQueue", "FastOpenQueue", "Listener", "SynQueue"]


_COUNTED = tuple(Counted)


class _Aging(Protocol):
    @property
    def young(self) -> bool: ...


class SynQueue:
    """Half-open requests of one listener, counted; the requests themselves are the namespace's.

    [linux inet_csk_reqsk_queue_added] It survives the listener's shutdown and its next listen():
    the requests are in the table of connections, and only know whose they are.
    """

    __slots__ = ("depth", "limit", "young")

    def __init__(self) -> None:
        self.depth = 0
        self.young = 0
        #: What ``depth`` is compared with by the first gate that counts it, None where none does.
        self.limit: int | None = None

    def add(self, request: _Aging) -> None:
        """Count a request in."""
        self.depth += 1
        self.young += request.young

    def remove(self, request: _Aging) -> None:
        """Count a request out."""
        self.depth -= 1
        self.young -= request.young


class AcceptQueue:
    """Connections that wait for accept(), first come, first served."""

    __slots__ = ("connections", "limit")

    def __init__(self) -> None:
        self.connections: deque[Connection] = deque()
        #: What listen() made of its backlog; ``ss`` shows it as Send-Q.
        self.limit = 0

    @property
    def depth(self) -> int:
        """How many wait; ``ss`` shows it as Recv-Q."""
        return len(self.connections)


class FastOpenQueue:
    """Connections made at their SYN whose handshake is not over: [RFC7413 §5.1] pending requests.

    They wait in the accept queue too; this count only bounds how many a spoofer can make.
    """

    __slots__ = ("depth", "limit", "parked")

    def __init__(self) -> None:
        self.depth = 0
        #: TCP_FASTOPEN's value; 0 turns it off.
        self.limit = 0
        #: [linux reqsk_fastopen_remove] until when each slot stays taken whose SYN an RST disowned
        self.parked: deque[Instant] = deque()


class Listener:
    """A socket that listens, did listen, or will."""

    __slots__ = (
        "accept_queue",
        "ack_capacity",
        "backlog",
        "defer_accept",
        "deferred",
        "drops",
        "fast_open",
        "first_limit",
        "flood_logged",
        "local",
        "number",
        "profile",
        "reuse_port",
        "state",
        "syn_capacities",
        "syn_queue",
        "syn_retries",
    )

    def __init__(self, number: int, local: Endpoint, profile: Profile, reuse_port: bool) -> None:
        self.number = number
        self.local = local
        self.profile = profile
        self.reuse_port = reuse_port
        self.state = State.CLOSED
        self.syn_queue = SynQueue()
        self.accept_queue = AcceptQueue()
        #: listen()'s latest argument, as it was given.
        self.backlog: int | None = None
        self.first_limit = 0
        #: ``sk_drops``, the only counter that a listener has for itself.
        self.drops = 0
        #: TCP_SYNCNT; 0 where it was not set.
        self.syn_retries = 0
        #: TCP_DEFER_ACCEPT, in timeouts.
        self.defer_accept = 0
        self.fast_open = FastOpenQueue()
        #: Complete handshakes that wait for room, and count as half-open (OnAckFull.DEFER).
        self.deferred: deque[tuple[Request, Connection]] = deque()
        #: The kernel warns of SYN flooding once in a listener's life.
        self.flood_logged = False
        #: For each gate the position of its count in Counted, how many fit, and the gate.
        self.syn_capacities: tuple[tuple[int, int, Gate], ...] = ()
        self.ack_capacity: int | None = None

    def __repr__(self) -> str:
        """Short enough for a failing test."""
        n, n0 = self.accept_queue, self.syn_queue
        return (
            f"<Listener {self.number} {self.local} {self.state!r} "
            f"accept_queue {n.depth}/{n.limit} syn_queue {n0.depth}/{n0.limit}>"
        )

    def sizes(self, sysctl: Sysctl) -> Sizes:
        """What its ceilings depend on."""
        return Sizes(self.accept_queue.limit, self.first_limit, sysctl.tcp_max_syn_backlog)

    def resize(self, sysctl: Sysctl) -> None:
        """Work out what fits, after listen() or a change of settings."""
        sizes = self.sizes(sysctl)
        gates = self.profile.syn_gates
        self.syn_capacities = tuple(
            (_COUNTED.index(gate.ceiling.counted), self._syn_capacity(gate, sizes, sysctl), gate)
            for gate in gates
        )
        ack_gate = self.profile.ack_gate
        self.ack_capacity = None if ack_gate is None else ack_gate.ceiling.capacity(sizes)
        half_open = (g.ceiling for g in gates if g.ceiling.counted is not Counted.ACCEPT_QUEUE)
        first = next(half_open, None)
        self.syn_queue.limit = None if first is None else first.bound(sizes)

    @staticmethod
    def _syn_capacity(gate: Gate, sizes: Sizes, sysctl: Sysctl) -> int:
        # [linux tcp_conn_request] mode 2 takes the SYN queue for full before it looks
        always = gate.verdict is Verdict.COOKIE and sysctl.tcp_syncookies == 2
        return 0 if always else gate.ceiling.capacity(sizes)

    def refuses_ack(self) -> AckGate | None:
        """The gate that is shut for a final ACK, or None."""
        if self.ack_capacity is None or len(self.accept_queue.connections) < self.ack_capacity:
            return None
        return self.profile.ack_gate
