"""What a listener makes of segments that begin nothing, and of those that begin something."""

import pytest

from annotated_shadowsocks.tcp_model.effects import (
    AddRequest,
    ArmTimer,
    Count,
    DropSyn,
    SendSegment,
)
from annotated_shadowsocks.tcp_model.segment import (
    MaximumSegmentSize,
    SackPermitted,
    Timestamps,
    WindowScale,
)
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

EVERYTHING = (MaximumSegmentSize(1400), SackPermitted(), Timestamps(7, 0), WindowScale(5))


@pytest.mark.parametrize(
    ("flags", "answer", "drops"),
    [
        ("SF", [], 1),
        ("P", [], 1),
        ("R", [], 1),
        ("R.", [], 0),
        ("S.", ["R 9"], 0),
        (".", ["R 9"], 0),
    ],
)
def test_what_begins_nothing(flags: str, answer: list[str], drops: int) -> None:
    laboratory = Laboratory()
    assert laboratory.peer().say(flags, ack=9) == answer
    assert laboratory.listener.drops == drops


def test_a_syn_is_three_effects_in_order() -> None:
    laboratory = Laboratory()
    laboratory.peer().syn()
    kinds = [type(effect) for _, _, effect in laboratory.network.trace]
    assert kinds[-3:] == [AddRequest, ArmTimer, SendSegment]


def test_a_dropped_syn_comes_with_what_is_counted_for_it() -> None:
    laboratory = Laboratory(0)
    laboratory.fill()
    laboratory.peer().syn()
    drop, *counts = [effect for _, _, effect in laboratory.network.trace][-4:]
    assert isinstance(drop, DropSyn)
    assert drop.reason == "the accept queue is full"
    assert counts == [Count("ListenOverflows"), Count("ListenDrops"), Count("sk_drops", 1, 1)]


def test_nothing_but_what_was_offered_is_agreed_to() -> None:
    laboratory = Laboratory()
    plain, rich = laboratory.peer(), laboratory.peer(options=EVERYTHING)
    plain.syn()
    rich.syn()
    assert [type(o) for o in plain.last.options] == [MaximumSegmentSize]
    # [linux tcp_options_write] the order on the wire
    expected = [MaximumSegmentSize, SackPermitted, Timestamps, WindowScale]
    assert [type(o) for o in rich.last.options] == expected


@pytest.mark.parametrize(
    ("offered", "kinds"),
    [
        (EVERYTHING, [MaximumSegmentSize, SackPermitted, Timestamps, WindowScale]),
        # seen: without a timestamp there is no place for the rest
        ((MaximumSegmentSize(1400), SackPermitted(), WindowScale(5)), [MaximumSegmentSize]),
    ],
)
def test_a_cookie_keeps_options_in_the_timestamp(
    offered: tuple[MaximumSegmentSize, ...], kinds: list[type]
) -> None:
    laboratory = Laboratory(settings={"tcp_syncookies": 2})
    peer = laboratory.peer(options=offered)
    peer.syn()
    assert [type(o) for o in peer.last.options] == kinds


def test_a_cookie_keeps_no_options_where_timestamps_are_off() -> None:
    laboratory = Laboratory(settings={"tcp_syncookies": 2, "tcp_timestamps": 0})
    peer = laboratory.peer(options=EVERYTHING)
    peer.syn()
    assert [type(o) for o in peer.last.options] == [MaximumSegmentSize]


def test_a_cookie_for_a_flow_that_has_a_request_makes_no_second_connection() -> None:
    laboratory = Laboratory(5, settings={"tcp_syncookies": 2})
    peer = laboratory.peer()
    peer.syn()
    cookie = peer.iss
    laboratory.server.set_sysctl("tcp_syncookies", 1)
    laboratory.at(0.01)
    peer.syn()
    assert laboratory.syn_queue == "1/5"
    assert peer.say(".", ack=cookie - peer.iss + 1) == []
    assert laboratory.accept_queue == "0/5"
    assert peer.ack() == []
    assert laboratory.accept_queue == "1/5"


def test_timestamps_can_be_off() -> None:
    laboratory = Laboratory(settings={"tcp_timestamps": 0})
    peer = laboratory.peer(options=EVERYTHING)
    peer.syn()
    assert Timestamps not in [type(o) for o in peer.last.options]
