"""Each box against a published vector, written and read through caller-owned buffers."""

from typing import NamedTuple

import pytest

from annotated_shadowsocks.crypto.aead import (
    AeadFactory,
    InvalidTag,
    Sm4Gcm,
    XChaCha20Poly1305,
    aes_ccm,
    aes_gcm,
    aes_gcm_siv,
    chacha20_poly1305,
)


class Vector(NamedTuple):
    aead: AeadFactory
    key: bytes
    nonce: bytes
    aad: bytes | None
    plain: bytes
    sealed: bytes


SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)

VECTORS = {
    # The Galois/Counter Mode of Operation (McGrew, Viega), appendix B, test cases 2, 8 and 14
    "aes-128-gcm": Vector(
        aes_gcm,
        bytes(16),
        bytes(12),
        None,
        bytes(16),
        bytes.fromhex("0388dace60b6a392f328c2b971b2fe78 ab6e47d42cec13bdf53a67b21257bddf"),
    ),
    "aes-192-gcm": Vector(
        aes_gcm,
        bytes(24),
        bytes(12),
        None,
        bytes(16),
        bytes.fromhex("98e7247c07f0fe411c267e4384b0f600 2ff58d80033927ab8ef4d4587514f0fb"),
    ),
    "aes-256-gcm": Vector(
        aes_gcm,
        bytes(32),
        bytes(12),
        None,
        bytes(16),
        bytes.fromhex("cea7403d4d606b6e074ec5d3baf39d18 d0d1c8a799996bf0265b98b5d48ab919"),
    ),
    # Wycheproof testvectors_v1/aes_ccm_test.json, tcId 4 and 158
    "aes-128-ccm": Vector(
        aes_ccm,
        bytes.fromhex("ffdf4228361ea1f8165852136b3480f7"),
        bytes.fromhex("0e1666f2dc652f7708fb8f0d"),
        None,
        bytes.fromhex("25b12e28ac0ef6ead0226a3b2288c800"),
        bytes.fromhex("aaf596fa5b00aaac27700146aec932a9 848b6735d32c96e4a0532bcdfaf33582"),
    ),
    "aes-256-ccm": Vector(
        aes_ccm,
        bytes.fromhex("cc56b680552eb75008f5484b4cb803fa5063ebd6eab91f6ab6aef4916a766273"),
        bytes.fromhex("99e23ec48985bccdeeab60f1"),
        None,
        bytes.fromhex("2a"),
        bytes.fromhex("06 85ca1f6c46283cb5dd5960bd34a8dc36"),
    ),
    # RFC 8452 appendices C.1 and C.2
    "aes-128-gcm-siv": Vector(
        aes_gcm_siv,
        b"\x01" + bytes(15),
        b"\x03" + bytes(11),
        None,
        b"\x01" + bytes(7),
        bytes.fromhex("b5d839330ac7b786 578782fff6013b815b287c22493a364c"),
    ),
    "aes-256-gcm-siv": Vector(
        aes_gcm_siv,
        b"\x01" + bytes(31),
        b"\x03" + bytes(11),
        None,
        b"\x01" + bytes(7),
        bytes.fromhex("c2ef328e5c71c83b 843122130f7364b761e0b97427e3df28"),
    ),
    # RFC 8998 appendix A.1
    "sm4-gcm": Vector(
        Sm4Gcm,
        bytes.fromhex("0123456789abcdeffedcba9876543210"),
        bytes.fromhex("00001234567800000000abcd"),
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        bytes.fromhex("".join(digit * 16 for digit in "abcdefea")),
        bytes.fromhex(
            "17f399f08c67d5ee19d0dc9969c4bb7d 5fd46fd3756489069157b282bb200735"
            "d82710ca5c22f0ccfa7cbf93d496ac15 a56834cbcf98c397b4024a2691233b8d"
            "83de3541e4c2b58177e065a9bf7b62ec"
        ),
    ),
    # RFC 8439 section 2.8.2
    "chacha20-poly1305": Vector(
        chacha20_poly1305,
        bytes(range(0x80, 0xA0)),
        bytes.fromhex("07000000 4041424344454647"),
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
        SUNSCREEN,
        bytes.fromhex(
            "d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6"
            "3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36"
            "92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc"
            "3ff4def08e4b7a9de576d26586cec64b 6116"
            "1ae10b594f09e26a7e902ecbd0600691"
        ),
    ),
    # draft-irtf-cfrg-xchacha-03 appendix A.3.1
    "xchacha20-poly1305": Vector(
        XChaCha20Poly1305,
        bytes(range(0x80, 0xA0)),
        bytes(range(0x40, 0x58)),
        bytes.fromhex("50515253c0c1c2c3c4c5c6c7"),
        SUNSCREEN,
        bytes.fromhex(
            "bd6d179d3e83d43b9576579493c0e939 572a1700252bfaccbed2902c21396cbb"
            "731c7f1b0b4aa6440bf3a82f4eda7e39 ae64c6708c54c216cb96b72e1213b452"
            "2f8c9ba40db5d945b11b69b982c1bb9e 3f3fac2bc369488f76b2383565d3fff9"
            "21f9664c97637da9768812f615c68b13 b52e"
            "c0875924c1c7987947deafd8780acf49"
        ),
    ),
}

every_vector = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)


@every_vector
def test_seals_to_the_vector(vector: Vector) -> None:
    out = bytearray(len(vector.sealed) + 2)
    box = vector.aead(vector.key)
    box.encrypt_into(vector.nonce, vector.plain, vector.aad, memoryview(out)[1:-1])
    assert out == b"\0" + vector.sealed + b"\0"


@every_vector
def test_opens_the_vector(vector: Vector) -> None:
    out = bytearray(len(vector.plain) + 2)
    box = vector.aead(vector.key)
    sealed = memoryview(bytearray(vector.sealed))
    box.decrypt_into(memoryview(vector.nonce), sealed, vector.aad, memoryview(out)[1:-1])
    assert out == b"\0" + vector.plain + b"\0"


@every_vector
def test_any_flipped_bit_is_refused(vector: Vector) -> None:
    box = vector.aead(vector.key)
    out = bytearray(len(vector.plain))
    for bit in range(8 * len(vector.sealed)):
        flipped = bytearray(vector.sealed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InvalidTag):
            box.decrypt_into(vector.nonce, flipped, vector.aad, out)


@every_vector
def test_one_box_opens_many_nonces_in_any_order(vector: Vector) -> None:
    box = vector.aead(vector.key)
    size = len(vector.nonce)
    # Both ends of the nonce matter: HChaCha20 takes the first 16 octets of a long one.
    numbers = (0, 1, 256, (1 << 32) - 1, 1 << 8 * (size - 1), (1 << 8 * size) - 1)
    nonces = [n.to_bytes(size, "little") for n in numbers]
    sealed = []
    for nonce in nonces:
        out = bytearray(5 + 16)
        box.encrypt_into(nonce, b"hello", None, out)
        sealed.append(bytes(out))
    assert len(set(sealed)) == len(nonces)
    plain = bytearray(5)
    for nonce, octets in reversed(list(zip(nonces, sealed, strict=True))):
        box.decrypt_into(nonce, octets, None, plain)
        assert plain == b"hello"


def test_hchacha20_gives_the_vector() -> None:
    # draft-irtf-cfrg-xchacha-03 section 2.2.1
    box = XChaCha20Poly1305(bytes(range(32)))
    subkey = box._hchacha20(bytes.fromhex("000000090000004a0000000031415927"))
    assert subkey.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
