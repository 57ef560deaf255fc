"""Clients on Linux: when they knock, and what they believe."""

from errno import ECONNREFUSED, ETIMEDOUT

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.tcp_model.effects import Fail, SendSegment
from annotated_shadowsocks.tcp_model.host import Host
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.segment import ACK, RST, SYN, Segment
from annotated_shadowsocks.tcp_model.seqnum import add
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory, within_timer_wheel

CLIENT, SERVER = Endpoint("192.0.2.7", 1234), Endpoint("192.0.2.1", 80)


@pytest.mark.parametrize(
    ("retries", "linear", "syns", "gives_up"),
    # 47: seen, all but the last, which is the default and was read
    [
        (1, 0, [0, 1], 3),
        (2, 0, [0, 1, 3], 7),
        (3, 0, [0, 1, 3, 7], 15),
        (1, 4, [0, 1, 2], 3),
        (2, 1, [0, 1, 2, 4], 8),
        (2, 4, [0, 1, 2, 3, 4, 5], 7),
        (3, 4, [0, 1, 2, 3, 4, 5, 7, 11], 19),
        (4, 4, [0, 1, 2, 3, 4, 5, 7, 11, 19], 35),
        (6, 4, [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67], 131),
    ],
)
def test_47_a_client_that_nobody_answers(
    retries: int, linear: int, syns: list[int], gives_up: int
) -> None:
    settings = {"tcp_syn_retries": retries, "tcp_syn_linear_timeouts": linear}
    host = Host(DEFAULT, settings)
    _, effects = host.connect(CLIENT, SERVER, 0)
    trace = [(0, effect) for effect in effects]
    while (at := host.get_timer()) is not None:
        trace += [(at, effect) for effect in host.handle_timer(at)]
    assert [at // SECOND for at, e in trace if isinstance(e, SendSegment)] == syns
    failed = [(at // SECOND, e.errno) for at, e in trace if isinstance(e, Fail)]
    assert failed == [(gives_up, ETIMEDOUT)]
    assert host.counters.snapshot() == {
        "ActiveOpens": 1,
        "TCPTimeouts": len(syns),
        "TCPSynRetrans": len(syns) - 1,
        "RetransSegs": len(syns) - 1,
        "AttemptFails": 1,
        "TCPAbortOnTimeout": 1,
    }
    assert not host.connections


def test_tcp_rto_max_ms_shortens_a_clients_intervals() -> None:
    settings = {"tcp_rto_max_ms": 1000, "tcp_syn_linear_timeouts": 0, "tcp_syn_retries": 3}
    laboratory = Laboratory(0, client_settings=settings)
    laboratory.fill()
    client = laboratory.connect()
    laboratory.at(3.5)
    times = [float(line.split()[0]) for line in client.heard_and_said]
    # seen: 1.07, 2.10, 3.12
    assert within_timer_wheel(times, [0, 1.07, 2.10, 3.12])


def test_tcp_syncnt_is_the_sockets_own() -> None:
    host = Host(DEFAULT, {"tcp_syn_linear_timeouts": 0})
    host.connect(CLIENT, SERVER, 0, syn_retries=1)
    while (at := host.get_timer()) is not None:
        host.handle_timer(at)
    assert host.counters["TCPSynRetrans"] == 1


@pytest.mark.parametrize(
    ("flags", "ack", "state", "answer"),
    [
        (SYN | ACK, 1, State.ESTABLISHED, ACK),
        (SYN | ACK, 2, State.SYN_SENT, RST),
        (SYN | ACK, 0, State.SYN_SENT, RST),
        (RST | ACK, 1, State.CLOSED, None),
        (RST | ACK, 2, State.SYN_SENT, None),
        (RST, 0, State.SYN_SENT, None),
        (ACK, 1, State.SYN_SENT, None),
        (SYN, 0, State.SYN_SENT, None),
    ],
)
def test_answers_to_a_syn(flags: int, ack: int, state: State, answer: int | None) -> None:
    host = Host(DEFAULT)
    connection, _ = host.connect(CLIENT, SERVER, 0)
    number = add(connection.iss, ack) if flags & ACK else 0
    effects = host.receive_segment(Segment(SERVER, CLIENT, flags, 500, number), 1)
    assert connection.state is state
    sent = [effect.segment.flags for effect in effects if isinstance(effect, SendSegment)]
    assert sent == ([] if answer is None else [answer])


def test_a_refusal_is_an_error_of_the_connection() -> None:
    host = Host(DEFAULT)
    connection, _ = host.connect(CLIENT, SERVER, 0)
    refusal = Segment(SERVER, CLIENT, RST | ACK, 0, add(connection.iss, 1))
    host.receive_segment(refusal, 1)
    with pytest.raises(ConnectionRefusedError) as caught:
        host.recv(connection, 1)
    assert caught.value.errno == ECONNREFUSED
    assert host.counters["AttemptFails"] == 1


def test_what_is_written_early_goes_with_the_handshake() -> None:
    laboratory = Laboratory()
    laboratory.cut = True
    client = laboratory.connect()
    client.send(b"hello")
    laboratory.cut = False
    laboratory.at(1.5)
    assert client.heard_and_said[-3:] == ["1 > . 1 ack 1", "1 > P. 1(5) ack 1", "1 < . 1 ack 6"]
