"""The wire of live kernels: packets carried, held, lost, delayed and written down."""

from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.lab.live_host import LiveHost
from annotated_shadowsocks.lab.live_wire import LiveWire
from annotated_shadowsocks.pictures.passage import passages
from annotated_shadowsocks.scripts.statements import Names, WireRule, WireVerb
from annotated_shadowsocks.tcp_model.instant import MILLISECOND, SECOND
from annotated_shadowsocks.tcp_model.segment import ACK, RST, SYN, Segment

SERVER, CLIENT, PEER = "10.9.0.1", "10.9.0.2", Endpoint("10.9.0.3", 9)
A = Endpoint(CLIENT, 30_001)
Ends = tuple[LiveWire, LiveHost]


@pytest.fixture
def ends() -> Iterator[Ends]:
    with LiveHost(SERVER, ipv6=False) as server, LiveHost(CLIENT, ipv6=False) as clients:
        wire = LiveWire(server, clients)
        wire.introduce("A", A)
        wire.introduce("P", PEER)
        yield wire, clients


def knock(clients: LiveHost) -> None:
    sock = clients.open_socket()
    clients.bind(sock, A)
    sock.connect_ex((SERVER, 5000))


@pytest.mark.root
def test_a_packet_goes_there_and_its_answer_comes_back(ends: Ends) -> None:
    wire, clients = ends
    knock(clients)
    wire.pump(wire.now)
    syn, rst = wire.take("A", True), wire.take("A", False)
    assert syn is not None
    assert rst is not None
    assert (syn.segment.flags, rst.segment.flags) == (SYN, RST | ACK)
    assert syn.at <= rst.at <= wire.now
    assert wire.take("A", True) is None
    ended = [one.arrived_at is not None for one in passages(wire.recorder.trace("", "")).values()]
    assert ended == [True, True]


@pytest.mark.root
def test_what_is_held_waits_for_its_release_and_is_lost_in_the_end(ends: Ends) -> None:
    wire, clients = ends
    wire.set_rule(WireRule(WireVerb.HOLD, names=Names("A"), inbound=True))
    knock(clients)
    wire.pump(wire.now + 20 * MILLISECOND)
    assert wire.waits("A", True)
    assert not wire.waits("A", False)
    wire.set_rule(WireRule(WireVerb.RELEASE))
    wire.pump(wire.now)
    assert wire.waits("A", False)
    wire.set_rule(WireRule(WireVerb.HOLD))
    knock_again = Segment(PEER, Endpoint(SERVER, 5000), SYN, 1)
    wire.inject(knock_again)
    heard = wire.take("P", False)
    # A scripted peer stands at the host's door: rules are not for it.
    assert heard is not None
    assert heard.segment.flags == RST | ACK
    wire.lose_kept()


@pytest.mark.root
def test_what_is_dropped_comes_again(ends: Ends) -> None:
    wire, clients = ends
    wire.set_rule(WireRule(WireVerb.DROP))
    knock(clients)
    wire.pump(wire.now + 3 * SECOND, lambda: wire.waits("A", True) and wire.now > SECOND)
    first, again = wire.take("A", True), wire.take("A", True)
    assert first is not None
    assert again is None or again.segment.seq == first.segment.seq
    assert not wire.waits("A", False)


@pytest.mark.root
def test_what_is_delayed_is_not_early(ends: Ends) -> None:
    wire, clients = ends
    wire.set_rule(WireRule(WireVerb.DELAY, delay=50 * MILLISECOND, inbound=True))
    knock(clients)
    wire.pump(wire.now + 5 * SECOND, lambda: wire.waits("A", False))
    syn, rst = wire.take("A", True), wire.take("A", False)
    assert syn is not None
    assert rst is not None
    assert rst.at - syn.at >= 49 * MILLISECOND
