"""Datagrams in a stream: wire octets are the figures of ``shadowsocks.udp_over_tcp``'s source."""

import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError, Truncated
from annotated_shadowsocks.relay.packet_stream import PacketStream
from annotated_shadowsocks.relay.poller import EpollPoller
from annotated_shadowsocks.relay.stream_relay import Codec, Plain
from annotated_shadowsocks.shadowsocks.udp_over_tcp import DatagramReceived, UotServer
from annotated_shadowsocks.testing.loopback import abort, pair
from annotated_shadowsocks.testing.manual_loop import ManualLoop

PEER = Endpoint("192.0.2.1", 53)


def framed(data: bytes) -> bytes:
    # sing-box, "UDP over TCP", version 1: family 0, address, port, length, data
    return bytes.fromhex("00 c0000201 0035") + len(data).to_bytes(2, "big") + data


class Pairs:
    """Takes whole pairs of octets only, and fails at ``!!``."""

    def __init__(self) -> None:
        self.error: RemoteProtocolError | None = None
        self.left = 0

    @property
    def between_chunks(self) -> bool:
        return not self.left

    def finish(self, dst: memoryview) -> int:
        return 0

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        if b"!!" in bytes(src):
            self.error = AuthenticationError("forged")
            return 0, 0
        self.left = len(src) % 2
        size = len(src) - self.left
        dst[:size] = src[:size]
        return size, size


class Fixture:
    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.poller = EpollPoller(self.loop)
        self.heard: list[bytes] = []
        self.ends: list[Exception | None] = []
        self.outer: socket.socket
        self.stream: PacketStream
        self.join()

    def join(self, opens: Codec | None = None, buffers: int | None = None) -> None:
        self.inner, self.outer = pair(buffers)
        self.stream = PacketStream(
            self.poller,
            self.inner,
            opens or Plain(),
            Plain(),
            UotServer(1),
            self.received,
            self.ended,
        )

    def received(self, event: DatagramReceived) -> None:
        assert event.peer == PEER
        self.heard.append(event.data)

    def ended(self, error: Exception | None) -> None:
        self.ends.append(error)
        self.poller.close(self.inner)

    def close(self) -> None:
        for sock in (self.inner, self.outer):
            if sock.fileno() >= 0:
                self.poller.close(sock)


@pytest.fixture
def made() -> Iterator[Fixture]:
    made = Fixture()
    yield made
    made.close()
    assert len(made.poller) == 0
    made.poller.stop()


def test_both_ways(made: Fixture) -> None:
    made.stream.start()
    made.outer.sendall(framed(b"question") + framed(b"")[:3])
    made.loop.settle()
    assert made.heard == [b"question"]
    made.outer.sendall(framed(b"")[3:])
    made.loop.settle()
    assert made.heard == [b"question", b""]
    assert made.stream.send(PEER, b"answer")
    assert made.outer.recv(100) == framed(b"answer")
    made.outer.close()
    made.loop.settle()
    assert made.ends == [None]
    assert not made.stream.send(PEER, b"nobody there")


def test_what_a_handshake_left_over(made: Fixture) -> None:
    made.close()
    made.join(Pairs())
    wire = framed(b"questions")
    assert len(wire) == 18
    made.stream.start(wire + wire[:4], wire[4:5])
    assert made.heard == [b"questions"]
    made.outer.sendall(wire[5:])
    made.loop.settle()
    assert made.heard == [b"questions"] * 2


def test_the_largest_datagrams(made: Fixture) -> None:
    made.stream.start()
    largest = bytes(range(256)) * 256
    for _ in range(3):
        made.outer.sendall(framed(largest[:65535]))
        made.loop.settle()
    assert made.heard == [largest[:65535]] * 3


def test_an_end_inside_a_datagram(made: Fixture) -> None:
    made.stream.start()
    made.outer.sendall(framed(b"question")[:-1])
    made.outer.close()
    made.loop.settle()
    assert [type(end) for end in made.ends] == [Truncated]
    assert made.heard == []


def test_an_end_inside_a_chunk(made: Fixture) -> None:
    made.close()
    made.join(Pairs())
    made.stream.start()
    made.outer.sendall(framed(b"questions") + b"x")
    made.outer.close()
    made.loop.settle()
    assert made.heard == [b"questions"]
    assert [type(end) for end in made.ends] == [Truncated]


def test_what_is_no_datagram(made: Fixture) -> None:
    made.stream.start()
    made.outer.sendall(framed(b"question") + b"\x03")
    made.loop.settle()
    assert made.heard == [b"question"]
    assert [type(end) for end in made.ends] == [RemoteProtocolError]


def test_what_does_not_open(made: Fixture) -> None:
    made.close()
    made.join(Pairs())
    made.stream.start()
    made.outer.sendall(framed(b"questions"))
    made.loop.settle()
    made.outer.sendall(b"!!")
    made.loop.settle()
    assert made.heard == [b"questions"]
    assert [type(end) for end in made.ends] == [AuthenticationError]


def test_what_had_not_opened_before(made: Fixture) -> None:
    made.close()
    codec = Pairs()
    codec.convert(memoryview(b"!!"), memoryview(b""))
    made.join(codec)
    made.stream.start(framed(b"question"))
    assert made.heard == [b"question"]
    assert [type(end) for end in made.ends] == [AuthenticationError]


def test_a_reset(made: Fixture) -> None:
    made.stream.start()
    abort(made.outer)
    made.loop.settle()
    assert [type(end) for end in made.ends] == [ConnectionResetError]


def test_a_full_line_drops_and_cuts_nothing(made: Fixture) -> None:
    made.close()
    made.join(buffers=4096)
    made.stream.start()
    data = bytes(1000)
    sent = 0
    while made.stream.send(PEER, data):
        sent += 1
    assert not made.stream.send(PEER, b"dropped")
    # The last one was taken in part: its rest follows, and then the next.
    wire = b""
    while len(wire) < sent * len(framed(data)):
        wire += made.outer.recv(1 << 16)
        made.loop.settle()
    assert wire == framed(data) * sent
    assert made.stream.send(PEER, b"next")
    assert made.outer.recv(100) == framed(b"next")
    assert made.ends == []


def test_a_crash_ends_one_stream(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    def crash(event: DatagramReceived) -> None:
        raise ZeroDivisionError

    made.stream._received = crash
    made.stream.start()
    made.outer.sendall(framed(b"question"))
    made.loop.settle()
    assert [type(end) for end in made.ends] == [ZeroDivisionError]
    assert "ZeroDivisionError" in caplog.text


def test_whoever_is_told_may_end_it(made: Fixture) -> None:
    def stop(event: DatagramReceived) -> None:
        made.heard.append(event.data)
        made.stream.abandon(TimeoutError())

    made.stream._received = stop
    made.stream.start()
    made.outer.sendall(framed(b"question") * 2)
    made.loop.settle()
    assert made.heard == [b"question"]
    assert len(made.ends) == 1
