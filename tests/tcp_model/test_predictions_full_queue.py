"""What a full accept queue does on Linux 6.18, against packets seen on 6.18.44.

The numbers in the names are those of the predictions that the laboratory checks on the kernel too.
Times in comments were measured, in seconds; a kernel's timers are late by up to an eighth.
"""

from errno import ECONNRESET, ETIMEDOUT

import pytest

from annotated_shadowsocks.tcp_model.effects import Fail, Removal, RemoveRequest
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.states import State
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory, Peer, within_timer_wheel


def times(lines: list[str], what: str) -> list[float]:
    """The times of the lines that contain ``what``."""
    return [float(line.split()[0]) for line in lines if what in line]


def stuck(settings: dict[str, int] | None = None) -> tuple[Laboratory, Peer]:
    """backlog 1, one queued; two half open, both ACK: the first gets in, the second is stuck."""
    laboratory = Laboratory(1, settings={"tcp_synack_retries": 2, **(settings or {})})
    laboratory.connect()
    first, second = laboratory.peer(), laboratory.peer()
    first.syn()
    second.syn()
    first.ack()
    second.ack()
    return laboratory, second


@pytest.mark.parametrize("backlog", [0, 1, 2, 5])
def test_1_2_4_one_more_than_the_backlog_connects_and_nobody_is_reset(backlog: int) -> None:
    laboratory = Laboratory(backlog)
    clients = [laboratory.connect() for _ in range(backlog + 3)]
    laboratory.at(0.5)
    states = [client.connection.state for client in clients]
    assert states == [State.ESTABLISHED] * (backlog + 1) + [State.SYN_SENT] * 2
    assert laboratory.accept_queue == f"{backlog + 1}/{backlog}"
    assert all(len(client.heard_and_said) == 1 for client in clients[-2:])
    # 2: each of the two SYNs counts three times, and nothing is sent for it
    assert laboratory.counted() == {
        "PassiveOpens": backlog + 1,
        "ListenOverflows": 2,
        "ListenDrops": 2,
    }
    assert laboratory.listener.drops == 2


def test_3_a_freed_slot_goes_to_the_next_syn() -> None:
    laboratory = Laboratory(1)
    laboratory.connect()
    two = laboratory.connect()
    laboratory.at(0.05)
    third = laboratory.connect()
    laboratory.at(0.1)
    fourth = laboratory.connect()
    laboratory.at(6.3)
    assert laboratory.accept() is not None
    laboratory.at(7.5)
    # seen: SYN at 0.10 1.13 2.16 3.18 4.20 5.23 7.24, answered at the last
    model = times(third.heard_and_said, "> S ")
    assert within_timer_wheel(model, [0.10, 1.13, 2.16, 3.18, 4.20, 5.23, 7.24])
    assert third.connection.state is State.ESTABLISHED
    # seen: the fourth's at 7.28 finds the slot taken
    assert fourth.connection.state is State.SYN_SENT
    assert len(times(fourth.heard_and_said, "> S ")) == 7
    assert laboratory.accept_queue == "2/1"
    # seen: ListenOverflows 13, ListenDrops 13, PassiveOpens 3, d=13; TCPSynRetrans 12
    counted = laboratory.counted()
    assert (counted["ListenOverflows"], counted["ListenDrops"], counted["PassiveOpens"]) == (
        13,
        13,
        3,
    )
    assert laboratory.listener.drops == 13
    assert laboratory.clients.counters["TCPSynRetrans"] == 12
    assert laboratory.clients.counters["TCPTimeouts"] == 12
    assert two.connection.state is State.ESTABLISHED


def test_17_the_second_final_ack_is_ignored() -> None:
    laboratory, peer = stuck()
    assert laboratory.accept_queue == "2/1"
    assert laboratory.syn_queue == "1/1"
    assert peer.heard == ["0 S. 0 ack 1"]
    assert laboratory.counted() == {"PassiveOpens": 2, "ListenOverflows": 1, "ListenDrops": 1}
    assert laboratory.listener.drops == 2


