"""What each state does with each kind of segment: the table, and nothing else.

Two rules keep it readable. An *arrival* is what a segment is to the state that receives it
(``arrival`` decides that, in the order of the kernel's tests), so a row needs no conditions. And a
*step* names one action and every state in which its flow can be afterwards: whether a SYN opens a
request or a final ACK completes it is decided by the queues, not here.

[RFC9293 §3.10.7] is the source of the rows, with three additions:

- ``TCP_NEW_SYN_RECV`` is Linux's half-open request. It is no socket: it lives in the table of
  connections, belongs to its listener's ``syn_queue``, and becomes a socket at the final ACK.
  ``SYN_RECEIVED`` is the RFC's state: a socket made at the SYN, as in 4.4BSD, and as Linux makes
  one for a Fast Open SYN. Their rows are the same; what completing means is not.
- [RFC5961 §4] a SYN in a synchronized state is answered by a challenge ACK. That is the "duplicate
  ACK" that a client sends when a server, who ignored its final ACK, repeats the SYN/ACK.
- [RFC5961 §3] an RST counts at exactly ``rcv_nxt``; elsewhere in the window it is challenged.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .named import Named

__all__ = ["SYNCHRONIZED", "TRANSITIONS", "Action", "Arrival", "State", "Step"]


class State(Named):
    """The states of RFC 9293, and Linux's request."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN_SENT"
    SYN_RECEIVED = "SYN_RECEIVED"
    TCP_NEW_SYN_RECV = "TCP_NEW_SYN_RECV"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN_WAIT_1"
    FIN_WAIT_2 = "FIN_WAIT_2"
    CLOSE_WAIT = "CLOSE_WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST_ACK"
    TIME_WAIT = "TIME_WAIT"


class Arrival(Named):
    """What a segment is to the state that receives it; the first that fits."""

    #: The SYN that began this, once more; in TIME_WAIT, any SYN that is not a new one.
    DUPLICATE_SYN = "the same SYN again"
    SYN = "SYN"
    SYN_ACK = "SYN and ACK"
    SYN_FIN = "SYN and FIN"
    #: It acknowledges what was never sent.
    BAD_ACK = "bad ACK"
    #: It acknowledges less than anybody could have meant: [RFC5961 §5] data by guesswork.
    OLD_ACK = "ACK from long ago"
    #: Nothing of it lies in the receive window.
    OUT_OF_WINDOW = "out of window"
    RST = "RST"
    #: In the window, but not at its left edge.
    INEXACT_RST = "RST elsewhere in the window"
    #: Out of the window, or to nobody.
    STRAY_RST = "RST out of window"
    #: Neither SYN nor RST nor ACK.
    NO_ACK = "no ACK"
    ACK = "bare ACK"
    TEXT = "ACK with data"
    FIN = "ACK with FIN"


class Action(Named):
    """What is done about it."""

    #: A cell that no segment reaches, since the state cannot tell the arrival.
    NEVER = "never happens"
    IGNORE = "ignore"
    #: Answer with an RST.
    RESET = "reset"
    #: Ask the queues whether a request may begin: admit, drop, or send a cookie.
    OPEN = "open"
    #: The ACK of nothing: a cookie comes back, or an RST is the answer.
    CHECK_COOKIE = "check for a cookie"
    RESEND_SYN_ACK = "send SYN/ACK again"
    #: Ask the queues whether the handshake may end: complete, keep, refuse or defer.
    COMPLETE = "complete"
    #: Forget the request, say nothing.
    REMOVE = "remove"
    #: Forget the request, and answer with an RST.
    REFUSE = "refuse"
    #: Say what was expected, at a limited rate.
    ACKNOWLEDGE = "acknowledge"
    #: The same to a SYN or an RST that may be forged.
    CHALLENGE = "challenge"
    #: The SYN was answered.
    CONNECT = "connect"
    #: The connection is gone, and its owner has an error.
    ABORT = "abort"
    #: Take the acknowledgement, then the data, then the FIN.
    PROCESS = "process"
    #: Give the pair of endpoints to a new request.
    REOPEN = "reopen"
    #: Begin the wait anew.
    LINGER = "linger"


