"""What parses, what does not, and that printing and parsing are inverse to each other."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.scripts import parser
from annotated_shadowsocks.scripts.expressions import Array, Either, Number, Rest, Word
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.printer import print_script
from annotated_shadowsocks.scripts.statements import (
    ANY_TIME,
    AT_ONCE,
    Call,
    ClientCall,
    ClientVerb,
    Code,
    Comment,
    CounterCheck,
    DropsCheck,
    Foreign,
    IcmpLine,
    Ignored,
    Names,
    Outcome,
    OutcomeCheck,
    PacketLine,
    PacketOption,
    Place,
    Profile,
    Queue,
    QueueCheck,
    Script,
    ScriptOption,
    SetSysctl,
    Shell,
    SilenceCheck,
    Statement,
    Time,
    View,
    ViewCheck,
    WireRule,
    WireVerb,
)
from annotated_shadowsocks.testing.packet_scripts import SCRIPTS, scripts

MILLISECOND = 1_000_000


@given(scripts)
def test_what_is_printed_parses_to_the_same(script: Script) -> None:
    text = print_script(script)
    again = parse(text)
    assert again == script
    assert print_script(again) == text


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_lessons_survive_printing(path: Path) -> None:
    script = parse(path.read_text("utf-8"))
    printed = print_script(script)
    assert parse(printed) == script
    assert print_script(parse(printed)) == printed


@given(st.text(max_size=60) | st.text(st.sampled_from("<>+.~*SP1:0()[]{}`%=,/ \n"), max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse(text)
    except ConfigError as error:
        assert error.place.startswith("script:")


def one(text: str) -> Statement:
    """The only statement of a script."""
    (statement,) = parse(text).statements
    return statement


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("+0 x()", Time(0)),
        ("+.25 x()", Time(250 * MILLISECOND)),
        ("1.5 x()", Time(1500 * MILLISECOND, relative=False)),
        ("x()", AT_ONCE),
        ("* > . 1:1(0) ack 1", ANY_TIME),
        ("+0~+0.2 > . 1:1(0) ack 1", Time(0, 200 * MILLISECOND)),
        (".1~.3 > . 1:1(0) ack 1", Time(100 * MILLISECOND, 300 * MILLISECOND, False)),
        ("+0.000000001 x()", Time(1)),
    ],
)
def test_times(text: str, time: Time) -> None:
    assert one(text).time == time


# The lines are those of packetdrill's documentation and of its grammar, parser.y
@pytest.mark.parametrize(
    ("text", "body"),
    [
        (
            "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>",
            PacketLine(
                True,
                "S",
                0,
                0,
                0,
                window=32792,
                options=(
                    PacketOption("mss", (1000,)),
                    PacketOption("sackOK"),
                    *[PacketOption("nop")] * 3,
                    PacketOption("wscale", (7,)),
                ),
            ),
        ),
        ("+0 > S. 0:0(0) ack 1 <...>", PacketLine(False, "S.", 0, 0, 0, 1, options=None)),
        (
            "+0 > . 1:1(0) ack 1 <nop,nop,sack 6:11 20:30>",
            PacketLine(
                False,
                ".",
                1,
                1,
                0,
                1,
                options=(
                    PacketOption("nop"),
                    PacketOption("nop"),
                    PacketOption("sack", (6, 11, 20, 30)),
                ),
            ),
        ),
        (
            "+0 > S 0:0(0) <TS val 100 ecr 0,FO,FOEXP abcd>",
            PacketLine(
                False,
                "S",
                0,
                0,
                0,
                options=(
                    PacketOption("TS", (100, 0)),
                    PacketOption("FO"),
                    PacketOption("FOEXP", word="abcd"),
                ),
            ),
        ),
        ("+0 < - 1:1(0)", PacketLine(True, "-", 1, 1, 0)),
        (
            "+0 < [ect0] 80 > 8080 P. 1:6(5) ack 1 win 9 urg 3",
            PacketLine(True, "P.", 1, 6, 5, 1, 9, 3, ports=(80, 8080), ip="ect0"),
        ),
        ("+0 < P. 4294967295:4(5) ack 1", PacketLine(True, "P.", 4294967295, 4, 5, 1)),
        (
            "C < . 1:1(0) ack 1 win 65535",
            PacketLine(True, ".", 1, 1, 0, 1, 65535, names=Names("C")),
        ),
        ("P1..P40 < S 0:0(0)", PacketLine(True, "S", 0, 0, 0, names=Names("P1", "P40"))),
        ("S > S. 0:0(0) ack 1", PacketLine(False, "S.", 0, 0, 0, 1, names=Names("S"))),
        (
            "+0 < icmp unreachable frag_needed mtu 1200 [1:1461(1460)]",
            IcmpLine(True, "unreachable", "frag_needed", 1200, (1, 1461, 1460)),
        ),
        ("C < icmp time_exceeded", IcmpLine(True, "time_exceeded", names=Names("C"))),
        ("+0 > udp (5)", Foreign("> udp (5)")),
        (
            "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
            Call("socket", (Rest(), Word("SOCK_STREAM"), Word("IPPROTO_TCP")), Number(3)),
        ),
        (
            "+0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)",
            Call(
                "accept",
                (Number(3), Rest(), Rest()),
                Number(-1),
                "EAGAIN",
                "Resource temporarily unavailable",
            ),
        ),
        (
            "+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)",
            Call("fcntl", (Number(3), Word("F_GETFL")), Number(2, True), "", "flags O_RDWR"),
        ),
        (
            "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
            Call(
                "fcntl",
                (Number(3), Word("F_SETFL"), Either((Word("O_RDWR"), Word("O_NONBLOCK")))),
                Number(0),
            ),
        ),
        (
            "+0 setsockopt(3, SOL_TCP, TCP_SYNCNT, [1], 4)",
            Call(
                "setsockopt",
                (Number(3), Word("SOL_TCP"), Word("TCP_SYNCNT"), Array((Number(1),)), Number(4)),
            ),
        ),
        (
            "+0...0.2 accept(3) = 4",
            Call("accept", (Number(3),), Number(4), until=200 * MILLISECOND),
        ),
        ("`sysctl -q x=1`", Shell("sysctl -q x=1")),
        ("+0 %{ assert tcpi_unacked == 1 }%", Code("assert tcpi_unacked == 1")),
        ("sysctl tcp_syncookies = 0", SetSysctl("tcp_syncookies", 0)),
        ("clients sysctl tcp_syn_retries = 2", SetSysctl("tcp_syn_retries", 2, clients=True)),
        ("profile linux-6.18", Profile("linux-6.18")),
        ("client A connect", ClientCall(Names("A"), ClientVerb.CONNECT)),
        ("client A connect syn_retries 2", ClientCall(Names("A"), ClientVerb.CONNECT, 2)),
        ("client A1..A3 send 5", ClientCall(Names("A1", "A3"), ClientVerb.SEND, 5)),
        ("A timeout", OutcomeCheck(Names("A"), Outcome.TIMEOUT)),
        ("C silent", SilenceCheck(Names("C"))),
        ("P1..P5 ignored", Ignored(Names("P1", "P5"))),
        ("accept_queue 2/1", QueueCheck(Queue.ACCEPT, 2, 1)),
        ("syn_queue(4) 3", QueueCheck(Queue.SYN, 3, None, 4)),
        ("TcpExt ListenOverflows +1", CounterCheck("TcpExt", "ListenOverflows", 1, True)),
        ("clients Tcp OutRsts 0", CounterCheck("Tcp", "OutRsts", 0, False, True)),
        ("sk_drops +2", DropsCheck(2, True)),
        (
            "tcp_info(3) unacked 2 sacked 1",
            ViewCheck(View.TCP_INFO, (("unacked", 2), ("sacked", 1)), 3),
        ),
        (
            "wire delay .02 A <",
            WireRule(WireVerb.DELAY, 20 * MILLISECOND, Names("A"), True),
        ),
        ("wire hold >", WireRule(WireVerb.HOLD, inbound=False)),
        ("// why", Comment("why")),
        ("# why", Comment("why")),
        ("/* why */", Comment("why")),
    ],
)
def test_bodies(text: str, body: object) -> None:
    assert one(text).body == body


def test_a_script_has_options_then_statements_with_remarks() -> None:
    text = "--ip_version=ipv6\n--flag\n// first\n0 listen(3, 1) = 0 // again\n\n  C silent\n"
    script = parse(text, "x.pkt")
    assert script.options == (ScriptOption("ip_version", "ipv6"), ScriptOption("flag"))
    assert script.ipv6
    assert script.name == "x.pkt"
    first, listen, silent = script.statements
    assert first.body == Comment("first")
    assert listen.remark == "again"
    assert listen.place == Place(4, 1)
    assert silent.place == Place(6, 3)


def test_a_packet_may_go_on_in_the_next_line_and_a_statement_need_not() -> None:
    script = parse("+0 < S 0:0(0)\n   win 9 <mss 5>\n< . 1:1(0)\n+0 x() = -1\nEND silent")
    bodies = [statement.body for statement in script.statements]
    assert bodies[0] == PacketLine(
        True, "S", 0, 0, 0, window=9, options=(PacketOption("mss", (5,)),)
    )
    assert bodies[1] == PacketLine(True, ".", 1, 1, 0)
    assert bodies[2] == Call("x", (), Number(-1))
    assert bodies[3] == SilenceCheck(Names("END"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("+0 < Q 0:0(0)", "script:1:6: found 'Q'; expected the flags: F S R P . U E W, or - for"),
        ("+0 < S 0:5(0)", "script:1:8: 0:5(0) does not add up; write 0:0(0)"),
        ("+0 < S 0:0(0) win 70000", "script:1:19: 70000 is too large for a window; write 0 to"),
        ("+0 < S 0:0(0) <mmss 1>", "script:1:16: found 'mmss'; expected an option: mss, wscale"),
        ("+0 < S 0:0(0) <mss 1", "script:1:21: found the end of the script; expected ',' or '>'"),
        ("+0 < S 0:0(0", "script:1:13: found the end of the script; expected ')'"),
        ("+0 < icmp unreachable [udp]", "script:1:23: found '['; expected [first:last(size)]"),
        ("\n  listen(3, 1 = 0", "script:2:15: found '='; expected ',' or ')'"),
        ("+0 listen 3", "script:1:4: found 'listen'; expected a statement: a packet, a call"),
        ("+0 x() = 0 accept_queue 1/1", "script:1:12: found 'accept_queue'; expected a time, or"),
        ("+0 +0 x()", "script:1:4: found '+'; expected a statement"),
        ("+x x()", "script:1:2: found 'x'; expected a time in seconds"),
        ("+.3~+.2 > . 1:1(0)", "script:1:8: this range ends before it begins"),
        ("* < . 1:1(0)", "script:1:13: a segment that the script sends needs one time"),
        ("* listen(3, 1)", "script:1:3: found 'listen'; expected a name, which begins with a cap"),
        ("+0 `true", "script:1:4: found '`'; expected a command that ends with '`'"),
        ("+0 %{ x", "script:1:4: found '%'; expected code that ends with '}%'"),
        ("/* x", "script:1:1: found '/'; expected a statement"),
        ("sysctl tcp_syncookies 0", "script:1:23: found '0'; expected '='"),
        ("sysctl x = y", "script:1:12: found 'y'; expected a whole number"),
        ("client a connect", "script:1:8: found 'a'; expected a name, which begins with a capital"),
        ("client A dance", "script:1:10: found 'dance'; expected connect, send or close"),
        ("client A send 0", "script:1:16: 0 octets are not sent at once; write 1 to 1048576"),
        ("A dances", "script:1:3: found 'dances'; expected '<', '>', silent, ignored or an outc"),
        ("P1..Q5 silent", "script:1:7: P1..Q5 is no range of names; write it like P1..P40"),
        ("P5..P1 silent", "script:1:7: P5..P1 is no range of names"),
        ("P1..P999999 silent", "script:1:12: P1..P999999 is no range of names"),
        ("accept_queue x", "script:1:14: found 'x'; expected the queue's depth"),
        ("syn_queue(x) 1", "script:1:11: found 'x'; expected the number of a listener"),
        ("TcpExt ListenOverflows x", "script:1:24: found 'x'; expected a number, '+' before it"),
        ("clients silent", "script:1:9: found 'silent'; expected sysctl, or a counter such as"),
        ("tcp_info 3", "script:1:10: found '3'; expected the name of a value, such as unacked"),
        ("wire cut", "script:1:6: found 'cut'; expected hold, release, reorder, drop, delay, pass"),
        ("x()\nprofile bsd44", "script:2:14: profile comes too late; write it before all other"),
        ("x(9999999999999999999)", "script:1:3: found a number of 19 characters; write a smaller"),
        ("x(" + "[" * 40, "script:1:24: brackets inside of brackets, 21 deep"),
        ("x(a b)", "script:1:5: found 'b'; expected ',' or ')'"),
        ('x("a\n")', "script:1:3: found '\"'; expected a string that ends on its line"),
    ],
)
def test_errors_name_the_place_what_was_found_and_what_was_expected(
    text: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)


def test_the_table_at_the_top_parses() -> None:
    """Each line of the module's own table is a statement."""
    text = (parser.__doc__ or "").split("\n")
    lines = [row.split("``")[1].strip("` ") for row in text if row.startswith("``")]
    assert len(lines) > 15
    for line in lines:
        parse(f"`{line}`" if line.startswith("sysctl -q") else line)
