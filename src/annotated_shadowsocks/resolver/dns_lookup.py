"""A ``Resolution`` driven by the real network: its sockets and its one timer."""

import asyncio
from collections.abc import Callable

from .exchange import Exchange, failure_of, open_exchange
from .question import Query, Response
from .resolution import Outcome, Resolution

__all__ = ["DnsLookup"]


class DnsLookup:
    """Keeps on the wire what ``resolution`` wants there.

    ``early`` is called at most once, with the addresses of one family while the other is late;
    ``finished`` once, with the outcome. Neither is called after ``close``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        resolution: Resolution,
        early: Callable[[tuple[str, ...]], None],
        finished: Callable[[Outcome], None],
    ) -> None:
        self._loop = loop
        self._resolution = resolution
        self._early: Callable[[tuple[str, ...]], None] | None = early
        self._finished = finished
        self._exchanges: dict[Query, Exchange] = {}
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send the first queries; where none can be sent, ``finished`` is called at once."""
        self._advance()

    def close(self) -> None:
        """Forget everything."""
        for exchange in self._exchanges.values():
            exchange.close()
        self._exchanges.clear()
        self._disarm()

    def _advance(self) -> None:
        while self._resolution.outcome is None and self._change_exchanges():
            pass
        if self._resolution.outcome is not None:
            self.close()
            self._finished(self._resolution.outcome)
            return
        self._arm()
        if self._resolution.early and self._early is not None:
            early, self._early = self._early, None
            early(self._resolution.early)

    def _change_exchanges(self) -> bool:
        """Close and open what the resolution wants; False where nothing was to be opened."""
        wanted = self._resolution.in_flight
        for query in self._exchanges.keys() - wanted:
            self._exchanges.pop(query).close()
        fresh = [query for query in wanted if query not in self._exchanges]
        for query in fresh:
            try:
                self._exchanges[query] = open_exchange(self._loop, query, self._respond)
            except OSError as error:
                self._resolution.receive(query, failure_of(error), self._loop.time())
        return bool(fresh)

    def _respond(self, query: Query, response: Response) -> None:
        self._resolution.receive(query, response, self._loop.time())
        self._advance()

    def _arm(self) -> None:
        self._disarm()
        due = self._resolution.get_timer()
        self._timer = self._loop.call_at(due, self._expire, due)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self, due: float) -> None:
        # A loop may wake up a little before the time, by its clock's resolution.
        self._resolution.handle_timer(max(due, self._loop.time()))
        self._advance()
