"""An event loop whose time stands still until a test moves it, while its descriptors are real.

A pause of 100 ms, a stagger of 250 ms or a deadline of a minute is tested by saying so, and takes
no time::

    loop = ManualLoop()
    poller = EpollPoller(loop)
    ...
    loop.run_until(lambda: listener.pauses == 1)    # real sockets, no time
    loop.advance(0.1)                               # time, and what is due by then

Only what the relay uses of an event loop is here: timers, and readers and writers.
"""

import asyncio
import heapq
import itertools
import select
from collections.abc import Callable
from contextvars import Context
from typing import Any, TypeVarTuple

__all__ = ["ManualLoop"]

Ts = TypeVarTuple("Ts")

#: Seconds of real time after which a condition is taken for one that never comes.
_PATIENCE = 30

_READ, _WRITE = select.POLLIN, select.POLLOUT


class ManualLoop(asyncio.BaseEventLoop):
    """Timers by hand, descriptors by ``poll``; an exception of a callback reaches the test."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._handles: dict[tuple[int, int], asyncio.Handle] = {}

    def time(self) -> float:
        """Seconds, moved by ``advance`` alone."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time on in steps from one timer to the next, each with its descriptors served."""
        end = self._now + seconds
        self._serve(0)
        while (due := self._next_due()) is not None and due <= end:
            self._now = max(self._now, due)
            _, _, handle = heapq.heappop(self._timers)
            handle._run()
            self._serve(0)
        self._now = end

    def run_until(self, condition: Callable[[], object]) -> None:
        """Serve descriptors, and what is due already, until ``condition`` holds."""
        for _ in range(_PATIENCE * 100):
            if condition():
                return
            self.advance(0)
            if condition():
                return
            self._serve(10)
        raise AssertionError("the condition never came true")

    def settle(self) -> None:
        """Serve descriptors until none is ready; a spin is an ``AssertionError``."""
        for _ in range(1000):
            if not self._serve(0):
                return
        raise AssertionError("descriptors are ready again and again")

    def timers(self) -> list[float]:
        """Seconds until each timer that is armed."""
        armed = [due for due, _, handle in self._timers if not handle.cancelled()]
        return sorted(due - self._now for due in armed)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call when time has come to ``when``."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call ``delay`` seconds from now."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def add_reader(self, fd: Any, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call whenever ``fd`` can be read."""
        self._add(fd, _READ, callback, args)

    def add_writer(self, fd: Any, callback: Callable[[*Ts], object], *args: *Ts) -> None:
        """Call whenever ``fd`` can be written."""
        self._add(fd, _WRITE, callback, args)

    def remove_reader(self, fd: Any) -> bool:
        """True where there was one."""
        return self._remove(fd, _READ)

    def remove_writer(self, fd: Any) -> bool:
        """True where there was one."""
        return self._remove(fd, _WRITE)

    def is_closed(self) -> bool:
        """There is nothing to close."""
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Raise what a callback raised."""
        raise context["exception"]

    def _next_due(self) -> float | None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _serve(self, milliseconds: int) -> bool:
        """One turn: collect who is ready, then call each that was not removed meanwhile."""
        poll = select.poll()
        for fd in {fd for fd, _ in self._handles}:
            poll.register(
                fd, sum(event for event in (_READ, _WRITE) if (fd, event) in self._handles)
            )
        ready = []
        for fd, events in poll.poll(milliseconds):
            for event in (_READ, _WRITE):
                handle = self._handles.get((fd, event))
                # An error or a hang-up wakes whoever waits, as in every event loop.
                if handle is not None and events & (event | ~(_READ | _WRITE)):
                    ready.append(handle)
        for handle in ready:
            if not handle.cancelled():
                handle._run()
        return bool(ready)

    def _add(self, fd: int, event: int, callback: Callable[..., object], args: Any) -> None:
        self._remove(fd, event)
        self._handles[fd, event] = asyncio.Handle(callback, args, self)

    def _remove(self, fd: int, event: int) -> bool:
        handle = self._handles.pop((fd, event), None)
        if handle is not None:
            handle.cancel()
        return handle is not None
