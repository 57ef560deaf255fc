"""Which backlog is enough: by formula, and by running it.

The two are independent. The formulas know neither network nor retries; the simulation knows both
and has only as many clients as one waits for. Where they agree, the figure can be believed.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..endpoint import Endpoint
from ..policy.queueing import Load, blocking, places_needed, poisson_tail
from ..tcp_model.ceiling import Counted
from ..tcp_model.host import Host
from ..tcp_model.instant import SECOND, Duration
from ..tcp_model.profiles import find
from .arrivals import Bursts, Poisson
from .rehearsal import knocking
from .report import Report
from .scenario import Scenario

__all__ = [
    "FELT",
    "RUNS",
    "Demand",
    "Estimate",
    "Need",
    "agreement",
    "asked",
    "backlog_for",
    "capacity",
    "chance_of",
    "estimate",
    "felt",
    "load_of",
    "need",
    "scenario_of",
]

#: Seconds that clients feel whose first, second and third kernel's retry is in vain, with doubling.
FELT = (1, 3, 7)
#: Simulations of one plan, and Student's t of 95 % for as many: 7 degrees of freedom.
RUNS = 8
_STUDENT = 2.365
_MOST_BACKLOG = 1 << 20
_FEWEST, _MOST_CLIENTS = 40_000, 400_000


class Demand(NamedTuple):
    """What comes besides the way it is served, which a scenario has: ``stall`` is the longest."""

    rate: float
    burst: int = 0
    stall: Duration = 0


class Need(NamedTuple):
    """Places in the accept queue: for chance alone, for a burst and for a stall on top of it."""

    #: None: no queue is long enough, since clients come faster than they are served.
    steady: int | None
    burst: int
    stall: int

    @property
    def places(self) -> int | None:
        """What all of it needs, if a burst and a stall do not coincide."""
        return None if self.steady is None else self.steady + max(self.burst, self.stall)


class Estimate(NamedTuple):
    """The share of clients that met a full queue, with its 95 % interval, and what they felt."""

    clients: int
    overflow: float
    least: float
    most: float
    felt: dict[int, float]


def load_of(scenario: Scenario, demand: Demand) -> Load:
    """What one queue gets, and who serves it."""
    queues = scenario.workers if scenario.reuse_port else 1
    cost = scenario.accept_cost
    servers = max(1, scenario.workers) // queues
    return Load(demand.rate / queues, cost.mean / SECOND, servers, cost.variation)


def asked(scenario: Scenario) -> int:
    """How often a client's way through the handshake asks the accept queue for room.

    Linux asks at the SYN and at the final ACK. If the queue fills and empties in less than a round
    trip, these are two chances to meet it full; in more, they are one.
    """
    profile = find(scenario.profile)
    queued = (Counted.ACCEPT_QUEUE, Counted.BOTH)
    at_syn = any(gate.ceiling.counted in queued for gate in profile.syn_gates)
    return max(1, at_syn + (profile.ack_gate is not None))


def need(scenario: Scenario, demand: Demand, chance: float) -> Need:
    """How many places keep the chance of a full queue at ``chance``, by formula."""
    load = load_of(scenario, demand)
    steady = places_needed(load, chance / asked(scenario)) if load.rate else 0
    queues = scenario.workers if scenario.reuse_port else 1
    # The fluid bound: nobody is served while a burst comes but whom the idle workers take.
    burst = max(0, -(-demand.burst // queues) - load.servers)
    arriving = load.rate * demand.stall / SECOND
    stall = 0
    if arriving:
        stall = next(n for n in range(_MOST_BACKLOG) if poisson_tail(arriving, n) <= chance)
    return Need(steady, burst, stall)


def chance_of(scenario: Scenario, demand: Demand) -> float:
    """The chance of a full queue each time it is asked, without bursts and stalls, by formula."""
    load = load_of(scenario, demand)
    places = capacity(scenario, scenario.backlog)
    return 0.0 if places is None or not load.rate else blocking(load, places)


def capacity(scenario: Scenario, backlog: int) -> int | None:
    """How many connections fit into a queue; None: any number."""
    host = Host(find(scenario.profile), dict(scenario.settings))
    listener = host.bind(Endpoint("192.0.2.1", 80))
    host.listen(listener, backlog, 0)
    # What a lone client meets: gates that count the half-open alone are not about this queue.
    fits = [fit for counted, fit, _ in listener.syn_capacities if counted in (0, 2)]
    if listener.ack_capacity is not None:
        fits.append(listener.ack_capacity)
    return min(fits, default=None)


def backlog_for(scenario: Scenario, places: int) -> int | None:
    """The least backlog with so many places; None: the system gives no queue that is so long."""

    def fits(backlog: int) -> bool:
        found = capacity(scenario, backlog)
        return found is None or found >= places

    if not fits(_MOST_BACKLOG):
        return None
    least, most = 0, _MOST_BACKLOG
    while least < most:
        middle = (least + most) // 2
        if fits(middle):
            most = middle
        else:
            least = middle + 1
    return least


def scenario_of(scenario: Scenario, demand: Demand, chance: float) -> Scenario:
    """``scenario`` with enough clients for one of ``RUNS`` runs to see the chance, if they can."""
    wanted = min(_MOST_CLIENTS, max(_FEWEST, math.ceil(30 / chance)))
    if not demand.rate:
        return replace(scenario, arrivals=(Bursts(demand.burst, SECOND, 1),))
    time = max(math.ceil(wanted / RUNS / demand.rate * SECOND), 2 * demand.stall, SECOND)
    return replace(scenario, arrivals=(Poisson(demand.rate, time), *_bursts(demand, time)))


def _bursts(demand: Demand, time: Duration) -> tuple[Bursts, ...]:
    return (Bursts(demand.burst, time, time, start=time // 2),) if demand.burst else ()


def estimate(reports: Sequence[Report]) -> Estimate:
    """What ``RUNS`` runs with different seeds have in common.

    Overflows come in clusters, so it is the runs that are independent and not the clients.
    """
    clients = sum(report.clients for report in reports)
    shares = [report.overflow for report in reports]
    mean = statistics.fmean(shares)
    half = _STUDENT * statistics.stdev(shares) / math.sqrt(len(shares))
    most = mean + half if mean else 3 / clients
    late = {
        seconds: statistics.fmean(report.slower_than[seconds] for report in reports)
        for seconds in FELT
    }
    return Estimate(clients, mean, max(0.0, mean - half), most, late)


def felt(scenario: Scenario, chance: float) -> dict[int, float]:
    """How many clients wait so many seconds or more, if each knock finds the queue full alike."""
    sent = knocking(scenario.client_settings).sent
    return {seconds: chance ** sum(at < seconds * SECOND for at in sent) for seconds in FELT}


def agreement(chance: float, seen: Estimate, times: int = 1) -> str:
    """How far a formula's figure and a simulation's agree, in words; ``times`` it is asked."""
    if not seen.overflow:
        if chance <= seen.most:
            return f"they agree as far as {seen.clients} clients can tell"
        return f"the formula expects more: none of {seen.clients} clients met a full queue"
    if seen.least <= chance <= seen.most and not seen.least and seen.most > 5 * chance:
        return "nothing speaks against the formula, but the simulation's interval is wide"
    if seen.least <= chance <= seen.most:
        return "they agree: the formula's figure lies within the simulation's interval"
    if chance < seen.least <= times * chance:
        twice = "the queue is asked at the SYN and again at the final ACK"
        return f"they agree: {twice}, so that up to twice the formula's chance meets it full"
    ratio = seen.overflow / chance if chance else math.inf
    if ratio > 1:
        why = "who is turned away comes again, and so do losses in clusters"
        return f"the simulation sees {ratio:.3g} times as many: {why}"
    return f"the simulation sees {1 / ratio:.3g} times fewer: the formula is on the safe side"
