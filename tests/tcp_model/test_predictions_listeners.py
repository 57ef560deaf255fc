"""Listeners that close, share an endpoint or open early on Linux 6.18, and other systems' queues.

The numbers in the names are those of the predictions that the laboratory checks on the kernel too,
those from 51 on are about systems that no kernel here can show. "Seen" was measured on 6.18.44.
"""

import pytest

from annotated_shadowsocks.tcp_model.effects import Removal, RemoveRequest
from annotated_shadowsocks.tcp_model.host import SocketOption
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.listener import Listener
from annotated_shadowsocks.tcp_model.segment import FastOpenCookie
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.testing.tcp_laboratory import SERVER, Laboratory, Peer

# Closing


def test_41_closing_resets_who_is_queued_and_tells_nobody_else() -> None:
    laboratory = Laboratory(2)
    queued, half_open, silent = laboratory.peer(), laboratory.peer(), laboratory.peer()
    queued.connect()
    half_open.syn()
    silent.syn()
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    assert queued.heard == ["0 S. 0 ack 1", "0 R. 1 ack 1"]
    assert half_open.ack() == ["R 1"]
    laboratory.at(2)
    assert silent.heard == ["0 S. 0 ack 1"]
    # seen: EstabResets, OutRsts; the silent one's timer counts nothing
    assert laboratory.counted() == {"PassiveOpens": 1, "EstabResets": 1, "OutRsts": 2}
    assert not laboratory.server.requests


def test_42_a_request_outlives_shutdown_and_listen() -> None:
    laboratory = Laboratory(2)
    peer = laboratory.peer()
    peer.syn()
    laboratory.did(laboratory.server.shutdown(laboratory.listener, laboratory.now))
    laboratory.did(laboratory.server.listen(laboratory.listener, 2, laboratory.now))
    assert laboratory.syn_queue == "1/2"
    assert peer.ack() == []
    connection = laboratory.accept()
    assert connection is not None
    assert connection.flow == peer.flow


def pair(migrate: int) -> tuple[Laboratory, Listener, list[Peer]]:
    """Two listeners on one endpoint; twelve peers, of whom every second has completed."""
    laboratory = Laboratory(20, settings={"tcp_migrate_req": migrate}, reuse_port=True)
    sibling = laboratory.server.bind(SERVER, reuse_port=True)
    laboratory.did(laboratory.server.listen(sibling, 20, 0))
    peers = [laboratory.peer() for _ in range(12)]
    for peer in peers:
        peer.syn()
    for peer in peers[::2]:
        peer.ack()
    # A hash spreads them; a group in which one had none would show nothing.
    for listener in (laboratory.listener, sibling):
        assert listener.accept_queue.depth > 0
        assert listener.syn_queue.depth > 0
    return laboratory, sibling, peers


def test_43_a_closing_listener_takes_its_clients_with_it() -> None:
    """seen in four runs: 4 to 8 RSTs to 12 clients"""
    laboratory, sibling, peers = pair(migrate=0)
    lost = laboratory.listener.accept_queue.depth + laboratory.listener.syn_queue.depth
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    for peer in peers[1::2]:
        peer.ack()
    assert laboratory.counted()["OutRsts"] == lost
    assert sibling.accept_queue.depth == 12 - lost


def test_43_with_tcp_migrate_req_nobody_is_lost() -> None:
    """seen: no RST, 12 of 12 accepted"""
    laboratory, sibling, peers = pair(migrate=1)
    moved = laboratory.listener.accept_queue.depth + laboratory.listener.syn_queue.depth
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    for peer in peers[1::2]:
        peer.ack()
    assert sibling.accept_queue.depth == 12
    assert laboratory.counted() == {"PassiveOpens": 12, "TCPMigrateReqSuccess": moved}


def test_43_the_timer_moves_a_silent_request_too() -> None:
    laboratory, sibling, peers = pair(migrate=1)
    orphans = laboratory.listener.syn_queue.depth
    laboratory.did(laboratory.server.close(laboratory.listener, laboratory.now))
    before = laboratory.counted()["TCPMigrateReqSuccess"]
    laboratory.at(1)
    assert laboratory.counted()["TCPMigrateReqSuccess"] == before + orphans
    assert sibling.syn_queue.depth == 6
    for peer in peers[1::2]:
        peer.ack()
    assert sibling.accept_queue.depth == 12


# Fast Open

_NO_COOKIE = {"tcp_fastopen": 0x203}


