"""Connections that are made at their SYN, beyond what the predictions show."""

import pytest

from annotated_shadowsocks.tcp_model.host import SocketOption
from annotated_shadowsocks.tcp_model.segment import FastOpenCookie, Unreachable, UnreachableKind
from annotated_shadowsocks.tcp_model.seqnum import add
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory, Peer


def opened(settings: dict[str, int] | None = None) -> tuple[Laboratory, Peer]:
    laboratory = Laboratory(
        5,
        settings={"tcp_fastopen": 0x203, **(settings or {})},
        options={SocketOption.TCP_FASTOPEN: 5},
    )
    peer = laboratory.peer()
    assert peer.say("S", 0, payload=b"hi") == ["S. 0 ack 3"]
    return laboratory, peer


@pytest.mark.parametrize(
    ("flags", "seq", "ack", "answer", "state"),
    [
        (".", 3, 1, [], State.ESTABLISHED),
        (".", 3, 9, ["R 9"], State.SYN_RECEIVED),
        # seen: the window comes before the ACK
        (".", 99_999, 9, [". 1 ack 3"], State.SYN_RECEIVED),
        ("S", 0, 0, ["S. 0 ack 3"], State.SYN_RECEIVED),
        ("S", 5, 0, ["R. 0 ack 6"], State.SYN_RECEIVED),
        ("R", 3, 0, [], State.LISTEN),
        ("R", 4, 0, [". 1 ack 3"], State.SYN_RECEIVED),
        ("P", 3, 0, [], State.SYN_RECEIVED),
        ("F.", 3, 1, [". 1 ack 4"], State.CLOSE_WAIT),
    ],
)
def test_segments(flags: str, seq: int, ack: int, answer: list[str], state: State) -> None:
    laboratory, peer = opened()
    assert peer.say(flags, seq, ack) == answer
    assert laboratory.server.state_of(peer.flow) is state


@pytest.mark.parametrize(
    ("accepted", "offset", "kind", "state"),
    [
        (False, 0, UnreachableKind.HOST, State.LISTEN),
        (False, 0, UnreachableKind.TOO_BIG, State.SYN_RECEIVED),
        (False, 9, UnreachableKind.HOST, State.SYN_RECEIVED),
        (True, 0, UnreachableKind.HOST, State.SYN_RECEIVED),
    ],
)
def test_an_icmp_error_ends_what_nobody_has_accepted(
    accepted: bool, offset: int, kind: UnreachableKind, state: State
) -> None:
    laboratory, peer = opened()
    if accepted:
        laboratory.accept()
    error = Unreachable(peer.flow, add(peer.iss, offset), kind)
    laboratory.did(laboratory.server.receive_unreachable(error, laboratory.now))
    assert laboratory.server.state_of(peer.flow) is state
    assert laboratory.counted().get("OutOfWindowIcmps", 0) == (offset == 9)
    assert laboratory.counted().get("AttemptFails", 0) == (state is State.LISTEN)


def test_an_rst_counts_as_a_failed_attempt_twice() -> None:
    """[linux tcp_check_req] counts it, and [linux tcp_done] does when the socket goes"""
    laboratory, peer = opened()
    peer.say("R", 3)
    assert laboratory.counted()["AttemptFails"] == 2
    connection = laboratory.accept()
    assert connection is not None
    assert laboratory.server.recv(connection, 9) == b"hi"
    with pytest.raises(ConnectionResetError):
        laboratory.server.recv(connection, 9)


def test_the_application_may_answer_before_the_handshake_is_over() -> None:
    laboratory, peer = opened()
    connection = laboratory.accept()
    assert connection is not None
    laboratory.did(laboratory.server.send(connection, b"hello", laboratory.now))
    laboratory.at(1)
    # Nothing but the SYN/ACK is sent again before its answer.
    assert peer.heard == ["0 S. 0 ack 3", "0 P. 1(5) ack 3", "1 S. 0 ack 3"]
    assert peer.say(".", 3, 6) == []
    assert connection.state is State.ESTABLISHED
    assert not connection.unacked


def test_data_that_the_answer_did_not_cover_is_sent_again() -> None:
    laboratory, peer = opened()
    connection = laboratory.accept()
    assert connection is not None
    laboratory.did(laboratory.server.send(connection, b"hello", laboratory.now))
    laboratory.at(0.5)
    peer.say(".", 3, 1)
    laboratory.at(2.5)
    # [RFC6298 §2] half a second there and back: 0.5 + 4 * 0.25
    assert peer.heard[-1] == "2 P. 1(5) ack 3"


def test_closing_early_waits_for_the_handshake() -> None:
    laboratory, peer = opened()
    connection = laboratory.accept()
    assert connection is not None
    assert laboratory.server.recv(connection, 9) == b"hi"
    laboratory.did(laboratory.server.close(connection, laboratory.now))
    assert peer.say(".", 3) == ["F. 1 ack 3"]
    assert connection.state is State.FIN_WAIT_1


def test_closing_the_listener_resets_it() -> None:
    laboratory, peer = opened()
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert peer.heard[-1] == "0 R. 1 ack 3"


def test_data_without_a_cookie_is_left_aside_unless_none_is_needed() -> None:
    laboratory = Laboratory(5, settings={"tcp_fastopen": 3}, options={SocketOption.TCP_FASTOPEN: 5})
    assert laboratory.peer().say("S", 0, payload=b"hi") == ["S. 0 ack 1"]


@pytest.mark.parametrize(("bits", "offered"), [(0x403, True), (3, False), (0x401, False)])
def test_fast_open_for_all_listeners(bits: int, offered: bool) -> None:
    laboratory = Laboratory(5, settings={"tcp_fastopen": bits})
    peer = laboratory.peer(options=(FastOpenCookie(b""),))
    peer.syn()
    assert any(isinstance(o, FastOpenCookie) for o in peer.last.options) is offered
