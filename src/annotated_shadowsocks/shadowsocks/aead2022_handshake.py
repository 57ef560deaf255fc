"""How a server, or a relay before it, reads the beginning of a SIP022 request.

::

    salt | identity header | fixed header + tag | variable header + tag | chunks ...
    16/32|     0 or 16     |      11 + 16       |       n + 16          |

The first read has to bring everything up to the end of the fixed header [SIP022]. The client
writes it at once, so only a prober sends less, and one who sends octets one by one learns as much
from the first as from all of them. The variable header may take as many reads as it likes.

The salt is remembered once the fixed header is authentic and recent, not earlier, and not later
either: a connection that stops there has used its salt up.

A relay reads salt and identity header only. It cannot open more, and takes its own header out of
what it passes on; how long the rest is, it cannot know, so it passes on what came in one read, and
the next party has that in one read too.
"""

from collections.abc import Generator
from dataclasses import dataclass

from ..crypto.aead import Aead, InvalidTag
from ..crypto.methods import TAG_SIZE
from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import (
    AuthenticationError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplayError,
    Truncated,
)
from ..wire import address
from ..wire.core import EventT, HandshakeCore
from .aead2022_stream import MAX_PAYLOAD, NONCE_SIZE, REQUEST, REQUEST_HEADER, ResponseEncoder
from .aead_stream import SaltGuard
from .chunks import ChunkDecoder
from .handshake import TunnelRequested
from .identity import KeyTable, User
from .timestamp import Timestamps
from .udp_over_tcp import version_of

__all__ = ["HopChosen", "RelayHandshake", "ServerHandshake"]


@dataclass(frozen=True, slots=True)
class HopChosen:
    """``hop`` is where a stream goes on; ``octets`` are the first for it, to be sent as one."""

    hop: User
    octets: bytes


class _Handshake(HandshakeCore[EventT]):
    """A handshake whose first read brings a whole fixed header."""

    __slots__ = ("_first_read", "_keys")

    def __init__(self, keys: KeyTable) -> None:
        super().__init__()
        self._keys = keys
        head = keys.psk.method.salt_size + keys.header_size
        #: Octets that the first read must have; 0 once it was seen.
        self._first_read = head + REQUEST_HEADER.size + TAG_SIZE

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take one read; the first one that is not empty must bring the whole fixed header."""
        if data and self._first_read:
            if len(data) < self._first_read:
                problem = f"a first read of {len(data)} octets, where {self._first_read} come"
                self._error = Truncated(problem)
            self._first_read = 0
        super().receive_data(data)


class RelayHandshake(_Handshake[HopChosen]):
    """Turns the first read into one ``HopChosen``; all that follows is passed on as it is."""

    __slots__ = ()

    def _run(self) -> Generator[HopChosen | None, None, None]:
        keys, reader = self._keys, self._reader
        salt = yield from reader.read_exact(keys.psk.method.salt_size)
        header = yield from reader.read_exact(keys.header_size)
        yield HopChosen(keys.stream_user(salt, header), salt + reader.unread())


class ServerHandshake(_Handshake[TunnelRequested]):
    """Turns the first octets into one ``TunnelRequested``.

    Afterwards ``user`` is the name of whose stream it is, ``decoder`` stands behind the header,
    ``unread`` gives what has arrived behind it, and ``encoder`` makes what seals the answer.
    """

    __slots__ = ("_guard", "_salt", "_timestamps", "_user", "decoder")

    def __init__(self, keys: KeyTable, guard: SaltGuard, timestamps: Timestamps) -> None:
        super().__init__(keys)
        self._guard = guard
        self._timestamps = timestamps
        self._salt = b""
        self.decoder = ChunkDecoder(None, 0, NONCE_SIZE, MAX_PAYLOAD)
        self._user: User | None = None

    @property
    def user(self) -> str:
        """The name of the user; empty before it is known, and where there are no users."""
        return self._user.name if self._user else ""

    def encoder(self, entropy: Entropy) -> ResponseEncoder:
        """What seals the answer; raises ``LocalProtocolError`` before there is a request."""
        if self._user is None:
            raise LocalProtocolError("an answer before a request")
        return ResponseEncoder(self._user.psk, self._salt, self._timestamps, entropy)

    def _run(self) -> Generator[TunnelRequested | None, None, None]:
        keys, reader = self._keys, self._reader
        salt = yield from reader.read_exact(keys.psk.method.salt_size)
        user = keys.stream_user(salt, (yield from reader.read_exact(keys.header_size)))
        box = user.psk.stream(salt)
        sealed = yield from reader.read_exact(REQUEST_HEADER.size + TAG_SIZE)
        size = self._check(salt, _open(box, 0, sealed))
        variable = _open(box, 1, (yield from reader.read_exact(size + TAG_SIZE)))
        target, payload = _parse(variable)
        self._salt, self._user = salt, user
        self.decoder = ChunkDecoder(box, 2, NONCE_SIZE, MAX_PAYLOAD)
        yield TunnelRequested(target, payload)

    def _check(self, salt: bytes, fixed: bytes) -> int:
        """Judge the fixed header and remember the salt; returns the variable header's length."""
        kind, timestamp, size = REQUEST_HEADER.unpack(fixed)
        if kind != REQUEST:
            raise RemoteProtocolError(f"a header of type {kind}, which is no request")
        self._timestamps.check(timestamp)
        if not self._guard.add(salt, timestamp):
            raise ReplayError("this salt has opened a stream before, or may have")
        return int(size)


def _open(box: Aead, counter: int, sealed: bytes) -> bytes:
    plain = bytearray(len(sealed) - TAG_SIZE)
    try:
        box.decrypt_into(counter.to_bytes(NONCE_SIZE, "little"), sealed, None, plain)
    except InvalidTag:
        raise AuthenticationError("a request does not authenticate") from None
    return bytes(plain)


def _parse(variable: bytes) -> tuple[Endpoint, bytes]:
    """Target and first payload of a variable header."""
    target, at = address.decode(variable)
    if not target.port and version_of(target.host) is None:
        raise RemoteProtocolError("port 0 cannot be dialled")
    start = at + 2
    # More padding than anybody should make is no harm to whoever reads it, if it is all here.
    payload = start + int.from_bytes(variable[at:start], "big")
    if len(variable) < payload:
        raise RemoteProtocolError("padding that is longer than its header")
    # [SIP022] otherwise the length of the first packet is that of the address and no more
    if len(variable) == start:
        raise RemoteProtocolError("a request with neither padding nor payload")
    return target, variable[payload:]