def test_44_fast_open_has_a_queue_of_its_own() -> None:
    laboratory = Laboratory(5, settings=_NO_COOKIE, options={SocketOption.TCP_FASTOPEN: 1})
    first, second = laboratory.peer(), laboratory.peer()
    assert first.say("S", 0, payload=b"hello") == ["S. 0 ack 6"]
    assert laboratory.accept_queue == "1/5"
    assert laboratory.syn_queue == "0/5"
    # seen: the second's data is left aside, TCPFastOpenListenOverflow 1
    assert second.say("S", 0, payload=b"hello") == ["S. 0 ack 1"]
    assert laboratory.counted() == {
        "PassiveOpens": 1,
        "TCPFastOpenPassive": 1,
        "TCPFastOpenListenOverflow": 1,
    }
    connection = laboratory.accept()
    assert connection is not None
    assert laboratory.server.recv(connection, 10) == b"hello"
    state_of = laboratory.server.state_of
    assert state_of(first.flow) is State.SYN_RECEIVED
    assert first.say(".", 6) == []
    assert state_of(first.flow) is State.ESTABLISHED
    assert laboratory.peer().say("S", 0, payload=b"x") == ["S. 0 ack 2"]


def test_a_fast_open_cookie_is_given_first_and_checked_then() -> None:
    laboratory = Laboratory(5, settings={"tcp_fastopen": 3}, options={SocketOption.TCP_FASTOPEN: 5})
    asking = laboratory.peer(options=(FastOpenCookie(b""),))
    assert asking.syn() == ["S. 0 ack 1"]
    cookie = next(o for o in asking.last.options if isinstance(o, FastOpenCookie))
    assert len(cookie.cookie) == 8
    good, bad = laboratory.peer(), laboratory.peer()
    assert good.say("S", 0, payload=b"hi", options=(cookie,)) == ["S. 0 ack 3"]
    forged = (FastOpenCookie(b"12345678"),)
    assert bad.say("S", 0, payload=b"hi", options=forged) == ["S. 0 ack 1"]
    counted = laboratory.counted()
    assert counted["TCPFastOpenCookieReqd"] == 1
    assert counted["TCPFastOpenPassive"] == 1
    assert counted["TCPFastOpenPassiveFail"] == 1


@pytest.mark.parametrize(("accepted", "parked"), [(True, True), (False, False)])
def test_an_rst_parks_the_slot_of_an_accepted_connection(accepted: bool, parked: bool) -> None:
    """seen: 60 s if accept() came first, not at all otherwise"""
    laboratory = Laboratory(5, settings=_NO_COOKIE, options={SocketOption.TCP_FASTOPEN: 1})
    peer = laboratory.peer()
    peer.say("S", 0, payload=b"x")
    if accepted:
        laboratory.accept()
    assert peer.say("R", 2) == []
    answer = ["S. 0 ack 1"] if parked else ["S. 0 ack 2"]
    assert laboratory.peer().say("S", 0, payload=b"x") == answer
    laboratory.at(61)
    later = laboratory.peer().say("S", 0, payload=b"x")
    assert later == (["S. 0 ack 2"] if parked else ["S. 0 ack 1"])


def test_a_fast_open_syn_ack_has_one_retry_more() -> None:
    settings = {**_NO_COOKIE, "tcp_synack_retries": 1}
    laboratory = Laboratory(5, settings=settings, options={SocketOption.TCP_FASTOPEN: 1})
    peer = laboratory.peer()
    peer.say("S", 0, payload=b"x")
    laboratory.network.run()
    assert peer.heard == ["0 S. 0 ack 2", "1 S. 0 ack 2", "3 S. 0 ack 2"]
    # It stays in the accept queue, as an error.
    assert laboratory.accept_queue == "1/5"
    connection = laboratory.accept()
    assert connection is not None
    assert laboratory.server.recv(connection, 1) == b"x"
    with pytest.raises(TimeoutError):
        laboratory.server.recv(connection, 1)


# Other systems


@pytest.mark.parametrize(("profile", "answer"), [("linux-4.10", []), ("linux-4.4", ["S. 0 ack 1"])])
def test_51_a_lone_syn_at_a_full_accept_queue(profile: str, answer: list[str]) -> None:
    laboratory = Laboratory(1, profile)
    laboratory.fill()
    assert laboratory.peer().syn() == answer


def test_51_a_second_young_one_is_dropped_even_there() -> None:
    laboratory = Laboratory(5, "linux-4.4")
    laboratory.fill()
    answers = [laboratory.peer().syn() for _ in range(3)]
    assert answers == [["S. 0 ack 1"], ["S. 0 ack 1"], []]
    assert laboratory.counted()["ListenOverflows"] == 1


@pytest.mark.parametrize(("profile", "answered"), [("linux-4.4", 0), ("linux-6.13", 1)])
def test_52_listen_0_without_syncookies(profile: str, answered: int) -> None:
    laboratory = Laboratory(0, profile, settings={"tcp_syncookies": 0})
    assert len(laboratory.peer().syn()) == answered


# W. R. Stevens, UNIX Network Programming, figure 4.10: the column of the systems with 3/2
_THREE_HALVES = [1, 2, 4, 5, 7, 8]


