"""One process that serves: its event loop, its services, its signals, and how it ends.

=========  ==================================================================================
signal     what happens
=========  ==================================================================================
SIGTERM    accept no more, let connections end for ``shutdown_grace`` seconds, then end them
SIGINT     the same; a second of either ends at once
SIGQUIT    accept no more and end when the last connection has, however long that takes
SIGHUP     read the configuration again; a bad one changes nothing and is explained
SIGUSR2    hand the listening sockets to a new process of this program (see ``handover``)
=========  ==================================================================================

``ANNOTATED_SHADOWSOCKS_LOOP`` in the environment chooses the event loop: ``asyncio``, the default,
or ``uvloop``. The relay's sockets are served alike on both, so there is little between them; what
uvloop saves is around them. [bench __main__]
"""

import asyncio
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Collection
from typing import Protocol

from ..config.model import Config
from ..endpoint import Endpoint
from ..errors import ConfigError, Error, ObserveError
from ..relay.event_loop import new_event_loop
from ..services.assembly import Assembly
from ..services.bindings import Bindings
from ..services.salts import SharedSalts
from ..services.service_figures import service_figures
from ..system import entropy
from ..telemetry.board import Board
from ..telemetry.figures import Figures
from ..telemetry.processes import process_figures
from ..telemetry.queue_probe import ALL_WORKERS, QueueProbe
from .handover import start_successor
from .management import Management
from .manager import Manager
from .queue_watch import QueueWatch
from .systemd import Notifier

__all__ = [
    "END_AT_ONCE",
    "EXIT_INTERRUPTED",
    "LOOP_VARIABLE",
    "SIGNALS",
    "Observing",
    "Process",
    "loop_factory",
    "take_over",
    "warn_of_fixed",
]

#: What a shell expects of a program that Ctrl-C ended.
EXIT_INTERRUPTED = 130

#: What a supervisor tells a worker that is not to wait for its connections.
END_AT_ONCE = signal.SIGUSR1

#: What a service listens to. They are blocked until there is somebody to hear them, so that none is
#: lost, and again when there is nobody any more, so that none changes the exit status.
SIGNALS = {
    signal.SIGCHLD,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR2,
}

#: Objects allocated before the cycle collector looks for garbage. A connection's objects are freed
#: by their reference counts (see relay.stream_relay), so looking often finds nothing.
_GC_THRESHOLD = 50_000

#: The environment variable that chooses the event loop.
LOOP_VARIABLE = "ANNOTATED_SHADOWSOCKS_LOOP"

#: What takes effect when a process starts, and not at a reload.
_FIXED = ("workers", "reuse_port", "nofile", "metrics", "manager", "log", "state_directory")

#: Seconds between two times that a worker writes its figures down.
_REPORT_EVERY = 1.0

_log = logging.getLogger(__name__)


