"""Which gates are shut for a SYN: the decision alone, without a segment and without an effect.

This is all that a simulation of many clients needs to know of a listener, and it is the same code
that decides for real segments.
"""

from collections.abc import Iterator

from .ceiling import Counted
from .listener import Listener
from .profile import Condition, Exempt, Gate, Verdict
from .sysctl import Sysctl

__all__ = ["NOT_EXEMPT", "shut_gates"]

NOT_EXEMPT: frozenset[Exempt] = frozenset()


def shut_gates(
    listener: Listener,
    sysctl: Sysctl,
    cached: int,
    exempt: frozenset[Exempt] = NOT_EXEMPT,
) -> Iterator[Gate]:
    """The gates that are shut, in the order in which the system asks; none: a request begins.

    ``cached`` is the number of half-open requests of the whole host. A gate behind one that drops
    is not asked by the kernel; behind a cookie or an eviction it is.
    """
    for gate, capacity in listener.syn_capacities:
        if gate.exempt & exempt:
            continue
        if gate.condition is Condition.WITHOUT_SYNCOOKIES and sysctl.tcp_syncookies:
            continue
        if gate.condition is Condition.SEVERAL_YOUNG and listener.syn_queue.young <= 1:
            continue
        always = gate.verdict is Verdict.COOKIE and sysctl.tcp_syncookies == 2
        if always or _count(listener, gate.ceiling.counted, cached) >= capacity:
            yield gate


def _count(listener: Listener, counted: Counted, cached: int) -> int:
    match counted:
        case Counted.ACCEPT_QUEUE:
            return listener.accept_queue.depth
        case Counted.SYN_QUEUE:
            return listener.syn_queue.depth
        case Counted.BOTH:
            return listener.accept_queue.depth + listener.syn_queue.depth
        case Counted.SYN_CACHE:
            return cached
