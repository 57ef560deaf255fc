"""The way between clients and server: how long a segment takes, and whether it arrives."""

import random
from collections.abc import Callable
from typing import TypeAlias

from ..tcp_model.instant import Instant
from .agenda import Agenda
from .attempt import Attempt

__all__ = ["Arrival", "Way"]

Arrival: TypeAlias = Callable[[Attempt, Instant], None]


class Way:
    """Each client is as far away as it is; what it sends stays in order, or is lost."""

    __slots__ = ("_at", "_chance", "loss")

    def __init__(self, agenda: Agenda, loss: float, source: random.Random) -> None:
        self._at = agenda.at
        self._chance = source.random
        self.loss = loss

    def carry(self, attempt: Attempt, what: str, arrival: Arrival, now: Instant) -> None:
        """Have a segment that is sent ``now`` arrive in due time, or not at all."""
        if not self.loss or not self.is_lost(attempt, what):
            self._at(now + attempt.delay, arrival, attempt)

    def is_lost(self, attempt: Attempt, what: str) -> bool:
        """Draw lots. ``what`` is SYN, SYN/ACK, ACK, data or RST."""
        return self._chance() < self.loss
