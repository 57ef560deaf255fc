"""The application: workers that call accept(), are busy with what they got, and stall at times."""

import random
from heapq import heapify, heapreplace

from ..tcp_model.instant import Instant
from ..tcp_model.listener import Listener
from .agenda import Agenda
from .attempt import Outcome
from .clients import Clients
from .scenario import Scenario, Stall
from .server import Server

__all__ = ["Workers"]

_ACCEPTED = Outcome.ACCEPTED


class Workers:
    """All workers; those of one listener take turns, as blocking accept() calls do."""

    def __init__(
        self, scenario: Scenario, agenda: Agenda, server: Server, clients: Clients, seed: str
    ) -> None:
        #: How many connections each worker has accepted.
        self.accepted = [0] * scenario.workers
        #: By listener: from when on each of its workers is free, a heap.
        self._free: list[list[tuple[Instant, int]]] = [[] for _ in server.listeners]
        for worker in range(scenario.workers):
            self._free[worker if scenario.reuse_port else 0].append((0, worker))
        #: By listener: whether somebody waits until the first worker is free.
        self._expected = [False] * len(self._free)
        self._cost = scenario.accept_cost.drawer(random.Random(f"{seed} cost"))
        self._agenda = agenda
        self._server = server
        self._end = clients.end
        for stall in scenario.stalls:
            agenda.at(stall.at, self.stall, stall)

    def serve(self, listener: Listener, now: Instant) -> None:
        """Workers who are free accept who waits, now and as they become free."""
        index = listener.number - 1
        queue, free = self._server.waiting[index], self._free[index]
        while queue and free and free[0][0] <= now:
            attempt, worker = queue.popleft(), free[0][1]
            heapreplace(free, (now + self._cost(), worker))
            self.accepted[worker] += 1
            attempt.accepted_at = now
            self._end(attempt, _ACCEPTED)
            if listener.deferred:
                self._server.take_deferred(listener, now)
        if queue and free and not self._expected[index]:
            self._expected[index] = True
            self._agenda.at(free[0][0], self._resume, listener)

    def _resume(self, listener: Listener, now: Instant) -> None:
        self._expected[listener.number - 1] = False
        self.serve(listener, now)

    def stall(self, stall: Stall, now: Instant) -> None:
        """Nothing is accepted for a while; who is busy is busy that much longer at least."""
        until = now + stall.duration
        for free in self._free:
            for place, (at, worker) in enumerate(free):
                if stall.worker in (None, worker):
                    free[place] = (max(at, until), worker)
            heapify(free)
