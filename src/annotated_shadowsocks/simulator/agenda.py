"""What happens next: a calendar of events, and lanes for the many timers that are set for nothing.

Far clients have much in flight. On one heap each of their segments would be sifted through all
others; in a *calendar* it is put on the page of its time, unsorted, and only the page that is open
is a heap, of a few events.

Nearly every timer of a handshake is cancelled, since nearly every handshake succeeds; in the
calendar each would wait its full time, and be looked at. Timers that run equally long come due in
the order in which they were set. Such a *lane* is a plain queue, of which only the head stands in
the calendar, and what was cancelled falls out of it without having been there.

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
# A page holds half a millisecond: 1 << 19 nanoseconds.
_PAGE = 19


class Alarm(Protocol):
    """Who has a timer: it is due where ``deadline`` says so, and cancelled where not."""

    deadline: Instant | None


class Agenda:
    """Everything that will happen."""

    __slots__ = ("_open", "_order", "_page", "_pages", "_serial", "now")

    def __init__(self) -> None:
        #: The page that is open, a heap; the pages behind it; their numbers, a heap too.
        self._open: list[tuple[Instant, int, Action, Any]] = []
        self._pages: dict[int, list[tuple[Instant, int, Action, Any]]] = {}
        self._order: list[int] = []
        #: The number of the open page.
        self._page = 0
        self._serial = 0
        #: When the latest event happened.
        self.now: Instant = 0

    def __bool__(self) -> bool:
        """Whether anything will happen."""
        return bool(self._open or self._order)

    def at(self, when: Instant, action: Action, subject: Any, serial: int = 0) -> None:
        """Have ``action(subject, when)`` called; ``serial`` where it was asked for before."""
        if not serial:
            self._serial = serial = self._serial + 1
        number = when >> _PAGE
        if number <= self._page:
            heapq.heappush(self._open, (when, serial, action, subject))
            return
        page = self._pages.get(number)
        if page is None:
            self._pages[number] = [(when, serial, action, subject)]
            heapq.heappush(self._order, number)
        else:
            page.append((when, serial, action, subject))

    def lane(self, action: Action) -> "Lane":
        """For timers that run equally long."""
        return Lane(self, action)

    def run(self) -> None:
        """Let everything happen."""
        page, pop = self._open, heapq.heappop
        while True:
            while page:
                self.now, _, action, subject = pop(page)
                action(subject, self.now)
            if not self._order:
                return
            self._page = pop(self._order)
            page += self._pages.pop(self._page)
            heapq.heapify(page)


class Lane:
    """Timers that run equally long, each for a subject of its own."""

    __slots__ = ("_action", "_agenda", "_waiting")

    def __init__(self, agenda: Agenda, action: Action) -> None:
        self._agenda = agenda
        self._action = action
        #: The head is in the calendar too.
        self._waiting: deque[tuple[Instant, int, Alarm]] = deque()

    def alarm(self, when: Instant, subject: Alarm) -> None:
        """Have ``action(subject, when)`` called unless ``subject.deadline`` is another by then.

        One that is due before those that were set earlier goes there by itself.
        """
        subject.deadline = when
        agenda, waiting = self._agenda, self._waiting
        agenda._serial += 1
        serial = agenda._serial + _AFTER_SEGMENTS
        if not waiting:
            agenda.at(when, self._fire, subject, serial)
        elif when < waiting[-1][0]:
            agenda.at(when, self._judge, subject, serial)
            return
        waiting.append((when, serial, subject))

    def _fire(self, subject: Alarm, now: Instant) -> None:
        """The head is due; put the next one that still counts in its place."""
        waiting = self._waiting
        waiting.popleft()
        while waiting:
            when, serial, following = waiting[0]
            if following.deadline == when:
                self._agenda.at(when, self._fire, following, serial)
                break
            waiting.popleft()
        self._judge(subject, now)

    def _judge(self, subject: Alarm, now: Instant) -> None:
        if subject.deadline == now:
            subject.deadline = None
            self._action(subject, now)
