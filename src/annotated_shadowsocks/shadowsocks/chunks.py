"""Chunks: what the streams of SIP004 and of SIP022 are made of behind their beginnings.

::

    +---------------------+-----------------+---------------------+-----------------+---- ...
    | sealed length + tag | sealed payload  | sealed length + tag | sealed payload  |
    |                     |          + tag  |                     |          + tag  |
    |       2 + 16        |     n + 16      |       2 + 16        |     n + 16      |

Every box is sealed with the next nonce: a little-endian counter that moves by one for each box, so
by two for each chunk. The generations differ in how a stream begins, and in the most octets that a
chunk may carry. The loops are the same, and these two are all that bulk meets.

``convert`` is the one verb of a codec: it takes what it can from ``src``, writes what that became
to ``dst``, and says how much of both. A decoder leaves an unfinished chunk in ``src``; whoever
called keeps those octets and shows them again in front of the next. So a connection owns memory
only for an unfinished chunk, and nothing at all when it is idle.
"""

from ..crypto.aead import Aead, InvalidTag
from ..crypto.methods import TAG_SIZE
from ..errors import AuthenticationError, RemoteProtocolError

__all__ = ["LENGTH_BOX", "ChunkDecoder", "ChunkEncoder"]

#: Octets of the box in front of each payload's.
LENGTH_BOX = 2 + TAG_SIZE


class ChunkEncoder:
    """One direction as it is sealed; a subclass writes what stands before the chunks.

    ``limit`` is the most octets of a payload, and ``nonce_size`` that of ``box``.
    """

    __slots__ = ("_box", "_counter", "_limit", "_nonce_size", "salt", "waiting")

    error: RemoteProtocolError | None = None
    between_chunks = True

    def __init__(self, box: Aead, salt: bytes, nonce_size: int, limit: int) -> None:
        self.salt = salt
        #: True until the salt, and what goes with it, have been given out.
        self.waiting = True
        self._box = box
        self._counter = 0
        self._nonce_size = nonce_size
        self._limit = limit

    def seal(self, plain: bytes | memoryview, dst: memoryview, at: int) -> int:
        """Write one box to ``dst`` at ``at``; returns where it ends."""
        end = at + len(plain) + TAG_SIZE
        nonce = self._counter.to_bytes(self._nonce_size, "little")
        self._box.encrypt_into(nonce, plain, None, dst[at:end])
        self._counter += 1
        return end

    def seal_chunks(self, src: memoryview, dst: memoryview, at: int) -> int:
        """Write all of ``src`` to ``dst`` from ``at`` on; returns where the last chunk ends."""
        seal, nonce_size, counter = self._box.encrypt_into, self._nonce_size, self._counter
        limit = self._limit
        for start in range(0, len(src), limit):
            chunk = src[start : start + limit]
            body = at + LENGTH_BOX
            end = body + len(chunk) + TAG_SIZE
            length = len(chunk).to_bytes(2, "big")
            # to_bytes raises OverflowError before a nonce could repeat.
            seal(counter.to_bytes(nonce_size, "little"), length, None, dst[at:body])
            seal((counter + 1).to_bytes(nonce_size, "little"), chunk, None, dst[body:end])
            counter += 2
            at = end
        self._counter = counter
        return at


class ChunkDecoder:
    """Opens the chunks of one direction, from ``box``'s nonce ``counter`` on.

    Without a box it opens nothing; a subclass may find one at the beginning of its stream. Chunks
    of more than ``limit`` octets are refused.
    """

    __slots__ = ("_box", "_counter", "_length", "_limit", "_nonce_size", "error")

    def __init__(self, box: Aead | None, counter: int, nonce_size: int, limit: int) -> None:
        self._box = box
        self._counter = counter
        self._nonce_size = nonce_size
        self._limit = limit
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
        if self.error is not None or self._box is None:
            return 0, 0
        return self.open_chunks(self._box, src, 0, dst)

    def finish(self, dst: memoryview) -> int:
        """Nothing: what is not a whole chunk is never given out."""
        return 0

    def open_chunks(
        self, box: Aead, src: memoryview, used: int, dst: memoryview
    ) -> tuple[int, int]:
        """``convert`` of what stands in ``src`` from ``used`` on."""
        open_, nonce_size, counter = box.decrypt_into, self._nonce_size, self._counter
        size, at, length, limit = len(src), 0, self._length, self._limit
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
                    if not 0 < length <= limit:
                        self.error = RemoteProtocolError(f"chunk length {length} is out of range")
                        break
                    counter += 1
                    used = body
                end = used + length + TAG_SIZE
                if size < end:
                    break
                nonce = counter.to_bytes(nonce_size, "little")
                open_(nonce, src[used:end], None, dst[at : at + length])
                counter += 1
                at += length
                used = end
                length = 0
        except InvalidTag:
            self.error = AuthenticationError("a chunk does not authenticate")
        self._counter, self._length = counter, length
        return used, at
