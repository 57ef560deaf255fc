"""How fast clients come to a listener that runs, and how fast it is drained.

The kernel counts arrivals for a whole network namespace and shows the depth of each queue, so what
is measured is right where the namespace's other listeners are quiet meanwhile. The speed of the
application shows only while somebody waits: an empty queue is drained as fast as clients come.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ..errors import ObserveError

__all__ = ["Look", "Measured", "measure", "reduce"]

_PERIOD = 0.05
#: As many looks at a queue that is not empty tell how fast it is drained.
_ENOUGH = 5


class Look(NamedTuple):
    """One look: seconds, connections completed and overflows so far, and who waits."""

    at: float
    completed: int
    overflows: int
    depth: int


class Measured(NamedTuple):
    """What a while of looking came to."""

    seconds: float
    #: Connections a second.
    rate: float
    #: Variance over mean of the arrivals of each look: 1 for independent clients, more for bursts.
    dispersion: float
    overflows: int
    deepest: int
    #: Connections accepted a second while somebody waited, or None where hardly ever anybody did.
    drained: float | None


def measure(
    cookies: set[int],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Measured:
    """Look for so long at the listeners with these cookies. Raises ``ObserveError``."""
    from ..kernel import netstat
    from ..kernel.listeners import listeners
    from ..kernel.sock_diag import SockDiag

    looks: list[Look] = []
    with SockDiag() as diag:
        start = clock()
        while not looks or looks[-1].at < start + seconds:
            counted = netstat.counters()
            depths = [one.depth for one in listeners(diag) if one.cookie in cookies]
            if not depths:
                raise ObserveError("--measure", "the listener is gone; start it and try again")
            overflows = counted.get("ListenOverflows", 0)
            looks.append(Look(clock(), counted.get("PassiveOpens", 0), overflows, sum(depths)))
            sleep(_PERIOD)
    return reduce(looks)


def reduce(looks: Sequence[Look]) -> Measured:
    """What the looks say; two at least."""
    first, last = looks[0], looks[-1]
    seconds = last.at - first.at
    came = [after.completed - before.completed for before, after in pairwise(looks)]
    mean = statistics.fmean(came)
    busy = [(a, b) for a, b in pairwise(looks) if a.depth and b.depth]
    drained = None
    if len(busy) >= _ENOUGH:
        out = sum(b.completed - a.completed - (b.depth - a.depth) for a, b in busy)
        drained = out / sum(b.at - a.at for a, b in busy)
    return Measured(
        seconds,
        sum(came) / seconds,
        statistics.pvariance(came) / mean if mean else 0.0,
        last.overflows - first.overflows,
        max(look.depth for look in looks),
        drained or None,
    )
