import pytest

from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.errors import ConfigError, LocalProtocolError
from annotated_shadowsocks.shadowsocks.psk import PreSharedKey
from annotated_shadowsocks.testing.sip022 import VECTORS, Vector

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
with_identity = pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS.values() if vector.upsk_identity],
    ids=lambda v: v.method,
)

AES = TABLE["2022-blake3-aes-128-gcm"]


@every_vector
def test_session_seals_under_the_subkey(vector: Vector) -> None:
    psk = PreSharedKey.from_base64(vector.method, vector.psk_base64)
    expected, got = bytearray(21), bytearray(21)
    vector.method.aead(vector.subkey).encrypt_into(bytes(12), b"hello", None, expected)
    psk.session(vector.request_salt).encrypt_into(bytes(12), b"hello", None, got)
    assert got == expected


@with_identity
def test_identity_and_its_header(vector: Vector) -> None:
    user = PreSharedKey.from_base64(vector.method, vector.upsk_base64)
    assert user.identity == vector.upsk_identity
    block = vector.psk.identity_block(vector.request_salt)
    assert block.encrypt(user.identity) == vector.identity_header


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"{size} octets .* takes 16; .*genkey -m {AES.name}"):
        PreSharedKey(AES, bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "barfoo!",
        "AAECAwQFBgcICQoLDA0ODw",
        "AAECAwQFBgcICQoLDA0ODw==\n",
        " AAECAwQFBgcICQoLDA0ODw==",
        "AAECAwQFBgcICQoLDA0ODw==:AAECAwQFBgcICQoLDA0ODw==",
        "ÄAECAwQFBgcICQoLDA0ODw==",
    ],
)
def test_a_password_is_no_key(text: str) -> None:
    with pytest.raises(ConfigError, match="is not base64; make a key with 'ssservice") as caught:
        PreSharedKey.from_base64(AES, text)
    assert text.strip() not in str(caught.value)
    assert caught.value.__suppress_context__


def test_only_a_method_without_separate_headers_seals_datagrams_under_the_key() -> None:
    chacha = TABLE["2022-blake3-chacha20-poly1305"]
    sealed, plain = bytearray(21), bytearray(5)
    box = PreSharedKey(chacha, bytes(32)).packet_box
    box.encrypt_into(bytes(24), b"hello", None, sealed)
    box.decrypt_into(bytes(24), sealed, None, plain)
    assert plain == b"hello"
    with pytest.raises(LocalProtocolError):
        _ = PreSharedKey(AES, bytes(16)).packet_box


def test_repr_keeps_the_secret() -> None:
    psk = PreSharedKey(AES, b"sixteen octets!!")
    assert repr(psk) == str(psk) == f"<PreSharedKey {AES.name}>"
