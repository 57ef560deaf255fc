import pytest

from annotated_shadowsocks.pictures.recorded_network import RecordedNetwork
from annotated_shadowsocks.pictures.trace import (
    ACCEPT_QUEUE,
    Acted,
    PacketArrived,
    PacketHeld,
    PacketLost,
    PacketSent,
    QueueMeasured,
    StateChanged,
    Trace,
)
from annotated_shadowsocks.tcp_model.host import Host
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.tcp_model.network import Network
from annotated_shadowsocks.tcp_model.segment import ACK, SYN, Segment
from annotated_shadowsocks.testing.tcp_laboratory import Laboratory


def packets(trace: Trace) -> list[str]:
    """``1 A connect()``, ``1 held``, ``1 arrived``: what became of each."""
    lines = []
    for event in trace.events:
        match event:
            case PacketSent():
                lines.append(f"{event.packet} {event.sender} {event.reason}")
            case PacketHeld() | PacketArrived() | PacketLost():
                lines.append(f"{event.packet} {type(event).__name__[6:].lower()}")
            case _:
                pass
    return lines


def test_a_handshake() -> None:
    laboratory = Laboratory(1)
    laboratory.connect()
    trace = laboratory.recorded("three segments")
    assert (trace.title, trace.source) == ("three segments", "model linux-6.18")
    assert packets(trace) == [
        "1 A connect()",
        "1 arrived",
        "2 server the answer to a SYN",
        "2 arrived",
        "3 A the third segment of the handshake",
        "3 arrived",
    ]
    states = [(e.host, e.new) for e in trace.events if isinstance(e, StateChanged)]
    assert states == [
        ("A", "SYN_SENT"),
        ("server", "TCP_NEW_SYN_RECV"),
        ("A", "ESTABLISHED"),
        ("server", "ESTABLISHED"),
    ]
    acted = [(e.action, e.packet) for e in trace.events if isinstance(e, Acted)]
    assert acted == [("AddRequest", 1), ("RemoveRequest", 3), ("QueueAccept", 3)]


def test_every_change_of_a_queue() -> None:
    laboratory = Laboratory(1)
    for _ in range(2):
        laboratory.connect()
    laboratory.accept()
    depths = [
        e.depth
        for e in laboratory.recorded().events
        if isinstance(e, QueueMeasured) and e.queue == ACCEPT_QUEUE
    ]
    assert depths == [0, 1, 2, 1]


def test_a_held_ack() -> None:
    laboratory = Laboratory(1)
    laboratory.hold = 20 * MILLISECOND
    laboratory.connect()
    laboratory.at(1)
    assert packets(laboratory.recorded())[-3:] == [
        "3 A the third segment of the handshake",
        "3 held",
        "3 arrived",
    ]


def test_what_is_as_slow_as_usual_is_not_held() -> None:
    host = Host(Laboratory(1).server.profile)
    network = RecordedNetwork({"10.9.0.1": host}, lambda _, now: now + 5, usual=5)
    segment = Segment(Laboratory(1).listener.local, Laboratory(1).listener.local, SYN, 9)
    network.send(segment)
    network.run()
    assert packets(network.recorded("", ""))[:2] == ["1 10.9.0.1:5000 ", "1 arrived"]


def test_a_cut_wire_loses() -> None:
    laboratory = Laboratory(1)
    laboratory.cut = True
    laboratory.connect(syn_retries=1)
    laboratory.at(1.5)
    assert packets(laboratory.recorded()) == [
        "1 A connect()",
        "1 lost",
        "2 A no answer in time",
        "2 lost",
    ]


def test_what_is_put_back_was_held() -> None:
    laboratory = Laboratory(1)
    network = laboratory.network
    laboratory.cut = True
    client = laboratory.connect()
    kept = network.trace[-2].effect
    laboratory.cut = False
    network.send_at(kept.segment, SECOND // 2)  # type: ignore[union-attr]
    laboratory.at(0.5)
    assert packets(laboratory.recorded())[:3] == ["1 A connect()", "1 held", "1 arrived"]
    assert client.connection.state.name == "ESTABLISHED"


def test_one_segment_sent_twice_is_two_packets() -> None:
    laboratory = Laboratory(1)
    peer = laboratory.peer()
    peer.syn()
    segment = Segment(peer.endpoint, laboratory.listener.local, ACK, peer.isn + 1, peer.iss + 1)
    for delay in (2, 1):
        laboratory.network.send_at(segment, laboratory.network.now + delay)
    laboratory.at(1e-6)
    assert packets(laboratory.recorded())[-4:] == ["3 A ", "4 A ", "3 arrived", "4 arrived"]


@pytest.mark.parametrize("hold", [0, 20 * MILLISECOND])
def test_recording_changes_nothing(hold: int) -> None:
    def run(kind: type[Network]) -> object:
        laboratory = Laboratory(1, settings={"tcp_syncookies": 0, "tcp_synack_retries": 1})
        network = kind(laboratory.network.hosts, laboratory.network.wire)
        laboratory.network = network  # type: ignore[assignment]
        laboratory.hold = hold
        client = laboratory.clients
        for port in range(4):
            local = laboratory.listener.local._replace(host="10.9.0.2", port=40_000 + port)
            network.note("10.9.0.2", client.connect(local, laboratory.listener.local, 0)[1])
        network.run_until(20 * SECOND)
        return network.trace

    assert run(Network) == run(RecordedNetwork)
