"""The way between clients and server: how long a segment takes, and whether it arrives."""

import random
from collections.abc import Callable

from ..tcp_model.instant import Instant
from .agenda import Agenda
from .attempt import Attempt

__all__ = ["Way"]


class Way:
    """Each client is as far away as it is; what it sends stays in order, or is lost."""

    __slots__ = ("_agenda", "_at", "_chance", "loss")

    def __init__(self, agenda: Agenda, loss: float, source: random.Random) -> None:
        self._agenda = agenda
        self._at = agenda.at
        self._chance = source.random
        self.loss = loss

    def carry(
        self, attempt: Attempt, what: str, arrival: Callable[[Attempt, Instant], None]
    ) -> bool:
        """Have a segment arrive in due time, or not at all: then False."""
        if self.loss and self.is_lost(attempt, what):
            return False
        self.bring(attempt, arrival)
        return True

    def bring(self, attempt: Attempt, arrival: Callable[[Attempt, Instant], None]) -> None:
        """Have what is not lost arrive in due time."""
        self._at(self._agenda.now + attempt.delay, arrival, attempt)

    def is_lost(self, attempt: Attempt, what: str) -> bool:
        """Draw lots. ``what`` is SYN, SYN/ACK, ACK, data or RST."""
        return self._chance() < self.loss
