"""What a run came to."""

from dataclasses import dataclass
from typing import Any

from ..tcp_model.instant import SECOND, Duration
from .attempt import Outcome
from .scenario import Scenario
from .tally import Depths, Quantiles

__all__ = ["Queue", "Report"]


@dataclass(frozen=True, slots=True)
class Queue:
    """An accept queue: the limit that listen() gave, how many fit, and the deepest that it was."""

    limit: int
    capacity: int | None
    high_water: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Equal scenarios and seeds give equal reports."""

    scenario: Scenario
    seed: int
    #: Until nothing more happened.
    duration: Duration
    clients: int
    outcomes: dict[Outcome, int]
    #: From the first SYN until connect() returned, and until accept(); and in the accept queue.
    connect_times: Quantiles | None
    served_times: Quantiles | None
    waiting_times: Quantiles | None
    #: Which share of the accepted waited so many seconds or more for accept(), from the first SYN.
    slower_than: dict[int, float]
    #: How many clients connected or gave up after so many SYNs.
    knocks: dict[int, int]
    #: Clients that met a full queue at least once.
    turned_away: int
    #: SYNs and ACKs that were refused, by reason.
    refusals: dict[str, int]
    counters: dict[str, int]
    accepted: tuple[int, ...]
    queues: tuple[Queue, ...]
    depths: tuple[Depths, ...]

    @property
    def overflow(self) -> float:
        """The share of clients that met a full queue."""
        return self.turned_away / self.clients if self.clients else 0.0

    @property
    def retransmitted(self) -> int:
        """SYNs that were sent again."""
        return sum((knocks - 1) * number for knocks, number in self.knocks.items())

    def document(self, depths: bool = True) -> dict[str, Any]:
        """As JSON has it; times in seconds."""
        found: dict[str, Any] = {
            "seed": self.seed,
            "seconds": self.duration / SECOND,
            "clients": self.clients,
            "outcomes": {one.name.lower(): number for one, number in self.outcomes.items()},
            "turned_away": self.turned_away,
            "overflow": self.overflow,
            "connect": _seconds(self.connect_times),
            "served": _seconds(self.served_times),
            "waiting": _seconds(self.waiting_times),
            "slower_than": {str(seconds): share for seconds, share in self.slower_than.items()},
            "syn_retransmissions": self.retransmitted,
            "syns_sent": {str(knocks): number for knocks, number in self.knocks.items()},
            "refusals": self.refusals,
            "counters": self.counters,
            "accepted_per_worker": list(self.accepted),
            "accept_queues": [
                {"limit": q.limit, "capacity": q.capacity, "high_water": q.high_water}
                for q in self.queues
            ],
        }
        if depths:
            found["depths"] = [
                {"at": d.at / SECOND, "accept_queue": d.accept_queue, "syn_queue": d.syn_queue}
                for d in self.depths
            ]
        return found


def _seconds(quantiles: Quantiles | None) -> dict[str, float | int] | None:
    if quantiles is None:
        return None
    number, *times = quantiles
    values = (value / SECOND for value in times)
    return {"count": number, **dict(zip(quantiles._fields[1:], values, strict=True))}
