"""The application: workers that call accept(), are busy with what they got, and stall at times."""

import random
from collections import deque

from ..tcp_model.instant import Instant
from ..tcp_model.listener import Listener
from .agenda import Agenda
from .attempt import Outcome
from .clients import Clients
from .scenario import Scenario, Stall
from .server import Server
from .tally import Histogram

__all__ = ["Workers"]

_ACCEPTED = Outcome.ACCEPTED


class Workers:
    """All workers; those of one listener take turns, as blocking accept() calls do."""

    def __init__(
        self, scenario: Scenario, agenda: Agenda, server: Server, clients: Clients, seed: str
    ) -> None:
        own = scenario.reuse_port
        #: How many connections each worker has accepted.
        self.accepted = [0] * scenario.workers
        #: From the first SYN to accept(), and in the accept queue.
        self.served_times = Histogram()
        self.waiting_times = Histogram()
        #: Who is idle, by listener; and each worker's listener, its queue, and who is idle there.
        self._idle: list[deque[int]] = [deque() for _ in server.listeners]
        self._stations = [
            (server.listeners[at], server.waiting[at], self._idle[at])
            for at in (worker if own else 0 for worker in range(scenario.workers))
        ]
        for worker, (_, _, idle) in enumerate(self._stations):
            idle.append(worker)
        self._stalled_until = [0] * scenario.workers
        self._cost = scenario.accept_cost.drawer(random.Random(f"{seed} cost"))
        self._agenda = agenda
        self._server = server
        self._end = clients.end
        for stall in scenario.stalls:
            agenda.at(stall.at, self.stall, stall)

    def wake(self, listener: Listener, now: Instant) -> None:
        """Somebody waits at a listener: an idle worker takes him."""
        idle = self._idle[listener.number - 1]
        if idle:
            self.free(idle.popleft(), now)

    def free(self, worker: int, now: Instant) -> None:
        """A worker calls accept() until it is busy or the queue is empty."""
        listener, queue, idle = self._stations[worker]
        due = self._stalled_until[worker]
        while queue and due <= now:
            attempt = queue.popleft()
            self.accepted[worker] += 1
            self.served_times.add(now - attempt.started_at)
            self.waiting_times.add(now - attempt.queued_at)
            self._end(attempt, _ACCEPTED)
            if listener.deferred:
                self._server.take_deferred(listener, now)
            due = now + self._cost()
        if due > now:
            self._agenda.at(due, self.free, worker)
        else:
            idle.append(worker)

    def stall(self, stall: Stall, now: Instant) -> None:
        """Nothing is accepted for a while; who is busy is busy that much longer at least."""
        everyone = range(len(self._stations))
        for worker in everyone if stall.worker is None else (stall.worker,):
            until = max(self._stalled_until[worker], now + stall.duration)
            self._stalled_until[worker] = until
            idle = self._stations[worker][2]
            if worker in idle:
                idle.remove(worker)
                self._agenda.at(until, self.free, worker)
