"""The ground for packet relays: what its doubles do is what the tests on it take for granted."""

from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import PolicyRejected, RemoteProtocolError
from annotated_shadowsocks.relay.poller import EpollPoller
from annotated_shadowsocks.testing.packet_ground import (
    AddressInFront,
    FailingSocket,
    PacketGround,
    place,
    silent,
    udp,
)
from annotated_shadowsocks.wire import address

HERE, THERE = ("127.0.0.1", 5), Endpoint("192.0.2.1", 9)


@pytest.fixture
def ground() -> Iterator[PacketGround]:
    ground = PacketGround(EpollPoller)
    yield ground
    ground.relay.close()
    ground.close()


def test_the_front_moves_the_address() -> None:
    front, out = AddressInFront(), memoryview(bytearray(100))
    whole = memoryview(address.encode(THERE) + b"{a}data")
    flow, target, data = front.inward(whole, HERE, out)
    assert (flow, target, bytes(data)) == (b"{a", THERE, b"{a}data")
    assert bytes(front.outward(flow, THERE, data, memoryview(bytearray(100)))) == whole
    assert (front.user(flow), front.user(HERE), front.owner(flow, HERE)) == ("a", "", HERE[0])


def test_the_front_fails_where_it_is_told_to() -> None:
    front, out = AddressInFront(), memoryview(bytearray(100))
    with pytest.raises(ZeroDivisionError):
        front.inward(memoryview(b"crash"), HERE, out)
    with pytest.raises(RemoteProtocolError):
        front.outward(HERE, THERE, memoryview(b"forged"), out)
    front.served = False
    with pytest.raises(PolicyRejected):
        front.inward(memoryview(b""), HERE, out)


def test_a_socket_fails_by_its_script_and_then_works() -> None:
    with udp() as other, FailingSocket(fileno=udp().detach()) as sock:
        sock.script = [OSError("first"), OSError("second")]
        with pytest.raises(OSError, match="first"):
            sock.sendto(b"x", other.getsockname())
        with pytest.raises(OSError, match="second"):
            sock.recvfrom_into(bytearray(1))
        sock.sendto(b"x", other.getsockname())
        assert not silent(other)
        assert silent(other)


def test_a_name_waits_for_the_test(ground: PacketGround) -> None:
    ground.send(ground.client(), b"data", Endpoint("a.test", place(ground.target).port))
    assert silent(ground.target)
    ground.looked["a.test"](["127.0.0.1"])
    ground.source_of(b"data")


def test_the_loop_stands_still_where_it_is_told_to(ground: PacketGround) -> None:
    ground.send(ground.client(), b"data", run=False)
    assert silent(ground.target)
    ground.loop.settle()
    ground.source_of(b"data")
