"""What one system does differently from another: the types of which profiles are made.

A profile answers five questions. What does listen(b) make of b (``clamp``)? When is a SYN turned
away, and how (``syn_gates``, asked in order)? When is a final ACK, and how (``ack_gate``)? When is
a SYN/ACK sent again, and when given up (``schedule``, ``aging``)? Which switches are there
(``features``, ``knobs``)? Each answer carries its source, so that a table of systems can say where
a number comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import ConfigError
from .ceiling import Ceiling
from .counters import MEANINGS
from .instant import Duration
from .named import Named
from .states import State
from .sysctl import KNOBS, Sysctl

__all__ = [
    "AckGate",
    "Below",
    "Citation",
    "Clamp",
    "Condition",
    "Exempt",
    "Feature",
    "Gate",
    "Leftover",
    "OnAckFull",
    "Profile",
    "Schedule",
    "Standing",
    "Verdict",
]


class Standing(Named):
    """How well a fact is known."""

    OBSERVED = "seen on a running kernel"
    SOURCE = "read in the system's source"
    DOCUMENTED = "said by its documentation"
    REMEMBERED = "from memory, not verified"


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a fact comes from."""

    where: str
    standing: Standing = Standing.SOURCE


class Below(Named):
    """What a backlog below the least becomes."""

    LEAST = "the least"
    #: An unsigned comparison makes a huge number of it.
    GREATEST = "the greatest"


@dataclass(frozen=True, slots=True)
class Clamp:
    """From listen()'s backlog to the listener's limit.

    ``greatest`` None means the namespace's somaxconn; ``raised_to`` is a floor that applies last.
    """

    source: Citation
    least: int = 0
    below: Below = Below.LEAST
    greatest: int | None = None
    raised_to: int = 0

    def limit(self, backlog: int, somaxconn: int) -> int:
        """The limit for a backlog; listen() itself never fails over it."""
        greatest = somaxconn if self.greatest is None else self.greatest
        if backlog < self.least:
            backlog = self.least if self.below is Below.LEAST else greatest
        return max(min(backlog, greatest), self.raised_to)


class Verdict(Named):
    """What happens to a SYN at a gate that is shut."""

    DROP = "dropped in silence"
    RESET = "answered by RST"
    #: Remembered nowhere; without syncookies, dropped.
    COOKIE = "answered by a cookie"
    #: The oldest request goes; the SYN is dropped only where there is none.
    EVICT = "admitted in place of an older one"


class Condition(Named):
    """When a gate applies at all."""

    ALWAYS = "always"
    WITHOUT_SYNCOOKIES = "syncookies are off"
    #: [linux inet_csk_reqsk_queue_young] a request is young until its first timeout
    SEVERAL_YOUNG = "more than one request is young"


class Exempt(Named):
    """Which SYNs pass a gate that is shut."""

    #: It re-uses the endpoints of a connection in TIME_WAIT.
    REUSED = "from TIME_WAIT"
    #: An earlier connection has left a round-trip time for this peer.
    PROVEN = "from a peer with known metrics"


@dataclass(frozen=True, slots=True)
class Gate:
    """One question that a SYN has to pass."""

    ceiling: Ceiling
    verdict: Verdict
    reason: str
    source: Citation
    counters: tuple[str, ...] = ()
    condition: Condition = Condition.ALWAYS
    exempt: frozenset[Exempt] = frozenset()


class OnAckFull(Named):
    """What happens to a final ACK that finds no room."""

    KEEP = "ignored; the request stays and SYN/ACK is sent again"
    RESET = "answered by RST; the request is gone"
    FORGET = "ignored; the request is gone"
    DEFER = "taken; the connection waits among the requests until there is room"


