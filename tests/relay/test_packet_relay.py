"""Datagrams through a relay: there and back, at once or when their front has thought."""

import socket
from collections.abc import Hashable

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import RemoteProtocolError
from annotated_shadowsocks.relay.packet_relay import Address, PacketLimits, Postponed
from annotated_shadowsocks.relay.poller import READ
from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.packet_ground import (
    AddressInFront,
    PacketGround,
    place,
    silent,
    udp,
)
from annotated_shadowsocks.wire import address


def test_there_and_back(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"question")
    made.answer(b"answer", made.source_of(b"question"))
    assert client.recv(100) == address.encode(place(made.target)) + b"answer"
    assert (made.relay.from_clients, made.relay.to_clients) == (1, 1)
    assert not made.relay.dropped


def test_a_target_sees_one_source_for_one_client(made: PacketGround) -> None:
    one, two, another_target = made.client(), made.client(), udp()
    made.send(one, b"1")
    source = made.source_of(b"1")
    made.send(one, b"2")
    assert made.source_of(b"2") == source
    made.send(one, b"3", place(another_target))
    assert another_target.recvfrom(10) == (b"3", source)
    made.send(two, b"4")
    assert made.source_of(b"4") != source
    assert len(made.relay) == 2
    another_target.close()


def test_whoever_sends_to_an_association_is_named(made: PacketGround) -> None:
    client, stranger = made.client(), made.client("127.0.0.9")
    made.send(client, b"question")
    stranger.sendto(b"hello", made.source_of(b"question"))
    made.loop.settle()
    assert client.recv(100) == address.encode(place(stranger)) + b"hello"


def test_ipv6_has_a_socket_of_its_own(made: PacketGround) -> None:
    client, target = made.client(), udp("::1")
    made.send(client, b"4")
    made.send(client, b"6", place(target))
    data, source = target.recvfrom(10)
    assert data == b"6"
    target.sendto(b"back", source)
    made.loop.settle()
    assert client.recv(100) == address.encode(place(target)) + b"back"
    assert len(made.relay) == 1
    target.close()


def test_an_empty_datagram_is_a_datagram(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"")
    made.answer(b"", made.source_of(b""))
    assert client.recv(100) == address.encode(place(made.target))


def test_the_largest_datagram(made: PacketGround) -> None:
    client = made.client()
    largest = bytes(range(256)) * 256
    made.send(client, largest[: 65507 - 7])
    made.answer(largest[: 65507 - 7], made.source_of(largest[: 65507 - 7]))
    assert client.recv(65536) == address.encode(place(made.target)) + largest[: 65507 - 7]


def test_a_burst_finds_more_room_than_by_default(made: PacketGround) -> None:
    untouched = made.client().getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    for sock in made.relay.sockets:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) > untouched


def test_a_burst_is_taken_in_batches(made: PacketGround) -> None:
    client = made.client()
    seen: list[int] = []
    inner, outer = pair()

    class Neighbour:
        def ready(self, events: int) -> None:
            seen.append(made.relay.from_clients)

        def abandon(self, error: Exception) -> None:
            raise AssertionError

    outer.send(b"x")
    made.poller.watch(inner, READ, Neighbour())
    for _ in range(100):
        made.send(client, b"x", run=False)
    made.loop.run_until(lambda: made.relay.from_clients == 100)
    assert 64 in seen
    made.poller.close(inner)
    outer.close()


class Thinking(AddressInFront):
    """Postpones what is new to it, once."""

    def __init__(self) -> None:
        super().__init__()
        self.postponed: list[Postponed] = []
        self.known: set[bytes] = set()

    def inward(
        self, datagram: memoryview, client: Address, out: memoryview
    ) -> tuple[Hashable, Endpoint, memoryview]:
        if bytes(datagram) not in self.known:
            self.known.add(bytes(datagram))
            self.postponed.append(Postponed())
            raise self.postponed[-1]
        return super().inward(datagram, client, out)


def test_a_datagram_is_judged_when_its_front_can(made: PacketGround) -> None:
    made.front = front = Thinking()
    made.serve(PacketLimits())
    client = made.client()
    made.send(client, b"first")
    made.send(client, b"second")
    assert len(made.relay) == 0
    one, two = front.postponed
    two.resume(None)
    made.answer(b"answer", made.source_of(b"second"))
    assert client.recv(100).endswith(b"answer")
    one.resume(RemoteProtocolError("on reflection"))
    assert made.relay.dropped == {"protocol": 1}
    assert made.failures == [(RemoteProtocolError, "127.0.0.1")]


def test_an_answer_after_the_end_is_too_late(made: PacketGround) -> None:
    made.front = front = Thinking()
    made.serve(PacketLimits())
    made.send(made.client(), b"first")
    made.relay.close()
    front.postponed[0].resume(None)
    assert len(made.relay) == 0
    assert silent(made.target)


def test_names_its_places(made: PacketGround) -> None:
    assert str(made.relay) == f"{place(made.sock)}, {place(made.second)}"


def test_close_leaves_the_socket_to_its_owner(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"x")
    made.relay.close()
    made.relay.close()
    assert len(made.relay) == 0
    made.send(client, b"y")
    made.serve(PacketLimits())
    made.loop.settle()
    made.source_of(b"x")
    made.source_of(b"y")
