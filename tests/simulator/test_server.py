"""The server's queues: what full ones do, by profile and setting."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from annotated_shadowsocks.simulator.arrivals import Bursts, Poisson
from annotated_shadowsocks.simulator.attempt import Outcome
from annotated_shadowsocks.simulator.scenario import Scenario, Stall
from annotated_shadowsocks.simulator.simulation import Simulation, simulate
from annotated_shadowsocks.simulator.spread import Constant, Exponential, Spread, Uniform
from annotated_shadowsocks.tcp_model import counters as c
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.tcp_model.profiles import PROFILES, find

AT_ONCE = (Bursts(20, SECOND, 1),)


def test_a_queue_that_nobody_serves_holds_one_more_than_its_limit() -> None:
    report = simulate(Scenario(arrivals=AT_ONCE, backlog=4, workers=0))
    assert report.outcomes[Outcome.QUEUED] == 5
    assert [(q.limit, q.capacity, q.high_water) for q in report.queues] == [(4, 5, 5)]


def test_who_is_silent_is_stranded_and_who_speaks_is_reset() -> None:
    off = (("tcp_syncookies", 0), ("tcp_synack_retries", 1))
    silent = Scenario(arrivals=AT_ONCE, backlog=4, workers=0, settings=off, speaks=False)
    # Five half-open requests while the queue was empty, all of which fit.
    assert simulate(silent).outcomes[Outcome.STRANDED] == 0
    pause = (Bursts(3, SECOND, 1), Bursts(5, SECOND, SECOND, start=2 * MILLISECOND))
    for speaks, outcome in ((False, Outcome.STRANDED), (True, Outcome.RESET)):
        scenario = Scenario(
            arrivals=pause, backlog=4, workers=0, settings=off, speaks=speaks, delay=Constant(5)
        )
        report = simulate(scenario)
        assert report.outcomes[Outcome.QUEUED] == 5
        assert report.outcomes[outcome] == report.clients - 5 - report.outcomes[Outcome.TIMED_OUT]


@pytest.mark.parametrize("speaks", [True, False])
def test_who_has_said_nothing_is_deferred(speaks: bool) -> None:
    scenario = Scenario(arrivals=AT_ONCE, defer_accept=1, speaks=speaks)
    report = simulate(scenario)
    assert report.outcomes[Outcome.ACCEPTED] == 20
    # The bare ACK of each is dropped; who then says nothing waits for the last SYN/ACK, a second.
    assert report.counters[c.TCP_DEFER_ACCEPT_DROP] == 20
    assert report.counters.get(c.TCP_SYN_RETRANS, 0) == (0 if speaks else 20)
    assert report.slower_than[1] == (0.0 if speaks else 1.0)


def test_windows_refuses() -> None:
    report = simulate(Scenario(arrivals=AT_ONCE, backlog=4, workers=0, profile="windows"))
    assert report.outcomes[Outcome.REFUSED] == 15


def test_abort_on_overflow_resets() -> None:
    settings = (("tcp_abort_on_overflow", 1), ("tcp_syncookies", 0))
    scenario = Scenario(
        arrivals=(Bursts(3, SECOND, 1), Bursts(4, SECOND, SECOND, start=1)),
        backlog=4,
        workers=0,
        settings=settings,
    )
    report = simulate(scenario)
    assert report.outcomes[Outcome.QUEUED] == 5
    assert report.counters.get(c.EMBRYONIC_RSTS, 0) == report.outcomes[Outcome.RESET]


def test_own_listeners_have_own_queues() -> None:
    scenario = Scenario(
        arrivals=(Poisson(2000, SECOND),),
        backlog=300,
        workers=4,
        reuse_port=True,
        accept_cost=Constant(MILLISECOND),
        stalls=(Stall(0, 2 * SECOND, 2),),
    )
    report = simulate(scenario)
    assert len(report.queues) == len(report.accepted) == 4
    assert sum(report.accepted) == report.clients
    # One worker's stall is felt by those who hash to it, and by nobody else.
    assert report.queues[2].high_water == 301
    assert max(report.queues[n].high_water for n in (0, 1, 3)) < 50
    # A quarter each: within five standard deviations.
    assert all(abs(n - report.clients / 4) < 5 * 20 for n in report.accepted)


DELAYS: list[Spread] = [Constant(0), Uniform(1, 300 * MILLISECOND)]
COSTS: list[Spread] = [Constant(0), Exponential(4 * MILLISECOND), Constant(200 * MILLISECOND)]


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    profile = draw(st.sampled_from(list(PROFILES)))
    feature = "linux" in profile
    workers = draw(st.integers(0, 3))
    return Scenario(
        arrivals=(Poisson(draw(st.sampled_from([50, 400])), SECOND), Bursts(30, SECOND, 1)),
        backlog=draw(st.integers(0, 12)),
        profile=profile,
        accept_cost=draw(st.sampled_from(COSTS)),
        workers=workers,
        reuse_port=feature and draw(st.booleans()),
        stalls=(Stall(300 * MILLISECOND, 2 * SECOND),),
        delay=draw(st.sampled_from(DELAYS)),
        loss=draw(st.sampled_from([0.0, 0.05])),
        speaks=draw(st.booleans()),
        patience=draw(st.sampled_from([None, 3 * SECOND])),
        client_settings=(("tcp_syn_retries", 2),),
        settings=(("tcp_syncookies", draw(st.integers(0, 2))),) if feature else (),
    )


@given(scenarios())
def test_nobody_is_lost_and_no_queue_is_deeper_than_it_may_be(scenario: Scenario) -> None:
    simulation = Simulation(scenario)
    simulation.run()
    report = simulation.report()
    # Every client has exactly one end, and those who wait are those in the queues.
    assert sum(report.outcomes.values()) == report.clients
    assert sum(report.accepted) == report.outcomes[Outcome.ACCEPTED]
    waiting = sum(len(one.accept_queue.connections) for one in simulation.server.listeners)
    waiting += sum(len(one.deferred) for one in simulation.server.listeners)
    assert waiting == report.outcomes[Outcome.QUEUED]
    # No request outlives the run, and the queues have counted right.
    assert not simulation.server.requests
    for listener in simulation.server.listeners:
        assert listener.syn_queue.depth == len(listener.deferred)
    if find(scenario.profile).counter_names is None:
        assert all(queue.high_water <= queue.limit + 1 for queue in report.queues)
        completed = report.outcomes[Outcome.ACCEPTED] + report.outcomes[Outcome.QUEUED]
        assert report.counters.get(c.PASSIVE_OPENS, 0) >= completed


@given(scenarios(), st.integers(0, 3))
def test_the_same_seed_gives_the_same_report(scenario: Scenario, seed: int) -> None:
    assert simulate(scenario, seed) == simulate(scenario, seed)


def test_another_seed_gives_another() -> None:
    scenario = Scenario(arrivals=(Poisson(100, SECOND),))
    assert simulate(scenario, 1) != simulate(scenario, 2)


@pytest.mark.parametrize("profile", ["netbsd", "freebsd-12"])
def test_a_refused_ack_is_answered_by_rst(profile: str) -> None:
    report = simulate(Scenario(arrivals=AT_ONCE, backlog=4, workers=0, profile=profile))
    assert report.outcomes[Outcome.QUEUED] == 7
    assert report.outcomes[Outcome.RESET] == 13
