"""One run: the parts, wired; from the first client to the last thing that happens."""

import gc
import random
from collections.abc import Iterator
from contextlib import contextmanager

from ..tcp_model.instant import SECOND, Instant
from ..tcp_model.states import State
from .agenda import Agenda
from .arrivals import merged
from .attempt import NEVER, Attempt, Outcome
from .clients import Clients
from .report import Queue, Report
from .scenario import Scenario
from .server import Server
from .tally import DepthHistory
from .way import Way
from .workers import Workers

__all__ = ["Simulation", "simulate"]

#: [linux tcp_timeout_init] clients whose first, second and third knock was in vain feel these.
_FELT = (1, 3, 7)


def simulate(scenario: Scenario, seed: int = 1) -> Report:
    """Run ``scenario``; the same seed gives the same report, to the last digit."""
    simulation = Simulation(scenario, seed)
    with _uncollected():
        simulation.run()
    return simulation.report()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Leave the garbage to reference counts.

    An attempt and its request part when either ends, so that no circle is left behind; looking for
    one again and again among those who are alive costs a fifth of a run.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Simulation:
    """The parts of a run; ``way`` may be another than the one that draws lots."""

    def __init__(self, scenario: Scenario, seed: int = 1, way: type[Way] = Way) -> None:
        self.scenario = scenario
        self.seed = seed
        # Each part draws from a source of its own, so that a longer queue meets the same clients.
        name = f"simulator {seed}"
        self.agenda = Agenda()
        self.way = way(self.agenda, scenario.loss, random.Random(f"{name} loss"))
        self.server = Server(scenario, self.agenda, self.way)
        instants = merged(scenario.arrivals, f"{name} arrivals")
        self.clients = Clients(scenario, self.agenda, self.way, self.server, instants, name)
        self.workers = Workers(scenario, self.agenda, self.server, self.clients, name)
        self.server.clients = self.clients
        self.server.accepting = self.workers.serve
        self._history = DepthHistory()

    def run(self) -> None:
        """Let everything happen."""
        self.clients.arrive()
        self.agenda.at(self._history.interval, self._look, None)
        self.agenda.run()
        for attempt in list(self.clients.unfinished):
            self.clients.end(attempt, _left(attempt))
        self.clients.endings.settle()

    def _look(self, _: None, now: Instant) -> None:
        self._history.add(*self.server.take_peaks())
        if self.agenda:
            self.agenda.at(now + self._history.interval, self._look, None)

    def report(self) -> Report:
        """What it came to."""
        server, clients, ends = self.server, self.clients, self.clients.endings
        return Report(
            scenario=self.scenario,
            seed=self.seed,
            duration=self.agenda.now,
            clients=clients.began,
            outcomes=dict(ends.outcomes),
            connect_times=ends.connect_times.quantiles(),
            served_times=ends.served_times.quantiles(),
            waiting_times=ends.waiting_times.quantiles(),
            slower_than={one: ends.served_times.share_from(one * SECOND) for one in _FELT},
            knocks=dict(sorted(ends.knocks.items())),
            turned_away=server.turned_away,
            refusals=dict(sorted(server.refusals.items())),
            counters=dict(sorted(server.counters.snapshot().items())),
            accepted=tuple(self.workers.accepted),
            queues=tuple(
                Queue(listener.accept_queue.limit, listener.ack_capacity, high_water)
                for listener, high_water in zip(server.listeners, server.high_water, strict=True)
            ),
            depths=tuple(self._history),
        )


def _left(attempt: Attempt) -> Outcome:
    """What has become of a client to whom nothing more happens."""
    if attempt.queued_at != NEVER:
        return Outcome.QUEUED
    return Outcome.STRANDED if attempt.state is State.ESTABLISHED else Outcome.TIMED_OUT
