"""One interface over the AEAD constructions: seal and open, into buffers that the caller owns.

The relay works on two buffers that live as long as the process, so a box here never returns
octets: it writes them where it is told. ``cryptography`` does exactly that since version 48.

XChaCha20-Poly1305 is not in ``cryptography``; it is ChaCha20-Poly1305 under a subkey that HChaCha20
makes from the first 16 octets of a 24-octet nonce. HChaCha20 is ChaCha20's block function without
the final addition, so it can be had from one keystream block by subtracting what was added.

Source: draft-irtf-cfrg-xchacha-03, sections 2.2 and 2.3.
"""

import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import (
    AESCCM,
    AESGCM,
    AESGCMSIV,
    ChaCha20Poly1305,
)
from cryptography.hazmat.primitives.ciphers.algorithms import SM4, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import GCM

__all__ = [
    "Aead",
    "AeadFactory",
    "InvalidTag",
    "Sm4Gcm",
    "XChaCha20Poly1305",
    "aes_ccm",
    "aes_gcm",
    "aes_gcm_siv",
    "chacha20_poly1305",
]

Buffer = bytes | bytearray | memoryview


class Aead(Protocol):
    """Authenticated encryption under one key. ``cryptography``'s classes satisfy it as they are."""

    def encrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Write ciphertext and tag to ``buf``, exactly ``len(data) + 16`` octets long."""
        ...

    def decrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Write the plaintext to ``buf``, ``len(data) - 16`` long, or raise ``InvalidTag``."""
        ...


#: Makes a box from a key.
AeadFactory = Callable[[bytes], Aead]

aes_gcm: AeadFactory = AESGCM
aes_ccm: AeadFactory = AESCCM
aes_gcm_siv: AeadFactory = AESGCMSIV
chacha20_poly1305: AeadFactory = ChaCha20Poly1305

# "expand 32-byte k", the four constant words of the ChaCha20 state [RFC8439 §2.3]
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_NONCE = struct.Struct("<4I")
# Words 0..3 and 12..15 of a block: the rows whose input everybody knows.
_OUTER_ROWS = struct.Struct("<4I32x4I")
_SUBKEY = struct.Struct("<8I")


class XChaCha20Poly1305:
    """XChaCha20-Poly1305 with 24-octet nonces, on ``cryptography``'s ChaCha20."""

    __slots__ = ("_block",)

    def __init__(self, key: bytes) -> None:
        self._block = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()

    def encrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Seal ``data`` under the subkey that belongs to ``nonce``."""
        return self._box(nonce).encrypt_into(_short_nonce(nonce), data, aad, buf)

    def decrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Open ``data`` under the subkey that belongs to ``nonce``."""
        return self._box(nonce).decrypt_into(_short_nonce(nonce), data, aad, buf)

    def _box(self, nonce: Buffer) -> ChaCha20Poly1305:
        return ChaCha20Poly1305(self._hchacha20(bytes(nonce[:16])))

    def _hchacha20(self, nonce16: bytes) -> bytes:
        # [draft-irtf-cfrg-xchacha §2.2] the state is constants | key | nonce, and the subkey is
        # words 0..3 and 12..15 *before* the addition of the input, so subtract the input again.
        self._block.reset_nonce(nonce16)
        words = _OUTER_ROWS.unpack(self._block.update(bytes(64)))
        added = _CONSTANTS + _NONCE.unpack(nonce16)
        return _SUBKEY.pack(*[(w - a) & 0xFFFFFFFF for w, a in zip(words, added, strict=True)])


class Sm4Gcm:
    """SM4 in Galois/Counter Mode, with nonces of 12 octets [RFC8998 §3.1]."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = SM4(key)
        # An OpenSSL without SM4 says so here, and not when the first stream comes.
        Cipher(self._key, GCM(bytes(12))).encryptor()

    def encrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Seal ``data``."""
        sealing = Cipher(self._key, GCM(bytes(nonce))).encryptor()
        sealing.authenticate_additional_data(aad or b"")
        size = len(data)
        with memoryview(buf) as out:
            sealing.update_into(data, out[:size])
            sealing.finalize()
            out[size:] = sealing.tag
        return size + 16

    def decrypt_into(self, nonce: Buffer, data: Buffer, aad: Buffer | None, buf: Buffer) -> int:
        """Open ``data``. Where it is not authentic, ``buf`` has been overwritten all the same."""
        opening = Cipher(self._key, GCM(bytes(nonce))).decryptor()
        opening.authenticate_additional_data(aad or b"")
        with memoryview(data) as sealed:
            opening.update_into(sealed[:-16], buf)
            opening.finalize_with_tag(bytes(sealed[-16:]))
        return len(data) - 16


def _short_nonce(nonce: Buffer) -> bytes:
    """Four zero octets and the last eight of the long nonce [draft-irtf-cfrg-xchacha §2.3]."""
    return bytes(4) + bytes(nonce[16:])
