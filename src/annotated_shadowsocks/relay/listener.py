"""Our accept loop: a bounded batch for each wake-up, and a pause where descriptors have run out.

When accept(2) fails for want of descriptors or memory, the connection stays in the accept queue
and the listener stays readable. Trying again at once burns a processor; sleeping a second lets
the queue overflow. So the listener stops being watched for at most ``_PAUSE`` seconds, and is
watched again as soon as this process frees a descriptor, which is the only event that can help.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from ..endpoint import Endpoint
from .poller import READ, Poller
from .sockets import accept_queue

__all__ = ["Accepted", "Listener"]

#: Accepts for each wake-up: enough to empty a burst, few enough that established flows go on.
_BATCH = 64

_PAUSE = 0.1

#: The connection died in the queue, or the network reported an error about it: take the next.
#: Linux passes pending network errors of the new socket on through accept(2). After any other
#: error there is nothing to accept with, and we wait until something is freed.
_PASSING = {
    errno.ECONNABORTED,
    errno.EINTR,
    errno.EPROTO,
    errno.EPERM,
    errno.ENETDOWN,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.EOPNOTSUPP,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
}

#: Takes a non-blocking socket and the peer's address.
Accepted = Callable[[socket.socket, tuple[str, int]], None]

_log = logging.getLogger(__name__)


class Listener:
    """Accepts from ``sock``, which listens, and gives each connection to ``accepted``."""

    def __init__(
        self,
        poller: Poller,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        accepted: Accepted,
    ) -> None:
        self.sock = sock
        #: ``HOST:PORT``, also when the socket is closed.
        self.name = str(Endpoint(*sock.getsockname()[:2]))
        #: Connections accepted; pauses for want of descriptors or memory.
        self.count = 0
        self.pauses = 0
        #: The deepest that the accept queue was seen: what one wake-up took, and what it left.
        self.high_water = 0
        self._poller = poller
        self._loop = loop
        self._accepted = accepted
        # What ``socket.accept`` calls too; what else it does, the listener's family and kind as
        # members of enumerations, is a dozen calls for each connection.
        self._accept: Callable[[], tuple[int, tuple[str, int]]]
        self._accept = sock._accept  # type: ignore[attr-defined]
        self._family = sock.family
        self._paused: asyncio.TimerHandle | None = None
        self._next_log = 0.0
        poller.watch(sock, READ, self)

    def __str__(self) -> str:
        """``listening on HOST:PORT, accept queue depth/limit``."""
        queue = accept_queue(self.sock)
        return f"{self.name} accept_queue {queue[0]}/{queue[1]}" if queue else self.name

    def ready(self, events: int) -> None:
        """See ``Watcher.ready``."""
        accept, family = self._accept, self._family
        for taken in range(_BATCH):
            try:
                fd, address = accept()
            except BlockingIOError:
                self.high_water = max(self.high_water, taken)
                return
            except OSError as error:
                if error.errno in _PASSING:
                    continue
                self._pause(error)
                return
            self.count += 1
            sock = socket.socket(family, socket.SOCK_STREAM, 0, fd)
            sock.setblocking(False)
            try:
                self._accepted(sock, address)
            except Exception as error:  # noqa: BLE001
                # One connection's trouble is not the listener's.
                _log.error("internal error, connection abandoned: %r", error)
                _log.debug("details", exc_info=error)
                self._poller.close(sock)
        # Only now is there more than was counted, so that only now it is worth a system call.
        queue = accept_queue(self.sock)
        self.high_water = max(self.high_water, _BATCH + (queue[0] if queue else 0))

    def abandon(self, error: Exception) -> None:
        """See ``Watcher.abandon``: a listener is not given up; it pauses like one out of memory."""
        self._pause(error)

    def close(self) -> None:
        """Stop accepting and close the socket; connections still in the queue are reset."""
        self.stop()
        self._poller.close(self.sock)

    def stop(self) -> None:
        """Stop accepting, and leave the socket open: another process shares its queue."""
        self._unpause()
        self._poller.forget(self.sock)

    def _pause(self, error: Exception) -> None:
        if self._paused is not None:
            return
        self.pauses += 1
        self._poller.forget(self.sock)
        self._paused = self._loop.call_later(_PAUSE, self._resume)
        self._poller.on_freed.append(self._resume)
        now = self._loop.time()
        if now >= self._next_log:
            self._next_log = now + 1.0
            remedy = "; raise 'nofile'" if getattr(error, "errno", 0) == errno.EMFILE else ""
            _log.warning(
                "cannot accept on %s: %s; %d pauses so far%s", self, error, self.pauses, remedy
            )

    def _resume(self) -> None:
        self._unpause()
        self._poller.watch(self.sock, READ, self)

    def _unpause(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
            self._poller.on_freed.remove(self._resume)
