"""What everything else uses."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.effects import Count, DropSegment, SendSegment
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.namespace import Namespace
from annotated_shadowsocks.tcp_model.profiles import DEFAULT, find
from annotated_shadowsocks.tcp_model.request import Request
from annotated_shadowsocks.tcp_model.segment import ACK, FIN, RST, SYN, Flow, Segment, flags_text

CLIENT, SERVER = Endpoint("192.0.2.7", 1234), Endpoint("192.0.2.1", 80)


@pytest.fixture
def namespace() -> Namespace:
    return Namespace(DEFAULT, DEFAULT.defaults, b"")


@pytest.mark.parametrize(
    ("flags", "payload", "answer"),
    # [RFC9293 §3.5.2] with an ACK its number, without one zero and everything acknowledged
    [
        (ACK, b"", ("R", 77, 0)),
        (SYN | ACK, b"", ("R", 77, 0)),
        (SYN, b"", ("R.", 0, 11)),
        (SYN | FIN, b"abc", ("R.", 0, 15)),
        (0, b"", ("R.", 0, 10)),
    ],
)
def test_an_rst_that_its_reader_must_believe(
    namespace: Namespace, flags: int, payload: bytes, answer: tuple[str, int, int]
) -> None:
    namespace.reset(Segment(CLIENT, SERVER, flags, 10, 77, payload=payload), "why")
    sent, counted = namespace.effects
    assert isinstance(sent, SendSegment)
    one = sent.segment
    assert (flags_text(one.flags), one.seq, one.ack) == answer
    assert (one.src, one.dst, sent.reason) == (SERVER, CLIENT, "why")
    assert counted == Count("OutRsts")


def test_an_rst_is_not_answered(namespace: Namespace) -> None:
    namespace.reset(Segment(CLIENT, SERVER, RST, 10), "why")
    assert [type(effect) for effect in namespace.effects] == [DropSegment]


def test_other_systems_count_what_they_count() -> None:
    bsd = Namespace(find("bsd44"), find("bsd44").defaults, b"")
    listener = Listener(1, SERVER, find("bsd44"), reuse_port=False)
    bsd.count("ListenDrops")
    bsd.count_drop(listener)
    bsd.count_own(("tcps_listendrop",))
    assert bsd.counters.snapshot() == {"tcps_listendrop": 1}
    assert listener.drops == 0


def test_nonsense_is_answered_twice_a_second(namespace: Namespace) -> None:
    listener = Listener(1, SERVER, DEFAULT, reuse_port=False)
    request = Request(Flow(SERVER, CLIENT), listener, 0, 0, (), 0, 0)
    milliseconds = 1_000_000
    allowed = [
        at
        for at in (0, 499, 500, 999, 1000)
        if not namespace.limited(request, at * milliseconds, "TCPACKSkippedSynRecv")
    ]
    assert allowed == [0, 500, 1000]
    assert namespace.counters["TCPACKSkippedSynRecv"] == 2
