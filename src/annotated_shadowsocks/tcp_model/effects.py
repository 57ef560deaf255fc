"""What a kernel would do, as values: the output of every step of the model.

Each effect is an imperative with the operands that a driver needs and a ``reason`` that a reader
understands; the order is the order of doing. A driver that moves packets looks only at
``SendSegment``. A ladder diagram, a capture with comments, a plot of queue depth and a comparison
of counters need nothing that is not here, apart from the time of the step, which the caller knows.

Listeners are named by their number, in the order of ``bind``, and connections by their ``Flow``,
so that effects can be stored, compared and sent elsewhere. ``depth`` is that of the queue after
the effect.
"""

from dataclasses import dataclass
from typing import TypeAlias

from .counters import MEANINGS
from .instant import Instant
from .named import Named
from .segment import Flow, Segment
from .states import State

__all__ = [
    "AddRequest",
    "ArmTimer",
    "ChangeState",
    "Count",
    "Deliver",
    "Dequeue",
    "DropAck",
    "DropSegment",
    "DropSyn",
    "Effect",
    "Fail",
    "Move",
    "QueueAccept",
    "Removal",
    "RemoveRequest",
    "SendSegment",
    "SetLimit",
    "TimerKind",
    "WriteLog",
]


class Removal(Named):
    """How a half-open request ended."""

    COMPLETED = "the handshake is complete"
    EXPIRED = "no answer to any SYN/ACK"
    RESET = "the peer reset it"
    REFUSED = "another SYN on the same flow"
    OVERFLOW = "the accept queue is full, and the policy is to give up"
    EVICTED = "it made room for a newer one"
    UNREACHABLE = "ICMP says that the peer cannot be reached"
    ORPHANED = "its listener is gone"
    MOVED = "another listener has it"


class TimerKind(Named):
    """What a timer is for."""

    SYN_ACK = "send SYN/ACK again, or give up"
    SYN = "send SYN again, or give up"
    RETRANSMIT = "send the oldest unacknowledged segment again, or give up"
    LOSS_PROBE = "send the newest unacknowledged segment again"
    FIN_WAIT_2 = "wait no longer for the peer's FIN"
    TIME_WAIT = "forget the connection"


@dataclass(frozen=True, slots=True)
class SendSegment:
    """Put a segment on the wire."""

    segment: Segment
    reason: str


@dataclass(frozen=True, slots=True)
class DropSyn:
    """Turn a SYN away without a trace of it: no request, no answer."""

    segment: Segment
    listener: int
    reason: str


@dataclass(frozen=True, slots=True)
class DropAck:
    """Refuse to complete a handshake; the segment is lost with all that it carries."""

    segment: Segment
    listener: int
    reason: str


@dataclass(frozen=True, slots=True)
class DropSegment:
    """Throw any other segment away."""

    segment: Segment
    reason: str


@dataclass(frozen=True, slots=True)
class AddRequest:
    """Put a half-open request into the SYN queue."""

    flow: Flow
    listener: int
    depth: int
    reason: str


@dataclass(frozen=True, slots=True)
class RemoveRequest:
    """Take a half-open request out of the SYN queue."""

    flow: Flow
    listener: int
    cause: Removal
    depth: int
    reason: str


@dataclass(frozen=True, slots=True)
class QueueAccept:
    """Put a connection at the end of the accept queue."""

    flow: Flow
    listener: int
    depth: int
    reason: str


@dataclass(frozen=True, slots=True)
class Dequeue:
    """Take a connection out of the accept queue, for accept() or because the listener closes."""

    flow: Flow
    listener: int
    depth: int
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Hand a request or a queued connection from one listener to another."""

    flow: Flow
    listener: int
    target: int
    reason: str


@dataclass(frozen=True, slots=True)
class SetLimit:
    """Set a listener's limit: what listen() does to one that listens already."""

    listener: int
    limit: int
    reason: str


@dataclass(frozen=True, slots=True)
class ChangeState:
    """Move a connection from one state to another."""

    flow: Flow
    old: State
    new: State
    reason: str


@dataclass(frozen=True, slots=True)
class ArmTimer:
    """Call ``handle_timer`` at ``at``, unless something comes first."""

    kind: TimerKind
    flow: Flow
    at: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Have ``size`` more octets ready for the application, or with ``eof`` the end of them."""

    flow: Flow
    size: int
    eof: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """Give the connection's owner an error; ``errno`` is what its next call raises."""

    flow: Flow
    errno: int
    reason: str


@dataclass(frozen=True, slots=True)
class Count:
    """Add to a counter: of the namespace, or of one listener."""

    name: str
    amount: int = 1
    listener: int | None = None

    @property
    def reason(self) -> str:
        """When this counter goes up."""
        return MEANINGS.get(self.name, self.name)


@dataclass(frozen=True, slots=True)
class WriteLog:
    """Write a line to the kernel's log."""

    text: str
    reason: str


Effect: TypeAlias = (
    SendSegment
    | DropSyn
    | DropAck
    | DropSegment
    | AddRequest
    | RemoveRequest
    | QueueAccept
    | Dequeue
    | Move
    | SetLimit
    | ChangeState
    | ArmTimer
    | Deliver
    | Fail
    | Count
    | WriteLog
)