@pytest.mark.parametrize(("backlog", "connections"), list(enumerate(_THREE_HALVES)))
@pytest.mark.parametrize("profile", ["bsd42", "bsd44"])
def test_53_one_queue_and_no_ack_ever_refused(profile: str, backlog: int, connections: int) -> None:
    laboratory = Laboratory(backlog, profile)
    peers = [laboratory.peer() for _ in range(connections + 3)]
    answered = [peer for peer in peers if peer.syn()]
    assert len(answered) == connections
    for peer in answered:
        assert peer.ack() == []
    assert laboratory.listener.accept_queue.depth == connections


@pytest.mark.parametrize(("backlog", "connections"), list(enumerate(_THREE_HALVES)))
def test_54_half_open_connections_alone_fill_it(backlog: int, connections: int) -> None:
    laboratory = Laboratory(backlog, "bsd44")
    peers = [laboratory.peer() for _ in range(connections + 3)]
    answered = [peer for peer in peers if peer.syn()]
    assert len(answered) == connections
    laboratory.at(74)
    assert laboratory.peer().syn() == []
    laboratory.at(75)
    # Two SYN/ACKs more on the way, and an RST when TCPTV_KEEP_INIT ends it
    assert answered[0].heard == [
        "0 S. 0 ack 1",
        "6 S. 0 ack 1",
        "30 S. 0 ack 1",
        "75 R. 1 ack 1",
    ]
    assert laboratory.peer().syn() == ["S. 0 ack 1"]


def test_55_freebsd_answers_every_syn_and_resets_at_the_final_ack() -> None:
    laboratory = Laboratory(2, "freebsd-12")
    for _ in range(4):
        laboratory.peer().connect()
    assert laboratory.listener.accept_queue.depth == 4
    fifth = laboratory.peer()
    assert fifth.syn() == ["S. 0 ack 1"]
    assert fifth.ack() == ["R 1"]
    assert laboratory.counted() == {"tcps_listendrop": 1, "tcps_sc_aborted": 1}
    silent = laboratory.peer()
    silent.syn()
    laboratory.network.run()
    assert silent.heard == [f"{at} S. 0 ack 1" for at in (0, 1, 3, 7)]
    ends = [at for at, _, e in laboratory.network.trace if isinstance(e, RemoveRequest)]
    assert ends[-1] == 15 * SECOND


def test_55_freebsd_can_be_told_to_be_silent() -> None:
    laboratory = Laboratory(0, "freebsd-12", settings={"rst_on_sock_fail": 0})
    laboratory.fill()
    peer = laboratory.peer()
    peer.syn()
    assert peer.ack() == []
    # The entry is gone all the same.
    assert not laboratory.server.requests
    laboratory.at(20)
    assert peer.heard == ["0 S. 0 ack 1"]


def test_56_xnu_lets_the_newest_in() -> None:
    laboratory = Laboratory(3, "xnu")
    peers = [laboratory.peer() for _ in range(4)]
    assert [peer.syn() for peer in peers] == [["S. 0 ack 1"]] * 4
    ended = [
        (e.flow, e.cause) for _, _, e in laboratory.network.trace if isinstance(e, RemoveRequest)
    ]
    assert ended == [(peers[0].flow, Removal.EVICTED)]
    assert laboratory.listener.syn_queue.depth == 3
    for peer in peers[1:]:
        peer.ack()
    # Complete connections make room for nobody.
    assert laboratory.peer().syn() == []


def test_windows_tells_the_syn() -> None:
    laboratory = Laboratory(2, "windows")
    peers = [laboratory.peer() for _ in range(4)]
    assert [peer.syn() for peer in peers] == [["S. 0 ack 1"]] * 3 + [["R. 0 ack 1"]]


def test_illumos_lets_a_finished_handshake_wait_among_the_others() -> None:
    laboratory = Laboratory(1, "illumos")
    first, second = laboratory.peer(), laboratory.peer()
    first.syn()
    second.syn()
    first.ack()
    # It is connected, and its data is taken; only accept() does not see it.
    assert second.say("P.", payload=b"hello") == [". 1 ack 6"]
    assert laboratory.listener.accept_queue.depth == 1
    assert laboratory.listener.syn_queue.depth == 1
    laboratory.accept()
    assert laboratory.listener.syn_queue.depth == 0
    connection = laboratory.accept()
    assert connection is not None
    assert (connection.flow, connection.inbox) == (second.flow, b"hello")


def test_netbsd_and_openbsd_reset_a_final_ack() -> None:
    for profile, queued in (("netbsd", 4), ("openbsd", 241)):
        laboratory = Laboratory(2, profile)
        peers = [laboratory.peer() for _ in range(queued + 1)]
        for peer in peers:
            peer.syn()
        assert [peer.ack() for peer in peers] == [[]] * queued + [["R 1"]]
