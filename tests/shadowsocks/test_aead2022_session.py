"""Sessions of datagrams from both ends, and what a censor's recordings do to them."""

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    ClockSkewError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.aead2022_packet import PacketSender
from annotated_shadowsocks.shadowsocks.aead2022_session import (
    MAX_SESSIONS,
    REMEMBERED,
    ClientSession,
    ServerSession,
    SessionTable,
)
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.shadowsocks.timestamp import Timestamps
from annotated_shadowsocks.testing.sip022 import (
    CLIENT_SESSION,
    SERVER_SESSION,
    TARGET,
    TIME,
    VECTORS,
    Vector,
    scripted,
    timestamps,
)
from annotated_shadowsocks.wire import address

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

AES = VECTORS["2022-blake3-aes-128-gcm"]
CHACHA = VECTORS["2022-blake3-chacha20-poly1305"]
PING = address.encode(TARGET) + b"ping"
PONG = address.encode(TARGET) + b"pong"

#: Where packets are opened to; what a test keeps of it, it copies.
OUT = memoryview(bytearray(0x10000))


def counting() -> Callable[[int], bytes]:
    """Entropy that never repeats itself."""
    number = 0

    def entropy(size: int) -> bytes:
        nonlocal number
        number += 1
        return number.to_bytes(size, "big")

    return entropy


class Clock:
    """Both clocks, to be set."""

    def __init__(self) -> None:
        self.wall = float(TIME)
        self.monotonic = 1000.0
        self.timestamps = Timestamps(lambda: self.wall)

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def sealed(session: ClientSession | ServerSession, plain: bytes, padding: int = 0) -> bytes:
    out = bytearray(len(plain) + session.overhead + padding)
    assert session.seal(plain, memoryview(out), padding) == len(out)
    return bytes(out)


class Server:
    """A table, and the keys of one port."""

    def __init__(
        self,
        keys: KeyTable,
        timestamps: Timestamps,
        entropy: Callable[[int], bytes],
        max_sessions: int = MAX_SESSIONS,
    ) -> None:
        self.keys = keys
        self._table = SessionTable(timestamps, entropy, max_sessions=max_sessions)
        self.release = self._table.release

    def __len__(self) -> int:
        return len(self._table)

    def open(
        self, packet: memoryview, out: memoryview, now: float
    ) -> tuple[ServerSession, Endpoint, memoryview]:
        return self._table.open(self.keys, packet, out, now)


def received(table: Server, packet: bytes, now: float = 0) -> tuple[Endpoint, bytes]:
    _, target, data = table.open(memoryview(packet), OUT, now)
    return target, bytes(data)


def session_of(table: Server, packet: bytes, now: float = 0) -> ServerSession:
    return table.open(memoryview(packet), OUT, now)[0]


def answered(client: ClientSession, packet: bytes, now: float = 0) -> tuple[Endpoint, bytes]:
    place = client.open(memoryview(packet), OUT, now)
    # Room for the three octets that SOCKS5 has in front.
    assert place.start >= 3
    source, end = address.decode(OUT[place])
    return source, bytes(OUT[place][end:])


def table(vector: Vector = AES, entropy: Callable[[int], bytes] | None = None) -> Server:
    return Server(KeyTable(vector.psk), timestamps(), entropy or counting())


def client(vector: Vector = AES) -> ClientSession:
    return ClientSession(KeyChain(vector.psk), timestamps(), counting())


def forged(
    head: bytes, plain: bytes = PING, number: int = 0, session_id: bytes = CLIENT_SESSION
) -> bytes:
    """An authentic packet as no session of ours would make it."""
    sender = PacketSender(KeyChain(AES.psk), session_id, scripted())
    sender._count = number
    out = bytearray(2000)
    return bytes(out[: sender.seal(head, plain, memoryview(out))])


def from_client(kind: int = 0, timestamp: int = TIME, padding: int = 0) -> bytes:
    # SIP022 section 3.2.3
    return struct.pack(">BQH", kind, timestamp, padding)


def from_server(
    kind: int = 1, timestamp: int = TIME, padding: int = 0, session_id: bytes = CLIENT_SESSION
) -> bytes:
    return struct.pack(">BQ8sH", kind, timestamp, session_id, padding)


# --- vectors ------------------------------------------------------------------------------------


