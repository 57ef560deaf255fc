"""What a connection learns from a SYN."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.segment import (
    Flow,
    MaximumSegmentSize,
    SackPermitted,
    Timestamps,
    WindowScale,
)
from annotated_shadowsocks.tcp_model.states import State

FLOW = Flow(Endpoint("192.0.2.1", 80), Endpoint("192.0.2.7", 1234))
EVERYTHING = (MaximumSegmentSize(1400), SackPermitted(), Timestamps(7, 0), WindowScale(15))


def connection() -> Connection:
    return Connection(FLOW, State.ESTABLISHED, 5, 0)


def test_without_options() -> None:
    one = connection()
    one.learn(0xFFFFFFFF, (), timestamps=True)
    assert (one.irs, one.rcv_nxt) == (0xFFFFFFFF, 0)
    # [RFC9293 §3.7.1] 536 octets where nothing was said
    assert (one.mss, one.snd_scale, one.sack_permitted, one.timestamps) == (536, 0, False, False)


def test_with_all_options() -> None:
    one = connection()
    one.learn(9, EVERYTHING, timestamps=True)
    # [RFC7323 §2.3] a shift of 15 is read as 14
    assert (one.mss, one.snd_scale, one.sack_permitted, one.ts_recent) == (1400, 14, True, 7)


def test_timestamps_need_both_sides() -> None:
    one = connection()
    one.learn(9, EVERYTHING, timestamps=False)
    assert not one.timestamps
    assert one.ts_recent is None


def test_repr() -> None:
    expected = "<Connection 192.0.2.7:1234 > 192.0.2.1:80 ESTABLISHED>"
    assert repr(connection()) == expected
