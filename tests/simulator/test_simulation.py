"""A run as a whole: exactly what queueing theory says where theory is exact, and no growth."""

import gc
import math
import statistics

import pytest

from annotated_shadowsocks.policy.queueing import Load, blocking, erlang_b
from annotated_shadowsocks.simulator.arrivals import Poisson
from annotated_shadowsocks.simulator.attempt import Attempt, HalfOpen
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.simulation import Simulation, simulate
from annotated_shadowsocks.simulator.spread import Constant, Exponential, Spread
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND

RUNS = 12
# Student's t for 11 degrees of freedom at 99 %; the seeds are fixed, so this is no gamble.
STUDENT = 3.106


@pytest.mark.parametrize(
    ("rate", "cost", "workers", "backlog"),
    [
        (400, Exponential(2 * MILLISECOND), 1, 2),
        (900, Exponential(MILLISECOND), 1, 7),
        (1500, Exponential(2 * MILLISECOND), 4, 3),
        (2500, Exponential(MILLISECOND), 2, 5),
        (450, Constant(2 * MILLISECOND), 1, 4),
    ],
)
def test_who_never_comes_again_meets_the_formula(
    rate: int, cost: Spread, workers: int, backlog: int
) -> None:
    # Without delay a handshake takes no time; with half a second of patience no SYN comes again.
    scenario = Scenario(
        arrivals=(Poisson(rate, 4 * SECOND),),
        backlog=backlog,
        accept_cost=cost,
        workers=workers,
        delay=Constant(0),
        patience=SECOND // 2,
    )
    shares = [simulate(scenario, seed).overflow for seed in range(RUNS)]
    load = Load(rate, cost.mean / SECOND, workers, cost.variation)
    expected = blocking(load, backlog + 1)
    error = STUDENT * statistics.stdev(shares) / math.sqrt(RUNS)
    assert abs(statistics.fmean(shares) - expected) < error
    assert error < expected / 3  # an interval that held anything would prove nothing


def test_mean_wait_is_littles_law() -> None:
    # M/M/1 without a bound: W = cost * busy / (1 - busy) in the queue, 4 ms here.
    scenario = Scenario(
        arrivals=(Poisson(800, 8 * SECOND),),
        backlog=4096,
        accept_cost=Exponential(MILLISECOND),
        delay=Constant(0),
    )
    waits = []
    for seed in range(RUNS):
        times = simulate(scenario, seed).waiting_times
        assert times is not None
        waits.append(times.mean / MILLISECOND)
    error = STUDENT * statistics.stdev(waits) / math.sqrt(RUNS)
    assert abs(statistics.fmean(waits) - 4.0) < error < 1.0


def test_what_is_finished_is_forgotten() -> None:
    simulation = Simulation(Scenario(arrivals=(Poisson(2000, 5 * SECOND),)))
    simulation.run()
    assert simulation.clients.began > 9000
    gc.collect()
    alive = [one for one in gc.get_objects() if isinstance(one, Attempt | HalfOpen)]
    assert len(alive) == 0


def test_no_circles_are_left_to_the_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        simulation = Simulation(Scenario(arrivals=(Poisson(2000, 3 * SECOND),), backlog=2))
        simulation.run()
        alive = [one for one in gc.get_objects() if isinstance(one, Attempt | HalfOpen)]
        assert len(alive) == 0
    finally:
        gc.enable()


def test_the_collector_is_left_as_it_was() -> None:
    assert gc.isenabled()
    simulate(Scenario(arrivals=(Poisson(10, SECOND),)))
    assert gc.isenabled()


def test_no_place_at_all_is_erlang() -> None:
    # 4.4BSD's smallest queue still has a place, so the formula for none is only a bound.
    assert erlang_b(1, 0.8) > blocking(Load(800, 0.001), 1)
