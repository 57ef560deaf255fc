"""Where the processes of one program write their figures, and what they leave when they die.

One file in memory, opened before the first fork, with a place for each process. A process writes
its figures there about once a second; whoever is asked reads all places. So nobody has to be alive
or quick to be counted: a worker that was stopped or killed is counted with what it wrote last, and
the page shows no counter that ever goes back.

A place has two halves and says which of them is good, so that a process that is killed in the
middle of writing leaves what it wrote before. When a process is gone its counters are added to
those of all that went before, and its place is free again.

Rejected: workers that send their figures to the supervisor. It would have to read and to buffer,
and there is to be nothing in it that could fail. Rejected too: a lock. Whoever is stopped while it
holds one stops the others.
"""

import os
import struct

from ..errors import ObserveError
from .figures import Figures

__all__ = ["Board", "Report"]

#: The file is sparse: what nobody writes takes no memory. A place's figures are at most this long.
_HALF = 8 << 20
_HEAD_SIZE = 64
_PLACE = _HEAD_SIZE + 2 * _HALF

#: Which half, how long it is, and when it was written by the clock of ``report``.
_HEAD = struct.Struct("=IId")

#: The place of those that are gone, and in it a number that is odd while a place is being retired.
_RETIRED = 0
_TURN = struct.Struct("=Q")
_TURN_AT = 32

#: How often a reader tries to find no place being retired.
_ATTEMPTS = 100


class Report:
    """What one process wrote, and when, by its own monotonic clock, which all processes share."""

    __slots__ = ("at", "figures")

    def __init__(self, figures: Figures, at: float) -> None:
        self.figures = figures
        self.at = at


class Board:
    """One file for all processes; made before they are."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("figures", os.MFD_CLOEXEC)
        #: Places in use; only the process that forks the others takes and retires them.
        self._taken: set[int] = set()

    def take(self) -> int:
        """A place for a process that is about to start."""
        place = next(n for n in range(1, len(self._taken) + 2) if n not in self._taken)
        self._taken.add(place)
        self._put(place, Figures(), 0.0)
        return place

    def write(self, place: int, figures: Figures, now: float) -> None:
        """Replace the figures of ``place``, which is this process's. Raises ``ObserveError``."""
        self._put(place, figures, now)

    def retire(self, place: int) -> None:
        """The process of ``place`` is gone: what it counted is kept, and the place is free."""
        self._turn(self._turn() + 1)
        try:
            gone = self._get(_RETIRED).figures
            gone.add(self._get(place).figures, levels=False)
            self._put(_RETIRED, gone, 0.0)
        finally:
            self._put(place, Figures(), 0.0)
            self._taken.discard(place)
            self._turn(self._turn() + 1)

    def read(self) -> tuple[Figures, dict[int, Report]]:
        """What those that are gone have counted, and the reports of the others by place.

        Raises ``ObserveError``.
        """
        for _ in range(_ATTEMPTS):
            turn = self._turn()
            gone = self._get(_RETIRED).figures
            reports = {place: self._get(place) for place in range(1, self.places)}
            if turn == self._turn() and not turn & 1:
                return gone, {place: each for place, each in reports.items() if each.at}
        raise ObserveError("figures", "processes die faster than their figures can be read")

    @property
    def places(self) -> int:
        """How many places there have ever been, that of those that are gone counted."""
        return os.fstat(self._fd).st_size // _PLACE

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _put(self, place: int, figures: Figures, now: float) -> None:
        octets = figures.encode()
        if len(octets) > _HALF:
            raise ObserveError("figures", f"{len(octets)} octets are more than a place holds")
        start = place * _PLACE
        half = 1 - self._head(place)[0]
        os.pwrite(self._fd, octets, start + _HEAD_SIZE + half * _HALF)
        # One call, and smaller than a page: whoever dies has done it or has not.
        os.pwrite(self._fd, _HEAD.pack(half, len(octets), now), start)
        if os.fstat(self._fd).st_size < start + _PLACE:
            os.ftruncate(self._fd, start + _PLACE)

    def _get(self, place: int) -> Report:
        half, length, at = self._head(place)
        if not length:
            return Report(Figures(), 0.0)
        octets = os.pread(self._fd, length, place * _PLACE + _HEAD_SIZE + half * _HALF)
        return Report(Figures.decode(octets), at)

    def _head(self, place: int) -> tuple[int, int, float]:
        head = os.pread(self._fd, _HEAD.size, place * _PLACE)
        if len(head) < _HEAD.size:
            return 0, 0, 0.0
        half, length, at = _HEAD.unpack(head)
        return half & 1, min(length, _HALF), at

    def _turn(self, value: int | None = None) -> int:
        if value is not None:
            os.pwrite(self._fd, _TURN.pack(value), _TURN_AT)
            return value
        octets = os.pread(self._fd, _TURN.size, _TURN_AT)
        return int(_TURN.unpack(octets)[0]) if len(octets) == _TURN.size else 0
