"""The ciphers of the first Shadowsocks: a stream of octets goes in, as many come out.

None of them authenticates. Whoever sits between the two ends can flip bits of what is said; and
with seven octets that he can guess, as of an answer of HTTP, he can have a server decrypt a
recording and send it where he likes. ``table`` and ``rc4`` do not even begin two streams
differently, and ``none`` hides nothing. They are here for peers that know nothing else, and a
configuration has to say that it means it.

A factory takes key and IV, and gives a cipher for one stream or one packet. What OpenSSL has is
taken from there, old algorithms included; which ones those are depends on how it was built. Two
are PyCryptodome's, where it is installed. Two are ours: a permutation of octets, which is
``table``, and none at all.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Protocol

from cryptography.hazmat.decrepit.ciphers import algorithms as old
from cryptography.hazmat.decrepit.ciphers.modes import CFB, CFB8, OFB
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, ChaCha20
from cryptography.hazmat.primitives.ciphers.modes import CTR, Mode

from .aead import XChaCha20Poly1305
from .pycryptodome import rc2_cfb, salsa20

__all__ = [
    "CIPHERS",
    "StreamCipher",
    "StreamCipherFactory",
    "StreamContext",
]


class StreamContext(Protocol):
    """One direction of one stream; ``cryptography``'s contexts satisfy it as they are."""

    def update_into(self, data: bytes | memoryview, buf: memoryview) -> int:
        """Write as many octets to ``buf`` as ``data`` has; returns their number."""
        ...


class StreamCipher(Protocol):
    """A cipher with its key and IV."""

    def encryptor(self) -> StreamContext:
        """What hides, from the first octet on."""
        ...

    def decryptor(self) -> StreamContext:
        """What shows."""
        ...


#: Makes a cipher from a key and an IV, of the sizes that belong to the method.
StreamCipherFactory = Callable[[bytes, bytes], StreamCipher]


def _block(
    algorithm: Callable[[bytes], BlockCipherAlgorithm], mode: Callable[[bytes], Mode]
) -> StreamCipherFactory:
    """A block cipher, made a stream by ``mode``."""
    return lambda key, iv: Cipher(algorithm(key), mode(iv))


def _des(key: bytes) -> BlockCipherAlgorithm:
    # OpenSSL has DES in its triple form only; with three equal keys that is DES.
    return old.TripleDES(3 * key)


def _rc4(key: bytes, iv: bytes) -> StreamCipher:
    return Cipher(old.ARC4(key), None)


def _rc4_md5(key: bytes, iv: bytes) -> StreamCipher:
    return _rc4(hashlib.md5(key + iv, usedforsecurity=False).digest(), b"")


def _chacha20(key: bytes, iv: bytes) -> StreamCipher:
    # Counter and nonce together are 16 octets: 8 and 8 in the original, 4 and 12 in the IETF's.
    # ``cryptography`` ends either at 256 GiB, where the counter would leave its first 4.
    return Cipher(ChaCha20(key, iv.rjust(16, b"\0")), None)


def _xchacha20(key: bytes, iv: bytes) -> StreamCipher:
    subkey = XChaCha20Poly1305(key)._hchacha20(iv[:16])
    return _chacha20(subkey, iv[16:])


class _Substitution:
    """``table``: each octet stands for another one, everywhere and always."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._key = key

    def encryptor(self) -> StreamContext:
        return _Translation(_boxes(self._key)[0])

    def decryptor(self) -> StreamContext:
        return _Translation(_boxes(self._key)[1])


class _Plain:
    """``none``: nothing is hidden."""

    __slots__ = ()

    def __init__(self, key: bytes, iv: bytes) -> None:
        pass

    def encryptor(self) -> StreamContext:
        return _Translation(None)

    decryptor = encryptor


class _Translation:
    __slots__ = ("_box",)

    def __init__(self, box: bytes | None) -> None:
        self._box = box

    def update_into(self, data: bytes | memoryview, buf: memoryview) -> int:
        size = len(data)
        buf[:size] = data if self._box is None else bytes(data).translate(self._box)
        return size


@lru_cache(maxsize=64)
def _boxes(key: bytes) -> tuple[bytes, bytes]:
    """The permutation that belongs to ``key``, 16 octets, and its inverse.

    It takes a thousand sorts, so it is made once for each key. They have to be stable: many octets
    compare equal, and stay in the order that the sort before had brought them to.
    """
    number = int.from_bytes(key[:8], "little")
    box = list(range(256))
    for turn in range(1, 1024):
        box.sort(key=partial(_rank, number, turn))
    inverse = bytearray(256)
    for plain, hidden in enumerate(box):
        inverse[hidden] = plain
    return bytes(box), bytes(inverse)


def _rank(number: int, turn: int, octet: int) -> int:
    return number % (octet + turn)


#: Name, octets of key and of IV, factory; or in its place why there is none.
Row = tuple[str, int, int, StreamCipherFactory | str]

_NO_CFB1 = "no library at hand has CFB with one bit"


def _modes(name: str, size: int, algorithm: Callable[[bytes], BlockCipherAlgorithm]) -> list[Row]:
    return [
        (f"{name}-cfb", size, 16, _block(algorithm, CFB)),
        (f"{name}-cfb1", size, 16, _NO_CFB1),
        (f"{name}-cfb8", size, 16, _block(algorithm, CFB8)),
        (f"{name}-ctr", size, 16, _block(algorithm, CTR)),
        (f"{name}-ofb", size, 16, _block(algorithm, OFB)),
    ]


CIPHERS: list[Row] = [
    *(row for bits in (128, 192, 256) for row in _modes(f"aes-{bits}", bits // 8, AES)),
    *(
        row
        for bits in (128, 192, 256)
        for row in _modes(f"camellia-{bits}", bits // 8, old.Camellia)
    ),
    ("bf-cfb", 16, 8, _block(old.Blowfish, CFB)),
    ("cast5-cfb", 16, 8, _block(old.CAST5, CFB)),
    ("des-cfb", 8, 8, _block(_des, CFB)),
    ("idea-cfb", 16, 8, _block(old.IDEA, CFB)),
    ("rc2-cfb", 16, 8, rc2_cfb),
    ("seed-cfb", 16, 16, _block(old.SEED, CFB)),
    ("chacha20", 32, 8, _chacha20),
    ("chacha20-ietf", 32, 12, _chacha20),
    ("xchacha20", 32, 24, _xchacha20),
    ("salsa20", 32, 8, salsa20),
    ("rc4-md5", 16, 16, _rc4_md5),
    ("rc4", 16, 0, _rc4),
    # Whatever the password, its MD5 is the key.
    ("table", 16, 0, _Substitution),
    ("none", 0, 0, _Plain),
    ("plain", 0, 0, _Plain),
]
