"""The server's side of SIP022; the probes are those of a censor: what each of them can learn."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    ClockSkewError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.aead2022_handshake import (
    HopChosen,
    RelayHandshake,
    ServerHandshake,
)
from annotated_shadowsocks.shadowsocks.aead2022_stream import RequestEncoder
from annotated_shadowsocks.shadowsocks.handshake import TunnelRequested
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.testing.chunking import Outcome, check, run_core
from annotated_shadowsocks.testing.sip022 import (
    TARGET,
    TIME,
    VECTORS,
    Vector,
    scripted,
    timestamps,
)
from annotated_shadowsocks.wire import address
from annotated_shadowsocks.wire.core import NEED_DATA, PAUSED

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

AES = VECTORS["2022-blake3-aes-128-gcm"]
HELLO = TunnelRequested(TARGET, b"hello")
ADDRESS = address.encode(TARGET)


class Salts:
    """The plainest guard there is."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        fresh = salt not in self.seen
        self.seen.add(salt)
        return fresh


def server(
    vector: Vector = AES, ahead: float = 0, salts: Salts | None = None, keys: KeyTable | None = None
) -> ServerHandshake:
    keys = keys or KeyTable(vector.psk)
    return ServerHandshake(keys, salts or Salts(), timestamps(ahead))


def with_users(vector: Vector) -> KeyTable:
    other = PreSharedKey(vector.method, bytes(vector.method.key_size))
    return KeyTable(vector.psk, [User("alice", other), User("bob", vector.upsk)])


def told(core: ServerHandshake, *reads: bytes) -> object:
    """The event after ``reads``; raises what they deserve."""
    event: object = NEED_DATA
    for read in reads:
        core.receive_data(read)
        event = core.next_event()
        assert core.data_to_send() == b""
    return event


def request(
    variable: bytes,
    kind: int = 0,
    timestamp: int = TIME,
    length: int | None = None,
    psk: PreSharedKey = AES.psk,
    salt: bytes = AES.request_salt,
) -> bytes:
    """A request as no encoder of ours would make it."""
    box, wire = psk.session(salt), salt
    fixed = struct.pack(">BQH", kind, timestamp, len(variable) if length is None else length)
    for counter, plain in enumerate((fixed, variable)):
        out = bytearray(len(plain) + 16)
        box.encrypt_into(counter.to_bytes(12, "little"), plain, None, out)
        wire += out
    return wire


PADDED = ADDRESS + bytes([0, 1, 0])


# --- what is well -------------------------------------------------------------------------------


@every_vector
def test_the_vector_is_a_request(vector: Vector) -> None:
    core = server(vector)
    assert told(core, vector.request) == HELLO
    assert core.next_event() is PAUSED
    assert core.user == ""
    rest, out = memoryview(core.unread()), bytearray(100)
    taken, made = core.decoder.convert(rest, memoryview(out))
    assert (taken, bytes(out[:made])) == (len(rest), b"again")
    assert core.unread() == b""


@with_identity
def test_the_vector_with_an_identity_header_is_a_users_request(vector: Vector) -> None:
    core = server(vector, keys=with_users(vector))
    assert told(core, vector.identity_request) == HELLO
    assert core.user == "bob"


@every_vector
def test_the_answer_gives_the_vector(vector: Vector) -> None:
    core = server(vector)
    told(core, vector.request)
    out = bytearray(200)
    encoder = core.encoder(scripted(vector.response_salt))
    _, made = encoder.convert(memoryview(b"world"), memoryview(out))
    assert out[:made] == vector.response


@with_identity
def test_the_answer_to_a_user_is_under_the_users_key(vector: Vector) -> None:
    core = server(vector, keys=with_users(vector))
    told(core, vector.identity_request)
    out, plain = bytearray(200), bytearray(1 + 8 + vector.method.salt_size + 2)
    core.encoder(scripted(vector.response_salt)).convert(memoryview(b"world"), memoryview(out))
    head = out[vector.method.salt_size :][: len(plain) + 16]
    vector.upsk.session(vector.response_salt).decrypt_into(bytes(12), head, None, plain)
    assert plain[9:-2] == vector.request_salt


def test_no_answer_before_a_request() -> None:
    with pytest.raises(LocalProtocolError):
        server().encoder(scripted(AES.response_salt))


@every_vector
def test_behind_the_first_read_cuts_mean_nothing(vector: Vector) -> None:
    # The law of all decoders, with the one exception of this protocol.
    head = vector.method.salt_size + 11 + 16
    wire = vector.request[: head + 15 + 2 + 4 + 5 + 16]

    def begun() -> ServerHandshake:
        core = server(vector)
        assert told(core, wire[:head]) is NEED_DATA
        return core

    check(run_core(begun), wire[head:], Outcome(events=(HELLO,)))


