"""When clients come."""

import random

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.simulator.arrivals import (
    Bursts,
    Even,
    Poisson,
    Recorded,
    merged,
    read_timestamps,
)
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND

SOURCE = random.Random(1)


def test_poisson_has_its_rate_and_its_variance() -> None:
    instants = list(Poisson(1000, 50 * SECOND).instants(random.Random(7)))
    assert instants == sorted(instants) and instants[-1] < 50 * SECOND
    # 50000 are expected, and the standard deviation is 224.
    assert abs(len(instants) - 50_000) < 5 * 224
    counts = [0] * 500
    for at in instants:
        counts[at // (100 * MILLISECOND)] += 1
    variance = sum((count - 100) ** 2 for count in counts) / 500
    assert 75 < variance < 130


def test_even() -> None:
    assert list(Even(4, SECOND).instants(SOURCE)) == [0, 250_000_000, 500_000_000, 750_000_000]


def test_bursts() -> None:
    assert list(Bursts(2, 10, 25).instants(SOURCE)) == [0, 0, 10, 10, 20, 20]
    assert list(Bursts(2, 10, 15, start=3, width=4).instants(SOURCE)) == [3, 5, 13, 15]


def test_processes_are_merged() -> None:
    found = list(merged([Recorded((1, 5)), Recorded((2, 9))], "seed"))
    assert found == [1, 2, 5, 9]


def test_equal_processes_differ_from_each_other() -> None:
    one = list(Poisson(10, SECOND).instants(random.Random("s 0")))
    both = list(merged([Poisson(10, SECOND), Poisson(10, SECOND)], "s"))
    assert set(one) < set(both)


def test_timestamps_keep_their_nanoseconds() -> None:
    lines = ["# a comment\n", "1700000000.000000003\n", "\n", "1700000000.000000001\n"]
    assert read_timestamps("log", lines) == Recorded((0, 2))
    assert read_timestamps("log", ["2", "3.5"]) == Recorded((0, 1_500_000_000))


@pytest.mark.parametrize("line", ["x", "1e9", "-1", "1.2.3", "1.-2", "٣"])
def test_what_is_no_time_is_named_with_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match=r"^log:2: .* is no time in seconds"):
        read_timestamps("log", ["1", line])


def test_an_empty_file() -> None:
    with pytest.raises(ConfigError, match="there is no time in it"):
        read_timestamps("log", ["#\n"])
