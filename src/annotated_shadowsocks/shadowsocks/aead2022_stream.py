"""SIP022 stream framing: the header that begins either direction, and the chunks behind it.

::

    request    salt | identity headers | fixed header | variable header         | chunks ...
    response   salt                    | fixed header | payload of that length  | chunks ...

    fixed header of a request      type 0 | timestamp |                length of the variable header
    fixed header of a response     type 1 | timestamp | request salt | length of the first payload
    octets                           1    |     8     |  16 or 32    |   2

    variable header                address | padding length | padding | first payload
    chunk                          length | payload, up to 0xFFFF octets

Every box is sealed under the session subkey of its direction, with a little-endian counter for a
nonce. What SIP004 lacks stands in the fixed header: a type, so that what one side said is nothing
when it is said back; a time, so that salts may be forgotten; and in the response the request's
salt, so that answers cannot be swapped.

Salt and fixed header are written together with what follows them, and whoever reads them takes
them from one read or not at all: a decoder that waited for more would tell a prober, who sends one
octet at a time, how many octets it wants.

A chunk can be opened only when it is whole, and has up to 65,535 octets if its sender likes. So a
connection may have to hold nearly ``CHUNK_SIZE`` octets, and whoever calls ``convert`` needs room
for that many in ``src``: in less, a stream of large chunks would never get on. What we send
ourselves is cut into chunks half as long: sealing costs a sixth more, opening hardly anything, and
a peer has half as much to hold and to wait for. [bench aead2022_stream]

The chunks themselves, and the shape of a codec, are in ``chunks``.
"""

import struct

from ..crypto.aead import Aead, InvalidTag
from ..crypto.methods import TAG_SIZE
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import AuthenticationError, RemoteProtocolError, ReplayError, Truncated
from ..wire import address
from .chunks import ChunkDecoder, ChunkEncoder
from .identity import KeyChain
from .psk import PreSharedKey
from .timestamp import Timestamps

__all__ = [
    "CHUNK_SIZE",
    "MAX_PADDING",
    "MAX_PAYLOAD",
    "NONCE_SIZE",
    "REQUEST",
    "REQUEST_HEADER",
    "RESPONSE",
    "RequestEncoder",
    "ResponseDecoder",
    "ResponseEncoder",
]

#: The types of the two directions.
REQUEST = 0
RESPONSE = 1

#: Type, timestamp, and the length of the variable header.
REQUEST_HEADER = struct.Struct(">BQH")

NONCE_SIZE = 12

#: Most octets of padding that anybody makes.
MAX_PADDING = 900

#: Octets of the largest payload of one chunk.
MAX_PAYLOAD = 0xFFFF

#: Octets of the largest sealed payload; what a decoder leaves in ``src`` is always less.
CHUNK_SIZE = MAX_PAYLOAD + TAG_SIZE

#: Octets of the payloads that we send ourselves.
OWN_PAYLOAD = 0x7FFF

_NOTHING = memoryview(b"")


