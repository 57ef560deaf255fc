"""An asyncio event loop whose selector serves the relay's sockets by itself.

On any other loop the poller's epoll set is one descriptor among the loop's own, so each wake-up of
the relay costs two calls of epoll_wait(2), a handle, a context and a turn of the loop's queue. Here
both share one set. ``select`` tells a watcher about its event on the spot and returns to asyncio
only what is asyncio's: the loop's own pipe, signals, name servers. Watchers run before the timers
and callbacks of the same turn, and may arm and queue such as anywhere else.

A turn of asyncio's loop is half a dozen calls around one epoll_wait(2), and a relay's wake-up is
not many more. So ``select`` stays where it is, and waits again, for as long as there is nothing for
asyncio to do: no event of its own, no timer that is due, and nothing that a watcher asked of the
loop, which the loop takes note of in ``stirred``.
"""

import asyncio
import select
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any, TypeVarTuple

from .poller import BATCH, READ, WRITE, EpollPoller

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

__all__ = ["RelayEventLoop", "new_event_loop"]


Arguments = TypeVarTuple("Arguments")


class RelayEventLoop(asyncio.SelectorEventLoop):
    """``asyncio.SelectorEventLoop`` with a ``poller`` inside; ``poller.new_poller`` finds it."""

    def __init__(self) -> None:
        epoll = select.epoll()
        self.poller = EpollPoller(self, epoll)
        #: Something was asked of this loop after its selector began to wait.
        self.stirred = False
        super().__init__(_RelaySelector(epoll, self))
        # What asyncio's own method calls, without the method.
        self.time = time.monotonic  # type: ignore[method-assign]

    def call_soon(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See ``asyncio.loop.call_soon``."""
        self.stirred = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See ``asyncio.loop.call_at``, which ``call_later`` is made of."""
        self.stirred = True
        return super().call_at(when, callback, *args, context=context)

    def stop(self) -> None:
        """See ``asyncio.loop.stop``."""
        self.stirred = True
        super().stop()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A ``RelayEventLoop`` where there is epoll, else whatever asyncio has."""
    return RelayEventLoop() if hasattr(select, "epoll") else asyncio.new_event_loop()


class _RelaySelector(selectors.BaseSelector):
    def __init__(self, epoll: select.epoll, loop: RelayEventLoop) -> None:
        self._epoll = epoll
        self._loop = loop
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
        loop, poll, serve = self._loop, self._epoll.poll, self._loop.poller.serve
        # Negative would mean for ever. The call rounds up to milliseconds by itself.
        patience = None if timeout is None else max(timeout, 0)
        until = None if patience is None else time.monotonic() + patience
        loop.stirred = False
        while True:
            ready = poll(patience, BATCH)
            others = serve(ready)
            if others or not ready or loop.stirred:
                return self._found(others)
            if until is not None:
                patience = until - time.monotonic()
                if patience <= 0:
                    return []

    def _found(self, ready: list[tuple[int, int]]) -> list[tuple[selectors.SelectorKey, int]]:
        found = []
        for fd, events in ready:
            key = self._keys.get(fd)
            if key is not None:
                # An error or a hang-up wakes whatever was asked for, as it does in selectors.
                wanted = (bool(events & ~READ) * selectors.EVENT_WRITE) | (
                    bool(events & ~WRITE) * selectors.EVENT_READ
                )
                found.append((key, wanted & key.events))
        return found

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
