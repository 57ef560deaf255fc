"""The clients: Linux, each with one connection to make, and what it says first if it speaks first.

A client whose final ACK arrived and found room is done. One whose ACK did not has a kernel that
sends again; only then does the simulator follow it further.
"""

import random
from collections.abc import Callable, Iterator
from itertools import islice

from ..tcp_model.admission import is_limited
from ..tcp_model.instant import Instant
from ..tcp_model.listener import Listener
from ..tcp_model.profiles import DEFAULT
from ..tcp_model.retransmission import RTO_MIN
from ..tcp_model.reuseport import choose
from ..tcp_model.states import State
from .agenda import Agenda
from .attempt import NEVER, Attempt, Outcome
from .rehearsal import Persistence, insisting, knocking
from .scenario import Scenario
from .server import Server
from .tally import Endings
from .way import Way

__all__ = ["Clients"]

# Clients that begin at once: one event for them all, and as many more in memory than need be.
_TOGETHER = 64
# Asked of every client, and Python 3.11 looks a member up by way of a descriptor.
_SYN_SENT, _ESTABLISHED, _CLOSED = State.SYN_SENT, State.ESTABLISHED, State.CLOSED


class Clients:
    """Everybody who comes at ``instants``."""

    def __init__(
        self,
        scenario: Scenario,
        agenda: Agenda,
        way: Way,
        server: Server,
        instants: Iterator[Instant],
        seed: str,
    ) -> None:
        self.began = 0
        self.endings = Endings()
        #: Is told of every attempt that ends, and may keep none of them for long.
        self.observer: Callable[[Attempt], None] | None = None
        #: Whose end is not known.
        self.unfinished: set[Attempt] = set()
        self._scenario = scenario
        self._agenda = agenda
        self._way = way
        self._server = server
        self._instants = instants
        self._knocking = knocking(scenario.client_settings)
        self._sysctl = DEFAULT.sysctl(dict(scenario.client_settings))
        self._delay = scenario.delay.drawer(random.Random(f"{seed} delay"))
        self._word = random.Random(f"{seed} flow").getrandbits
        self._only = server.listeners[0] if len(server.listeners) == 1 else None
        #: How long after the first SYN the next one goes, or connect() fails; by SYNs sent.
        most = self._knocking.until if scenario.patience is None else scenario.patience
        self._waits = [min(at, most) for at in (*self._knocking.sent, self._knocking.until)]
        self._lanes = [agenda.lane(self.time_out) for _ in self._waits]
        self._insistent = agenda.lane(self.time_out)

    def arrive(self, _: None = None, now: Instant = 0) -> None:
        """The next clients call connect(), each at its instant.

        Most before it has come: until its SYN arrives, a client is alone with itself.
        """
        carry, knock, alarm = self._way.carry, self._server.receive_syn, self._lanes[1].alarm
        wait, began = self._waits[1], self.began
        for at in islice(self._instants, _TOGETHER):
            attempt = Attempt(self.began, self._listener(), self._delay(), at)
            self.began += 1
            self.unfinished.add(attempt)
            carry(attempt, "SYN", knock, at)
            alarm(at + wait, attempt)
        if self.began > began:
            self._agenda.at(at, self.arrive, None)

    def _listener(self) -> Listener:
        """Whom a client's flow hashes to."""
        members = self._server.listeners
        return self._only or choose(members, self._word(32)) or members[0]

    def time_out(self, attempt: Attempt, now: Instant) -> None:
        """No answer: send again, or give up."""
        if attempt.state is _ESTABLISHED:
            self._say_again(attempt, now)
            return
        if now - attempt.started_at >= self._waits[-1]:
            attempt.state = _CLOSED
            self.end(attempt, Outcome.TIMED_OUT)
            return
        attempt.knocks += 1
        self._way.carry(attempt, "SYN", self._server.receive_syn, now)
        knocks = attempt.knocks
        self._lanes[knocks].alarm(attempt.started_at + self._waits[knocks], attempt)

    def receive_syn_ack(self, attempt: Attempt, now: Instant, number: int = 1) -> None:
        """A SYN/ACK, for the first time or again; ``number`` says which."""
        way, server = self._way, self._server
        if attempt.state is _SYN_SENT:
            attempt.state = _ESTABLISHED
            attempt.acknowledges = number
            attempt.connected_at = now
            attempt.deadline = None
            self._complete(attempt, now)
        elif attempt.state is _ESTABLISHED:
            # [RFC5961 §4.2] a challenge ACK, which is as good as the final one
            if not is_limited(attempt.challenged_at, self._sysctl, now):
                attempt.challenged_at = now
                # Its number is behind what was said, so that it counts as if it brought that.
                speaks = self._scenario.speaks
                arrival = server.receive_data if speaks else server.receive_ack
                way.carry(attempt, "ACK", arrival, now)
        else:
            way.carry(attempt, "RST", server.receive_reset, now)

    def _complete(self, attempt: Attempt, now: Instant) -> None:
        """Send the third segment, and what the client says first."""
        way, server = self._way, self._server
        if not self._scenario.speaks:
            way.carry(attempt, "ACK", server.receive_ack, now)
            return
        # One event for both: nothing can come between two segments that are sent at once.
        arrival = server.receive_final
        if way.loss:
            heard, said = not way.is_lost(attempt, "ACK"), not way.is_lost(attempt, "data")
            if not heard and not said:
                self.insist(attempt)
                return
            if not (heard and said):
                arrival = server.receive_ack if heard else server.receive_data
        self._agenda.at(now + attempt.delay, arrival, attempt)
        if attempt.delay >= RTO_MIN:
            # It may say it again before it can be known that the first time was for nothing.
            self.insist(attempt)

    def insist(self, attempt: Attempt) -> None:
        """What a client said was not heard: its kernel will send it again."""
        if self._scenario.speaks and not attempt.insists and attempt.state is _ESTABLISHED:
            attempt.insists = True
            attempt.spoken = 1
            self._arm_data(attempt)

    def _arm_data(self, attempt: Attempt) -> None:
        sent, until = self._insisting(attempt)
        spoken, since = attempt.spoken, attempt.connected_at or 0
        after = sent[spoken] if spoken < len(sent) else until
        self._insistent.alarm(since + after, attempt)

    def _insisting(self, attempt: Attempt) -> Persistence:
        knocks, sent = attempt.knocks, self._knocking.sent
        # A SYN that went more than once measures nothing, so that all such clients are alike.
        since = (attempt.connected_at or 0) - attempt.started_at
        answered = since if knocks == 1 else sent[knocks - 1]
        return insisting(self._scenario.client_settings, knocks, answered)

    def _say_again(self, attempt: Attempt, now: Instant) -> None:
        if attempt.queued_at != NEVER:
            return
        if attempt.spoken == len(self._insisting(attempt).sent):
            attempt.state = _CLOSED
            self.end(attempt, Outcome.TIMED_OUT)
            return
        attempt.spoken += 1
        self._way.carry(attempt, "data", self._server.receive_data, now)
        self._arm_data(attempt)

    def receive_reset(self, attempt: Attempt, now: Instant) -> None:
        """An RST: before connect() has returned, or after."""
        if attempt.state is _CLOSED:
            return
        if attempt.state is _SYN_SENT:
            self.end(attempt, Outcome.REFUSED)
        else:
            self.end(attempt, Outcome.RESET)
        attempt.state = _CLOSED
        attempt.deadline = None

    def end(self, attempt: Attempt, outcome: Outcome) -> None:
        """An attempt has come to its end."""
        attempt.outcome = outcome
        self.unfinished.discard(attempt)
        self.endings.add(attempt)
        if self.observer is not None:
            self.observer(attempt)
