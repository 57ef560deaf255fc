"""A bounded number of places for things that end when they are idle, shared by their owners.

Whoever comes when all places are taken gets that of the most idle: one of its own owner's, where
there is any, else of all. So nobody's flood ends what is anybody else's, as long as there is
something of the flood's own to end.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from .deadlines import DeadlineQueue

__all__ = ["Places"]

T = TypeVar("T", bound=Hashable)


class Places(Generic[T]):
    """``most`` places, ``per_owner`` of them for one owner.

    ``end`` is called for a thing that must go, be it idle for ``timeout`` seconds or in the way of
    another; it calls ``leave``.
    """

    __slots__ = ("_end", "_idle", "_most", "_owners", "_per_owner", "_things", "touch")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        timeout: float,
        most: int,
        per_owner: int,
        end: Callable[[T], None],
    ) -> None:
        self._most = most
        self._per_owner = per_owner
        self._end = end
        self._idle: DeadlineQueue[T] = DeadlineQueue(loop, timeout, end)
        #: Tells that a thing is in use. Called for each datagram, so it is not wrapped.
        self.touch: Callable[[T], None] = self._idle.add
        self._things: dict[T, Hashable] = {}
        self._owners: dict[Hashable, dict[T, None]] = {}

    def __len__(self) -> int:
        return len(self._things)

    def take(self, thing: T, owner: Hashable) -> None:
        """Give ``thing``, which is new, a place among its owner's."""
        siblings = self._owners.get(owner, {})
        full = len(self._things) >= self._most
        if len(siblings) >= self._per_owner or (full and siblings):
            self._end(min(siblings, key=self._idle.due))
        elif full:
            self._end(self._idle.oldest())
        self._things[thing] = owner
        self._owners.setdefault(owner, {})[thing] = None
        self._idle.add(thing)

    def leave(self, thing: T) -> bool:
        """Give up the place of ``thing``; False where it has none."""
        if thing not in self._things:
            return False
        owner = self._things.pop(thing)
        siblings = self._owners[owner]
        del siblings[thing]
        if not siblings:
            del self._owners[owner]
        self._idle.discard(thing)
        return True

    def end(self, owner: Hashable) -> None:
        """End all that is ``owner``'s."""
        for thing in list(self._owners.get(owner, {})):
            self._end(thing)

    def clear(self) -> None:
        """End everything."""
        for thing in list(self._things):
            self._end(thing)
        self._idle.clear()
