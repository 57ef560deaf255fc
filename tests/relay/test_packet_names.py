"""Datagrams to names: they wait for an answer, in order, and only so many of them."""

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ResolveError
from annotated_shadowsocks.testing.packet_ground import (
    PacketGround,
    place,
    silent,
)


def test_datagrams_wait_for_a_name_in_order(made: PacketGround) -> None:
    client = made.client()
    name = Endpoint("a.test", place(made.target).port)
    for data in b"1", b"2", b"3":
        made.send(client, data, name)
    assert made.lookups == ["a.test"]
    made.looked["a.test"](["127.0.0.1", "192.0.2.1"])
    for data in b"1", b"2", b"3":
        made.source_of(data)
    made.send(client, b"4", name)
    made.source_of(b"4")
    assert made.lookups == ["a.test"]


def test_a_name_that_is_not_found(made: PacketGround) -> None:
    client = made.client()
    for _ in range(2):
        made.send(client, b"x", Endpoint("a.test", 9))
    made.looked["a.test"](ResolveError("no such name"))
    assert made.relay.dropped == {"resolve": 2}
    # Asked again by the next datagram: how long an error is remembered is the resolver's to say.
    made.send(client, b"x", Endpoint("a.test", 9))
    assert made.lookups == ["a.test"] * 2


def test_a_name_without_an_address(made: PacketGround) -> None:
    made.send(made.client(), b"x", Endpoint("a.test", 9))
    made.looked["a.test"]([])
    assert made.relay.dropped == {"resolve": 1}


def test_what_is_forbidden_is_not_sent_to(made: PacketGround) -> None:
    made.forbidden = "127.0.0.1"
    made.send(made.client(), b"x")
    assert made.relay.dropped == {"policy": 1}
    assert silent(made.target)


def test_what_else_a_name_has_is_sent_to(made: PacketGround) -> None:
    made.forbidden = "127.0.0.2"
    made.send(made.client(), b"x", Endpoint("a.test", place(made.target).port))
    made.looked["a.test"](["127.0.0.2", "127.0.0.1"])
    made.source_of(b"x")


def test_few_datagrams_wait_however_many_names_there_are(made: PacketGround) -> None:
    one, two = made.client(), made.client()
    for number in range(100):
        made.send(one, b"x", Endpoint(f"{number}.test", place(made.target).port))
    assert len(made.lookups) - len(made.cancelled) == 32
    assert made.relay.dropped == {"waiting": 68}
    for _ in range(40):
        made.send(two, b"y", Endpoint("two.test", place(made.target).port))
    assert made.relay.dropped == {"waiting": 68 + 8}
    # What is known does not wait, and is not dropped.
    made.send(one, b"literal")
    made.source_of(b"literal")
    # One answer makes room for one.
    made.looked["0.test"](["127.0.0.1"])
    made.source_of(b"x")
    made.send(one, b"z", Endpoint("z.test", place(made.target).port))
    made.looked["z.test"](["127.0.0.1"])
    made.source_of(b"z")


def test_an_answer_for_an_association_that_has_ended(made: PacketGround) -> None:
    made.send(made.client(), b"x", Endpoint("a.test", place(made.target).port))
    made.relay.forget_owner("127.0.0.1")
    made.looked["a.test"](["127.0.0.1"])
    assert silent(made.target)
    assert len(made.relay) == 0
    assert not made.relay.dropped


def test_more_targets_than_are_remembered(made: PacketGround) -> None:
    client = made.client()
    for number in range(300):
        made.send(client, b"x", Endpoint("127.0.0.1", 20000 + number))
    made.send(client, b"y")
    made.source_of(b"y")
