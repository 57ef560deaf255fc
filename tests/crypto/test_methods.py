import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from annotated_shadowsocks.crypto.kdf import evp_bytes_to_key, session_subkey
from annotated_shadowsocks.crypto.methods import (
    TABLE,
    TAG_SIZE,
    CipherMethod,
    Generation,
    find,
    insecurity,
    of_generation,
)
from annotated_shadowsocks.crypto.stream_cipher import StreamCipher
from annotated_shadowsocks.errors import ConfigError, LocalProtocolError

# HMBSbige/Shadowsocks.Net UnitTest/AEADShadowsocksCryptoTest.cs: whole streams, password 密码.
STREAMS = {
    "aes-128-gcm": "c3b3e419f8de8c2d4701d94f5258915a967bf7b27a9e97e4cee0c00d67caa7c9"
    "92f4f41d83109f0a9a6710871501b64851ffa1588c0603c168e00a4ac50b4d72"
    "9203aecfddd1475b78e338bfe943662fe25f2fe49afc1f5eb00389113d417e5e",
    "aes-192-gcm": "c58266923546894ea26c786e1cb6e35a4a15ac9b5ba83cbdf43187f7b1d53bd0"
    "bb4e61821d519c71eb2fdcea0573aaaa0a7a0ba59a3e4e966b51750b2602c740"
    "f293720a31665f879332974ad715b0cd7a8e1428d9b7c4b71f5ed07c539f7f1a"
    "296dd39ffe354924",
    "aes-256-gcm": "5648a2d3e86fe68d7c137ad894294f8e8b57ce55eb545cb7da69b93708e2a689"
    "a4a8798171d001ed9ef8d3e1b1c89d862604ce7e0803584719ea65e0c4025800"
    "187a0e0a2c5408519e93b2279358fb81842e9c913a76ee93ee25d4ddbfb4729f"
    "cc64411054411a01a4ada4f22c5e401e",
    "chacha20-ietf-poly1305": "8bd996a259f861d54c4b27e740a6ad23381631dae3ab69e5c0377625752fa0f5"
    "dc68c4ae6a4c6b2c4f6bdda92ffad4e11fbf5b63bf05809d419cd0b562e927b3"
    "70c627f14f42b18e146c832bfb6e6bd1f58cc71333ac60943d5592a8f8148687"
    "d6008defd21c791fc199efe26dc136e5",
    "xchacha20-ietf-poly1305": "1dca4629620bfecd77133488d3e34d9594155982cf514f554f8d0332a4007742"
    "979d66ac9524d52d03d82bad6594da985a20b53a52138b5dfc95e9ead17f1e72"
    "81568e90111b0b8d26dd11a74eb36457de35505dbb99d91ef4a4848fa9c4dffb"
    "1e5938c1a9537b3c09f1bcba762a2f64",
}

AEAD = of_generation(Generation.AEAD)

every_aead = pytest.mark.parametrize("method", AEAD.values(), ids=AEAD)
every_row = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)


def boxes_of(method: CipherMethod, password: str, stream: bytes) -> list[bytes]:
    """What is in the boxes of a SIP004 stream: lengths and payloads in turn."""
    salt, at = stream[: method.salt_size], method.salt_size
    key = evp_bytes_to_key(password.encode(), method.key_size)
    aead = method.aead(session_subkey(key, salt))
    plain: list[bytes] = []
    size = 2
    while at < len(stream):
        out = bytearray(size)
        nonce = len(plain).to_bytes(method.nonce_size, "little")
        aead.decrypt_into(nonce, stream[at : at + size + TAG_SIZE], None, out)
        plain.append(bytes(out))
        at += size + TAG_SIZE
        size = 2 if len(plain) % 2 == 0 else int.from_bytes(out, "big")
    return plain


@pytest.mark.parametrize("name", STREAMS)
def test_the_row_fits_a_published_stream(name: str) -> None:
    lengths_and_payloads = boxes_of(AEAD[name], "密码", bytes.fromhex(STREAMS[name]))
    assert b"".join(lengths_and_payloads[1::2]).decode() == "这是原文"


@every_aead
def test_the_salt_is_as_long_as_the_key(method: CipherMethod) -> None:
    assert method.salt_size == method.key_size


