import pytest

from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, find, of_generation
from annotated_shadowsocks.errors import ConfigError
from annotated_shadowsocks.shadowsocks.key import MasterKey

AEAD = of_generation(Generation.AEAD)

# The capture of the Great Firewall Report, shadowsocks-org issue 184: one client's first octets.
CAPTURED_SALT = bytes.fromhex("b0cee48154f678d86bb11ef35c4a069fedd6c7748ceca018702f104a6f52b22b")
CAPTURED_LENGTH = bytes.fromhex("9119ac97fb74c9de333a57fedcd71c604672")


def test_session_opens_the_captured_length_chunk() -> None:
    key = MasterKey.from_password(find("aes-256-gcm"), "mypassword")
    length = bytearray(2)
    key.session(CAPTURED_SALT).decrypt_into(bytes(12), CAPTURED_LENGTH, None, length)
    assert length.hex() == "000f"


@pytest.mark.parametrize("method", AEAD.values(), ids=AEAD)
def test_each_salt_makes_another_box(method: CipherMethod) -> None:
    key = MasterKey.from_password(method, "barfoo!")
    assert len(key.key) == method.key_size
    nonce = bytes(method.nonce_size)
    boxes = [bytearray(5 + 16) for _ in range(3)]
    for salt, box in zip((1, 1, 2), boxes, strict=True):
        key.session(bytes([salt]) * method.salt_size).encrypt_into(nonce, b"hello", None, box)
    assert boxes[0] == boxes[1] != boxes[2]


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"{size} octets for aes-128-gcm; give it exactly 16"):
        MasterKey(find("aes-128-gcm"), bytes(size))


def test_password_is_hashed_as_utf8() -> None:
    # HMBSbige/Shadowsocks.Net UnitTest/DeriveKeyTest.cs
    key = MasterKey.from_password(find("aes-256-gcm"), "123中1文da18测)试abc!#$@(")
    assert key.key.hex() == "8c5ea5e7ade3b3133a479e6aff0506dd7952bf75984a26722070cd9e44a09353"


def test_octets_of_a_command_line_that_is_not_utf8_are_hashed_as_typed() -> None:
    typed = b"caf\xe9"
    key = MasterKey.from_password(find("aes-128-gcm"), typed.decode("utf-8", "surrogateescape"))
    # printf 'caf\351' | md5sum
    assert key.key.hex() == "961f50f6282239d09e48f812c1ca7276"


def test_half_a_surrogate_pair_is_refused_without_quoting_the_password() -> None:
    with pytest.raises(ConfigError, match="character 7 of the password") as raised:
        MasterKey.from_password(find("aes-128-gcm"), "secret\ud800")
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_repr_keeps_the_secret() -> None:
    key = MasterKey.from_password(find("aes-128-gcm"), "mypassword")
    assert repr(key) == str(key) == "<MasterKey aes-128-gcm>"
