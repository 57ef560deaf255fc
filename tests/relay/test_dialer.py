import errno
import socket
from collections.abc import Callable, Iterator

import pytest

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import DialError, Error, PolicyRejected, ResolveError
from annotated_shadowsocks.relay.dialer import Dial, Dialer
from annotated_shadowsocks.relay.poller import READ, EpollPoller, LoopPoller, Poller
from annotated_shadowsocks.relay.sockets import SocketOptions
from annotated_shadowsocks.testing.loopback import (
    black_hole,
    listener,
    no_descriptors_left,
    open_descriptors,
)
from annotated_shadowsocks.testing.manual_loop import ManualLoop

#: Nobody listens there, and the kernel says so.
REFUSED = "127.0.0.3"
#: Where nothing is answered, in the tests that have a black hole there.
HANGING = "127.0.0.2"
#: The kernel refuses to dial it at all, and sends nothing.
IMPOSSIBLE = "255.255.255.255"

Answer = socket.socket | Error


class Names:
    """A ``Lookup`` with fixed answers; where it is ``slow``, the test gives them."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str] | ResolveError] = {}
        self.waiting: dict[str, Callable[[list[str] | ResolveError], None]] = {}
        self.cancelled: list[str] = []
        self.slow = False

    def __call__(
        self, host: str, done: Callable[[list[str] | ResolveError], None]
    ) -> Callable[[], object]:
        if self.slow:
            self.waiting[host] = done
            return lambda: self.cancelled.append(host)
        done(self.answers.get(host, [host]))
        return lambda: None


class Fixture:
    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.names = Names()
        self.answers: list[Answer] = []
        self.server = listener()
        self.port: int = self.server.getsockname()[1]
        self.dialer = self.new_dialer()

    def new_dialer(self, forbidden: str | None = None) -> Dialer:
        def check(literal: str) -> None:
            if literal == forbidden:
                raise PolicyRejected(literal, "forbidden")

        options = SocketOptions(keep_alive=44)
        return Dialer(self.poller, self.loop, self.names, check, options)

    def dial(self, *addresses: str, port: int | None = None) -> Dial:
        """Dial a name that has these addresses."""
        self.names.answers["name.test"] = list(addresses)
        endpoint = Endpoint("name.test", port or self.port)
        return self.dialer.dial(endpoint, self.answers.append)

    def answer(self) -> Answer:
        """The one answer, without any time passing."""
        self.loop.run_until(lambda: self.answers)
        [answer] = self.answers
        return answer

    def connected(self) -> socket.socket:
        sock = self.answer()
        assert isinstance(sock, socket.socket), sock
        return sock

    def error(self) -> Error:
        error = self.answer()
        assert isinstance(error, Error)
        return error


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    before = open_descriptors()
    made = Fixture(request.param)
    yield made
    for answer in made.answers:
        if isinstance(answer, socket.socket):
            made.poller.close(answer)
    assert len(made.poller) == 0, "an attempt is still watched"
    assert len(made.dialer.deadlines) == 0
    made.dialer.deadlines.clear()
    assert made.loop.timers() == []
    made.poller.stop()
    made.server.close()
    assert open_descriptors() == before


# -- one address ----------------------------------------------------------------------------------


def test_gives_a_connected_socket(made: Fixture) -> None:
    made.dial("127.0.0.1")
    sock = made.connected()
    assert sock.getpeername() == ("127.0.0.1", made.port)
    assert not sock.getblocking()
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 44


def test_dials_ipv6(made: Fixture) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        made.dial("::1", port=server.getsockname()[1])
        assert made.connected().getpeername()[:2] == ("::1", server.getsockname()[1])


def test_an_address_needs_no_name_server(made: Fixture) -> None:
    made.dialer.dial(Endpoint("127.0.0.1", made.port), made.answers.append)
    made.connected()


def test_refused(made: Fixture) -> None:
    made.dial(REFUSED)
    error = made.error()
    assert isinstance(error, DialError)
    assert error.errno == errno.ECONNREFUSED
    assert str(error) == f"cannot connect to name.test:{made.port}: Connection refused"


def test_an_address_that_cannot_be_dialled(made: Fixture) -> None:
    made.dial(IMPOSSIBLE)
    # Told at once, before anything was watched.
    assert isinstance(made.answers[0], DialError)


def test_no_address(made: Fixture) -> None:
    made.dial()
    assert str(made.error()) == f"cannot connect to name.test:{made.port}: no address"


def test_unknown_name(made: Fixture) -> None:
    made.names.answers["name.test"] = ResolveError("no such name")
    made.dialer.dial(Endpoint("name.test", 80), made.answers.append)
    assert str(made.error()) == "no such name"


def test_times_out(made: Fixture) -> None:
    with black_hole(HANGING) as port:
        made.dial(HANGING, port=port)
        made.loop.advance(9.9)
        assert made.answers == []
        made.loop.advance(0.1)
    error = made.error()
    assert isinstance(error, DialError)
    assert error.errno == errno.ETIMEDOUT
    assert str(error) == f"cannot connect to name.test:{port}: timed out"


# -- several addresses ----------------------------------------------------------------------------


def test_the_next_is_tried_after_a_quarter_of_a_second(made: Fixture) -> None:
    with black_hole(HANGING, made.port):
        made.dial(HANGING, "127.0.0.1")
        made.loop.advance(0.24)
        assert len(made.poller) == 1
        made.loop.advance(0.01)
        # The first that connects wins, and the other is given up: see the fixture.
        assert made.connected().getpeername()[0] == "127.0.0.1"


def test_a_refusal_of_the_second_leaves_the_first_its_time(made: Fixture) -> None:
    with black_hole(HANGING) as port:
        made.dial(HANGING, REFUSED, port=port)
        made.loop.advance(0.25)
        made.loop.run_until(lambda: len(made.poller) == 1)
        made.loop.advance(9.7)
        assert made.answers == []
        made.loop.advance(0.1)
    assert str(made.error()).endswith("timed out")


def test_the_next_is_tried_at_once_after_a_refusal(made: Fixture) -> None:
    made.dial(REFUSED, IMPOSSIBLE, REFUSED, "127.0.0.1")
    # No time has passed.
    assert made.connected().getpeername()[0] == "127.0.0.1"


def test_a_refusal_of_the_second_does_not_wait_for_the_third(made: Fixture) -> None:
    with black_hole(HANGING, made.port):
        made.dial(HANGING, REFUSED, "127.0.0.1")
        made.loop.advance(0.25)
        assert made.connected().getpeername()[0] == "127.0.0.1"


def test_all_refused(made: Fixture) -> None:
    made.dial(REFUSED, "127.0.0.4", IMPOSSIBLE)
    error = made.error()
    assert isinstance(error, DialError)
    assert error.errno is not None


def test_each_address_has_the_time_that_is_left(made: Fixture) -> None:
    with black_hole(HANGING, made.port):
        made.dial(*[HANGING] * 100)
        made.loop.advance(10)
    assert str(made.error()).endswith("timed out")


# -- policy ---------------------------------------------------------------------------------------


def test_what_is_forbidden_is_not_dialled(made: Fixture) -> None:
    made.dialer = made.new_dialer(forbidden="127.0.0.1")
    made.dial("127.0.0.1")
    error = made.error()
    assert isinstance(error, PolicyRejected)
    assert str(error) == "127.0.0.1 refused by rule: forbidden"
    with pytest.raises(BlockingIOError):
        made.server.accept()


def test_what_else_a_name_has_is_dialled(made: Fixture) -> None:
    made.dialer = made.new_dialer(forbidden=HANGING)
    made.dial(HANGING, "127.0.0.1")
    # Without a turn for the forbidden one.
    assert made.connected().getpeername()[0] == "127.0.0.1"


def test_the_network_has_the_last_word(made: Fixture) -> None:
    made.dialer = made.new_dialer(forbidden="127.0.0.1")
    made.dial("127.0.0.1", REFUSED)
    assert isinstance(made.error(), DialError)


def test_the_literal_that_was_checked_is_the_one_that_is_dialled(made: Fixture) -> None:
    asked: list[str] = []
    made.dialer.check = asked.append
    made.dial("127.0.0.1")
    assert asked == [made.connected().getpeername()[0]]


def test_no_check_forbids_nothing(made: Fixture) -> None:
    made.dialer.check = None
    made.dial("127.0.0.1")
    made.connected()


# -- giving up ------------------------------------------------------------------------------------


def test_cancelled_while_the_name_is_looked_up(made: Fixture) -> None:
    made.names.slow = True
    dial = made.dial("127.0.0.1")
    dial.cancel()
    dial.cancel()
    assert made.names.cancelled[0] == "name.test"
    # A resolver that answers all the same is not heard.
    made.names.waiting["name.test"](["127.0.0.1"])
    made.loop.settle()
    assert made.answers == []


def test_cancelled_while_it_connects(made: Fixture) -> None:
    with black_hole(HANGING, made.port):
        dial = made.dial(HANGING, "127.0.0.1")
        dial.cancel()
        made.loop.advance(20)
    assert made.answers == []


def test_cancelled_when_it_is_over(made: Fixture) -> None:
    dial = made.dial("127.0.0.1")
    sock = made.connected()
    dial.cancel()
    # The socket is its new owner's.
    assert sock.fileno() >= 0


def test_times_out_while_the_name_is_looked_up(made: Fixture) -> None:
    made.names.slow = True
    made.dial("127.0.0.1")
    made.loop.advance(10)
    assert made.names.cancelled == ["name.test"]
    assert str(made.error()).endswith("timed out")


# -- trouble of our own ---------------------------------------------------------------------------


def test_out_of_descriptors(made: Fixture) -> None:
    with no_descriptors_left():
        made.dial("127.0.0.1")
        error = made.error()
    assert isinstance(error, DialError)
    assert error.errno == errno.EMFILE
    made.answers.clear()
    made.dial("127.0.0.1")
    made.connected()


def test_whoever_gets_the_socket_may_fail(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    given: list[socket.socket] = []

    def done(answer: Answer) -> None:
        assert isinstance(answer, socket.socket)
        given.append(answer)
        raise ZeroDivisionError("boom")

    made.dialer.dial(Endpoint("127.0.0.1", made.port), done)
    made.loop.run_until(lambda: given and given[0].fileno() == -1)
    assert "internal error, connection abandoned: ZeroDivisionError('boom')" in caplog.text


def test_a_spurious_event_is_no_connection(made: Fixture) -> None:
    with black_hole(HANGING) as port:
        dial = made.dial(HANGING, port=port)
        [attempt] = made.poller._watchers.values()
        attempt.ready(READ)
        made.loop.settle()
        assert made.answers == []
        dial.cancel()
