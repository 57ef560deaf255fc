"""The stage in virtual time."""

from errno import EBADF, EINVAL

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.lab.model_stage import SERVER, ModelStage
from annotated_shadowsocks.lab.stage import Queues, Stage
from annotated_shadowsocks.pictures.trace import Noted, PacketSent
from annotated_shadowsocks.scripts.statements import (
    ClientCall,
    ClientVerb,
    Names,
    Outcome,
    View,
    WireRule,
    WireVerb,
)
from annotated_shadowsocks.tcp_model.host import SocketOption
from annotated_shadowsocks.tcp_model.instant import SECOND
from annotated_shadowsocks.tcp_model.segment import SYN, Segment

NAMES = Names("A")
CONNECT = ClientCall(NAMES, ClientVerb.CONNECT)


def listening(backlog: int = 1, ipv6: bool = False) -> ModelStage:
    stage = ModelStage(ipv6=ipv6)
    stage.open_socket(3)
    stage.bind(3)
    stage.listen(3, backlog)
    return stage


def test_it_is_a_stage() -> None:
    stage: Stage = ModelStage("bsd44")
    assert stage.title == "model bsd44"
    assert stage.server == SERVER[False]
    with pytest.raises(ConfigError, match="there is no such profile"):
        ModelStage("bsd45")


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_scripted_peer(ipv6: bool) -> None:
    stage = listening(ipv6=ipv6)
    far = stage.peer("C")
    assert stage.peer("C") == far
    assert stage.peer("D") != far
    stage.send("C", Segment(far, stage.server, SYN, 7))
    heard = stage.receive("C", False, 0)
    assert heard is not None
    assert (heard.at, heard.segment.ack) == (0, 8)
    assert stage.receive("D", False, 0) is None
    again = stage.receive("C", False, 5 * SECOND)
    assert again is not None
    # Time has passed up to the segment and no further.
    assert (again.at, stage.now) == (SECOND, SECOND)
    assert stage.receive("C", False, 2 * SECOND) is None
    assert stage.now == 2 * SECOND


def test_a_kernel_client_from_connect_to_reset() -> None:
    stage = listening()
    stage.tell_client("A", CONNECT)
    assert stage.outcome("A") is Outcome.CONNECTED
    assert stage.queues(3) == Queues(1, 1, 0, 1)
    stage.accept(3, 4)
    stage.tell_client("A", ClientCall(NAMES, ClientVerb.SEND, 5))
    assert stage.read(4, 100) == bytes(5)
    assert stage.write(4, b"hello") == 5
    stage.close_socket(3)
    with pytest.raises(OSError, match="no socket 3") as caught:
        stage.queues(3)
    assert caught.value.errno == EBADF
    stage.tell_client("B", CONNECT)
    assert stage.outcome("B") is Outcome.REFUSED
    heard = stage.receive("B", True, 0)
    assert heard is not None
    assert heard.segment.flags == SYN


def test_a_client_behind_a_wire_that_drops_gives_up() -> None:
    stage = listening()
    stage.set_sysctl("tcp_syn_retries", 1, clients=True)
    stage.set_wire(WireRule(WireVerb.DROP, names=NAMES))
    stage.tell_client("A", CONNECT)
    stage.tell_client("B", CONNECT)
    assert stage.outcome("A") is Outcome.CONNECTING
    assert stage.outcome("B") is Outcome.CONNECTED
    stage.advance(60 * SECOND)
    assert stage.outcome("A") is Outcome.TIMEOUT
    assert stage.counter("TCPAbortOnTimeout", clients=True) == 1


def test_a_wire_that_delays_and_holds() -> None:
    stage = listening()
    stage.set_wire(WireRule(WireVerb.DELAY, SECOND // 10))
    stage.tell_client("A", CONNECT)
    stage.advance(SECOND // 10)
    assert stage.outcome("A") is Outcome.CONNECTING
    stage.set_wire(WireRule(WireVerb.HOLD))
    stage.advance(SECOND // 2)
    assert (stage.outcome("A"), stage.queues(3).accept_depth) == (Outcome.CONNECTED, 0)
    stage.set_wire(WireRule(WireVerb.RELEASE))
    assert stage.queues(3).accept_depth == 1


def test_views_and_counters() -> None:
    stage = listening(0)
    stage.tell_client("A", CONNECT)
    stage.tell_client("B", CONNECT)
    assert stage.view(3, View.TCP_INFO) == {"unacked": 1, "sacked": 0}
    assert stage.view(3, View.SOCK_DIAG) == {"rqueue": 1, "wqueue": 0}
    assert stage.view(3, View.PROC_NET_TCP) == {"rx_queue": 1, "tx_queue": 0, "half_open": 0}
    assert (stage.drops(3), stage.counter("ListenDrops", clients=False)) == (1, 1)
    message = "model linux-6.18 has no counter ListenDrop; did you mean ListenDrops?"
    with pytest.raises(ConfigError) as caught:
        stage.counter("ListenDrop", clients=False)
    assert str(caught.value) == message
    freebsd = ModelStage("freebsd-12")
    assert freebsd.counter("tcps_listendrop", clients=False) == 0
    with pytest.raises(ConfigError, match="model freebsd-12 has no counter ListenDrops"):
        freebsd.counter("ListenDrops", clients=False)


def test_sockets_that_are_not_what_a_call_needs() -> None:
    stage = ModelStage()
    stage.open_socket(3)
    stage.set_option(3, SocketOption.TCP_SYNCNT, 2)
    with pytest.raises(OSError, match="not bound") as caught:
        stage.listen(3, 1)
    assert caught.value.errno == EINVAL
    stage.bind(3)
    assert stage.get_option(3, SocketOption.TCP_SYNCNT) == 2
    with pytest.raises(OSError, match="it is bound"):
        stage.bind(3)
    with pytest.raises(ConfigError, match=r"SO_REUSEPORT comes after bind\(\); set it before"):
        stage.reuse_port(3)
    stage.listen(3, 1)
    with pytest.raises(BlockingIOError):
        stage.accept(3, 4)
    with pytest.raises(OSError, match="not connected"):
        stage.write(3, b"x")
    stage.tell_client("A", CONNECT)
    stage.accept(3, 4)
    with pytest.raises(ConfigError, match="the model shuts down listeners only"):
        stage.shutdown(4, 1)
    with pytest.raises(ConfigError, match="TCP_SYNCNT is for listeners here"):
        stage.set_option(4, SocketOption.TCP_SYNCNT, 1)
    stage.shutdown(3, 1)  # SHUT_WR does nothing to a listener
    stage.shutdown(3, 2)
    stage.close_socket(4)


def test_there_are_only_so_many_ports() -> None:
    stage = ModelStage()
    for number in range(65_536 - 30_001):
        stage.peer(f"P{number}")
    with pytest.raises(ConfigError, match="Q is one client too many; use 35535 at most"):
        stage.peer("Q")


def test_the_trace_has_names_packets_and_notes() -> None:
    stage = listening()
    stage.note("a line")
    stage.tell_client("A", CONNECT)
    trace = stage.trace("x.pkt")
    assert (trace.title, trace.source) == ("x.pkt", "model linux-6.18")
    assert any(isinstance(e, Noted) and e.text == "a line" for e in trace.events)
    sent = [e for e in trace.events if isinstance(e, PacketSent)]
    assert [(e.sender, e.receiver) for e in sent] == [
        ("A", "server"),
        ("server", "A"),
        ("A", "server"),
    ]
    assert all(e.reason for e in sent)
    assert Endpoint("10.9.0.2", 30_001) in {Endpoint(p.address, p.port or 0) for p in trace.parties}
