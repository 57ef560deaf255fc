"""What a segment is: the order of the tests, and their edges."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model import arrival
from annotated_shadowsocks.tcp_model.arrival import (
    at_fast_open,
    at_half_open,
    at_listener,
    at_syn_sent,
    at_synchronized,
    at_time_wait,
)
from annotated_shadowsocks.tcp_model.segment import ACK, FIN, PSH, RST, SYN, Segment, Timestamps
from annotated_shadowsocks.tcp_model.states import TRANSITIONS, Action, Arrival, State

CLIENT, SERVER = Endpoint("192.0.2.7", 1234), Endpoint("192.0.2.1", 80)


@dataclass
class Half:
    irs: int = 99
    iss: int = 999
    rcv_nxt: int = 100
    window: int = 50
    ts_recent: int | None = None
    first_tsval: int | None = None
    last_tsval: int | None = None


@dataclass
class Block:
    iss: int = 900
    snd_una: int = 1000
    snd_nxt: int = 1010
    rcv_nxt: int = 100
    window: int = 50
    ts_recent: int | None = None
    eof: bool = False


def segment(
    flags: int, seq: int = 100, ack: int = 1000, payload: bytes = b"", tsval: int | None = None
) -> Segment:
    options = () if tsval is None else (Timestamps(tsval, 0),)
    return Segment(CLIENT, SERVER, flags, seq, ack, options=options, payload=payload)


@pytest.mark.parametrize(
    ("flags", "payload", "found"),
    [
        (SYN, b"", Arrival.SYN),
        (SYN | PSH, b"x", Arrival.SYN),
        (SYN | FIN, b"", Arrival.SYN_FIN),
        (SYN | ACK, b"", Arrival.SYN_ACK),
        (RST, b"", Arrival.STRAY_RST),
        (RST | ACK, b"", Arrival.STRAY_RST),
        (SYN | RST, b"", Arrival.STRAY_RST),
        (ACK, b"", Arrival.ACK),
        (ACK, b"x", Arrival.TEXT),
        (ACK | FIN, b"x", Arrival.FIN),
        (FIN, b"", Arrival.NO_ACK),
        (0, b"x", Arrival.NO_ACK),
    ],
)
def test_at_a_listener(flags: int, payload: bytes, found: Arrival) -> None:
    assert at_listener(segment(flags, payload=payload)) is found


@pytest.mark.parametrize(
    ("flags", "ack", "found"),
    [
        (SYN | ACK, 1001, Arrival.SYN_ACK),
        (SYN | ACK, 1000, Arrival.BAD_ACK),
        (SYN | ACK, 1002, Arrival.BAD_ACK),
        (RST | ACK, 1001, Arrival.RST),
        (RST | ACK, 1000, Arrival.BAD_ACK),
        (RST, 1001, Arrival.STRAY_RST),
        (ACK, 1001, Arrival.ACK),
        (SYN, 0, Arrival.SYN),
        (SYN | FIN, 0, Arrival.SYN_FIN),
        (0, 0, Arrival.NO_ACK),
    ],
)
def test_at_a_client(flags: int, ack: int, found: Arrival) -> None:
    assert at_syn_sent(segment(flags, ack=ack), 1000, 1001) is found


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (segment(SYN, 99), Arrival.DUPLICATE_SYN),
        (segment(SYN | FIN, 99), Arrival.DUPLICATE_SYN),
        (segment(SYN, 100), Arrival.SYN),
        (segment(SYN | ACK, 100), Arrival.SYN_ACK),
        # A SYN at irs is cut off; if something is left, it may complete the handshake.
        (segment(SYN | ACK, 99), Arrival.OUT_OF_WINDOW),
        (segment(SYN | ACK, 99, payload=b"x"), Arrival.TEXT),
        (segment(ACK, ack=1001), Arrival.BAD_ACK),
        # The ACK is judged before the window.
        (segment(ACK, 5000, ack=1001), Arrival.BAD_ACK),
        (segment(ACK, 5000), Arrival.OUT_OF_WINDOW),
        (segment(ACK, 99), Arrival.OUT_OF_WINDOW),
        (segment(ACK, 150), Arrival.ACK),
        (segment(ACK, 151), Arrival.OUT_OF_WINDOW),
        (segment(RST, 100), Arrival.RST),
        (segment(RST, 149), Arrival.RST),
        (segment(RST, 5000), Arrival.STRAY_RST),
        (segment(RST | ACK, 100, ack=5), Arrival.BAD_ACK),
        (segment(PSH, payload=b"x"), Arrival.NO_ACK),
        (segment(ACK, payload=b"x"), Arrival.TEXT),
        (segment(ACK | FIN), Arrival.FIN),
    ],
)
def test_at_a_request(one: Segment, found: Arrival) -> None:
    assert at_half_open(one, Half()) is found


@pytest.mark.parametrize(
    ("one", "found"),
    # seen on 6.18.44
    [
        (segment(RST, 100), Arrival.RST),
        (segment(RST | ACK, 100, ack=5), Arrival.RST),
        (segment(RST | SYN, 100), Arrival.RST),
        (segment(RST, 101), Arrival.INEXACT_RST),
        (segment(RST | ACK, 101, ack=5), Arrival.INEXACT_RST),
        (segment(RST, 99), Arrival.STRAY_RST),
        (segment(RST, 5000), Arrival.STRAY_RST),
    ],
)
def test_at_a_request_that_is_strict(one: Segment, found: Arrival) -> None:
    assert at_half_open(one, Half(), strict_rst=True) is found


@pytest.mark.parametrize(
    ("tsval", "found"), [(7, Arrival.ACK), (8, Arrival.ACK), (6, Arrival.OUT_OF_WINDOW)]
)
def test_paws(tsval: int, found: Arrival) -> None:
    assert at_half_open(segment(ACK, tsval=tsval), Half(ts_recent=7)) is found


@pytest.mark.parametrize(
    ("tsecr", "rejected"), [(10, False), (12, False), (9, True), (13, True), (0, False)]
)
def test_an_echo_of_a_time_at_which_nothing_was_sent(tsecr: int, rejected: bool) -> None:
    one = Segment(CLIENT, SERVER, ACK, 100, 1000, options=(Timestamps(1, tsecr),))
    half = Half(first_tsval=10, last_tsval=12)
    assert arrival.tsecr_rejects(one, half) is rejected


@pytest.mark.parametrize(
    ("one", "found"),
    [
        # The window comes first here, and the ACK may cover what followed the SYN/ACK.
        (segment(ACK, 5000, ack=7777), Arrival.OUT_OF_WINDOW),
        (segment(ACK, ack=1010), Arrival.ACK),
        (segment(ACK, ack=1011), Arrival.BAD_ACK),
        (segment(SYN, 99), Arrival.DUPLICATE_SYN),
    ],
)
def test_at_a_fast_open_connection(one: Segment, found: Arrival) -> None:
    assert at_fast_open(one, Half(), snd_nxt=1010) is found


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (segment(ACK), Arrival.ACK),
        (segment(ACK, 99), Arrival.OUT_OF_WINDOW),
        (segment(ACK, 99, payload=b"x"), Arrival.TEXT),
        (segment(ACK, 98, payload=b"x"), Arrival.OUT_OF_WINDOW),
        (segment(ACK, 151), Arrival.OUT_OF_WINDOW),
        (segment(SYN | ACK, 99), Arrival.SYN_ACK),
        (segment(SYN, 5000), Arrival.SYN),
        (segment(SYN | FIN, 5000), Arrival.SYN_FIN),
        (segment(RST, 100), Arrival.RST),
        (segment(RST, 101), Arrival.INEXACT_RST),
        (segment(RST, 5000), Arrival.STRAY_RST),
        (segment(ACK, ack=1011), Arrival.BAD_ACK),
        (segment(ACK, ack=950), Arrival.ACK),
        (segment(ACK, ack=949), Arrival.OLD_ACK),
        # What has no ACK is not even looked at.
        (segment(0, 5000), Arrival.NO_ACK),
    ],
)
def test_at_a_connection(one: Segment, found: Arrival) -> None:
    assert at_synchronized(one, Block()) is found


def test_an_rst_before_the_fin_that_it_follows() -> None:
    assert at_synchronized(segment(RST, 99), Block()) is Arrival.STRAY_RST
    assert at_synchronized(segment(RST, 99), Block(eof=True)) is Arrival.RST


@pytest.mark.parametrize(
    ("one", "found"),
    [
        (segment(SYN, 101), Arrival.SYN),
        (segment(SYN, 100), Arrival.DUPLICATE_SYN),
        (segment(SYN, 50, tsval=8), Arrival.SYN),
        (segment(SYN, 101, tsval=6), Arrival.OUT_OF_WINDOW),
        (segment(ACK), Arrival.ACK),
        (segment(ACK, payload=b"x"), Arrival.OUT_OF_WINDOW),
        (segment(RST), Arrival.RST),
        (segment(RST, 101), Arrival.STRAY_RST),
        (segment(FIN | ACK, 99), Arrival.OUT_OF_WINDOW),
    ],
)
def test_in_time_wait(one: Segment, found: Arrival) -> None:
    assert at_time_wait(one, Block(ts_recent=7)) is found


segments = st.builds(
    segment,
    st.integers(0, 63),
    st.sampled_from([98, 99, 100, 101, 150, 151, 2**31]),
    st.sampled_from([0, 949, 999, 1000, 1001, 1010, 1011]),
    st.sampled_from([b"", b"x"]),
    st.sampled_from([None, 6, 7, 8]),
)


@given(segments)
def test_no_segment_reaches_a_cell_that_is_said_never_to_be_reached(one: Segment) -> None:
    block, half = Block(ts_recent=7), Half(ts_recent=7)
    found = {
        State.LISTEN: at_listener(one),
        State.CLOSED: at_listener(one),
        State.SYN_SENT: at_syn_sent(one, 999, 1000),
        State.TCP_NEW_SYN_RECV: at_half_open(one, half, strict_rst=True),
        State.SYN_RECEIVED: at_fast_open(one, half, 1010),
        State.ESTABLISHED: at_synchronized(one, block),
        State.TIME_WAIT: at_time_wait(one, block),
    }
    for state, what in found.items():
        assert TRANSITIONS[state][what].action is not Action.NEVER
