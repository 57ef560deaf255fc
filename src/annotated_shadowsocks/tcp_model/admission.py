"""What becomes of a SYN, of a final ACK and of a timeout, decided from numbers alone.

This is all that a simulation of many clients needs to know of a listener, and it is the same code
that decides for real segments: nothing here knows what a segment is, and nothing has an effect.
"""

from typing import NamedTuple, Protocol

from .ceiling import Counted
from .instant import Duration, Instant
from .listener import Listener
from .profile import AckGate, Condition, Exempt, Gate, OnAckFull, Schedule, Verdict
from .request import Firing, allowed_retries, fire
from .sysctl import Sysctl

__all__ = [
    "NOT_EXEMPT",
    "Admission",
    "Pending",
    "admit",
    "at_timeout",
    "defers",
    "is_limited",
    "next_timeout",
    "on_ack_full",
    "shut_gates",
]

NOT_EXEMPT: frozenset[Exempt] = frozenset()


class Pending(Protocol):
    """A half-open request, as far as its timer is concerned."""

    born: Instant
    timeouts: int
    acked: bool


class Admission(NamedTuple):
    """What becomes of a SYN.

    ``verdict`` None: a request begins. COOKIE, DROP and RESET: it is answered or turned away, the
    last two by ``gate``. ``waived`` are gates that were shut and let it on: for a cookie, or in
    place of an older request that has to go.
    """

    verdict: Verdict | None
    gate: Gate | None
    waived: tuple[Gate, ...]


_ADMITTED = Admission(None, None, ())


def admit(
    listener: Listener,
    sysctl: Sysctl,
    cached: int,
    exempt: frozenset[Exempt] = NOT_EXEMPT,
) -> Admission:
    """Judge a SYN. ``cached`` is the number of half-open requests of the whole host."""
    shut = shut_gates(listener, sysctl, cached, exempt)
    if not shut:
        return _ADMITTED
    outcome = None
    for index, gate in enumerate(shut):
        verdict = gate.verdict
        if verdict is Verdict.COOKIE and sysctl.tcp_syncookies:
            # A cookie still has to pass the gates behind.
            outcome = verdict
        elif verdict is Verdict.EVICT and _evictable(listener, gate, cached):
            continue
        else:
            if verdict is not Verdict.RESET:
                verdict = Verdict.DROP
            return Admission(verdict, gate, tuple(shut[:index]))
    return Admission(outcome, None, tuple(shut))


def shut_gates(
    listener: Listener,
    sysctl: Sysctl,
    cached: int,
    exempt: frozenset[Exempt] = NOT_EXEMPT,
) -> list[Gate]:
    """The gates that are shut, in the order in which the system asks; none: a request begins."""
    queued, half_open = len(listener.accept_queue.connections), listener.syn_queue.depth
    counts = (queued, half_open, queued + half_open, cached)
    shut = []
    for counted, capacity, gate in listener.syn_capacities:
        if counts[counted] < capacity or gate.exempt & exempt:
            continue
        if gate.condition is Condition.WITHOUT_SYNCOOKIES and sysctl.tcp_syncookies:
            continue
        if gate.condition is Condition.SEVERAL_YOUNG and listener.syn_queue.young <= 1:
            continue
        shut.append(gate)
    return shut


def _evictable(listener: Listener, gate: Gate, cached: int) -> bool:
    """Whether there is a request that could go; a complete handshake that waits is none."""
    if gate.ceiling.counted is Counted.SYN_CACHE:
        return cached > 0
    return listener.syn_queue.depth > len(listener.deferred)


def defers(listener: Listener, request: Pending) -> bool:
    """[linux tcp_check_req] whether TCP_DEFER_ACCEPT drops a final ACK that brings no data."""
    return request.timeouts < listener.defer_accept


def on_ack_full(gate: AckGate, sysctl: Sysctl) -> OnAckFull:
    """What a final ACK meets at a gate that is shut, under these settings."""
    if gate.on_full is OnAckFull.KEEP and sysctl.tcp_abort_on_overflow:
        return OnAckFull.RESET
    if gate.on_full is OnAckFull.RESET and not sysctl.rst_on_sock_fail:
        return OnAckFull.FORGET
    return gate.on_full


def is_limited(last: Instant | None, sysctl: Sysctl, now: Instant) -> bool:
    """[linux __tcp_oow_rate_limited] whether nonsense was answered at ``last``, a moment ago."""
    return last is not None and now - last < sysctl.invalid_ratelimit


def next_timeout(schedule: Schedule, rto_max: Duration, request: Pending, now: Instant) -> Instant:
    """When a request's timer fires: for the next SYN/ACK, or at the end of its life if earlier."""
    at = now + schedule.interval(request.timeouts, rto_max)
    return at if schedule.lifetime is None else min(at, request.born + schedule.lifetime)


def at_timeout(listener: Listener, sysctl: Sysctl, request: Pending, now: Instant) -> Firing:
    """[linux reqsk_timer_handler] judge a timeout of a request, before it is counted."""
    schedule = listener.profile.schedule
    verdict = fire(request, _retries(listener, sysctl), listener.defer_accept)
    if schedule.lifetime is not None and now >= request.born + schedule.lifetime:
        return verdict._replace(expired=True)
    return verdict


def _retries(listener: Listener, sysctl: Sysctl) -> int:
    schedule, aging = listener.profile.schedule, listener.profile.aging
    retries = schedule.retries
    if retries is None:
        retries = listener.syn_retries or sysctl.tcp_synack_retries
    if aging is None:
        return retries
    depth = listener.syn_queue.depth
    crowded = depth >= aging.capacity(listener.sizes(sysctl))
    return allowed_retries(retries, depth, listener.syn_queue.young, crowded)
