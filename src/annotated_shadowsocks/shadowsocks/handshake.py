"""How a SIP004 stream begins: the address at its head, on either side.

There is no handshake in the sense of two parties talking. The client's first octets open the
stream and say where it should go; the server's first octets already are the answer. So the server
has one core, which waits until a whole address was opened, and the client has none, only an
encoder whose head is the address::

    salt | sealed( atyp dst_addr dst_port payload ... ) | sealed( payload ) ...

The address may be split over chunks in any way. The first chunk's boundary means nothing.

Where several keys are accepted on one port, nothing but the first box tells which is meant. The
core shows it in ``KeySought`` and waits to be told: trying keys takes time, and whose time that is
it does not know.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import AuthenticationError, LocalProtocolError, RemoteProtocolError, Truncated
from ..wire import address
from ..wire.core import NEED_DATA, PAUSED, Event
from .aead_stream import AeadDecoder, AeadEncoder, SaltGuard
from .chunks import LENGTH_BOX
from .credentials import Holder, KeyRing
from .key import MasterKey
from .udp_over_tcp import version_of

__all__ = ["KeySought", "ServerHandshake", "TunnelRequested", "client_encoder"]


@dataclass(frozen=True, slots=True)
class TunnelRequested:
    """An authentic client wants ``dst``; ``payload`` are the octets that came along."""

    dst: Endpoint
    payload: bytes


@dataclass(frozen=True, slots=True)
class KeySought:
    """Whose key opens ``box``, the first of the stream that begins with ``salt``?

    ``answer`` must be called with the holder, or with None where it is nobody's.
    """

    salt: bytes
    box: bytes
    answer: Callable[[Holder | None], None]


class ServerHandshake:
    """A ``wire.core.StreamCore`` that turns the first octets into one ``TunnelRequested``.

    Before it comes one ``KeySought`` where ``keys`` has more than one. Afterwards ``user`` is the
    name of the key's holder, ``decoder`` stands behind what was opened, ``unread`` gives the octets
    of a chunk that is not whole, and ``encoder`` makes what seals the answer.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_guard",
        "_holder",
        "_keys",
        "_paused",
        "_plain",
        "_wire",
        "decoder",
    )

    def __init__(self, keys: KeyRing, guard: SaltGuard | None = None) -> None:
        first, *others = keys.holders
        self._keys = keys
        self._guard = guard
        self._holder = None if others else first
        #: Opens nothing before the holder is known.
        self.decoder = AeadDecoder(first.key, guard)
        self._wire = bytearray()
        self._plain = b""
        self._paused = False
        self._ended = False
        self._error: RemoteProtocolError | None = None

    @property
    def user(self) -> str:
        """The name of the key's holder; empty before it is known, and where there is one key."""
        return self._holder.name if self._holder else ""

    def encoder(self, entropy: Entropy) -> AeadEncoder:
        """What seals the answer; its salt is remembered, so that it cannot be sent back to us."""
        if self._holder is None:
            raise LocalProtocolError("an answer before its key is known")
        key = self._holder.key
        encoder = AeadEncoder(key, entropy(key.method.salt_size))
        if self._guard is not None:
            self._guard.add(encoder.salt)
        return encoder

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived."""
        self._wire += data

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        self._ended = True

    def next_event(self) -> Event[TunnelRequested | KeySought]:
        """The request, once its whole address was opened; raises what the octets deserve."""
        if self._error is None:
            if self._paused:
                return PAUSED
            try:
                return self._request() if self._holder else self._seek()
            except RemoteProtocolError as error:
                self._error = error
        raise self._error

    def data_to_send(self) -> bytes:
        """Nothing: a server is silent until the target speaks."""
        return b""

    def unread(self) -> bytes:
        """The octets that no ``convert`` has taken, given away once."""
        data, self._wire = bytes(self._wire), bytearray()
        return data

    def _seek(self) -> Event[KeySought]:
        salt_size = self._keys.method.salt_size
        head = bytes(self._wire[: salt_size + LENGTH_BOX])
        if len(head) < salt_size + LENGTH_BOX:
            if self._ended:
                raise Truncated("stream ended before its first box")
            return NEED_DATA
        self._paused = True
        return KeySought(head[:salt_size], head[salt_size:], self._answer)

    def _answer(self, holder: Holder | None) -> None:
        self._paused = False
        self._holder = holder
        if holder is None:
            self._error = AuthenticationError("no user's key opens the first box")
        else:
            self.decoder = AeadDecoder(holder.key, self._guard)

    def _request(self) -> Event[TunnelRequested]:
        self._open()
        try:
            found = address.decode(self._plain)
        except Truncated:
            found = None
        if found is None:
            if self.decoder.error is not None:
                raise self.decoder.error
            if self._ended:
                raise Truncated("stream ended inside the address")
            return NEED_DATA
        dst, end = found
        # A chunk that does not authenticate behind a good address is the relay's to find: the
        # decoder stays failed, and what was opened before it is still the client's.
        if not dst.port and version_of(dst.host) is None:
            raise RemoteProtocolError("port 0 cannot be dialled")
        self._paused = True
        return TunnelRequested(dst, self._plain[end:])

    def _open(self) -> None:
        plain = bytearray(len(self._wire))
        with memoryview(self._wire) as src, memoryview(plain) as dst:
            taken, made = self.decoder.convert(src, dst)
        del self._wire[:taken]
        self._plain += plain[:made]


def client_encoder(key: MasterKey, dst: Endpoint, entropy: Entropy) -> AeadEncoder:
    """What seals a client's direction: the address joins the first payload in one chunk."""
    return AeadEncoder(key, entropy(key.method.salt_size), address.encode(dst))
