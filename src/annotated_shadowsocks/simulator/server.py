"""The server: a listener for all workers or for each, its half-open requests, its accept queue.

The order of tests is that of ``tcp_model.opening``, ``handshake`` and ``synack``, and the tests
themselves are ``tcp_model.admission``'s.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..endpoint import Endpoint
from ..tcp_model import cookies
from ..tcp_model import counters as c
from ..tcp_model.admission import admit, at_timeout, defers, is_limited, next_timeout, on_ack_full
from ..tcp_model.ceiling import Counted
from ..tcp_model.counters import Counters
from ..tcp_model.host import Host, SocketOption
from ..tcp_model.instant import Instant
from ..tcp_model.listener import Listener
from ..tcp_model.profile import AckGate, Gate, OnAckFull, Verdict
from ..tcp_model.profiles import find
from ..tcp_model.reuseport import Group
from .agenda import Agenda, Lane
from .attempt import NEVER, Attempt, HalfOpen
from .scenario import Scenario
from .way import Way

if TYPE_CHECKING:
    from .clients import Clients

__all__ = ["Server"]

_ADDRESS = Endpoint("192.0.2.1", 80)


class Server:
    """``accepting(listener, now)`` is called when somebody waits; the clients join later."""

    clients: "Clients"
    accepting: Callable[[Listener, Instant], None]

    def __init__(self, scenario: Scenario, agenda: Agenda, way: Way) -> None:
        host = Host(find(scenario.profile), dict(scenario.settings))
        number = max(1, scenario.workers) if scenario.reuse_port else 1
        self.listeners = [host.bind(_ADDRESS, scenario.reuse_port) for _ in range(number)]
        for listener in self.listeners:
            host.listen(listener, scenario.backlog, 0)
            if scenario.defer_accept:
                host.setsockopt(listener, SocketOption.TCP_DEFER_ACCEPT, scenario.defer_accept)
        self.profile, self.sysctl = host.profile, host.sysctl
        self.requests: dict[HalfOpen, None] = {}
        self.counters = Counters()
        self.refusals: Counter[str] = Counter()
        #: Attempts that met a full queue at least once.
        self.turned_away = 0
        self.high_water = [0] * number
        self._group = Group(self.listeners)
        #: Of requests, by how often they have timed out.
        self._lanes: defaultdict[int, Lane] = defaultdict(partial(agenda.lane, self.time_out))
        self._rto_max = host.sysctl.rto_max
        self._way = way
        #: Who waits for accept(). A queue counts whoever is in it; here these are attempts.
        self.waiting = [cast(deque[Any], one.accept_queue.connections) for one in self.listeners]
        self._peak = self._syn_peak = 0

    # What arrives

    def receive_syn(self, attempt: Attempt, now: Instant) -> None:
        """A SYN, for the first time or again."""
        if attempt.request is not None:
            self._repeat(attempt.request, now)
            return
        if attempt.queued_at != NEVER:
            return  # a challenge ACK is the answer, and its SYN came late
        listener, sysctl = attempt.listener, self.sysctl
        verdict, gate, waived = admit(listener, sysctl, len(self.requests))
        for one in waived:
            self._waive(listener, one)
        if gate is not None:
            self._turn_away(attempt, gate, verdict, now)
        elif verdict is None:
            self._begin(attempt, now)
        else:
            cookies.remember_sending(self._group, now)
            self._count(c.SYNCOOKIES_SENT)
            self._answer(attempt, -1 - cookies.minute_of(now), now)

    def receive_ack(self, attempt: Attempt, now: Instant) -> None:
        """A final ACK without data."""
        if self._defers(attempt):
            self.clients.insist(attempt)
        else:
            self.receive_data(attempt, now)

    def receive_data(self, attempt: Attempt, now: Instant) -> None:
        """Data in place of the final ACK, or an ACK that is as good."""
        request = attempt.request
        if request is not None and attempt.acknowledges == attempt.requests:
            gate = attempt.listener.refuses_ack()
            if gate is None:
                self._remove(request)
                self._enqueue(attempt, now)
                self._count(c.PASSIVE_OPENS)
            else:
                self._overflow(request, gate, now)
        elif attempt.queued_at == NEVER:
            self._check_cookie(attempt, now)

    def receive_final(self, attempt: Attempt, now: Instant) -> None:
        """A final ACK, and data behind it."""
        if not self._defers(attempt):
            self.receive_data(attempt, now)
        if attempt.queued_at == NEVER:
            self.receive_data(attempt, now)

    def _defers(self, attempt: Attempt) -> bool:
        """Whether TCP_DEFER_ACCEPT drops a final ACK of this attempt that brings no data."""
        request = attempt.request
        if request is None or not defers(attempt.listener, request):
            return False
        if attempt.acknowledges != attempt.requests:
            return False
        request.acked = True
        self._count(c.TCP_DEFER_ACCEPT_DROP)
        return True

    def receive_reset(self, attempt: Attempt, now: Instant) -> None:
        """An RST from a client that has given up."""
        if attempt.request is not None:
            self._remove(attempt.request)
            self._count(c.ATTEMPT_FAILS)
            self._count(c.EMBRYONIC_RSTS)

    # Half-open requests

    def _begin(self, attempt: Attempt, now: Instant) -> None:
        request = attempt.request = HalfOpen(attempt, now)
        attempt.requests += 1
        queue = attempt.listener.syn_queue
        queue.add(request)
        self.requests[request] = None
        if queue.depth > self._syn_peak:
            self._syn_peak = queue.depth
        self._arm(request, now)
        self._answer(attempt, attempt.requests, now)

    def _arm(self, request: HalfOpen, now: Instant) -> None:
        at = next_timeout(self.profile.schedule, self._rto_max, request, now)
        self._lanes[request.timeouts].alarm(at, request)

    def time_out(self, request: HalfOpen, now: Instant) -> None:
        """[linux reqsk_timer_handler] nobody has answered in time."""
        attempt = request.attempt
        verdict = at_timeout(attempt.listener, self.sysctl, request, now)
        self._count(c.TCP_TIMEOUTS)
        if verdict.expired:
            self._remove(request)
            if self.profile.schedule.reset_at_expiry:
                self._reset(attempt, now)
            return
        if verdict.resend:
            self._send_again(attempt, now)
        attempt.listener.syn_queue.young -= request.young
        request.timeouts += 1
        request.young = False
        self._arm(request, now)

    def _repeat(self, request: HalfOpen, now: Instant) -> None:
        """A SYN that has a request."""
        if is_limited(request.answered_bad_at, self.sysctl, now):
            self._count(c.TCP_ACK_SKIPPED_SYN_RECV)
            return
        request.answered_bad_at = now
        self._send_again(request.attempt, now)
        self._arm(request, now)

    def _send_again(self, attempt: Attempt, now: Instant) -> None:
        self._count(c.RETRANS_SEGS)
        self._count(c.TCP_SYN_RETRANS)
        self._answer(attempt, attempt.requests, now)

    def _answer(self, attempt: Attempt, number: int, now: Instant) -> None:
        """Send a SYN/ACK: a request's by its number, a cookie by its minute, below zero.

        The numbers stand for initial sequence numbers: a client acknowledges the first that it
        hears, and if that request was evicted, the ACK does not fit the next one.
        """
        arrival = self.clients.receive_syn_ack
        if number != 1:
            arrival = partial(arrival, number=number)
        self._way.carry(attempt, "SYN/ACK", arrival, now)

    def _remove(self, request: HalfOpen) -> None:
        request.deadline = None
        request.attempt.request = None
        del self.requests[request]
        request.attempt.listener.syn_queue.remove(request)

    def _reset(self, attempt: Attempt, now: Instant) -> None:
        self._count(c.OUT_RSTS)
        self._way.carry(attempt, "RST", self.clients.receive_reset, now)

    # Full queues

    def _waive(self, listener: Listener, gate: Gate) -> None:
        if gate.verdict is Verdict.EVICT:
            everyone = gate.ceiling.counted is Counted.SYN_CACHE
            requests = self.requests
            oldest = next(r for r in requests if everyone or r.attempt.listener is listener)
            self._remove(oldest)
            self._count_own(gate.counters)
        else:
            self._flood(gate)

    def _flood(self, gate: Gate) -> None:
        if self.sysctl.tcp_syncookies:
            self._count(c.TCP_REQ_Q_FULL_DO_COOKIES)
        else:
            self._count_own(gate.counters)

    def _turn_away(
        self, attempt: Attempt, gate: Gate, verdict: Verdict | None, now: Instant
    ) -> None:
        if gate.verdict is Verdict.COOKIE:
            self._flood(gate)
        else:
            self._count_own(gate.counters)
        self._lose(attempt, f"SYN: {gate.reason}")
        if verdict is Verdict.RESET:
            self._reset(attempt, now)

    def _overflow(self, request: HalfOpen, gate: AckGate, now: Instant) -> None:
        attempt, outcome = request.attempt, on_ack_full(gate, self.sysctl)
        if outcome is OnAckFull.DEFER:
            self._defer(request, now)
            return
        self._count_own(gate.counters)
        self._lose(attempt, f"ACK: {gate.reason}")
        if outcome is OnAckFull.KEEP:
            request.acked = True
            self.clients.insist(attempt)
            return
        self._remove(request)
        self._count(c.EMBRYONIC_RSTS)
        if outcome is OnAckFull.RESET:
            self._reset(attempt, now)
        else:
            self.clients.insist(attempt)

    def _check_cookie(self, attempt: Attempt, now: Instant) -> None:
        """[linux cookie_v4_check] an ACK that nobody waits for, unless it brings a cookie back."""
        if not self.sysctl.tcp_syncookies or not cookies.recently_sent(self._group, now):
            self._reset(attempt, now)
            return
        minute = -1 - attempt.acknowledges
        if minute < 0 or cookies.is_stale(cookies.minute_of(now) - minute):
            self._count(c.SYNCOOKIES_FAILED)
            self._reset(attempt, now)
            return
        self._count(c.SYNCOOKIES_RECV)
        gate = attempt.listener.refuses_ack()
        if gate is not None:
            self._count_own(gate.counters)
            self._lose(attempt, f"ACK: {gate.reason}")
            self.clients.insist(attempt)
            return
        self._count(c.PASSIVE_OPENS)
        if attempt.request is None:
            self._enqueue(attempt, now)
        else:
            # The flow has a request by now; it is counted before that is found out.
            self.clients.insist(attempt)

    def _lose(self, attempt: Attempt, reason: str) -> None:
        self.refusals[reason] += 1
        self._count_own(self.profile.drop_counters)
        if not attempt.turned_away:
            attempt.turned_away = True
            self.turned_away += 1

    # The accept queue

    def take_deferred(self, listener: Listener, now: Instant) -> None:
        """Where a profile defers: accept() made room for a handshake that was complete before."""
        if not listener.deferred or listener.refuses_ack() is not None:
            return
        request = cast(Any, listener.deferred.popleft()[0])
        listener.syn_queue.remove(request)
        self._enqueue(request.attempt, now)

    def _defer(self, request: HalfOpen, now: Instant) -> None:
        attempt = request.attempt
        request.deadline = None
        attempt.request = None
        del self.requests[request]
        attempt.queued_at = now
        attempt.listener.deferred.append(cast(Any, (request, attempt)))

    def _enqueue(self, attempt: Attempt, now: Instant) -> None:
        attempt.queued_at = now
        listener = attempt.listener
        index = listener.number - 1
        queue = self.waiting[index]
        queue.append(attempt)
        if len(queue) > self._peak:
            self._peak = len(queue)
        if len(queue) > self.high_water[index]:
            self.high_water[index] = len(queue)
        self.accepting(listener, now)

    def take_peaks(self) -> tuple[int, int]:
        """How deep the queues of any listener were since this was asked before."""
        peaks = self._peak, self._syn_peak
        self._peak = max(listener.accept_queue.depth for listener in self.listeners)
        self._syn_peak = max(listener.syn_queue.depth for listener in self.listeners)
        return peaks

    # Counters

    def _count(self, name: str) -> None:
        names = self.profile.counter_names
        if names is None:
            self.counters.add(name)
        elif name in names:
            self.counters.add(names[name])

    def _count_own(self, names: tuple[str, ...]) -> None:
        for name in names:
            self.counters.add(name)