# --- probes -------------------------------------------------------------------------------------


def refused(core: ServerHandshake, *reads: bytes) -> Exception:
    """The error that ends it, which is the same from then on; nothing was answered."""
    with pytest.raises(RemoteProtocolError) as caught:
        told(core, *reads)
    with pytest.raises(type(caught.value)):
        told(core, AES.request)
    assert core.data_to_send() == b""
    assert core._user is None
    return caught.value


@pytest.mark.parametrize(
    ("vector", "users"),
    [(vector, False) for vector in VECTORS.values()]
    + [(vector, True) for vector in VECTORS.values() if vector.identity_request],
)
def test_a_first_read_without_the_whole_fixed_header(vector: Vector, users: bool) -> None:
    wire = vector.identity_request if users else vector.request
    keys = with_users(vector) if users else None
    head = vector.method.salt_size + 16 * users + 11 + 16
    for size in range(1, head):
        salts = Salts()
        assert type(refused(server(vector, 0, salts, keys), wire[:size], wire[size:])) is Truncated
        assert not salts.seen
    assert told(server(vector, keys=keys), wire[:head]) is NEED_DATA


def test_nothing_at_all() -> None:
    core = server()
    assert told(core, b"") is NEED_DATA
    core.receive_eof()
    with pytest.raises(Truncated):
        core.next_event()


@given(st.binary(min_size=43, max_size=500))
def test_noise(wire: bytes) -> None:
    assert type(refused(server(), wire)) is AuthenticationError


