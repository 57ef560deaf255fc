"""How patient a request is."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.request import (
    Firing,
    Request,
    allowed_retries,
    fire,
    retrans_to_secs,
    secs_to_retrans,
)
from annotated_shadowsocks.tcp_model.segment import Flow, Timestamps

FLOW = Flow(Endpoint("192.0.2.1", 80), Endpoint("192.0.2.7", 1234))


def request(timeouts: int = 0, acked: bool = False) -> Request:
    listener = Listener(1, FLOW.local, DEFAULT, reuse_port=False)
    made = Request(FLOW, listener, 0xFFFFFFFF, 5, (Timestamps(7, 0),), 100, now=0)
    made.timeouts, made.acked = timeouts, acked
    return made


def test_it_remembers_the_syn() -> None:
    assert request().rcv_nxt == 0
    assert request().ts_recent == 7
    assert request().young
    assert not request(timeouts=1).young


@pytest.mark.parametrize(
    ("depth", "young", "crowded", "allowed"),
    [
        (9, 4, False, 5),
        # [linux reqsk_timer_handler] by hand: 9 against 8, 16, …; 7 against 8; nobody young
        (9, 4, True, 4),
        (7, 4, True, 5),
        (9, 1, True, 2),
        (9, 0, True, 2),
    ],
)
def test_allowed_retries(depth: int, young: int, crowded: bool, allowed: int) -> None:
    assert allowed_retries(5, depth, young, crowded) == allowed


def test_two_retries_are_left_to_everybody() -> None:
    assert allowed_retries(2, 99, 0, crowded=True) == 2
    assert allowed_retries(1, 99, 0, crowded=True) == 1


@pytest.mark.parametrize(
    ("timeouts", "acked", "defer", "firing"),
    [
        (1, False, 0, Firing(False, True)),
        (2, False, 0, Firing(True, True)),
        (2, True, 0, Firing(True, True)),
        # TCP_DEFER_ACCEPT of 4 timeouts: silent once acknowledged, but for the last
        (1, False, 4, Firing(False, True)),
        (2, False, 4, Firing(True, True)),
        (1, True, 4, Firing(False, False)),
        (2, True, 4, Firing(False, False)),
        (3, True, 4, Firing(False, True)),
        (4, True, 4, Firing(True, True)),
    ],
)
def test_firing_with_two_retries(timeouts: int, acked: bool, defer: int, firing: Firing) -> None:
    assert fire(request(timeouts, acked), 2, defer) == firing


@pytest.mark.parametrize(
    ("seconds", "timeouts", "back"),
    # seen: 10 reads back as 15
    [(0, 0, 0), (-3, 0, 0), (1, 1, 1), (2, 2, 3), (3, 2, 3), (4, 3, 7), (10, 4, 15), (128, 8, 247)],
)
def test_defer_accept_counts_timeouts(seconds: int, timeouts: int, back: int) -> None:
    assert secs_to_retrans(seconds) == timeouts
    assert retrans_to_secs(timeouts) == back


def test_defer_accept_fits_an_octet() -> None:
    assert secs_to_retrans(2**31 - 1) == 255
