"""What happens next: a heap of events, and lanes for the many timers that are set for nothing.

Nearly every timer of a handshake is cancelled, since nearly every handshake succeeds; on a heap
each would be sifted up and down among those of a whole second of other clients. Timers that run
equally long come due in the order in which they were set. Such a *lane* is a plain queue, of which
only the head stands on the heap, and what was cancelled falls out of it without having been there.

At the same instant segments come before timers, as they do in ``tcp_model.network``, and each kind
in the order in which it was asked for.
"""

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from ..tcp_model.instant import Instant

__all__ = ["Agenda", "Alarm", "Lane"]

Action: TypeAlias = Callable[[Any, Instant], None]
# Far above any number of events, and still a small integer for the comparison.
_AFTER_SEGMENTS = 1 << 60


class Alarm(Protocol):
    """Who has a timer: it is due where ``deadline`` says so, and cancelled where not."""

    deadline: Instant | None


class Agenda:
    """Everything that will happen."""

    __slots__ = ("_events", "_serial", "now")

    def __init__(self) -> None:
        self._events: list[tuple[Instant, int, Action, Any]] = []
        self._serial = 0
        #: When the latest event happened.
        self.now: Instant = 0

    def __bool__(self) -> bool:
        """Whether anything will happen."""
        return bool(self._events)

    def at(self, when: Instant, action: Action, subject: Any) -> None:
        """Have ``action(subject, when)`` called."""
        self._serial += 1
        heapq.heappush(self._events, (when, self._serial, action, subject))

    def lane(self, action: Action) -> "Lane":
        """For timers that run equally long."""
        return Lane(self, action)

    def run(self) -> None:
        """Let everything happen."""
        events, pop = self._events, heapq.heappop
        while events:
            self.now, _, action, subject = pop(events)
            action(subject, self.now)


class Lane:
    """Timers that run equally long, each for a subject of its own."""

    __slots__ = ("_action", "_agenda", "_waiting")

    def __init__(self, agenda: Agenda, action: Action) -> None:
        self._agenda = agenda
        self._action = action
        #: The head is on the heap too.
        self._waiting: deque[tuple[Instant, int, Alarm]] = deque()

    def alarm(self, when: Instant, subject: Alarm) -> None:
        """Have ``action(subject, when)`` called unless ``subject.deadline`` is another by then.

        One that is due before those that were set earlier goes to the heap by itself.
        """
        subject.deadline = when
        agenda, waiting = self._agenda, self._waiting
        agenda._serial += 1
        serial = agenda._serial + _AFTER_SEGMENTS
        if not waiting:
            heapq.heappush(agenda._events, (when, serial, self._fire, subject))
        elif when < waiting[-1][0]:
            heapq.heappush(agenda._events, (when, serial, self._judge, subject))
            return
        waiting.append((when, serial, subject))

    def _fire(self, subject: Alarm, now: Instant) -> None:
        """The head is due; put the next one that still counts in its place."""
        waiting = self._waiting
        waiting.popleft()
        while waiting:
            when, serial, following = waiting[0]
            if following.deadline == when:
                heapq.heappush(self._agenda._events, (when, serial, self._fire, following))
                break
            waiting.popleft()
        self._judge(subject, now)

    def _judge(self, subject: Alarm, now: Instant) -> None:
        if subject.deadline == now:
            subject.deadline = None
            self._action(subject, now)
