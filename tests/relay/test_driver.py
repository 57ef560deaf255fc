import gc
import socket
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from annotated_shadowsocks.crypto.methods import find
from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError, Truncated
from annotated_shadowsocks.relay.driver import Driver
from annotated_shadowsocks.relay.poller import EpollPoller
from annotated_shadowsocks.shadowsocks.credentials import KeyRing
from annotated_shadowsocks.shadowsocks.handshake import ServerHandshake
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.loopback import abort, arrived, pair, read_to_end
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.wire.core import HandshakeCore


class Greeting(HandshakeCore[str]):
    """Two octets decide: ``ok`` is welcomed, ``no`` is refused, ``XX`` crashes."""

    answer = b"welcome"

    def _run(self) -> Generator[str | None, None, None]:
        word = yield from self._reader.read_exact(2)
        if word == b"XX":
            raise ZeroDivisionError("boom")
        if word != b"ok":
            self._send(b"sorry")
            raise RemoteProtocolError("unwelcome")
        self._send(self.answer)
        yield "welcomed"


class Owner:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.failures: list[tuple[Exception, bool]] = []

    def handshake_event(self, event: str) -> None:
        self.events.append(event)

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        self.failures.append((error, ended))

    @property
    def failure(self) -> tuple[type, bool]:
        [(error, ended)] = self.failures
        return type(error), ended


class Fixture:
    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.poller = EpollPoller(self.loop)
        self.sock, self.client = pair()
        self.owner = Owner()

    def drive(self, core: HandshakeCore[str] | None = None) -> Driver[str]:
        return Driver(self.poller, self.sock, core or Greeting(), self.owner)

    def say(self, data: bytes) -> None:
        self.client.sendall(data)
        self.loop.settle()


@pytest.fixture
def made() -> Iterator[Fixture]:
    made = Fixture()
    yield made
    made.poller.close(made.sock)
    made.poller.stop()
    made.client.close()


def test_reads_until_the_core_has_something_to_tell(made: Fixture) -> None:
    made.drive()
    made.say(b"o")
    assert made.owner.events == []
    made.say(b"k")
    assert made.owner.events == ["welcomed"]
    assert made.client.recv(100) == b"welcome"


def test_pauses_after_an_event(made: Fixture) -> None:
    driver = made.drive()
    made.say(b"ok and")
    made.say(b" more")
    assert made.owner.events == ["welcomed"]
    # What came with the message is the core's to give away, and what came later was not read.
    assert driver.core.unread() == b" and"
    assert arrived(made.sock) == len(b" more")


def test_a_client_that_ends_while_the_driver_pauses_has_not_failed(made: Fixture) -> None:
    made.drive()
    made.say(b"ok")
    made.client.shutdown(socket.SHUT_WR)
    made.loop.settle()
    assert made.owner.failures == []


def test_a_reset_while_the_driver_pauses(made: Fixture) -> None:
    made.drive()
    made.say(b"ok")
    abort(made.client)
    made.loop.advance(0)
    assert made.owner.failure == (ConnectionResetError, True)


def test_the_next_watcher_takes_over(made: Fixture) -> None:
    made.drive()
    made.say(b"ok")
    told: list[int] = []

    class Next:
        def ready(self, events: int) -> None:
            told.append(events)
            made.poller.forget(made.sock)

        def abandon(self, error: Exception) -> None:
            raise AssertionError from error

    made.poller.watch(made.sock, 0x001, Next())
    made.say(b"more")
    assert told == [0x001]
    assert made.owner.failures == []


def test_a_refusal_is_sent_before_the_failure_is_told(made: Fixture) -> None:
    made.drive()
    made.client.sendall(b"no")
    made.loop.advance(0)
    assert made.owner.failure == (RemoteProtocolError, False)
    assert made.client.recv(100) == b"sorry"


def test_an_end_inside_the_handshake(made: Fixture) -> None:
    made.drive()
    made.client.sendall(b"o")
    made.client.shutdown(socket.SHUT_WR)
    made.loop.run_until(lambda: made.owner.failures)
    assert made.owner.failure == (Truncated, True)


def test_a_reset_inside_the_handshake(made: Fixture) -> None:
    made.drive()
    made.say(b"o")
    abort(made.client)
    made.loop.run_until(lambda: made.owner.failures)
    assert made.owner.failure == (ConnectionResetError, True)


def test_a_reset_that_is_noticed_while_answering(made: Fixture) -> None:
    driver = made.drive()
    made.client.sendall(b"ok")
    abort(made.client)
    made.loop.advance(0)
    # The answer went nowhere, and nobody is told of an event that cannot be answered.
    assert made.owner.events == []
    assert made.owner.failure[1] is True
    assert isinstance(made.owner.failures[0][0], OSError)
    assert driver.core.unread() == b""


def test_an_answer_that_does_not_fit(made: Fixture) -> None:
    core = Greeting()
    core.answer = bytes(50_000_000)
    made.drive(core)
    made.client.sendall(b"ok")
    made.loop.advance(0)
    assert made.owner.events == []
    assert made.owner.failure == (BlockingIOError, True)


def test_a_crash_ends_the_handshake(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    made.drive()
    made.client.sendall(b"XX")
    made.loop.advance(0)
    assert made.owner.failure == (ZeroDivisionError, True)
    assert "internal error, connection abandoned" in caplog.text


def test_one_read_takes_no_more_than_a_relay_may_hold(made: Fixture) -> None:
    driver = made.drive()
    made.client.sendall(b"ok" + bytes(60_000))
    made.loop.advance(0)
    assert len(driver.core.unread()) == 32 * 1024 - 2
    assert arrived(made.sock) == 60_002 - 32 * 1024


def test_flush_sends_what_the_core_says_later(made: Fixture) -> None:
    class Late(Greeting):
        def later(self) -> None:
            self._send(b"later")

    core = Late()
    driver = made.drive(core)
    made.say(b"ok")
    assert made.client.recv(100) == b"welcome"
    assert driver.flush()
    core.later()
    assert driver.flush()
    assert made.client.recv(100) == b"later"
    made.poller.close(made.sock)
    assert read_to_end(made.client) == (b"", "FIN")


def test_a_bad_handshake_leaves_no_circle_to_be_collected(made: Fixture) -> None:
    class Forgetful(Owner):
        def handshake_failed(self, error: Exception, ended: bool) -> None:
            self.failures.append((AuthenticationError(), ended))
            made.poller.forget(made.sock)

    def begin() -> None:
        made.owner = Forgetful()
        key = MasterKey.from_password(find("aes-128-gcm"), "barfoo!")
        core: Any = ServerHandshake(KeyRing.of(key))
        Driver(made.poller, made.sock, core, made.owner)

    begin()
    gc.collect()
    gc.disable()
    try:
        made.say(bytes(100))
        assert made.owner.failure == (AuthenticationError, False)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        ours = [each for each in gc.garbage if "annotated" in type(each).__module__]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert ours == []
