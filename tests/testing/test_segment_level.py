"""The reference that the simulator is held against: a scene that can be followed by hand."""

from annotated_shadowsocks.simulator.arrivals import Recorded
from annotated_shadowsocks.simulator.attempt import Outcome
from annotated_shadowsocks.simulator.scenario import Scenario
from annotated_shadowsocks.simulator.spread import Constant
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.testing.segment_level import Client, SegmentLevel


def test_a_lost_syn_costs_a_second() -> None:
    starts = [0, 10]
    scenario = Scenario(arrivals=(Recorded(tuple(starts)),), accept_cost=Constant(MILLISECOND))
    level = SegmentLevel(scenario, starts, [5, 7], lambda *which: which == (1, "SYN", 1))
    assert level.run() == [
        Client(Outcome.ACCEPTED, 1, 10, 15),
        Client(Outcome.ACCEPTED, 2, SECOND + 10 + 14, SECOND + 10 + 21),
    ]
    assert level.high_water == 1
    # Two handshakes, two requests and their ACKs, and the SYN that was lost.
    assert level.sent == 2 * 5 + 1
