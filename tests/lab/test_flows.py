"""Numbers of a script and numbers of the wire."""

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.lab.flows import Flow
from annotated_shadowsocks.lab.verdict import Differs, Refused
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.printer import print_body
from annotated_shadowsocks.scripts.statements import IcmpLine, PacketLine
from annotated_shadowsocks.tcp_model import segment as s
from annotated_shadowsocks.tcp_model.segment import Segment, UnreachableKind

SERVER, FAR = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.3", 30001)


def line(text: str) -> PacketLine:
    (statement,) = parse(text).statements
    assert isinstance(statement.body, PacketLine)
    return statement.body


def answered() -> tuple[Flow, int]:
    """A peer whose SYN was answered by number 5000; its own initial number."""
    flow = Flow("C", FAR)
    syn = flow.make(line("C < S 0:0(0)"), SERVER)
    flow.learn(Segment(SERVER, FAR, s.SYN | s.ACK, 5000, syn.seq + 1), inbound=False)
    return flow, syn.seq


def test_a_syn_has_no_ack_and_no_options_that_were_not_asked_for() -> None:
    made = Flow("C", FAR).make(line("C < S 0:0(0) win 7"), SERVER)
    assert (made.src, made.dst, made.flags) == (FAR, SERVER, s.SYN)
    assert (made.ack, made.window, made.options, made.payload) == (0, 7, (), b"")


def test_numbers_are_relative_to_both_initial_ones() -> None:
    flow, isn = answered()
    made = flow.make(line("C < P. 1:6(5) ack 2 <sack 1:3>"), SERVER)
    assert (made.seq, made.ack, len(made.payload)) == (isn + 1, 5002, 5)
    assert made.options == (s.SackBlocks(((5001, 5003),)),)
    back = Segment(SERVER, FAR, s.ACK, 5001, isn + 6, 100)
    assert print_body(flow.describe(back, inbound=False)) == "C > . 1:1(0) ack 6 win 100"


def test_the_latest_syn_ack_counts() -> None:
    flow, isn = answered()
    flow.learn(Segment(SERVER, FAR, s.SYN | s.ACK, 9000, isn + 1), inbound=False)
    assert flow.make(line("C < . 1:1(0) ack 1"), SERVER).ack == 9001


def test_a_script_may_call_the_first_number_of_the_host_as_it_likes() -> None:
    flow, isn = answered()
    flow.compare(line("C > S. 1234:1234(0) ack 1"), Segment(SERVER, FAR, 0x12, 7, isn + 1))
    assert flow.make(line("C < . 1:1(0) ack 1235"), SERVER).ack == 8


def test_an_rst_for_nobody_has_number_zero() -> None:
    flow = Flow("C", FAR)
    syn = flow.make(line("C < S 1000:1000(0)"), SERVER)
    reset = Segment(SERVER, FAR, s.RST | s.ACK, 0, syn.seq + 1, 0)
    flow.compare(line("C > R. 0:0(0) ack 1001"), reset)


def test_the_numbers_of_a_kernel_client_are_learned_from_either_side() -> None:
    server_first, client_first = Flow("A", None), Flow("A", None)
    syn_ack = Segment(SERVER, FAR, s.SYN | s.ACK, 5000, 78)
    server_first.compare(line("A > S. 0:0(0) ack 1"), syn_ack)
    client_first.compare(line("A < S 0:0(0)"), Segment(FAR, SERVER, s.SYN, 77))
    client_first.compare(line("A > S. 0:0(0) ack 1"), syn_ack)
    with pytest.raises(Refused, match="A has a kernel of its own"):
        client_first.make(line("A < . 1:1(0)"), SERVER)


@pytest.mark.parametrize(
    "text",
    [
        "C > . 1:1(0) ack 1",
        "C > S. 1:1(0) ack 1 <...>",
        "C > P. 1:6(5) ack 1 <...>",
        "C > P. 2:5(3) ack 1 <...>",
        "C > P. 1:4(3) ack 2 <...>",
        "C > P. 1:4(3) ack 1 win 99 <...>",
        "C > P. 1:4(3) ack 1",
        "C > P. 1:4(3) ack 1 <mss 1461,sackOK>",
        "C > P. 1:4(3) ack 1 <sackOK,mss 1460>",
    ],
)
def test_differences(text: str) -> None:
    flow, isn = answered()
    options = (s.MaximumSegmentSize(1460), s.SackPermitted())
    seen = Segment(SERVER, FAR, s.PSH | s.ACK, 5001, isn + 1, 100, options, b"abc")
    for fits in (
        "C > P. 1:4(3) ack 1 win 100 <mss 1460,nop,nop,sackOK>",
        "C > P. 1:4(3) <...>",
    ):
        flow.compare(line(fits), seen)
    with pytest.raises(Differs, match=r"got C > P\. 1:4\(3\) ack 1 win 100 <mss 1460,sackOK>"):
        flow.compare(line(text), seen)


def test_the_window_scale_is_a_question_of_memory() -> None:
    flow, isn = answered()
    seen = Segment(SERVER, FAR, s.SYN | s.ACK, 5000, isn + 1, 1, (s.WindowScale(10),))
    flow.compare(line("C > S. 0:0(0) ack 1 <wscale 7>"), seen)


def test_icmp() -> None:
    flow, _ = answered()
    error = flow.make_unreachable(IcmpLine(True, "unreachable", "port_unreachable"), SERVER)
    assert (error.seq, error.kind) == (5000, UnreachableKind.PORT)
    assert (error.flow.local, error.flow.remote) == (SERVER, FAR)
    quoting = IcmpLine(True, "time_exceeded", quoted=(3, 3, 0))
    assert flow.make_unreachable(quoting, SERVER).seq == 5003
    with pytest.raises(Refused, match="icmp redirect is not known"):
        flow.make_unreachable(IcmpLine(True, "redirect"), SERVER)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C < S.5 0:0(0)", r"the flags S\.5 are not run"),
        ("C < S 0:0(0) <FOEXP aa>", "the option FOEXP is not run"),
        ("C < S 0:0(0) <FO 00112233445566778899aabbccddeeff00>", "longer than 16"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        Flow("C", FAR).make(line(text), SERVER)


def test_all_options_are_made_and_described() -> None:
    flow, isn = answered()
    text = "C < S 0:0(0) win 1 <mss 1000,sackOK,TS val 5 ecr 0,wscale 7,FO 0011223344556677>"
    made = flow.make(line(text), SERVER)
    assert [type(option) for option in made.options] == [
        s.MaximumSegmentSize,
        s.SackPermitted,
        s.Timestamps,
        s.WindowScale,
        s.FastOpenCookie,
    ]
    described = print_body(flow.describe(made, inbound=True))
    assert described == text
    unknown = Segment(SERVER, FAR, 0, 5000, 0, 1, (s.UnknownOption(99, b"\1"),))
    assert print_body(flow.describe(unknown, inbound=False)) == "C > - 0:0(0) win 1 <option99 01>"
    blocks = Segment(SERVER, FAR, s.ACK, 5001, isn, 1, (s.SackBlocks(((isn + 2, isn + 4),)),))
    assert print_body(flow.describe(blocks, inbound=False)).endswith("<sack 2:4>")
