"""The door to all names: answers from memory where it can, shares one resolution where it must."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Protocol

from ..endpoint import Endpoint
from ..entropy import Entropy
from ..errors import ConfigError, ResolveError
from .cache import Cache
from .host_files import ResolvConf, parse_hosts, parse_resolv_conf
from .names import LOOPBACK, is_loopback, literal, normalise
from .question import ServerOrder
from .resolution import Limits, Outcome, Resolution, by_turns
from .system_lookup import SystemLookup
from .watched_file import WatchedFile

__all__ = ["Cancel", "Done", "Resolver"]

#: Takes back a wish; does nothing once it was granted.
Cancel = Callable[[], None]

#: Receives the addresses in the order to dial them, never none, or the reason.
Done = Callable[[list[str] | ResolveError], None]

_THREADS = 64

_log = logging.getLogger(__name__)


class _Lookup(Protocol):
    def start(self) -> None: ...
    def close(self) -> None: ...


class _Pending:
    """One name that is being resolved, and who waits for it."""

    __slots__ = ("early", "lookup", "waiters")

    def __init__(self, lookup: _Lookup) -> None:
        self.lookup = lookup
        self.early: tuple[str, ...] = ()
        self.waiters: dict[object, Done] = {}


class Resolver:
    """Resolves hosts on the running event loop.

    ``servers``      whom to ask, by address literal; default: what ``resolv_conf`` says
    ``system``       ask the C library instead, in threads of its own
    ``ipv6_first``   begin the list of addresses with IPv6
    ``max_pending``  names under resolution at once; a further one fails at once
    ``max_cached``   names remembered
    ``limits``       bounds of one resolution; ``resolv_conf`` bounds the time of one query
    ``look_every``   seconds between looks at ``hosts`` and ``resolv_conf`` for changes
    """

    def __init__(
        self,
        *,
        servers: Sequence[Endpoint] = (),
        system: bool = False,
        ipv6_first: bool = False,
        max_pending: int = 256,
        max_cached: int = 4096,
        limits: Limits | None = None,
        hosts: str | Path = "/etc/hosts",
        resolv_conf: str | Path = "/etc/resolv.conf",
        look_every: float = 2.0,
        entropy: Entropy = os.urandom,
    ) -> None:
        for server in servers:
            if literal(server.host) is None:
                problem = f"name server {server.host!r} is not an address"
                raise ConfigError("", problem, "write it as an IPv4 or IPv6 literal")
        self._loop = asyncio.get_running_loop()
        self._servers = tuple(servers)
        self._ipv6_first = ipv6_first
        self._max_pending = max_pending
        self._limits = limits or Limits()
        self._entropy = entropy
        self._hosts = WatchedFile(hosts, parse_hosts, look_every)
        self._resolv_conf = WatchedFile(resolv_conf, parse_resolv_conf, look_every)
        self._conf: ResolvConf | None = None
        self._cache = Cache(max_cached)
        self._server_order = ServerOrder()
        self._pending: dict[str, _Pending] = {}
        self._pool = ThreadPoolExecutor(_THREADS, "names") if system else None
        self._closed = False

    @staticmethod
    def preload() -> None:
        """Load dnspython now rather than in the first lookup; workers forked later share it."""
        import_module(".dns_lookup", __package__)

    def lookup(self, host: str, done: Done) -> Cancel:
        """Find the addresses of ``host`` and call ``done`` once, at once where they are known.

        ``host`` is an address literal or a name. The addresses are all that the name has, private
        ones too: whoever dials one must have checked it. The function returned takes the wish back.
        """
        address = literal(host)
        if address is not None:
            done([address])
            return _nothing
        try:
            name = normalise(host)
        except ResolveError as error:
            done(error)
            return _nothing
        outcome = self._known(name)
        if outcome is not None:
            done(_result(name, outcome))
            return _nothing
        return self._join(name, done)

    async def resolve(self, host: str) -> list[str]:
        """The addresses of ``host``, in the order to dial them; raises ``ResolveError``."""
        future: asyncio.Future[list[str] | ResolveError] = self._loop.create_future()

        def done(result: list[str] | ResolveError) -> None:
            if not future.done():
                future.set_result(result)

        cancel = self.lookup(host, done)
        try:
            result = await future
        finally:
            cancel()
        if isinstance(result, ResolveError):
            raise result
        return result

    def close(self) -> None:
        """Fail what is pending, and every later lookup that would have to ask."""
        self._closed = True
        for name in list(self._pending):
            self._finish(name, Outcome((), 0, "the resolver was closed"))
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _known(self, name: str) -> Outcome | None:
        """What can be said without asking."""
        now = self._loop.time()
        # The C library has its own way with both files.
        if self._pool is None:
            found = self._hosts.get(now).get(name.removesuffix("."))
            if found is None and is_loopback(name):
                found = LOOPBACK
            if found is not None:
                return Outcome(by_turns(found, self._ipv6_first), 0)
            self._look_at_conf(now)
        return self._cache.get(name, now)

    def _look_at_conf(self, now: float) -> ResolvConf:
        conf = self._resolv_conf.get(now)
        if conf is not self._conf:
            # Other servers may see other names: a network was joined, or a tunnel opened.
            self._cache.clear()
            self._conf = conf
        return conf

    def _join(self, name: str, done: Done) -> Cancel:
        pending = self._pending.get(name)
        if pending is None:
            return self._begin(name, done)
        if pending.early:
            done(list(pending.early))
            return _nothing
        return self._wait(name, pending, done)

    def _begin(self, name: str, done: Done) -> Cancel:
        if self._closed or len(self._pending) >= self._max_pending:
            why = "the resolver was closed" if self._closed else "too many names at once, try again"
            done(ResolveError(f"cannot resolve {name!r}: {why}"))
            return _nothing
        pending = self._pending[name] = _Pending(self._new_lookup(name))
        cancel = self._wait(name, pending, done)
        pending.lookup.start()
        return cancel

    def _wait(self, name: str, pending: _Pending, done: Done) -> Cancel:
        ticket = object()
        pending.waiters[ticket] = done
        return lambda: self._leave(name, pending, ticket)

    def _leave(self, name: str, pending: _Pending, ticket: object) -> None:
        left = pending.waiters.pop(ticket, None)
        # Nobody waits: the place and the sockets are worth more than the answer. Once an early
        # answer was given, the rest is awaited for the cache.
        if left is not None and not pending.waiters and self._pending.get(name) is pending:
            del self._pending[name]
            pending.lookup.close()

    def _new_lookup(self, name: str) -> _Lookup:
        def early(addresses: tuple[str, ...]) -> None:
            pending = self._pending[name]
            pending.early = addresses
            _tell(name, pending, Outcome(addresses, 0))

        def finished(outcome: Outcome) -> None:
            self._finish(name, outcome)

        loop, limits, ipv6_first = self._loop, self._limits, self._ipv6_first
        if self._pool is not None:
            return SystemLookup(loop, self._pool, name, limits, ipv6_first, finished)
        # dnspython takes a tenth of a second to load: not for those who dial only literals.
        from .dns_lookup import DnsLookup

        now = loop.time()
        conf = self._look_at_conf(now)
        if self._servers:
            conf = conf._replace(servers=self._servers)
        resolution = Resolution(
            name, conf, limits, ipv6_first, self._server_order, self._entropy, now
        )
        return DnsLookup(loop, resolution, early, finished)

    def _finish(self, name: str, outcome: Outcome) -> None:
        pending = self._pending.pop(name)
        pending.lookup.close()
        self._cache.put(name, outcome, self._loop.time())
        _tell(name, pending, outcome)


def _tell(name: str, pending: _Pending, outcome: Outcome) -> None:
    # One by one, because each may take back another's wish.
    while pending.waiters:
        done = pending.waiters.pop(next(iter(pending.waiters)))
        try:
            done(_result(name, outcome))
        except Exception:  # noqa: BLE001
            # The boundary: one caller's failure is not the others'.
            _log.exception("internal error after resolving %r", name)


def _result(name: str, outcome: Outcome) -> list[str] | ResolveError:
    # Each caller gets a list, or an error to raise, of its own.
    if outcome.addresses:
        return list(outcome.addresses)
    return ResolveError(f"cannot resolve {name!r}: {outcome.problem}")


def _nothing() -> None:
    pass