@dataclass(frozen=True, slots=True)
class AckGate:
    """The question that a final ACK has to pass."""

    ceiling: Ceiling
    on_full: OnAckFull
    reason: str
    source: Citation
    counters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a SYN/ACK is sent again and when the request expires.

    ``intervals`` are the times between sends; the last one repeats. The request expires at the
    end of the interval after the last retry (None: ``tcp_synack_retries`` of them), or after
    ``lifetime`` if that is earlier.
    """

    intervals: tuple[Duration, ...]
    source: Citation
    retries: int | None = None
    lifetime: Duration | None = None
    #: Say goodbye with an RST at expiry.
    reset_at_expiry: bool = False
    #: ``tcp_rto_max_ms`` shortens the intervals.
    capped: bool = False

    def interval(self, timeouts: int, rto_max: Duration) -> Duration:
        """How long to wait after that many timeouts."""
        intervals = self.intervals
        interval = intervals[timeouts] if timeouts < len(intervals) else intervals[-1]
        return min(interval, rto_max) if self.capped else interval


class Feature(Named):
    """Switches that not every system has."""

    DEFER_ACCEPT = "TCP_DEFER_ACCEPT"
    SYNCNT = "TCP_SYNCNT"
    FAST_OPEN = "TCP_FASTOPEN"
    #: Several listeners on one endpoint, each with its own queues.
    REUSEPORT = "SO_REUSEPORT"


class Leftover(Named):
    """What becomes of half-open requests when their listener closes."""

    #: They stay until their next segment, which is answered by RST, or their next timeout.
    ORPHANED = "stay until something happens"
    RESET = "each is reset"
    FORGOTTEN = "each is forgotten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One system, or one range of its versions."""

    name: str
    title: str
    clamp: Clamp
    syn_gates: tuple[Gate, ...]
    #: None: a handshake that began can always end.
    ack_gate: AckGate | None
    schedule: Schedule
    half_open: State = State.SYN_RECEIVED
    #: A half-open request goes by an RST at exactly ``rcv_nxt``; elsewhere in the window one is
    #: challenged. Without it any RST in the window will do.
    strict_rst: bool = False
    #: Under this pressure old requests expire early.
    aging: Ceiling | None = None
    leftover: Leftover = Leftover.ORPHANED
    #: Counted for every SYN, ACK or request that a listener loses.
    drop_counters: tuple[str, ...] = ()
    #: Linux's names to the system's own, those that it counts; None where it is Linux.
    counter_names: Mapping[str, str] | None = field(default_factory=dict)
    features: frozenset[Feature] = frozenset()
    #: Which of ``sysctl.KNOBS`` the system has.
    knobs: frozenset[str] = frozenset({"somaxconn"})
    defaults: Sysctl = field(default_factory=Sysctl)
    remark: str = ""

    def sysctl(self, settings: Mapping[str, int] | None = None) -> Sysctl:
        """The system's defaults with ``settings`` over them.

        Raises ``ConfigError`` for a value that is impossible, or a setting that it does not have.
        """
        result = self.defaults
        for name, value in (settings or {}).items():
            result = self.change(result, name, value)
        return result

    def change(self, sysctl: Sysctl, name: str, value: int) -> Sysctl:
        """``sysctl`` with one value changed. Raises ``ConfigError`` as above."""
        if name in KNOBS and name not in self.knobs:
            has = ", ".join(sorted(self.knobs))
            raise ConfigError(f"sysctl {name}", f"{self.name} has none", f"it has {has}")
        return sysctl.with_value(name, value)

    def counted(self) -> frozenset[str]:
        """The names of all counters that it has, under its own names."""
        if self.counter_names is None:
            return frozenset(MEANINGS)
        gates = (*self.syn_gates, *([self.ack_gate] if self.ack_gate else ()))
        own = (name for gate in gates for name in gate.counters)
        return frozenset((*self.counter_names.values(), *self.drop_counters, *own))

    def citations(self) -> dict[str, Citation]:
        """Where each of its facts comes from."""
        sources = {"clamp": self.clamp.source, "schedule": self.schedule.source}
        sources |= {f"syn: {gate.reason}": gate.source for gate in self.syn_gates}
        if self.ack_gate:
            sources[f"ack: {self.ack_gate.reason}"] = self.ack_gate.source
        return sources
