"""How a name becomes addresses: every decision, no socket and no clock.

Whoever drives a ``Resolution`` keeps the queries ``in_flight`` on the wire and closes the others,
calls ``receive`` with each response and ``handle_timer`` when ``get_timer`` is due, until there is
an ``outcome``. The driver of the real network is ``dns_lookup``; the tests' is a few lines.
"""

from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import NamedTuple

from ..entropy import Entropy
from .host_files import ResolvConf
from .names import candidates
from .question import Query, Question, Response, ServerOrder

__all__ = ["MAX_ADDRESSES", "Limits", "Outcome", "Resolution", "by_turns"]

#: Addresses of one outcome; nobody dials more.
MAX_ADDRESSES = 64

_INFINITY = float("inf")


class Limits(NamedTuple):
    """The bounds of one resolution, in seconds where nothing else is said."""

    #: For the whole resolution, whatever happens.
    total: float = 5.0
    #: [RFC8305 §3] waits 50 ms for the family that is late, because its addresses can still join
    #: the race. Here they cannot, so they get longer.
    straggler: float = 0.25
    #: [RFC9520 §3.2] also for failures: a name that cannot be resolved is not asked for in a storm.
    min_ttl: float = 1.0
    max_ttl: float = 3600.0
    max_negative_ttl: float = 30.0


class Outcome(NamedTuple):
    """Addresses in the order to dial them, or the problem; and for how long to remember it."""

    addresses: tuple[str, ...]
    ttl: float
    problem: str = ""


class Resolution:
    """Resolves the first candidate of ``name`` that has addresses.

    ``outcome`` is None until all is known. ``early`` holds the addresses of one family once the
    other has had its chance: a caller need not wait longer, but the rest may still come.
    """

    def __init__(
        self,
        name: str,
        conf: ResolvConf,
        limits: Limits,
        ipv6_first: bool,
        server_order: ServerOrder,
        entropy: Entropy,
        now: float,
    ) -> None:
        self.outcome: Outcome | None = None
        self.early: tuple[str, ...] = ()
        self._names = candidates(name, conf.search, conf.ndots)
        self._conf = conf
        self._limits = limits
        self._ipv6_first = ipv6_first
        self._server_order = server_order
        self._entropy = entropy
        self._deadline = now + limits.total
        self._straggler_due = _INFINITY
        self._negative_ttl = limits.max_negative_ttl
        self._questions: dict[str, Question] = {}
        self._ask_next_name(now)

    @property
    def in_flight(self) -> list[Query]:
        """The queries that await a response."""
        return [q.query for q in self._questions.values() if q.query is not None]

    def receive(self, query: Query, response: Response, now: float) -> None:
        """Take the response to ``query``; one that nobody awaits any more is ignored."""
        question = self._questions[query.rdtype]
        if question.query is query and self.outcome is None:
            question.receive(response, now)
            self._conclude(now)

    def get_timer(self) -> float:
        """When ``handle_timer`` is due next."""
        waits = (question.expires for question in self._questions.values())
        return min(self._deadline, self._straggler_due, *waits)

    def handle_timer(self, now: float) -> None:
        """Let pass what was due."""
        if self.outcome is not None:
            return
        if now >= self._straggler_due:
            self._straggler_due = _INFINITY
            self.early = self._addresses()
        for question in self._questions.values():
            question.handle_timer(now)
            if now >= self._deadline:
                question.settle()
        self._conclude(now)

    def _ask_next_name(self, now: float) -> None:
        name = self._names.pop(0)
        servers = self._server_order.arrange(self._conf.servers, now)
        attempts = self._conf.attempts
        # Every server gets its turns within the deadline, whatever patience is configured.
        wait = min(self._conf.timeout, self._limits.total / (len(servers) * attempts))
        for rdtype in ("A", "AAAA"):
            question = Question(
                name, rdtype, servers, attempts, wait, self._server_order, self._entropy
            )
            question.ask_next(now)
            self._questions[rdtype] = question

    def _conclude(self, now: float) -> None:
        """See whether both questions are settled, and what follows."""
        addresses = self._addresses()
        if self.in_flight:
            if addresses and not self.early and self._straggler_due == _INFINITY:
                self._straggler_due = now + self._limits.straggler
            return
        unanswered = [q for q in self._questions.values() if q.answer is None]
        if addresses:
            self.outcome = Outcome(addresses, self._ttl(complete=not unanswered))
        # A later candidate must not answer for an earlier one whose servers are only out of order.
        elif unanswered:
            self.outcome = Outcome((), self._limits.min_ttl, self._failure(unanswered))
        else:
            self._miss(now)

    def _miss(self, now: float) -> None:
        """The servers know that this candidate has no address."""
        answers = [q.answer for q in self._questions.values() if q.answer is not None]
        self._negative_ttl = min(self._negative_ttl, *(answer.ttl for answer in answers))
        if self._names and now < self._deadline:
            self._ask_next_name(now)
            return
        exists = any(answer.name_exists for answer in answers)
        problem = "the name has no address" if exists else "no such name"
        self.outcome = Outcome((), max(self._limits.min_ttl, self._negative_ttl), problem)

    def _addresses(self) -> tuple[str, ...]:
        answers = (question.answer for question in self._questions.values())
        found = chain.from_iterable(answer.addresses for answer in answers if answer)
        return by_turns(found, self._ipv6_first)

    def _ttl(self, complete: bool) -> float:
        limits = self._limits
        answers = [q.answer for q in self._questions.values()]
        ttl = min(answer.ttl for answer in answers if answer and answer.addresses)
        # Half an answer is remembered like a missing one: the other half is worth asking for soon.
        most = limits.max_ttl if complete else limits.max_negative_ttl
        return max(limits.min_ttl, min(ttl, most))

    def _failure(self, questions: Iterable[Question]) -> str:
        failures = dict(chain.from_iterable(q.failures.items() for q in questions))
        if not failures:
            return f"no answer within {self._limits.total:g} s"
        return ", ".join(f"{server} {reason}" for server, reason in failures.items())


def by_turns(addresses: Iterable[str], ipv6_first: bool) -> tuple[str, ...]:
    """Each address once, the two families by turns, at most ``MAX_ADDRESSES`` of them."""
    v4: list[str] = []
    v6: list[str] = []
    for address in dict.fromkeys(addresses):
        (v6 if ":" in address else v4).append(address)
    # [RFC8305 §4] an address of one family is followed by one of the other, so that one dead
    # family costs the dialler one delay and not many
    turns = zip_longest(v6, v4) if ipv6_first else zip_longest(v4, v6)
    return tuple(filter(None, chain.from_iterable(turns)))[:MAX_ADDRESSES]
