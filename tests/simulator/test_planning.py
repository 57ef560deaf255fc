"""Which backlog is enough."""

import pytest

from annotated_shadowsocks.policy.queueing import Load, blocking
from annotated_shadowsocks.simulator import planning
from annotated_shadowsocks.simulator.arrivals import Poisson
from annotated_shadowsocks.simulator.planning import Demand, Estimate, Need
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.simulation import simulate
from annotated_shadowsocks.simulator.spread import Constant, Exponential
from annotated_shadowsocks.tcp_model.instant import MILLISECOND

ANY = (Poisson(1, 1),)


def scenario(**changed: object) -> Scenario:
    settings: dict[str, object] = {
        "arrivals": ANY,
        "accept_cost": Exponential(MILLISECOND),
        "settings": (("somaxconn", 1 << 20),),
    }
    return Scenario(**(settings | changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("profile", "places", "backlog"),
    # Linux holds one more than it is asked for, 4.4BSD half as much again and one.
    [("linux-6.18", 129, 128), ("bsd44", 101, 67), ("xnu", 10, 10), ("lwip", 10, 10)],
)
def test_the_least_backlog_with_so_many_places(profile: str, places: int, backlog: int) -> None:
    one = scenario(profile=profile)
    assert planning.backlog_for(one, places) == backlog
    assert planning.capacity(one, backlog) in (places, places + 1)
    assert (planning.capacity(one, backlog - 1) or 0) < places


def test_a_system_may_have_no_queue_that_is_so_long() -> None:
    assert planning.backlog_for(scenario(profile="lwip"), 256) is None


def test_need_by_chance_alone_is_the_formula() -> None:
    need = planning.need(scenario(), Demand(900), 0.01)
    load = Load(900, 0.001)
    assert need.places is not None
    # Linux asks twice, so that each time half of the chance is left.
    assert blocking(load, need.places) <= 0.005 < blocking(load, need.places - 1)


@pytest.mark.parametrize(
    ("profile", "times"), [("linux-6.18", 2), ("bsd44", 1), ("freebsd-12", 1), ("netbsd", 2)]
)
def test_who_asks_how_often(profile: str, times: int) -> None:
    assert planning.asked(scenario(profile=profile)) == times


def test_bursts_and_stalls_come_on_top() -> None:
    need = planning.need(scenario(workers=2), Demand(900, 50, 100 * MILLISECOND), 0.001)
    assert need.burst == 48  # two workers take one each
    assert 90 < need.stall < 130
    assert need.steady is not None
    assert need.places == need.steady + need.stall


def test_too_many_clients_need_what_no_queue_has() -> None:
    assert planning.need(scenario(), Demand(1100), 0.001) == Need(None, 0, 0)


def test_own_listeners_have_a_part_of_the_clients_each() -> None:
    load = planning.load_of(scenario(workers=4, reuse_port=True), Demand(400))
    assert load == Load(100, 0.001, 1, 1.0)
    assert planning.load_of(scenario(workers=4), Demand(400)) == Load(400, 0.001, 4, 1.0)


def test_felt_counts_the_knocks_before() -> None:
    # SYNs at 0, 1, 2, 3, 4, 5, 7 s: who waits 3 s was turned away at 0, 1 and 2 s.
    assert planning.felt(scenario(), 0.1) == pytest.approx({1: 0.1, 3: 1e-3, 7: 1e-6})
    doubling = scenario(client_settings=(("tcp_syn_linear_timeouts", 0),))
    assert planning.felt(doubling, 0.1) == pytest.approx({1: 0.1, 3: 1e-2, 7: 1e-3})


def test_an_estimate_is_wider_where_runs_differ() -> None:
    long = planning.scenario_of(scenario(backlog=3), Demand(500), 0.05)
    reports = [simulate(long, seed) for seed in range(planning.RUNS)]
    found = planning.estimate(reports)
    assert found.least < found.overflow < found.most
    assert found.clients == sum(report.clients for report in reports) > 38_000
    chance = planning.chance_of(scenario(backlog=3), Demand(500))
    assert chance == pytest.approx(blocking(Load(500, 0.001), 4))
    # A round trip is longer than a service, so that asking twice is nearly two chances.
    assert chance < found.least and found.most < 2.2 * chance
    assert "asked at the SYN and again" in planning.agreement(chance, found, 2)


@pytest.mark.parametrize(
    ("chance", "seen", "word"),
    [
        (0.01, Estimate(1000, 0.011, 0.008, 0.014, {}), "they agree: "),
        (0.001, Estimate(1000, 0.02, 0.0, 0.05, {}), "interval is wide"),
        (1e-9, Estimate(1000, 0.0, 0.0, 0.003, {}), "agree as far as 1000"),
        (0.5, Estimate(1000, 0.0, 0.0, 0.003, {}), "expects more"),
        (0.01, Estimate(1000, 0.05, 0.04, 0.06, {}), "5 times as many"),
        (0.1, Estimate(1000, 0.05, 0.04, 0.06, {}), "2 times fewer"),
    ],
)
def test_agreement_in_words(chance: float, seen: Estimate, word: str) -> None:
    assert word in planning.agreement(chance, seen)


def test_a_burst_that_fits_by_the_formula_fits() -> None:
    one = scenario(accept_cost=Constant(MILLISECOND), delay=Constant(0))
    need = planning.need(one, Demand(0, 200), 0.001)
    assert need.places == 199
    for backlog, turned_away in ((198, 0), (197, 1)):
        run = planning.scenario_of(scenario(backlog=backlog, delay=Constant(0)), Demand(0, 200), 1)
        assert (simulate(run).turned_away > 0) == bool(turned_away)
    assert need == Need(0, 199, 0)
