import socket
import struct
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.relay.endings import Endings
from annotated_shadowsocks.relay.poller import READ, EpollPoller, LoopPoller, Poller
from annotated_shadowsocks.testing.loopback import (
    abort,
    arrived,
    open_descriptors,
    pair,
    read_to_end,
    unsent,
)
from annotated_shadowsocks.testing.manual_loop import ManualLoop

KIB = 1024
#: The state of whoever was sent a FIN, and nothing else, as tcp_info has it.
CLOSE_WAIT = b"\x08"
DATA = bytes(range(256)) * 4096


class Fixture:
    """Endings, a socket that is to end, and the client at its other side."""

    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.endings = Endings(self.poller, self.loop)
        self.sock, self.client = pair()

    def small(self) -> None:
        """Joined anew, with buffers that are full soon."""
        self.client.close()
        self.sock.close()
        self.sock, self.client = pair(16 * KIB)

    def heard(self) -> bytes | None:
        """What the client reads now: None for nothing, empty for a FIN."""
        self.client.setblocking(False)
        try:
            return self.client.recv(65536)
        except BlockingIOError:
            return None
        finally:
            self.client.settimeout(30)

    def is_over(self) -> bool:
        """Nothing is left of the ending."""
        left = len(self.endings), len(self.poller), len(self.endings.last_words)
        return self.sock.fileno() == -1 and left == (0, 0, 0)


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    before = open_descriptors()
    made = Fixture(request.param)
    yield made
    made.endings.close_all()
    made.poller.stop()
    made.client.close()
    assert open_descriptors() == before


def discarded(sock: socket.socket) -> int:
    """Octets that were received and are not waiting any more."""
    # tcpi_bytes_received follows 8 octets, 24 fields of 32 bits and 3 of 64 [linux tcp_info].
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
    return int(struct.unpack_from("128xQ", info)[0]) - arrived(sock)


# -- silence --------------------------------------------------------------------------------------

# Around the sizes at which a parser would have read enough: a salt, a salt and a length.
SIZES = [0, 1, 15, 16, 33, 34, 49, 50, 51, 221, 4096, 65536]


@pytest.mark.parametrize("size", SIZES)
def test_silence_until_the_deadline_then_a_fin(made: Fixture, size: int) -> None:
    made.endings.silence(made.sock, made.loop.time() + 60)
    made.client.sendall(bytes(size))
    made.loop.advance(59.99)
    assert made.heard() is None
    made.loop.advance(0.01)
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "FIN")


@pytest.mark.parametrize("size", SIZES)
def test_silence_until_the_client_ends_then_a_fin(made: Fixture, size: int) -> None:
    made.endings.silence(made.sock, made.loop.time() + 60)
    made.client.sendall(bytes(size))
    made.client.shutdown(socket.SHUT_WR)
    # The pause of a flood is the longest that a client waits for its answer.
    made.loop.advance(0.05)
    made.loop.advance(0.05)
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "FIN")


def test_silence_takes_the_endings_own_time_where_none_is_given(made: Fixture) -> None:
    made.endings.silence_seconds = 7
    made.endings.silence(made.sock)
    assert made.loop.timers() == [7]


def test_silence_that_is_due_already(made: Fixture) -> None:
    made.endings.silence(made.sock, made.loop.time() - 1)
    assert made.sock.fileno() >= 0
    made.loop.advance(0)
    assert made.is_over()


def test_octets_that_are_unread_at_the_deadline_make_no_reset(made: Fixture) -> None:
    made.endings.silence(made.sock, made.loop.time() + 1)
    # No event between these octets and the deadline.
    made.poller.forget(made.sock)
    made.client.sendall(DATA[:50_000])
    assert arrived(made.sock) == 50_000
    made.loop.advance(1)
    assert made.is_over()
    assert made.client.recv(1) == b""
    # A reset behind the FIN would have ended the other direction as well, which is still open.
    assert made.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert made.client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == CLOSE_WAIT


@pytest.mark.parametrize("piece", [100, KIB, 16 * KIB, 64 * KIB])
def test_a_flood_is_held_to_a_mebibyte_a_second(made: Fixture, piece: int) -> None:
    made.endings.silence(made.sock, made.loop.time() + 60)
    made.client.setblocking(False)

    def flood() -> None:
        """Send until no more is discarded."""
        before = -1
        while before != discarded(made.sock):
            before = discarded(made.sock)
            try:
                made.client.send(DATA[:piece])
            except BlockingIOError:
                pass
            made.loop.settle()

    flood()
    assert 0 < discarded(made.sock) <= 32 * KIB
    for _ in range(100):
        made.loop.advance(0.01)
        flood()
    # How much less it is, is between the two kernels: a window that was closed opens in their time.
    assert 64 * KIB < discarded(made.sock) <= (1024 + 32) * KIB
    # A pause ends with the ending.
    made.endings.close_all()
    assert made.is_over()


