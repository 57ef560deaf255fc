"""Two sockets, two directions, and what happens when one of them ends.

A relay has two ``Leg``s, ``near`` (whoever connected to us) and ``far`` (whom we connected to). A
leg reads its own socket, converts what it read with its codec, and sends the result to its peer's
socket at once: the kernel nearly always takes it, so nothing is queued and no second wake-up is
spent. What the kernel did not take waits in the peer's ``pending``, and the leg stops reading
until it is gone. That is the whole of back-pressure.

Wake-ups and system calls cost more than octets, so a leg that is found full reads more at once,
but only as much as the peer's kernel buffer has room for: what is left over is never more.

A full flow alone may take long turns. Where others send a few octets now and then, each of their
messages would wait for such turns, once in every hop and in each direction; so a full flow that has
such company reads little at a time, and costs more for as long. [bench __main__]

Memory: received octets live in the poller's shared buffers. A connection owns only ``residue``
(an unfinished chunk) and ``pending``, together at most ``Scratch.LIMIT`` for each direction, and
nothing when idle.

Ends: an EOF on one leg becomes a FIN on the other after everything before it was sent, while the
other direction goes on; the relay is over when both directions are. A reset on one leg becomes a
reset on the other, because a FIN there would pass a truncated stream off as a whole one.

Rejected: asyncio's transports (a copy, a buffer and 2.5 KiB for each socket, and no half-close
that behaves alike on both loops), and large reads without a look at the peer (when it
stops reading, more is left over than ``LIMIT``).
"""

import os
import socket
from typing import Protocol

from ..errors import RemoteProtocolError, Truncated
from .endings import Endings
from .poller import ERROR, HANGUP, READ, WRITE, Poller, Scratch
from .sockets import connecting, reset_on_close, unsent_room

__all__ = ["Codec", "Leg", "Plain", "StreamRelay", "StreamRelayOwner"]

#: Octets read from one leg before other sockets have their turn.
_TURN = 2 * Scratch.LARGE

#: How far the inbound buffer is filled, so that what sealing adds to it (salt, address, lengths and
#: tags) stays within the limit too.
_SMALL = Scratch.LIMIT - 512
_LARGE = Scratch.LARGE - 1024

#: Who usually says fewer octets than this may be waiting for an answer. A full flow in such company
#: reads as many as fit one chunk of SIP004, and remembers the company for so many reads.
_FEW = 2048
_BRIEF = 0x3FFF
_REMEMBERED = 512


