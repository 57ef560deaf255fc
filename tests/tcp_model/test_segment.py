"""Segments and how they read."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model import segment as s
from annotated_shadowsocks.tcp_model.segment import (
    Flow,
    MaximumSegmentSize,
    Segment,
    WindowScale,
    find,
    flags_text,
    sequence_space,
)

CLIENT, SERVER = Endpoint("192.0.2.7", 1234), Endpoint("2001:db8::1", 80)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (0, "none"),
        (s.SYN, "S"),
        (s.SYN | s.ACK, "S."),
        (s.PSH | s.ACK, "P."),
        (s.FIN | s.PSH | s.ACK, "FP."),
        (s.RST, "R"),
        (s.URG | s.ECE | s.CWR, "UEW"),
    ],
)
def test_flags_as_tcpdump_writes_them(flags: int, text: str) -> None:
    assert flags_text(flags) == text


@pytest.mark.parametrize(
    ("flags", "payload", "size"),
    # [RFC9293 §3.4] SYN and FIN take a number each, other flags none
    [
        (s.ACK, b"", 0),
        (s.SYN, b"", 1),
        (s.FIN | s.ACK, b"", 1),
        (s.SYN | s.FIN, b"xy", 4),
        (s.RST, b"x", 1),
    ],
)
def test_sequence_space(flags: int, payload: bytes, size: int) -> None:
    assert sequence_space(flags, payload) == size
    one = Segment(CLIENT, SERVER, flags, 0xFFFFFFFF, payload=payload)
    assert one.end_seq == (0xFFFFFFFF + size) % 2**32


def test_a_flow_is_seen_from_its_receiver() -> None:
    one = Segment(CLIENT, SERVER, s.SYN, 7)
    assert one.flow == Flow(SERVER, CLIENT)
    assert str(one.flow) == "192.0.2.7:1234 > [2001:db8::1]:80"


def test_a_segment_reads_like_packetdrill() -> None:
    one = Segment(CLIENT, SERVER, s.PSH | s.ACK, 5, 9, 100, payload=b"abc")
    assert str(one) == "192.0.2.7:1234 > [2001:db8::1]:80 P. 5:8(3) ack 9 win 100"
    syn = Segment(CLIENT, SERVER, s.SYN, 5, window=100)
    assert str(syn) == "192.0.2.7:1234 > [2001:db8::1]:80 S 5:5(0) win 100"


def test_options_of_equal_value_are_not_equal() -> None:
    options: tuple[s.Option, ...] = (WindowScale(7),)
    assert MaximumSegmentSize(7) not in options
    assert find(options, MaximumSegmentSize) is None
    assert find(options, WindowScale) == WindowScale(7)
