"""What a packet relay drops, and what that costs the datagrams beside it."""

import socket
from collections.abc import Hashable
from typing import Any

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.testing.loopback import no_descriptors_left
from annotated_shadowsocks.testing.packet_ground import (
    FailingSocket,
    PacketGround,
    silent,
)
from annotated_shadowsocks.wire.address import UnknownAddressType


def test_what_is_not_authentic_leaves_nothing_behind(made: PacketGround) -> None:
    made.client("127.0.0.5").sendto(b"\xff", made.sock.getsockname())
    made.loop.settle()
    assert made.relay.dropped == {"protocol": 1}
    assert made.failures == [(UnknownAddressType, "127.0.0.5")]
    assert len(made.relay) == 0
    assert silent(made.target)


def test_a_client_that_is_not_served(made: PacketGround) -> None:
    made.front.served = False
    made.send(made.client(), b"x")
    assert made.relay.dropped == {"policy": 1}
    assert made.failures == []
    assert len(made.relay) == 0


def test_an_answer_that_is_not_authentic(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"x")
    source = made.source_of(b"x")
    made.target.sendto(b"forged", source)
    made.answer(b"true", source)
    assert client.recv(100).endswith(b"true")
    assert made.relay.dropped == {"protocol": 1}
    # It is no fault of the client's that anybody may send to its association.
    assert made.failures == []
    assert made.relay.to_clients == 1


def test_junk_keeps_nothing_alive(made: PacketGround) -> None:
    made.send(made.client(), b"x")
    source = made.source_of(b"x")
    for _ in range(4):
        made.loop.advance(made.relay.limits.timeout / 3)
        made.target.sendto(b"forged", source)
        made.loop.advance(0)
    assert len(made.relay) == 0


def test_a_full_buffer_towards_the_client_drops_one_and_counts_it(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"x")
    source = made.source_of(b"x")
    made.sock.script = [BlockingIOError()]
    made.target.sendto(b"lost", source)
    made.answer(b"next", source)
    assert client.recv(100).endswith(b"next")
    assert made.relay.dropped == {"os": 1}
    assert made.relay.to_clients == 1


class FullSocket(FailingSocket):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.script = [BlockingIOError()]


def test_a_full_buffer_towards_the_target_drops_one_and_counts_it(
    made: PacketGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made.client()
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", FullSocket)
        made.send(client, b"lost")
    made.send(client, b"next")
    made.source_of(b"next")
    assert made.relay.dropped == {"os": 1}
    assert made.relay.from_clients == 1


def test_an_icmp_error_is_about_one_datagram(
    made: PacketGround, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = made.client()
    made.sock.script = [ConnectionRefusedError()]
    with monkeypatch.context() as patch:
        patch.setattr(socket, "socket", FailingBack)
        made.send(client, b"x")
    made.answer(b"y", made.source_of(b"x"))
    assert client.recv(100).endswith(b"y")
    assert made.relay.dropped == {"reset": 2}


class FailingBack(FailingSocket):
    """Sends well, and reports an error before it receives."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.script = []

    def sendto(self, *args: Any) -> int:
        sent = super().sendto(*args)
        self.script = [ConnectionRefusedError()]
        return sent


def test_a_target_that_cannot_be_reached(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"x", Endpoint("255.255.255.255", 9))
    made.send(client, b"x", Endpoint("127.0.0.1", 0))
    assert made.relay.dropped.total() == 2
    made.send(client, b"y")
    made.source_of(b"y")


def test_out_of_descriptors(made: PacketGround) -> None:
    client = made.client()
    with no_descriptors_left():
        made.send(client, b"lost")
    assert made.relay.dropped == {"os": 1}
    made.send(client, b"next")
    made.source_of(b"next")


def test_a_crash_costs_one_datagram(made: PacketGround, caplog: pytest.LogCaptureFixture) -> None:
    made.client().sendto(b"crash", made.sock.getsockname())
    made.send(made.client(), b"x")
    made.source_of(b"x")
    assert made.relay.dropped == {"bug": 1}
    assert "ZeroDivisionError" in caplog.text


def test_a_crash_behind_an_association_ends_that_one(
    made: PacketGround, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = made.front.outward

    def crashing(
        flow: Hashable, source: Endpoint, datagram: memoryview, out: memoryview
    ) -> memoryview:
        if bytes(datagram) == b"crash":
            # Which may well happen when it has ended already.
            made.relay.forget_owner("127.0.0.2")
            raise ZeroDivisionError
        return well(flow, source, datagram, out)

    monkeypatch.setattr(made.front, "outward", crashing)
    one, two = made.client("127.0.0.2"), made.client("127.0.0.3")
    for client, data in (one, b"1"), (two, b"2"):
        made.send(client, data)
    sources = [made.source_of(b"1"), made.source_of(b"2")]
    made.answer(b"crash", sources[0])
    assert len(made.relay) == 1
    made.answer(b"well", sources[1])
    assert two.recv(100).endswith(b"well")
    assert "not closed" not in caplog.text
