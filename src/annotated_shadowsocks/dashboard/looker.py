"""Looks at all listeners of the namespace, again and again, as cheaply as that can be done."""

import time
from types import TracebackType

from ..errors import ObserveError
from ..kernel.listeners import glance
from ..kernel.netstat import counters
from ..kernel.owners import Owner, owners
from ..kernel.sock_diag import SockDiag
from .history import History
from .listener_view import Sight

__all__ = ["Looker"]

#: Seconds between two searches for processes: they seldom change, and a search reads all of /proc.
_SEARCH_EVERY = 5.0


class Looker:
    """Adds what it sees to ``history``. Raises ``ObserveError`` where there is no way to look."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._diag = SockDiag()
        self._owners: dict[int, tuple[Owner, ...]] = {}
        self._searched = float("-inf")

    def look(self) -> None:
        """One look; raises ``ObserveError`` where it fails."""
        now = time.monotonic()
        found = glance(self._diag)
        inodes = {one.inode for one in found}
        if now - self._searched > _SEARCH_EVERY or inodes - set(self._owners):
            self._owners = dict.fromkeys(inodes, ()) | owners(inodes)
            self._searched = now
        sights = [Sight(one, self._owners.get(one.inode, ())) for one in found]
        self._history.add(now, sights, counters())

    def try_to_look(self) -> None:
        """The same; a failure is noted in the history, and the next look may succeed."""
        try:
            self.look()
        except ObserveError as error:
            self._history.fail(str(error))

    def __enter__(self) -> "Looker":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._diag.close()
