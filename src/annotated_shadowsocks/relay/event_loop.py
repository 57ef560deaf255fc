"""An asyncio event loop whose selector serves the relay's sockets by itself.

On any other loop the poller's epoll set is one descriptor among the loop's own, so each wake-up of
the relay costs two calls of epoll_wait(2), a handle, a context and a turn of the loop's queue. Here
both share one set. ``select`` tells a watcher about its event on the spot and returns to asyncio
only what is asyncio's: the loop's own pipe, signals, name servers. Watchers run before the timers
and callbacks of the same turn, and may arm and queue such as anywhere else.
"""

import asyncio
import math
import select
import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .poller import BATCH, READ, WRITE, EpollPoller

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["RelayEventLoop", "new_event_loop"]


class RelayEventLoop(asyncio.SelectorEventLoop):
    """``asyncio.SelectorEventLoop`` with a ``poller`` inside; ``poller.new_poller`` finds it."""

    def __init__(self) -> None:
        epoll = select.epoll()
        self.poller = EpollPoller(self, epoll)
        super().__init__(_RelaySelector(epoll, self.poller))


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A ``RelayEventLoop`` where there is epoll, else whatever asyncio has."""
    return RelayEventLoop() if hasattr(select, "epoll") else asyncio.new_event_loop()


class _RelaySelector(selectors.BaseSelector):
    def __init__(self, epoll: select.epoll, poller: EpollPoller) -> None:
        self._epoll = epoll
        self._poller = poller
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        fd = _descriptor(fileobj)
        if fd in self._keys:
            raise KeyError(f"descriptor {fd} is registered already")
        # The kernel first: it refuses what cannot be watched, and then nothing has changed.
        self._epoll.register(fd, _to_epoll(events))
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        key = self._keys.pop(_descriptor(fileobj))
        try:
            self._epoll.unregister(key.fd)
        except OSError:
            # Closed already, and so out of the set by itself.
            pass
        return key

    def modify(
        self, fileobj: "FileDescriptorLike", events: int, data: object = None
    ) -> selectors.SelectorKey:
        fd = _descriptor(fileobj)
        key = self._keys[fd] = self._keys[fd]._replace(events=events, data=data)
        self._epoll.modify(fd, _to_epoll(events))
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # Rounded up to epoll's milliseconds: waking early would only mean to sleep again.
        patience = -1.0 if timeout is None else math.ceil(max(timeout, 0) * 1e3) * 1e-3
        ready = []
        for fd, events in self._poller.serve(self._epoll.poll(patience, BATCH)):
            key = self._keys.get(fd)
            if key is not None:
                # An error or a hang-up wakes whatever was asked for, as it does in selectors.
                found = (bool(events & ~READ) * selectors.EVENT_WRITE) | (
                    bool(events & ~WRITE) * selectors.EVENT_READ
                )
                ready.append((key, found & key.events))
        return ready

    def close(self) -> None:
        self._keys.clear()
        self._epoll.close()

    def get_key(self, fileobj: "FileDescriptorLike") -> selectors.SelectorKey:
        return self._keys[_descriptor(fileobj)]

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


def _descriptor(fileobj: "FileDescriptorLike") -> int:
    return fileobj if isinstance(fileobj, int) else fileobj.fileno()


def _to_epoll(events: int) -> int:
    return (READ if events & selectors.EVENT_READ else 0) | (
        WRITE if events & selectors.EVENT_WRITE else 0
    )
