"""Readiness for thousands of sockets behind one registration in the event loop.

The relay lives inside an asyncio loop, because signals, timers and names live there. But
``loop.add_reader`` builds a handle, copies a context and queues a callback for each event of each
socket. An epoll descriptor is itself pollable, so the loop watches exactly one descriptor, ours,
and we hand each event to its watcher with one dictionary look-up. It behaves the same under
asyncio and uvloop, and a watched socket costs a dictionary entry instead of a handle. In the loop
of ``relay.event_loop`` both even share one epoll set.

Where epoll does not exist, ``LoopPoller`` keeps the same promises with ``add_reader``.

A socket is closed through its poller, and only after the batch of events in hand: otherwise an
accept in the same batch could be given the same descriptor number and receive a stranger's event.
"""

import asyncio
import logging
import select
import socket
from collections.abc import Callable
from typing import Protocol

__all__ = [
    "BATCH",
    "ERROR",
    "HANGUP",
    "READ",
    "WRITE",
    "EpollPoller",
    "LoopPoller",
    "Poller",
    "Scratch",
    "Watcher",
    "new_poller",
]

READ = 0x001
WRITE = 0x004
ERROR = 0x008
HANGUP = 0x010

#: Events taken from the kernel at once, and how often before other work of the loop has its turn.
BATCH = 256
_ROUNDS = 4

_log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Whoever owns a watched socket."""

    def ready(self, events: int) -> None:
        """The socket has ``events``; may be spurious, so reads and writes must be non-blocking."""
        ...

    def abandon(self, error: Exception) -> None:
        """``ready`` raised: give up this connection, and only this one."""
        ...


class Scratch:
    """What all connections of one loop share: a buffer for what is received, one for what it
    becomes, and who else wants a turn.
    """

    __slots__ = ("brief", "inbound", "outbound", "talker")

    #: Octets that a connection owns for one direction at most, between events. A chunk of SIP022
    #: may have 65,551 sealed octets, and nothing less than the whole chunk can be opened.
    LIMIT = 66 * 1024
    #: Octets of one read where the other side has room for them all.
    LARGE = 256 * 1024

    def __init__(self) -> None:
        self.inbound = memoryview(bytearray(self.LARGE))
        self.outbound = memoryview(bytearray(self.LARGE))
        #: Who last sent only a few octets, as an ``id``; and for how many more reads full flows of
        #: others are brief for its sake.
        self.talker = 0
        self.brief = 0


class Poller:
    """What both pollers have in common: the table of watchers, deferred closing, the scratch."""

    def __init__(self) -> None:
        self.scratch = Scratch()
        #: Called after descriptors were closed: a listener that ran out of them may go on.
        self.on_freed: list[Callable[[], None]] = []
        self._watchers: dict[int, Watcher] = {}
        #: What the kernel was asked for, by descriptor: most of a connection's watchers are handed
        #: a socket that is watched for the same events already, and need no system call for it.
        self._interest: dict[int, int] = {}
        self._closing: list[socket.socket] = []
        self._dispatching = False

    def __len__(self) -> int:
        return len(self._watchers)

    def watch(self, sock: socket.socket, events: int, watcher: Watcher) -> None:
        """Tell ``watcher`` about ``events`` of ``sock``; replaces an earlier watcher of it.

        With no events, errors and hang-ups are still told where the system can.
        """
        raise NotImplementedError

    def forget(self, sock: socket.socket) -> None:
        """Stop watching, without closing; an unwatched socket may be forgotten again."""
        self._unwatch(sock.fileno())

    def stop(self) -> None:
        """Leave the event loop. Sockets that are still watched are their owners' to close."""
        raise NotImplementedError

    def close(self, sock: socket.socket) -> None:
        """Stop watching and close, at once or after the batch in hand."""
        self.forget(sock)
        self._closing.append(sock)
        if not self._dispatching:
            self._sweep()

    def _failed(self, watcher: Watcher, error: Exception) -> None:
        """The boundary: whatever went wrong in ``ready`` ends one connection and not the loop."""
        _log.error("internal error, connection abandoned: %r", error)
        _log.debug("details", exc_info=error)
        try:
            watcher.abandon(error)
        except Exception as another:  # noqa: BLE001
            # Nobody is left who could close it. Watched on, it would be told of the same event for
            # ever.
            _log.error("internal error, connection not closed: %r", another)
            _log.debug("details", exc_info=another)
            for fd in [fd for fd, other in self._watchers.items() if other is watcher]:
                self._unwatch(fd)

    def _unwatch(self, fd: int) -> None:
        raise NotImplementedError

    def _sweep(self) -> None:
        if not self._closing:
            return
        closing, self._closing = self._closing, []
        for sock in closing:
            try:
                sock.close()
            except OSError:
                # Whatever close(2) reports, there is no descriptor any more.
                pass
        for resume in list(self.on_freed):
            resume()