class RequestEncoder(ChunkEncoder):
    """Seals a client's direction, to ``target``.

    The header goes out with the first payload, or without one where ``convert`` is called with
    nothing or ``finish`` is. A payload of fewer than ``MAX_PADDING`` octets shares its box with
    random padding, so that a length tells less about what was asked; one without is never sent.
    """

    __slots__ = ("_chain", "_entropy", "_target", "_timestamps")

    def __init__(
        self, chain: KeyChain, target: Endpoint, timestamps: Timestamps, entropy: Entropy
    ) -> None:
        salt = entropy(chain.psk.method.salt_size)
        super().__init__(chain.psk.stream(salt), salt, NONCE_SIZE, OWN_PAYLOAD)
        self._chain = chain
        self._target = address.encode(target)
        self._timestamps = timestamps
        self._entropy = entropy

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Seal all of ``src``; returns (octets taken, octets written)."""
        taken, at = len(src), 0
        if self.waiting:
            src, at = self._seal_header(src, dst)
        return taken, self.seal_chunks(src, dst, at)

    def finish(self, dst: memoryview) -> int:
        """The header, where no payload ever brought it along."""
        return self.convert(_NOTHING, dst)[1] if self.waiting else 0

    def _seal_header(self, src: memoryview, dst: memoryview) -> tuple[memoryview, int]:
        self.waiting = False
        room = MAX_PAYLOAD - len(self._target) - 2
        payload, rest = src[:room], src[room:]
        padding = self._padding(len(payload))
        size = padding.to_bytes(2, "big")
        variable = b"".join((self._target, size, bytes(padding), payload))
        head = self.salt + self._chain.stream_headers(self.salt)
        dst[: len(head)] = head
        fixed = REQUEST_HEADER.pack(REQUEST, self._timestamps.now(), len(variable))
        at = self.seal(fixed, dst, len(head))
        return rest, self.seal(variable, dst, at)

    def _padding(self, payload: int) -> int:
        """Octets of padding: never none where there is no payload [SIP022]."""
        if payload >= MAX_PADDING:
            return 0
        return 1 + int.from_bytes(self._entropy(2), "big") % MAX_PADDING


class ResponseEncoder(ChunkEncoder):
    """Seals a server's direction, in answer to the request that began with ``request_salt``."""

    __slots__ = ("_request_salt", "_timestamps")

    def __init__(
        self, psk: PreSharedKey, request_salt: bytes, timestamps: Timestamps, entropy: Entropy
    ) -> None:
        salt = entropy(psk.method.salt_size)
        super().__init__(psk.stream(salt), salt, NONCE_SIZE, OWN_PAYLOAD)
        self._request_salt = request_salt
        self._timestamps = timestamps

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Seal all of ``src``; returns (octets taken, octets written)."""
        taken, at = len(src), 0
        if self.waiting and src:
            src, at = self._seal_header(src, dst)
        return taken, self.seal_chunks(src, dst, at)

    def finish(self, dst: memoryview) -> int:
        """Nothing: a response without a payload has no header either [SIP022]."""
        return 0

    def _seal_header(self, src: memoryview, dst: memoryview) -> tuple[memoryview, int]:
        self.waiting = False
        payload, rest = src[:OWN_PAYLOAD], src[OWN_PAYLOAD:]
        dst[: len(self.salt)] = self.salt
        fixed = b"".join(
            (
                RESPONSE.to_bytes(1, "big"),
                self._timestamps.now().to_bytes(8, "big"),
                self._request_salt,
                len(payload).to_bytes(2, "big"),
            )
        )
        at = self.seal(fixed, dst, len(self.salt))
        return rest, self.seal(payload, dst, at)


class ResponseDecoder(ChunkDecoder):
    """Opens a server's direction, which must answer the request that began with ``request_salt``.

    The first ``convert`` with any octets must have salt and fixed header; fewer are ``Truncated``.
    """

    __slots__ = ("_psk", "_request_salt", "_timestamps")

    def __init__(self, psk: PreSharedKey, request_salt: bytes, timestamps: Timestamps) -> None:
        super().__init__(None, 0, NONCE_SIZE, MAX_PAYLOAD)
        self._psk = psk
        self._request_salt = request_salt
        self._timestamps = timestamps

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """As ``ChunkDecoder.convert``, after the header."""
        if self.error is not None or not src:
            return 0, 0
        used, box = 0, self._box
        if box is None:
            try:
                used, box = self._open_header(src)
            except RemoteProtocolError as error:
                self.error = error
                return 0, 0
        return self.open_chunks(box, src, used, dst)

    def _open_header(self, src: memoryview) -> tuple[int, Aead]:
        """Check the fixed header, which is the first chunk's length as well."""
        salt_size = len(self._request_salt)
        fixed = bytearray(1 + 8 + salt_size + 2)
        end = salt_size + len(fixed) + TAG_SIZE
        if len(src) < end:
            raise Truncated(f"a first read of {len(src)} octets, where {end} come together")
        box = self._psk.stream(bytes(src[:salt_size]))
        try:
            box.decrypt_into(bytes(NONCE_SIZE), src[salt_size:end], None, fixed)
        except InvalidTag:
            raise AuthenticationError("a response does not authenticate") from None
        if fixed[0] != RESPONSE:
            raise RemoteProtocolError(f"a header of type {fixed[0]}, which is no response")
        self._timestamps.check(int.from_bytes(fixed[1:9], "big"))
        # [SIP022] whoever knows the key could swap two answers otherwise. A response that passes
        # belongs to this one connection, so there is no need to remember its salt.
        if fixed[9:-2] != self._request_salt:
            raise ReplayError("a response to another request")
        length = int.from_bytes(fixed[-2:], "big")
        if not length:
            raise RemoteProtocolError("a response without a payload")
        self._box, self._counter, self._length = box, 1, length
        return end, box
