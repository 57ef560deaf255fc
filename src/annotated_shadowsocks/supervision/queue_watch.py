"""The probe of our own queues, on an event loop: when it looks, and at what."""

import asyncio
from collections.abc import Callable

from ..config.model import Config
from ..services.bindings import Bindings
from ..telemetry.queue_probe import QueueProbe

__all__ = ["QueueWatch"]

#: Seconds between two glances, and glances for each look.
_GLANCE = 0.1
_LOOK = 10


class QueueWatch:
    """Lets ``probe`` see the listeners of a configuration, from ``start`` until ``stop``.

    ``looked`` is called after each look, about once a second.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, looked: Callable[[], None], probe: QueueProbe
    ) -> None:
        self.probe = probe
        self._loop = loop
        self._looked = looked
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, config: Config, bindings: Bindings) -> None:
        """Watch what ``config`` listens on; again, with another configuration."""
        owned = [pair for endpoint in bindings.tcp for pair in bindings.owned(endpoint)]
        self.probe.watch(owned, config.backlog, config.backlog_adaptive)
        if self._timer is None:
            self._next()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.probe.close()

    def _next(self) -> None:
        self._timer = self._loop.call_later(_GLANCE, self._next)
        if self._turn % _LOOK:
            self.probe.glance()
        else:
            self.probe.look(self._loop.time())
            self._looked()
        self._turn += 1
