"""Every lesson on the model, every kind of difference, and that no script does any harm."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.lab.conductor import conduct
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.lab.verdict import Verdict
from annotated_shadowsocks.pictures.trace import Noted
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.statements import Script
from annotated_shadowsocks.tcp_model.instant import MILLISECOND
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.testing.packet_scripts import SCRIPTS, read, scripts

LISTENING = """
0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0  bind(3, ..., ...) = 0
+0  listen(3, 1) = 0
"""
HALF_OPEN = f"{LISTENING}+1 C < S 0:0(0)\n+0 C > S. 0:0(0) ack 1 <mss 1460>\n"


def run(text: str) -> Verdict:
    return conduct(parse(text), ModelStage())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_model_agrees_with_every_lesson(path: Path) -> None:
    script = read(path)
    verdict = conduct(script, ModelStage(script.profile or DEFAULT.name, script.ipv6))
    assert verdict.agreed, str(verdict)


# Where a lesson says what it is about, its segment sizes are those of one IP.
EITHER_IP = [path for path in SCRIPTS if read(path).option("ip_version") is None]


@pytest.mark.parametrize("path", EITHER_IP, ids=lambda path: path.stem)
def test_ipv6_makes_no_difference(path: Path) -> None:
    script = read(path)
    verdict = conduct(script, ModelStage(script.profile or DEFAULT.name, ipv6=True))
    assert verdict.agreed, str(verdict)


def test_every_prediction_has_its_lesson() -> None:
    lessons = [path for path in SCRIPTS if path.parent.name == "scripts"]
    assert {int(path.stem[:2]) for path in lessons} == set(range(1, 57))
    for path in lessons:
        first = path.read_text("utf-8").split("\n", 1)[0]
        assert first.startswith(f"// {path.stem.split('-')[0].lstrip('0')}. "), path


@given(scripts, st.booleans())
def test_no_script_raises_and_the_same_script_has_the_same_trace(
    script: Script, listens: bool
) -> None:
    if listens:
        script = Script((*parse(LISTENING).statements, *script.statements))
    first = conduct(script, ModelStage())
    again = conduct(script, ModelStage())
    assert first.trace == again.trace
    assert first.agreed == again.agreed
    assert str(first)


# Differences: the first thing that is not as the script says


@pytest.mark.parametrize(
    ("text", "line", "expected", "got"),
    [
        pytest.param(
            f"{HALF_OPEN}+1 C > R 1:1(0)",
            "C > R 1:1(0)",
            "C > R 1:1(0)",
            "C > S. 0:0(0) ack 1 win 65535 <mss 1460>",
            id="another segment",
        ),
        pytest.param(
            f"{HALF_OPEN}+.9 C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460> by 1.904 s",
            "nothing",
            id="a segment too late",
        ),
        pytest.param(
            f"{HALF_OPEN}+1.1 C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460> between 2.096 s and 2.104 s",
            "it at 2 s",
            id="a segment too early",
        ),
        pytest.param(
            f"{HALF_OPEN}+1.5~+2 C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460>",
            "C > S. 0:0(0) ack 1 <mss 1460> between 2.496 s and 3.004 s",
            "it at 2 s",
            id="a segment out of its range",
        ),
        pytest.param(
            f"{HALF_OPEN}+1 C > S. 0:0(0) ack 1",
            "C > S. 0:0(0) ack 1",
            "C > S. 0:0(0) ack 1",
            "C > S. 0:0(0) ack 1 win 65535 <mss 1460>",
            id="options where there should be none",
        ),
        pytest.param(
            f"{HALF_OPEN}+2 C silent",
            "C silent",
            "no more segments for C",
            "C > S. 0:0(0) ack 1 win 65535 <mss 1460> at 2 s",
            id="a segment where silence should be",
        ),
        pytest.param(
            f"{LISTENING}+0 C < S 0:0(0)",
            "// the end of the script",
            "no more segments for C",
            "C > S. 0:0(0) ack 1 win 65535 <mss 1460> at 0 s",
            id="a segment that the script does not mention",
        ),
        pytest.param(
            f"{HALF_OPEN}accept_queue 1/1",
            "accept_queue 1/1",
            "accept_queue 1/1",
            "accept_queue 0/1",
            id="a queue",
        ),
        pytest.param(
            f"{HALF_OPEN}TcpExt TCPTimeouts +1",
            "TcpExt TCPTimeouts +1",
            "TcpExt TCPTimeouts +1",
            "TcpExt TCPTimeouts +0",
            id="a counter",
        ),
        pytest.param(
            f"{LISTENING}accept(3, ..., ...) = 4",
            "accept(3, ..., ...) = 4",
            "4",
            "-1 EAGAIN",
            id="an error",
        ),
        pytest.param(
            f"{LISTENING}close(3) = -1 EBADF",
            "close(3) = -1 EBADF",
            "-1 EBADF",
            "0",
            id="no error",
        ),
        pytest.param(
            "bind(3, ..., ...)",
            "bind(3, ..., ...)",
            "no error",
            "-1 EBADF",
            id="an error where nothing is said",
        ),
        pytest.param(
            f"{LISTENING}client A connect\nA refused",
            "A refused",
            "A refused",
            "A connected",
            id="an outcome",
        ),
    ],
)
def test_differences(text: str, line: str, expected: str, got: str) -> None:
    verdict = run(text)
    assert verdict.difference is not None, str(verdict)
    found = verdict.difference
    assert (found.line, found.expected, found.got) == (line, expected, got)
    assert not verdict.agreed


# Refusals: what can be read and not be run


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("`rm -rf /`", "only commands that change net.ipv4 and net.core settings are run"),
        ("%{ assert x }%", "it is read, but not run"),
        ("> udp (5)", "it is read, but not run"),
        ("poll(...)", "poll() is not run; there are socket, setsockopt"),
        ("+0...0.2 accept(3)", "calls that block are not run"),
        ("sysctl tcp_nonsense = 1", "there is no such setting"),
        ("sysctl tcp_syncookies = -1", "-1 is impossible"),
        ("TcpExt Nonsense +1", "model linux-6.18 has no counter Nonsense"),
        ("accept_queue 1/1", "there are 0 listeners: say which"),
        ("accept_queue(9) 1/1", "there is no socket 9"),
        ("A connected", "A has not connected: client A connect"),
        ("client A send 5", "A has not connected: client A connect"),
        ("A < S 0:0(0)\nclient A connect", "A is in use: take another name"),
        ("client A connect\nA < icmp unreachable", "A has a kernel of its own"),
        ("C < S 0:0(0) urg 1", "the urgent pointer is not run"),
        ("C < 1 > 2 S 0:0(0)", "ports are not run: give each peer a name"),
        ("C < [ect0] S 0:0(0)", "what stands in brackets about the IP header is not run"),
        ("C < S 0:0(0) <md5 00>", "the option md5 is not run"),
        ("C < S 0:0(0) <FO xyz>", "the cookie xyz is not written in hexadecimal digits"),
        ("C < icmp redirect", "icmp redirect is not known"),
        ("C > icmp unreachable", "no ICMP errors are expected"),
        ("+99999999 x()", "it would run for more than 86400 s"),
        ("socket(..., SOCK_DGRAM, 0) = 3", "only SOCK_STREAM is run"),
        ("socket(..., SOCK_STREAM, 0) = 3\nsocket(..., SOCK_STREAM, 0) = 3", "socket 3 is in use"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    verdict = run(text)
    assert verdict.refusal is not None, str(verdict)
    assert reason in verdict.refusal.reason
    assert verdict.refusal.place.line == text.count("\n") + 1
    assert not verdict.agreed


# Time


class _Busy(ModelStage):
    """Its clock runs on while it should play; ``by`` is how much it is late each time."""

    by = 0
    lay = 0

    def advance(self, until: int) -> None:
        super().advance(until + (self.by if until > self.now else 0))

    @property
    def late(self) -> int:
        return self.lay


def busy(text: str, by: int = 0, lay: int = 0) -> Verdict:
    stage = _Busy()
    stage.by, stage.lay = by * MILLISECOND, lay * MILLISECOND
    return conduct(parse(text), stage)


# Its ACK is to come before the SYN/ACK is sent again.
JUST_IN_TIME = f"{HALF_OPEN}+.9 C < . 1:1(0) ack 1\n+.1 C silent\n"


def test_what_was_played_too_late_and_differs_could_not_be_run() -> None:
    assert busy(JUST_IN_TIME).agreed
    verdict = busy(JUST_IN_TIME, by=250)
    assert verdict.difference is None
    assert verdict.refusal is not None
    assert verdict.refusal.reason == (
        "it was played 250 ms too late: this machine is busy, run it again when it is not"
    )
    # The first statement that was so late, and not the one that found the difference.
    assert verdict.refusal.place.line == 5


def test_a_difference_in_time_is_one() -> None:
    wrong = JUST_IN_TIME.replace("C silent", "accept_queue 0/1")
    for by in (0, 100):
        verdict = busy(wrong, by=by)
        assert verdict.difference is not None
        assert verdict.refusal is None is verdict.late


def test_what_agrees_agrees_however_late() -> None:
    verdict = busy(f"{LISTENING}+1 accept_queue 0/1\n", by=5000)
    assert verdict.agreed
    assert verdict.late is not None


def test_the_kernels_own_lateness_is_not_ours() -> None:
    # An absolute time that is over when a segment has come is no statement that was played late.
    text = HALF_OPEN + "+1 C > S. 0:0(0) ack 1 <mss 1460>\n1.5 accept_queue 1/1\n"
    verdict = busy(text)
    assert verdict.difference is not None


def test_packets_that_lay_there_for_long() -> None:
    wrong = f"{LISTENING}+1 accept_queue 1/1\n"
    verdict = busy(wrong, lay=700)
    assert verdict.refusal is not None
    assert "a packet lay there for 700 ms before it was carried" in str(verdict.refusal)
    assert busy(wrong, lay=100).difference is not None


def test_times_are_relative_to_the_statement_before_or_absolute() -> None:
    verdict = run(f"{LISTENING}+1 C < S 0:0(0)\nC > S. 0:0(0) ack 1 <...>\n2.5 C ignored\n+.1 x()")
    noted = [(e.at, e.text) for e in verdict.trace.events if isinstance(e, Noted)]
    assert noted[-2:] == [(2_500_000_000, "C ignored"), (2_600_000_000, "x()")]


def test_any_time_sets_the_clock_to_when_it_was() -> None:
    half_open = HALF_OPEN.replace("<mss 1460>", "<...>")
    text = f"{half_open}* C > S. 0:0(0) ack 1 <...>\n+2 C > S. 0:0(0) ack 1 <...>\n"
    assert run(text).agreed
    assert run(text.replace("*", "+.5~+1.5")).agreed


def test_the_only_peer_of_packetdrill_has_no_name() -> None:
    # A script in the words of packetdrill alone, as its documentation has them
    text = """
