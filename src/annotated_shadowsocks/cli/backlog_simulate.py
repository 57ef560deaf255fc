"""``backlog simulate``: what clients and queues would go through, at one setting or at many."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Any

from ..errors import ConfigError, UsageError
from ..simulator.attempt import Outcome
from ..simulator.report import Report
from ..simulator.scenario import Scenario
from ..simulator.tally import Quantiles
from ..tcp_model.instant import SECOND
from ..tcp_model.profiles import DEFAULT
from . import exits, scenario_flags
from .arguments import ArgumentParser
from .quantities import duration, integers, listed, numbers, shown, spread, spread_text
from .terminal import table, width

__all__ = ["add_parser", "run", "simulated"]

SCHEMA = 1
_ABOUT = "simulate many clients against a listener, for each combination of the values given"
_EPILOG = """\
LIST is one value or several: 8,16,32, 1-4, or 100:1000:100 for first, last and step. The same seed
gives the same report, and different backlogs meet the same clients.
"""
_MOST_POINTS = 100_000


def add_parser(verbs: "argparse._SubParsersAction[ArgumentParser]") -> None:
    """Add the verb and its flags."""
    parser = verbs.add_parser("simulate", help=_ABOUT, description=_ABOUT, epilog=_EPILOG)
    add = parser.add_argument
    add("-b", "--backlog", metavar="LIST", default="128", help="arguments of listen() (128)")
    add("-r", "--rate", metavar="LIST", help="clients a second, independent of each other")
    add("-w", "--workers", metavar="LIST", default="1", help="how many call accept() (1)")
    what = "how long a worker is busy with each connection: 2ms, 1ms..4ms, exp:2ms (1ms)"
    add("-c", "--accept-cost", metavar="LIST", default="1ms", help=what)
    what = f"systems, as 'backlog compare' names them ({DEFAULT.name})"
    add("-p", "--profile", metavar="LIST", default=DEFAULT.name, help=what)
    scenario_flags.add_flags(parser)
    add("-j", "--jobs", metavar="N", type=int, help="processes (one for each processor)")
    add("--dask", metavar="ADDRESS", help="run on the Dask cluster of this scheduler")
    add("--json", action="store_true", help="print an object, with the depths over time")


def run(found: argparse.Namespace) -> int:
    """Simulate and show. Raises ``UsageError`` and ``ConfigError``."""
    if found.jobs is not None and not 1 <= found.jobs <= 1024:
        raise UsageError(f"-j: {found.jobs} is impossible; write 1 to 1024")
    from ..simulator.sweep import grid

    axes = _axes(found)
    points = [(point, _scenario(found, point)) for point in grid(axes)]
    seeded = [(scenario, found.seed) for _, scenario in points]
    reports = simulated(seeded, found.jobs, found.dask)
    varied = [name for name, values in axes.items() if len(values) > 1]
    if found.json:
        document = {
            "schema": SCHEMA,
            "points": [
                {"parameters": _parameters(point), **report.document(depths=len(points) == 1)}
                for (point, _), report in zip(points, reports, strict=True)
            ],
        }
        print(json.dumps(document, indent=2))
    elif len(points) == 1:
        print("\n".join(_one(reports[0])))
    else:
        shown_points = [point for point, _ in points]
        print("\n".join(_many(varied, shown_points, reports)))
    return exits.OK


def _axes(found: argparse.Namespace) -> dict[str, list[Any]]:
    axes: dict[str, list[Any]] = {
        "profile": found.profile.split(","),
        "workers": integers("--workers", found.workers, 0, 10_000),
        "accept_cost": listed("--accept-cost", found.accept_cost, spread),
        "loss": numbers("--loss", found.loss, 0, 0.99),
        "rate": [None] if found.rate is None else numbers("--rate", found.rate, 0.001, 1e7),
        "backlog": integers("--backlog", found.backlog, 0, 2**31 - 1),
    }
    count = 1
    for values in axes.values():
        count *= len(values)
    if count > _MOST_POINTS:
        raise UsageError(f"{count} combinations are too many; {_MOST_POINTS} are the most")
    return axes


def _scenario(found: argparse.Namespace, point: dict[str, Any]) -> Scenario:
    try:
        return Scenario(
            arrivals=scenario_flags.arrivals(found, point["rate"]),
            backlog=point["backlog"],
            profile=point["profile"],
            settings=scenario_flags.settings("--set", found.settings),
            client_settings=scenario_flags.settings("--client-set", found.client_set),
            accept_cost=point["accept_cost"],
            workers=point["workers"],
            reuse_port=found.reuse_port,
            stalls=tuple(scenario_flags.stall(text) for text in found.stall),
            delay=spread("--delay", found.delay),
            loss=point["loss"],
            defer_accept=found.defer_accept,
            speaks=not found.silent,
            patience=duration("--patience", found.patience) if found.patience else None,
        )
    except ConfigError as error:
        raise UsageError(str(error)) from error


def simulated(
    points: list[tuple[Scenario, int]], jobs: int | None = None, dask: str | None = None
) -> list[Report]:
    """Their reports; one alone is run here, several by as many processes as there are."""
    # Imported here: to run processes takes more modules than to say what is wrong with a flag.
    from ..simulator.sweep import sweep

    with _running(len(points), jobs, dask) as executor, _progress(len(points)) as done:
        return sweep(points, executor, done)


@contextlib.contextmanager
def _running(points: int, jobs: int | None, dask: str | None) -> Iterator[Executor | None]:
    """Where to run so many."""
    from ..simulator.sweep import cluster, processors

    if dask is not None:
        with cluster(dask) as executor:
            yield executor
    elif points == 1 or jobs == 1:
        yield None
    else:
        with processors(jobs) as executor:
            yield executor


@contextlib.contextmanager
def _progress(points: int) -> Iterator[Callable[[int], None]]:
    """Tell how many are done, on stderr if that is a terminal."""
    if points == 1 or not sys.stderr.isatty():
        yield lambda done: None
        return
    try:
        yield lambda done: print(f"\r{done} of {points}", end="", file=sys.stderr, flush=True)
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


# --- words ---


def _one(report: Report) -> Iterator[str]:
    clients = report.clients
    yield f"{clients} clients in {shown(report.duration)}, seed {report.seed}"
    yield ""
    for outcome, number in report.outcomes.items():
        if number or outcome is Outcome.ACCEPTED:
            yield f"{number:>10}  {_share(number, clients):>7}  {outcome.value}"
    yield f"{report.turned_away:>10}  {_share(report.turned_away, clients):>7}  met a full queue"
    yield f"{report.retransmitted:>10}  {'':>7}  SYNs were sent again"
    yield ""
    rows: list[tuple[str, ...]] = [("", "p50", "p90", "p99", "p99.9", "max")]
    rows += [
        _times(name, times)
        for name, times in (
            ("connect() returned after", report.connect_times),
            ("accept() returned it after", report.served_times),
            ("of that in the accept queue", report.waiting_times),
        )
    ]
    yield from table(rows, right=range(1, 6))
    yield ""
    for index, queue in enumerate(report.queues):
        which = f" {index}" if len(report.queues) > 1 else ""
        fits = "" if queue.capacity is None else f", {queue.capacity} fit"
        yield f"accept queue{which}: limit {queue.limit}{fits}, at most {queue.high_water} waited"
    yield f"accepted by worker: {' '.join(map(str, report.accepted)) or 'nobody'}"
    for reason, number in report.refusals.items():
        yield f"refused {number} times: {reason}"
    counted = " ".join(f"{name} {number}" for name, number in report.counters.items())
    yield f"counters: {counted or 'none'}"


def _times(name: str, times: Quantiles | None) -> tuple[str, ...]:
    if times is None:
        return (name, "-", "-", "-", "-", "-")
    return (name, *(shown(one) for one in times[2:]))


def _many(varied: list[str], points: list[dict[str, Any]], reports: list[Report]) -> list[str]:
    heading = [*(name.replace("_", " ") for name in varied)]
    heading += ["clients", "met full", "failed", "SYNs again", "p50", "p99", "max", "queue"]
    rows = [heading]
    for point, report in zip(points, reports, strict=True):
        accepted = report.outcomes[Outcome.ACCEPTED]
        times = report.served_times
        p50, p99, most = (
            (shown(times.p50), shown(times.p99), shown(times.most)) if times else ("-", "-", "-")
        )
        rows.append(
            [
                *(_value(point[name]) for name in varied),
                str(report.clients),
                _share(report.turned_away, report.clients),
                _share(report.clients - accepted, report.clients),
                str(report.retransmitted),
                p50,
                p99,
                most,
                str(max(queue.high_water for queue in report.queues)),
            ]
        )
    lines = table(rows, right=range(len(heading)), most=width())
    return [*lines, "", "Times are from the first SYN until accept()."]


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, int | float) else spread_text(value)


def _parameters(point: dict[str, Any]) -> dict[str, Any]:
    cost = point["accept_cost"]
    return {**point, "accept_cost": spread_text(cost), "accept_cost_mean": cost.mean / SECOND}


def _share(part: int, whole: int) -> str:
    if not part or not whole:
        return "0 %"
    share = 100 * part / whole
    return f"{share:.3g} %" if share >= 0.001 else "<0.001 %"