@every_vector
def test_both_directions_give_the_vectors(vector: Vector) -> None:
    nonce = () if vector.server_packet else (bytes(range(24)),)
    client = ClientSession(KeyChain(vector.psk), timestamps(), scripted(CLIENT_SESSION, *nonce))
    assert sealed(client, PING) == vector.client_packet
    server = table(vector, scripted(SERVER_SESSION, *nonce))
    session, target, data = server.open(memoryview(vector.client_packet), OUT, 0)
    assert (target, bytes(data)) == (TARGET, b"ping")
    assert session.client_session_id == CLIENT_SESSION
    answer = sealed(session, PONG)
    if vector.server_packet:
        assert answer == vector.server_packet
    assert answered(client, answer) == (TARGET, b"pong")


@with_identity
def test_a_user_gives_the_vector(vector: Vector) -> None:
    chain = KeyChain(vector.upsk, (vector.psk,))
    client = ClientSession(chain, timestamps(), scripted(CLIENT_SESSION))
    assert sealed(client, PING) == vector.identity_packet
    keys = KeyTable(vector.psk, [User("bob", vector.upsk)])
    session = session_of(Server(keys, timestamps(), counting()), vector.identity_packet)
    assert session.user.name == "bob"
    # The answer has no identity header, and its separate header is under the user's key.
    answer = sealed(session, PONG)
    assert len(answer) == 16 + 19 + len(PONG) + 16
    assert vector.upsk.block.decrypt(answer[:16])[8:] == bytes(8)
    assert answered(client, answer) == (TARGET, b"pong")


@every_vector
@given(data=st.binary(max_size=1400), padding=st.integers(0, 900))
def test_round_trip(vector: Vector, data: bytes, padding: int) -> None:
    plain = address.encode(TARGET) + data
    ours, server = client(vector), table(vector)
    packet = sealed(ours, plain, padding)
    session = session_of(server, packet)
    assert received(table(vector), packet) == (TARGET, data)
    assert answered(ours, sealed(session, plain, padding)) == (TARGET, data)


# --- what is dropped ----------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_noise_leaves_nothing_behind(packet: bytes) -> None:
    for vector in (AES, CHACHA):
        server = table(vector)
        with pytest.raises((Truncated, AuthenticationError)):
            received(server, packet)
        assert len(server) == 0
        with pytest.raises((Truncated, AuthenticationError)):
            answered(client(vector), packet)


@every_vector
def test_every_flipped_bit_is_dropped(vector: Vector) -> None:
    keys = KeyTable(vector.psk)
    packet = vector.client_packet
    if vector.identity_packet:
        keys, packet = KeyTable(vector.psk, [User("bob", vector.upsk)]), vector.identity_packet
    server = Server(keys, timestamps(), counting())
    # Once while the session is not known, and once while it is.
    for _ in range(2):
        known = len(server)
        for bit in range(8 * len(packet)):
            flipped = bytearray(packet)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(AuthenticationError):
                received(server, bytes(flipped))
        assert len(server) == known
        if not known:
            assert received(server, packet) == (TARGET, b"ping")


@pytest.mark.parametrize("offset", [-30, 0, 30])
def test_thirty_seconds_are_no_matter(offset: int) -> None:
    assert received(table(), forged(from_client(timestamp=TIME + offset)))[1] == b"ping"


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (forged(from_client(timestamp=TIME - 31)), ClockSkewError),
        (forged(from_client(timestamp=TIME + 31)), ClockSkewError),
        (forged(from_client(timestamp=2**64 - 1)), ClockSkewError),
        (forged(from_client(kind=1)), RemoteProtocolError),
        (forged(from_client(padding=len(PING) + 1)), RemoteProtocolError),
        (forged(from_client(), PING[:10]), RemoteProtocolError),
        (forged(from_client(), b"\x02" + PING[1:]), RemoteProtocolError),
        (forged(from_client()[:10], b""), Truncated),
        (forged(b"", b""), Truncated),
    ],
)
def test_a_packet_that_is_not_good_moves_no_window(
    packet: bytes, error: type[RemoteProtocolError]
) -> None:
    server = table()
    with pytest.raises(error):
        received(server, packet)
    assert len(server) == 0
    # The same number, and one that a moved window would have left behind.
    good = [forged(from_client(), number=number) for number in (9000, 0)]
    session_of(server, forged(from_client(), number=8000))
    bad = forged(from_client(timestamp=TIME - 31), number=2**63)
    with pytest.raises(ClockSkewError):
        received(server, bad)
    assert received(server, good[0])[1] == b"ping"
    with pytest.raises(ReplayError):
        received(server, good[1])


def test_the_largest_number_first_and_then_the_smallest() -> None:
    server = table()
    assert received(server, forged(from_client(), number=2**64 - 1))[1] == b"ping"
    with pytest.raises(ReplayError):
        received(server, forged(from_client(), number=0))
    assert received(server, forged(from_client(), number=2**64 - 2))[1] == b"ping"


