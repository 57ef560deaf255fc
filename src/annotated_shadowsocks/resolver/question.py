"""One name and one type, put to one server after another until somebody answers.

Two ways not to answer are kept apart. A *silent* server may have lost a datagram, and gets another
turn in the next round. A server that *says* it cannot help (SERVFAIL, REFUSED) would say so again,
and gets none.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..endpoint import Endpoint
from ..entropy import Entropy

__all__ = ["Answer", "Failure", "Query", "Question", "Response", "ServerOrder", "Truncation"]

_INFINITY = float("inf")


@dataclass(frozen=True, eq=False)
class Query:
    """One message to one server; two queries are never equal."""

    id: int
    name: str
    rdtype: str  #: ``A`` or ``AAAA``
    server: Endpoint
    tcp: bool = False


class Answer(NamedTuple):
    """A server's word: the addresses (none where the name has none), and seconds to believe it."""

    addresses: tuple[str, ...]
    ttl: float
    name_exists: bool = True


@dataclass(frozen=True)
class Truncation:
    """The answer does not fit a datagram: ask by TCP."""


class Failure(NamedTuple):
    """No answer from this server, and why; ``silent`` where it did not even say no."""

    reason: str
    silent: bool = False


Response = Answer | Truncation | Failure


class ServerOrder:
    """Which server to ask first: one that was silent lately is asked last.

    Without this memory a dead first server would cost every lookup its whole turn.
    """

    #: Seconds for which silence is held against a server.
    MEMORY = 30.0

    def __init__(self) -> None:
        self._silent_until: dict[Endpoint, float] = {}

    def arrange(self, servers: Sequence[Endpoint], now: float) -> list[Endpoint]:
        """``servers`` in their own order, with those that were silent lately behind the others."""
        self._silent_until = {s: t for s, t in self._silent_until.items() if t > now}
        return sorted(servers, key=lambda server: server in self._silent_until)

    def was_silent(self, server: Endpoint, now: float) -> None:
        """Hold it against ``server``."""
        self._silent_until[server] = now + self.MEMORY

    def responded(self, server: Endpoint) -> None:
        """Forgive ``server``."""
        self._silent_until.pop(server, None)


class Question:
    """Asks for ``rdtype`` of ``name``, ``attempts`` rounds through ``servers``.

    ``query`` is the one in flight, None when the question is settled. Then ``answer`` is what was
    said, or None where nobody said anything, and ``failures`` tells of each who did not.
    """

    def __init__(
        self,
        name: str,
        rdtype: str,
        servers: Sequence[Endpoint],
        attempts: int,
        wait: float,
        server_order: ServerOrder,
        entropy: Entropy,
    ) -> None:
        self.answer: Answer | None = None
        self.failures: dict[Endpoint, str] = {}
        self.query: Query | None = None
        self.expires = _INFINITY
        self._name = name
        self._rdtype = rdtype
        self._turns = deque(list(servers) * attempts)
        self._wait = wait
        self._server_order = server_order
        self._entropy = entropy

    def ask_next(self, now: float) -> None:
        """Put the question to the next server; settled without an answer where none is left."""
        if self._turns:
            self._put(self._turns.popleft(), now, tcp=False)
        else:
            self.settle()

    def settle(self) -> None:
        """Ask nobody any more."""
        self.query = None
        self.expires = _INFINITY

    def receive(self, response: Response, now: float) -> None:
        """Take the response to the query in flight."""
        if self.query is None:
            return
        server = self.query.server
        if isinstance(response, Failure):
            self._fail(server, response, now)
            return
        self._server_order.responded(server)
        if isinstance(response, Answer):
            self.answer = response
            self.settle()
        # [RFC7766 §5] a truncated answer is asked for again by TCP, and its contents not used
        elif not self.query.tcp:
            self._put(server, now, tcp=True)
        else:
            self._fail(server, Failure("answered by TCP and still truncated"), now)

    def handle_timer(self, now: float) -> None:
        """Give up waiting for a server whose time is over."""
        if self.query is not None and now >= self.expires:
            self._fail(self.query.server, Failure("did not answer", silent=True), now)

    def _put(self, server: Endpoint, now: float, tcp: bool) -> None:
        number = int.from_bytes(self._entropy(2), "big")
        self.query = Query(number, self._name, self._rdtype, server, tcp)
        self.expires = now + self._wait

    def _fail(self, server: Endpoint, failure: Failure, now: float) -> None:
        self.failures[server] = failure.reason
        if failure.silent:
            self._server_order.was_silent(server, now)
        else:
            self._server_order.responded(server)
            self._turns = deque(turn for turn in self._turns if turn != server)
        self.ask_next(now)
