"""Connections: data, closing, and what does not belong there."""

import pytest

from annotated_shadowsocks.tcp_model.connection import Connection
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.segment import Unreachable, UnreachableKind
from annotated_shadowsocks.tcp_model.seqnum import add
from annotated_shadowsocks.tcp_model.states import SYNCHRONIZED, TRANSITIONS, Action, State
from annotated_shadowsocks.tcp_model.synchronized import ACTIONS
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory, Peer


def connected(accepted: bool = True) -> tuple[Laboratory, Peer, Connection]:
    laboratory = Laboratory(5)
    peer = laboratory.peer()
    peer.connect()
    connection = laboratory.listener.accept_queue.connections[0]
    if accepted:
        laboratory.accept()
    return laboratory, peer, connection


def close(laboratory: Laboratory, connection: Connection) -> None:
    laboratory.did(laboratory.server.close(connection, laboratory.now))


def test_every_action_of_the_rows_has_its_function() -> None:
    rows = {step.action for state in SYNCHRONIZED for step in TRANSITIONS[state].values()}
    assert rows - {Action.NEVER, Action.REOPEN} == set(ACTIONS)


def test_data_is_acknowledged_before_anybody_accepts() -> None:
    _, peer, connection = connected(accepted=False)
    assert peer.say("P.", payload=b"hello") == [". 1 ack 6"]
    assert connection.inbox == b"hello"


def test_early_data_waits_for_what_is_missing() -> None:
    laboratory, peer, connection = connected()
    assert peer.say("P.", 6, payload=b"world") == [". 1 ack 1"]
    assert peer.say("FP.", 11, payload=b"!") == [". 1 ack 1"]
    assert peer.say("P.", 1, payload=b"hello") == [". 1 ack 13"]
    assert laboratory.server.recv(connection, 99) == b"helloworld!"
    assert laboratory.server.recv(connection, 99) == b""
    assert connection.state is State.CLOSE_WAIT


def test_what_overlaps_is_taken_once() -> None:
    _, peer, connection = connected()
    peer.say("P.", 1, payload=b"hello")
    assert peer.say("P.", 4, payload=b"lo there") == [". 1 ack 12"]
    assert connection.inbox == b"hello there"
    assert peer.say("P.", 4, payload=b"lo") == [". 1 ack 12"]
    assert connection.inbox == b"hello there"


def test_nothing_to_read_yet() -> None:
    laboratory, _, connection = connected()
    with pytest.raises(BlockingIOError):
        laboratory.server.recv(connection, 1)


@pytest.mark.parametrize(
    ("script", "states"),
    [
        # [RFC9293 §3.6] who closes first, closes second, or both at once
        (
            ["close", (".", 1, 2), ("F.", 1, 2)],
            [State.FIN_WAIT_1, State.FIN_WAIT_2, State.TIME_WAIT],
        ),
        (["close", ("F.", 1, 2)], [State.FIN_WAIT_1, State.TIME_WAIT]),
        (
            ["close", ("F.", 1, 1), (".", 2, 2)],
            [State.FIN_WAIT_1, State.CLOSING, State.TIME_WAIT],
        ),
        (
            [("F.", 1, 1), "close", (".", 2, 2)],
            [State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED],
        ),
    ],
)
def test_closing(script: list[str | tuple[str, int, int]], states: list[State]) -> None:
    laboratory, peer, connection = connected()
    seen = []
    for step in script:
        if isinstance(step, tuple):
            peer.say(*step)
        else:
            close(laboratory, connection)
        seen.append(connection.state)
    assert seen == states


def test_time_wait_lasts_a_minute_and_an_ack_renews_it() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    peer.say("F.", 1, 2)
    laboratory.at(30)
    assert peer.say(".", 2, 2) == []
    laboratory.at(89)
    assert laboratory.server.state_of(peer.flow) is State.TIME_WAIT
    # The FIN again: its answer was lost.
    assert peer.say("F.", 1, 2) == [". 2 ack 2"]
    laboratory.at(149)
    assert laboratory.server.state_of(peer.flow) is State.LISTEN


def test_time_wait_is_assassinated_by_an_rst() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    peer.say("F.", 1, 2)
    assert peer.say("R", 2) == []
    assert laboratory.server.state_of(peer.flow) is State.LISTEN


