"""A half-open request, and how long it lives.

The timer of a request is the whole of its patience. It sends the SYN/ACK again after 1, 2, 4, …
seconds and gives up one interval after the last; with five retries that is 63 seconds. Three
things bend this: a crowd of old requests (they age faster), ``TCP_DEFER_ACCEPT`` (a bare ACK keeps
the request and silences the timer), and a fixed lifetime where a system has one.

What it does not know is whether the client already believes that it is connected. A request whose
final ACK was refused looks and ages like one whose client never answered.
"""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from .instant import Duration, Instant
from .segment import Flow, Option, Timestamps
from .seqnum import SeqNum

if TYPE_CHECKING:
    from .listener import Listener

__all__ = ["Firing", "Request", "allowed_retries", "fire", "retrans_to_secs", "secs_to_retrans"]


class Request:
    """One entry of a SYN queue: what the SYN said, what was answered, and how often."""

    __slots__ = (
        "acked",
        "answered_bad_at",
        "born",
        "deadline",
        "fast_open_cookie",
        "first_tsval",
        "flow",
        "irs",
        "iss",
        "last_tsval",
        "listener",
        "peer_options",
        "peer_window",
        "rcv_nxt",
        "retransmits",
        "timeouts",
        "ts_recent",
        "window",
    )

    def __init__(
        self,
        flow: Flow,
        listener: "Listener",
        irs: SeqNum,
        iss: SeqNum,
        peer_options: tuple[Option, ...],
        peer_window: int,
        now: Instant,
    ) -> None:
        self.flow = flow
        self.listener = listener
        self.irs = irs
        self.iss = iss
        self.rcv_nxt: SeqNum = (irs + 1) & 0xFFFFFFFF
        self.window = 65535
        self.peer_options = peer_options
        self.peer_window = peer_window
        #: The Fast Open cookie that the SYN/ACK carries.
        self.fast_open_cookie: bytes | None = None
        self.born = now
        self.deadline: Instant | None = None
        #: How often the timer fired; the interval doubles with it.
        self.timeouts = 0
        #: How often SYN/ACK was sent again, for a timeout or for a SYN that came again.
        self.retransmits = 0
        #: A final ACK came and was refused or deferred.
        self.acked = False
        #: When a segment that made no sense was last answered.
        self.answered_bad_at: Instant | None = None
        stamp = next((o for o in peer_options if isinstance(o, Timestamps)), None)
        self.ts_recent = None if stamp is None else stamp.tsval
        self.first_tsval: int | None = None
        self.last_tsval: int | None = None

    @property
    def young(self) -> bool:
        """[linux reqsk_queue_added] no timeout yet."""
        return self.timeouts == 0


class Firing(NamedTuple):
    """What a timeout means for a request."""

    expired: bool
    resend: bool


def allowed_retries(retries: int, depth: int, young: int, crowded: bool) -> int:
    """How many SYN/ACKs a request may have sent again before it expires.

    [linux reqsk_timer_handler] In a crowd, half of the room is kept for the young: old requests
    lose retries, down to two, until the young are the majority of what remains.
    """
    if crowded:
        young *= 2
        while retries > 2 and depth >= young:
            retries -= 1
            young *= 2
    return retries


class _Answerable(Protocol):
    timeouts: int
    acked: bool


def fire(request: _Answerable, retries: int, defer_accept: int) -> Firing:
    """[linux syn_ack_recalc] judge a timeout, before it is counted."""
    if defer_accept == 0:
        return Firing(request.timeouts >= retries, resend=True)
    late = request.timeouts >= defer_accept
    return Firing(
        expired=request.timeouts >= retries and (not request.acked or late),
        # One last SYN/ACK at the end of the deferral, so that the client can say something.
        resend=not request.acked or request.timeouts >= defer_accept - 1,
    )


def secs_to_retrans(seconds: int, timeout: int = 1, rto_max: int = 120) -> int:
    """[linux secs_to_retrans] how many timeouts cover ``seconds``: TCP_DEFER_ACCEPT's unit."""
    if seconds <= 0:
        return 0
    count, period = 1, timeout
    while seconds > period and count < 255:
        count += 1
        timeout = min(timeout * 2, rto_max)
        period += timeout
    return count


def retrans_to_secs(count: int, timeout: int = 1, rto_max: int = 120) -> int:
    """[linux retrans_to_secs] the way back, which rounds up: 10 becomes 15."""
    period: Duration = 0
    for _ in range(count):
        period += timeout
        timeout = min(timeout * 2, rto_max)
    return period
