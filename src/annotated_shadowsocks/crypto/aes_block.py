"""AES on single blocks: for headers of 16 octets that never repeat, and for nothing else.

AEAD-2022 hides the number of a datagram, and whose it is, in one block each. A block cipher alone
shows when two blocks are equal; these are not, because they hold a counter or are made with a key
for once.
"""

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from ..errors import LocalProtocolError

__all__ = ["BLOCK_SIZE", "AesBlock"]

BLOCK_SIZE = 16


class AesBlock:
    """AES under one key, 16, 24 or 32 octets; keyed once for each direction and kept."""

    __slots__ = ("_cipher", "_decryptor", "_encryptor")

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(AES(key), ECB())
        # Keying a context costs ten blocks, and few holders need both.
        self._encryptor: CipherContext | None = None
        self._decryptor: CipherContext | None = None

    def encrypt(self, block: bytes | memoryview) -> bytes:
        """The block that stands for ``block``, which has 16 octets."""
        _check(block)
        if self._encryptor is None:
            self._encryptor = self._cipher.encryptor()
        return self._encryptor.update(block)

    def decrypt(self, block: bytes | memoryview) -> bytes:
        """The block that ``block``, 16 octets, stands for."""
        _check(block)
        if self._decryptor is None:
            self._decryptor = self._cipher.decryptor()
        return self._decryptor.update(block)


def _check(block: bytes | memoryview) -> None:
    # A context keeps what is not a whole block for the next call, and all later ones were wrong.
    if len(block) != BLOCK_SIZE:
        raise LocalProtocolError(f"a block of {len(block)} octets")
