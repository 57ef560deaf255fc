"""Many deadlines with the same delay, for the price of one timer.

Every handshake gets the same time, so deadlines fall due in the order in which they were set: a
dictionary, which keeps that order, is the whole queue. Most are discarded long before they are
due, which costs one deletion; the timer looks only at the oldest that is left.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["DeadlineQueue"]

T = TypeVar("T", bound=Hashable)


class DeadlineQueue(Generic[T]):
    """Calls ``expired(item)`` once, ``delay`` seconds after ``add(item)``, unless discarded."""

    __slots__ = ("_due", "_expired", "_loop", "_timer", "delay")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, delay: float, expired: Callable[[T], None]
    ) -> None:
        self.delay = delay
        self._loop = loop
        self._expired = expired
        self._due: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._due)

    def add(self, item: T) -> None:
        """Start the time of ``item``; an item that is already here starts anew."""
        self._due.pop(item, None)
        self._due[item] = self._loop.time() + self.delay
        if self._timer is None:
            self._timer = self._loop.call_at(self._due[item], self._fire)

    def discard(self, item: T) -> None:
        """Forget ``item``, where it is here."""
        self._due.pop(item, None)

    def oldest(self) -> T:
        """The item that is due first, which is the one added longest ago."""
        return next(iter(self._due))

    def due(self, item: T) -> float:
        """The loop's time at which ``item``, which is here, is due."""
        return self._due[item]

    def clear(self) -> None:
        """Forget all, and the timer."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        late = []
        for item, due in self._due.items():
            if due > now:
                break
            late.append(item)
        try:
            for item in late:
                # An earlier one's expiry may have discarded this one.
                if self._due.pop(item, None) is not None:
                    self._expired(item)
        finally:
            # Also where an expiry raised: that is its own end, and the others are due.
            if self._due and self._timer is None:
                oldest = next(iter(self._due.values()))
                self._timer = self._loop.call_at(oldest, self._fire)