`../common/defaults.sh`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
  +.1 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 7>
  +.1 < . 1:1(0) ack 1 win 257
   +0 accept(3, ..., ...) = 4
   +0 < P. 1:1001(1000) ack 1 win 257
   +0 > . 1:1(0) ack 1001
   +0 read(4, ..., 2000) = 1000
   +0 write(4, ..., 500) = 500
   +0 > P. 1:501(500) ack 1001
   +0 < . 1001:1001(0) ack 501 win 257
   +0 close(4) = 0
   +0 > F. 501:501(0) ack 1001
"""
    verdict = run(text)
    assert verdict.agreed, str(verdict)


def test_timestamps_are_relative_to_the_first() -> None:
    text = f"""{LISTENING}
+0 C < S 0:0(0) <mss 1000,TS val 700 ecr 0>
+0 C > S. 0:0(0) ack 1 <mss 1460,TS val 100 ecr 700>
+0 C < . 1:1(0) ack 1 <nop,nop,TS val 701 ecr 100>
+0 accept(3, ..., ...) = 4
+0 C < P. 1:6(5) ack 1 <nop,nop,TS val 702 ecr 100>
+0 C > . 1:1(0) ack 6 <nop,nop,TS val 100 ecr 702>
"""
    assert run(text).agreed, str(run(text))
    echoed = run(text.replace("TS val 100 ecr 702", "TS val 100 ecr 9"))
    assert echoed.difference is not None
