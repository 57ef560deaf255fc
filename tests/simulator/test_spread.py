"""How durations vary: the means and variations that are stated are those that are drawn."""

import random
import statistics

import pytest

from annotated_shadowsocks.simulator.spread import Constant, Exponential, Spread, Uniform


@pytest.mark.parametrize("one", [Constant(5000), Uniform(1000, 9000), Exponential(5000)])
def test_draws_are_as_stated(one: Spread) -> None:
    draw = one.drawer(random.Random(3))
    values = [draw() for _ in range(40_000)]
    mean = statistics.fmean(values)
    assert mean == pytest.approx(one.mean, rel=0.03)
    assert statistics.pvariance(values) / mean**2 == pytest.approx(one.variation, rel=0.05)


def test_a_uniform_one_keeps_its_bounds() -> None:
    draw = Uniform(3, 5).drawer(random.Random(1))
    assert {draw() for _ in range(200)} == {3, 4, 5}


def test_nothing_varies_around_zero() -> None:
    assert Exponential(0).variation == Uniform(0, 0).variation == 0.0
