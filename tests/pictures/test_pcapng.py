"""The octets against the specification's figures; what tcpdump says of them is an interop test."""

import struct
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import LocalProtocolError
from annotated_shadowsocks.pictures.pcapng import encode
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.trace import Party, Trace
from annotated_shadowsocks.tcp_model import packet
from annotated_shadowsocks.tcp_model.segment import (
    SYN,
    Flow,
    Segment,
    Unreachable,
    UnreachableKind,
)
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

# [PCAPNG §4.1] no options but the name of the program: a section header of 28 octets of fixed
# fields, an option header, 21 octets padded to 24, and the end of options
EMPTY = bytes.fromhex(
    "0a0d0d0a 0000003c 1a2b3c4d 0001 0000 ffffffffffffffff"
    "0004 0015 416e6e6f746174656420536861646f77736f636b73 000000"
    "0000 0000 0000003c"
    # [PCAPNG §4.2] link type 101, no snap length, if_name "wire", if_tsresol 9
    "00000001 00000030 0065 0000 00000000"
    "0002 0004 77697265 0003 0001 6d000000 0009 0001 09000000 0000 0000 00000030"
)


def blocks(capture: bytes) -> Iterator[tuple[int, bytes]]:
    while capture:
        kind, size = struct.unpack_from("!II", capture)
        assert size % 4 == 0 and struct.unpack_from("!I", capture, size - 4) == (size,)
        yield kind, capture[8 : size - 4]
        capture = capture[size:]


def packets(trace: Trace) -> list[tuple[int, bytes, dict[int, bytes]]]:
    """Time, octets and options of each."""
    found = []
    for kind, body in list(blocks(encode(trace)))[2:]:
        assert kind == 6
        interface, high, low, size, whole = struct.unpack_from("!IIIII", body)
        assert interface == 0 and size == whole
        options, at = {}, 20 + size + -size % 4
        while (head := struct.unpack_from("!HH", body, at)) != (0, 0):
            options[head[0]] = body[at + 4 : at + 4 + head[1]]
            at += 4 + head[1] + -head[1] % 4
        assert at + 4 == len(body)
        found.append((high << 32 | low, body[20 : 20 + size], options))
    return found


def test_an_empty_capture() -> None:
    assert encode(Trace("", "m", (), ())) == EMPTY


def test_every_packet_is_there_as_it_was() -> None:
    laboratory = Laboratory(1)
    laboratory.at(5)
    laboratory.connect()
    shown = packets(laboratory.recorded())
    segments = [packet.decode(octets) for _, octets, _ in shown]
    assert [str(one).split()[3] for one in segments] == ["S", "S.", "."]
    assert {at for at, _, _ in shown} == {5_000_000_000}
    # [PCAPNG §4.3] the two lowest bits of epb_flags: 1 inbound, 2 outbound
    assert [options[2][-1] for _, _, options in shown] == [1, 2, 1]


def test_comments_give_the_reasons() -> None:
    laboratory = Laboratory(0)
    laboratory.connect()
    laboratory.connect()
    *_, (_, _, options) = packets(laboratory.recorded())
    assert options[1].decode().splitlines() == [
        "B > server: SYN",
        "connect()",
        "dropped: the accept queue is full",
        "ListenOverflows +1, ListenDrops +1, sk_drops +1",
        "syn_queue 0/0",
        "accept_queue 1/0",
    ]


def test_a_held_packet_says_how_long() -> None:
    laboratory = Laboratory(0)
    laboratory.hold = 20_000_000
    laboratory.connect()
    laboratory.at(1)
    *_, (_, _, options) = packets(laboratory.recorded())
    assert "arrives 0.02 s later" in options[1].decode().splitlines()


@pytest.mark.parametrize("host", ["10.9.0.3", "fd09::3"])
def test_both_families_and_icmp(host: str) -> None:
    server = Endpoint("fd09::1" if ":" in host else "10.9.0.1", 5000)
    flow = Flow(server, Endpoint(host, 30001))
    sent: list[Segment | Unreachable] = [
        Segment(flow.remote, flow.local, SYN, 9),
        Unreachable(flow, 7, UnreachableKind.HOST),
    ]
    recorder = Recorder()
    for one in sent:
        recorder.sent(0, one)
    assert [packet.decode(o) for _, o, _ in packets(recorder.trace("", ""))] == sent


def test_a_comment_is_cut_where_its_length_ends() -> None:
    recorder = Recorder([Party("ä" * 40_000, "10.9.0.1")])
    segment = Segment(Endpoint("10.9.0.1", 1), Endpoint("10.9.0.2", 2), SYN, 9)
    recorder.sent(0, segment)
    [(_, _, options)] = packets(recorder.trace("", ""))
    assert options[1].decode() == "ä" * 32767


def test_a_packet_between_two_families() -> None:
    recorder = Recorder()
    recorder.sent(0, Segment(Endpoint("10.9.0.1", 1), Endpoint("fd09::1", 2), SYN, 9))
    with pytest.raises(LocalProtocolError, match="one family"):
        encode(recorder.trace("", ""))