def test_silence_ends_with_the_clients_reset(made: Fixture) -> None:
    made.endings.silence(made.sock, made.loop.time() + 60)
    abort(made.client)
    made.loop.settle()
    assert made.is_over()


def test_silence_takes_over_from_another_watcher(made: Fixture) -> None:
    class Other:
        def ready(self, events: int) -> None:
            raise AssertionError

        def abandon(self, error: Exception) -> None:
            raise AssertionError

    made.poller.watch(made.sock, READ, Other())
    made.client.send(b"x")
    made.endings.silence(made.sock, made.loop.time() + 60)
    made.loop.settle()
    assert arrived(made.sock) == 0


def test_close_all_ends_silences_with_a_fin(made: Fixture) -> None:
    made.client.send(DATA[:100])
    made.endings.silence(made.sock)
    made.endings.close_all()
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "FIN")


# -- refusal --------------------------------------------------------------------------------------


def test_refusal_is_a_fin_at_once(made: Fixture) -> None:
    made.client.send(b"unread")
    made.endings.refuse(made.sock)
    assert made.heard() == b""
    made.client.send(b"more")
    made.loop.settle()
    made.client.shutdown(socket.SHUT_WR)
    made.loop.settle()
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "FIN")


def test_a_refused_client_has_five_seconds_to_end(made: Fixture) -> None:
    made.endings.refuse(made.sock)
    made.loop.advance(4.9)
    assert not made.is_over()
    made.loop.advance(0.1)
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "FIN")


def test_refusing_whoever_is_gone(made: Fixture) -> None:
    abort(made.client)
    made.endings.refuse(made.sock)
    assert made.is_over()


# -- reset ----------------------------------------------------------------------------------------


def test_reset_at_once_where_nothing_waits(made: Fixture) -> None:
    made.endings.reset(made.sock)
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "RST")


def test_reset_behind_what_the_kernel_has_delivered(made: Fixture) -> None:
    made.sock.send(b"promised")
    made.endings.reset(made.sock)
    made.loop.advance(0.1)
    assert read_to_end(made.client) == (b"promised", "RST")
    assert made.is_over()


def fill(sock: socket.socket) -> int:
    sent = 0
    try:
        while True:
            sent += sock.send(DATA)
    except BlockingIOError:
        return sent


def take(made: Fixture, size: int) -> bytes:
    """What the client hears, up to ``size`` octets, while the loop runs."""
    octets = b""
    while len(octets) < size:
        octets += made.client.recv(size - len(octets))
        made.loop.settle()
    return octets


def test_reset_behind_what_is_pending(made: Fixture) -> None:
    made.small()
    sent = fill(made.sock)
    made.endings.reset(made.sock, memoryview(DATA[: 20 * KIB]))
    take(made, sent)
    assert take(made, 20 * KIB) == DATA[: 20 * KIB]
    # The kernel does not tell when all was acknowledged: the ending looks, and soon.
    made.loop.run_until(lambda: unacknowledged(made.sock) == 0)
    made.loop.advance(0.05)
    assert made.is_over()
    assert read_to_end(made.client) == (b"", "RST")


def unacknowledged(sock: socket.socket) -> int:
    return unsent(sock) if sock.fileno() >= 0 else 0


def test_reset_within_a_second_however_slow_the_reader(made: Fixture) -> None:
    made.small()
    fill(made.sock)
    made.endings.reset(made.sock, DATA[:KIB])
    made.loop.advance(0.99)
    assert not made.is_over()
    made.loop.advance(0.01)
    assert made.is_over()
    octets, end = read_to_end(made.client)
    assert end == "RST"
    assert DATA.startswith(octets[: len(DATA)])


def test_reset_of_whoever_is_gone(made: Fixture) -> None:
    made.small()
    fill(made.sock)
    abort(made.client)
    made.endings.reset(made.sock, DATA[:KIB])
    made.loop.settle()
    assert made.is_over()


def test_reset_is_over_when_the_client_resets(made: Fixture) -> None:
    made.small()
    fill(made.sock)
    made.endings.reset(made.sock, DATA[:KIB])
    made.loop.settle()
    abort(made.client)
    made.loop.settle()
    assert made.is_over()


def test_a_crash_ends_the_ending(made: Fixture) -> None:
    made.endings.silence(made.sock)
    made.client.send(b"x")
    # Too small to discard into.
    made.poller.scratch.inbound = memoryview(bytearray(1))
    made.loop.settle()
    assert made.is_over()


def test_close_all_resets_what_is_undelivered(made: Fixture) -> None:
    made.small()
    fill(made.sock)
    made.endings.reset(made.sock, DATA[:KIB])
    made.endings.close_all()
    assert made.is_over()
    assert read_to_end(made.client)[1] == "RST"
