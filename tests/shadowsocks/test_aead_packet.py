import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, find, of_generation
from annotated_shadowsocks.endpoint import Endpoint
from annotated_shadowsocks.errors import (
    AuthenticationError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from annotated_shadowsocks.shadowsocks.aead_packet import open_packet, overhead, seal_packet
from annotated_shadowsocks.shadowsocks.key import MasterKey
from annotated_shadowsocks.shadowsocks.replay import ReplayStore

AEAD = of_generation(Generation.AEAD)

every_method = pytest.mark.parametrize("method", AEAD.values(), ids=AEAD)

# chacha20-ietf-poly1305, password "barfoo!", salt 00 01 .. 1f, example.com:443, "hello": computed
# from SIP004, RFC 5869 and RFC 8439 by a program that shares no code with this one.
VECTOR_SALT = bytes(range(32))
VECTOR_PLAIN = bytes.fromhex("030b6578616d706c652e636f6d01bb") + b"hello"
VECTOR_PACKET = VECTOR_SALT + bytes.fromhex(
    "a324c1853be2d794757da31a66b0c7f6337366b47443a3fd2d8b06ad2581a23a788ea496"
)


@pytest.fixture
def key() -> MasterKey:
    return MasterKey.from_password(find("chacha20-ietf-poly1305"), "barfoo!")


def seal(key: MasterKey, salt: bytes, plain: bytes) -> bytes:
    out = bytearray(len(plain) + overhead(key.method))
    assert seal_packet(key, salt, plain, memoryview(out)) == len(out)
    return bytes(out)


def opened(
    key: MasterKey, packet: bytes, guard: ReplayStore | None = None
) -> tuple[Endpoint, bytes]:
    out = memoryview(bytearray(len(packet)))
    dst, data = open_packet(key, memoryview(packet), out, guard)
    return dst, bytes(data)


def test_seal_gives_the_vector(key: MasterKey) -> None:
    assert seal(key, VECTOR_SALT, VECTOR_PLAIN) == VECTOR_PACKET


def test_open_takes_the_vector(key: MasterKey) -> None:
    assert opened(key, VECTOR_PACKET) == (Endpoint("example.com", 443), b"hello")


def test_seal_touches_nothing_behind_the_packet(key: MasterKey) -> None:
    out = bytearray(b"\xee" * 100)
    assert seal_packet(key, VECTOR_SALT, memoryview(VECTOR_PLAIN), memoryview(out)) == 68
    assert out == VECTOR_PACKET + b"\xee" * 32


def test_the_data_is_a_part_of_the_callers_buffer(key: MasterKey) -> None:
    out = bytearray(100)
    _, data = open_packet(key, memoryview(VECTOR_PACKET), memoryview(out))
    assert data.obj is out
    assert out[:20] == VECTOR_PLAIN


@every_method
@given(data=st.binary(max_size=1500), salt=st.binary(min_size=32, max_size=32))
def test_round_trip(method: CipherMethod, data: bytes, salt: bytes) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    packet = seal(key, salt[: method.salt_size], VECTOR_PLAIN[:15] + data)
    assert len(packet) == method.salt_size + 15 + len(data) + 16
    assert opened(key, packet) == (Endpoint("example.com", 443), data)


@every_method
def test_the_largest_datagram_of_ipv4(method: CipherMethod) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    plain = VECTOR_PLAIN[:15].ljust(65507 - overhead(method), b"x")
    packet = seal(key, bytes(method.salt_size), plain)
    assert len(packet) == 65507
    assert opened(key, packet)[1] == plain[15:]


@every_method
def test_every_cut_is_refused(method: CipherMethod) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    packet = seal(key, bytes(method.salt_size), VECTOR_PLAIN)
    for size in range(len(packet)):
        expected = Truncated if size < overhead(method) else AuthenticationError
        with pytest.raises(expected):
            opened(key, packet[:size])


@every_method
def test_every_flipped_bit_is_refused(method: CipherMethod) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    packet = seal(key, bytes(method.salt_size), VECTOR_PLAIN)
    for bit in range(8 * len(packet)):
        flipped = bytearray(packet)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(AuthenticationError):
            opened(key, bytes(flipped))


@given(packet=st.binary(max_size=200))
def test_noise_raises_nothing_else(packet: bytes) -> None:
    key = MasterKey.from_password(find("aes-128-gcm"), "barfoo!")
    with pytest.raises((Truncated, AuthenticationError)):
        opened(key, packet)


@given(plain=st.binary(max_size=300))
def test_authentic_noise_is_an_address_or_a_protocol_error(plain: bytes) -> None:
    key = MasterKey.from_password(find("aes-128-gcm"), "barfoo!")
    packet = seal(key, bytes(16), plain)
    try:
        _, data = opened(key, packet)
    except RemoteProtocolError as error:
        assert not isinstance(error, AuthenticationError)
    else:
        assert plain.endswith(data)


@pytest.mark.parametrize(
    ("plain", "error"),
    [
        ("", Truncated),
        ("01 7f0000", Truncated),
        ("03 0b 6578616d706c65", Truncated),
        ("03 00 01bb", RemoteProtocolError),
        ("02 7f000001 0035", RemoteProtocolError),
        # The flag that one-time authentication once kept in the address type.
        ("11 7f000001 0035", RemoteProtocolError),
    ],
)
def test_an_authentic_packet_without_an_address(
    key: MasterKey, plain: str, error: type[RemoteProtocolError]
) -> None:
    with pytest.raises(error):
        opened(key, seal(key, bytes(32), bytes.fromhex(plain)))


def test_another_password_or_method_is_refused(key: MasterKey) -> None:
    for other in (
        MasterKey.from_password(key.method, "barfoo"),
        MasterKey.from_password(find("aes-256-gcm"), "barfoo!"),
        MasterKey.from_password(find("xchacha20-ietf-poly1305"), "barfoo!"),
    ):
        with pytest.raises(AuthenticationError):
            opened(other, VECTOR_PACKET)


# --- replay -----------------------------------------------------------------------------------


@pytest.fixture
def store() -> ReplayStore:
    return ReplayStore(bytearray(ReplayStore.required_size(100)), bytes(16), capacity=100)


def test_a_packet_is_opened_once(key: MasterKey, store: ReplayStore) -> None:
    assert opened(key, VECTOR_PACKET, store)[1] == b"hello"
    with pytest.raises(ReplayError):
        opened(key, VECTOR_PACKET, store)


def test_a_salt_that_we_sent_is_refused_when_it_comes_back(
    key: MasterKey, store: ReplayStore
) -> None:
    assert store.add(VECTOR_SALT)
    with pytest.raises(ReplayError):
        opened(key, VECTOR_PACKET, store)


@pytest.mark.parametrize("size", [32, 40, 48, 67, 68])
def test_a_salt_sent_ahead_by_another_does_not_lock_its_owner_out(
    key: MasterKey, store: ReplayStore, size: int
) -> None:
    planted = (VECTOR_SALT + bytes(36))[:size]
    with pytest.raises((Truncated, AuthenticationError)):
        opened(key, planted, store)
    assert VECTOR_SALT not in store
    assert opened(key, VECTOR_PACKET, store)[1] == b"hello"
