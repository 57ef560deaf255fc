"""``backlog plan``: which backlog is enough, by formula and by simulation, and what to type."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigError, UsageError
from ..policy.listener_filter import parse_address
from ..policy.queue_advice import setting, sysctl_commands
from ..simulator import planning
from ..simulator.arrivals import Poisson
from ..simulator.planning import Demand, Estimate, Need
from ..simulator.scenario import Scenario, Stall
from ..simulator.spread import Constant, Spread
from ..tcp_model.instant import SECOND
from ..tcp_model.profiles import DEFAULT, find
from . import exits, scenario_flags
from .arguments import ArgumentParser
from .backlog_simulate import simulated
from .quantities import duration, integers, numbers, shown, spread, spread_text
from .terminal import table

__all__ = ["add_parser", "run"]

SCHEMA = 1
_ABOUT = "which backlog a listener needs, by formula and by simulation, and what to change"
_EPILOG = """\
The formula takes clients for independent and lets none come again; the simulation knows about
retries, the network, bursts and stalls. Both are shown, and how far they agree.
"""


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("plan", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    add = parser.add_argument
    add("-r", "--rate", metavar="N", help="clients a second")
    add("--burst", metavar="N", help="clients who come at once besides")
    add("--stall", metavar="TIME", help="the longest time in which nothing is accepted")
    what = "how long a worker is busy with each connection: 2ms, 1ms..4ms, exp:2ms"
    add("-c", "--accept-cost", metavar="TIME", help=what)
    add("-w", "--workers", metavar="N", default="1", help="how many call accept() (1)")
    add("--reuse-port", action="store_true", help="each worker has a listener of its own")
    what = "the chance that a client may meet a full queue (0.001)"
    add("-o", "--overflow", metavar="P", default="0.001", help=what)
    add("-b", "--backlog", metavar="N", help="judge this backlog instead of looking for one")
    add("-p", "--profile", metavar="NAME", default=DEFAULT.name, help="the server's system")
    add("--delay", metavar="TIME", default="1ms", help="how long a segment takes (1ms)")
    add("--silent", action="store_true", help="clients wait for a greeting before they say a word")
    add("--measure", metavar="ADDR:PORT", help="take rate and cost from this listener, which runs")
    add("--for", metavar="TIME", dest="time", default="10s", help="measure for so long (10s)")
    add("--seed", metavar="N", type=int, default=1, help="chance begins here (1)")
    add("-j", "--jobs", metavar="N", type=int, help="processes (one for each processor)")
    add("--dask", metavar="ADDRESS", help="simulate on the Dask cluster of this scheduler")
    add("--json", action="store_true", help="print an object")


@dataclass(frozen=True, slots=True)
class _Plan:
    scenario: Scenario
    demand: Demand
    target: float
    need: Need
    chance: float
    seen: Estimate
    somaxconn: int
    program: str | None
    notes: tuple[str, ...]


def run(found: argparse.Namespace) -> int:
    """Plan and show. Raises ``UsageError``, ``ConfigError`` and ``ObserveError``."""
    plan = _planned(found)
    if found.json:
        print(json.dumps(_document(plan), indent=2))
    else:
        print("\n".join(_words(plan)))
    return exits.OK


def _planned(found: argparse.Namespace) -> _Plan:
    target = numbers("--overflow", found.overflow, 1e-9, 0.5)[0]
    rate = numbers("--rate", found.rate, 0.001, 1e6)[0] if found.rate else None
    cost = spread("--accept-cost", found.accept_cost) if found.accept_cost else None
    workers = integers("--workers", found.workers, 1, 10_000)[0]
    program: str | None = None
    notes: tuple[str, ...] = ()
    granted = None
    if found.measure:
        from ..kernel.sysctl import sysctls

        rate, cost, program, notes = _measured(found, rate, cost, workers)
        granted = sysctls().somaxconn
    if cost is None:
        raise UsageError("--accept-cost is not known; write how long accepting takes, like 2ms")
    size = scenario_flags.burst(found.burst, SECOND).size if found.burst else 0
    if rate is None and not size:
        raise UsageError("nobody comes; write --rate, --burst or --measure")
    stall = duration("--stall", found.stall) if found.stall else 0
    demand = Demand(rate or 0.0, size, stall)
    if demand.rate * stall / SECOND > 1e6:
        raise UsageError("--stall: more than a million clients come meanwhile; write less")
    try:
        somaxconn = find(found.profile).defaults.somaxconn
        scenario = Scenario(
            arrivals=(Poisson(1, 1),),
            profile=found.profile,
            # The question is what is needed; whether the host grants it is said at the end.
            settings=(("somaxconn", 1 << 20),),
            accept_cost=cost,
            workers=workers,
            reuse_port=found.reuse_port,
            delay=spread("--delay", found.delay),
            speaks=not found.silent,
        )
    except ConfigError as error:
        raise UsageError(str(error)) from error
    need = planning.need(scenario, demand, target)
    backlog = _backlog(found, scenario, need)
    scenario = replace(scenario, backlog=backlog)
    chance = planning.chance_of(scenario, demand)
    seen = _simulate(found, scenario, demand, target)
    most = granted or somaxconn
    return _Plan(scenario, demand, target, need, chance, seen, most, program, notes)


def _backlog(found: argparse.Namespace, scenario: Scenario, need: Need) -> int:
    if found.backlog:
        return integers("--backlog", found.backlog, 0, 1 << 20)[0]
    if need.places is None:
        raise UsageError(
            "clients come faster than they are served, and no backlog mends that; "
            "write more --workers or less --accept-cost, or -b to see what happens"
        )
    backlog = planning.backlog_for(scenario, need.places)
    if backlog is None:
        raise UsageError(f"{need.places} places are more than {scenario.profile} gives any queue")
    return backlog


def _simulate(
    found: argparse.Namespace, scenario: Scenario, demand: Demand, target: float
) -> Estimate:
    longest = planning.scenario_of(scenario, demand, target)
    if demand.stall:
        longest = replace(longest, stalls=(Stall(SECOND // 2, demand.stall),))
    seeds = range(found.seed, found.seed + planning.RUNS)
    return planning.estimate(simulated([(longest, n) for n in seeds], found.jobs, found.dask))


def _measured(
    found: argparse.Namespace, rate: float | None, cost: Spread | None, workers: int
) -> tuple[float, Spread | None, str | None, tuple[str, ...]]:
    """Rate, cost and program of a listener that runs; what was given by hand is kept."""
    from .backlog_explain import find as find_listeners
    from .listener_measure import measure

    address = parse_address(found.measure)
    if address.port is None:
        raise UsageError(f"--measure: {found.measure!r} has no port; write 127.0.0.1:443 or :443")
    seconds = duration("--for", found.time) / SECOND
    if not 0.2 <= seconds <= 86_400:
        raise UsageError(f"--for: {found.time} is impossible; write 0.2s to 86400s")
    sights = find_listeners(found.measure, address)
    seen = measure({sight.listener.cookie for sight in sights}, seconds)
    notes = [
        f"measured for {seen.seconds:.3g} s: at most {seen.deepest} waited here; all listeners of "
        f"this network namespace together had {seen.rate:.4g} clients a second and "
        f"{seen.overflows} overflows"
    ]
    if seen.dispersion > 2:
        notes.append(
            f"they came in bursts ({seen.dispersion:.3g} times as uneven as independent clients); "
            "give the largest with --burst"
        )
    if cost is None and seen.drained:
        cost = Constant(round(workers / seen.drained * SECOND))
        notes.append(
            f"while somebody waited, {seen.drained:.4g} a second were accepted: "
            f"{shown(cost.value)} each for {_workers(workers)}"
        )
    elif cost is None:
        notes.append("hardly ever did anybody wait, so that the accept cost cannot be seen")
        raise UsageError(f"{'; '.join(notes)}; write --accept-cost")
    return rate or max(seen.rate, 0.001), cost, sights[0].seen.program, tuple(notes)


# --- words ---


def _words(plan: _Plan) -> Iterator[str]:
    scenario, demand, need = plan.scenario, plan.demand, plan.need
    load = planning.load_of(scenario, demand)
    yield from (f"{note[0].upper()}{note[1:]}." for note in plan.notes)
    yield (
        f"{demand.rate:g} clients a second, {spread_text(scenario.accept_cost)} for each, "
        f"{_workers(scenario.workers)}: {100 * load.utilisation:.3g} % busy"
    )
    yield ""
    yield f"needed for a chance of {plan.target:g} to meet a full queue:"
    rows = [("by chance alone", "no number" if need.steady is None else str(need.steady))]
    if demand.burst:
        rows.append((f"for {demand.burst} at once, besides", str(need.burst)))
    if demand.stall:
        rows.append((f"for a stall of {shown(demand.stall)}, besides", str(need.stall)))
    rows.append(("places in the accept queue", str(need.places or "no number")))
    yield from (f"  {line}" for line in table(rows, right=[1]))
    yield ""
    capacity = planning.capacity(scenario, scenario.backlog)
    yield f"listen({scenario.backlog}) on {find(scenario.profile).title}, where {capacity} fit:"
    yield from (f"  {line}" for line in table(list(_compared(plan)), right=[1, 2]))
    yield ""
    if demand.rate and not (demand.burst or demand.stall):
        times = planning.asked(scenario)
        yield f"{planning.agreement(plan.chance, plan.seen, times)}."
    else:
        yield "the formula's shares leave the burst and the stall out; the simulation has them."
    yield ""
    yield "to change:"
    yield from (f"  {line}" for line in _commands(plan))


def _workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"


def _compared(plan: _Plan) -> Iterator[tuple[str, str, str]]:
    seen = plan.seen
    yield "share of clients", "formula", f"{seen.clients} simulated"
    interval = f"{seen.overflow:.3g} ({seen.least:.2g} to {seen.most:.2g})"
    times = planning.asked(plan.scenario)
    most = f" to {times * plan.chance:.2g}" if times > 1 else ""
    yield "that meet a full queue", f"{plan.chance:.2g}{most}", interval
    for seconds, share in planning.felt(plan.scenario, plan.chance).items():
        yield f"that wait {seconds} s or more", f"{share:.3g}", f"{seen.felt[seconds]:.3g}"


def _commands(plan: _Plan) -> list[str]:
    backlog = plan.scenario.backlog
    raised: tuple[str, ...] = ()
    if backlog > plan.somaxconn:
        raised = sysctl_commands("net.core.somaxconn", backlog)
        if not plan.scenario.profile.startswith("linux"):
            raised = (f"the system's largest backlog, which is {plan.somaxconn} unless changed",)
    return [*raised, setting(plan.program, backlog)]


def _document(plan: _Plan) -> dict[str, Any]:
    scenario, demand, need = plan.scenario, plan.demand, plan.need
    return {
        "schema": SCHEMA,
        "measured": list(plan.notes),
        "rate": demand.rate,
        "burst": demand.burst,
        "stall": demand.stall / SECOND,
        "accept_cost": spread_text(scenario.accept_cost),
        "accept_cost_mean": scenario.accept_cost.mean / SECOND,
        "workers": scenario.workers,
        "utilisation": planning.load_of(scenario, demand).utilisation,
        "target": plan.target,
        "need": {**need._asdict(), "places": need.places},
        "profile": scenario.profile,
        "backlog": scenario.backlog,
        "capacity": planning.capacity(scenario, scenario.backlog),
        "formula": {
            "overflow": plan.chance,
            "asked": planning.asked(scenario),
            "slower_than": _keys(planning.felt(scenario, plan.chance)),
        },
        "simulation": {
            "clients": plan.seen.clients,
            "overflow": plan.seen.overflow,
            "interval": [plan.seen.least, plan.seen.most],
            "slower_than": _keys(plan.seen.felt),
        },
        "agreement": planning.agreement(plan.chance, plan.seen, planning.asked(scenario)),
        "commands": _commands(plan),
    }


def _keys(shares: dict[int, float]) -> dict[str, float]:
    return {str(seconds): share for seconds, share in shares.items()}
