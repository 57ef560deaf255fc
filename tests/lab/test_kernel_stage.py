"""The stage on the live kernel: what it can be told and asked, and what it refuses."""

import errno
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.lab.kernel_stage import KernelStage
from annotated_shadowsocks.lab.stage import Queues
from annotated_shadowsocks.pictures.trace import SYN_QUEUE, QueueMeasured
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
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.tcp_model.segment import ACK, RST, SYN, Flow, Segment, Unreachable
from annotated_shadowsocks.tcp_model.segment import UnreachableKind as Kind

pytestmark = pytest.mark.root
WHO = Names("A")
CONNECT, SEND, CLOSE = (ClientCall(WHO, verb) for verb in ClientVerb)


@pytest.fixture(params=[False, True], ids=["ipv4", "ipv6"])
def stage(request: pytest.FixtureRequest) -> Iterator[KernelStage]:
    with KernelStage(request.param) as stage:
        stage.open_socket(3)
        stage.bind(3)
        yield stage


def syn(stage: KernelStage, name: str) -> Segment:
    return Segment(stage.peer(name), stage.server, SYN, 1000)


def connect(stage: KernelStage, name: str) -> None:
    stage.tell_client(name, CONNECT)
    stage.settle(lambda: stage.outcome(name) is not Outcome.CONNECTING)


def test_both_queues_and_every_view_of_them(stage: KernelStage) -> None:
    stage.listen(3, 2)
    connect(stage, "A")
    for name in ("P", "Q"):
        stage.send(name, syn(stage, name))
    assert stage.queues(3) == Queues(1, 2, 2, 2)
    assert stage.view(3, View.TCP_INFO) == {"unacked": 1, "sacked": 2}
    assert stage.view(3, View.SOCK_DIAG) == {"rqueue": 1, "wqueue": 2}
    row = {"rx_queue": 1, "tx_queue": 0, "half_open": 2}
    assert stage.view(3, View.PROC_NET_TCP) == row
    heard = stage.receive("P", False, stage.now + SECOND)
    assert heard is not None
    assert heard.segment.flags == SYN | ACK
    assert stage.receive("P", False, stage.now) is None


def test_a_connection_from_end_to_end(stage: KernelStage) -> None:
    stage.listen(3, 2)
    with pytest.raises(BlockingIOError):
        stage.accept(3, 4)
    connect(stage, "A")
    assert stage.outcome("A") is Outcome.CONNECTED
    stage.accept(3, 4)
    stage.tell_client("A", ClientCall(WHO, ClientVerb.SEND, 5))
    assert stage.read(4, 100) == bytes(5)
    assert stage.write(4, b"hello") == 5
    stage.shutdown(4, 1)
    stage.tell_client("A", CLOSE)
    stage.close_socket(4)
    assert stage.counter("PassiveOpens", clients=False) == 1
    assert stage.counters(clients=True)["ActiveOpens"] == 1


def test_outcomes(stage: KernelStage) -> None:
    stage.tell_client("A", CONNECT)
    stage.settle(lambda: stage.outcome("A") is Outcome.REFUSED)
    assert stage.outcome("A") is Outcome.REFUSED
    stage.listen(3, 2)
    stage.set_wire(WireRule(WireVerb.DROP))
    stage.tell_client("B", ClientCall(WHO, ClientVerb.CONNECT, 1))
    assert stage.outcome("B") is Outcome.CONNECTING
    stage.set_wire(WireRule(WireVerb.PASS))
    connect(stage, "C")
    stage.close_socket(3)
    stage.settle(lambda: stage.outcome("C") is Outcome.RESET)
    assert stage.outcome("C") is Outcome.RESET
    # An error is told once by the kernel, and kept.
    assert stage.outcome("C") is Outcome.RESET