def test_time_wait_answers_an_old_syn() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    peer.say("F.", 1, 2)
    assert peer.say("S", 0) == [". 2 ack 2"]
    assert laboratory.server.state_of(peer.flow) is State.TIME_WAIT


def test_time_wait_makes_way_only_if_somebody_listens() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    peer.say("F.", 1, 2)
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert peer.say("S", 99) == [". 2 ack 2"]


def test_fin_wait_2_does_not_wait_for_ever() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    peer.say(".", 1, 2)
    laboratory.at(61)
    assert connection.state is State.CLOSED


def test_data_after_close_is_reset() -> None:
    laboratory, peer, connection = connected()
    close(laboratory, connection)
    assert peer.say("P.", 1, 2, b"late") == ["R 2"]
    assert connection.state is State.CLOSED
    assert laboratory.counted()["TCPAbortOnData"] == 1


def test_closing_with_data_unread_is_a_reset() -> None:
    laboratory, peer, connection = connected()
    peer.say("P.", payload=b"unread")
    close(laboratory, connection)
    assert peer.heard[-1] == "0 R. 1 ack 7"
    assert laboratory.counted()["TCPAbortOnClose"] == 1


@pytest.mark.parametrize("flags", ["S", "S.", "SF"])
def test_a_syn_is_challenged_twice_a_second_at_most(flags: str) -> None:
    laboratory, peer, _ = connected()
    answers = []
    for at in (0.1, 0.2, 0.7):
        laboratory.at(at)
        answers.append(peer.say(flags, 0))
    assert answers == [[". 1 ack 1"], [], [". 1 ack 1"]]
    counted = laboratory.counted()
    assert counted["TCPSYNChallenge"] == 3
    assert counted["TCPChallengeACK"] == 2
    assert counted["TCPACKSkippedChallenge"] == 1


def test_a_reset_while_the_peer_has_closed_is_a_broken_pipe() -> None:
    laboratory, peer, connection = connected()
    peer.say("F.")
    peer.say("R", 2)
    assert laboratory.server.recv(connection, 1) == b""
    with pytest.raises(BrokenPipeError):
        laboratory.server.send(connection, b"x", laboratory.now)


def test_writing_to_a_closed_connection_is_a_broken_pipe() -> None:
    laboratory, _, connection = connected()
    close(laboratory, connection)
    with pytest.raises(BrokenPipeError):
        laboratory.server.send(connection, b"x", laboratory.now)


def test_a_peer_is_proven_by_a_connection_that_ended_well() -> None:
    laboratory, _, _ = connected()
    client = laboratory.connect()
    served = laboratory.accept()
    assert served is not None
    client.close()
    close(laboratory, served)
    assert laboratory.now < SECOND
    # [linux tcp_update_metrics] its host, whatever its port
    for _ in range(3):
        laboratory.connect()
    laboratory.server.set_sysctl("tcp_syncookies", 0)
    laboratory.server.set_sysctl("tcp_max_syn_backlog", -10)
    assert laboratory.peer().syn() == []
    assert laboratory.connect().connection.state is State.ESTABLISHED


@pytest.mark.parametrize(("offset", "counted"), [(0, 1), (1, 0), (2, 1)])
def test_an_icmp_error_about_what_is_not_under_way_is_counted(offset: int, counted: int) -> None:
    laboratory, _, connection = connected()
    error = Unreachable(connection.flow, add(connection.iss, offset), UnreachableKind.HOST)
    laboratory.did(laboratory.server.receive_unreachable(error, laboratory.now))
    assert laboratory.counted().get("OutOfWindowIcmps", 0) == counted
    assert connection.state is State.ESTABLISHED


def test_data_that_goes_on_behind_the_peers_fin_is_answered_by_rst() -> None:
    laboratory, peer, connection = connected()
    peer.say("F.")
    assert peer.say("P.", 1, payload=b"0123456789") == ["R 1"]
    assert connection.state is State.CLOSED
    assert laboratory.counted()["TCPAbortOnData"] == 1
    assert laboratory.counted()["EstabResets"] == 1


def test_data_that_begins_behind_the_peers_fin_is_nothing() -> None:
    _, peer, connection = connected()
    peer.say("F.")
    assert peer.say("P.", 2, payload=b"0123456789") == []
    assert connection.state is State.CLOSE_WAIT
