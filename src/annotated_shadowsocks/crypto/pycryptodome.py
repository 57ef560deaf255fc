"""The ciphers that OpenSSL does not have and PyCryptodome does: an extra, for whoever needs them.

The package is looked for when one of them is used, and not before: most never do, and its import
takes a moment. ``MissingPackage`` says how to get it.
"""

from collections.abc import Callable
from typing import Protocol, cast

__all__ = ["MissingPackage", "rc2_cfb", "salsa20"]


class MissingPackage(ImportError):
    """The text is why a method cannot be used, and what would change that."""

    def __init__(self) -> None:
        super().__init__(
            "it needs PyCryptodome: install annotated-shadowsocks[legacy] or pycryptodome"
        )


class _Cipher(Protocol):
    """One direction of a cipher of the package."""

    def encrypt(self, plaintext: bytes | memoryview, output: memoryview) -> None: ...

    def decrypt(self, ciphertext: bytes | memoryview, output: memoryview) -> None: ...


class _Context:
    __slots__ = ("_update",)

    def __init__(self, update: Callable[[bytes | memoryview, memoryview], None]) -> None:
        self._update = update

    def update_into(self, data: bytes | memoryview, buf: memoryview) -> int:
        size = len(data)
        self._update(data, buf[:size])
        return size


class _Stream:
    """A cipher with its key and IV; each direction is one of its own."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[], _Cipher]) -> None:
        self._make = make

    def encryptor(self) -> _Context:
        return _Context(self._make().encrypt)

    def decryptor(self) -> _Context:
        return _Context(self._make().decrypt)


def salsa20(key: bytes, iv: bytes) -> _Stream:
    """Salsa20 with twenty rounds. Raises ``MissingPackage``."""
    try:
        from Crypto.Cipher import Salsa20
    except ImportError:
        raise MissingPackage from None
    return _Stream(lambda: Salsa20.new(key, nonce=iv))


def rc2_cfb(key: bytes, iv: bytes) -> _Stream:
    """RC2 in CFB mode, with segments of a whole block. Raises ``MissingPackage``."""
    try:
        from Crypto.Cipher import ARC2
    except ImportError:
        raise MissingPackage from None
    # [RFC2268 §2] the key may count for fewer bits than it has, or more; OpenSSL takes as many
    bits = 8 * len(key)

    def make() -> _Cipher:
        made = ARC2.new(key, ARC2.MODE_CFB, iv=iv, segment_size=64, effective_keylen=bits)
        # The package's own types know only that it is a mode, and not which.
        return cast(_Cipher, made)

    return _Stream(make)
