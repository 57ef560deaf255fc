"""Streams of the first Shadowsocks: an IV, and from then on the cipher's octets, without a frame.

::

    +------+--------------------------------------------------+
    |  IV  | atyp dst_addr dst_port payload ...   (encrypted) |
    +------+--------------------------------------------------+
    | 0-24 |

There is nothing to authenticate, so there is nothing to refuse: any octets are a stream, and of all
address types 3 in 256 exist. Both directions have an IV and a cipher of their own.

The codecs have the shape of those in ``aead_stream``. No octet is ever kept back, and none added
behind the IV.
"""

from collections.abc import Generator

from ..crypto.stream_cipher import StreamCipher, StreamContext
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import LocalProtocolError, RemoteProtocolError, ReplayError
from ..wire import address
from ..wire.core import HandshakeCore
from ..wire.reader import StreamReader
from .aead_stream import SaltGuard
from .credentials import KeyRing
from .handshake import TunnelRequested
from .key import MasterKey
from .udp_over_tcp import version_of

__all__ = [
    "ServerHandshake",
    "StreamDecoder",
    "StreamEncoder",
    "cipher",
    "client_encoder",
]

_NOTHING = memoryview(b"")


def cipher(key: MasterKey, iv: bytes) -> StreamCipher:
    """The cipher for the one stream or packet that starts with ``iv``."""
    if key.method.stream is None:
        raise LocalProtocolError(f"{key.method.name} is no stream cipher")
    return key.method.stream(key.key, iv)


class StreamEncoder:
    """Encrypts one direction. ``head`` is plain text that goes first: the address."""

    __slots__ = ("_context", "_head", "salt", "waiting")

    error: RemoteProtocolError | None = None
    between_chunks = True

    def __init__(self, key: MasterKey, iv: bytes, head: bytes = b"") -> None:
        self._context: StreamContext = cipher(key, iv).encryptor()
        self._head = head
        #: The IV; named as in the other generations, where it is remembered against reflection.
        self.salt = iv
        #: True until IV and head have been given out.
        self.waiting = True

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Encrypt all of ``src``; returns (octets taken, octets written)."""
        at = 0
        if self.waiting:
            self.waiting = False
            at = len(self.salt)
            dst[:at] = self.salt
            at += self._context.update_into(self._head, dst[at:])
        return len(src), at + self._context.update_into(src, dst[at:])

    def finish(self, dst: memoryview) -> int:
        """The head, where no payload ever carried it; a stream without a head may stay unsaid."""
        return self.convert(_NOTHING, dst)[1] if self.waiting and self._head else 0


class StreamDecoder:
    """Decrypts one direction."""

    __slots__ = ("_context", "_key")

    error: RemoteProtocolError | None = None
    between_chunks = True

    def __init__(self, key: MasterKey) -> None:
        self._key = key
        self._context: StreamContext | None = None

    def begin(self, iv: bytes) -> StreamContext:
        """Take the IV, where somebody else has read it."""
        self._context = cipher(self._key, iv).decryptor()
        return self._context

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Decrypt ``src``, once there is a whole IV; returns (octets taken, octets written)."""
        used, context = 0, self._context
        if context is None:
            used = self._key.method.salt_size
            if len(src) < used:
                return 0, 0
            context = self.begin(bytes(src[:used]))
        return len(src), context.update_into(src[used:], dst)

    def finish(self, dst: memoryview) -> int:
        """Nothing: all was given out at once."""
        return 0


class ServerHandshake(HandshakeCore[TunnelRequested]):
    """Turns the first octets into one ``TunnelRequested``, which brings no payload.

    Of ``keys`` the first is the only one. Afterwards ``decoder`` stands behind the address,
    ``unread`` gives what has arrived there, and ``encoder`` makes what encrypts the answer.
    """

    __slots__ = ("_guard", "_key", "decoder")

    #: Nobody can be told from anybody.
    user = ""

    def __init__(self, keys: KeyRing, guard: SaltGuard | None = None) -> None:
        super().__init__()
        self._reader: _Reader = _Reader()
        self._key = keys.holders[0].key
        self._guard = guard
        self.decoder = StreamDecoder(self._key)

    def encoder(self, entropy: Entropy) -> StreamEncoder:
        """What encrypts the answer; its IV is remembered, so that it cannot be sent back to us."""
        encoder = StreamEncoder(self._key, entropy(self._key.method.salt_size))
        if encoder.salt and self._guard is not None:
            self._guard.add(encoder.salt)
        return encoder

    def _run(self) -> Generator[TunnelRequested | None, None, None]:
        reader = self._reader
        iv = yield from reader.read_exact(self._key.method.salt_size)
        reader.context = self.decoder.begin(iv)
        target: Endpoint = yield from address.read(reader)
        if not target.port and version_of(target.host) is None:
            raise RemoteProtocolError("port 0 cannot be dialled")
        # Anybody can make an IV be remembered. Most of what is not a stream fails before here, and
        # that is all the difference there is.
        if iv and self._guard is not None and not self._guard.add(iv):
            raise ReplayError("this IV has opened a stream before")
        yield TunnelRequested(target, b"")


class _Reader(StreamReader):
    """Shows what it reads in plain text, once it has a context; ``unread`` stays as it arrived."""

    __slots__ = ("context",)

    def __init__(self) -> None:
        super().__init__()
        self.context: StreamContext | None = None

    def read_exact(self, n: int) -> Generator[None, None, bytes]:
        data = yield from super().read_exact(n)
        if self.context is None:
            return data
        plain = bytearray(n)
        self.context.update_into(data, memoryview(plain))
        return bytes(plain)


def client_encoder(key: MasterKey, dst: Endpoint, entropy: Entropy) -> StreamEncoder:
    """What encrypts a client's direction: the address goes before the first payload."""
    return StreamEncoder(key, entropy(key.method.salt_size), address.encode(dst))
