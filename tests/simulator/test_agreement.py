"""The simulator and the hosts that speak segments tell the same story, client by client."""

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import hypothesis.strategies as st
import pytest
from hypothesis import given

from annotated_shadowsocks.simulator.arrivals import Recorded
from annotated_shadowsocks.simulator.attempt import Attempt
from annotated_shadowsocks.simulator.scenario import Scenario, Stall
from annotated_shadowsocks.simulator.simulation import Simulation
from annotated_shadowsocks.simulator.spread import Constant
from annotated_shadowsocks.simulator.way import Way
from annotated_shadowsocks.tcp_model import counters as c
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND, Duration, Instant
from annotated_shadowsocks.tcp_model.profile import Feature
from annotated_shadowsocks.tcp_model.profiles import PROFILES, find
from annotated_shadowsocks.testing.segment_level import Client, SegmentLevel

Loss = set[tuple[int, str, int]]
# What a server counts of clients that only connect; RSTs and ACKs to the established are left out.
COUNTED = {
    c.LISTEN_OVERFLOWS,
    c.LISTEN_DROPS,
    c.TCP_REQ_Q_FULL_DROP,
    c.TCP_REQ_Q_FULL_DO_COOKIES,
    c.SYNCOOKIES_SENT,
    c.SYNCOOKIES_RECV,
    c.SYNCOOKIES_FAILED,
    c.TCP_TIMEOUTS,
    c.TCP_SYN_RETRANS,
    c.TCP_ACK_SKIPPED_SYN_RECV,
    c.PASSIVE_OPENS,
    c.EMBRYONIC_RSTS,
    c.TCP_DEFER_ACCEPT_DROP,
}


@dataclass(frozen=True)
class Listed:
    """Delays as a list has them."""

    values: tuple[Duration, ...]

    def drawer(self, source: random.Random) -> Any:
        return iter(self.values).__next__


def on_simulator(scenario: Scenario, loss: Loss) -> tuple[list[Client], dict[str, int], int]:
    class Planned(Way):
        def is_lost(self, attempt: Attempt, what: str) -> bool:
            ordinals[attempt.number, what] += 1
            return (attempt.number, what, ordinals[attempt.number, what]) in loss

    ordinals: Counter[tuple[int, str]] = Counter()
    simulation = Simulation(scenario, way=Planned)
    simulation.way.loss = float(bool(loss))
    stories: dict[int, Client] = {}

    def finished(attempt: Attempt) -> None:
        assert attempt.outcome is not None
        accepted_at = simulation.agenda.now if attempt.outcome.name == "ACCEPTED" else None
        stories[attempt.number] = Client(
            attempt.outcome, attempt.knocks, attempt.connected_at, accepted_at
        )

    simulation.clients.observer = finished
    simulation.run()
    report = simulation.report()
    return (
        [stories[number] for number in sorted(stories)],
        report.counters,
        (report.queues[0].high_water),
    )


def agree(scenario: Scenario, starts: list[Instant], delays: list[Duration], loss: Loss) -> None:
    level = SegmentLevel(scenario, starts, delays, lambda *which: which in loss)
    stories, counted, high_water = on_simulator(scenario, loss)
    expected = level.run()
    assert stories == expected
    names = find(scenario.profile).counter_names or {}
    ours = COUNTED | set(names.values())
    counters = level.server.counters.snapshot()
    assert {n: v for n, v in counted.items() if n in ours} == {
        n: v for n, v in counters.items() if n in ours
    }
    assert high_water <= level.high_water + 1


# Numbers without a common measure, so that no two clients do something at the same instant.
def at_once(gaps: list[int]) -> list[Instant]:
    at, starts = 0, []
    for number, gap in enumerate(gaps):
        at += gap * MILLISECOND + 7919 * (number + 1)
        starts.append(at)
    return starts


@st.composite
def scenarios(draw: st.DrawFn) -> tuple[Scenario, list[Instant], list[Duration], Loss]:
    profile = draw(st.sampled_from(list(PROFILES)))
    knobs = find(profile).knobs
    settings = {
        "tcp_syncookies": draw(st.integers(0, 2)),
        "tcp_synack_retries": draw(st.integers(0, 3)),
        "tcp_max_syn_backlog": draw(st.sampled_from([4, 2048])),
        "tcp_abort_on_overflow": draw(st.integers(0, 1)),
        "rst_on_sock_fail": draw(st.integers(0, 1)),
    }
    deferrals = [0, 1, 2, 5] if Feature.DEFER_ACCEPT in find(profile).features else [0]
    clients = draw(st.integers(1, 14))
    gaps = draw(
        st.lists(st.sampled_from([0, 0, 0, 3, 40, 900]), min_size=clients, max_size=clients)
    )
    starts = at_once(gaps)
    ways = st.sampled_from([1, 1, 20, 130, 230, 700])
    delays = [draw(ways) * MILLISECOND + 104729 * (number + 3) for number in range(clients)]
    kinds = st.sampled_from(["SYN", "SYN/ACK", "ACK", "data"])
    losses = st.tuples(st.integers(0, clients - 1), kinds, st.integers(1, 3))
    loss = draw(st.sets(losses, max_size=6))
    stalls = draw(st.lists(st.sampled_from([50, 800, 2500, 12_000]), max_size=2))
    scenario = Scenario(
        arrivals=(Recorded(tuple(starts)),),
        backlog=draw(st.integers(0, 4)),
        profile=profile,
        settings=tuple((k, v) for k, v in settings.items() if k in knobs),
        client_settings=(("tcp_syn_retries", draw(st.integers(1, 3))),),
        accept_cost=Constant(draw(st.sampled_from([1, 31, 700, 9000])) * MILLISECOND + 17),
        workers=draw(st.integers(0, 3)),
        stalls=tuple(Stall(1_300_007, one * MILLISECOND + 13) for one in stalls[:1]),
        delay=cast(Any, Listed(tuple(delays))),
        speaks=draw(st.booleans()),
        defer_accept=draw(st.sampled_from(deferrals)),
        patience=draw(st.sampled_from([None, None, 2_500_000_019])),
    )
    return scenario, starts, delays, loss


@given(scenarios())
def test_they_tell_the_same_story(
    drawn: tuple[Scenario, list[Instant], list[Duration], Loss],
) -> None:
    agree(*drawn)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("speaks", [True, False])
def test_a_stalled_server(profile: str, speaks: bool) -> None:
    starts = at_once([0] * 20)
    delays = [20 * MILLISECOND + 104729 * number for number in range(20)]
    scenario = Scenario(
        arrivals=(Recorded(tuple(starts)),),
        backlog=3,
        profile=profile,
        accept_cost=Constant(5 * MILLISECOND + 11),
        stalls=(Stall(1, 5 * SECOND),),
        delay=cast(Any, Listed(tuple(delays))),
        speaks=speaks,
    )
    agree(scenario, starts, delays, set())