class Step(NamedTuple):
    """One cell: what is done, and where the flow can be afterwards."""

    action: Action
    to: frozenset[State]


A, S, X = Arrival, State, Action

#: No block is left: what the flow's next segment meets is a listener, or nobody.
GONE = frozenset({S.CLOSED, S.LISTEN})
#: Both sequence numbers are known to both sides.
SYNCHRONIZED = frozenset(S) - GONE - {S.SYN_SENT, S.SYN_RECEIVED, S.TCP_NEW_SYN_RECV}


def _stay(state: State, action: Action, *arrivals: Arrival) -> dict[Arrival, Step]:
    to = GONE if state in GONE else frozenset({state})
    return dict.fromkeys(arrivals, Step(action, to))


def _go(action: Action, *to: State, gone: bool = False) -> Step:
    return Step(action, frozenset(to) | (GONE if gone else frozenset()))


# Without a connection there is no window and no expected ACK, so no segment can miss them.
_NO_WINDOW = (A.DUPLICATE_SYN, A.BAD_ACK, A.OLD_ACK, A.OUT_OF_WINDOW, A.RST, A.INEXACT_RST)

_CLOSED = {
    **_stay(S.CLOSED, X.NEVER, *_NO_WINDOW),
    # [RFC9293 §3.10.7.1] anything but an RST is answered by one
    **_stay(S.CLOSED, X.RESET, A.SYN, A.SYN_ACK, A.SYN_FIN, A.NO_ACK, A.ACK, A.TEXT, A.FIN),
    **_stay(S.CLOSED, X.IGNORE, A.STRAY_RST),
}

_LISTEN = {
    **_stay(S.LISTEN, X.NEVER, *_NO_WINDOW),
    A.SYN: _go(X.OPEN, S.TCP_NEW_SYN_RECV, S.SYN_RECEIVED, gone=True),
    # [linux tcp_rcv_state_process] SYN with FIN is dropped; the RFC would take it
    **_stay(S.LISTEN, X.IGNORE, A.SYN_FIN, A.NO_ACK, A.STRAY_RST),
    **_stay(S.LISTEN, X.RESET, A.SYN_ACK),
    # A cookie's ACK may carry data and the FIN, and then leads further than ESTABLISHED.
    **dict.fromkeys(
        (A.ACK, A.TEXT, A.FIN), _go(X.CHECK_COOKIE, S.ESTABLISHED, S.CLOSE_WAIT, gone=True)
    ),
}

_SYN_SENT = {
    **_stay(S.SYN_SENT, X.NEVER, A.DUPLICATE_SYN, A.OLD_ACK, A.OUT_OF_WINDOW, A.INEXACT_RST),
    A.SYN_ACK: _go(X.CONNECT, S.ESTABLISHED),
    # [RFC9293 §3.5] simultaneous opens are left out: no listener takes part in one
    **_stay(S.SYN_SENT, X.IGNORE, A.SYN, A.SYN_FIN, A.STRAY_RST, A.NO_ACK, A.ACK, A.TEXT, A.FIN),
    **_stay(S.SYN_SENT, X.RESET, A.BAD_ACK),
    A.RST: _go(X.ABORT, gone=True),
}


def _half_open(state: State) -> dict[Arrival, Step]:
    """[linux tcp_check_req] a handshake that waits for its last segment."""
    complete = _go(X.COMPLETE, state, S.ESTABLISHED, S.CLOSE_WAIT, gone=True)
    return {
        **_stay(state, X.NEVER, A.OLD_ACK),
        **_stay(state, X.RESEND_SYN_ACK, A.DUPLICATE_SYN),
        # Its own sequence number was not acknowledged: an old connection, or somebody guesses.
        **_stay(state, X.RESET, A.BAD_ACK),
        **_stay(state, X.ACKNOWLEDGE, A.OUT_OF_WINDOW),
        # Only where the profile is strict; elsewhere any RST in the window counts.
        **_stay(state, X.CHALLENGE, A.INEXACT_RST),
        **_stay(state, X.IGNORE, A.STRAY_RST, A.NO_ACK),
        A.RST: _go(X.REMOVE, gone=True),
        # A connection that Fast Open made outlives it: its application may have accepted it.
        **dict.fromkeys((A.SYN, A.SYN_ACK, A.SYN_FIN), _go(X.REFUSE, state, gone=True)),
        **dict.fromkeys((A.ACK, A.TEXT, A.FIN), complete),
    }


