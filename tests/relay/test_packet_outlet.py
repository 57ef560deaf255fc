"""What leaves towards targets; see ``test_packet_relay`` for the way through."""

import socket
from collections.abc import Callable, Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import ResolveError
from annotated_shadowsocks.relay.packet_outlet import BATCH, Outside, PacketOutlet
from annotated_shadowsocks.relay.poller import EpollPoller
from annotated_shadowsocks.testing.manual_loop import ManualLoop


class Fixture:
    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.poller = EpollPoller(self.loop)
        self.answers: list[tuple[Endpoint, bytes]] = []
        self.opened: list[socket.socket] = []
        self.broken = 0
        self.names: dict[str, str] = {}
        self.open_outlet()

    def open_outlet(self, *, strict: bool = False) -> None:
        self.outside = Outside(self.poller, self.lookup, None, strict)
        self.outlet = PacketOutlet(self.outside, self.received, self.abandoned)

    def lookup(
        self, host: str, done: Callable[[list[str] | ResolveError], None]
    ) -> Callable[[], object]:
        done([self.names.get(host, host)])
        return lambda: None

    def received(self, source: Endpoint, data: memoryview) -> None:
        if bytes(data) == b"crash":
            raise ZeroDivisionError
        if bytes(data) == b"close":
            self.outlet.close()
        self.answers.append((source, bytes(data)))

    def abandoned(self) -> None:
        self.broken += 1
        self.outlet.close()

    def target(self, host: str = "127.0.0.1") -> tuple[socket.socket, Endpoint]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        sock.settimeout(30)
        self.opened.append(sock)
        return sock, Endpoint(*sock.getsockname()[:2])


@pytest.fixture
def made() -> Iterator[Fixture]:
    made = Fixture()
    yield made
    made.outlet.close()
    assert len(made.poller) == 0
    made.poller.stop()
    for sock in made.opened:
        sock.close()


def test_there_and_back(made: Fixture) -> None:
    target, where = made.target()
    made.outlet.send(where, memoryview(b"question"))
    data, source = target.recvfrom(100)
    assert data == b"question"
    target.sendto(b"answer", source)
    made.loop.settle()
    assert made.answers == [(where, b"answer")]
    assert made.outside.sent == 1


@pytest.mark.parametrize(("strict", "heard"), [(False, 2), (True, 1)])
def test_a_strict_outlet_hears_only_whom_it_has_spoken_to(
    made: Fixture, strict: bool, heard: int
) -> None:
    made.open_outlet(strict=strict)
    target, where = made.target()
    stranger, _ = made.target()
    made.outlet.send(where, memoryview(b"question"))
    _, source = target.recvfrom(100)
    stranger.sendto(b"psst", source)
    target.sendto(b"answer", source)
    made.loop.settle()
    assert len(made.answers) == heard
    assert (where, b"answer") in made.answers
    assert made.outside.dropped["stranger"] == 2 - heard


@pytest.mark.parametrize("spelling", ["0:0:0:0:0:0:0:1", "::1", "a.name"])
def test_a_strict_outlet_knows_an_address_however_it_is_written(
    made: Fixture, spelling: str
) -> None:
    made.open_outlet(strict=True)
    made.names["a.name"] = "0::1"
    target, where = made.target("::1")
    made.outlet.send(Endpoint(spelling, where.port), memoryview(b"question"))
    _, source = target.recvfrom(100)
    target.sendto(b"answer", source)
    made.loop.settle()
    assert made.answers == [(where, b"answer")]


def test_an_outlet_may_be_closed_by_what_it_hears(made: Fixture) -> None:
    target, where = made.target()
    made.outlet.send(where, memoryview(b"question"))
    _, source = target.recvfrom(100)
    target.sendto(b"close", source)
    target.sendto(b"too late", source)
    made.loop.settle()
    assert made.answers == [(where, b"close")]
    assert made.outlet.closed
    made.outlet.close()


def test_what_nobody_foresaw_ends_one_outlet(
    made: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    target, where = made.target()
    made.outlet.send(where, memoryview(b"question"))
    _, source = target.recvfrom(100)
    target.sendto(b"crash", source)
    made.loop.settle()
    assert made.broken == 1
    assert "ZeroDivisionError" in caplog.text


def test_a_burst_is_taken_in_batches(made: Fixture) -> None:
    target, where = made.target()
    made.outlet.send(where, memoryview(b"question"))
    _, source = target.recvfrom(100)
    for _ in range(BATCH + 1):
        target.sendto(b"x", source)
    sock = next(iter(made.outlet._sockets.values())).sock
    made.outlet.receive(sock)
    assert len(made.answers) == BATCH
    made.loop.settle()
    assert len(made.answers) == BATCH + 1
