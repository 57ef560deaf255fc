"""Workers take turns, are busy, and stall."""

from annotated_shadowsocks.simulator.arrivals import Even, Recorded
from annotated_shadowsocks.simulator.attempt import Attempt
from annotated_shadowsocks.simulator.scenario import Scenario, Stall
from annotated_shadowsocks.simulator.simulation import Simulation
from annotated_shadowsocks.simulator.spread import Constant
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND


def accepted_at(scenario: Scenario) -> tuple[list[int], tuple[int, ...]]:
    """When each was accepted in ms, and how many by each worker."""
    simulation = Simulation(scenario)
    found: list[int] = []

    def note(attempt: Attempt) -> None:
        found.append(simulation.agenda.now // MILLISECOND)

    simulation.clients.observer = note
    simulation.run()
    return found, simulation.report().accepted


def test_one_worker_is_busy_for_the_cost_of_each() -> None:
    scenario = Scenario(
        arrivals=(Recorded((0, 0, 0)),), delay=Constant(0), accept_cost=Constant(5 * MILLISECOND)
    )
    assert accepted_at(scenario) == ([0, 5, 10], (3,))


def test_two_share_a_queue_and_take_turns() -> None:
    scenario = Scenario(
        arrivals=(Recorded((0, 0, 0, 0)),),
        delay=Constant(0),
        workers=2,
        accept_cost=Constant(5 * MILLISECOND),
    )
    assert accepted_at(scenario) == ([0, 0, 5, 5], (2, 2))


def test_idle_workers_take_turns() -> None:
    scenario = Scenario(arrivals=(Even(10, SECOND),), workers=5, accept_cost=Constant(1))
    assert accepted_at(scenario)[1] == (2, 2, 2, 2, 2)


def test_who_is_busy_when_a_stall_comes_is_busy_that_much_longer() -> None:
    scenario = Scenario(
        arrivals=(Recorded((0, MILLISECOND)),),
        delay=Constant(0),
        accept_cost=Constant(5 * MILLISECOND),
        stalls=(Stall(2 * MILLISECOND, 7 * MILLISECOND), Stall(3 * MILLISECOND, MILLISECOND)),
    )
    assert accepted_at(scenario)[0] == [0, 9]


def test_a_stall_stops_all_or_one() -> None:
    arrivals = (Recorded((10 * MILLISECOND, 20 * MILLISECOND)),)
    stop = Stall(5 * MILLISECOND, 100 * MILLISECOND)
    everyone = Scenario(arrivals=arrivals, delay=Constant(0), workers=2, stalls=(stop,))
    assert accepted_at(everyone) == ([105, 105], (1, 1)) or accepted_at(everyone)[0] == [105, 105]
    one = Scenario(
        arrivals=arrivals, delay=Constant(0), workers=2, stalls=(stop._replace(worker=0),)
    )
    assert accepted_at(one) == ([10, 20], (0, 2))
