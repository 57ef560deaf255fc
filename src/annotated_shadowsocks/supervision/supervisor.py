"""A parent that opens the sockets and keeps ``workers`` processes serving them.

The parent does nothing but wait for signals, so there is nothing in it that could fail under load.
It holds every listening socket: a worker that dies, or that a reload replaces, leaves the accept
queue where it is, and the next worker serves what waits there.

Where figures are served there is one process more, the observer, which is looked after like a
worker; elsewhere the first worker looks after the queues.

========  ===========================================================================
signal    what happens
========  ===========================================================================
SIGCHLD   a worker died: it is replaced at once, or after a pause when it lived shortly
SIGHUP    a new configuration, new workers, and the old ones end with their connections
SIGTERM   workers drain (see ``process``); a second one ends them at once
SIGINT    the same
SIGQUIT   workers end with their last connections, however long that takes
SIGUSR2   a new process of this program takes the sockets over (see ``handover``)
========  ===========================================================================
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping

from ..config.model import Config
from ..errors import Error, ObserveError
from ..services.bindings import Bindings
from ..services.salts import SharedSalts
from ..telemetry.board import Board
from .handover import start_successor
from .observer import NAME, Observer
from .process import (
    END_AT_ONCE,
    EXIT_INTERRUPTED,
    SIGNALS,
    Process,
    take_over,
    warn_of_fixed,
)
from .systemd import Notifier

__all__ = ["Supervisor"]

_log = logging.getLogger(__name__)

#: A worker that lived shorter than this makes the next one wait, longer each time.
_SHORT_LIFE = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0

#: The observer's number among the workers.
_OBSERVER = -1


class Supervisor:
    """Runs ``config.workers`` workers until a signal ends them all; ``SIGNALS`` are blocked."""

    def __init__(
        self,
        config: Config,
        bindings: Bindings,
        salts: SharedSalts,
        reload: Callable[[], Config],
        notifier: Notifier | None = None,
        predecessor: int | None = None,
    ) -> None:
        self._config = config
        self._bindings = bindings
        self._salts = salts
        self._reload = reload
        self._notifier = notifier or Notifier()
        self._predecessor = predecessor
        self._successor: int | None = None
        self._started = time.time()
        self._observed = config.metrics is not None or self._notifier.watchdog is not None
        self._numbers = [*range(config.workers), *([_OBSERVER] if self._observed else [])]
        self._board = Board()
        #: Where on the board each process writes.
        self._places: dict[int, int] = {}
        #: Worker number and start of each process that serves; processes that only finish.
        self._serving: dict[int, tuple[int, float]] = {}
        self._leaving: set[int] = set()
        #: When to start which worker again, and how long the last one's pause was.
        self._due: dict[int, float] = {}
        self._pauses: dict[int, float] = {}
        #: Its second end is open in this process alone, so its end of file tells the workers that
        #: nobody supervises them any more.
        self._lifeline = os.pipe()
        self._ending = False
        self._limited = False
        self._code = 0

    def run(self) -> int:
        """Supervise; returns the exit status."""
        # Whoever started us may have ignored it, and then no child would leave a status behind.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for worker in self._numbers:
            self._start(worker)
        self._notifier.ready()
        take_over(self._predecessor)
        while self._serving or self._leaving or self._due:
            self._wait()
            for worker in [w for w, due in self._due.items() if due <= time.monotonic()]:
                del self._due[worker]
                self._start(worker)
        self._board.close()
        return self._code

    def _wait(self) -> None:
        """Sleep until a signal, or until a worker is due."""
        if self._due:
            pause = max(0.0, min(self._due.values()) - time.monotonic())
            received = signal.sigtimedwait(SIGNALS, pause)
        else:
            received = signal.sigwaitinfo(SIGNALS)
        if received is None:
            return
        number = received.si_signo
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._renew()
        elif number == signal.SIGUSR2:
            self._hand_over()
        else:
            self._end(number)

    def _start(self, worker: int) -> None:
        try:
            place = self._board.take()
            pid = os.fork()
        except OSError as error:
            self._put_off(worker, f"could not be started: {error.strerror}")
            return
        if pid:
            self._serving[pid] = (worker, time.monotonic())
            self._places[pid] = place
            return
        code = os.EX_SOFTWARE
        try:
            # A signal that came between fork and here is still pending, and is delivered as soon
            # as the event loop has its handlers.
            watched, held = self._lifeline
            os.close(held)
            code = self._child(worker, place, watched).run()
        except Exception as error:  # noqa: BLE001
            _log.error("%s: %s: %s", _name(worker), type(error).__name__, error)
            _log.debug("details", exc_info=error)
        finally:
            # Never back into the parent's code, and not through the interpreter's end either: the
            # fork has copied the stack, and what waits in buffers too.
            os._exit(code)

    def _child(self, worker: int, place: int, lifeline: int) -> "Process | Observer":
        """What runs in the process that was forked for ``worker``."""
        config, bindings, board = self._config, self._bindings, self._board
        if worker == _OBSERVER:
            return Observer(config, bindings, board, place, self._notifier, self._started, lifeline)
        return Process(
            config,
            bindings,
            self._salts,
            worker,
            lifeline=lifeline,
            report=(board, place) if self._observed else None,
            watches=worker == 0 and not self._observed,
            notifier=self._notifier,
        )

    def _reap(self) -> None:
        # One SIGCHLD may stand for several deaths.
        while self._serving or self._leaving:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._retire(pid)
            if pid == self._successor:
                self._successor = None
                if not self._ending:
                    _log.error("process %d %s; this one goes on", pid, _cause(status))
            elif pid in self._leaving:
                self._leaving.discard(pid)
            elif pid in self._serving:
                worker, since = self._serving.pop(pid)
                if not self._ending:
                    self._replace(worker, since, status)

    def _retire(self, pid: int) -> None:
        """Keep what a process has counted, and give its place to another."""
        place = self._places.pop(pid, None)
        if place is not None:
            try:
                self._board.retire(place)
            except (ObserveError, OSError) as error:
                _log.warning("%s", error)

    def _hand_over(self) -> None:
        if self._ending or self._successor is not None:
            return
        try:
            self._successor = start_successor(sock.fileno() for sock in self._bindings.all())
        except Error as error:
            _log.error("not handed over: %s", error)
            return
        _log.info("process %d takes over", self._successor)

    def _replace(self, worker: int, since: float, status: int) -> None:
        now = time.monotonic()
        if now - since >= _SHORT_LIFE:
            self._pauses.pop(worker, None)
            self._due[worker] = now
            _log.warning("%s %s and is replaced", _name(worker), _cause(status))
        else:
            self._put_off(worker, _cause(status))

    def _put_off(self, worker: int, why: str) -> None:
        """Start ``worker`` after a pause, which is longer each time."""
        pause = min(2 * self._pauses.get(worker, _FIRST_PAUSE / 2), _LONGEST_PAUSE)
        self._pauses[worker] = pause
        self._due[worker] = time.monotonic() + pause
        _log.warning("%s %s; the next try is in %g s", _name(worker), why, pause)

    def _renew(self) -> None:
        if self._ending:
            return
        self._notifier.reloading()
        try:
            config = self._reload()
            self._bindings.open(config)
        except Error as error:
            _log.error("not reloaded, the old configuration goes on: %s", error)
            self._notifier.ready()
            return
        self._bindings.prune(config)
        warn_of_fixed(self._config, config)
        self._config = config
        old, self._serving = self._serving, {}
        for worker in self._numbers:
            self._due.pop(worker, None)
            self._start(worker)
        self._leaving |= old.keys()
        self._tell(self._without_observer(old), signal.SIGQUIT)
        self._notifier.ready()
        _log.info("reloaded")

    def _end(self, number: int) -> None:
        passed_on = signal.SIGQUIT if number == signal.SIGQUIT else signal.SIGTERM
        if passed_on == signal.SIGTERM:
            passed_on, self._limited = END_AT_ONCE if self._limited else passed_on, True
        if not self._ending and self._successor is None:
            self._notifier.stopping()
        self._ending = True
        self._code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        self._due.clear()
        self._bindings.close()
        self._tell([*self._without_observer(self._serving), *self._leaving], passed_on)

    def _without_observer(self, serving: Mapping[int, tuple[int, float]]) -> list[int]:
        """The workers of ``serving``; the observer, who has no connections, is ended."""
        self._tell([pid for pid, (w, _) in serving.items() if w == _OBSERVER], END_AT_ONCE)
        return [pid for pid, (worker, _) in serving.items() if worker != _OBSERVER]

    def _tell(self, processes: Iterable[int], number: int) -> None:
        for pid in processes:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                # It has died since, and its SIGCHLD waits.
                pass


def _name(worker: int) -> str:
    return f"the {NAME}" if worker == _OBSERVER else f"worker {worker}"


def _cause(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.WEXITSTATUS(status)}"