def test_18_a_silent_kernel_client_stays_established_for_ever() -> None:
    laboratory = Laboratory(1, settings={"tcp_synack_retries": 2})
    laboratory.connect()
    laboratory.at(0.101)
    laboratory.hold = SECOND // 50
    laboratory.connect()
    client = laboratory.connect()
    laboratory.at(3600)
    # seen: ACK 0.12; SYN/ACK and ACK 1.12, 3.14; nothing more; request gone by 7.1
    assert client.heard_and_said == [
        "0.101 > S 0",
        "0.101 < S. 0 ack 1",
        "0.101 > . 1 ack 1",
        "1.101 < S. 0 ack 1",
        "1.101 > . 1 ack 1",
        "3.101 < S. 0 ack 1",
        "3.101 > . 1 ack 1",
    ]
    assert client.connection.state is State.ESTABLISHED
    removed = [
        (at / SECOND, effect.cause)
        for at, _, effect in laboratory.network.trace
        if isinstance(effect, RemoveRequest) and effect.flow.remote == client.endpoint
    ]
    assert removed == [(7.101, Removal.EXPIRED)]
    # seen: LO 3 LD 3 TCPTimeouts 3 TCPSynRetrans 2 PassiveOpens 2, d=6
    assert laboratory.counted() == {
        "ListenOverflows": 3,
        "ListenDrops": 3,
        "TCPTimeouts": 3,
        "TCPSynRetrans": 2,
        "RetransSegs": 2,
        "PassiveOpens": 2,
    }
    assert laboratory.listener.drops == 6
    # 48, seen: TCPSYNChallenge 2 TCPChallengeACK 2
    assert laboratory.clients.counters["TCPSYNChallenge"] == 2
    assert laboratory.clients.counters["TCPChallengeACK"] == 2


def test_19_data_after_the_request_is_gone_is_answered_by_a_bare_rst() -> None:
    laboratory, peer = stuck()
    laboratory.at(11)
    # [RFC9293 §3.5.2] "If the incoming segment has an ACK field, the reset takes its sequence
    # number from the ACK field of the segment"
    assert peer.say("P.", payload=b"hello") == ["R 1"]
    assert laboratory.counted()["OutRsts"] == 1


def test_20_every_data_segment_is_another_attempt() -> None:
    laboratory = Laboratory(1, settings={"tcp_synack_retries": 2})
    laboratory.connect()
    laboratory.at(0.101)
    laboratory.hold = SECOND // 50
    laboratory.connect()
    client = laboratory.connect()
    laboratory.at(0.4)
    client.send(b"hello")
    laboratory.at(20)
    lines = client.heard_and_said
    # seen: P. 0.40 0.61 0.82 1.25 2.08 3.74 7.04 13.69
    seen = [0.40, 0.61, 0.82, 1.25, 2.08, 3.74, 7.04, 13.69]
    assert within_timer_wheel(times(lines, "> P."), seen)
    # seen: S. 1.12 and 3.13, each answered by ACK 6, not 1: snd_nxt, with data in flight
    assert times(lines, "< S.") == [0.101, 1.101, 3.101]
    assert [line for line in lines if "> . 6" in line] == ["1.101 > . 6 ack 1", "3.101 > . 6 ack 1"]
    assert lines[-1] == f"{times(lines, '> P.')[-1] + 0.02:g} < R 1"
    # seen: LO 10 LD 10 TCPTimeouts 3 TCPSynRetrans 2 OutRsts 1
    counted = laboratory.counted()
    assert counted == {
        "PassiveOpens": 2,
        "ListenOverflows": 10,
        "ListenDrops": 10,
        "TCPTimeouts": 3,
        "TCPSynRetrans": 2,
        "RetransSegs": 2,
        "OutRsts": 1,
    }
    # seen: TCPTimeouts 6 TLP 1 RetransSegs 7, ECONNRESET
    of_client = laboratory.clients.counters
    names = ("TCPTimeouts", "TCPLossProbes", "RetransSegs", "EstabResets")
    assert [of_client[name] for name in names] == [6, 1, 7, 1]
    with pytest.raises(ConnectionResetError):
        laboratory.clients.recv(client.connection, 1)


