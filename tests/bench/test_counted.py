"""Counted costs against their baseline: a regression is seen on any machine, however busy."""

import json

import pytest

from bench import counted
from bench.counted import Counts


@pytest.fixture(scope="module")
def baseline() -> dict[str, Counts]:
    document: dict[str, Counts] = json.loads(counted.BASELINE.read_text("utf-8"))
    return document


@pytest.mark.parametrize("method", counted.METHODS)
def test_counts_are_those_of_the_baseline(method: str, baseline: dict[str, Counts]) -> None:
    found = counted.complaints(method, counted.count(method), baseline[method])
    renew = "if it is meant: python -m bench.counted --renew, and commit bench/counted.json"
    assert not found, "\n".join([*found, renew])


def test_what_is_outside_the_band_is_named() -> None:
    before = {"connection": {"calls": 300.0, "octets left over": 7.0}}
    within = {"connection": {"calls": 320.0, "octets left over": 0.0}}
    beyond = {"connection": {"calls": 340.0, "octets left over": 7.0}}
    assert counted.complaints("m", within, before) == []
    (line,) = counted.complaints("m", beyond, before)
    assert line == "m: calls for each connection: 340, and it was 300"


def test_less_is_news_too() -> None:
    before = {"connection": {"system calls": 52.0}}
    assert counted.complaints("m", {"connection": {"system calls": 40.0}}, before)
    assert counted.complaints("m", {"connection": {}}, before)
