"""SIP004 stream framing: plain octets to sealed chunks and back, on buffers that the relay owns.

::

    +------+---------------------+-----------------+---------------------+----------------- ...
    | salt | sealed length + tag | sealed payload  | sealed length + tag | sealed payload
    +------+---------------------+------ + tag ----+---------------------+----------------- ...
    | 16.. |       2 + 16        |     n + 16      |       2 + 16        |

Every box is sealed under the session subkey with the next nonce: a little-endian counter that
starts at zero and moves by one for each box, so by two for each chunk. A chunk carries at most
0x3FFF octets.

``convert`` is the one verb of a codec: it takes what it can from ``src``, writes what that became
to ``dst``, and says how much of both. A decoder leaves an unfinished chunk in ``src``; whoever
called keeps those octets and shows them again in front of the next. So a connection owns memory
only for an unfinished chunk, and nothing at all when it is idle.
"""

from typing import Protocol

from ..crypto.aead import Aead, InvalidTag
from ..crypto.methods import TAG_SIZE
from ..errors import AuthenticationError, RemoteProtocolError, ReplayError
from .key import MasterKey

__all__ = ["LENGTH_BOX", "MAX_PAYLOAD", "AeadDecoder", "AeadEncoder", "SaltGuard", "opens"]

#: Octets of the largest payload of one chunk; the upper two bits of a length are reserved [SIP004].
MAX_PAYLOAD = 0x3FFF

#: Octets of the box in front of each payload's.
LENGTH_BOX = 2 + TAG_SIZE


class SaltGuard(Protocol):
    """Remembers salts: the one question and the one answer are a single atomic step."""

    def add(self, salt: bytes) -> bool:
        """True where ``salt`` was never seen; it is remembered from then on."""
        ...


class AeadEncoder:
    """Seals one direction. ``head`` is plain text that joins the first chunk: the address."""

    __slots__ = ("_box", "_counter", "_head", "_nonce_size", "_salt", "salt")

    error: RemoteProtocolError | None = None
    between_chunks = True

    def __init__(self, key: MasterKey, salt: bytes, head: bytes = b"") -> None:
        self._box: Aead = key.session(salt)
        self._nonce_size = key.method.nonce_size
        self._counter = 0
        self.salt = salt
        self._salt = salt
        self._head = head

    @property
    def waiting(self) -> bool:
        """True until the first ``convert``: salt and head have not been given out."""
        return bool(self._salt)

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Seal all of ``src``; returns (octets taken, octets written)."""
        taken, at = len(src), 0
        if self._salt:
            src, at = self._open_stream(src, dst)
        seal, nonce_size, counter = self._box.encrypt_into, self._nonce_size, self._counter
        for start in range(0, len(src), MAX_PAYLOAD):
            chunk = src[start : start + MAX_PAYLOAD]
            body = at + LENGTH_BOX
            end = body + len(chunk) + TAG_SIZE
            length = len(chunk).to_bytes(2, "big")
            # to_bytes raises OverflowError before a nonce could repeat.
            seal(counter.to_bytes(nonce_size, "little"), length, None, dst[at:body])
            seal((counter + 1).to_bytes(nonce_size, "little"), chunk, None, dst[body:end])
            counter += 2
            at = end
        self._counter = counter
        return taken, at

    def finish(self, dst: memoryview) -> int:
        """The head, where no payload ever carried it; a stream without a head may stay unsaid."""
        return self.convert(memoryview(b""), dst)[1] if self._head else 0

    def _open_stream(self, src: memoryview, dst: memoryview) -> tuple[memoryview, int]:
        size = len(self._salt)
        dst[:size] = self._salt
        if self._head:
            src = memoryview(self._head + bytes(src))
        self._salt = self._head = b""
        return src, size


class AeadDecoder:
    """Opens one direction; ``guard`` is asked about the salt once its first chunk is authentic."""

    __slots__ = ("_box", "_counter", "_guard", "_key", "_length", "_salt", "error")

    def __init__(self, key: MasterKey, guard: SaltGuard | None = None) -> None:
        self._key = key
        self._guard = guard
        self._salt = b""
        self._box: Aead | None = None
        self._counter = 0
        self._length = 0
        #: What ended this direction, after the octets that ``convert`` still returned.
        self.error: RemoteProtocolError | None = None

    @property
    def between_chunks(self) -> bool:
        """False where the stream, ending now, would end inside a chunk."""
        return not self._length

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Open all whole chunks of ``src``; returns (octets taken, octets written).

        Never raises for what the peer sent: chunks before a bad one are delivered, then ``error``
        is set and every later call takes and writes nothing.
        """
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
            box = self._box = self._key.session(self._salt)
        return self._open_chunks(box, src, used, dst)

    def finish(self, dst: memoryview) -> int:
        """Nothing: what is not a whole chunk is never given out."""
        return 0

    def _open_chunks(
        self, box: Aead, src: memoryview, used: int, dst: memoryview
    ) -> tuple[int, int]:
        open_, nonce_size, counter = box.decrypt_into, self._key.method.nonce_size, self._counter
        size, at, length = len(src), 0, self._length
        length_octets = bytearray(2)
        try:
            while True:
                if not length:
                    body = used + LENGTH_BOX
                    if size < body:
                        break
                    nonce = counter.to_bytes(nonce_size, "little")
                    open_(nonce, src[used:body], None, length_octets)
                    length = length_octets[0] << 8 | length_octets[1]
                    # [SIP004] the two upper bits are reserved and must be zero; a peer that masks
                    # them away accepts four spellings of one stream.
                    if not 0 < length <= MAX_PAYLOAD:
                        self.error = RemoteProtocolError(f"chunk length {length} is out of range")
                        break
                    counter += 1
                    used = body
                end = used + length + TAG_SIZE
                if size < end:
                    break
                nonce = counter.to_bytes(nonce_size, "little")
                open_(nonce, src[used:end], None, dst[at : at + length])
                if counter == 1 and not self._is_fresh():
                    break
                counter += 1
                at += length
                used = end
                length = 0
        except InvalidTag:
            self.error = AuthenticationError("a chunk does not authenticate")
        self._counter, self._length = counter, length
        return used, at

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