def test_20_a_fin_is_another_attempt_too() -> None:
    laboratory = Laboratory(1, settings={"tcp_synack_retries": 2})
    laboratory.connect()
    laboratory.connect()
    laboratory.accept()
    laboratory.hold = SECOND // 50
    laboratory.connect()
    client = laboratory.connect()
    laboratory.at(0.4)
    client.close()
    laboratory.at(8)
    lines = client.heard_and_said
    # seen: F. 0.40 0.61 0.82 1.24 2.07 3.74 7.03
    assert within_timer_wheel(times(lines, "> F."), [0.40, 0.61, 0.82, 1.24, 2.07, 3.74, 7.03])
    # seen: SYN/ACKs answered by seq=2
    assert {line.split(maxsplit=1)[1] for line in lines if "> . 2" in line} == {"> . 2 ack 1"}


@pytest.mark.parametrize(
    ("drained_at", "sends", "done_at", "overflows"),
    [
        # seen: drained at 2.0, silent: SYN/ACK 1.13 3.15, accepted; LO 2
        pytest.param(2.0, False, 3.101, 2, id="21 at the answer to a SYN/ACK"),
        # seen: drained at 2.5, with data: SYN/ACK 3.122, its ACK 6 completes; LO 7
        pytest.param(2.5, True, 3.101, 7, id="22 the SYN/ACK comes before the data"),
        # seen: drained at 1.7, with data: 2.08 completes, the SYN/ACK of 3.1 is never sent; LO 6
        pytest.param(1.7, True, 2.0, 6, id="22 the data comes before the SYN/ACK"),
    ],
)
def test_21_22_whichever_segment_comes_first_takes_the_slot(
    drained_at: float, sends: bool, done_at: float, overflows: int
) -> None:
    laboratory = Laboratory(1, settings={"tcp_synack_retries": 2})
    laboratory.connect()
    laboratory.at(0.101)
    laboratory.hold = SECOND // 50
    laboratory.connect()
    client = laboratory.connect()
    laboratory.at(0.4)
    if sends:
        client.send(b"hello")
    laboratory.at(drained_at)
    laboratory.accept()
    laboratory.at(6)
    queued = [connection.flow.remote for connection in laboratory.listener.accept_queue.connections]
    assert queued[-1] == client.endpoint
    opened = laboratory.server.connections[laboratory.listener.accept_queue.connections[-1].flow]
    assert opened.opened_at / SECOND == pytest.approx(done_at + 0.02)
    counted = laboratory.counted()
    assert (counted["ListenOverflows"], counted["ListenDrops"]) == (overflows, overflows)
    assert counted["PassiveOpens"] == 3
    # Data that was refused has to come again: it is in the queue's connection exactly once.
    assert opened.inbox == (b"hello" if sends else b"")


def test_23_a_slot_that_is_freed_after_expiry_is_too_late() -> None:
    laboratory, peer = stuck()
    laboratory.at(9)
    laboratory.accept()
    assert peer.say("P.", payload=b"hello") == ["R 1"]
    assert laboratory.accept_queue == "1/1"


def test_24_abort_on_overflow_resets_at_once() -> None:
    laboratory, peer = stuck({"tcp_abort_on_overflow": 1})
    assert peer.heard == ["0 S. 0 ack 1", "0 R 1"]
    assert laboratory.syn_queue == "0/1"
    # seen: LO 1 LD 1 EmbryonicRsts 1 OutRsts 1, AttemptFails 0
    assert laboratory.counted() == {
        "PassiveOpens": 2,
        "ListenOverflows": 1,
        "ListenDrops": 1,
        "EmbryonicRsts": 1,
        "OutRsts": 1,
    }


def test_25_abort_on_overflow_has_no_word_for_a_syn() -> None:
    laboratory = Laboratory(1, settings={"tcp_abort_on_overflow": 1})
    laboratory.fill()
    assert laboratory.peer().syn() == []
    assert laboratory.counted()["ListenOverflows"] == 1
    assert "OutRsts" not in laboratory.counted()


