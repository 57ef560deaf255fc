"""A stream of any generation: what reads its beginning, and what seals and opens it afterwards.

The generations are protocols of their own, each in a module of its own. Here they look alike to
whoever owns sockets. A server has a core, which says where the stream should go and, once it has,
holds what the relay needs; a client has a codec for each direction and nothing to wait for::

    server     core = server_handshake(keys, salts, timestamps)
               KeySought          where SIP004 has many keys: event.answer(holder)
               TunnelRequested    core.user, core.decoder, core.encoder(entropy), core.unread()

    client     encoder, decoder = client_codecs(keys, target, salts, timestamps, entropy)
"""

from typing import Protocol

from ..crypto.methods import Generation
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import RemoteProtocolError
from ..wire.core import StreamCore
from . import aead2022_handshake, handshake, stream_cipher_stream
from .aead2022_stream import RequestEncoder, ResponseDecoder
from .aead_stream import AeadDecoder, SaltGuard
from .credentials import ClientKeys, KeyRing, ServerKeys
from .handshake import KeySought, TunnelRequested
from .identity import KeyChain
from .timestamp import Timestamps

__all__ = ["Decoder", "Encoder", "ServerCore", "client_codecs", "server_handshake"]


class Decoder(Protocol):
    """What opens one direction; see ``aead_stream`` for the verbs."""

    @property
    def error(self) -> RemoteProtocolError | None:
        """What ended this direction; set after the good octets before it were returned."""
        ...

    @property
    def between_chunks(self) -> bool:
        """False where an end now would cut a chunk in two."""
        ...

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Take octets from ``src``, write to ``dst``; returns (taken, written)."""
        ...

    def finish(self, dst: memoryview) -> int:
        """Write to ``dst`` what must still be said before an end; returns octets written."""
        ...


class Encoder(Decoder, Protocol):
    """What seals one direction."""

    @property
    def waiting(self) -> bool:
        """True until the first octets, which carry the salt and a client's target, are out."""
        ...


class ServerCore(StreamCore[TunnelRequested | KeySought], Protocol):
    """A server's handshake. After ``TunnelRequested``:

    ``user`` is the name of whose stream it is, empty where there are no names, and ``decoder``
    opens what ``unread`` gives, which may be whole chunks, and what follows.
    """

    @property
    def user(self) -> str:
        """The name that the stream's key has."""
        ...

    @property
    def decoder(self) -> Decoder:
        """What opens the rest of the client's direction."""
        ...

    def encoder(self, entropy: Entropy) -> Encoder:
        """What seals the answer."""
        ...


def server_handshake(keys: ServerKeys, salts: SaltGuard, timestamps: Timestamps) -> ServerCore:
    """The core for one stream that comes to a server with ``keys``."""
    if not isinstance(keys, KeyRing):
        return aead2022_handshake.ServerHandshake(keys, salts, timestamps)
    if keys.method.generation is Generation.STREAM:
        return stream_cipher_stream.ServerHandshake(keys, salts)
    return handshake.ServerHandshake(keys, salts)


def client_codecs(
    keys: ClientKeys,
    target: Endpoint,
    salts: SaltGuard,
    timestamps: Timestamps,
    entropy: Entropy,
) -> tuple[Encoder, Decoder]:
    """What seals a new stream to ``target``, and what opens its answer."""
    if isinstance(keys, KeyChain):
        request = RequestEncoder(keys, target, timestamps, entropy)
        return request, ResponseDecoder(keys.psk, request.salt, timestamps)
    if keys.method.generation is Generation.STREAM:
        stream = stream_cipher_stream.client_encoder(keys, target, entropy)
        return stream, stream_cipher_stream.StreamDecoder(keys)
    encoder = handshake.client_encoder(keys, target, entropy)
    # An answer that opens with a salt of ours, or with one seen before, is an echo.
    salts.add(encoder.salt)
    return encoder, AeadDecoder(keys, salts)
