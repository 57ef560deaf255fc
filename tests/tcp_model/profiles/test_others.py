"""illumos, Windows, lwIP and gVisor, against the closed formulas."""

from collections.abc import Callable

import pytest

from annotated_shadowsocks.tcp_model.profiles import find
from annotated_shadowsocks.tcp_model.survey import AckAnswer, Answers, SynAnswer, answers, survey
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


@pytest.mark.parametrize(
    ("name", "connections", "half_open"),
    [
        ("illumos", lambda b: max(1, b), lambda b: max(1, b) + 1024),
        ("windows", lambda b: b + 1, lambda b: b + 1),
        ("lwip", lambda b: max(1, b), lambda b: max(1, b)),
        ("gvisor", lambda b: b + 1, lambda b: b),
    ],
)
def test_both_queues(
    name: str, connections: Callable[[int], int], half_open: Callable[[int], int]
) -> None:
    found = survey(find(name), [0, 1, 2, 14])
    expected = [(connections(b), half_open(b)) for b in (0, 1, 2, 14)]
    assert [(one.connections, one.half_open) for one in found] == expected


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("illumos", Answers(SynAnswer.SILENCE, AckAnswer.WAITS)),
        ("windows", Answers(SynAnswer.RST, AckAnswer.NEVER_FULL)),
        ("lwip", Answers(SynAnswer.SILENCE, AckAnswer.NEVER_FULL)),
        ("gvisor", Answers(SynAnswer.SILENCE, AckAnswer.IGNORED)),
    ],
)
def test_a_full_queue(name: str, says: Answers) -> None:
    assert answers(find(name)) == says


@pytest.mark.parametrize(
    ("name", "sends", "gone"),
    [
        ("windows", [0, 3, 9], 21),
        # TCP_SYN_RCVD_TIMEOUT comes before the fourth
        ("lwip", [0, 3, 9], 20),
        ("gvisor", [0, 1, 3, 7, 15, 31, 63], 127),
        ("netbsd", [0, 3, 9, 21, 45], 93),
    ],
)
def test_a_silent_client(name: str, sends: list[int], gone: int) -> None:
    laboratory = Laboratory(2, name)
    peer = laboratory.peer()
    peer.syn()
    laboratory.at(gone - 0.001)
    assert laboratory.server.requests
    laboratory.at(gone)
    assert not laboratory.server.requests
    assert peer.heard == [f"{at} S. 0 ack 1" for at in sends]


def test_gvisor_counts_its_cookies_under_its_own_names() -> None:
    laboratory = Laboratory(0, "gvisor")
    peer = laboratory.peer()
    peer.connect()
    assert laboratory.listener.accept_queue.depth == 1
    assert laboratory.counted() == {
        "ListenOverflowSynCookieSent": 1,
        "ListenOverflowSynCookieRcvd": 1,
    }