class EpollPoller(Poller):
    """All sockets in one epoll set: the loop's own, or one that the loop watches."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoll: select.epoll | None = None) -> None:
        super().__init__()
        self._loop = loop
        self._epoll = epoll or select.epoll()
        self._nested = epoll is None
        if self._nested:
            loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, sock: socket.socket, events: int, watcher: Watcher) -> None:
        """See ``Poller.watch``."""
        fd = sock.fileno()
        before = self._interest.get(fd)
        if before is None:
            self._epoll.register(fd, events)
        elif before != events:
            self._epoll.modify(fd, events)
        self._interest[fd] = events
        self._watchers[fd] = watcher

    def stop(self) -> None:
        """See ``Poller.stop``."""
        if self._nested and not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def close(self, sock: socket.socket) -> None:
        """See ``Poller.close``."""
        # The kernel forgets a descriptor when its last copy is closed: no call to unregister. The
        # table must forget it now, because the number may be given out again.
        fd = sock.fileno()
        self._watchers.pop(fd, None)
        self._interest.pop(fd, None)
        self._closing.append(sock)
        if not self._dispatching:
            self._sweep()

    def serve(self, ready: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Tell the watchers of ``ready``; returns the events of descriptors that have none."""
        watchers = self._watchers
        others = []
        self._dispatching = True
        try:
            for fd, events in ready:
                watcher = watchers.get(fd)
                if watcher is None:
                    others.append((fd, events))
                    continue
                try:
                    watcher.ready(events)
                except Exception as error:  # noqa: BLE001
                    self._failed(watcher, error)
        finally:
            self._dispatching = False
            if self._closing:
                self._sweep()
        return others

    def _unwatch(self, fd: int) -> None:
        if self._watchers.pop(fd, None) is not None:
            del self._interest[fd]
            self._epoll.unregister(fd)

    def _dispatch(self) -> None:
        for _ in range(_ROUNDS):
            ready = self._epoll.poll(0, BATCH)
            self.serve(ready)
            if len(ready) < BATCH:
                break


class LoopPoller(Poller):
    """``Poller`` on ``add_reader`` and ``add_writer``, for systems without epoll.

    For asyncio's own loops: uvloop calls a reader once for a socket in error and never again, be
    there octets left before the error or not.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    def watch(self, sock: socket.socket, events: int, watcher: Watcher) -> None:
        """See ``Poller.watch``."""
        fd = sock.fileno()
        self._watchers[fd] = watcher
        self._change(fd, events)

    def stop(self) -> None:
        """See ``Poller.stop``."""
        for fd in list(self._interest):
            self._change(fd, 0)

    def _change(self, fd: int, events: int) -> None:
        before = self._interest.get(fd, 0)
        self._interest[fd] = events
        if events & READ and not before & READ:
            self._loop.add_reader(fd, self._one, fd, READ)
        elif before & READ and not events & READ:
            self._loop.remove_reader(fd)
        if events & WRITE and not before & WRITE:
            self._loop.add_writer(fd, self._one, fd, WRITE)
        elif before & WRITE and not events & WRITE:
            self._loop.remove_writer(fd)

    def _unwatch(self, fd: int) -> None:
        if self._watchers.pop(fd, None) is not None:
            self._change(fd, 0)
            del self._interest[fd]

    def _one(self, fd: int, events: int) -> None:
        # The loop's callbacks of one turn are the batch: a reader that was removed in the same
        # turn is cancelled by the loop, so closing may follow at once.
        watcher = self._watchers.get(fd)
        if watcher is not None:
            try:
                watcher.ready(events)
            except Exception as error:  # noqa: BLE001
                self._failed(watcher, error)


def new_poller(loop: asyncio.AbstractEventLoop) -> Poller:
    """The poller that is in ``loop`` already, else the best that this system has."""
    inside: object = getattr(loop, "poller", None)
    if isinstance(inside, Poller):
        return inside
    return EpollPoller(loop) if hasattr(select, "epoll") else LoopPoller(loop)
