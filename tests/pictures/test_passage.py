"""Relative numbers and names, against what tcpdump and Wireshark would say of the same packets."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures.passage import Numbers, Passage, passages
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.tcp_model.segment import (
    ACK,
    FIN,
    PSH,
    RST,
    SYN,
    Flow,
    Segment,
    Unreachable,
    UnreachableKind,
)
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

SERVER, CLIENT = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.2", 30001)
ISS, IRS = 2**32 - 1, 700


def to_server(flags: int, seq: int, ack: int = 0, payload: bytes = b"") -> Segment:
    number = (IRS + ack) % 2**32 if flags & ACK else 0
    return Segment(CLIENT, SERVER, flags, (ISS + seq) % 2**32, number, 65535, (), payload)


def to_client(flags: int, seq: int, ack: int = 0, payload: bytes = b"") -> Segment:
    number = (ISS + ack) % 2**32 if flags & ACK else 0
    return Segment(SERVER, CLIENT, flags, (IRS + seq) % 2**32, number, 65535, (), payload)


def read(*segments: Segment | Unreachable) -> list[Passage]:
    recorder = Recorder()
    for at, segment in enumerate(segments):
        recorder.sent(at, segment)
    return list(passages(recorder.trace("", "")).values())


def texts(*segments: Segment | Unreachable) -> list[str]:
    return [one.text for one in read(*segments)]


def test_a_conversation_whose_numbers_wrap() -> None:
    assert texts(
        to_server(SYN, 0),
        to_client(SYN | ACK, 0, 1),
        to_server(ACK, 1, 1),
        to_server(PSH | ACK, 1, 1, b"hello"),
        to_client(ACK, 1, 6),
        to_client(FIN | ACK, 1, 6),
    ) == [
        "S seq 0",
        "S. seq 0 ack 1",
        ". ack 1",
        "P. seq 1:6 ack 1",
        ". ack 6",
        "F. seq 1 ack 6",
    ]


def test_a_conversation_without_its_beginning() -> None:
    assert texts(to_server(ACK, 41, 9), to_client(PSH | ACK, 9, 41, b"x")) == [
        ". ack 1",
        "P. seq 1:2 ack 1",
    ]


def test_an_rst_for_somebody_unknown_has_number_0() -> None:
    [_, reset] = texts(to_server(SYN, 0), Segment(SERVER, CLIENT, RST | ACK, 0, 0))
    assert reset == "R. seq 0 ack 1"


def test_names_that_people_use() -> None:
    named = [
        to_server(SYN, 0),
        to_server(SYN, 0, 0, b"tfo"),
        to_client(SYN | ACK, 0, 1),
        to_server(ACK, 1, 1),
        to_server(ACK, 1, 1, b"x"),
        to_server(FIN | ACK, 2, 1, b"yz"),
        to_client(RST, 1),
        to_client(0, 1),
    ]
    assert [one.name for one in read(*named)] == [
        "SYN",
        "SYN + 3 octets",
        "SYN/ACK",
        "ACK",
        "1 octet",
        "FIN + 2 octets",
        "RST",
        "none",
    ]


def test_an_icmp_error() -> None:
    [error] = read(Unreachable(Flow(SERVER, CLIENT), 7, UnreachableKind.HOST))
    assert (error.text, error.flags) == ("icmp host unreachable", "icmp")
    assert error.name == "ICMP host unreachable"
    assert error.numbers == Numbers(0, 0, None)


def test_what_is_sent_again() -> None:
    again = [
        one.again
        for one in read(
            to_server(SYN, 0),
            to_server(SYN, 0),
            to_client(SYN | ACK, 0, 1),
            to_client(SYN | ACK, 0, 1),
            to_server(ACK, 1, 1),
            to_server(ACK, 1, 1),
            to_server(PSH | ACK, 1, 1, b"ab"),
            to_server(PSH | ACK, 1, 1, b"ab"),
            to_server(PSH | ACK, 3, 1, b"cd"),
            to_client(RST, 1),
            to_client(RST, 1),
        )
    ]
    assert again == [False, True] * 4 + [False, False, False]


def test_a_new_attempt_counts_anew() -> None:
    first, second = to_server(SYN, 0), to_server(SYN, 99)
    assert [(one.text, one.again) for one in read(first, second)] == [("S seq 0", False)] * 2


def test_what_became_of_them() -> None:
    laboratory = Laboratory(1)
    laboratory.cut = True
    laboratory.connect()
    laboratory.at(0.5)
    laboratory.cut = False
    laboratory.hold = 20_000_000
    laboratory.at(2)
    lost, syn, _, ack = passages(laboratory.recorded()).values()
    assert (lost.arrived_at, lost.lost_at, lost.held) == (None, 0, False)
    assert (syn.sent_at, syn.arrived_at, syn.again) == (1_000_000_000, 1_000_000_000, True)
    assert (ack.held, ack.arrived_at) == (True, 1_020_000_000)
    assert (ack.sender, ack.receiver, ack.reason) == (
        "A",
        "server",
        "the third segment of the handshake",
    )
