"""Checks: exact, relative to the last look, and about one of several listeners."""

import pytest

from annotated_shadowsocks.lab.calls import Calls
from annotated_shadowsocks.lab.checks import Check, Checks
from annotated_shadowsocks.lab.model_stage import ModelStage
from annotated_shadowsocks.lab.verdict import Differs, Refused
from annotated_shadowsocks.scripts.parser import parse
from annotated_shadowsocks.scripts.statements import ClientCall, ClientVerb, Names

CONNECT = ClientCall(Names("A"), ClientVerb.CONNECT)


@pytest.fixture
def stage() -> ModelStage:
    """listen(0), full, and one SYN dropped."""
    stage = ModelStage()
    stage.open_socket(3)
    stage.bind(3)
    stage.listen(3, 0)
    stage.tell_client("A", CONNECT)
    stage.tell_client("B", CONNECT)
    return stage


@pytest.fixture
def checks(stage: ModelStage) -> Checks:
    calls = Calls(stage)
    calls.listening.append(3)
    return Checks(stage, calls, {"A", "B"})


def make(checks: Checks, line: str) -> None:
    (statement,) = parse(line).statements
    assert isinstance(statement.body, Check)
    checks.make(statement.body)


@pytest.mark.parametrize(
    "line",
    [
        "accept_queue 1/0",
        "accept_queue(3) 1",
        "syn_queue 0/0",
        "A connected",
        "B connecting",
        "TcpExt ListenOverflows 1",
        "Tcp PassiveOpens +1",
        "clients Tcp ActiveOpens 2",
        "sk_drops 1",
        "tcp_info unacked 1 sacked 0",
        "sock_diag(3) wqueue 0 rqueue 1",
        "proc_net_tcp rx_queue 1 tx_queue 0 half_open 0",
    ],
)
def test_what_is_so(checks: Checks, line: str) -> None:
    make(checks, line)


def test_more_means_more_than_at_the_last_look(stage: ModelStage, checks: Checks) -> None:
    make(checks, "TcpExt ListenOverflows +1")
    make(checks, "TcpExt ListenOverflows +0")
    stage.advance(1_500_000_000)
    make(checks, "TcpExt ListenOverflows +1")
    make(checks, "TcpExt ListenOverflows 2")
    make(checks, "TcpExt ListenOverflows +0")


@pytest.mark.parametrize(
    ("line", "expected", "got"),
    [
        ("accept_queue 2/1", "accept_queue 2/1", "accept_queue 1/0"),
        ("syn_queue 4", "syn_queue 4", "syn_queue 0"),
        ("A timeout", "A timeout", "A connected"),
        ("TcpExt ListenDrops 5", "TcpExt ListenDrops 5", "TcpExt ListenDrops 1"),
        ("sk_drops +0", "sk_drops +0", "sk_drops +1"),
        ("tcp_info unacked 9", "tcp_info unacked 9", "tcp_info unacked 1"),
        ("sock_diag weight 9", "sock_diag weight 9", "sock_diag weight None"),
    ],
)
def test_what_is_not(checks: Checks, line: str, expected: str, got: str) -> None:
    with pytest.raises(Differs) as caught:
        make(checks, line)
    assert (caught.value.expected, caught.value.got) == (expected, got)


@pytest.mark.parametrize(
    ("line", "reason"),
    [("C connected", "C has not connected"), ("sk_drops(4) 0", "there is no socket 4")],
)
def test_refusals(checks: Checks, line: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        make(checks, line)


def test_two_listeners_have_to_be_told_apart(stage: ModelStage) -> None:
    calls = Calls(stage)
    calls.listening += [3, 4]
    with pytest.raises(Refused, match="there are 2 listeners: say which"):
        make(Checks(stage, calls, set()), "accept_queue 1/0")
