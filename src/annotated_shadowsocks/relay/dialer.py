"""From an endpoint to a connected socket: look up, check, race.

The order is the point. A name is resolved once; every address it gave is checked; and what is
dialled is the literal that was checked. A second look-up, by the kernel's or a library's
connector, would let a name server answer differently the second time.

Several addresses are raced as RFC 8305 says: IPv6 and IPv4 in turn, a new attempt every 250 ms or
as soon as the one before has failed, and the first that connects wins.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Protocol

from ..endpoint import Endpoint
from ..errors import DialError, Error, PolicyRejected, ResolveError
from .deadlines import DeadlineQueue
from .poller import ERROR, HANGUP, WRITE, Poller
from .sockets import SocketOptions

__all__ = ["Dial", "Dialed", "Dialer", "Lookup"]

#: Until the next address is tried beside the first [RFC8305 §5].
_ATTEMPT_DELAY = 0.25

#: A connection that the network neither grants nor refuses.
_TIMEOUT = 10.0

#: Receives the connected socket, or why there is none.
Dialed = Callable[[socket.socket | Error], None]


class Lookup(Protocol):
    """``resolver.Resolver.lookup``, as much of it as is needed here."""

    def __call__(
        self, host: str, done: Callable[[list[str] | ResolveError], None]
    ) -> Callable[[], object]:
        """Call ``done``, perhaps at once, with literals in order of preference, or the error.

        What is returned takes the wish back, and does nothing once ``done`` was called.
        """
        ...


class Dialer:
    """Dials for one service. ``check`` raises ``PolicyRejected`` for a literal it forbids."""

    def __init__(
        self,
        poller: Poller,
        loop: asyncio.AbstractEventLoop,
        lookup: Lookup,
        check: Callable[[str], None] | None = None,
        options: SocketOptions | None = None,
        timeout: float = _TIMEOUT,
    ) -> None:
        self.poller = poller
        self.loop = loop
        self.lookup = lookup
        self.check = check
        self.options = options or SocketOptions()
        #: For setsockopt(2), the same for every socket.
        self.calls = self.options.dialling()
        self.deadlines: DeadlineQueue[Dial] = DeadlineQueue(loop, timeout, Dial.expired)

    def dial(self, endpoint: Endpoint, done: Dialed) -> "Dial":
        """Begin; ``done`` is called exactly once unless the dial is cancelled, perhaps at once."""
        dial = Dial(self, endpoint, done)
        dial.begin()
        return dial


class Dial:
    """One endpoint being dialled."""

    __slots__ = (
        "_addresses",
        "_attempts",
        "_done",
        "_endpoint",
        "_error",
        "_looking",
        "_stagger",
        "dialer",
    )

    def __init__(self, dialer: Dialer, endpoint: Endpoint, done: Dialed) -> None:
        self.dialer = dialer
        self._endpoint = endpoint
        self._done: Dialed | None = done
        self._addresses: list[str] = []
        self._attempts: list[_Attempt] = []
        self._error: Error | None = None
        self._looking: Callable[[], object] | None = None
        self._stagger: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look the host up; a literal answers at once."""
        self.dialer.deadlines.add(self)
        self._looking = self.dialer.lookup(self._endpoint.host, self._looked_up)

    def cancel(self) -> None:
        """Give up; nobody is told."""
        self._done = None
        self._release()

    def expired(self) -> None:
        """The time for this dial is over."""
        self._finish(DialError(str(self._endpoint), "timed out", errno.ETIMEDOUT))

    def _looked_up(self, found: list[str] | ResolveError) -> None:
        self._looking = None
        if self._done is None:
            return
        if isinstance(found, ResolveError):
            self._finish(found)
            return
        self._addresses = [address for address in found if self._allowed(address)]
        self._next_attempt()

    def _allowed(self, address: str) -> bool:
        if self.dialer.check is None:
            return True
        try:
            self.dialer.check(address)
        except PolicyRejected as error:
            self._error = error
            return False
        return True

    def _next_attempt(self) -> None:
        self._stagger = None
        while self._addresses:
            address = self._addresses.pop(0)
            try:
                attempt = _Attempt(self, address)
            except OSError as error:
                self._note(error)
                continue
            self._attempts.append(attempt)
            if self._addresses:
                self._stagger = self.dialer.loop.call_later(_ATTEMPT_DELAY, self._next_attempt)
            return
        if not self._attempts:
            self._finish(self._error or DialError(str(self._endpoint), "no address"))

    def open_attempt(self, attempt: "_Attempt", address: str) -> socket.socket:
        """A socket on its way to ``address``, watched by ``attempt``."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            for option in self.dialer.calls:
                sock.setsockopt(*option)
            code = sock.connect_ex((address, self._endpoint.port))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            self.dialer.poller.watch(sock, WRITE, attempt)
        except BaseException:
            sock.close()
            raise
        return sock

    def won(self, attempt: "_Attempt") -> None:
        """``attempt`` is connected: its socket is the answer, the others are closed."""
        self._attempts.remove(attempt)
        self._finish(attempt.sock)

    def lost(self, attempt: "_Attempt", error: OSError) -> None:
        """``attempt`` failed: try the next address without waiting for its turn."""
        self._attempts.remove(attempt)
        self.dialer.poller.close(attempt.sock)
        self._note(error)
        if self._stagger is not None:
            self._stagger.cancel()
        self._next_attempt()

    def _note(self, error: OSError) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        self._error = DialError(str(self._endpoint), reason, error.errno)

    def _finish(self, answer: socket.socket | Error) -> None:
        done, self._done = self._done, None
        self._release()
        if done is not None:
            done(answer)

    def _release(self) -> None:
        self.dialer.deadlines.discard(self)
        if self._looking is not None:
            self._looking()
        if self._stagger is not None:
            self._stagger.cancel()
        for attempt in self._attempts:
            self.dialer.poller.close(attempt.sock)
        self._attempts.clear()
        self._addresses.clear()


class _Attempt:
    __slots__ = ("_dial", "sock")

    def __init__(self, dial: Dial, address: str) -> None:
        self._dial = dial
        self.sock = dial.open_attempt(self, address)

    def ready(self, events: int) -> None:
        if not events & (WRITE | ERROR | HANGUP):
            # Spurious: a socket that is on its way has no error either.
            return
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._dial.lost(self, OSError(code, os.strerror(code)))
        else:
            self._dial.won(self)

    def abandon(self, error: Exception) -> None:
        # Whoever received the socket failed to begin with it; to a dial that is over, this is news
        # about a socket and not about an attempt.
        self._dial.dialer.poller.close(self.sock)
