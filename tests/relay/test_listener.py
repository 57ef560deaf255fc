import errno
import logging
import os
import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.relay.listener import Listener
from annotated_shadowsocks.relay.poller import READ, EpollPoller, LoopPoller, Poller
from annotated_shadowsocks.testing.loopback import (
    abort,
    listener,
    no_descriptors_left,
    open_descriptors,
    pair,
)
from annotated_shadowsocks.testing.manual_loop import ManualLoop


class ScriptedSocket(socket.socket):
    """A listening socket whose accept(2) fails as the script says before it does its work."""

    def __init__(self, real: socket.socket, script: list[int]) -> None:
        super().__init__(fileno=real.detach())
        self.setblocking(False)
        self.script = script
        self.accepts = 0

    def _accept(self) -> tuple[int, object]:
        self.accepts += 1
        if self.script:
            number = self.script.pop(0)
            raise OSError(number, os.strerror(number))
        return super()._accept()  # type: ignore[misc, no-any-return]


class Fixture:
    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.sock = listener()
        self.accepted: list[socket.socket] = []
        self.clients: list[socket.socket] = []
        self.listener: Listener | None = None

    def listen(self, script: list[int] | None = None) -> Listener:
        if script is not None:
            self.sock = ScriptedSocket(self.sock, script)
        self.listener = Listener(self.poller, self.loop, self.sock, self.take)
        return self.listener

    def take(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.accepted.append(sock)

    def connect(self, count: int = 1) -> None:
        """That many connections in the accept queue."""
        for _ in range(count):
            self.clients.append(socket.create_connection(self.sock.getsockname(), 30))

    def close(self) -> None:
        if self.listener is not None:
            self.listener.close()
        for sock in self.accepted:
            self.poller.close(sock)
        self.poller.stop()
        for sock in self.clients:
            sock.close()
        self.sock.close()


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    before = open_descriptors()
    made = Fixture(request.param)
    yield made
    made.close()
    assert open_descriptors() == before
    assert len(made.poller) == 0
    assert made.loop.timers() == []
    assert made.poller.on_freed == []


def test_gives_non_blocking_sockets_and_where_they_come_from(made: Fixture) -> None:
    taken: list[tuple[socket.socket, tuple[str, int]]] = []
    made.listener = Listener(
        made.poller, made.loop, made.sock, lambda sock, address: taken.append((sock, address))
    )
    made.connect()
    made.loop.settle()
    [(sock, address)] = taken
    assert not sock.getblocking()
    assert address == made.clients[0].getsockname()
    assert made.listener.count == 1
    sock.close()


def test_a_burst_is_taken_in_batches(made: Fixture) -> None:
    taking = made.listen()
    made.connect(100)
    seen: list[int] = []
    made.sock.listen(128)

    class Neighbour:
        """Another socket of the loop, which is always ready."""

        def ready(self, events: int) -> None:
            seen.append(taking.count)

        def abandon(self, error: Exception) -> None:
            raise AssertionError

    inner, outer = pair()
    outer.send(b"x")
    made.poller.watch(inner, READ, Neighbour())
    made.loop.run_until(lambda: taking.count == 100)
    # Somebody else had a turn between the batches.
    assert 64 in seen
    made.poller.close(inner)
    outer.close()


def test_a_crash_while_a_connection_is_taken_over_ends_that_connection(
    made: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    def take(sock: socket.socket, address: tuple[str, int]) -> None:
        made.accepted.append(sock)
        if len(made.accepted) == 2:
            raise ZeroDivisionError("boom")

    made.listener = Listener(made.poller, made.loop, made.sock, take)
    made.connect(3)
    made.loop.settle()
    assert [sock.fileno() >= 0 for sock in made.accepted] == [True, False, True]
    assert made.clients[1].recv(1) == b""
    assert "internal error, connection abandoned: ZeroDivisionError('boom')" in caplog.text
    assert made.listener.pauses == 0


PASSING = [
    "ECONNABORTED",
    "EINTR",
    "EPROTO",
    "EPERM",
    "ENETDOWN",
    "ENOPROTOOPT",
    "EHOSTDOWN",
    "EHOSTUNREACH",
    "EOPNOTSUPP",
    "ENETUNREACH",
    "ETIMEDOUT",
]


@pytest.mark.parametrize("name", PASSING)
def test_an_error_of_one_connection_is_passed_over(made: Fixture, name: str) -> None:
    taking = made.listen([getattr(errno, name)] * 3)
    made.connect(2)
    made.loop.settle()
    assert (taking.count, taking.pauses) == (2, 0)


# -- nothing to accept with -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EINVAL"])
def test_pauses_for_a_tenth_of_a_second(made: Fixture, name: str) -> None:
    taking = made.listen([getattr(errno, name)] * 2)
    made.connect()
    made.loop.settle()
    made.loop.advance(0.09)
    assert (taking.count, taking.pauses) == (0, 1)
    made.loop.advance(0.01)
    assert (taking.count, taking.pauses) == (0, 2)
    made.loop.advance(0.1)
    assert (taking.count, taking.pauses) == (1, 2)


def test_says_so_once_a_second(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    taking = made.listen([errno.EMFILE] * 1000)
    made.connect()
    made.loop.settle()
    made.loop.advance(2.95)
    assert taking.pauses == 30
    lines = [record.getMessage() for record in caplog.records]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    port = made.sock.getsockname()[1]
    assert lines[1] == (
        f"cannot accept on 127.0.0.1:{port} accept_queue 1/128: [Errno 24] Too many open files; "
        "11 pauses so far; raise 'nofile'"
    )
    assert isinstance(made.sock, ScriptedSocket)
    # What it costs while nothing helps: ten calls a second, whatever waits in the queue.
    assert made.sock.accepts == 30


def test_only_want_of_descriptors_calls_for_nofile(
    made: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    made.listen([errno.ENOMEM])
    made.connect()
    made.loop.settle()
    assert "1 pauses so far" in caplog.text
    assert "nofile" not in caplog.text


def test_resumes_as_soon_as_a_descriptor_is_freed(made: Fixture) -> None:
    taking = made.listen([errno.EMFILE])
    established, peer = pair()
    made.connect()
    made.loop.settle()
    assert taking.count == 0
    made.poller.close(established)
    made.loop.settle()
    # No time has passed.
    assert taking.count == 1
    assert made.loop.timers() == []
    peer.close()


def test_out_of_descriptors(made: Fixture) -> None:
    taking = made.listen()
    established, peer = pair()
    heard: list[bytes] = []

    class Echo:
        def ready(self, events: int) -> None:
            heard.append(established.recv(100))

        def abandon(self, error: Exception) -> None:
            raise AssertionError from error

    made.poller.watch(established, READ, Echo())
    made.connect(3)
    with no_descriptors_left() as taken:
        made.loop.settle()
        made.loop.advance(1.05)
        assert (taking.count, taking.pauses) == (0, 11)
        # What is established goes on.
        peer.send(b"still here")
        made.loop.settle()
        assert heard == [b"still here"]
        # One end makes room for one.
        made.poller.close(established)
        made.loop.settle()
        assert taking.count == 1
        # A descriptor that was freed without the poller is found within the pause.
        os.close(taken.pop())
        made.loop.advance(0.1)
        assert taking.count == 2
    made.loop.advance(0.1)
    assert taking.count == 3
    peer.close()


# -- ends -----------------------------------------------------------------------------------------


def test_stop_leaves_socket_and_queue_to_another(made: Fixture) -> None:
    taking = made.listen()
    taking.stop()
    taking.stop()
    made.connect(2)
    made.loop.settle()
    assert taking.count == 0
    another = made.listen()
    made.loop.settle()
    assert another.count == 2


def test_stop_and_close_while_it_pauses(made: Fixture) -> None:
    taking = made.listen([errno.EMFILE])
    made.connect()
    made.loop.settle()
    taking.stop()
    assert made.loop.timers() == []
    made.loop.advance(1)
    assert taking.count == 0
    taking.close()
    assert made.sock.fileno() == -1


def test_close_resets_what_is_in_the_queue(made: Fixture) -> None:
    taking = made.listen()
    made.connect()
    taking.close()
    with pytest.raises(ConnectionResetError):
        made.clients[0].recv(1)


def test_a_client_that_is_gone_already(made: Fixture) -> None:
    taking = made.listen()
    made.connect(2)
    abort(made.clients[0])
    made.loop.settle()
    assert taking.count == 2


def test_the_high_water_is_the_deepest_of_all_wake_ups(made: Fixture) -> None:
    taking = made.listen()
    for count in (3, 1):
        made.connect(count)
        made.loop.settle()
        assert taking.high_water == 3
    # More than one wake-up takes: what is left in the queue counts too.
    made.connect(100)
    made.loop.settle()
    assert (taking.count, taking.high_water) == (104, 100)


def test_names_its_place_and_its_queue(made: Fixture) -> None:
    taking = made.listen()
    made.connect(2)
    port = made.sock.getsockname()[1]
    assert str(taking) == f"127.0.0.1:{port} accept_queue 2/128"