def test_every_flipped_bit_of_the_header() -> None:
    size = 16 + 27 + 15 + 2 + 4 + 5 + 16
    for bit in range(8 * size):
        wire = bytearray(AES.request)
        wire[bit // 8] ^= 1 << bit % 8
        assert type(refused(server(), bytes(wire))) is AuthenticationError


def test_every_flipped_bit_with_an_identity_header() -> None:
    for bit in range(8 * len(AES.identity_request)):
        wire = bytearray(AES.identity_request)
        wire[bit // 8] ^= 1 << bit % 8
        assert type(refused(server(keys=with_users(AES)), bytes(wire))) is AuthenticationError


@pytest.mark.parametrize("offset", [-30, 0, 30])
def test_thirty_seconds_are_no_matter(offset: int) -> None:
    assert told(server(), request(PADDED, timestamp=TIME + offset)) == TunnelRequested(TARGET, b"")


@pytest.mark.parametrize("timestamp", [TIME - 31, TIME + 31, 0, 2**63, 2**64 - 1])
def test_any_other_time(timestamp: int) -> None:
    salts = Salts()
    error = refused(server(salts=salts), request(PADDED, timestamp=timestamp))
    assert isinstance(error, ClockSkewError)
    assert error.offset == timestamp - TIME
    # What is refused is not worth remembering.
    assert not salts.seen


def test_an_identity_of_nobody_and_a_known_one_over_another_key() -> None:
    keys = with_users(AES)
    stranger = PreSharedKey(AES.method, b"x" * 16)
    nobody = KeyChain(stranger, (AES.psk,)).stream_headers(AES.request_salt)
    known = KeyChain(AES.upsk, (AES.psk,)).stream_headers(AES.request_salt)
    behind = request(PADDED, psk=stranger)[16:]
    for header in (nobody, known):
        error = refused(server(keys=keys), AES.request_salt + header + behind)
        assert type(error) is AuthenticationError


def test_a_users_key_without_an_identity_header() -> None:
    wire = request(PADDED + bytes(100), psk=AES.upsk)
    assert type(refused(server(keys=with_users(AES)), wire)) is AuthenticationError


@pytest.mark.parametrize(
    "variable",
    [
        ADDRESS + bytes(2),  # neither padding nor payload
        ADDRESS + bytes([0, 2, 0]),  # padding that goes on in a chunk
        ADDRESS + bytes([255, 255]) + b"x" * 900,
        ADDRESS + b"\0",
        ADDRESS,
        ADDRESS[:-1],
        b"",
        b"\x02" + ADDRESS[1:] + bytes([0, 1, 0]),
        address.encode(Endpoint("example.com", 0)) + bytes([0, 1, 0]),
    ],
)
def test_an_authentic_header_that_is_none(variable: bytes) -> None:
    refused(server(), request(variable))


@pytest.mark.parametrize("size", [1, 900, 901, 60000])
def test_padding_of_any_size_is_taken(size: int) -> None:
    # SIP022 has 900 for whoever makes it. A reader that refused more would gain nothing.
    variable = ADDRESS + size.to_bytes(2, "big") + bytes(size) + b"hello"
    assert told(server(), request(variable)) == HELLO


@pytest.mark.parametrize("kind", [1, 2, 255])
def test_another_type(kind: int) -> None:
    assert type(refused(server(), request(PADDED, kind=kind))) is RemoteProtocolError


def test_an_answer_of_ours_is_no_request() -> None:
    # Long enough, authentic salt and key, and a fixed header of another length.
    refused(server(), AES.response)


def test_the_variable_header_never_comes() -> None:
    salts = Salts()
    core = server(salts=salts)
    assert told(core, AES.request[:43]) is NEED_DATA
    # The salt is used up, whatever becomes of this connection.
    assert salts.seen == {AES.request_salt}
    core.receive_eof()
    with pytest.raises(Truncated):
        core.next_event()
    assert type(refused(server(salts=salts), AES.request)) is ReplayError


def test_a_request_opens_one_stream() -> None:
    salts = Salts()
    assert told(server(salts=salts), AES.request) == HELLO
    for ahead in (0, 30, -30):
        assert type(refused(server(ahead=ahead, salts=salts), AES.request)) is ReplayError


@pytest.mark.parametrize(
    "probe",
    [
        lambda wire: wire[:16],
        lambda wire: wire[:42],
        lambda wire: wire[:16] + bytes(100),
        lambda wire: wire[:16] + wire[16:40] + bytes(3),
    ],
)
def test_whoever_copies_a_salt_cannot_use_it_up(probe: Callable[[bytes], bytes]) -> None:
    salts = Salts()
    refused(server(salts=salts), probe(AES.request))
    assert told(server(salts=salts), AES.request) == HELLO


# --- a relay ------------------------------------------------------------------------------------


def hops(vector: Vector) -> KeyTable:
    """A relay that knows one server, by the server's own key."""
    return KeyTable(vector.psk, [User("server", vector.upsk)])


@with_identity
def test_a_relay_takes_out_its_header_and_nothing_else(vector: Vector) -> None:
    core = RelayHandshake(hops(vector))
    core.receive_data(vector.identity_request)
    event = core.next_event()
    assert isinstance(event, HopChosen)
    assert event.hop.name == "server"
    size = vector.method.salt_size
    rest = vector.identity_request[size + 16 :]
    assert event.octets == vector.request_salt + rest
    assert core.next_event() is PAUSED
    # What the hop gets in one read is a request of its own: the user's key is the hop's here.
    assert told(server(vector, keys=KeyTable(vector.upsk)), event.octets) == HELLO
    core.receive_data(b"later")
    assert core.unread() == b"later"


@with_identity
def test_two_relays_and_a_server_with_users(vector: Vector) -> None:
    near, far, own = vector.psk, vector.upsk, PreSharedKey(vector.method, b"u" * len(vector.subkey))
    user = PreSharedKey(vector.method, b"v" * len(vector.subkey))
    chain = KeyChain(user, (near, far, own))
    out = memoryview(bytearray(2000))
    entropy = scripted(vector.request_salt, b"\0\3")
    _, made = RequestEncoder(chain, TARGET, timestamps(), entropy).convert(
        memoryview(b"hello"), out
    )
    octets = bytes(out[:made])
    for psk, behind in ((near, far), (far, own)):
        relay = RelayHandshake(KeyTable(psk, [User("next", behind)]))
        relay.receive_data(octets)
        event = relay.next_event()
        assert isinstance(event, HopChosen)
        octets = event.octets
    assert told(server(vector, keys=KeyTable(own, [User("bob", user)])), octets) == HELLO


@with_identity
def test_a_relay_is_as_silent_as_a_server(vector: Vector) -> None:
    least = vector.method.salt_size + 16 + 27
    for wire, error in (
        (vector.identity_request[: least - 1], Truncated),
        (bytes(least), AuthenticationError),
        (vector.request, AuthenticationError),
    ):
        core = RelayHandshake(hops(vector))
        core.receive_data(wire)
        with pytest.raises(error):
            core.next_event()
        assert core.data_to_send() == b""


# --- both sides ---------------------------------------------------------------------------------


@with_identity
@given(
    payload=st.binary(max_size=3000),
    padding=st.binary(min_size=2, max_size=2),
    skew=st.integers(-30, 30),
)
def test_what_a_client_says_a_server_understands(
    vector: Vector, payload: bytes, padding: bytes, skew: int
) -> None:
    keys = with_users(vector)
    chain = KeyChain(vector.upsk, (vector.psk,))
    # Entropy is asked for padding where the payload is short.
    pieces = (vector.request_salt, padding)[: 1 + (len(payload) < 900)]
    client = RequestEncoder(chain, TARGET, timestamps(ahead=skew), scripted(*pieces))
    out = memoryview(bytearray(8192))
    _, made = client.convert(memoryview(payload), out)
    core = server(vector, keys=keys)
    assert told(core, bytes(out[:made])) == TunnelRequested(TARGET, payload)
