import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.story import Gauge, Kind, Row, short_state, tell
from annotated_shadowsocks.pictures.trace import ACCEPT_QUEUE, Party, Trace
from annotated_shadowsocks.tcp_model.segment import SYN, Segment
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory

HELD = 20_000_000


def ignored_ack() -> Trace:
    """B and C begin together; C's final ACK finds the queue full."""
    laboratory = Laboratory(1, settings={"tcp_syncookies": 0, "tcp_synack_retries": 1})
    laboratory.connect()
    laboratory.at(0.1)
    laboratory.hold = HELD
    laboratory.connect()
    laboratory.connect()
    laboratory.at(5)
    return laboratory.recorded()


def brief(row: Row) -> str:
    what = row.passage.name if row.passage else row.why
    return f"{row.at / 1e9:g} {row.kind.name} {row.client} {what}".strip()


def test_rows_of_a_handshake() -> None:
    laboratory = Laboratory(1)
    laboratory.connect()
    laboratory.accept()
    story = tell(laboratory.recorded("title"))
    assert (story.title, story.source, story.server) == ("title", "model linux-6.18", "server")
    assert story.clients == ("A",)
    assert [brief(row) for row in story.rows] == [
        "0 REMARK  listen(1) on Linux 6.18",
        "0 PACKET A SYN",
        "0 PACKET A SYN/ACK",
        "0 PACKET A ACK",
        "0 REMARK A A leaves the accept queue: accept()",
    ]
    assert [row.states for row in story.rows[1:4]] == [
        ("SYN_SENT", "TCP_NEW_SYN_RECV"),
        ("ESTABLISHED", "TCP_NEW_SYN_RECV"),
        ("ESTABLISHED", "ESTABLISHED"),
    ]
    assert [row.depths for row in story.rows] == [
        ((0, 1), (0, 1)),
        ((1, 1), (0, 1)),
        ((1, 1), (0, 1)),
        ((0, 1), (1, 1)),
        ((0, 1), (0, 1)),
    ]
    assert [row.texts for row in story.rows[1:4]] == [
        ["into the SYN queue"],
        [],
        ["into the accept queue"],
    ]


def test_held_packets_depart_and_arrive_in_rows_of_their_own() -> None:
    rows = [row for row in tell(ignored_ack()).rows if row.client == "C"]
    assert [brief(row) for row in rows] == [
        "0.1 PACKET C SYN",
        "0.1 PACKET C SYN/ACK",
        "0.1 DEPARTURE C ACK",
        "0.12 ARRIVAL C ACK",
        "1.1 PACKET C SYN/ACK",
        "1.1 DEPARTURE C ACK",
        "1.12 ARRIVAL C ACK",
        "3.1 REMARK C C is removed from the SYN queue: no answer to 2 SYN/ACKs in 3 s",
    ]
    assert [row.refused for row in rows] == [False, False, False, True, False, False, True, False]
    assert rows[3].texts == ["ignored: the accept queue is full"]
    assert rows[3].counters == {"ListenOverflows": 1, "ListenDrops": 1, "sk_drops": 2}


def test_counters_of_a_timer_belong_to_what_it_sends() -> None:
    again = next(row for row in tell(ignored_ack()).rows if row.at == 1_100_000_000)
    assert again.counters == {"TCPTimeouts": 1, "RetransSegs": 1, "TCPSynRetrans": 1}


def test_only_some_clients() -> None:
    whole, part = tell(ignored_ack()), tell(ignored_ack(), only={"C"})
    assert part.clients == ("C",)
    kept = [row for row in whole.rows if row.client in ("", "C")]
    assert [(brief(row), row.depths) for row in part.rows] == [
        (brief(row), row.depths) for row in kept
    ]


def test_a_lost_packet() -> None:
    laboratory = Laboratory(1)
    laboratory.cut = True
    laboratory.connect()
    laboratory.at(0.5)
    [row] = [row for row in tell(laboratory.recorded()).rows if row.client]
    assert (row.kind, row.texts, row.states) == (
        Kind.LOSS,
        ["lost on the wire"],
        ("SYN_SENT", "LISTEN"),
    )


def test_gauges_know_the_most_that_they_show() -> None:
    assert tell(ignored_ack()).gauges == (
        Gauge("server", 1, "syn_queue", 2),
        Gauge("server", 1, "accept_queue", 2),
    )


def test_what_a_kernel_shows_is_told_too() -> None:
    """No effects and no states: packets from a wire, and depths read a little later."""
    server, client = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.3", 30001)
    recorder = Recorder([Party("server", "10.9.0.1"), Party("A", "10.9.0.3")])
    recorder.measured(0, "10.9.0.1", ACCEPT_QUEUE, 0, 1)
    packet = recorder.sent(10, Segment(client, server, SYN, 9))
    recorder.arrived(10, packet)
    recorder.measured(50, "10.9.0.1", ACCEPT_QUEUE, 1, 1)
    recorder.measured(10**10, "10.9.0.1", ACCEPT_QUEUE, 0, 1)
    recorder.noted(10**10, "accept(3, ..., ...) = 4")
    rows = tell(recorder.trace("", "kernel 6.18")).rows
    assert [(brief(row), row.depths, row.states) for row in rows] == [
        ("0 REMARK  its queues are looked at", ((0, 1),), ("", "")),
        ("1e-08 PACKET A SYN", ((1, 1),), ("", "")),
        ("10 REMARK  its queues are looked at", ((0, 1),), ("", "")),
    ]


@pytest.mark.parametrize(
    ("depth", "refused", "texts"),
    [(2, True, ["turned away, while the accept queue is full"]), (1, False, [])],
)
def test_a_kernel_that_drops_at_a_full_queue(depth: int, refused: bool, texts: list[str]) -> None:
    server, client = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.3", 30001)
    recorder = Recorder([Party("server", "10.9.0.1"), Party("A", "10.9.0.3")])
    recorder.measured(0, "10.9.0.1", ACCEPT_QUEUE, depth, 1)
    recorder.arrived(10, recorder.sent(10, Segment(client, server, SYN, 9)))
    recorder.counted(20, "10.9.0.1", "sk_drops", 1, listener=1)
    row = tell(recorder.trace("", "kernel 6.18")).rows[-1]
    assert (row.refused, row.texts, row.counters) == (refused, texts, {"sk_drops": 1})


def test_lines_of_the_script_where_they_are_wanted() -> None:
    recorder = Recorder()
    recorder.noted(0, "listen(3, 1) = 0")
    recorder.noted(0, "kernel: possible SYN flooding", "server")
    trace = recorder.trace("", "")
    assert len(tell(trace).rows) == 1
    assert len(tell(trace, script=True).rows) == 2


def test_an_empty_trace() -> None:
    story = tell(Trace("", "", (), ()))
    assert (story.server, story.clients, story.gauges, story.rows) == ("", (), (), ())


def test_states_as_ss_writes_them() -> None:
    assert short_state("TCP_NEW_SYN_RECV") == short_state("SYN_RECEIVED") == "SYN-RECV"
    assert (short_state("ESTABLISHED"), short_state("FIN_WAIT_1")) == ("ESTAB", "FIN-WAIT-1")
