"""A scenario of the simulator, run on hosts that speak segments, as it must come out.

Every client has a kernel, every segment its sequence numbers; what the simulator leaves out is all
here. It is some fifty times slower. ``Client`` is what both can tell of a client.
"""

import errno
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..endpoint import Endpoint
from ..simulator.attempt import Outcome
from ..simulator.scenario import Scenario
from ..tcp_model import segment as s
from ..tcp_model.connection import Connection
from ..tcp_model.effects import SendSegment
from ..tcp_model.host import Host, SocketOption
from ..tcp_model.instant import Duration, Instant
from ..tcp_model.network import Network
from ..tcp_model.profiles import DEFAULT, find
from ..tcp_model.segment import Flow, Segment
from ..tcp_model.states import State

__all__ = ["Client", "SegmentLevel"]

_SERVER = Endpoint("192.0.2.1", 80)
_CLIENTS = "198.51.100.1"
_FIRST_PORT = 20_000
_FAILURES = {
    errno.ETIMEDOUT: Outcome.TIMED_OUT,
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ECONNRESET: Outcome.RESET,
}


class Client(NamedTuple):
    """One client's story."""

    outcome: Outcome
    knocks: int
    connected_at: Instant | None
    accepted_at: Instant | None


class SegmentLevel:
    """A run. ``delays`` are the clients', in the order of ``starts``.

    ``is_lost(client, what, ordinal)`` says of a client's first, second, ... SYN, SYN/ACK, ACK or
    data whether it is lost. The workers share one listener, and no two things may happen at the
    same instant unless one causes the other.
    """

    def __init__(
        self,
        scenario: Scenario,
        starts: Sequence[Instant],
        delays: Sequence[Duration],
        is_lost: Callable[[int, str, int], bool],
    ) -> None:
        self._scenario = scenario
        self._delays = delays
        self._is_lost = is_lost
        self._ordinals: Counter[tuple[int, str]] = Counter()
        self.server = Host(find(scenario.profile), dict(scenario.settings), b"server")
        self._kernel = Host(DEFAULT, dict(scenario.client_settings), b"clients")
        hosts = {_SERVER.host: self.server, _CLIENTS: self._kernel}
        self._network = Network(hosts, self._carry)
        self._listener = self.server.bind(_SERVER)
        self.server.listen(self._listener, scenario.backlog, 0)
        if scenario.defer_accept:
            option = SocketOption.TCP_DEFER_ACCEPT
            self.server.setsockopt(self._listener, option, scenario.defer_accept)
        self._starts = deque(enumerate(starts))
        self._free_at = [0] * scenario.workers
        self._connections: list[Connection] = []
        self._connected_at: dict[int, Instant] = {}
        self._accepted_at: dict[int, Instant] = {}
        self._impatient: set[int] = set()
        self._cost = scenario.accept_cost.mean
        self.high_water = 0

    def run(self) -> list[Client]:
        """Everything, in order."""
        network = self._network
        while (at := self._next()) is not None:
            due = network.get_timer()
            network.run_until(at)
            if due is None or due > at:
                self._act(at)
            self._react()
        return [self._story(client) for client in range(len(self._connections))]

    def _next(self) -> Instant | None:
        """When something happens next, on the network or in the applications."""
        times = [self._network.get_timer()]
        if self._starts:
            times.append(self._starts[0][1])
        now = self._network.now
        times += [at for at in self._free_at if at > now]
        times += [stall.at for stall in self._scenario.stalls if stall.at > now]
        times += [at for at in self._patience() if at > now]
        return min((at for at in times if at is not None), default=None)

    def _patience(self) -> list[Instant]:
        patience = self._scenario.patience
        if patience is None:
            return []
        waiting = (one for one in self._connections if one.state is State.SYN_SENT)
        return [one.opened_at + patience for one in waiting]

    def _act(self, now: Instant) -> None:
        """What applications do by themselves: begin, stall, lose patience."""
        for stall in self._scenario.stalls:
            if stall.at == now:
                for worker in range(len(self._free_at)):
                    if stall.worker in (None, worker):
                        until = now + stall.duration
                        self._free_at[worker] = max(self._free_at[worker], until)
        while self._starts and self._starts[0][1] <= now:
            number, _ = self._starts.popleft()
            local = Endpoint(_CLIENTS, _FIRST_PORT + number)
            connection, effects = self._kernel.connect(local, _SERVER, now)
            self._connections.append(connection)
            self._network.note(_CLIENTS, effects)
        patience = self._scenario.patience
        for number, connection in enumerate(self._connections):
            waits = connection.state is State.SYN_SENT
            if patience is not None and waits and connection.opened_at + patience <= now:
                self._impatient.add(number)
                self._network.note(_CLIENTS, self._kernel.close(connection, now))

    def _react(self) -> None:
        """What applications do about what the network did."""
        now = self._network.now
        for number, connection in enumerate(self._connections):
            if connection.state is State.ESTABLISHED and number not in self._connected_at:
                self._connected_at[number] = now
                if self._scenario.speaks:
                    self._network.note(_CLIENTS, self._kernel.send(connection, b"?", now))
        self.high_water = max(self.high_water, self._listener.accept_queue.depth)
        for worker, free_at in enumerate(self._free_at):
            while free_at <= now:
                accepted, effects = self.server.accept(self._listener, now)
                self._network.note(_SERVER.host, effects)
                if accepted is None:
                    break
                self._accepted_at[accepted.flow.remote.port - _FIRST_PORT] = now
                free_at = self._free_at[worker] = now + self._cost

    def _carry(self, segment: Segment, now: Instant) -> Instant | None:
        outward = segment.src == _SERVER
        port = segment.dst.port if outward else segment.src.port
        client = port - _FIRST_PORT
        what = _name(segment, outward)
        if what:
            self._ordinals[client, what] += 1
            if self._is_lost(client, what, self._ordinals[client, what]):
                return None
        return now + self._delays[client]

    def _story(self, number: int) -> Client:
        connection = self._connections[number]
        flow = Flow(_SERVER, connection.flow.local)
        if number in self._accepted_at:
            outcome = Outcome.ACCEPTED
        elif flow in self.server.connections:
            outcome = Outcome.QUEUED
        elif connection.error is not None:
            outcome = _FAILURES[connection.error]
        elif number in self._impatient:
            outcome = Outcome.TIMED_OUT
        else:
            outcome = Outcome.STRANDED
        knocks = self._ordinals[number, "SYN"]
        times = self._connected_at.get(number), self._accepted_at.get(number)
        return Client(outcome, knocks, *times)

    @property
    def sent(self) -> int:
        """All segments."""
        return sum(isinstance(m.effect, SendSegment) for m in self._network.trace)


def _name(segment: Segment, outward: bool) -> str | None:
    """What the simulator calls it, or None for what it leaves out."""
    if segment.flags & s.RST:
        return None
    if segment.flags & s.SYN:
        return "SYN/ACK" if outward else "SYN"
    if outward:
        return None
    return "data" if segment.payload else "ACK"
