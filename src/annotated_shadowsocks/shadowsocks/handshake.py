"""How a SIP004 stream begins: the address at its head, on either side.

There is no handshake in the sense of two parties talking. The client's first octets open the
stream and say where it should go; the server's first octets already are the answer. So the server
has one core, which waits until a whole address was opened, and the client has none, only an
encoder whose head is the address::

    salt | sealed( atyp dst_addr dst_port payload ... ) | sealed( payload ) ...

The address may be split over chunks in any way. The first chunk's boundary means nothing.
"""

from dataclasses import dataclass

from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import RemoteProtocolError, Truncated
from ..wire import address
from ..wire.core import NEED_DATA, PAUSED, Event
from .aead_stream import AeadDecoder, AeadEncoder, SaltGuard
from .key import MasterKey

__all__ = ["ServerHandshake", "TunnelRequested", "client_encoder", "server_encoder"]


@dataclass(frozen=True, slots=True)
class TunnelRequested:
    """An authentic client wants ``dst``; ``payload`` are the octets that came along."""

    dst: Endpoint
    payload: bytes


class ServerHandshake:
    """A ``wire.core.StreamCore`` that turns the first octets into one ``TunnelRequested``.

    Afterwards ``decoder`` stands behind what was opened, and ``unread`` gives the octets of a chunk
    that is not whole.
    """

    __slots__ = ("_done", "_ended", "_error", "_plain", "_wire", "decoder")

    def __init__(self, key: MasterKey, guard: SaltGuard | None = None) -> None:
        self.decoder = AeadDecoder(key, guard)
        self._wire = bytearray()
        self._plain = b""
        self._done = False
        self._ended = False
        self._error: RemoteProtocolError | None = None

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived."""
        self._wire += data

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        self._ended = True

    def next_event(self) -> Event[TunnelRequested]:
        """The request, once its whole address was opened; raises what the octets deserve."""
        if self._done:
            return PAUSED
        if self._error is None:
            try:
                return self._request()
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
        if not dst.port:
            raise RemoteProtocolError("port 0 cannot be dialled")
        self._done = True
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


def server_encoder(key: MasterKey, entropy: Entropy) -> AeadEncoder:
    """What seals a server's direction."""
    return AeadEncoder(key, entropy(key.method.salt_size))
