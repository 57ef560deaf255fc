"""What is typed and what is shown."""

from collections.abc import Callable

import pytest

from annotated_shadowsocks.cli import quantities as q
from annotated_shadowsocks.errors import UsageError
from annotated_shadowsocks.simulator.spread import Constant, Exponential, Spread, Uniform


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2ms", 2_000_000),
        ("1.5s", 1_500_000_000),
        ("300us", 300_000),
        ("0", 0),
        ("2min", 12 * 10**10),
    ],
)
def test_durations(text: str, value: int) -> None:
    assert q.duration("-f", text) == value


@pytest.mark.parametrize(
    ("text", "one"),
    [
        ("2ms", Constant(2_000_000)),
        ("1us..2us", Uniform(1000, 2000)),
        ("exp:5ns", Exponential(5)),
    ],
)
def test_spreads_there_and_back(text: str, one: Spread) -> None:
    assert q.spread("-f", text) == one
    assert q.spread("-f", q.spread_text(one).replace(" ", "")) == one


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("8", [8]),
        ("8,16,8", [8, 16]),
        ("1-4", [1, 2, 3, 4]),
        ("2:3", [2, 3]),
        ("100:1000:300", [100, 400, 700, 1000]),
    ],
)
def test_lists_of_integers(text: str, values: list[int]) -> None:
    assert q.integers("-f", text, 0, 1000) == values


def test_lists_of_numbers() -> None:
    assert q.numbers("-f", "0,0.01", 0, 1) == [0.0, 0.01]
    assert q.numbers("-f", "0.1:0.3:0.1", 0, 1) == pytest.approx([0.1, 0.2, 0.3])
    assert q.listed("-f", "1ms,2ms", q.duration) == [1_000_000, 2_000_000]


@pytest.mark.parametrize(
    "read",
    [
        lambda: q.duration("-f", "2"),
        lambda: q.duration("-f", "-2ms"),
        lambda: q.duration("-f", "9999999s"),
        lambda: q.spread("-f", "3ms..1ms"),
        lambda: q.spread("-f", "exp:"),
        lambda: q.integers("-f", "x", 0, 9),
        lambda: q.integers("-f", "", 0, 9),
        lambda: q.integers("-f", "1:2:3:4", 0, 9),
        lambda: q.integers("-f", "1.5", 0, 9),
        lambda: q.integers("-f", "10", 0, 9),
        lambda: q.integers("-f", "4-1", 0, 9),
        lambda: q.integers("-f", "1:9:0", 0, 9),
        lambda: q.numbers("-f", "0:1000000:0.001", 0, 10**6),
        lambda: q.numbers("-f", "nan", 0, 1),
    ],
)
def test_what_cannot_be_read_is_named(read: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match=r"^-f: "):
        read()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (7, "7 ns"), (1_250_000, "1.25 ms"), (2_000_000_000, "2 s"), (340_000, "340 us")],
)
def test_durations_as_shown(value: int, text: str) -> None:
    assert q.shown(value) == text
