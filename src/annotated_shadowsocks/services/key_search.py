"""Trying keys in small steps, so that the loop never waits for a search.

One key takes some ten microseconds, and a port may have thousands, each of which every stream of
junk makes us try. Up to ``AT_ONCE`` keys are tried at once. Of more only the first is, which is the
key of whoever was there last; the others are tried in steps, and between two steps everything else
has its turn for as long as a step took. So junk, whatever its amount, gets half of the time that is
left over, and nothing waits for longer than one step.

Hosts take turns, not searches: who sends a thousand streams of junk waits behind himself. Of one
host a few searches may wait, and the oldest makes room, unanswered: a search that nobody answers
is a handshake that takes too long.

Rejected: a thread. Deriving a key and opening two octets hold the interpreter's lock, so it would
take nothing off the loop; and the loop, which lets go of that lock in every system call, would have
to wait to get it back, up to five milliseconds each time. [bench key_search]
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

from ..shadowsocks.aead_stream import opens
from ..shadowsocks.credentials import Holder, KeyRing
from ..shadowsocks.handshake import KeySought

__all__ = ["AT_ONCE", "PER_HOST", "STEP", "KeySearches", "Search"]

#: Keys of a port that are tried without a pause, and those of one step where there are more.
AT_ONCE = 128
STEP = 32

#: Searches of one host that may wait.
PER_HOST = 64


class Search:
    """One search; ``cancel`` where nobody wants its answer any more."""

    __slots__ = ("answered", "candidates", "host", "sought")

    def __init__(
        self,
        candidates: Iterator[Holder],
        sought: KeySought,
        host: str,
        answered: Callable[[], None],
    ) -> None:
        self.candidates = candidates
        self.sought: KeySought | None = sought
        self.host = host
        self.answered = answered

    def cancel(self) -> None:
        """Stop; there is no answer."""
        self.sought = None


class KeySearches:
    """The searches among the keys of one port."""

    __slots__ = ("_keys", "_loop", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, keys: KeyRing) -> None:
        self._loop = loop
        self._keys = keys
        #: By host, whose turn is next first.
        self._waiting: dict[str, deque[Search]] = {}
        self._timer: asyncio.Handle | None = None

    def begin(self, sought: KeySought, host: str, answered: Callable[[], None]) -> Search | None:
        """Answer ``sought``, which came from ``host``, and then call ``answered``.

        None where that is done on return, with no call; else a search that may be cancelled.
        """
        search = Search(self._keys.candidates(host), sought, host, answered)
        few = len(self._keys.holders) <= AT_ONCE
        # One more than there are, for whoever is tried first and once again in his place.
        if self._step(search, AT_ONCE + 2 if few else 1):
            return None
        mine = self._waiting.setdefault(host, deque(maxlen=PER_HOST))
        mine.append(search)
        self._schedule(0.0)
        return search

    def close(self) -> None:
        """Give up all searches."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _step(self, search: Search, keys: int) -> bool:
        """Try some keys; True where the search is over."""
        sought = search.sought
        if sought is None:
            return True
        tried = 0
        for holder in islice(search.candidates, keys):
            tried += 1
            if opens(holder.key, sought.salt, sought.box):
                self._keys.remember(search.host, holder)
                sought.answer(holder)
                return True
        if tried < keys:
            sought.answer(None)
            return True
        return False

    def _schedule(self, delay: float) -> None:
        if self._timer is None and self._waiting:
            self._timer = self._loop.call_later(delay, self._turn)

    def _turn(self) -> None:
        self._timer = None
        began = self._loop.time()
        host = next(iter(self._waiting))
        mine = self._waiting.pop(host)
        search = mine[0]
        wanted = search.sought is not None
        over = self._step(search, STEP)
        if over:
            mine.popleft()
        if mine:
            self._waiting[host] = mine
        self._schedule(self._loop.time() - began)
        if over and wanted:
            search.answered()
