import errno
import gc
import socket
from collections.abc import Iterator

import pytest

from annotated_shadowsocks.crypto.methods import Generation, find, of_generation
from annotated_shadowsocks.errors import AuthenticationError, Truncated
from annotated_shadowsocks.relay.endings import Endings
from annotated_shadowsocks.relay.poller import EpollPoller, LoopPoller, Poller, Scratch
from annotated_shadowsocks.relay.stream_relay import Codec, Plain, StreamRelay
from annotated_shadowsocks.shadowsocks.aead_stream import AeadDecoder, AeadEncoder
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.testing.loopback import (
    abort,
    arrived,
    black_hole,
    open_descriptors,
    pair,
    read_to_end,
)
from annotated_shadowsocks.testing.manual_loop import ManualLoop
from annotated_shadowsocks.testing.relay import (
    GROUNDS,
    SCENARIOS,
    Ground,
    MakeRelay,
    check_stream_relay,
)

# -- the promises, on every ground ----------------------------------------------------------------


def plain(ground: Ground, one: socket.socket, two: socket.socket) -> None:
    """One relay that changes nothing."""
    ground.relay((one, Plain()), (two, Plain()))


def tunnel(method: str) -> MakeRelay:
    """Two relays in a chain, as sslocal and ssserver are: the first seals, the second opens."""

    def make(ground: Ground, one: socket.socket, two: socket.socket) -> None:
        key = MasterKey.from_password(find(method), "barfoo!")
        salts = bytes(range(64))
        size = key.method.salt_size
        here, there = ground.pair()
        ground.relay((one, AeadEncoder(key, salts[:size])), (here, AeadDecoder(key)))
        ground.relay((there, AeadDecoder(key)), (two, AeadEncoder(key, salts[-size:])))

    return make


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_plain_relay(ground: str, scenario: str) -> None:
    check_stream_relay(ground, plain, scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("ground", [ground for ground in GROUNDS if ground != "relay"])
def test_tunnel(ground: str, scenario: str) -> None:
    check_stream_relay(ground, tunnel("chacha20-ietf-poly1305"), scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("method", of_generation(Generation.AEAD))
def test_tunnel_of_each_method(method: str, scenario: str) -> None:
    check_stream_relay("relay", tunnel(method), scenario)


# -- one relay, step by step ----------------------------------------------------------------------

KEY = MasterKey.from_password(find("aes-128-gcm"), "barfoo!")
SALT = bytes(range(16))


class Owner:
    def __init__(self) -> None:
        self.errors: list[Exception | None] = []

    def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
        assert relay.over
        self.errors.append(error)


class Fixture:
    """A relay between ``client`` and ``target``, the test's own ends."""

    def __init__(self, new_poller: type[EpollPoller | LoopPoller]) -> None:
        self.loop = ManualLoop()
        self.poller: Poller = new_poller(self.loop)
        self.endings = Endings(self.poller, self.loop)
        self.owner = Owner()
        self.near, self.client = pair()
        self.far, self.target = pair()

    def relay(self, near: Codec | None = None, far: Codec | None = None) -> StreamRelay:
        legs = (self.near, near or Plain()), (self.far, far or Plain())
        return StreamRelay(self.poller, self.endings, self.owner, *legs)

    def start(self, near: Codec | None = None, far: Codec | None = None) -> StreamRelay:
        relay = self.relay(near, far)
        relay.start()
        return relay

    def say(self, data: bytes) -> None:
        """The client sends, and the relay does what there is to do."""
        self.client.sendall(data)
        self.loop.settle()

    @property
    def error(self) -> Exception | None:
        [error] = self.owner.errors
        return error

    def client_is_met_with_silence(self) -> bool:
        """Nothing is said to it, and it is heard to its end."""
        self.client.sendall(bytes(100))
        self.loop.settle()
        taken = arrived(self.near) == 0
        self.client.shutdown(socket.SHUT_WR)
        self.loop.settle()
        return taken and read_to_end(self.client) == (b"", "FIN")


@pytest.fixture(params=[EpollPoller, LoopPoller])
def made(request: pytest.FixtureRequest) -> Iterator[Fixture]:
    before = open_descriptors()
    made = Fixture(request.param)
    yield made
    assert len(made.owner.errors) == 1, "the owner is told of the end, and once"
    assert (len(made.poller), len(made.endings)) == (0, 0)
    made.poller.stop()
    made.client.close()
    made.target.close()
    assert open_descriptors() == before


def sealed(*chunks: bytes) -> bytes:
    """A stream of these chunks, with the salt in front."""
    encoder = AeadEncoder(KEY, SALT)
    wire = b""
    for chunk in chunks:
        out = memoryview(bytearray(1 << 17))
        wire += out[: encoder.convert(memoryview(chunk), out)[1]]
    return wire


#: Offsets at which chunks of SMALL end: its salt, and two chunks of three octets.
SMALL = sealed(b"one", b"two")
ENDS = {0: b"", 16 + 18 + 19: b"one", 16 + 2 * (18 + 19): b"onetwo"}


def opened(cut: int) -> bytes:
    """What the first ``cut`` octets of SMALL say."""
    return max((text for end, text in ENDS.items() if end <= cut), key=len)


def test_small_is_what_it_is_taken_for() -> None:
    assert len(SMALL) == max(ENDS)


@pytest.mark.parametrize("cut", range(len(SMALL) + 1))
def test_an_eof_at_every_octet(made: Fixture, cut: int) -> None:
    made.start(AeadDecoder(KEY), AeadEncoder(KEY, SALT))
    made.say(SMALL[:cut])
    made.client.shutdown(socket.SHUT_WR)
    made.loop.settle()
    whole = cut in ENDS
    if whole:
        # The other direction goes on until it ends too.
        made.target.shutdown(socket.SHUT_WR)
        made.loop.settle()
        assert made.error is None
    else:
        made.loop.advance(0.05)
        assert isinstance(made.error, Truncated)
    assert read_to_end(made.target) == (opened(cut), "FIN" if whole else "RST")
    assert read_to_end(made.client) == (b"", "FIN")


@pytest.mark.parametrize("cut", range(len(SMALL) + 1))
def test_a_reset_at_every_octet(made: Fixture, cut: int) -> None:
    made.start(AeadDecoder(KEY), AeadEncoder(KEY, SALT))
    made.client.sendall(SMALL[:cut])
    abort(made.client)
    made.loop.settle()
    made.loop.advance(0.05)
    assert isinstance(made.error, ConnectionResetError)
    assert read_to_end(made.target) == (opened(cut), "RST")


def test_a_forged_chunk_ends_behind_the_good_ones(made: Fixture) -> None:
    made.start(AeadDecoder(KEY), AeadEncoder(KEY, SALT))
    made.say(SMALL[:-1] + b"?" + bytes(1000))
    made.loop.advance(0.05)
    assert isinstance(made.error, AuthenticationError)
    assert read_to_end(made.target) == (b"one", "RST")
    assert made.client_is_met_with_silence()


def test_what_the_handshake_left_over(made: Fixture) -> None:
    decoder = AeadDecoder(KEY)
    wire = sealed(b"address", b"payload", b"more", b"last")
    # The handshake has opened two chunks, and has a part of the third in hand.
    out = memoryview(bytearray(100))
    head, residue, rest = wire[: 16 + 41 + 41], wire[98:110], wire[110:]
    assert decoder.convert(memoryview(head), out) == (98, 14)
    made.relay(decoder, AeadEncoder(KEY, SALT)).start(b"payload", residue)
    made.say(rest)
    made.client.shutdown(socket.SHUT_WR)
    made.target.shutdown(socket.SHUT_WR)
    made.loop.settle()
    assert read_to_end(made.target) == (b"payloadmorelast", "FIN")


def test_a_forged_chunk_that_came_with_the_handshake(made: Fixture) -> None:
    decoder = AeadDecoder(KEY)
    out = memoryview(bytearray(100))
    wire = SMALL[:-1] + b"?"
    taken, _ = decoder.convert(memoryview(wire), out)
    assert decoder.error is not None
    made.relay(decoder, AeadEncoder(KEY, SALT)).start(b"payload", wire[taken:])
    # Nothing more comes from the client, and nothing need come.
    made.loop.settle()
    made.loop.advance(0.05)
    assert isinstance(made.error, AuthenticationError)
    assert read_to_end(made.target) == (b"payload", "RST")
    assert made.client_is_met_with_silence()


def test_an_encoders_head_travels_with_the_first_octets(made: Fixture) -> None:
    made.start(AeadEncoder(KEY, SALT, b"address"), AeadDecoder(KEY))
    made.say(b"payload")
    assert made.target.recv(1000) == sealed(b"addresspayload")
    finish(made)


def test_an_encoders_head_travels_alone_where_nothing_comes(made: Fixture) -> None:
    relay = made.start(AeadEncoder(KEY, SALT, b"address"), AeadDecoder(KEY))
    relay.near.push(b"")
    assert made.target.recv(1000) == sealed(b"address")
    relay.near.push(b"payload")
    assert made.target.recv(1000) == sealed(b"address", b"payload")[16 + 41 :]
    finish(made)


def test_an_encoders_head_travels_before_an_eof(made: Fixture) -> None:
    made.start(AeadEncoder(KEY, SALT, b"address"), AeadDecoder(KEY))
    finish(made)
    assert read_to_end(made.target) == (sealed(b"address"), "FIN")


def finish(made: Fixture) -> None:
    made.client.shutdown(socket.SHUT_WR)
    made.target.shutdown(socket.SHUT_WR)
    made.loop.settle()
    assert made.error is None


def test_a_crash_ends_one_relay(made: Fixture, caplog: pytest.LogCaptureFixture) -> None:
    class Crashing(Plain):
        def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
            raise ZeroDivisionError

    made.start(Crashing())
    made.say(b"x")
    made.loop.advance(0.05)
    assert isinstance(made.error, ZeroDivisionError)
    assert read_to_end(made.target) == (b"", "RST")
    assert "connection abandoned: ZeroDivisionError()" in caplog.text


def test_abort_resets_both(made: Fixture) -> None:
    relay = made.start()
    made.say(b"x")
    relay.abort()
    relay.abort()
    assert made.error is None
    assert read_to_end(made.target) == (b"x", "RST")
    assert read_to_end(made.client) == (b"", "RST")


def test_late_errors_of_a_relay_that_is_over(made: Fixture) -> None:
    relay = made.start()
    near = relay.near
    relay.abort()
    relay.broken(near, OSError())
    relay.forged(near, AuthenticationError())
    near.abandon(RuntimeError())
    assert made.error is None


def test_an_owner_that_fails_leaves_no_socket_open(
    made: Fixture, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Owner):
        def relay_ended(self, relay: StreamRelay, error: Exception | None) -> None:
            super().relay_ended(relay, error)
            raise ZeroDivisionError

    made.owner = Failing()
    made.start()
    abort(made.client)
    made.loop.settle()
    assert (made.near.fileno(), made.far.fileno()) == (-1, -1)
    assert "ZeroDivisionError" in caplog.text


def test_nothing_is_sent_to_whoever_is_gone(made: Fixture) -> None:
    # The send is what finds out: no event of the target's has been told yet.
    relay = made.start()
    made.target.sendall(b"last words")
    abort(made.target)
    relay.near.push(b"x")
    made.loop.advance(0.05)
    assert isinstance(made.error, ConnectionResetError)
    assert read_to_end(made.client) == (b"last words", "RST")


def test_last_words_behind_an_eof(made: Fixture) -> None:
    # An answer, an orderly end, and then a reset for what the client still sends.
    relay = made.start()
    made.target.sendall(b"last words")
    made.target.close()
    made.client.sendall(b"x")
    relay.near.push(b"x")
    made.loop.settle()
    made.loop.advance(0.05)
    octets, _ = read_to_end(made.client)
    assert octets == b"last words"


@pytest.mark.parametrize("small", [True, False])
def test_what_is_held_when_the_reader_stops(made: Fixture, small: bool) -> None:
    if small:
        made.target.close()
        made.far.close()
        made.far, made.target = pair(16 * 1024)
    relay = made.start()
    made.client.setblocking(False)
    held = idle = 0
    while idle < 3:
        try:
            made.client.send(bytes(500_000))
            idle = 0
        except BlockingIOError:
            idle += 1
        made.loop.settle()
        held = max(held, len(relay.far.pending))
    assert 0 < held <= Scratch.LIMIT
    relay.abort()


def test_both_ends_are_here_and_the_last_octets_are_stuck(made: Fixture) -> None:
    made.target.close()
    made.far.close()
    made.far, made.target = pair(16 * 1024)
    relay = made.start()
    made.client.setblocking(False)
    sent, full = b"", 0
    # Until the kernel takes no more on any side: the relay has stopped to read, and what it has
    # not read waits for it with the FIN behind it.
    while full < 3:
        try:
            sent += bytes(made.client.send(bytes(8 * 1024)))
            full = 0
        except BlockingIOError:
            full += 1
        made.loop.settle()
    made.client.settimeout(30)
    made.target.shutdown(socket.SHUT_WR)
    made.client.shutdown(socket.SHUT_WR)
    # A hang-up cannot be ignored, only forgotten: settling would find a spin.
    made.loop.settle()
    assert arrived(made.near) > 0
    assert read_to_end(made.client) == (b"", "FIN")
    made.target.setblocking(False)
    heard = b""
    while len(heard) < len(sent):
        try:
            heard += made.target.recv(65536)
        except BlockingIOError:
            pass
        made.loop.settle()
    assert heard == sent
    made.loop.run_until(lambda: relay.over)
    assert made.error is None


def test_an_eof_while_the_connection_is_still_being_made(made: Fixture) -> None:
    # As after a fast open: the socket was given before the network has answered.
    made.far.close()
    made.target.close()
    with black_hole("127.0.0.2") as port:
        made.far = socket.socket()
        made.far.setblocking(False)
        assert made.far.connect_ex(("127.0.0.2", port)) == errno.EINPROGRESS
        relay = made.start()
        made.client.sendall(b"question")
        made.client.shutdown(socket.SHUT_WR)
        made.loop.settle()
        # Shut down now, it would be no connection any more, and the question would be lost.
        assert made.far.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\x02"
        assert bytes(relay.far.pending) == b"question"
        relay.abort()


def test_an_eof_reaches_a_connection_that_was_still_being_made(made: Fixture) -> None:
    made.far.close()
    made.target.close()
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    first = socket.create_connection(server.getsockname())
    made.far = socket.socket()
    made.far.setblocking(False)
    made.far.connect_ex(server.getsockname())
    made.start()
    made.client.shutdown(socket.SHUT_WR)
    made.loop.settle()
    # Room for one: the SYN that the kernel sends again after a second is answered.
    server.accept()[0].close()
    first.close()
    server.settimeout(30)
    made.target, _ = server.accept()
    server.close()
    made.target.settimeout(30)
    made.loop.run_until(lambda: arrived_eof(made.target))
    made.target.sendall(b"answer")
    made.target.shutdown(socket.SHUT_WR)
    made.loop.settle()
    assert read_to_end(made.client) == (b"answer", "FIN")
    assert made.error is None


def arrived_eof(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False
    finally:
        sock.settimeout(30)


@pytest.mark.parametrize("end", ["FIN", "RST", "forged", "truncated"])
def test_an_end_leaves_nothing_to_be_collected(made: Fixture, end: str) -> None:
    made.start(AeadDecoder(KEY), AeadEncoder(KEY, SALT))
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        made.say(SMALL if end != "truncated" else SMALL[:-1])
        made.target.sendall(b"answer")
        if end == "RST":
            abort(made.client)
        elif end == "forged":
            made.say(bytes(100))
        made.client.close()
        made.target.close()
        made.loop.settle()
        made.loop.advance(1)
        gc.collect()
        ours = [each for each in gc.garbage if type(each).__module__.startswith("annotated")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert len(made.owner.errors) == 1
    assert ours == []
