"""What all listeners and connections of one host share, and the few verbs that everything uses.

It is Linux's network namespace: settings, counters, the table of connections (in which half-open
requests stand beside sockets), timers. The modules around it are functions on it; ``Host`` is its
outside. Nothing here decides anything about a queue.
"""

from ..endpoint import Endpoint
from .admission import is_limited
from .connection import Connection
from .counters import (
    ATTEMPT_FAILS,
    ESTAB_RESETS,
    OUT_RSTS,
    SK_DROPS,
    TCP_MIGRATE_REQ_FAILURE,
    Counters,
)
from .effects import (
    ArmTimer,
    ChangeState,
    Count,
    DropSegment,
    Effect,
    Fail,
    Removal,
    RemoveRequest,
    SendSegment,
    TimerKind,
)
from .instant import Instant
from .keyed import Keyed
from .listener import Listener
from .profile import Profile
from .request import Request
from .reuseport import Group, choose
from .segment import ACK, RST, SYN, Flow, Segment
from .states import State
from .sysctl import Sysctl
from .timers import Timers

__all__ = ["Namespace"]

_ANY = ("0.0.0.0", "::")


class Namespace:
    """The state of a host."""

    __slots__ = (
        "connections",
        "counters",
        "effects",
        "groups",
        "keyed",
        "listeners",
        "profile",
        "proven",
        "requests",
        "sysctl",
        "timers",
    )

    def __init__(self, profile: Profile, sysctl: Sysctl, secret: bytes) -> None:
        self.profile = profile
        self.sysctl = sysctl
        self.keyed = Keyed(secret)
        self.counters = Counters()
        self.effects: list[Effect] = []
        self.listeners: list[Listener] = []
        self.groups: dict[Endpoint, Group] = {}
        self.requests: dict[Flow, Request] = {}
        self.connections: dict[Flow, Connection] = {}
        self.timers: Timers[Request | Connection] = Timers()
        #: [linux tcp_peer_is_proven] hosts whose round-trip time an earlier connection measured
        self.proven: set[str] = set()

    def emit(self, effect: Effect) -> None:
        """Do something: hand it to whoever called."""
        self.effects.append(effect)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter under Linux's name, if this system has it."""
        names = self.profile.counter_names
        if names is not None:
            if name not in names:
                return
            name = names[name]
        self.counters.add(name, amount)
        self.effects.append(Count(name, amount))

    def count_own(self, names: tuple[str, ...]) -> None:
        """Add to counters under the names that the profile gives."""
        for name in names:
            self.counters.add(name)
            self.effects.append(Count(name))

    def count_drop(self, listener: Listener, amount: int = 1) -> None:
        """[linux sk_drops_skbadd] a listener lost a segment."""
        if self.profile.counter_names is None:
            listener.drops += amount
            self.effects.append(Count(SK_DROPS, amount, listener.number))

    def count_loss(self, listener: Listener) -> None:
        """[linux tcp_listendrop] a listener lost a connection that might have been."""
        self.count_own(self.profile.drop_counters)
        self.count_drop(listener)

    def send(self, segment: Segment, reason: str) -> None:
        """Put a segment on the wire."""
        self.effects.append(SendSegment(segment, reason))

    def reset(self, segment: Segment, reason: str) -> None:
        """[RFC9293 §3.5.2] answer a segment by an RST that its sender must believe."""
        if segment.flags & RST:
            self.emit(DropSegment(segment, "an RST is never answered by one"))
            return
        if segment.flags & ACK:
            answer = Segment(segment.dst, segment.src, RST, segment.ack, window=0)
        else:
            answer = Segment(segment.dst, segment.src, RST | ACK, 0, segment.end_seq, window=0)
        self.send(answer, reason)
        self.count(OUT_RSTS)

    def limited_unless_data(
        self, block: Request | Connection, segment: Segment, now: Instant, counter: str
    ) -> bool:
        """[linux tcp_oow_rate_limited] the same, but data is no part of a loop of ACKs."""
        if segment.seq != segment.end_seq and not segment.flags & SYN:
            return False
        return self.limited(block, now, counter)

    def limited(self, block: Request | Connection, now: Instant, counter: str) -> bool:
        """[linux __tcp_oow_rate_limited] whether a block has answered nonsense a moment ago."""
        if is_limited(block.answered_bad_at, self.sysctl, now):
            self.count(counter)
            return True
        block.answered_bad_at = now
        return False

    def arm(self, block: Request | Connection, kind: TimerKind, at: Instant, reason: str) -> None:
        """Give a block its only deadline."""
        self.timers.arm(block, at)
        self.effects.append(ArmTimer(kind, block.flow, at, reason))

    def change_state(self, connection: Connection, new: State, reason: str) -> None:
        """Move a connection to another state."""
        old, connection.state = connection.state, new
        self.effects.append(ChangeState(connection.flow, old, new, reason))

    def close_connection(
        self, connection: Connection, reason: str, error: int | None = None, failed: bool = False
    ) -> None:
        """Forget a connection. In an accept queue it keeps its place, with its error.

        ``failed`` says that the protocol gave up, and not the connection's owner.
        """
        old = connection.state
        connection.deadline = None
        self.connections.pop(connection.flow, None)
        self.change_state(connection, State.CLOSED, reason)
        if error is not None:
            connection.error = error
            self.emit(Fail(connection.flow, error, reason))
        if failed and old in (State.SYN_SENT, State.SYN_RECEIVED):
            self.count(ATTEMPT_FAILS)
        if old in (State.ESTABLISHED, State.CLOSE_WAIT):
            self.count(ESTAB_RESETS)

    def remove_request(self, request: Request, cause: Removal, reason: str) -> None:
        """Take a request out of its queue and out of the table."""
        listener = request.listener
        request.deadline = None
        del self.requests[request.flow]
        listener.syn_queue.remove(request)
        depth = listener.syn_queue.depth
        self.emit(RemoveRequest(request.flow, listener.number, cause, depth, reason))

    def listener_for(self, flow: Flow) -> Listener | None:
        """Who listens for a flow: the most specific endpoint, and one of its group."""
        host, port = flow.local
        for candidate in (host, *_ANY):
            group = self.groups.get(Endpoint(candidate, port))
            if group is None or not group.members:
                continue
            if len(group.members) == 1:
                found: Listener | None = group.members[0]
                found = found if found and found.state is State.LISTEN else None
            else:
                found = choose(group.members, self.keyed.word("reuseport", flow))
            if found is not None:
                return found
        return None

    def orphan(self, request: Request) -> None:
        """Drop a request whose listener is closed and has no heir."""
        self.remove_request(request, Removal.ORPHANED, "its listener is closed")
        self.count_failed_migration(request.listener)

    def count_failed_migration(self, listener: Listener) -> None:
        """[linux reuseport_migrate_sock] there should have been an heir, and there was none."""
        if self.sysctl.tcp_migrate_req and listener.reuse_port:
            self.count(TCP_MIGRATE_REQ_FAILURE)

    def owner_of(self, request: Request) -> Listener | None:
        """The listener that speaks for a request: its own, or who inherits from it, or None."""
        listener = request.listener
        if listener.state is State.LISTEN:
            return listener
        return self.heir_of(listener, request.flow)

    def heir_of(self, listener: Listener, flow: Flow) -> Listener | None:
        """[linux reuseport_migrate_sock] who takes over what a closed listener had, or None."""
        if not (self.sysctl.tcp_migrate_req and listener.reuse_port):
            return None
        group = self.groups.get(listener.local)
        if group is None:
            return None
        return choose(group.members, self.keyed.word("reuseport", flow))
