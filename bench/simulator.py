"""What a simulated handshake costs: handshakes per CPU second, and memory beside their number.

Run from the root of the repository: ``python -m bench.simulator``. CPU time of this process, so
that a busy machine disturbs it less; the best of some rounds. The last line is the growth of the
largest resident size from a run of a tenth of the clients to one of all, which is nothing if
finished ones are forgotten.
"""

import argparse
import resource
import time
from dataclasses import replace

from annotated_shadowsocks.simulator.arrivals import Poisson
from annotated_shadowsocks.simulator.report import Report
from annotated_shadowsocks.simulator.scenario import Scenario, Stall
from annotated_shadowsocks.simulator.simulation import simulate
from annotated_shadowsocks.simulator.spread import Constant, Exponential, Uniform
from annotated_shadowsocks.tcp_model.instant import MICROSECOND, MILLISECOND, SECOND
from annotated_shadowsocks.testing.segment_level import SegmentLevel


def scenarios(clients: int) -> dict[str, Scenario]:
    """A quiet server, one far away, and one that is stalled now and then."""
    quiet = Scenario(
        arrivals=(Poisson(10_000, clients * SECOND // 10_000),),
        backlog=4096,
        workers=4,
        accept_cost=Exponential(200 * MICROSECOND),
    )
    ways = Uniform(MILLISECOND, 80 * MILLISECOND)
    stalls = tuple(Stall(at * SECOND, SECOND // 4) for at in range(1, 60, 5))
    return {
        "quiet": quiet,
        "far": replace(quiet, delay=ways, loss=0.01),
        "stalled": replace(quiet, backlog=128, stalls=stalls),
    }


def timed(scenario: Scenario) -> tuple[Report, float]:
    start = time.process_time()
    report = simulate(scenario)
    return report, time.process_time() - start


def segment_level_rate(clients: int) -> float:
    """Handshakes per CPU second on hosts that speak segments."""
    scenario = Scenario(arrivals=(), accept_cost=Constant(0))
    starts = [number * MILLISECOND for number in range(clients)]
    level = SegmentLevel(scenario, starts, [MICROSECOND] * clients, lambda *which: False)
    start = time.process_time()
    level.run()
    return clients / (time.process_time() - start)


def resident() -> int:
    """KiB, the largest so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clients", type=int, default=1_000_000, help="of the run for memory")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for name, scenario in scenarios(100_000).items():
        rates = []
        for _ in range(options.rounds):
            report, spent = timed(scenario)
            rates.append(report.clients / spent)
        print(f"{name:<8} {max(rates):8.0f} handshakes per CPU second")
    print(f"{'segments':<8} {segment_level_rate(300):8.0f} on hosts that speak segments")
    timed(scenarios(options.clients // 10)["quiet"])
    before = resident()
    report, _ = timed(scenarios(options.clients)["quiet"])
    more = resident() - before
    print(f"{'memory':<8} {before} KiB for a tenth, {more} more for {report.clients}")


if __name__ == "__main__":
    main()