class Codec(Protocol):
    """One direction's conversion; see ``shadowsocks.aead_stream``."""

    @property
    def error(self) -> RemoteProtocolError | None:
        """What ended this direction; set after the good octets before it were returned."""
        ...

    @property
    def between_chunks(self) -> bool:
        """False where an EOF now would cut a chunk in two."""
        ...

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Take octets from ``src``, write to ``dst``; returns (taken, written)."""
        ...

    def finish(self, dst: memoryview) -> int:
        """Write to ``dst`` what must still be said before an EOF; returns octets written."""
        ...


class Plain:
    """The codec that changes nothing: for tests, measurements and plain forwarding."""

    __slots__ = ()
    error = None
    between_chunks = True

    def convert(self, src: memoryview, dst: memoryview) -> tuple[int, int]:
        """Copy."""
        size = len(src)
        dst[:size] = src
        return size, size

    def finish(self, dst: memoryview) -> int:
        """Nothing to say."""
        return 0


class StreamRelayOwner(Protocol):
    """Whoever started a relay."""

    def relay_ended(self, relay: "StreamRelay", error: Exception | None) -> None:
        """Both sockets have been given up; ``error`` is what ended them, None for two EOFs."""
        ...


class Leg:
    """One socket of a relay: what is read from it, and what waits to be sent to it."""

    __slots__ = (
        "_events",
        "bulk",
        "codec",
        "ended",
        "error",
        "peer",
        "pending",
        "received",
        "relay",
        "residue",
        "shut",
        "sock",
        "usual",
    )

    peer: "Leg"

    def __init__(self, relay: "StreamRelay", sock: socket.socket, codec: Codec) -> None:
        self.relay = relay
        self.sock = sock
        self.codec = codec
        self.bulk = False  # more was waiting than a small read takes
        self.usual = _SMALL  # octets of a read, the last ones weighing most
        self.residue = b""
        self.pending: bytes | memoryview = b""
        self.received = 0
        self.ended = False  # its EOF was read
        self.shut = False  # our FIN was sent
        self.error: OSError | None = None  # what made it useless for sending
        self._events = 0

    def ready(self, events: int) -> None:
        """See ``Watcher.ready``."""
        if events == READ == self._events:
            # Nearly always: octets, and room for what becomes of them.
            self.pump()
            return
        relay = self.relay
        if events & ERROR:
            number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                self.lost(OSError(number, os.strerror(number)))
                return
        if events & WRITE and self._events & WRITE:
            self.flush()
            if relay.over:
                return
        if events & (READ | HANGUP):
            if self._events & READ:
                self.pump()
            elif events & HANGUP and not self._events:
                # Level-triggered, and nothing to be done about it until the peer has drained.
                relay.poller.forget(self.sock)

    def abandon(self, error: Exception) -> None:
        """See ``Watcher.abandon``."""
        self.relay.broken(self, error)

    def want(self, events: int) -> None:
        """Change what this socket is watched for."""
        if events != self._events:
            self._events = events
            self.relay.poller.watch(self.sock, events, self)

    def pump(self) -> None:
        """Read, convert, send to the peer: the hot path, and the only read loop of the tunnel."""
        relay, peer, codec = self.relay, self.peer, self.codec
        scratch = relay.poller.scratch
        inbound, outbound = scratch.inbound, scratch.outbound
        turn = _TURN
        while turn > 0:
            held = len(self.residue)
            if held:
                inbound[:held] = self.residue
            if not self.bulk:
                fill = _SMALL
            elif scratch.brief and scratch.talker != id(relay):
                scratch.brief -= 1
                fill, turn = held + _BRIEF, 0
            else:
                fill = _LARGE if unsent_room(peer.sock) > _LARGE else _SMALL
            try:
                count = self.sock.recv_into(inbound[held:fill])
            except BlockingIOError:
                return
            except OSError as error:
                relay.broken(self, error)
                return
            if not count:
                self.eof()
                return
            self.received += count
            turn -= count
            filled = held + count
            self.bulk = filled >= min(fill, _SMALL)
            # A request is few octets too, and so are the last of a burst: it takes some in a row.
            self.usual = (self.usual + count) // 2
            if self.usual < _FEW:
                scratch.talker, scratch.brief = id(relay), _REMEMBERED
            taken, made = codec.convert(inbound[:filled], outbound)
            self.residue = bytes(inbound[taken:filled]) if taken < filled else b""
            taken_all = not made or peer.send(outbound[:made])
            if codec.error is not None:
                relay.forged(self, codec.error)
                return
            if not taken_all:
                return
            if filled < fill:
                # Less than was asked for: the kernel has no more, and reading again to be told so
                # costs a system call. More, or an EOF, will be another event.
                return

    def send(self, data: memoryview | bytes) -> bool:
        """Send to this socket; True when the kernel took it all, else the peer is paused."""
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.lost(error)
            return False
        if sent == len(data):
            return True
        self.pending = bytes(data[sent:])
        self.want(self._events | WRITE)
        self.peer.want(self.peer._events & ~READ)
        return False

    def flush(self) -> None:
        """Send what is pending; when it is gone, pass on an EOF or let the peer read again."""
        try:
            sent = self.sock.send(self.pending)
        except BlockingIOError:
            return
        except OSError as error:
            self.lost(error)
            return
        if sent < len(self.pending):
            self.pending = memoryview(self.pending)[sent:]
            return
        self.pending = b""
        self.want(self._events & ~WRITE)
        if self.peer.ended:
            self.finish()
        else:
            self.peer.want(self.peer._events | READ)

    def eof(self) -> None:
        """Pass on the EOF that was read from this socket, unless it cut a chunk in two."""
        relay, peer = self.relay, self.peer
        if self.error is not None:
            # A reset that was reported before reads as an EOF afterwards.
            relay.broken(self, self.error)
            return
        if self.residue or not self.codec.between_chunks:
            relay.broken(self, Truncated("stream ended inside a chunk"))
            return
        outbound = relay.poller.scratch.outbound
        made = self.codec.finish(outbound)
        if made:
            peer.send(outbound[:made])
            if relay.over:
                return
        self.ended = True
        if self.shut and not peer.pending:
            # The other direction is finished too: nothing to watch, and closing sends the FIN.
            relay.finished()
            return
        self.want(self._events & ~READ)
        if not peer.pending:
            peer.finish()

    def push(self, data: bytes) -> None:
        """Convert and send ``data`` as if it had been read from this socket.

        For octets that arrived before the relay, and for an encoder whose head must not wait any
        longer (``b""``).
        """
        self.received += len(data)
        outbound = self.relay.poller.scratch.outbound
        _, made = self.codec.convert(memoryview(data), outbound)
        if made:
            self.peer.send(outbound[:made])

    def finish(self) -> None:
        """Everything for this socket was sent: say so with a FIN, or close when all is said."""
        if self.shut:
            return
        # Who has been heard is connected, and need not be asked.
        if not self.received and connecting(self.sock):
            # A fast open returns before there is a connection, and Linux gives up one that is shut
            # down before it is there, with the octets that wait for it. So the FIN waits too.
            self.want(self._events | WRITE)
            return
        self.shut = True
        if self.peer.shut:
            self.relay.finished()
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.lost(error)

    def lost(self, error: OSError) -> None:
        """Nothing can be sent to this socket any more: pass on what it still has, and break.

        A reset often follows upon a last answer ("too large", and close). What came before it was
        acknowledged to its sender and waits in the kernel, even behind a FIN, so it is read first.
        """
        relay = self.relay
        if self.error is None:
            self.error = error
            before = -1
            # Until the end, or until the peer takes no more; and once without progress is enough.
            while not relay.over and self._events & READ and self.received != before:
                before = self.received
                self.pump()
        relay.broken(self, error)


class StreamRelay:
    """A near and a far leg that belong together; ends by itself and tells its owner."""

    __slots__ = ("_endings", "_owner", "far", "near", "over", "poller")

    def __init__(
        self,
        poller: Poller,
        endings: Endings,
        owner: StreamRelayOwner,
        near: tuple[socket.socket, Codec],
        far: tuple[socket.socket, Codec],
    ) -> None:
        self.poller = poller
        self.over = False
        self._endings = endings
        self._owner = owner
        self.near = Leg(self, *near)
        self.far = Leg(self, *far)
        self.near.peer = self.far
        self.far.peer = self.near

    def start(
        self, to_far: bytes | memoryview = b"", residue: bytes = b"", received: int = 0
    ) -> None:
        """Begin, with what the handshake left over.

        ``to_far`` are converted octets for the far socket; ``residue`` are octets that came from
        the near socket and do not make a whole chunk, unless the near codec has failed;
        ``received`` says how many octets came from the near socket before.
        """
        near, far = self.near, self.far
        near.residue, near.received = residue, received
        near.want(READ)
        far.want(READ)
        if to_far:
            far.send(to_far)
        if near.codec.error is not None:
            # A bad chunk came together with a good handshake, and maybe nothing more will come.
            self.forged(near, near.codec.error)

    def finished(self) -> None:
        """Both directions have ended in order."""
        self.poller.close(self.near.sock)
        self.poller.close(self.far.sock)
        self._end(None)

    def broken(self, leg: Leg, error: Exception) -> None:
        """``leg`` is of no more use; its peer is reset, after the octets it was promised."""
        if not self.over:
            self.poller.close(leg.sock)
            self._endings.reset(leg.peer.sock, leg.peer.pending)
            self._end(error)

    def forged(self, leg: Leg, error: RemoteProtocolError) -> None:
        """``leg``'s peer sent what its key does not open.

        Nothing of it is passed on, its own socket ends as after a bad handshake, and the other is
        reset: a FIN would call what came before it complete.
        """
        if not self.over:
            self._endings.silence(leg.sock)
            self._endings.reset(leg.peer.sock, leg.peer.pending)
            self._end(error)

    def abort(self) -> None:
        """Reset both sockets now: a shutdown would not wait for their ends any longer."""
        if not self.over:
            for sock in (self.near.sock, self.far.sock):
                reset_on_close(sock)
                self.poller.close(sock)
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        self.over = True
        self._owner.relay_ended(self, error)
        # The legs refer to each other and to us. Cutting the circle here frees all at once, and
        # leaves the cycle collector nothing to do for a connection.
        del self.near.peer, self.far.peer, self.near, self.far
