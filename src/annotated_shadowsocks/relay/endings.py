"""How a connection ends when it does not end by itself: silently, or with a reset.

``silence`` is the one reaction to every bad handshake, whatever was bad about it: no octet is
sent, what comes is discarded, our FIN follows the client's, or comes at a deadline that counts
from the accept and depends on nothing the client did. A prober that varies length, content and
timing sees the same answer each time.

A plain ``close`` would not do: the kernel answers it with FIN when all octets were read and with
RST when some were not, so it tells how many octets were consumed. Hence: shut down, discard,
close.

``reset`` tells the other side of a broken relay that it is broken, after the octets it was
promised: closing with a FIN would pass a truncated stream off as a whole one, and a reset at once
would take back what the kernel had still to deliver.
"""

import asyncio
import socket

from .deadlines import DeadlineQueue
from .poller import ERROR, HANGUP, READ, WRITE, Poller
from .sockets import reset_on_close, unsent

__all__ = ["Endings"]

#: Octets discarded, and the pause after so many: a flood is held to 1 MiB/s. The pause is short
#: because a client's FIN waits for its end.
_GULP = 32 * 1024
_PAUSE = 1 / 32

#: Octets discarded at the deadline, in gulps: as much as any receive buffer holds, and an end.
_LAST_GULPS = 2048

#: How long a reset waits for octets that the kernel has not delivered, and how often it looks.
_LAST_WORDS = 1.0
_LOOK_EVERY = 0.05

#: How long a refused client may take to close after our FIN.
_REFUSED = 5.0


class Endings:
    """Takes over sockets that are to end."""

    def __init__(self, poller: Poller, loop: asyncio.AbstractEventLoop) -> None:
        self.poller = poller
        self.loop = loop
        #: How long a silent ending lasts where no accept began it.
        self.silence_seconds = 60.0
        self.last_words: DeadlineQueue[_Reset] = DeadlineQueue(loop, _LAST_WORDS, _Reset.close)
        self._all: set[_Silence | _Reset] = set()

    def __len__(self) -> int:
        return len(self._all)

    def silence(self, sock: socket.socket, due: float | None = None) -> None:
        """End ``sock`` as if nobody were there; ``due`` is the loop's time of our FIN at latest."""
        if due is None:
            due = self.loop.time() + self.silence_seconds
        self._all.add(_Silence(self, sock, due))

    def refuse(self, sock: socket.socket) -> None:
        """FIN at once: an authentic client may know that its request cannot be served."""
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.poller.close(sock)
            return
        self._all.add(_Silence(self, sock, self.loop.time() + _REFUSED))

    def reset(self, sock: socket.socket, pending: bytes | memoryview = b"") -> None:
        """Deliver ``pending`` and what the kernel still holds, then RST; within a second."""
        ending = _Reset(self, sock, pending)
        # In this order: it may be over at once.
        self._all.add(ending)
        ending.begin()

    def gone(self, ending: "_Silence | _Reset") -> None:
        """``ending`` has closed its socket."""
        self._all.discard(ending)

    def close_all(self) -> None:
        """End now what is still ending."""
        for ending in list(self._all):
            ending.close()
        self.last_words.clear()


class _Silence:
    __slots__ = ("_allowance", "_endings", "_sock", "_timer", "_unpause")

    def __init__(self, endings: Endings, sock: socket.socket, due: float) -> None:
        self._endings = endings
        self._sock = sock
        self._allowance = _GULP
        self._timer = endings.loop.call_at(due, self.close)
        self._unpause: asyncio.TimerHandle | None = None
        endings.poller.watch(sock, READ, self)

    def ready(self, events: int) -> None:
        count = self._discard(self._allowance)
        if count == 0:
            self._leave()
        elif count is not None:
            # The sum decides and not the size of one read, which the window may keep small.
            self._allowance -= count
            if not self._allowance:
                self._pause()

    def abandon(self, error: Exception) -> None:
        self._leave()

    def close(self) -> None:
        """The deadline: FIN, and nothing unread that would turn it into a RST."""
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        for _ in range(_LAST_GULPS):
            if not self._discard(_GULP):
                break
        self._leave()

    def _discard(self, size: int) -> int | None:
        """Octets discarded; 0 at EOF or after an error, None where there are none."""
        try:
            # [linux tcp_recvmsg_locked] MSG_TRUNC drops octets from the queue, uncopied
            return self._sock.recv_into(
                self._endings.poller.scratch.inbound, size, socket.MSG_TRUNC
            )
        except BlockingIOError:
            return None
        except OSError:
            return 0

    def _pause(self) -> None:
        self._allowance = _GULP
        self._endings.poller.forget(self._sock)
        self._unpause = self._endings.loop.call_later(_PAUSE, self._resume)

    def _resume(self) -> None:
        self._unpause = None
        self._endings.poller.watch(self._sock, READ, self)

    def _leave(self) -> None:
        self._timer.cancel()
        if self._unpause is not None:
            self._unpause.cancel()
        self._endings.poller.close(self._sock)
        self._endings.gone(self)


class _Reset:
    __slots__ = ("_endings", "_look", "_pending", "_sock")

    def __init__(self, endings: Endings, sock: socket.socket, pending: bytes | memoryview) -> None:
        self._endings = endings
        self._sock = sock
        self._pending = pending
        self._look: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._endings.last_words.add(self)
        self._endings.poller.watch(self._sock, WRITE if self._pending else 0, self)
        if not self._pending:
            self._close_when_delivered()

    def ready(self, events: int) -> None:
        if events & (ERROR | HANGUP):
            self.close()
            return
        try:
            sent = self._sock.send(self._pending)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._pending = self._pending[sent:]
        if not self._pending:
            self._endings.poller.watch(self._sock, 0, self)
            self._close_when_delivered()

    def abandon(self, error: Exception) -> None:
        self.close()

    def _close_when_delivered(self) -> None:
        # The kernel tells nobody when its send queue runs empty, so it is asked now and then.
        if unsent(self._sock) == 0:
            self.close()
        else:
            loop = self._endings.loop
            self._look = loop.call_later(_LOOK_EVERY, self._close_when_delivered)

    def close(self) -> None:
        """RST, whatever is undelivered by now."""
        reset_on_close(self._sock)
        if self._look is not None:
            self._look.cancel()
        self._endings.last_words.discard(self)
        self._endings.poller.close(self._sock)
        self._endings.gone(self)