@pytest.mark.parametrize("abort", [0, 1])
def test_26_a_cookie_that_finds_no_room_is_swallowed(abort: int) -> None:
    settings = {"tcp_syncookies": 2, "tcp_abort_on_overflow": abort}
    laboratory = Laboratory(1, settings=settings)
    peers = [laboratory.peer() for _ in range(3)]
    for peer in peers:
        assert peer.syn() == ["S. 0 ack 1"]
    for peer in peers:
        assert peer.ack() == []
    laboratory.at(30)
    late = peers[-1]
    assert late.say("P.", payload=b"ab") == []
    # Nothing was sent again, and nothing is remembered.
    assert late.heard == ["0 S. 0 ack 1"]
    assert laboratory.syn_queue == "0/1"
    counted = laboratory.counted()
    assert counted["SyncookiesRecv"] == 4
    assert (counted["ListenOverflows"], counted["ListenDrops"]) == (2, 2)
    assert laboratory.listener.drops == 2
    # Its data can still complete it, since every segment brings the cookie again.
    laboratory.accept()
    assert late.say("P.", payload=b"ab") == [". 1 ack 3"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        # seen: SYN/ACK to 2 only; C and D dropped: TCPReqQFullDrop 2, LO 6 LD 8
        (0, {"TCPReqQFullDrop": 2, "ListenOverflows": 6, "ListenDrops": 8}),
        # seen: LO 13 LD 13 TCPReqQFullDoCookies 2 SyncookiesSent 2 SyncookiesRecv 14
        (
            1,
            {
                "TCPReqQFullDoCookies": 2,
                "SyncookiesSent": 2,
                "SyncookiesRecv": 14,
                "ListenOverflows": 13,
                "ListenDrops": 13,
            },
        ),
        # seen: DoCookies 4 Sent 4 Recv 16
        (
            2,
            {
                "TCPReqQFullDoCookies": 4,
                "SyncookiesSent": 4,
                "SyncookiesRecv": 16,
                "ListenOverflows": 13,
                "ListenDrops": 13,
            },
        ),
    ],
)
def test_four_clients_at_once_in_each_mode_of_syncookies(
    mode: int, expected: dict[str, int]
) -> None:
    """Backlog 1; all that are connected send 2 octets at 0.5; one accept at 2.5; 4.2 s."""
    settings = {"tcp_syncookies": mode, "tcp_synack_retries": 2}
    laboratory = Laboratory(1, settings=settings)
    laboratory.at(0.1)
    laboratory.hold = SECOND // 50
    clients = [laboratory.connect() for _ in range(4)]
    laboratory.at(0.5)
    for client in clients:
        if client.connection.state is State.ESTABLISHED:
            client.send(b"ab")
    laboratory.at(2.5)
    laboratory.accept()
    laboratory.at(4.15)
    counted = laboratory.counted()
    assert {name: counted[name] for name in expected} == expected


def test_connect_gives_up_after_all_its_syns() -> None:
    laboratory = Laboratory(0, client_settings={"tcp_syn_retries": 2})
    laboratory.fill()
    client = laboratory.connect()
    laboratory.network.run()
    # seen with (2, 4): SYN at 0,1,2,3,4,5; ETIMEDOUT at 7
    assert times(client.heard_and_said, "> S ") == [0, 1, 2, 3, 4, 5]
    failed = [
        (at / SECOND, effect.errno)
        for at, _, effect in laboratory.network.trace
        if isinstance(effect, Fail)
    ]
    assert failed == [(7, ETIMEDOUT)]


def test_45_a_dead_connection_keeps_its_slot() -> None:
    laboratory = Laboratory(0)
    peer = laboratory.peer()
    peer.connect()
    assert peer.say("R") == []
    assert laboratory.accept_queue == "1/0"
    # seen: a SYN at the full queue is still dropped
    assert laboratory.peer().syn() == []
    connection = laboratory.accept()
    assert connection is not None
    with pytest.raises(ConnectionResetError) as caught:
        laboratory.server.recv(connection, 1)
    assert caught.value.errno == ECONNRESET
    assert laboratory.peer().syn() == ["S. 0 ack 1"]


def test_45_a_closed_connection_keeps_its_slot_and_its_data() -> None:
    laboratory = Laboratory(0)
    peer = laboratory.peer()
    peer.connect()
    assert peer.say("FP.", payload=b"bye") == [". 1 ack 5"]
    assert laboratory.peer().syn() == []
    connection = laboratory.accept()
    assert connection is not None
    assert laboratory.server.recv(connection, 10) == b"bye"
    assert laboratory.server.recv(connection, 10) == b""


def test_46_a_new_handshake_beats_one_that_has_waited() -> None:
    laboratory, waiting = stuck()
    laboratory.at(1.5)
    laboratory.accept()
    newcomer = laboratory.peer()
    newcomer.connect()
    assert laboratory.accept_queue == "2/1"
    assert waiting.ack() == []
    assert laboratory.syn_queue == "1/1"
