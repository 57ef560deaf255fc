"""Completing a handshake, beyond what the predictions show."""

from annotated_shadowsocks.tcp_model.effects import (
    Count,
    DropAck,
    Effect,
    QueueAccept,
    Removal,
    RemoveRequest,
)
from annotated_shadowsocks.tcp_model.handshake import ACTIONS
from annotated_shadowsocks.tcp_model.segment import Timestamps
from annotated_shadowsocks.tcp_model.states import TRANSITIONS, Action, State
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def last(laboratory: Laboratory, count: int) -> list[Effect]:
    return [effect for _, _, effect in laboratory.network.trace][-count:]


def test_every_action_of_the_row_has_its_function() -> None:
    row = {step.action for step in TRANSITIONS[State.TCP_NEW_SYN_RECV].values()}
    # A reset is the listener's: it may know a cookie.
    assert row - {Action.NEVER, Action.RESET} == set(ACTIONS)


def test_completing_is_three_effects_in_order() -> None:
    laboratory = Laboratory()
    laboratory.peer().connect()
    removed, queued, counted = last(laboratory, 3)
    assert isinstance(removed, RemoveRequest)
    assert removed.cause is Removal.COMPLETED
    assert isinstance(queued, QueueAccept)
    assert queued.depth == 1
    assert counted == Count("PassiveOpens")


def test_a_refused_ack_says_why_and_what_it_counts() -> None:
    laboratory = Laboratory(0)
    first, second = laboratory.peer(), laboratory.peer()
    laboratory.server.set_sysctl("tcp_syncookies", 0)
    laboratory.did(laboratory.server.listen(laboratory.listener, 1, 0))
    first.syn()
    second.syn()
    laboratory.did(laboratory.server.listen(laboratory.listener, 0, 0))
    first.ack()
    second.ack()
    drop, *counts = last(laboratory, 5)
    assert isinstance(drop, DropAck)
    assert drop.reason == "the accept queue is full"
    names = [(c.name, c.amount) for c in counts if isinstance(c, Count)]
    # [linux tcp_v4_rcv] the listener's own counter goes up by two
    assert names == [
        ("ListenOverflows", 1),
        ("ListenDrops", 1),
        ("sk_drops", 1),
        ("sk_drops", 1),
    ]


def test_a_connection_knows_its_round_trip_unless_the_syn_ack_was_repeated() -> None:
    laboratory = Laboratory()
    quick, slow = laboratory.peer(), laboratory.peer()
    quick.syn()
    slow.syn()
    laboratory.at(0.25)
    quick.ack()
    laboratory.at(1.25)
    slow.ack()
    measured = [c.srtt for c in laboratory.listener.accept_queue.connections]
    assert measured == [250_000_000, None]


def test_an_answer_to_nonsense_has_a_timestamp_if_they_were_agreed() -> None:
    laboratory = Laboratory()
    peer = laboratory.peer(options=(Timestamps(7, 0),))
    peer.syn()
    peer.say(".", 100_000)
    assert [type(option) for option in peer.last.options] == [Timestamps]


def test_requests_of_a_closed_listener_count_a_failed_migration_where_one_was_due() -> None:
    laboratory = Laboratory(settings={"tcp_migrate_req": 1}, reuse_port=True)
    peer = laboratory.peer()
    peer.syn()
    laboratory.did(laboratory.server.close(laboratory.listener, 0))
    assert peer.ack() == ["R 1"]
    assert laboratory.counted() == {"TCPMigrateReqFailure": 1, "OutRsts": 1}


def test_the_final_ack_sets_the_time_of_the_connection() -> None:
    """seen: the FIN of the connection echoes 200, the time of the ACK and not of the SYN"""
    laboratory = Laboratory()
    peer = laboratory.peer(options=(Timestamps(100, 0),))
    peer.syn()
    stamp = next(option for option in peer.last.options if isinstance(option, Timestamps))
    peer.say(".", options=(Timestamps(200, stamp.tsval),))
    connection = laboratory.accept()
    assert connection is not None
    assert connection.ts_recent == 200


def test_a_refused_ack_leaves_no_time_behind() -> None:
    """seen: the next SYN/ACK echoes 700, the time of the SYN"""
    laboratory = Laboratory(0)
    waits, peer = laboratory.peer(), laboratory.peer(options=(Timestamps(700, 0),))
    laboratory.did(laboratory.server.listen(laboratory.listener, 1, 0))
    waits.syn()
    peer.syn()
    waits.ack()
    laboratory.did(laboratory.server.listen(laboratory.listener, 0, 0))
    stamp = next(option for option in peer.last.options if isinstance(option, Timestamps))
    assert peer.say(".", options=(Timestamps(900, stamp.tsval),)) == []
    laboratory.at(1)
    again = next(option for option in peer.last.options if isinstance(option, Timestamps))
    assert again.tsecr == 700
