"""The flags that describe a scenario."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from annotated_shadowsocks.cli import scenario_flags as flags
from annotated_shadowsocks.cli.arguments import ArgumentParser
from annotated_shadowsocks.errors import ConfigError, UsageError
from annotated_shadowsocks.simulator.arrivals import Bursts, Poisson, Recorded
from annotated_shadowsocks.simulator.scenario import Stall
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND


def parsed(*words: str) -> argparse.Namespace:
    parser = ArgumentParser("test")
    flags.add_flags(parser)
    return parser.parse_args(words)


def test_who_comes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("1\n3\n")
    found = parsed("--burst", "20/1s", "--arrivals", str(log), "--for", "5s")
    assert flags.arrivals(found, 100.0) == (
        Recorded((0, 2 * SECOND)),
        Poisson(100.0, 5 * SECOND),
        Bursts(20, SECOND, 5 * SECOND),
    )


def test_one_burst_comes_once() -> None:
    one = flags.burst("20", 10 * SECOND)
    assert len(range(one.start, one.end, one.period)) == 1


def test_stalls_and_settings() -> None:
    assert flags.stall("3s+500ms") == Stall(3 * SECOND, 500 * MILLISECOND, None)
    assert flags.stall("0+1s#2") == Stall(0, SECOND, 2)
    assert flags.settings("--set", ["a=1", "b=-2"]) == (("a", 1), ("b", -2))


@pytest.mark.parametrize(
    "read",
    [
        lambda: flags.arrivals(parsed(), None),
        lambda: flags.arrivals(parsed("--for", "10000s"), 1e6),
        lambda: flags.arrivals(parsed("--burst", "9999999/1ms"), None),
        lambda: flags.burst("x", SECOND),
        lambda: flags.burst("0", SECOND),
        lambda: flags.burst("5/0", SECOND),
        lambda: flags.stall("3s"),
        lambda: flags.stall("3s+1s#x"),
        lambda: flags.settings("--set", ["a"]),
        lambda: flags.settings("--set", ["a=b"]),
    ],
)
def test_what_cannot_be_is_one_line(read: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        read()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        flags.arrivals(parsed("--arrivals", "/no/such/file"), None)
