from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.pictures.recorder import Recorder
from annotated_shadowsocks.pictures.trace import (
    ACCEPT_QUEUE,
    Acted,
    CounterMoved,
    Noted,
    PacketArrived,
    PacketHeld,
    PacketLost,
    PacketSent,
    Party,
    QueueMeasured,
    StateChanged,
)
from annotated_shadowsocks.tcp_model.effects import Count, Effect, WriteLog
from annotated_shadowsocks.tcp_model.host import Host
from annotated_shadowsocks.tcp_model.profiles import DEFAULT
from annotated_shadowsocks.tcp_model.segment import (
    SYN,
    Flow,
    Segment,
    Unreachable,
    UnreachableKind,
)

SERVER, CLIENT = Endpoint("10.9.0.1", 5000), Endpoint("10.9.0.2", 30001)
FLOW = Flow(SERVER, CLIENT)
SYN_OF_A = Segment(CLIENT, SERVER, SYN, 9)


def recorder() -> Recorder:
    return Recorder([Party("server", "10.9.0.1"), Party("A", "10.9.0.2", 30001)])


def test_who_somebody_is() -> None:
    taking = recorder()
    assert taking.name("10.9.0.1", 5000) == taking.name("10.9.0.1") == "server"
    assert taking.name("10.9.0.2", 30001) == "A"
    assert taking.name("10.9.0.2", 30002) == "10.9.0.2:30002"
    assert taking.name("10.9.0.2") == "10.9.0.2"
    taking.introduce(Party("clients", "10.9.0.2"))
    assert taking.name("10.9.0.2", 30001) == "A"
    assert taking.name("10.9.0.2", 30002) == "clients"


def test_the_life_of_packets() -> None:
    taking = recorder()
    first = taking.sent(1, SYN_OF_A, "connect()")
    taking.held(1, first, "so says the script")
    second = taking.sent(2, SYN_OF_A, "again")
    taking.lost(2, second)
    taking.arrived(3, first)
    assert taking.trace("", "").events == (
        PacketSent(1, 1, "A", "server", SYN_OF_A, "connect()"),
        PacketHeld(1, 1, "so says the script"),
        PacketSent(2, 2, "A", "server", SYN_OF_A, "again"),
        PacketLost(2, 2),
        PacketArrived(3, 1),
    )


def test_an_icmp_error_comes_from_the_side_of_the_peer() -> None:
    taking = recorder()
    taking.sent(1, Unreachable(FLOW, 7, UnreachableKind.HOST))
    [sent] = taking.trace("", "").events
    assert isinstance(sent, PacketSent)
    assert (sent.sender, sent.receiver) == ("A", "server")


def test_the_order_is_that_of_time_and_then_of_telling() -> None:
    taking = recorder()
    taking.noted(2, "c")
    taking.noted(1, "a")
    taking.noted(1, "b")
    assert [one.text for one in taking.trace("", "").events if isinstance(one, Noted)] == [
        "a",
        "b",
        "c",
    ]


def test_what_does_not_change_is_not_written_down() -> None:
    taking = recorder()
    for at, depth in enumerate((0, 0, 1, 1)):
        taking.measured(at, "10.9.0.1", ACCEPT_QUEUE, depth, 1)
        taking.changed(at, FLOW, "ESTABLISHED" if depth else "LISTEN")
        taking.counted(at, "10.9.0.1", "ListenDrops", 0)
    taking.measured(4, "10.9.0.1", ACCEPT_QUEUE, 1, 2)
    taking.measured(4, "10.9.0.1", ACCEPT_QUEUE, 1, 2, listener=2)
    assert taking.trace("", "").events == (
        QueueMeasured(0, "server", ACCEPT_QUEUE, 0, 1),
        StateChanged(0, "server", FLOW, "", "LISTEN"),
        QueueMeasured(2, "server", ACCEPT_QUEUE, 1, 1),
        StateChanged(2, "server", FLOW, "LISTEN", "ESTABLISHED"),
        QueueMeasured(4, "server", ACCEPT_QUEUE, 1, 2),
        QueueMeasured(4, "server", ACCEPT_QUEUE, 1, 2, 2),
    )


def test_effects_become_events() -> None:
    taking, host = recorder(), Host(DEFAULT)
    listener = host.bind(SERVER)
    host.listen(listener, 0, now=0)
    taking.did(5, "10.9.0.1", host, host.receive_segment(SYN_OF_A, 5), packet=1)
    events = taking.trace("", "").events
    assert events == (
        Acted(5, "server", "AddRequest", "a SYN, and room for it", FLOW, 1),
        StateChanged(5, "server", FLOW, "", "TCP_NEW_SYN_RECV", "a SYN, and room for it"),
        QueueMeasured(5, "server", "syn_queue", 1, 0),
        QueueMeasured(5, "server", "accept_queue", 0, 0),
    )


def test_counters_and_the_log() -> None:
    taking, host = recorder(), Host(DEFAULT)
    effects: list[Effect] = [
        Count("sk_drops", 2, listener=1),
        WriteLog("possible SYN flooding", "once"),
    ]
    taking.did(0, "10.9.0.1", host, effects)
    assert taking.trace("", "").events == (
        CounterMoved(0, "server", "sk_drops", 2, 1),
        Noted(0, "kernel: possible SYN flooding", "server"),
    )


def test_a_closed_listener_has_empty_queues() -> None:
    taking, host = recorder(), Host(DEFAULT)
    listener = host.bind(SERVER)
    host.listen(listener, 3, now=0)
    taking.did(1, "10.9.0.1", host, host.receive_segment(SYN_OF_A, 1))
    taking.did(2, "10.9.0.1", host, host.close(listener, 2))
    measured = [one for one in taking.trace("", "").events if isinstance(one, QueueMeasured)]
    assert [(one.at, one.queue, one.depth, one.limit) for one in measured] == [
        (1, "syn_queue", 1, 3),
        (1, "accept_queue", 0, 3),
        (2, "syn_queue", 0, 3),
    ]
