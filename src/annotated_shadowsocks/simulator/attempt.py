"""One client's attempt to connect, and the half-open request that it may have at the server."""

from ..tcp_model.instant import Duration, Instant
from ..tcp_model.listener import Listener
from ..tcp_model.named import Named
from ..tcp_model.states import State

__all__ = ["NEVER", "Attempt", "HalfOpen", "Outcome"]

#: When what did not happen happened.
NEVER: Instant = -1

_SYN_SENT = State.SYN_SENT


class Outcome(Named):
    """How an attempt ends."""

    ACCEPTED = "accepted by a worker"
    QUEUED = "still in the accept queue when nothing more happens"
    TIMED_OUT = "connect() failed: ETIMEDOUT, or the client's own patience"
    REFUSED = "connect() failed: RST"
    RESET = "connect() succeeded, and an RST came later"
    STRANDED = "connect() succeeded, and the server has forgotten: it waits for ever"


class Attempt:
    """A client, from its first SYN to its end; the state is that of its own side."""

    __slots__ = (
        "accepted_at",
        "acknowledges",
        "challenged_at",
        "connected_at",
        "deadline",
        "delay",
        "insists",
        "knocks",
        "listener",
        "number",
        "outcome",
        "queued_at",
        "request",
        "requests",
        "spoken",
        "started_at",
        "state",
        "turned_away",
    )

    def __init__(self, number: int, listener: Listener, delay: Duration, now: Instant) -> None:
        self.number = number
        self.listener = listener
        self.delay = delay
        self.started_at = now
        self.state = _SYN_SENT
        self.outcome: Outcome | None = None
        #: How many SYNs it has sent, and how often what it says first.
        self.knocks = 1
        self.spoken = 0
        #: Of the client's only timer.
        self.deadline: Instant | None = None
        self.connected_at: Instant | None = None
        self.challenged_at: Instant | None = None
        #: The final ACK and what was said with it did not arrive, or were turned away.
        self.insists = False
        self.turned_away = False
        self.request: HalfOpen | None = None
        #: How many requests the server has had of it: the number of the latest one's SYN/ACK.
        self.requests = 0
        #: Which SYN/ACK it acknowledges: that of a request, or a cookie's, below zero.
        self.acknowledges = 0
        #: When the server's side was complete.
        self.queued_at: Instant = NEVER
        self.accepted_at: Instant = NEVER


class HalfOpen:
    """A request as ``tcp_model.admission`` and the queues need it."""

    __slots__ = ("acked", "answered_bad_at", "attempt", "born", "deadline", "timeouts", "young")

    def __init__(self, attempt: Attempt, now: Instant) -> None:
        self.attempt = attempt
        self.born = now
        self.timeouts = 0
        #: No timeout yet.
        self.young = True
        self.acked = False
        self.deadline: Instant | None = None
        self.answered_bad_at: Instant | None = None