class Observing(Protocol):
    """What watches the queues and serves figures in the same process; see ``observer``."""

    async def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch, until ``end``."""
        ...

    def changed(self, config: Config) -> None:
        """Watch what ``config`` listens on."""
        ...

    def end(self) -> None:
        """Watch no more."""
        ...


class Process:
    """Serves ``config`` on ``bindings`` until a signal ends it.

    ``reload`` reads the configuration again, or is None where a supervisor does that; ``worker`` is
    this process's number among those that share the bindings, and ``lifeline`` a descriptor whose
    end of file says that the supervisor is gone. ``report`` is where its figures go: the board, and
    its place there. With ``watches`` it looks after the queues, and tells ``notifier``;
    ``observer`` does that instead where it is given. What comes to ``management`` is obeyed.
    """

    def __init__(
        self,
        config: Config,
        bindings: Bindings,
        salts: SharedSalts,
        worker: int = 0,
        reload: Callable[[], Config] | None = None,
        lifeline: int | None = None,
        report: tuple[Board, int] | None = None,
        watches: bool = True,
        notifier: Notifier | None = None,
        predecessor: int | None = None,
        observer: Observing | None = None,
        management: Management | None = None,
    ) -> None:
        self._config = config
        self._bindings = bindings
        self._salts = salts
        self._worker = worker
        self._reload = reload
        self._lifeline = lifeline
        self._report_to = report
        self._watches = watches
        self._notifier = notifier or Notifier()
        self._predecessor = predecessor
        self._observer = observer
        self._management = management
        self._manager: Manager | None = None
        self._successor: int | None = None
        self._code = 0
        self._ending = False
        self._limited = False

    def run(self) -> int:
        """Serve; returns the exit status."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve())
        return self._code

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        keeping = loop.create_task(self._salts.keep()) if self._worker == 0 else None
        self._assembly = Assembly(loop, entropy, self._salts, self._worker)
        try:
            self._assembly.apply(self._config, self._bindings)
            self._over = loop.create_future()
            self._listen_to_signals(loop)
            self._watch = QueueWatch(loop, self._looked, QueueProbe())
            if self._watches:
                self._watch.start(self._config, self._bindings)
            self._report(loop)
            if self._observer is not None:
                await self._observer.begin(loop)
            if self._management is not None:
                self._manager = Manager(loop, self._management, self)
            if self._reload is not None:
                self._notifier.ready()
                take_over(self._predecessor)
            gc.collect()
            gc.freeze()
            gc.set_threshold(_GC_THRESHOLD)
            await self._over
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
            self._assembly.close()
            if self._observer is not None:
                self._observer.end()
            if self._report_to is not None:
                # What was counted in the last second, and what its connections had relayed.
                self._write(*self._report_to)
            if keeping is not None:
                keeping.cancel()

    def _listen_to_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(signal.SIGTERM, self._terminate, signal.SIGTERM)
        loop.add_signal_handler(signal.SIGQUIT, self._retire)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGINT, self._terminate, signal.SIGINT)
            loop.add_signal_handler(signal.SIGHUP, self._reload_now)
            loop.add_signal_handler(signal.SIGUSR2, self._hand_over)
        else:
            # A terminal sends these to its whole process group; the supervisor decides for all.
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
                signal.signal(number, signal.SIG_IGN)
            loop.add_signal_handler(END_AT_ONCE, self._end)
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, self._orphaned, loop, self._lifeline)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _orphaned(self, loop: asyncio.AbstractEventLoop, lifeline: int) -> None:
        """The supervisor is gone: a worker that went on would hold the port against the next."""
        loop.remove_reader(lifeline)
        _log.error("the supervisor has died; this worker ends with its connections")
        self._retire()

    def _terminate(self, number: int) -> None:
        self._code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        if self._limited:
            # A service manager tells every process of a service, and the supervisor tells its
            # workers once more: only a process that is alone takes that for impatience.
            if self._reload is not None:
                self._end()
            return
        self._limited = True
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
        if self._reload is not None and not self._ending and self._successor is None:
            self._notifier.stopping()
        self._ending = True
        self._watch.stop()
        if self._manager is not None:
            self._manager.stop()
        self._assembly.stop()
        # Where a supervisor holds the sockets too, the next worker serves what waits there;
        # elsewhere this refuses whoever comes now, instead of leaving them to wait for nothing.
        self._bindings.close()
        self._assembly.when_idle(self._end)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)

    def _reload_now(self) -> None:
        if self._reload is None or self._ending:
            return
        self._notifier.reloading()
        try:
            before, config = self._config, self._reload()
            self.change(config if self._manager is None else self._manager.joined(config))
        except Error as error:
            _log.error("not reloaded, the old configuration goes on: %s", error)
            self._notifier.ready()
            return
        self._notifier.ready()
        warn_of_fixed(before, config)
        _log.info("reloaded")

    @property
    def config(self) -> Config:
        """What is served."""
        return self._config

    def change(self, config: Config, anew: Collection[Endpoint] = ()) -> None:
        """Serve ``config`` from here on; see ``Assembly.apply``.

        Raises ``ListenError`` and changes nothing where a socket cannot be opened.
        """
        self._bindings.open(config)
        self._assembly.apply(config, self._bindings, anew)
        self._bindings.prune(config)
        if self._observer is not None:
            self._observer.changed(config)
        else:
            self._watch.start(config, self._bindings)
        self._config = config

    def octets(self, endpoint: Endpoint) -> int:
        """What was relayed for clients of ``endpoint``."""
        return self._assembly.octets(endpoint)

    def _hand_over(self) -> None:
        if self._ending or self._successor is not None:
            return
        if self._manager is not None:
            _log.error("not handed over: the next process would not know of added ports; restart")
            return
        try:
            pid = start_successor(sock.fileno() for sock in self._bindings.all())
        except Error as error:
            _log.error("not handed over: %s", error)
            return
        _log.info("process %d takes over", pid)
        self._successor = pid
        ended = os.pidfd_open(pid)
        asyncio.get_running_loop().add_reader(ended, self._bereaved, ended, pid)

    def _bereaved(self, ended: int, pid: int) -> None:
        """The successor has ended, before this process has."""
        asyncio.get_running_loop().remove_reader(ended)
        os.close(ended)
        os.waitpid(pid, 0)
        self._successor = None
        if not self._ending:
            _log.error("process %d has not taken over; this one goes on", pid)

    def _looked(self) -> None:
        self._notifier.status(f"{self._watch.probe.status()}; {self._assembly.active} connections")
        self._notifier.alive()

    def _report(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write the figures down, now and once a second."""
        if self._report_to is not None:
            self._write(*self._report_to)
            loop.call_later(_REPORT_EVERY, self._report, loop)

    def _write(self, board: Board, place: int) -> None:
        figures, name = Figures(), str(self._worker)
        service_figures(self._assembly, figures)
        process_figures(figures, name)
        for listener in self._assembly.listeners:
            owner = name if self._config.reuse_port and self._config.workers > 1 else ALL_WORKERS
            at = listener.name, owner
            figures.set("listener_accept_queue_high_water", listener.high_water, *at)
        figures.set("worker_report_age_seconds", 0, name)
        try:
            board.write(place, figures, time.monotonic())
        except ObserveError as error:
            _log.warning("%s", error)


def take_over(predecessor: int | None) -> None:
    """Tell the process that handed its sockets over that it may retire."""
    if predecessor is not None and predecessor == os.getppid():
        os.kill(predecessor, signal.SIGQUIT)


def warn_of_fixed(old: Config, new: Config) -> None:
    """Name the settings that changed and that a reload does not change."""
    for name in _FIXED:
        if getattr(old, name) != getattr(new, name):
            _log.warning("%s: what it says now counts from the next start", name)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loop that was chosen. Raises ``ConfigError`` where there is none such.

    Called before a fork, it leaves uvloop in memory that all workers share.
    """
    chosen = os.environ.get(LOOP_VARIABLE, "")
    if chosen not in ("", "asyncio", "uvloop"):
        raise ConfigError(LOOP_VARIABLE, f"no event loop is {chosen!r}", "asyncio or uvloop is")
    if chosen != "uvloop":
        return new_event_loop
    try:
        import uvloop
    except ImportError:
        remedy = "install annotated-shadowsocks[speed], or take asyncio"
        raise ConfigError(LOOP_VARIABLE, "uvloop is not installed", remedy) from None
    return uvloop.new_event_loop