def test_options_and_drops(stage: KernelStage) -> None:
    stage.set_option(3, SocketOption.TCP_DEFER_ACCEPT, 10)
    assert stage.get_option(3, SocketOption.TCP_DEFER_ACCEPT) == 15
    stage.set_sysctl("tcp_syncookies", 0, clients=False)
    stage.listen(3, 0)
    for name in ("P", "Q", "R"):
        stage.send(name, syn(stage, name))
    assert stage.drops(3) == 2
    assert stage.all_drops() == {3: 2}


def test_a_group_of_listeners() -> None:
    with KernelStage() as stage:
        for fd in (3, 4):
            stage.open_socket(fd)
            stage.reuse_port(fd)
            stage.bind(fd)
            # The hash may give all of them to one; a queue that is full would answer with cookies.
            stage.listen(fd, 8)
        for number in range(8):
            stage.send(f"P{number}", syn(stage, f"P{number}"))
        assert stage.queues(3).syn_depth + stage.queues(4).syn_depth == 8


def test_an_icmp_error_ends_a_request(stage: KernelStage) -> None:
    stage.listen(3, 2)
    stage.send("P", syn(stage, "P"))
    answer = stage.receive("P", False, stage.now + SECOND)
    assert answer is not None
    flow = Flow(stage.server, stage.peer("P"))
    kind = Kind.PORT if ":" in stage.server.host else Kind.HOST
    stage.send_unreachable("P", Unreachable(flow, answer.segment.seq, kind))
    assert stage.queues(3).syn_depth == 0


def test_a_timer_is_late_and_not_early(stage: KernelStage) -> None:
    stage.set_sysctl("tcp_synack_retries", 1, clients=False)
    stage.listen(3, 2)
    stage.send("P", syn(stage, "P"))
    first = stage.receive("P", False, stage.now + SECOND)
    again = stage.receive("P", False, stage.now + 3 * SECOND)
    assert first is not None
    assert again is not None
    tolerance = stage.tolerance(SECOND)
    assert -tolerance.early <= again.at - first.at - SECOND <= tolerance.late


def test_what_is_not_there(stage: KernelStage) -> None:
    with pytest.raises(OSError, match="no socket of the script") as caught:
        stage.listen(9, 1)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(ConfigError, match="socket 3: it does not listen"):
        stage.queues(3)
    for verb in (SEND, CLOSE):
        with pytest.raises(ConfigError, match="client Z: it has not connected"):
            stage.tell_client("Z", verb)
    with pytest.raises(ConfigError, match="client Z: it has not connected"):
        stage.outcome("Z")


def test_time_passes_by_itself(stage: KernelStage) -> None:
    before = stage.now
    stage.advance(before + 20 * MILLISECOND)
    assert stage.now >= before + 20 * MILLISECOND
    stage.advance(before)
    assert stage.title.startswith("kernel ")


def test_a_trace_has_what_was_sent_and_how_deep_the_queues_were(stage: KernelStage) -> None:
    stage.listen(3, 2)
    stage.note("a line of the script")
    stage.send("P", Segment(stage.peer("P"), stage.server, ACK, 1, 1))
    trace = stage.trace("title")
    kinds = [type(event).__name__ for event in trace.events]
    assert kinds.count("PacketSent") == 2
    assert {"Noted", "QueueMeasured", "PacketArrived"} <= set(kinds)
    heard = stage.receive("P", False, stage.now)
    assert heard is not None
    assert heard.segment.flags == RST


def test_an_expiry_is_in_the_trace_at_its_time(stage: KernelStage) -> None:
    stage.set_sysctl("tcp_synack_retries", 0, clients=False)
    stage.listen(3, 2)
    stage.send("P", syn(stage, "P"))
    began = stage.now
    stage.advance(began + 2 * SECOND)
    seen = [
        (event.depth, event.at)
        for event in stage.trace("").events
        if isinstance(event, QueueMeasured) and event.queue == SYN_QUEUE
    ]
    assert [depth for depth, _ in seen] == [0, 1, 0]
    assert seen[-1][1] - began < 2 * SECOND
