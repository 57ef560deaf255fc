"""Sending again: when, how often, and when no more."""

from errno import ETIMEDOUT

import pytest

from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.effects import Fail
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.tcp_model.retransmission import measure
from annotated_shadowsocks.tcp_model.segment import Flow, SackBlocks, SackPermitted
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.testing.tcp_laboratory import Client, Laboratory


def cut_off(client_settings: dict[str, int] | None = None) -> tuple[Laboratory, Client]:
    """A client whose every further segment is lost."""
    laboratory = Laboratory(client_settings=client_settings)
    client = laboratory.connect()
    laboratory.at(1)
    laboratory.cut = True
    return laboratory, client


def sends(client: Client) -> list[float]:
    return [float(line.split()[0]) for line in client.heard_and_said if "> P." in line]


def test_a_probe_then_doubling_timeouts() -> None:
    laboratory, client = cut_off()
    client.send(b"hello")
    laboratory.at(10)
    # seen with a short round trip: +0.21 (the probe) 0.42 0.84 1.68 3.34 6.64
    assert sends(client) == [1, 1.2, 1.4, 1.8, 2.6, 4.2, 7.4]
    counters = laboratory.clients.counters
    assert (counters["TCPLossProbes"], counters["TCPTimeouts"]) == (1, 5)


def test_no_probe_without_tcp_early_retrans() -> None:
    laboratory, client = cut_off({"tcp_early_retrans": 0})
    client.send(b"hello")
    laboratory.at(2)
    assert sends(client) == [1, 1.2, 1.6]


def test_a_probe_sends_the_newest_and_a_timeout_the_oldest() -> None:
    laboratory, client = cut_off()
    client.send(b"a")
    client.send(b"b")
    laboratory.at(1.5)
    lines = [line.split(" > ")[1] for line in client.heard_and_said if "> P." in line]
    assert lines == ["P. 1(1) ack 1", "P. 2(1) ack 1", "P. 2(1) ack 1", "P. 1(1) ack 1"]


@pytest.mark.parametrize(
    ("retries", "seconds"),
    # [linux tcp_model_timeout] 200 ms doubled: 3 retries are 3 s; 15, the default, 924.6 s
    [(3, 3.0), (15, 924.6)],
)
def test_data_is_given_up_by_time(retries: int, seconds: float) -> None:
    laboratory, client = cut_off({"tcp_retries2": retries})
    client.send(b"hello")
    laboratory.network.run()
    [(at, error)] = [
        (at / SECOND, effect.errno)
        for at, _, effect in laboratory.network.trace
        if isinstance(effect, Fail)
    ]
    assert error == ETIMEDOUT
    # Counted from the first timeout, and noticed at the next.
    assert seconds <= at - 1.4 <= seconds + 120
    assert client.connection.state is State.CLOSED
    assert laboratory.clients.counters["EstabResets"] == 1


def test_after_close_patience_is_shorter() -> None:
    laboratory, client = cut_off()
    client.close()
    laboratory.network.run()
    # [linux tcp_orphan_retries] 8 of them: 102.2 s
    assert 102 <= laboratory.now / SECOND <= 102.2 + 120
    assert not laboratory.clients.connections


def test_an_answer_ends_it() -> None:
    laboratory, client = cut_off()
    client.send(b"hello")
    laboratory.at(1.5)
    laboratory.cut = False
    laboratory.at(9)
    assert not client.connection.unacked
    assert client.connection.timeouts == 0
    assert client.connection.deadline is None


def test_long_data_goes_in_segments_as_far_as_the_window_allows() -> None:
    laboratory = Laboratory()
    peer = laboratory.peer()
    peer.connect()
    connection = laboratory.accept()
    assert connection is not None
    laboratory.did(laboratory.server.send(connection, b"x" * 70_000, 0))
    sizes = [len(one.payload) for _, one in peer.segments if one.payload]
    assert set(sizes[:-1]) == {536}
    assert sum(sizes) == 65_535
    peer.say(".", 1, 65_536)
    sizes = [len(one.payload) for _, one in peer.segments if one.payload]
    assert sum(sizes) == 70_000


def test_selective_acknowledgement_of_what_came_early_and_twice() -> None:
    laboratory = Laboratory()
    peer = laboratory.peer(options=(SackPermitted(),))
    peer.connect()

    def blocks() -> list[tuple[int, int]]:
        found = [o for o in peer.last.options if isinstance(o, SackBlocks)]
        return [(left - peer.isn, right - peer.isn) for left, right in found[0].blocks]

    peer.say("P.", 10, payload=b"abc")
    assert blocks() == [(10, 13)]
    peer.say("P.", 20, payload=b"abc")
    peer.say("P.", 13, payload=b"de")
    assert blocks() == [(10, 15), (20, 23)]
    peer.say("P.", 1, payload=b"123456789")
    assert blocks() == [(20, 23)]
    # [RFC2883 §4] the duplicate comes first
    peer.say("P.", 1, payload=b"1")
    assert blocks() == [(1, 2), (20, 23)]


def test_round_trips_are_smoothed() -> None:
    flow = Flow(*(2 * [Laboratory().listener.local]))
    one = Connection(flow, State.ESTABLISHED, 0, 0)
    # [RFC6298 §2] the first counts in full, the next by an eighth and a quarter
    measure(one, 80 * MILLISECOND)
    assert (one.srtt, one.rttvar) == (80 * MILLISECOND, 40 * MILLISECOND)
    measure(one, 160 * MILLISECOND)
    assert (one.srtt, one.rttvar) == (90 * MILLISECOND, 50 * MILLISECOND)
