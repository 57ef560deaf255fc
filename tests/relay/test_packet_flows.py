"""Whose a datagram is: how associations end, and flows that are not addresses."""

import socket

from annotated_shadowsocks.relay.packet_relay import PacketLimits
from annotated_shadowsocks.testing.packet_ground import (
    Count,
    PacketGround,
    place,
    silent,
)
from annotated_shadowsocks.wire import address


def test_silence_on_both_sides_ends_it(made: PacketGround) -> None:
    made.serve(PacketLimits(timeout=300))
    client = made.client()
    made.send(client, b"1")
    source = made.source_of(b"1")
    made.loop.advance(299)
    assert len(made.relay) == 1
    made.loop.advance(1)
    assert len(made.relay) == 0
    made.answer(b"too late", source)
    assert silent(client)
    made.send(client, b"2")
    made.source_of(b"2")
    assert len(made.relay) == 1


def test_either_side_keeps_it_alive(made: PacketGround) -> None:
    client = made.client()
    made.send(client, b"1")
    source = made.source_of(b"1")
    for _ in range(3):
        made.loop.advance(200)
        made.answer(b"still here", source)
        assert client.recv(100).endswith(b"still here")
    for _ in range(3):
        made.loop.advance(200)
        made.send(client, b"still there")
        assert made.source_of(b"still there") == source
    made.loop.advance(300)
    assert len(made.relay) == 0


def ports(made: PacketGround, clients: list[socket.socket]) -> list[int]:
    """Under which port the target sees each client now."""
    seen = []
    for client in clients:
        made.send(client, b"?")
        seen.append(made.source_of(b"?")[1])
        made.loop.advance(1)
    return seen


def test_a_host_gives_up_its_own_most_idle_association(made: PacketGround) -> None:
    made.serve(PacketLimits(per_owner=2))
    other = made.client("127.0.0.8")
    [other_port] = ports(made, [other])
    first, second, third = clients = [made.client() for _ in range(3)]
    before = ports(made, [first, second])
    # The first is older, and in use.
    assert ports(made, [first]) == before[:1]
    ports(made, [third])
    assert len(made.relay) == 3
    after = ports(made, clients[:1])
    assert after == before[:1]
    assert ports(made, [other]) == [other_port]
    # The second is the one that ended: it has another port now, and the third had to go.
    assert ports(made, [second]) != before[1:]
    assert len(made.relay) == 3


def test_where_all_places_are_taken_the_most_idle_goes(made: PacketGround) -> None:
    made.serve(PacketLimits(associations=2))
    one, two = made.client("127.0.0.2"), made.client("127.0.0.3")
    before = ports(made, [one, two, one])
    assert before[0] == before[2]
    ports(made, [made.client("127.0.0.4")])
    assert len(made.relay) == 2
    assert ports(made, [one]) == before[:1]


def test_where_all_places_are_taken_a_host_gives_up_its_own(made: PacketGround) -> None:
    made.serve(PacketLimits(associations=3))
    idle = made.client("127.0.0.2")
    [idle_port] = ports(made, [idle])
    flood = [made.client("127.0.0.3") for _ in range(20)]
    ports(made, flood)
    assert len(made.relay) == 3
    assert ports(made, [idle]) == [idle_port]


def test_forgetting_an_owner(made: PacketGround) -> None:
    clients = [made.client(), made.client(), made.client("127.0.0.7")]
    ports(made, clients)
    made.relay.forget_owner("127.0.0.1")
    made.relay.forget_owner("127.0.0.1")
    made.relay.forget_owner("192.0.2.1")
    assert len(made.relay) == 1


def test_answers_go_where_the_flow_was_heard_last(made: PacketGround) -> None:
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}1")
    source = made.source_of(b"{a}1")
    made.send(away, b"{a}2")
    # To the target it is the same client.
    assert made.source_of(b"{a}2") == source
    made.answer(b"answer", source)
    assert away.recv(100).endswith(b"answer")
    assert silent(home)
    assert len(made.relay) == 1


def test_a_datagram_that_is_not_good_moves_nothing(made: PacketGround) -> None:
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}1")
    source = made.source_of(b"{a}1")
    away.sendto(b"\xff{a}", made.sock.getsockname())
    made.loop.settle()
    made.answer(b"answer", source)
    assert home.recv(100).endswith(b"answer")
    assert silent(away)


def test_answers_leave_by_the_socket_that_was_asked(made: PacketGround) -> None:
    client = made.client()
    for sock in (made.sock, made.second, made.sock):
        data = address.encode(place(made.target)) + b"{a}"
        client.sendto(data, sock.getsockname())
        made.loop.settle()
        made.answer(b"answer", made.source_of(b"{a}"))
        assert client.recvfrom(100)[1] == sock.getsockname()
    assert len(made.relay) == 1


def test_a_flow_that_moves_stays_with_its_first_owner(made: PacketGround) -> None:
    made.serve(PacketLimits(per_owner=2))
    home, away = made.client("127.0.0.5"), made.client("127.0.0.6")
    made.send(home, b"{a}")
    made.send(away, b"{a}")
    made.loop.advance(1)
    made.send(away, b"{b}")
    made.send(away, b"{c}")
    assert len(made.relay) == 3
    assert made.front.ended == []
    made.relay.forget_owner("127.0.0.5")
    assert made.front.ended == [b"{a"]


def test_what_a_user_had_is_on_their_account(made: PacketGround) -> None:
    client, nobody = made.client(), made.client()
    made.send(nobody, b"x")
    made.source_of(b"x")
    assert made.accounts == {}
    for _ in range(2):
        made.send(client, b"{a}12345")
        source = made.source_of(b"{a}12345")
    made.answer(b"answer", source)
    assert silent(nobody)
    # An address of IPv4 has seven octets.
    assert made.accounts == {"a": Count(2, 1, 2 * (7 + 8), 7 + 6)}


def test_the_front_is_told_of_each_end_once(made: PacketGround) -> None:
    made.serve(PacketLimits(timeout=10, per_owner=2))
    client = made.client()
    for name in (b"{a}", b"{b}", b"{c}"):
        made.send(client, name)
        made.loop.advance(1)
    assert made.front.ended == [b"{a"]
    made.loop.advance(8)
    assert made.front.ended == [b"{a", b"{b"]
    made.relay.close()
    made.relay.close()
    assert made.front.ended == [b"{a", b"{b", b"{c"]
