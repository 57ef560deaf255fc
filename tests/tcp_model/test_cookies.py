"""Cookies: what they hold, for how long, and for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model import cookies
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.namespace import Namespace
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.reuseport import Group
from annotated_shadowsocks.tcp_model.segment import Flow

FLOW = Flow(Endpoint("192.0.2.1", 80), Endpoint("192.0.2.7", 1234))
FLOW6 = Flow(Endpoint("2001:db8::1", 80), Endpoint("2001:db8::7", 1234))
numbers = st.integers(0, 2**32 - 1)


def namespace(secret: bytes = b"cookies") -> Namespace:
    return Namespace(DEFAULT, DEFAULT.defaults, secret)


@given(numbers, st.integers(0, 10**18))
def test_a_fresh_cookie_is_good(irs: int, now: int) -> None:
    host = namespace()
    iss = cookies.make(host, FLOW, irs, 1460, now)
    assert cookies.check(host, FLOW, iss, irs, now) == 1460


@pytest.mark.parametrize(
    ("flow", "mss", "kept"),
    # [linux msstab] four sizes, and the greatest that is not too great
    [
        (FLOW, 100, 536),
        (FLOW, 536, 536),
        (FLOW, 1299, 536),
        (FLOW, 1300, 1300),
        (FLOW, 1459, 1440),
        (FLOW, 9000, 1460),
        (FLOW6, 100, 1220),
        (FLOW6, 1440, 1440),
        (FLOW6, 9000, 8940),
    ],
)
def test_the_size_survives_coarsely(flow: Flow, mss: int, kept: int) -> None:
    host = namespace()
    iss = cookies.make(host, flow, 7, mss, 0)
    assert cookies.check(host, flow, iss, 7, 0) == kept


@pytest.mark.parametrize(
    ("made", "came", "good"),
    # [linux MAX_SYNCOOKIE_AGE] the minute of the clock and the one before: 60 to 120 seconds
    [(0, 119, True), (0, 120, False), (59, 119, True), (59, 120, False), (60, 179, True)],
)
def test_a_cookie_ages_by_minutes_of_the_clock(made: int, came: int, good: bool) -> None:
    host = namespace()
    iss = cookies.make(host, FLOW, 7, 1460, made * SECOND)
    assert (cookies.check(host, FLOW, iss, 7, came * SECOND) is not None) is good


def test_a_cookie_is_for_one_flow_one_syn_and_one_host() -> None:
    iss = cookies.make(namespace(), FLOW, 7, 1460, 0)
    assert cookies.check(namespace(), FLOW6, iss, 7, 0) is None
    assert cookies.check(namespace(), FLOW, iss, 107, 0) is None
    assert cookies.check(namespace(b"another"), FLOW, iss, 7, 0) is None


def test_the_layers_are_a_sum_so_a_neighbouring_syn_reads_as_another_size() -> None:
    # [linux secure_tcp_syn_cookie] sseq is added, and the size is in the lowest bits
    iss = cookies.make(namespace(), FLOW, 7, 1460, 0)
    assert [cookies.check(namespace(), FLOW, iss, 7 + n, 0) for n in range(5)] == [
        1460,
        1440,
        1300,
        536,
        None,
    ]


@pytest.mark.parametrize(
    ("sent", "now", "recent"),
    [(None, 0, False), (5, 5, True), (5, 4, True), (5, 3, False), (5, 125, True), (5, 126, False)],
)
def test_two_minutes_after_the_last_cookie_none_can_be_good(
    sent: int | None, now: int, recent: bool
) -> None:
    group = Group()
    if sent is not None:
        cookies.remember_sending(group, sent * SECOND)
    assert cookies.recently_sent(group, now * SECOND) is recent


def test_the_time_is_noted_once_a_second() -> None:
    group = Group()
    for at, noted in ((10, 10), (11, 10), (12, 12)):
        cookies.remember_sending(group, at * SECOND)
        assert group.cookie_sent_at == noted * SECOND