def test_a_packet_counts_once_wherever_it_comes_from() -> None:
    # The table is told no address: it cannot make a difference.
    server = table()
    packets = [sealed(session, PING) for session in [client()] for _ in range(3)]
    for packet in (packets[2], packets[0], packets[1]):
        assert received(server, packet)[1] == b"ping"
    for packet in packets:
        with pytest.raises(ReplayError):
            received(server, packet)


def test_the_same_session_id_of_two_users_is_two_sessions() -> None:
    other = PreSharedKey(AES.method, bytes(16))
    keys = KeyTable(AES.psk, [User("alice", other), User("bob", AES.upsk)])
    server = Server(keys, timestamps(), counting())
    names = [
        session_of(
            server,
            sealed(
                ClientSession(KeyChain(psk, (AES.psk,)), timestamps(), scripted(CLIENT_SESSION)),
                PING,
            ),
        ).user.name
        for psk in (other, AES.upsk)
    ]
    assert names == ["alice", "bob"]
    assert len(server) == 2


def test_a_user_who_is_gone_opens_nothing_more() -> None:
    ours = ClientSession(KeyChain(AES.upsk, (AES.psk,)), timestamps(), counting())
    packet = sealed(ours, PING)
    server = Server(KeyTable(AES.psk, [User("bob", AES.upsk)]), timestamps(), counting())
    received(server, packet)
    server.keys = KeyTable(AES.psk, [])
    with pytest.raises(AuthenticationError):
        received(server, sealed(ours, PING))
    # Nor is a recording of theirs new when they come back.
    server.keys = KeyTable(AES.psk, [User("bob", AES.upsk)])
    with pytest.raises(ReplayError):
        received(server, packet)


def test_two_ports_with_one_key_are_one_memory() -> None:
    shared = SessionTable(timestamps(), counting())
    packet = memoryview(sealed(client(), PING))
    shared.open(KeyTable(AES.psk), packet, OUT, 0)
    with pytest.raises(ReplayError):
        shared.open(KeyTable(AES.psk), packet, OUT, 0)


def test_a_servers_session_has_another_id_than_the_clients() -> None:
    server = table(entropy=scripted(CLIENT_SESSION, CLIENT_SESSION, SERVER_SESSION))
    answer = sealed(session_of(server, forged(from_client())), PONG)
    assert AES.psk.block.decrypt(answer[:16])[:8] == SERVER_SESSION


# --- what the server remembers ------------------------------------------------------------------


def test_a_session_that_was_released_is_remembered_as_long_as_its_packets_are_recent(
    clock: Clock,
) -> None:
    server = Server(KeyTable(AES.psk), clock.timestamps, counting())
    # The worst case: the client's clock is thirty seconds ahead of ours.
    packet = forged(from_client(timestamp=TIME + 30))
    server.release(session_of(server, packet, clock.monotonic), clock.monotonic)
    for _ in range(610):
        clock.pass_(0.1)
        with pytest.raises((ReplayError, ClockSkewError)):
            received(server, packet, clock.monotonic)
    assert len(server) == 1
    clock.pass_(1.1)
    with pytest.raises(ClockSkewError):
        received(server, packet, clock.monotonic)
    # A table looks for what it may forget when a session begins or ends.
    late = forged(from_client(timestamp=TIME + 62), session_id=b"8 octets")
    received(server, late, clock.monotonic)
    assert len(server) == 1


def test_a_session_that_was_released_goes_on_where_it_was(clock: Clock) -> None:
    server = Server(KeyTable(AES.psk), clock.timestamps, counting())
    ours = ClientSession(KeyChain(AES.psk), clock.timestamps, counting())
    session = session_of(server, sealed(ours, PING), clock.monotonic)
    answered(ours, sealed(session, PONG), clock.monotonic)
    server.release(session, clock.monotonic)
    clock.pass_(REMEMBERED - 0.5)
    # When a session begins, the table looks for what it may forget.
    received(server, forged(from_client(timestamp=TIME + 61)), clock.monotonic)
    again = session_of(server, sealed(ours, PING), clock.monotonic)
    assert again is session
    # Its answers are numbered on, so that the client takes them.
    assert answered(ours, sealed(again, PONG), clock.monotonic)[1] == b"pong"
    # And it is not forgotten when its first release would have been due.
    clock.pass_(2)
    late = forged(from_client(timestamp=TIME + 63), session_id=b"8 octets")
    received(server, late, clock.monotonic)
    assert session_of(server, sealed(ours, PING), clock.monotonic) is session


