"""The one loop that pumps a protocol core over a socket until its handshake is done.

A core neither reads nor writes; somebody must. Here is the only somebody: octets in, events out,
octets to send, again. It never assumes that one read is one message. When an event is out, the
driver pauses: nothing more is read until its owner gives the socket, and what arrived behind the
handshake, to the next watcher, or until it answered and has the driver ``resume``.
"""

import socket
from typing import Generic, Protocol, TypeVar

from ..errors import RemoteProtocolError
from ..wire.core import StreamCore, Waiting
from .poller import ERROR, HANGUP, READ, Poller

__all__ = ["Driver", "HandshakeOwner"]

#: Octets of one read. A relay takes over what is left of a handshake at once, and this with the
#: unfinished chunk before it is less than a relay may hold.
_READ_SIZE = 32 * 1024

EventT = TypeVar("EventT")
EventT_contra = TypeVar("EventT_contra", contravariant=True)


class HandshakeOwner(Protocol[EventT_contra]):
    """Whoever wants to know what a core found out."""

    def handshake_event(self, event: EventT_contra) -> None:
        """The core reported ``event``, and the driver is paused."""
        ...

    def handshake_failed(self, error: Exception, ended: bool) -> None:
        """The core or the socket failed; ``ended`` where nothing more can be read anyway."""
        ...


class Driver(Generic[EventT]):
    """Pumps ``core`` over ``sock`` and tells ``owner``."""

    __slots__ = ("_ended", "_owner", "_paused", "_poller", "_sock", "core", "received")

    def __init__(
        self,
        poller: Poller,
        sock: socket.socket,
        core: StreamCore[EventT],
        owner: HandshakeOwner[EventT],
    ) -> None:
        self.core = core
        #: Octets that were read.
        self.received = 0
        self._poller = poller
        self._sock = sock
        self._owner = owner
        self._ended = False
        self._paused = False
        poller.watch(sock, READ, self)

    def ready(self, events: int) -> None:
        """See ``Watcher.ready``."""
        if self._paused:
            # Only a reset can be news here: octets and a FIN wait to be read, and until then the
            # poller would tell of them for ever. Nearly every client sends nothing before it is
            # answered, so this is done where one does, and not whenever the driver pauses: that
            # would be two system calls for each connection.
            if events & (ERROR | HANGUP):
                self._owner.handshake_failed(ConnectionResetError("reset while waiting"), True)
            else:
                self._poller.watch(self._sock, 0, self)
            return
        inbound = self._poller.scratch.inbound
        try:
            count = self._sock.recv_into(inbound, _READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._owner.handshake_failed(error, True)
            return
        if count:
            self.received += count
            self.core.receive_data(inbound[:count])
        else:
            self._ended = True
            self.core.receive_eof()
        self._step()

    def abandon(self, error: Exception) -> None:
        """See ``Watcher.abandon``."""
        self._owner.handshake_failed(error, True)

    def resume(self) -> None:
        """Go on after an event that was answered: there may be another."""
        self._paused = False
        self._poller.watch(self._sock, READ, self)
        self._step()

    def flush(self) -> bool:
        """Send what the core wants sent; False where the socket failed and the owner was told."""
        data = self.core.data_to_send()
        if not data:
            return True
        try:
            sent = self._sock.send(data)
        except OSError as error:
            self._owner.handshake_failed(error, True)
            return False
        if sent < len(data):
            # A reply of a few octets on a fresh connection always fits the send buffer.
            self._owner.handshake_failed(BlockingIOError("reply did not fit"), True)
            return False
        return True

    def _step(self) -> None:
        try:
            event = self.core.next_event()
        except RemoteProtocolError as error:
            # The core keeps the error and its traceback the core: a circle for each bad handshake.
            error.__traceback__ = None
            if self.flush():
                self._owner.handshake_failed(error, self._ended)
            return
        if not self.flush() or isinstance(event, Waiting):
            return
        self._paused = True
        self._owner.handshake_event(event)
