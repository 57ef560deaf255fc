"""Names by the C library, for hosts whose names come from elsewhere than the DNS.

getaddrinfo(3) blocks and cannot be cancelled, so it runs in threads of its own: in asyncio's
shared pool, whose size is the number of processors and a little, a few names of a dead server
would stop everything else that uses a thread.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Executor

from .resolution import Limits, Outcome, by_turns

__all__ = ["SystemLookup"]


class SystemLookup:
    """One call of getaddrinfo(3) under the same deadline as a ``DnsLookup``."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pool: Executor,
        name: str,
        limits: Limits,
        ipv6_first: bool,
        finished: Callable[[Outcome], None],
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._name = name
        self._limits = limits
        self._ipv6_first = ipv6_first
        self._finished = finished
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ask; ``finished`` is called later."""
        self._task = self._loop.create_task(self._run())

    def close(self) -> None:
        """Forget it; a thread that is at work ends when the C library lets it."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        self._finished(await self._outcome())

    async def _outcome(self) -> Outcome:
        # The C library does not say how long an answer may be believed.
        ttl = self._limits.min_ttl
        try:
            async with asyncio.timeout(self._limits.total):
                found = await self._loop.run_in_executor(self._pool, _addresses, self._name)
        except TimeoutError:
            return Outcome((), ttl, f"no answer within {self._limits.total:g} s")
        except OSError as error:
            return Outcome((), ttl, error.strerror or str(error))
        return Outcome(by_turns(found, self._ipv6_first), ttl)


def _addresses(name: str) -> list[str]:
    # One socket type, so that each address comes once.
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
