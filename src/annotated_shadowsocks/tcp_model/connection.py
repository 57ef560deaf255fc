"""One connection: the variables of RFC 9293, and the little that a listener's story needs of them.

A client and a server have the same block. It is complete as a state machine, and small as a
transport: an ACK for every segment with data (Linux waits 40 ms if a FIN comes with it), no
congestion window, no selective retransmission. What these would change is how fast data flows,
which is nobody's question about a listen queue.
"""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .instant import SECOND, Duration, Instant
from .segment import (
    Flow,
    MaximumSegmentSize,
    Option,
    SackPermitted,
    Segment,
    Timestamps,
    WindowScale,
    find,
)
from .seqnum import SeqNum, add
from .states import State

if TYPE_CHECKING:
    from .listener import Listener
    from .request import Request

__all__ = ["Connection", "Sent"]

# [RFC9293 §3.7.1] what a peer takes that did not say
_DEFAULT_MSS = 536


class Sent(NamedTuple):
    """A segment that was not acknowledged: what to send again, and when it went first."""

    seq: SeqNum
    flags: int
    payload: bytes
    end_seq: SeqNum
    at: Instant


class Connection:
    """A transmission control block."""

    __slots__ = (
        "answered_bad_at",
        "deadline",
        "eof",
        "error",
        "fin_wanted",
        "first_timeout_at",
        "flow",
        "inbox",
        "irs",
        "iss",
        "listener",
        "mss",
        "opened_at",
        "orphan",
        "out_of_order",
        "probed",
        "probing",
        "rcv_nxt",
        "request",
        "rto",
        "rttvar",
        "sack_permitted",
        "snd_nxt",
        "snd_scale",
        "snd_una",
        "snd_wnd",
        "srtt",
        "state",
        "syn_retries",
        "timeouts",
        "timestamps",
        "ts_recent",
        "unacked",
        "unsent",
        "window",
    )

    def __init__(self, flow: Flow, state: State, iss: SeqNum, now: Instant) -> None:
        self.flow = flow
        self.state = state
        self.iss = iss
        self.snd_una = iss
        self.snd_nxt = iss
        self.snd_wnd = 0
        self.snd_scale = 0
        self.irs: SeqNum = 0
        self.rcv_nxt: SeqNum = 0
        self.window = 65535
        self.mss = _DEFAULT_MSS
        self.sack_permitted = False
        self.timestamps = False
        self.ts_recent: int | None = None
        #: In whose accept queue it waits; None once it was accepted.
        self.listener: Listener | None = None
        #: The handshake that Fast Open has left open.
        self.request: Request | None = None
        self.inbox = b""
        self.eof = False
        self.error: int | None = None
        #: Its owner called close(): nobody reads any more.
        self.orphan = False
        self.out_of_order: dict[SeqNum, Segment] = {}
        self.unacked: deque[Sent] = deque()
        self.unsent = b""
        self.fin_wanted = False
        self.opened_at = now
        self.deadline: Instant | None = None
        #: The deadline is that of a tail loss probe.
        self.probing = False
        self.probed = False
        self.timeouts = 0
        self.first_timeout_at: Instant | None = None
        self.rto: Duration = SECOND
        self.srtt: Duration | None = None
        self.rttvar: Duration = 0
        self.syn_retries = 0
        self.answered_bad_at: Instant | None = None

    def __repr__(self) -> str:
        """Short enough for a failing test."""
        return f"<Connection {self.flow} {self.state!r}>"

    @property
    def is_open(self) -> bool:
        """Whether segments still reach it."""
        return self.state is not State.CLOSED

    def learn(self, irs: SeqNum, options: tuple[Option, ...], timestamps: bool) -> None:
        """Take what the peer's SYN said: its number, and which options both sides know."""
        self.irs = irs
        self.rcv_nxt = add(irs, 1)
        if not options:
            return
        size = find(options, MaximumSegmentSize)
        if size is not None:
            self.mss = max(1, size.value)
        scale = find(options, WindowScale)
        if scale is not None:
            # [RFC7323 §2.3] 14 at most, whatever it says
            self.snd_scale = min(scale.shift, 14)
        self.sack_permitted = find(options, SackPermitted) is not None
        stamp = find(options, Timestamps)
        self.timestamps = timestamps and stamp is not None
        self.ts_recent = stamp.tsval if stamp is not None and timestamps else None
