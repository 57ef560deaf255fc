"""What looks add up to."""

from collections.abc import Mapping

import pytest

from annotated_shadowsocks.dashboard.history import BINS, History, Track
from annotated_shadowsocks.dashboard.listener_view import Sight
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.kernel.listeners import Listener
from annotated_shadowsocks.wire.inet_diag import AF_INET

NONE: Mapping[str, int] = {}


def sight(depth: int, drops: int | None = 0, cookie: int = 1, limit: int = 8) -> Sight:
    local = Endpoint("127.0.0.1", 8000 + cookie)
    one = Listener(local, AF_INET, False, 0, cookie, cookie, 0, depth, limit, drops, half_open=0)
    return Sight(one, ())


def only(history: History) -> Track:
    (track,) = history.tracks.values()
    return track


def test_the_deepest_look_is_the_high_water_mark() -> None:
    history = History()
    for now, depth in enumerate((1, 7, 3)):
        history.add(now, [sight(depth)], NONE)
    assert (only(history).high, only(history).sight.listener.depth) == (7, 3)


def test_a_bin_holds_its_deepest_look() -> None:
    history = History(bin_seconds=1.0)
    for now, depth in ((0.0, 1), (0.3, 5), (0.6, 2), (1.1, 3), (1.9, 1)):
        history.add(now, [sight(depth)], NONE)
    assert [*only(history).curve] == [5, 3]


def test_a_bin_without_a_look_repeats_the_one_before() -> None:
    history = History()
    history.add(0.5, [sight(4)], NONE)
    history.add(3.5, [sight(1)], NONE)
    # The bin that is open begins with what was last seen, and nobody saw that change.
    assert [*only(history).curve] == [4, 4, 4, 4]
    history.add(4.5, [sight(1)], NONE)
    assert [*only(history).curve] == [4, 4, 4, 4, 1]


def test_a_curve_is_bounded() -> None:
    history = History()
    history.add(0, [sight(1)], NONE)
    history.add(1e6, [sight(2)], NONE)
    assert len(only(history).curve) == BINS


def test_drops_are_counted_from_the_first_look_and_through_a_wrap() -> None:
    history = History()
    history.add(0, [sight(0, drops=(1 << 32) - 5)], NONE)
    history.add(1, [sight(0, drops=5)], NONE)
    assert only(history).drops == 10
    assert only(history).rate == pytest.approx(10)


def test_a_rate_is_of_late() -> None:
    history = History()
    for now in range(20):
        history.add(now, [sight(0, drops=min(now, 10))], NONE)
    assert only(history).rate == 0
    assert only(history).drops == 10


def test_drops_that_the_kernel_does_not_tell_are_not_zero() -> None:
    history = History()
    history.add(0, [sight(0, drops=None)], NONE)
    assert only(history).document()["drops_since"] is None


def test_a_listener_that_is_gone_is_shown_for_a_while() -> None:
    history = History()
    history.add(0, [sight(1), sight(2, cookie=2)], NONE)
    history.add(1, [sight(2, cookie=2)], NONE)
    assert [track.gone for track in history.tracks.values()] == [True, False]
    history.add(20, [sight(2, cookie=2)], NONE)
    assert [*history.tracks] == [2]


def test_full_is_remembered() -> None:
    history = History()
    for now, depth in enumerate((8, 9, 3)):
        history.add(now, [sight(depth)], NONE)
    assert only(history).full_at == 1
    assert only(history).document()["full_seen"] is True


def test_counters_since_the_start_and_since_the_last_look() -> None:
    history = History()
    for now, overflows in enumerate((100, 103, 104)):
        history.add(now, [], {"ListenOverflows": overflows, "InSegs": now})
    assert history.grown == {"ListenOverflows": 4}
    assert history.lately == {"ListenOverflows": 1}


def test_reset_begins_anew() -> None:
    history = History()
    history.add(0, [sight(9, drops=0)], {"ListenOverflows": 1})
    history.add(1, [sight(2, drops=7)], {"ListenOverflows": 5})
    history.reset()
    history.add(2, [sight(1, drops=8)], {"ListenOverflows": 6})
    track = only(history)
    assert (track.high, track.drops, track.full_at) == (2, 1, None)
    assert history.grown == {"ListenOverflows": 1}


def test_a_failed_look_keeps_what_was_seen() -> None:
    history = History()
    history.add(0, [sight(3)], NONE)
    history.fail("no netlink")
    assert history.problem == "no netlink"
    assert only(history).high == 3
    history.add(1, [sight(3)], NONE)
    assert history.problem == ""
