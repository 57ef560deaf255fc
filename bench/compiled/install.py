"""Puts the extension in the place of what it was written from, in the process that calls this.

Whatever has another box than the extension's goes the way that it went before: XChaCha20, SM4 and
all else that is not here keep their pure loops, and so does every stream cipher.
"""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Protocol, cast

from annotated_shadowsocks.crypto.aead import Aead, Buffer
from annotated_shadowsocks.crypto.methods import TABLE
from annotated_shadowsocks.crypto.resting_box import RestingBox
from annotated_shadowsocks.errors import AuthenticationError, RemoteProtocolError
from annotated_shadowsocks.shadowsocks import key
from annotated_shadowsocks.shadowsocks.chunks import ChunkDecoder, ChunkEncoder

__all__ = ["CIPHERS", "MODULE", "Native", "box_of", "install", "loops"]

SealChunks = Callable[[ChunkEncoder, memoryview, memoryview, int], int]
OpenChunks = Callable[[ChunkDecoder, Aead, memoryview, int, memoryview], tuple[int, int]]

#: The name of the extension, wherever it is found on the path.
MODULE = "shadowsocks_native"

#: What ``open_chunks`` says last, where something ended the stream.
_NOT_AUTHENTIC, _OUT_OF_RANGE = 1, 2

#: The methods whose boxes it has, by what OpenSSL calls their ciphers.
CIPHERS = {
    "aes-128-gcm": "AES-128-GCM",
    "aes-192-gcm": "AES-192-GCM",
    "aes-256-gcm": "AES-256-GCM",
    "chacha20-ietf-poly1305": "ChaCha20-Poly1305",
    "2022-blake3-aes-128-gcm": "AES-128-GCM",
    "2022-blake3-aes-256-gcm": "AES-256-GCM",
    "2022-blake3-chacha20-poly1305": "ChaCha20-Poly1305",
}


class Native(Protocol):
    """What ``native.c`` has."""

    @property
    def Box(self) -> Callable[[str, bytes], Aead]:  # noqa: N802
        """A class."""
        ...

    def seal_chunks(
        self, box: Aead, counter: int, limit: int, src: Buffer, dst: Buffer, at: int
    ) -> tuple[int, int]:
        """The new counter, and where the last chunk ends."""
        ...

    def open_chunks(
        self, box: Aead, counter: int, length: int, limit: int, src: Buffer, used: int, dst: Buffer
    ) -> tuple[int, int, int, int, int]:
        """Counter, length, octets used, octets made, verdict."""
        ...

    def session_subkey(self, key: bytes, salt: bytes) -> bytes:
        """As ``crypto.kdf`` has it."""
        ...


def box_of(native: Native, method: str) -> Callable[[bytes], Aead]:
    """What makes the extension's boxes for ``method``, from keys."""
    return partial(native.Box, CIPHERS[method])


def install(native: Native | None = None) -> None:
    """Replace both loops, the boxes of ``CIPHERS`` and the subkey of SIP004, for good."""
    native = native or cast(Native, importlib.import_module(MODULE))
    for name in CIPHERS:
        # Rows are frozen, because nothing of the package may do this.
        object.__setattr__(TABLE[name], "aead", box_of(native, name))
    # A name that the module imports is its own to look up, and no export.
    vars(key)["session_subkey"] = native.session_subkey
    seal_chunks, open_chunks = loops(native)
    ChunkEncoder.seal_chunks = seal_chunks  # type: ignore[assignment,method-assign]
    ChunkDecoder.open_chunks = open_chunks  # type: ignore[assignment,method-assign]


def _awake(box: Aead) -> Aead:
    # The box of a stream rests between the events of the stream, also where it is the extension's.
    return (box._box or box._wake()) if type(box) is RestingBox else box


def loops(native: Native) -> tuple[SealChunks, OpenChunks]:
    """The two methods, which leave to the pure ones what is not in a box of ``native``."""
    seal, open_, box_type = native.seal_chunks, native.open_chunks, native.Box
    pure_seal, pure_open = ChunkEncoder.seal_chunks, ChunkDecoder.open_chunks

    def seal_chunks(self: ChunkEncoder, src: memoryview, dst: memoryview, at: int) -> int:
        box = _awake(self._box)
        if type(box) is not box_type:
            return pure_seal(self, src, dst, at)
        self._counter, at = seal(box, self._counter, self._limit, src, dst, at)
        return at

    def open_chunks(
        self: ChunkDecoder, box: Aead, src: memoryview, used: int, dst: memoryview
    ) -> tuple[int, int]:
        box = _awake(box)
        if type(box) is not box_type:
            return pure_open(self, box, src, used, dst)
        found = open_(box, self._counter, self._length, self._limit, src, used, dst)
        self._counter, self._length, used, made, verdict = found
        if verdict == _NOT_AUTHENTIC:
            self.error = AuthenticationError("a chunk does not authenticate")
        elif verdict == _OUT_OF_RANGE:
            self.error = RemoteProtocolError(f"chunk length {self._length} is out of range")
        return used, made

    return seal_chunks, open_chunks
