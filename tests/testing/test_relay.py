"""The suite finds what it is for: each relay here breaks one promise."""

import socket

import pytest

from annotated_shadowsocks.relay import stream_relay
from annotated_shadowsocks.relay.poller import READ
from annotated_shadowsocks.relay.stream_relay import Plain
from annotated_shadowsocks.testing.loopback import pair
from annotated_shadowsocks.testing.relay import GROUNDS, Ground, MakeRelay, check_stream_relay


def plain(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    ground.relay((one, Plain()), (two, Plain()))


def fails(make_relay: MakeRelay, scenario: str, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_stream_relay("relay", make_relay, scenario)


@pytest.mark.parametrize("ground", GROUNDS)
def test_a_good_relay_passes(ground: str) -> None:
    check_stream_relay(ground, plain, "eof_with_data")


def test_an_octet_is_altered() -> None:
    class Altering(Plain):
        def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
            sizes = super().convert(src, dst)
            dst[0] ^= 1
            return sizes

    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        ground.relay((one, Plain()), (two, Altering()))

    fails(make, "exact", "heard 2000001 octets and FIN, the first 0 as they were sent")


def test_a_reset_becomes_a_fin() -> None:
    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        ground.endings.reset = lambda sock, pending=b"": ground.poller.close(sock)  # type: ignore[method-assign]

    fails(make, "reset", "octets and FIN, .* expected 30000 octets and RST")


def test_a_reset_takes_back_what_was_promised() -> None:
    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        reset = ground.endings.reset
        ground.endings.reset = lambda sock, pending=b"": reset(sock)  # type: ignore[method-assign]

    fails(make, "reset_while_blocked", "octets were promised")


def test_too_much_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_relay, "unsent_room", lambda sock: 1 << 30)
    fails(plain, "slow_reader_of_bulk", "octets were held for one direction")


def test_it_spins() -> None:
    class Deaf:
        def ready(self, events: int) -> None:
            pass

        def abandon(self, error: Exception) -> None:
            pass

    inner, outer = pair()
    outer.send(b"never read")

    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        ground.poller.watch(inner, READ, Deaf())

    fails(make, "slow_reader", "events without end")
    inner.close()
    outer.close()


def test_a_descriptor_is_left_open() -> None:
    left: list[socket.socket] = []

    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        left.append(socket.socket())

    fails(make, "eof_with_data", "descriptors are left open")
    for sock in left:
        sock.close()


def test_a_socket_is_left_open() -> None:
    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        close, forget = ground.poller.close, ground.poller.forget
        # Nobody at the other side hears of it.
        ground.poller.close = lambda sock: (forget if sock is one else close)(sock)  # type: ignore[method-assign]

    fails(make, "reset", "left open: .<socket")


def test_an_orderly_end_is_called_an_error() -> None:
    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        plain(ground, one, two)
        ground.errors.append(ValueError())

    fails(make, "eof_with_data", "relays ended")
