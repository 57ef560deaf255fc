"""What every stream core looks like from outside, and the few lines that all of them share.

A core turns octets into events and never touches a socket. Whoever owns the socket pumps it::

    core.receive_data(octets)             or receive_eof()
    event = core.next_event()             until it is NEED_DATA or PAUSED, or raises
    socket.send(core.data_to_send())      after every next_event, also after one that raised

``data_to_send`` follows ``next_event``, not the other way round: a client has something to say
before it has heard anything, and a server that refuses says so before it raises.

``HandshakeCore`` implements this once. A subclass writes ``_run``, a generator in the order of the
RFC's figure: it takes fields with ``yield from self._reader.read_exact(n)``, answers with
``self._send`` and yields an event where there is one to tell. Where the generator stands *is* the
state of the handshake, so there is no second record of it that could disagree.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from enum import Enum
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from ..errors import RemoteProtocolError
from .reader import StreamReader

__all__ = ["NEED_DATA", "PAUSED", "Event", "EventT", "HandshakeCore", "StreamCore", "Waiting"]


class Waiting(Enum):
    """Why ``next_event`` has no event to give."""

    #: More octets have to arrive, or the end of the stream.
    NEED_DATA = "needs data"
    #: No octet will help: an event waits for its answer, or the handshake is over.
    PAUSED = "paused"

    def __repr__(self) -> str:
        """The bare name, as people write it."""
        return self.name


NEED_DATA: Final = Waiting.NEED_DATA
PAUSED: Final = Waiting.PAUSED

EventT = TypeVar("EventT")
EventT_co = TypeVar("EventT_co", covariant=True)

#: What ``next_event`` returns, for a core with events of type ``EventT``.
Event: TypeAlias = EventT | Waiting


class StreamCore(Protocol[EventT_co]):
    """A protocol over an ordered stream of octets, without the stream."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived, in any pieces; the core keeps a copy, never ``data`` itself."""
        ...

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        ...

    def next_event(self) -> Event[EventT_co]:
        """The next thing that happened, or why there is none.

        Raises ``RemoteProtocolError`` for octets that the protocol does not allow and ``Truncated``
        where the stream ended inside a message; from then on, the same error at every call.
        """
        ...

    def data_to_send(self) -> bytes:
        """The octets to send since the last call, ``b""`` where there are none."""
        ...

    def unread(self) -> bytes:
        """What arrived behind the handshake, given away once: it belongs to the tunnel."""
        ...


class HandshakeCore(ABC, Generic[EventT]):
    """The five verbs of ``StreamCore`` around the generator that a subclass calls ``_run``."""

    __slots__ = ("_error", "_outbox", "_parser", "_reader")

    def __init__(self) -> None:
        self._reader = StreamReader()
        self._outbox = bytearray()
        self._parser = self._run()
        self._error: RemoteProtocolError | None = None

    @abstractmethod
    def _run(self) -> Generator[EventT | None, None, None]:
        """The handshake: yields an event, or None where octets are missing; returns when done."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> None:
        """Take what arrived; after an error nobody will read it, so it is dropped."""
        if self._error is None:
            self._reader.feed(data)

    def receive_eof(self) -> None:
        """Learn that nothing more will arrive."""
        self._reader.feed_eof()

    def next_event(self) -> Event[EventT]:
        """Resume the generator until its next event; see ``StreamCore``."""
        if self._error is not None:
            raise self._error
        try:
            event = next(self._parser, PAUSED)
        except RemoteProtocolError as error:
            self._error = error
            raise
        return NEED_DATA if event is None else event

    def data_to_send(self) -> bytes:
        """The octets to send since the last call."""
        data = bytes(self._outbox)
        self._outbox.clear()
        return data

    def unread(self) -> bytes:
        """What arrived behind the handshake, given away once."""
        return self._reader.unread()

    def _send(self, data: bytes) -> None:
        self._outbox += data
