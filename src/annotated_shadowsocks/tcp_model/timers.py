"""Deadlines of many blocks, and which comes first.

A block knows its own deadline; the heap holds a note of it. Setting a new deadline leaves the old
note behind, which is recognised when it comes to the top, since it no longer says what the block
says. So re-arming and cancelling cost nothing where they happen.

Equal deadlines fire in the order in which they were set. A kernel's timer wheel promises no order
at all, so nothing may depend on this one; it is fixed for the sake of equal traces.
"""

import heapq
from typing import Generic, Protocol, TypeVar

from .instant import Instant

__all__ = ["Timed", "Timers"]


class Timed(Protocol):
    """Something with a deadline."""

    deadline: Instant | None


TimedT = TypeVar("TimedT", bound=Timed)


class Timers(Generic[TimedT]):
    """The deadlines of all blocks."""

    __slots__ = ("_notes", "_serial")

    def __init__(self) -> None:
        self._notes: list[tuple[Instant, int, TimedT]] = []
        self._serial = 0

    def arm(self, block: TimedT, at: Instant) -> None:
        """Give a block a deadline, in place of the one that it had."""
        block.deadline = at
        self._serial += 1
        heapq.heappush(self._notes, (at, self._serial, block))

    def next(self) -> Instant | None:
        """The earliest deadline, or None."""
        notes = self._notes
        while notes and notes[0][2].deadline != notes[0][0]:
            heapq.heappop(notes)
        return notes[0][0] if notes else None

    def pop(self, now: Instant) -> TimedT | None:
        """The first block whose deadline has come, without a deadline from here on, or None."""
        at = self.next()
        if at is None or at > now:
            return None
        block = heapq.heappop(self._notes)[2]
        block.deadline = None
        return block