@every_row
def test_find_gives_what_is_available(row: CipherMethod) -> None:
    if row.unavailable:
        with pytest.raises(ConfigError, match="is not available"):
            find(row.name)
    else:
        assert find(row.name) is find(row.name.upper()) is row


# SIP022 sections 2.1 and 4
@pytest.mark.parametrize(
    ("name", "key_size", "packet_nonces"),
    [
        ("2022-blake3-aes-128-gcm", 16, False),
        ("2022-blake3-aes-256-gcm", 32, False),
        ("2022-blake3-chacha20-poly1305", 32, True),
    ],
)
def test_sizes_of_2022(name: str, key_size: int, packet_nonces: bool) -> None:
    row = TABLE[name]
    assert row.generation is Generation.AEAD_2022
    assert (row.key_size, row.salt_size, row.nonce_size) == (key_size, key_size, 12)
    assert (row.packet_aead is not None) == packet_nonces


@every_row
def test_a_row_works_or_says_why_not(row: CipherMethod) -> None:
    key = bytes(range(row.key_size))
    if row.unavailable:
        with pytest.raises((LocalProtocolError, UnsupportedAlgorithm)):
            row.stream(key, bytes(row.salt_size)).encryptor() if row.stream else row.aead(key)
        return
    sealed, plain = memoryview(bytearray(5 + TAG_SIZE)), memoryview(bytearray(5))
    if row.stream is None:
        box = row.aead(key)
        box.encrypt_into(bytes(row.nonce_size), b"hello", None, sealed)
        box.decrypt_into(bytes(row.nonce_size), sealed, None, plain)
    else:
        cipher = row.stream(key, bytes(row.salt_size))
        cipher.encryptor().update_into(b"hello", sealed)
        cipher.decryptor().update_into(sealed[:5], plain)
    assert bytes(plain) == b"hello"


def test_only_stream_ciphers_are_insecure() -> None:
    insecure = {name for name, row in TABLE.items() if row.insecure}
    assert insecure == of_generation(Generation.STREAM).keys()


def test_what_a_peer_can_and_no_library_of_ours() -> None:
    missing = {name for name, row in TABLE.items() if row.missing}
    camellia = {f"camellia-{bits}-cfb1" for bits in (128, 192, 256)}
    aes = {f"aes-{bits}-cfb1" for bits in (128, 192, 256)}
    assert missing == {"2022-blake3-chacha8-poly1305", *camellia, *aes}


def test_what_openssl_lacks_is_found_out() -> None:
    def lacking(key: bytes, iv: bytes) -> StreamCipher:
        raise UnsupportedAlgorithm("old")

    row = CipherMethod("old", Generation.STREAM, 16, 16, stream=lacking)
    assert row.unavailable == "this build of OpenSSL does not have it"


def test_what_is_missing_says_where_to_look() -> None:
    problem = "'2022-blake3-chacha8-poly1305' is not available: no library at hand has ChaCha8"
    with pytest.raises(ConfigError, match=problem) as raised:
        find("2022-blake3-chacha8-poly1305")
    assert "--list-ciphers" in raised.value.remedy


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("rc4-md5", "is insecure: whoever is on the path can change what it carries"),
        ("none", "is insecure: whoever is on the path can read what it carries"),
    ],
)
def test_what_is_only_for_those_who_insist(name: str, problem: str) -> None:
    error = insecurity(find(name))
    assert error is not None
    assert error.problem == f"method '{name}' {problem}"
    assert "--allow-insecure-ciphers" in error.remedy


@every_row
def test_nothing_else_is_insecure(row: CipherMethod) -> None:
    assert (insecurity(row) is None) == (row.generation is not Generation.STREAM)


def test_nothing_insecure_or_missing_is_proposed() -> None:
    with pytest.raises(ConfigError) as raised:
        find("aes-256-cfg")
    assert "did you mean aes-256-gcm?" in raised.value.remedy
    assert "cfb" not in raised.value.remedy
    assert "chacha8" not in raised.value.remedy


def test_an_unknown_method_gets_the_nearest_and_the_list() -> None:
    with pytest.raises(ConfigError) as raised:
        find("aes-256-gmc")
    text = str(raised.value)
    assert "unknown method 'aes-256-gmc'; did you mean aes-256-gcm? there is" in text
    assert all(name in text for name in AEAD)
