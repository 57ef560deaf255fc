"""How much a full flow reads in its turn, alone and in company."""

import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.relay.endings import Endings
from annotated_shadowsocks.relay.poller import EpollPoller, Scratch
from annotated_shadowsocks.relay.stream_relay import Plain, StreamRelay
from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop

BRIEF = 0x3FFF
WAITING = 200_000


class Sizes(Plain):
    """Takes note of how much is read at a time."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        self.read.append(len(src))
        return super().convert(src, dst)


class Room:
    """Relays that share a poller; ``full`` has been found full, and ``WAITING`` octets wait."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.poller = EpollPoller(self.loop)
        self.endings = Endings(self.poller, self.loop)
        self.socks: list[socket.socket] = []
        self.relays: list[StreamRelay] = []
        self.sizes = Sizes()
        self.client, self.full, self.target = self.relayed(self.sizes)
        self.full.near.bulk = True

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        """See ``StreamRelayOwner``."""

    def relayed(self, near: Plain) -> tuple[socket.socket, StreamRelay, socket.socket]:
        """Whoever connected, the relay, and whom it connected to."""
        ends = [*pair(), *pair()]
        for sock in ends:
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, 1 << 20)
        self.socks += ends
        relay = StreamRelay(self.poller, self.endings, self, (ends[0], near), (ends[2], Plain()))
        self.relays.append(relay)
        relay.start()
        return ends[1], relay, ends[3]

    def talk(self, messages: int) -> None:
        """Somebody else says a few octets, so many times."""
        talker, other, _ = self.relayed(Plain())
        for _ in range(messages):
            talker.sendall(bytes(64))
            other.near.pump()

    def turn(self) -> list[int]:
        """What the full flow reads in one turn."""
        self.sizes.read.clear()
        self.full.near.pump()
        return list(self.sizes.read)

    def close(self) -> None:
        for relay in self.relays:
            relay.abort()
        for sock in self.socks:
            sock.close()
        self.poller.stop()


@pytest.fixture
def room() -> Iterator[Room]:
    room = Room()
    room.client.sendall(bytes(WAITING))
    yield room
    room.close()


def test_a_full_flow_alone_takes_all_that_is_there(room: Room) -> None:
    assert sum(room.turn()) == WAITING > Scratch.LIMIT


def test_it_is_brief_where_somebody_else_says_a_few_octets(room: Room) -> None:
    room.talk(10)
    assert room.turn() == [BRIEF]
    # It is still taken for full, and so brief again.
    assert room.turn() == [BRIEF]


def test_somebody_elses_request_does_not_make_it_brief(room: Room) -> None:
    room.talk(2)
    assert sum(room.turn()) == WAITING


def test_few_octets_of_its_own_do_not_make_it_brief(room: Room) -> None:
    for _ in range(10):
        room.target.sendall(bytes(64))
        room.full.far.pump()
    assert sum(room.turn()) == WAITING


def test_another_full_flow_is_no_such_company(room: Room) -> None:
    other_client, other, _ = room.relayed(Plain())
    other_client.sendall(bytes(WAITING))
    other.near.pump()
    assert sum(room.turn()) == WAITING


def test_the_last_few_octets_of_a_flow_are_no_such_company(room: Room) -> None:
    other_client, other, _ = room.relayed(Plain())
    for size in (WAITING, 100, 100):
        other_client.sendall(bytes(size))
        other.near.pump()
    assert sum(room.turn()) == WAITING


def test_company_is_forgotten(room: Room) -> None:
    room.talk(10)
    room.poller.scratch.brief = 1
    assert room.turn() == [BRIEF]
    assert sum(room.turn()) == WAITING - BRIEF
