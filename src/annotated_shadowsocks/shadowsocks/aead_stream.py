"""SIP004 stream framing: plain octets to sealed chunks and back, on buffers that the relay owns.

::

    +------+---------------------+-----------------+---------------------+----------------- ...
    | salt | sealed length + tag | sealed payload  | sealed length + tag | sealed payload
    +------+---------------------+------ + tag ----+---------------------+----------------- ...
    | 16.. |       2 + 16        |     n + 16      |       2 + 16        |

Every box is sealed under the session subkey that belongs to the salt, from nonce zero on. A chunk
carries at most 0x3FFF octets. What a salt has opened before must not be opened again, and the salt
stands outside of every box, so it can be judged only when its first chunk was authentic.

The chunks themselves, and the shape of a codec, are in ``chunks``.
"""

from typing import Protocol

from ..crypto.aead import InvalidTag
from ..crypto.methods import TAG_SIZE
from ..errors import ReplayError
from .chunks import LENGTH_BOX, ChunkDecoder, ChunkEncoder
from .key import MasterKey

__all__ = ["MAX_PAYLOAD", "AeadDecoder", "AeadEncoder", "SaltGuard", "opens"]

#: Octets of the largest payload of one chunk. The upper two bits of a length are reserved and must
#: be zero [SIP004]; a peer that masks them away accepts four spellings of one stream.
MAX_PAYLOAD = 0x3FFF


class SaltGuard(Protocol):
    """Remembers salts: the one question and the one answer are a single atomic step."""

    def add(self, salt: bytes, timestamp: int = 0) -> bool:
        """True where ``salt`` was never seen; it is remembered from then on.

        With a ``timestamp``, that of its header, it cannot be forgotten too early: False where it
        may have been.
        """
        ...


class AeadEncoder(ChunkEncoder):
    """Seals one direction. ``head`` is plain text that joins the first chunk: the address."""

    __slots__ = ("_head",)

    def __init__(self, key: MasterKey, salt: bytes, head: bytes = b"") -> None:
        super().__init__(key.stream(salt), salt, key.method.nonce_size, MAX_PAYLOAD)
        self._head = head

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Seal all of ``src``; returns (octets taken, octets written)."""
        taken, at = len(src), 0
        if self.waiting:
            src, at = self._open_stream(src, dst)
        return taken, self.seal_chunks(src, dst, at)

    def finish(self, dst: memoryview) -> int:
        """The head, where no payload ever carried it; a stream without a head may stay unsaid."""
        return self.convert(memoryview(b""), dst)[1] if self._head else 0

    def _open_stream(self, src: memoryview, dst: memoryview) -> tuple[memoryview, int]:
        self.waiting = False
        size = len(self.salt)
        dst[:size] = self.salt
        if self._head:
            src = memoryview(self._head + bytes(src))
            self._head = b""
        return src, size


class AeadDecoder(ChunkDecoder):
    """Opens one direction; ``guard`` is asked about the salt once its first chunk is authentic."""

    __slots__ = ("_guard", "_key", "_salt")

    def __init__(self, key: MasterKey, guard: SaltGuard | None = None) -> None:
        super().__init__(None, 0, key.method.nonce_size, MAX_PAYLOAD)
        self._key = key
        self._guard = guard
        #: Empty before it is there, and again once it was judged.
        self._salt = b""

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """As ``ChunkDecoder.convert``, after the salt."""
        if self.error is not None:
            return 0, 0
        used = 0
        box = self._box
        if box is None:
            used = self._key.method.salt_size
            # The salt alone proves nothing, so it is not even split off before a length box is
            # here: a peer that stops earlier leaves no state behind.
            if len(src) < used + LENGTH_BOX:
                return 0, 0
            self._salt = bytes(src[:used])
            box = self._box = self._key.stream(self._salt)
        used, made = self.open_chunks(box, src, used, dst)
        if made and self._salt and not self._is_fresh():
            made = 0
        return used, made

    def _is_fresh(self) -> bool:
        """Ask the guard, now that a whole chunk is authentic and not a moment earlier.

        A salt remembered before authentication could be planted by anyone who saw it pass, and
        would then lock its owner out.
        """
        salt, self._salt = self._salt, b""
        if self._guard is None or self._guard.add(salt):
            return True
        self.error = ReplayError("this salt has opened a stream before")
        return False


def opens(key: MasterKey, salt: bytes, box: bytes) -> bool:
    """Whether ``key`` sealed ``box`` with ``salt``: the first of a stream, or a packet's."""
    try:
        key.session(salt).decrypt_into(
            bytes(key.method.nonce_size), box, None, bytearray(len(box) - TAG_SIZE)
        )
    except InvalidTag:
        return False
    return True
