"""One process that serves: its event loop, its services, its signals, and how it ends.

=========  ==================================================================================
signal     what happens
=========  ==================================================================================
SIGTERM    accept no more, let connections end for ``shutdown_grace`` seconds, then end them
SIGINT     the same; a second of either ends at once
SIGQUIT    accept no more and end when the last connection has, however long that takes
SIGHUP     read the configuration again; a bad one changes nothing and is explained
=========  ==================================================================================
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable

from ..config.model import Config
from ..errors import Error
from ..system import entropy
from .assembly import Assembly
from .bindings import Bindings
from .salts import SharedSalts

__all__ = ["EXIT_INTERRUPTED", "Process"]

#: What a shell expects of a program that Ctrl-C ended.
EXIT_INTERRUPTED = 130

#: Objects allocated before the cycle collector looks for garbage. A connection's objects are freed
#: by their reference counts (see relay.stream_relay), so looking often finds nothing.
_GC_THRESHOLD = 50_000

_log = logging.getLogger(__name__)


class Process:
    """Serves ``config`` on ``bindings`` until a signal ends it.

    ``reload`` reads the configuration again, or is None where a supervisor does that; ``worker`` is
    this process's number among those that share the bindings.
    """

    def __init__(
        self,
        config: Config,
        bindings: Bindings,
        salts: SharedSalts,
        worker: int = 0,
        reload: Callable[[], Config] | None = None,
    ) -> None:
        self._config = config
        self._bindings = bindings
        self._salts = salts
        self._worker = worker
        self._reload = reload
        self._code = 0
        self._ending = False

    def run(self) -> int:
        """Serve; returns the exit status."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve())
        return self._code

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._assembly = Assembly(loop, entropy, self._salts, self._worker)
        self._assembly.apply(self._config, self._bindings)
        self._over = loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._terminate, number)
        loop.add_signal_handler(signal.SIGQUIT, self._retire)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGHUP, self._reload_now)
        # A supervisor forks with its signals blocked, so that none is lost before this moment.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        try:
            await self._over
        finally:
            self._assembly.close()

    def _terminate(self, number: int) -> None:
        if self._reload is None and number == signal.SIGINT:
            # Ctrl-C reaches every process of the terminal's group; the supervisor decides for all.
            return
        self._code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        if self._ending:
            self._end()
            return
        self._retire()
        if not self._over.done():
            grace = self._config.shutdown_grace
            _log.info(
                "%d connections may go on for %g s; once more ends them at once",
                self._assembly.active,
                grace,
            )
            asyncio.get_running_loop().call_later(grace, self._end)

    def _retire(self) -> None:
        self._ending = True
        self._assembly.stop()
        self._assembly.when_idle(self._end)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _reload_now(self) -> None:
        if self._reload is None or self._ending:
            return
        try:
            config = self._reload()
            self._bindings.rebind(config)
        except Error as error:
            _log.error("not reloaded, the old configuration goes on: %s", error)
            return
        self._assembly.apply(config, self._bindings)
        self._config = config
        _log.info("reloaded")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where the extra that brings it was installed; else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
