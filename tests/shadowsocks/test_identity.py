import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.errors import AuthenticationError, ConfigError
from annotated_shadowsocks.shadowsocks.identity import KeyChain, KeyTable, User
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.testing.sip022 import CLIENT_SESSION, VECTORS, Vector

with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

AES = TABLE["2022-blake3-aes-128-gcm"]
SALT = bytes(range(16))
SEPARATE = bytes(range(0x30, 0x40))


def key(number: int) -> PreSharedKey:
    return PreSharedKey(AES, bytes([number]) * 16)


# --- the client's keys --------------------------------------------------------------------------


@with_identity
def test_the_header_of_the_vector(vector: Vector) -> None:
    chain = KeyChain.from_password(vector.method, f"{vector.psk_base64}:{vector.upsk_base64}")
    assert chain.headers_size == 16
    assert chain.stream_headers(vector.request_salt) == vector.identity_header
    # A packet's separate header is 16 octets, and the identity header follows it.
    separate = CLIENT_SESSION + bytes(8)
    assert chain.first.block.encrypt(separate) == vector.identity_packet[:16]
    assert chain.packet_headers(separate) == vector.identity_packet[16:32]


def test_one_key_has_no_headers() -> None:
    chain = KeyChain.from_password(AES, "AAECAwQFBgcICQoLDA0ODw==")
    assert chain.first is chain.psk
    assert chain.headers_size == 0
    assert chain.stream_headers(SALT) == chain.packet_headers(SEPARATE) == b""


def test_each_header_names_the_key_behind() -> None:
    first, second, own = key(1), key(2), key(3)
    chain = KeyChain(own, (first, second))
    assert chain.first is first
    headers = chain.stream_headers(SALT)
    assert chain.headers_size == len(headers) == 32
    assert first.identity_block(SALT).decrypt(headers[:16]) == second.identity
    assert second.identity_block(SALT).decrypt(headers[16:]) == own.identity


def test_packet_headers_differ_from_packet_to_packet() -> None:
    chain = KeyChain(key(3), (key(1), key(2)))
    headers = {chain.packet_headers(bytes(15) + bytes([number])) for number in range(9)}
    assert len(headers) == 9


@pytest.mark.parametrize("password", ["", ":", "AAECAwQFBgcICQoLDA0ODw==:", "AAEC:AAEC"])
def test_a_key_that_is_none(password: str) -> None:
    with pytest.raises(ConfigError):
        KeyChain.from_password(AES, password)


def test_a_method_without_blocks_has_no_identity_headers() -> None:
    chacha = TABLE["2022-blake3-chacha20-poly1305"]
    text = VECTORS[chacha.name].psk_base64
    assert KeyChain.from_password(chacha, text).headers_size == 0
    psk = PreSharedKey.from_base64(chacha, text)
    for make in (
        lambda: KeyChain.from_password(chacha, f"{text}:{text}"),
        lambda: KeyTable(psk, [User("alice", psk)]),
    ):
        with pytest.raises(ConfigError, match="no identity headers"):
            make()


# --- the server's keys --------------------------------------------------------------------------


@pytest.fixture
def table() -> KeyTable:
    return KeyTable(key(0), [User(f"user {number}", key(number)) for number in range(1, 200)])


def test_a_user_is_found_by_the_header(table: KeyTable) -> None:
    assert table.header_size == 16
    for number in (1, 100, 199):
        chain = KeyChain(key(number), (table.psk,))
        assert table.stream_user(SALT, chain.stream_headers(SALT)).name == f"user {number}"
        headers = memoryview(chain.packet_headers(SEPARATE))
        assert table.packet_user(SEPARATE, headers).name == f"user {number}"


def test_a_header_that_names_nobody(table: KeyTable) -> None:
    stranger = KeyChain(key(200), (table.psk,))
    # The server's own key is nobody's: whoever has it could otherwise be everybody.
    for chain in (stranger, KeyChain(table.psk, (table.psk,))):
        with pytest.raises(AuthenticationError):
            table.stream_user(SALT, chain.stream_headers(SALT))
        with pytest.raises(AuthenticationError):
            table.packet_user(SEPARATE, chain.packet_headers(SEPARATE))


def test_a_header_of_another_salt_or_packet(table: KeyTable) -> None:
    chain = KeyChain(key(1), (table.psk,))
    with pytest.raises(AuthenticationError):
        table.stream_user(bytes(16), chain.stream_headers(SALT))
    with pytest.raises(AuthenticationError):
        table.packet_user(bytes(16), chain.packet_headers(SEPARATE))


def test_without_users_everybody_has_the_servers_key() -> None:
    table = KeyTable(key(0))
    assert table.header_size == 0
    user = User("", table.psk)
    assert table.stream_user(SALT, b"") == table.packet_user(SEPARATE, b"") == user


def test_when_the_last_user_is_gone_the_key_is_not_everybodys() -> None:
    table = KeyTable(key(0), [])
    assert table.header_size == 16
    with pytest.raises(AuthenticationError):
        table.stream_user(SALT, bytes(16))


def test_two_users_cannot_share_a_key() -> None:
    with pytest.raises(ConfigError, match="'alice' and 'bob' have the same key"):
        KeyTable(key(0), [User("alice", key(1)), User("carol", key(2)), User("bob", key(1))])


def test_a_user_has_the_servers_method() -> None:
    other = PreSharedKey(TABLE["2022-blake3-aes-256-gcm"], bytes(32))
    with pytest.raises(ConfigError, match="user 'alice' has a key for 2022-blake3-aes-256-gcm"):
        KeyTable(key(0), [User("alice", other)])