def test_a_clock_that_is_set_back_revives_no_recording(clock: Clock) -> None:
    server = Server(KeyTable(AES.psk), clock.timestamps, counting())
    recorded = forged(from_client())
    server.release(session_of(server, recorded, clock.monotonic), clock.monotonic)
    clock.pass_(REMEMBERED)
    other = ClientSession(KeyChain(AES.psk), clock.timestamps, counting())
    server.release(session_of(server, sealed(other, PING), clock.monotonic), clock.monotonic)
    assert len(server) == 1
    clock.wall -= 60
    with pytest.raises(ReplayError, match="may have been forgotten"):
        received(server, recorded, clock.monotonic)
    # A second later than anything forgotten is new for certain, and sessions that last go on.
    fresh = forged(from_client(timestamp=TIME + 1), session_id=b"8 octets")
    assert received(server, fresh, clock.monotonic)[1] == b"ping"
    assert received(server, sealed(other, PING), clock.monotonic)[1] == b"ping"


def test_a_full_table_forgets_nothing_early(clock: Clock) -> None:
    server = Server(KeyTable(AES.psk), clock.timestamps, counting(), max_sessions=2)
    packets = [forged(from_client(), session_id=bytes([n]) * 8) for n in range(3)]
    first, _ = (session_of(server, packet, clock.monotonic) for packet in packets[:2])
    server.release(first, clock.monotonic)
    with pytest.raises(RemoteProtocolError, match="more sessions than are remembered"):
        received(server, packets[2], clock.monotonic)
    for packet in packets[:2]:
        with pytest.raises(ReplayError):
            received(server, packet, clock.monotonic)
    clock.pass_(REMEMBERED)
    late = forged(from_client(timestamp=TIME + 62), session_id=b"8 octets")
    assert received(server, late, clock.monotonic)[1] == b"ping"


# --- what the client remembers ------------------------------------------------------------------


def other_server(ours: ClientSession, number: int, ahead: float = 0) -> ServerSession:
    """The session of a server that has just started, and hears of the client's."""
    entropy = scripted(bytes([0xA0 + number]) * 8)
    server = Server(KeyTable(AES.psk), timestamps(ahead), entropy)
    return session_of(
        server, forged(from_client(timestamp=TIME + int(ahead)), session_id=ours.session_id)
    )


def test_a_client_takes_answers_of_two_sessions() -> None:
    ours = client()
    before, after = other_server(ours, 1), other_server(ours, 2)
    answers = [sealed(server, PONG) for server in (before, after, before, after)]
    for answer in answers:
        assert answered(ours, answer)[1] == b"pong"
    for answer in answers:
        with pytest.raises(ReplayError):
            answered(ours, answer)


def test_a_third_session_waits_until_the_first_may_be_forgotten(clock: Clock) -> None:
    ours = ClientSession(KeyChain(AES.psk), clock.timestamps, counting())
    first, second = sealed(other_server(ours, 1), PONG), sealed(other_server(ours, 2), PONG)
    answered(ours, first, clock.monotonic)
    clock.pass_(1)
    answered(ours, second, clock.monotonic)
    third = other_server(ours, 3, REMEMBERED)
    clock.pass_(REMEMBERED - 1.5)
    with pytest.raises(RemoteProtocolError, match="third session"):
        answered(ours, sealed(third, PONG), clock.monotonic)
    clock.pass_(0.5)
    assert answered(ours, sealed(third, PONG), clock.monotonic)[1] == b"pong"
    # Set back, the clock would make the first one's packets recent, and its session is unknown.
    clock.pass_(REMEMBERED)
    clock.wall = TIME
    with pytest.raises(ReplayError, match="may have been forgotten"):
        answered(ours, first, clock.monotonic)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (from_server(kind=0), RemoteProtocolError),
        (from_server(session_id=SERVER_SESSION), ReplayError),
        (from_server(timestamp=TIME + 31), ClockSkewError),
        (from_server(padding=100), RemoteProtocolError),
        (from_server()[:18], Truncated),
    ],
)
def test_a_packet_that_is_no_answer_to_us(head: bytes, error: type[RemoteProtocolError]) -> None:
    ours = ClientSession(KeyChain(AES.psk), timestamps(), scripted(CLIENT_SESSION))
    plain = b"" if len(head) < 19 else PONG
    bad = forged(head, plain, session_id=SERVER_SESSION)
    with pytest.raises(error):
        answered(ours, bad)
    # Neither its number nor its session was taken.
    assert ours._current is None
    assert answered(ours, AES.server_packet) == (TARGET, b"pong")


def test_our_own_packet_is_no_answer() -> None:
    for vector in (AES, CHACHA):
        ours = client(vector)
        with pytest.raises(RemoteProtocolError):
            answered(ours, sealed(ours, PING, padding=20))
