"""Each stream cipher against a published vector, in one piece and in many."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotated_shadowsocks.crypto.kdf import evp_bytes_to_key
from annotated_shadowsocks.crypto.methods import CipherMethod, Generation, of_generation
from annotated_shadowsocks.crypto.stream_cipher import StreamCipher, StreamContext

STREAM = of_generation(Generation.STREAM)
USABLE = {name: row for name, row in STREAM.items() if not row.unavailable}

every_usable = pytest.mark.parametrize("method", USABLE.values(), ids=USABLE)

# HMBSbige/Shadowsocks.Net UnitTest/StreamShadowsocksCryptoTest.cs: password 密码, IV and text.
STREAMS = {
    "rc4-md5": "6f1c36c5152ca8391e4360aa89085f3f100ad16e0ac5e94ca7ac084e",
    "rc4": "6aa146837e4ec3336d8b61dc",
    "aes-128-ctr": "9e939c64f9c2722ce897ceea294b49b275cd0b7c26e61a86c0f8f3c5",
    "aes-192-ctr": "4bb15994e15e8194b6665c1597bcbdc2c31c596d8dc8c33cc3cd0690",
    "aes-256-ctr": "519603d859e9da011e5d0a5a91ca38751744171ead9c0cc7a35c46aa",
    "aes-128-cfb": "6a9da19cda7a9d60a1ea7b092af62059d8eaf6b3a94c43dd47d5fa6d",
    "aes-192-cfb": "d7104b5592ecc8068fcfc7663cc1796f08ff6150de511e79f4326cb9",
    "aes-256-cfb": "8ad24b29c2b0ed9eda1393224ec816f8c2cefebf757c0cc68e61a6ec",
    "chacha20-ietf": "da5987eec8817053b20ed413c78da5bfad2a0991163bf476",
    "chacha20": "7bef09b2b9bd26d9f0a449bb3619085178e274f6",
    "xchacha20": "e4edff00057732d03bd757ce6f2c776c68aa312eb8e8a889e277fe3994d4b1ee83618c55",
}


class Vector(NamedTuple):
    source: str
    key: str
    iv: str
    plain: str
    sealed: str


NIST = "2b7e151628aed2a6abf7158809cf4f3c"
NIST_IV = "000102030405060708090a0b0c0d0e0f"
NIST_PLAIN = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
CAMELLIA = "0123456789abcdeffedcba9876543210"

# Where a block cipher alone is published: CFB and OFB begin with the block of the IV, so zeros
# become what the IV, taken as a plain text, is encrypted to.
VECTORS = {
    "aes-128-cfb": Vector(
        "SP 800-38A F.3.13",
        NIST,
        NIST_IV,
        NIST_PLAIN,
        "3b3fd92eb72dad20333449f8e83cfb4ac8a64537a0b3a93fcde3cdad9f1ce58b",
    ),
    "aes-128-cfb8": Vector(
        "SP 800-38A F.3.7",
        NIST,
        NIST_IV,
        "6bc1bee22e409f96e93d7e117393172aae2d",
        "3b79424c9c0dd436bace9e0ed4586a4f32b9",
    ),
    "aes-128-ofb": Vector(
        "SP 800-38A F.4.1",
        NIST,
        NIST_IV,
        NIST_PLAIN,
        "3b3fd92eb72dad20333449f8e83cfb4a7789508d16918f03f53c52dac54ed825",
    ),
    "aes-128-ctr": Vector(
        "SP 800-38A F.5.1",
        NIST,
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        NIST_PLAIN,
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff",
    ),
    "camellia-128-cfb": Vector(
        "RFC 3713 A, block", CAMELLIA, CAMELLIA, "00" * 16, "67673138549669730857065648eabe43"
    ),
    "camellia-192-ofb": Vector(
        "RFC 3713 A, block",
        CAMELLIA + "0011223344556677",
        CAMELLIA,
        "00" * 16,
        "b4993401b3e996f84ee5cee7d79b09b9",
    ),
    "camellia-256-cfb": Vector(
        "RFC 3713 A, block",
        CAMELLIA + "00112233445566778899aabbccddeeff",
        CAMELLIA,
        "00" * 16,
        "9acc237dff16d76c20ef7c919e3a7509",
    ),
    "bf-cfb": Vector(
        "Schneier, Blowfish set_key test, block",
        "f0e1d2c3b4a5968778695a4b3c2d1e0f",
        "fedcba9876543210",
        "00" * 8,
        "93142887ee3be15c",
    ),
    "cast5-cfb": Vector(
        "RFC 2144 B.1, block",
        "0123456712345678234567893456789a",
        "0123456789abcdef",
        "00" * 8,
        "238b4fe5847e44b2",
    ),
    "des-cfb": Vector(
        "Grabbe, The DES Algorithm Illustrated, block",
        "133457799bbcdff1",
        "0123456789abcdef",
        "00" * 8,
        "85e813540f0ab405",
    ),
    "idea-cfb": Vector(
        "Lai, On the Design and Security of Block Ciphers, block",
        "00010002000300040005000600070008",
        "0000000100020003",
        "00" * 8,
        "11fbed2b01986de5",
    ),
    "rc2-cfb": Vector(
        "RFC 2268 section 5, 128 bits, block",
        "88bca90e90875a7f0f79c384627bafb2",
        "0000000000000000",
        "00" * 8,
        "2269552ab0f85ca6",
    ),
    "salsa20": Vector(
        "eSTREAM, Salsa20 with 256 bits, set 1, vector 0",
        "80" + "00" * 31,
        "00" * 8,
        "00" * 32,
        "e3be8fdd8beca2e3ea8ef9475b29a6e7003951e1097a5c38d23b7a5fad9f6844",
    ),
    "seed-cfb": Vector(
        "RFC 4269 B.1, block",
        "00" * 16,
        NIST_IV,
        "00" * 16,
        "5ebac6e0054e166819aff1cc6d346cdb",
    ),
    "rc4": Vector(
        "RFC 6229 section 2, 128 bits",
        "0102030405060708090a0b0c0d0e0f10",
        "",
        "00" * 32,
        "9ac7cc9a609d1ef7b2932899cde41b975248c4959014126a6e8a84f11d1a9e1c",
    ),
    "chacha20-ietf": Vector(
        "RFC 8439 A.1, vector 1",
        "00" * 32,
        "00" * 12,
        "00" * 32,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7",
    ),
    "chacha20": Vector(
        "draft-strombergson-chacha-test-vectors-01, TC1, 20 rounds",
        "00" * 32,
        "00" * 8,
        "00" * 32,
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7",
    ),
    # shadowsocks-crypto src/v1/streamcipher/table.rs, password "password"
    "table": Vector(
        "table.rs",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "",
        b"hello world".hex(),
        bytes([118, 217, 39, 39, 129, 143, 228, 129, 56, 39, 110]).hex(),
    ),
}


def cipher(method: CipherMethod, key: bytes, iv: bytes) -> StreamCipher:
    assert method.stream is not None
    assert (len(key), len(iv)) == (method.key_size, method.salt_size)
    return method.stream(key, iv)


def updated(context: StreamContext, data: bytes, *cuts: int) -> bytes:
    out = b""
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        piece = memoryview(bytearray(end - start))
        assert context.update_into(data[start:end], piece) == end - start
        out += piece
    return out


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_a_peer(name: str) -> None:
    method, stream = STREAM[name], bytes.fromhex(STREAMS[name])
    key = evp_bytes_to_key("密码".encode(), method.key_size)
    iv, sealed = stream[: method.salt_size], stream[method.salt_size :]
    assert updated(cipher(method, key, iv).decryptor(), sealed).decode() == "这是原文"


@pytest.mark.parametrize("name", VECTORS)
def test_published_vectors(name: str) -> None:
    vector = VECTORS[name]
    key, iv, plain, sealed = (bytes.fromhex(text) for text in vector[1:])
    made = cipher(STREAM[name], key, iv)
    assert updated(made.encryptor(), plain) == sealed
    assert updated(made.decryptor(), sealed) == plain
    # The streams of a cipher do not depend on each other.
    assert updated(made.encryptor(), plain) == sealed


def test_the_box_of_a_peer() -> None:
    key = evp_bytes_to_key(b"password", 16)
    box = updated(cipher(STREAM["table"], key, b"").encryptor(), bytes(range(256)))
    assert list(box[:8]) == [157, 219, 245, 15, 85, 7, 195, 211]
    assert list(box[-8:]) == [167, 159, 161, 231, 204, 198, 248, 252]
    assert sorted(box) == list(range(256))


def test_none_hides_nothing() -> None:
    for name in ("none", "plain"):
        made = cipher(STREAM[name], b"", b"")
        assert (
            updated(made.encryptor(), b"hello") == b"hello" == updated(made.decryptor(), b"hello")
        )


@every_usable
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_a_cut_is_invisible(method: CipherMethod, data: bytes, cuts: list[int]) -> None:
    made = cipher(method, bytes(range(method.key_size)), bytes(range(method.salt_size)))
    places = sorted(min(cut, len(data)) for cut in cuts)
    whole = updated(made.encryptor(), data)
    assert updated(made.encryptor(), data, *places) == whole
    assert updated(made.decryptor(), whole, *places) == data


@every_usable
def test_another_iv_makes_another_stream(method: CipherMethod) -> None:
    key = bytes(range(method.key_size))
    streams = {
        updated(cipher(method, key, bytes([n]) * method.salt_size).encryptor(), bytes(32))
        for n in range(5)
    }
    assert len(streams) == (5 if method.salt_size else 1)
