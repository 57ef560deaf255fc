"""Trying keys in small steps, so that the loop never waits for a search.

One key takes some ten microseconds, and a port may have thousands, each of which a stream of junk
makes us try. A port of few keys is searched at once. A larger one is searched in steps of as many
keys, and between two steps everything else has its turn for as long as a step took: junk can have
half of the time that is left over, whatever its amount, and no connection waits for more than one
step. Searches take turns as well, so that one is not behind all that began before it.

Rejected: a thread. Deriving a key and opening two octets hold the interpreter's lock, so it would
take nothing off the loop; and whenever the loop lets go of that lock, which is in every system
call, it would have to wait for it up to five milliseconds. [bench key_search]
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from ..shadowsocks.aead_stream import opens
from ..shadowsocks.credentials import Holder, KeyRing
from ..shadowsocks.handshake import KeySought

__all__ = ["STEP", "KeySearches", "Search"]

#: Keys that are tried in one step; what takes 2 ms at most.
STEP = 128


class Search:
    """One search; ``cancel`` where nobody wants its answer any more."""

    __slots__ = ("candidates", "host", "sought")

    def __init__(self, candidates: Iterator[Holder], sought: KeySought, host: str) -> None:
        self.candidates = candidates
        self.sought: KeySought | None = sought
        self.host = host

    def cancel(self) -> None:
        """Stop; there is no answer."""
        self.sought = None


class KeySearches:
    """The searches among the keys of one port; ``found`` is called after each answer."""

    __slots__ = ("_keys", "_loop", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: KeyRing) -> None:
        self._loop = loop
        self._keys = keys
        self._waiting: deque[tuple[Search, Callable[[], None]]] = deque()
        self._timer: asyncio.Handle | None = None

    def begin(self, sought: KeySought, host: str, answered: Callable[[], None]) -> Search | None:
        """Answer ``sought``, which came from ``host``, and then call ``answered``.

        None where that is done on return, with no call; else a search that may be cancelled.
        """
        search = Search(self._keys.candidates(host), sought, host)
        if self._step(search):
            return None
        self._waiting.append((search, answered))
        self._schedule(0.0)
        return search

    def close(self) -> None:
        """Give up all searches."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self, search: Search) -> bool:
        """Try some keys; True where the search is over."""
        sought = search.sought
        if sought is None:
            return True
        tried = 0
        for holder in islice(search.candidates, STEP):
            tried += 1
            if opens(holder.key, sought.salt, sought.box):
                self._keys.remember(search.host, holder)
                sought.answer(holder)
                return True
        if tried < STEP:
            sought.answer(None)
            return True
        return False

    def _schedule(self, delay: float) -> None:
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_later(delay, self._turn)

    def _turn(self) -> None:
        self._timer = None
        began = self._loop.time()
        search, answered = self._waiting.popleft()
        wanted = search.sought is not None
        if not self._step(search):
            self._waiting.append((search, answered))
        elif wanted:
            answered()
        self._schedule(self._loop.time() - began)
