"""What clients do, and feel."""

from annotated_shadowsocks.simulator.arrivals import Even, Recorded
from annotated_shadowsocks.simulator.attempt import Attempt, Outcome
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.simulation import Simulation, simulate
from annotated_shadowsocks.simulator.spread import Constant
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND

# The second client finds a queue of one place full, and nobody serves it.
TWO = (Recorded((0, SECOND)),)


def test_a_client_in_front_of_a_full_queue_gives_up_when_its_kernel_does() -> None:
    scenario = Scenario(
        arrivals=TWO, backlog=0, workers=0, client_settings=(("tcp_syn_retries", 1),)
    )
    report = simulate(scenario)
    assert report.outcomes[Outcome.TIMED_OUT] == 1
    # [linux tcp_write_timeout] SYNs at 0, 1 and 2 s, the end at 3 s.
    assert report.knocks == {1: 1, 3: 1}
    assert report.retransmitted == 2


def test_a_client_may_have_less_patience() -> None:
    scenario = Scenario(arrivals=TWO, backlog=0, workers=0, patience=1500 * MILLISECOND)
    report = simulate(scenario)
    assert report.outcomes[Outcome.TIMED_OUT] == 1
    assert report.knocks == {1: 1, 2: 1}


def test_connect_takes_a_round_trip() -> None:
    scenario = Scenario(arrivals=(Even(10, SECOND),), delay=Constant(30 * MILLISECOND))
    times = simulate(scenario).connect_times
    assert times is not None and times.most == 60 * MILLISECOND


def test_an_observer_hears_of_every_end() -> None:
    simulation = Simulation(Scenario(arrivals=(Even(10, SECOND),)))
    ended: list[Attempt] = []
    simulation.clients.observer = ended.append
    simulation.run()
    assert [attempt.number for attempt in ended] == list(range(10))
    assert not simulation.clients.unfinished
