"""Formulas against values from the literature, closed forms, and each other."""

import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from annotated_shadowsocks.policy.queueing import (
    Load,
    blocking,
    deterministic_blocking,
    erlang_b,
    markov_blocking,
    overflow_of_burst,
    places_needed,
    poisson_tail,
)


# Erlang's loss table as the ITU's teletraffic handbook prints it: the load in erlangs at which so
# many trunks lose one call in a hundred, or in a thousand.
@pytest.mark.parametrize(
    ("trunks", "one_percent", "one_permille"),
    [(1, 0.0101, 0.0010), (2, 0.153, 0.046), (5, 1.36, 0.762), (10, 4.46, 3.09), (20, 12.03, 9.41)],
)
def test_erlang_b_is_the_table(trunks: int, one_percent: float, one_permille: float) -> None:
    assert erlang_b(trunks, one_percent) == pytest.approx(0.01, rel=0.02)
    assert erlang_b(trunks, one_permille) == pytest.approx(0.001, rel=0.05)


@pytest.mark.parametrize("busy", [0.1, 0.5, 0.9, 0.999, 1.0, 1.3, 3.0])
@pytest.mark.parametrize("places", [0, 1, 4, 30])
def test_one_server_is_the_closed_form(busy: float, places: int) -> None:
    states = places + 1  # M/M/1/K: P_K = (1 - r) r^K / (1 - r^(K + 1))
    closed = (
        1 / (states + 1) if busy == 1.0 else (1 - busy) * busy**states / (1 - busy ** (states + 1))
    )
    assert markov_blocking(Load(busy, 1.0), places) == pytest.approx(closed, rel=1e-9)


@given(st.integers(1, 30), st.floats(0.01, 3), st.integers(0, 60))
def test_many_servers_are_the_balance_of_flows(servers: int, busy: float, places: int) -> None:
    offered = busy * servers
    weights = [1.0]
    for state in range(1, servers + places + 1):
        weights.append(weights[-1] * offered / min(state, servers))
    expected = weights[-1] / math.fsum(weights)
    assert markov_blocking(Load(offered, 1.0, servers), places) == pytest.approx(expected, rel=1e-9)


# M/D/1/2 in closed form: with a = exp(-r), P_K = 1 - 1 / (a + r)... derived from the embedded
# chain of two states, and M/D/1/1 is Erlang's formula for one server.
@pytest.mark.parametrize("busy", [0.2, 0.5, 0.9, 1.0, 1.5])
def test_constant_service_with_few_places(busy: float) -> None:
    load = Load(busy, 1.0, variation=0.0)
    assert deterministic_blocking(load, 0) == pytest.approx(busy / (1 + busy), rel=1e-9)
    empty = math.exp(-busy)
    assert deterministic_blocking(load, 1) == pytest.approx(1 - 1 / (empty + busy), rel=1e-9)


@pytest.mark.parametrize("busy", [0.3, 0.8, 0.95, 1.0, 1.2])
@pytest.mark.parametrize("places", [3, 12])
def test_constant_service_is_its_embedded_chain(busy: float, places: int) -> None:
    # The chain at departures, solved by repetition instead of by the recursion that is tested.
    states = places + 1
    came = [math.exp(-busy) * busy**k / math.factorial(k) for k in range(states)]
    left = [1 / states] * states
    for _ in range(6000):
        following = [0.0] * states
        for state, weight in enumerate(left):
            start = max(0, state - 1)
            for more in range(states - start):
                last = start + more == states - 1
                chance = 1 - sum(came[:more]) if last else came[more]
                following[start + more] += weight * chance
        left = following
    expected = 1 - 1 / (left[0] + busy)
    found = deterministic_blocking(Load(busy, 1.0, variation=0.0), places)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_small_chances_keep_their_digits() -> None:
    load = Load(0.5, 1.0, variation=0.0)
    chances = [deterministic_blocking(load, places) for places in (20, 21, 22, 40, 41)]
    # From place to place they fall by one factor, the root of exp(r (z - 1)) = z beyond 1.
    ratio = chances[0] / chances[1]
    assert math.exp(0.5 * (ratio - 1)) == pytest.approx(ratio, rel=1e-6)
    assert chances[1] / chances[2] == pytest.approx(ratio, rel=1e-6)
    assert chances[3] / chances[4] == pytest.approx(ratio, rel=1e-6)
    assert chances[4] < 1e-20
    assert deterministic_blocking(load, 5000) == 0.0


@given(st.floats(0.05, 0.98), st.integers(1, 8), st.sampled_from([0.0, 0.5, 1.0]))
def test_more_places_are_never_worse(busy: float, servers: int, variation: float) -> None:
    load = Load(busy * servers, 1.0, servers, variation)
    chances = [blocking(load, places) for places in range(12)]
    assert chances == sorted(chances, reverse=True)
    needed = places_needed(load, 0.02)
    assert needed is not None
    assert blocking(load, needed) <= 0.02
    assert needed == 0 or blocking(load, needed - 1) > 0.02


def test_steady_service_needs_fewer_places_than_random_service() -> None:
    needed = [places_needed(Load(0.9, 1.0, 1, v), 1e-3) for v in (0.0, 0.5, 1.0)]
    assert None not in needed
    assert needed == sorted(needed, key=lambda n: n or 0) and needed[0] != needed[2]


def test_no_queue_is_long_enough_for_more_than_is_served() -> None:
    assert places_needed(Load(1.1, 1.0), 1e-3) is None
    # A tenth is lost at least; who can bear a fifth can be served.
    assert places_needed(Load(1.1, 1.0), 0.2) is not None


def test_overload_loses_what_is_too_much() -> None:
    assert deterministic_blocking(Load(5, 1.0, variation=0.0), 500) == pytest.approx(0.8)
    assert markov_blocking(Load(2, 1.0), 500) == pytest.approx(0.5)


def test_nobody_comes() -> None:
    assert blocking(Load(0.0, 1.0), 3) == 0.0
    assert blocking(Load(0.0, 1.0, variation=0.0), 3) == 0.0


@pytest.mark.parametrize(("mean", "number"), [(0.5, 0), (3.0, 2), (3.0, 9), (100.0, 130)])
def test_poisson_tail_is_the_rest_of_the_sum(mean: float, number: int) -> None:
    term, total = math.exp(-mean), 0.0
    for k in range(number + 1):
        total += term
        term *= mean / (k + 1)
    assert poisson_tail(mean, number) == pytest.approx(1 - total, rel=1e-6)
    assert poisson_tail(0.0, number) == 0.0


def test_a_burst_is_a_fluid() -> None:
    load = Load(0.0, 0.010, servers=2)
    assert overflow_of_burst(load, 100, 0.0, 50) == 48  # two are served at once
    assert overflow_of_burst(load, 100, 0.1, 50) == 28  # and twenty within 100 ms
    assert overflow_of_burst(load, 100, 9.0, 50) == 0
