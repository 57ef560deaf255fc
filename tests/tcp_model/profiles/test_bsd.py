"""The BSDs, against the closed formulas."""

from collections.abc import Callable

import pytest

from annotated_shadowsocks.tcp_model.profiles import find
from annotated_shadowsocks.tcp_model.survey import AckAnswer, Answers, SynAnswer, answers, survey


@pytest.mark.parametrize(
    ("name", "connections"),
    [
        ("bsd42", lambda b: 3 * min(b, 5) // 2 + 1),
        ("bsd44", lambda b: 3 * min(b, 5) // 2 + 1),
        ("xnu", lambda b: b or 128),
        # One by one, no more than the SYN's gate lets in.
        ("netbsd", lambda b: b + 1),
        ("openbsd", lambda b: 81),
        ("freebsd-12", lambda b: 3 * b // 2 + 1),
    ],
)
def test_connections(name: str, connections: Callable[[int], int]) -> None:
    found = survey(find(name), range(15))
    assert [one.connections for one in found] == [connections(b) for b in range(15)]


@pytest.mark.parametrize(
    ("name", "half_open"),
    [
        ("bsd44", lambda b: 3 * min(b, 5) // 2 + 1),
        ("xnu", lambda b: b or 128),
        ("netbsd", lambda b: 293 * 35),
        ("freebsd-12", lambda b: 512 * 30),
    ],
)
def test_half_open(name: str, half_open: Callable[[int], int]) -> None:
    found = survey(find(name), [0, 1, 5])
    assert [one.half_open for one in found] == [half_open(b) for b in (0, 1, 5)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bsd44", Answers(SynAnswer.SILENCE, AckAnswer.NEVER_FULL)),
        ("xnu", Answers(SynAnswer.SILENCE, AckAnswer.NEVER_FULL)),
        ("netbsd", Answers(SynAnswer.SILENCE, AckAnswer.RST)),
        ("openbsd", Answers(SynAnswer.SILENCE, AckAnswer.RST)),
        ("freebsd-12", Answers(SynAnswer.SYN_ACK, AckAnswer.RST)),
    ],
)
def test_a_full_queue(name: str, says: Answers) -> None:
    assert answers(find(name)) == says
