"""How likely a queue overflows: what queueing theory says without simulating anything.

Clients come independently of each other (a Poisson process of rate ``rate``), ``servers`` workers
take them from one queue with ``places``, each is busy for ``cost`` on average. Who finds the queue
full is lost to the formula; in truth he comes again, so that the formulas hold where few are.

The classic results are those of D. Gross, J. F. Shortle, J. M. Thompson and C. M. Harris,
*Fundamentals of Queueing Theory*, 4th edition, Wiley 2008: sections 2.4 (M/M/c/K), 2.5 (Erlang's
loss formula), 5.1.7 (M/G/1/K). Where no exact formula is at hand for a service time that is neither
constant nor without memory, the queue is scaled by its mean length of section 5.1.1
(Pollaczek and Khintchine): half as variable a service needs as many places less.

Everything is computed by sums of positive terms, so that a chance of 1e-12 has as many true digits
as one of a half.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "Load",
    "blocking",
    "deterministic_blocking",
    "erlang_b",
    "markov_blocking",
    "overflow_of_burst",
    "places_needed",
    "poisson_tail",
]

_MOST_PLACES = 1 << 20
# The chain of M/D/1/K takes some thirty steps for each place.
_EXACT_PLACES = 100_000
_ENDLESS = 1e200


class Load(NamedTuple):
    """Who comes and who serves; ``variation`` is the service time's variance over its square mean.

    ``rate`` is per second and ``cost`` in seconds.
    """

    rate: float
    cost: float
    servers: int = 1
    variation: float = 1.0

    @property
    def offered(self) -> float:
        """Workers that would be busy on average if there were no end of them: erlangs."""
        return self.rate * self.cost

    @property
    def utilisation(self) -> float:
        """The share of the workers' time that the clients ask for; 1 or more is too much."""
        return self.offered / self.servers


def erlang_b(servers: int, offered: float) -> float:
    """The chance that all ``servers`` are busy, where nobody can wait: Erlang's loss formula."""
    lost = 1.0
    for busy in range(1, servers + 1):
        lost = offered * lost / (busy + offered * lost)
    return lost


def markov_blocking(load: Load, places: float) -> float:
    """M/M/c/K with K = c + ``places``: the chance to find no place, exact for whole places."""
    lost, busy = erlang_b(load.servers, load.offered), load.utilisation
    if places <= 0 or lost == 0.0:
        return lost
    # Each place multiplies the weight of the last state by the utilisation.
    if busy == 1.0:
        return lost / (1.0 + lost * places)
    weights = busy * math.expm1(places * math.log(busy)) / (busy - 1.0)
    return lost * math.pow(busy, places) / (1.0 + lost * weights)


def deterministic_blocking(load: Load, places: int) -> float:
    """M/D/1/K with K = 1 + ``places``: the same for one worker whose cost is constant, exact."""
    busy = load.offered
    if busy == 0.0:
        return 0.0
    within, weights = 0.0, _departure_weights(busy)
    for _ in range(places + 1):
        within += next(weights)
        if within > _ENDLESS:
            # The worker is never idle.
            return 1.0 - 1.0 / busy
    if busy >= 1.0:
        return 1.0 - 1.0 / (1.0 / within + busy)
    # The chance of a full queue of K places out of that of a long one: of the states of an endless
    # queue, those of K - 1 and below keep their proportions.
    beyond = 0.0
    for weight in weights:
        beyond += weight
        # Not less alone: past 1e-308 both are 0.
        if weight <= beyond * 1e-12:
            break
    idle = 1.0 - busy
    return idle * (idle * beyond) / (idle + busy * idle * within)


def _departure_weights(busy: float) -> Iterator[float]:
    """How often a departure leaves 0, 1, 2, … behind, in proportion to how often it leaves none.

    From each state to the next by equal flows across every cut.
    """
    beyond: list[float] = []
    while not beyond or beyond[-1] > 1e-25:
        beyond.append(poisson_tail(busy, len(beyond)))
    none, reach = math.exp(-busy), len(beyond)
    yield 1.0
    latest: deque[float] = deque(maxlen=reach - 1)
    for state in itertools.count():
        arrived = zip(reversed(latest), beyond[1:], strict=False)
        flow = math.fsum(weight * tail for weight, tail in arrived)
        weight = (flow + (beyond[state] if state < reach else 0.0)) / none
        latest.append(weight)
        yield weight


def poisson_tail(mean: float, number: int) -> float:
    """The chance of more than ``number`` events where ``mean`` are expected."""
    if mean <= 0.0:
        return 0.0
    if number < mean:
        terms = (_poisson(mean, k) for k in range(number + 1))
        return max(0.0, 1.0 - math.fsum(terms))
    total, term, k = 0.0, _poisson(mean, number + 1), number + 1
    while term > total * 1e-17:
        total += term
        k += 1
        term *= mean / k
    return total


def _poisson(mean: float, number: int) -> float:
    return math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))


def blocking(load: Load, places: int) -> float:
    """The chance that a client finds the queue full: exact where there is a formula for it."""
    if load.variation == 0.0 and load.servers == 1 and places <= _EXACT_PLACES:
        return deterministic_blocking(load, places)
    return markov_blocking(load, places * 2.0 / (1.0 + load.variation))


def places_needed(load: Load, chance: float) -> int | None:
    """The least number of places for which ``blocking`` is ``chance`` or less; None: there is none.

    Past a utilisation of 1 more than ``1 - 1 / utilisation`` are lost however long the queue is.
    """
    if load.utilisation >= 1.0 and 1.0 - 1.0 / load.utilisation >= chance:
        return None
    most = 1
    while blocking(load, most) > chance:
        most *= 2
        if most > _MOST_PLACES:
            return None
    least = 0
    while least < most:
        middle = (least + most) // 2
        if blocking(load, middle) <= chance:
            most = middle
        else:
            least = middle + 1
    return least


def overflow_of_burst(load: Load, size: int, width: float, places: int) -> int:
    """How many of ``size`` clients within ``width`` seconds find no place: the fluid bound.

    Clients are a fluid that runs in and out evenly; those who come besides are not counted.
    """
    served = min(size, load.servers + int(width * load.servers / load.cost)) if load.cost else size
    return max(0, size - served - places)
