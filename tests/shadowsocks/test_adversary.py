"""Two endpoints and a network that hates them.

The network holds every octet. It may deliver, cut, change, swap, reflect and replay what it likes,
whenever it likes, and set the clock. What may come out is little: of each stream, at its server, a
beginning of what its client said, and the other way round; and no stream's beginning twice.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import RemoteProtocolError
from annotated_shadowsocks.shadowsocks.credentials import client_keys, server_keys
from annotated_shadowsocks.shadowsocks.handshake import TunnelRequested
from annotated_shadowsocks.shadowsocks.replay import HASH_KEY_SIZE, ReplayStore
from annotated_shadowsocks.shadowsocks.timestamp import MAX_SKEW, Timestamps
from annotated_shadowsocks.shadowsocks.tunnel import (
    Decoder,
    ServerCore,
    client_codecs,
    server_handshake,
)

PSK_16, USER_16 = "MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="
PSK_32 = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

#: Methods with the client's password, the server's, and its users.
KEYS: dict[str, tuple[str, str, list[tuple[str, str]] | None]] = {
    "aes-128-gcm": ("correct horse", "correct horse", None),
    "chacha20-ietf-poly1305": ("correct horse", "correct horse", None),
    "xchacha20-ietf-poly1305": ("correct horse", "correct horse", None),
    "2022-blake3-aes-128-gcm": (PSK_16, PSK_16, None),
    "2022-blake3-aes-256-gcm": (PSK_32, PSK_32, None),
    "2022-blake3-chacha20-poly1305": (PSK_32, PSK_32, None),
    "2022-blake3-aes-128-gcm with users": (f"{PSK_16}:{USER_16}", PSK_16, [("user", USER_16)]),
}

CAPACITY = 100
TARGET = Endpoint("origin.test", 443)
payloads = st.binary(min_size=1, max_size=40)
OUT = memoryview(bytearray(1 << 16))


class Chance:
    """Entropy that never repeats and that a failing example draws again."""

    def __init__(self) -> None:
        self.drawn = 0

    def __call__(self, size: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(size, "big")


@dataclass
class Flight:
    """One direction of one stream: what its sender has said, and what the network holds of it."""

    said: bytes = b""
    sealed: bytes = b""
    taken: int = 0
    heard: bytes = b""


@dataclass
class Stream:
    """A stream as its client began it, and what serves it."""

    encoder: object
    decoder: Decoder
    server: ServerCore
    up: Flight = field(default_factory=Flight)
    down: Flight = field(default_factory=Flight)
    answering: object = None
    over: bool = False
    ended: bool = False


class Adversary(RuleBasedStateMachine):
    """The rules are what the network and its victims may do."""

    name = ""
    streams = Bundle("streams")

    @initialize()
    def begin(self) -> None:
        client, server, users = KEYS[self.name]
        method = TABLE[self.name.partition(" ")[0]]
        self.client_keys = client_keys(method, client)
        self.server_keys = server_keys(method, server, users)
        self.now = 1_700_000_000.0
        self.chance = Chance()
        self.timestamps = Timestamps(lambda: self.now)
        # Two memories: the server's, and the client's.
        self.salts, self.own_salts = self.store(), self.store()
        #: What opened a stream at the server, so that nothing does it twice.
        self.opened: set[bytes] = set()

    def store(self) -> ReplayStore:
        size = ReplayStore.required_size(CAPACITY)
        return ReplayStore(bytearray(size), bytes(HASH_KEY_SIZE), capacity=CAPACITY)

    def new_server(self) -> ServerCore:
        return server_handshake(self.server_keys, self.salts, self.timestamps)

    @rule(target=streams)
    def a_client_connects(self) -> Stream:
        codecs = client_codecs(
            self.client_keys, TARGET, self.own_salts, self.timestamps, self.chance
        )
        return Stream(*codecs, self.new_server())

    @rule(stream=streams, payload=payloads)
    def the_client_says(self, stream: Stream, payload: bytes) -> None:
        stream.up.said += payload
        stream.up.sealed += convert(stream.encoder, payload)

    @rule(stream=streams, payload=payloads)
    @precondition(lambda self: self.opened)
    def the_server_says(self, stream: Stream, payload: bytes) -> None:
        if stream.answering is not None:
            stream.down.said += payload
            stream.down.sealed += convert(stream.answering, payload)

    @rule(stream=streams, size=st.integers(1, 200))
    def up(self, stream: Stream, size: int) -> None:
        """Octets in order, as many as the network likes."""
        self.to_server(stream, self.take(stream.up, size))

    @rule(stream=streams)
    def up_all(self, stream: Stream) -> None:
        """Everything at once, as a network without malice does."""
        self.to_server(stream, self.take(stream.up, len(stream.up.sealed)))

    @rule(stream=streams, size=st.integers(1, 200))
    def down(self, stream: Stream, size: int) -> None:
        self.to_client(stream, self.take(stream.down, size))

    @rule(stream=streams)
    def down_all(self, stream: Stream) -> None:
        self.to_client(stream, self.take(stream.down, len(stream.down.sealed)))

    @rule(stream=streams, at=st.integers(0, 300), bit=st.integers(0, 7), upward=st.booleans())
    def flip(self, stream: Stream, at: int, bit: int, upward: bool) -> None:
        """Change a bit of what is on its way."""
        flight = stream.up if upward else stream.down
        place = flight.taken + at
        if place < len(flight.sealed):
            changed = bytearray(flight.sealed)
            changed[place] ^= 1 << bit
            flight.sealed = bytes(changed)

    @rule(stream=streams, size=st.integers(1, 400))
    def replay(self, stream: Stream, size: int) -> None:
        """What was said before, to a server that has not heard it on this connection."""
        self.stranger(stream.up.sealed[:size])

    @rule(stream=streams)
    def reflect_to_server(self, stream: Stream) -> None:
        self.stranger(stream.down.sealed)

    @rule(stream=streams, other=streams)
    def swap_down(self, stream: Stream, other: Stream) -> None:
        """The answer to one client, to another."""
        # [SIP022] an answer names its request. SIP004 has nothing like it: there an answer
        # is whoever's it reaches first, which this machine found and nobody can mend.
        if other is not stream and "2022" in self.name:
            self.to_client(stream, other.down.sealed)

    @rule(stream=streams)
    def reflect_to_client(self, stream: Stream) -> None:
        self.to_client(stream, stream.up.sealed)

    @rule(stream=streams)
    def end_up(self, stream: Stream) -> None:
        if not stream.ended and not stream.over and stream.answering is None:
            stream.ended = True
            stream.server.receive_eof()
            self.hear(stream)

    @rule(seconds=st.sampled_from([1, MAX_SKEW, MAX_SKEW + 1, 3600, -1, -MAX_SKEW, -3600]))
    def set_clock(self, seconds: int) -> None:
        self.now += seconds

    def take(self, flight: Flight, size: int) -> bytes:
        octets = flight.sealed[flight.taken : flight.taken + size]
        flight.taken += len(octets)
        return octets

    def to_server(self, stream: Stream, octets: bytes) -> None:
        if stream.over or stream.ended or not octets:
            return
        if stream.answering is None:
            stream.server.receive_data(octets)
            self.hear(stream)
        else:
            stream.up.heard += self.open(stream.server.decoder, stream, octets, upward=True)
        assert stream.up.said.startswith(stream.up.heard)

    def hear(self, stream: Stream) -> None:
        """The server's core has something new."""
        try:
            event = stream.server.next_event()
        except RemoteProtocolError:
            stream.over = True
            return
        if isinstance(event, TunnelRequested):
            assert event.dst == TARGET
            self.open_once(stream.up.sealed)
            stream.up.heard += event.payload
            stream.answering = stream.server.encoder(self.chance)
            rest = stream.server.unread()
            stream.up.heard += self.open(stream.server.decoder, stream, rest, upward=True)

    def open_once(self, sealed: bytes) -> None:
        salt = sealed[: self.server_keys.method.salt_size]
        assert salt not in self.opened
        self.opened.add(salt)

    def to_client(self, stream: Stream, octets: bytes) -> None:
        if not stream.over and octets:
            stream.down.heard += self.open(stream.decoder, stream, octets, upward=False)
            assert stream.down.said.startswith(stream.down.heard)

    def open(self, decoder: Decoder, stream: Stream, octets: bytes, upward: bool) -> bytes:
        """What ``decoder`` makes of ``octets`` and of what it left before; an error ends it."""
        kept = self.kept.setdefault((id(stream), upward), bytearray())
        kept += octets
        taken, made = decoder.convert(memoryview(bytes(kept)), OUT)
        del kept[:taken]
        if decoder.error is not None:
            stream.over = True
        return bytes(OUT[:made])

    def stranger(self, octets: bytes) -> None:
        """A connection of the network's own."""
        server = self.new_server()
        server.receive_data(octets)
        try:
            event = server.next_event()
        except RemoteProtocolError:
            return
        # A genuine beginning may be brought by a stranger, once: the network may be the first.
        if isinstance(event, TunnelRequested):
            self.open_once(octets)

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[int, bool], bytearray] = {}


def convert(encoder: object, payload: bytes) -> bytes:
    taken, made = encoder.convert(memoryview(payload), OUT)  # type: ignore[attr-defined]
    assert taken == len(payload)
    return bytes(OUT[:made])


@pytest.mark.parametrize("name", KEYS)
def test_nothing_comes_out_that_was_not_said(name: str) -> None:
    run_state_machine_as_test(type("Adversary", (Adversary,), {"name": name}))


@pytest.mark.parametrize("name", KEYS)
def test_without_malice_everything_comes_out(name: str) -> None:
    # The positive control: the machine's own plumbing carries what is said.
    machine = type("Adversary", (Adversary,), {"name": name})()
    machine.begin()
    stream = machine.a_client_connects()
    for word in (b"one", b"two"):
        machine.the_client_says(stream, word)
        machine.up_all(stream)
        machine.the_server_says(stream, word * 2)
        machine.down_all(stream)
    assert (stream.up.heard, stream.down.heard) == (b"onetwo", b"oneonetwotwo")
    machine.replay(stream, 400)
    assert len(machine.opened) == 1