def _synchronized(state: State, *to: State, on_fin: tuple[State, ...]) -> dict[Arrival, Step]:
    """A connection in ``state`` that an ACK may take to ``to`` and a FIN to ``on_fin``."""
    # An acceptable ACK may come with data for somebody who has closed: that ends in a reset.
    gone = state not in (S.ESTABLISHED, S.CLOSE_WAIT)
    process = _go(X.PROCESS, state, *to, gone=gone)
    return {
        **_stay(state, X.NEVER, A.DUPLICATE_SYN),
        **_stay(state, X.CHALLENGE, A.SYN, A.SYN_ACK, A.SYN_FIN, A.INEXACT_RST),
        **_stay(state, X.ACKNOWLEDGE, A.OUT_OF_WINDOW),
        # [RFC9293 §3.10.7.4] "send an ACK, drop the segment"; seen on 6.18.44 in every state
        **_stay(state, X.CHALLENGE, A.BAD_ACK, A.OLD_ACK),
        **_stay(state, X.IGNORE, A.STRAY_RST, A.NO_ACK),
        A.RST: _go(X.ABORT, gone=True),
        **dict.fromkeys((A.ACK, A.TEXT), process),
        A.FIN: _go(X.PROCESS, state, *to, *on_fin, gone=gone),
    }


_TIME_WAIT = {
    **_stay(S.TIME_WAIT, X.NEVER, A.BAD_ACK, A.OLD_ACK, A.INEXACT_RST),
    A.SYN: _go(X.REOPEN, S.TCP_NEW_SYN_RECV, S.SYN_RECEIVED, gone=True),
    **_stay(S.TIME_WAIT, X.ACKNOWLEDGE, A.DUPLICATE_SYN, A.SYN_ACK, A.SYN_FIN, A.OUT_OF_WINDOW),
    **_stay(S.TIME_WAIT, X.ACKNOWLEDGE, A.NO_ACK, A.TEXT, A.FIN),
    **_stay(S.TIME_WAIT, X.LINGER, A.ACK),
    **_stay(S.TIME_WAIT, X.IGNORE, A.STRAY_RST),
    A.RST: _go(X.ABORT, gone=True),
}

#: Every state and every arrival.
TRANSITIONS: Mapping[State, Mapping[Arrival, Step]] = MappingProxyType(
    {
        S.CLOSED: _CLOSED,
        S.LISTEN: _LISTEN,
        S.SYN_SENT: _SYN_SENT,
        S.SYN_RECEIVED: _half_open(S.SYN_RECEIVED),
        S.TCP_NEW_SYN_RECV: _half_open(S.TCP_NEW_SYN_RECV),
        S.ESTABLISHED: _synchronized(S.ESTABLISHED, on_fin=(S.CLOSE_WAIT,)),
        S.FIN_WAIT_1: _synchronized(S.FIN_WAIT_1, S.FIN_WAIT_2, on_fin=(S.CLOSING, S.TIME_WAIT)),
        S.FIN_WAIT_2: _synchronized(S.FIN_WAIT_2, on_fin=(S.TIME_WAIT,)),
        S.CLOSE_WAIT: _synchronized(S.CLOSE_WAIT, on_fin=()),
        S.CLOSING: _synchronized(S.CLOSING, S.TIME_WAIT, on_fin=()),
        S.LAST_ACK: _synchronized(S.LAST_ACK, on_fin=()),
        S.TIME_WAIT: _TIME_WAIT,
    }
)
