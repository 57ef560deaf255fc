"""A parent that opens the sockets and keeps ``workers`` processes serving them.

The parent does nothing but wait for signals, so there is nothing in it that could fail under load.
It holds every listening socket: a worker that dies, or that a reload replaces, leaves the accept
queue where it is, and the next worker serves what waits there.

========  ===========================================================================
signal    what happens
========  ===========================================================================
SIGCHLD   a worker died: it is replaced at once, or after a pause when it lived shortly
SIGHUP    a new configuration, new workers, and the old ones end with their connections
SIGTERM   workers drain (see services.process); a second one ends them at once
SIGINT    the same
SIGQUIT   workers end with their last connections, however long that takes
========  ===========================================================================
"""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterable

from ..config.model import Config
from ..errors import Error
from .bindings import Bindings
from .process import END_AT_ONCE, EXIT_INTERRUPTED, SIGNALS, Process, warn_of_fixed
from .salts import SharedSalts

__all__ = ["Supervisor"]

_log = logging.getLogger(__name__)

#: A worker that lived shorter than this makes the next one wait, longer each time.
_SHORT_LIFE = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0


class Supervisor:
    """Runs ``config.workers`` workers until a signal ends them all; ``SIGNALS`` are blocked."""

    def __init__(
        self,
        config: Config,
        bindings: Bindings,
        salts: SharedSalts,
        reload: Callable[[], Config],
    ) -> None:
        self._config = config
        self._bindings = bindings
        self._salts = salts
        self._reload = reload
        self._count = config.workers
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
        for worker in range(self._count):
            self._start(worker)
        while self._serving or self._leaving or self._due:
            self._wait()
            for worker in [w for w, due in self._due.items() if due <= time.monotonic()]:
                del self._due[worker]
                self._start(worker)
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
        else:
            self._end(number)

    def _start(self, worker: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._put_off(worker, f"could not be started: {error.strerror}")
            return
        if pid:
            self._serving[pid] = (worker, time.monotonic())
            return
        code = os.EX_SOFTWARE
        try:
            # A signal that came between fork and here is still pending, and is delivered as soon
            # as the event loop has its handlers.
            watched, held = self._lifeline
            os.close(held)
            process = Process(self._config, self._bindings, self._salts, worker, lifeline=watched)
            code = process.run()
        except Exception as error:  # noqa: BLE001
            _log.error("worker %d: %s: %s", worker, type(error).__name__, error)
            _log.debug("details", exc_info=error)
        finally:
            # Never back into the parent's code, and not through the interpreter's end either: the
            # fork has copied the stack, and what waits in buffers too.
            os._exit(code)

    def _reap(self) -> None:
        # One SIGCHLD may stand for several deaths.
        while self._serving or self._leaving:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if pid in self._leaving:
                self._leaving.discard(pid)
            elif pid in self._serving:
                worker, since = self._serving.pop(pid)
                if not self._ending:
                    self._replace(worker, since, status)

    def _replace(self, worker: int, since: float, status: int) -> None:
        now = time.monotonic()
        if now - since >= _SHORT_LIFE:
            self._pauses.pop(worker, None)
            self._due[worker] = now
            _log.warning("worker %d %s and is replaced", worker, _cause(status))
        else:
            self._put_off(worker, _cause(status))

    def _put_off(self, worker: int, why: str) -> None:
        """Start ``worker`` after a pause, which is longer each time."""
        pause = min(2 * self._pauses.get(worker, _FIRST_PAUSE / 2), _LONGEST_PAUSE)
        self._pauses[worker] = pause
        self._due[worker] = time.monotonic() + pause
        _log.warning("worker %d %s; the next try is in %g s", worker, why, pause)

    def _renew(self) -> None:
        if self._ending:
            return
        try:
            config = self._reload()
            self._bindings.open(config)
        except Error as error:
            _log.error("not reloaded, the old configuration goes on: %s", error)
            return
        self._bindings.prune(config)
        warn_of_fixed(self._config, config)
        self._config = config
        old, self._serving = self._serving, {}
        for worker in range(self._count):
            self._due.pop(worker, None)
            self._start(worker)
        self._leaving |= old.keys()
        self._tell(old, signal.SIGQUIT)
        _log.info("reloaded")

    def _end(self, number: int) -> None:
        passed_on = signal.SIGQUIT if number == signal.SIGQUIT else signal.SIGTERM
        if passed_on == signal.SIGTERM:
            passed_on, self._limited = END_AT_ONCE if self._limited else passed_on, True
        self._ending = True
        self._code = EXIT_INTERRUPTED if number == signal.SIGINT else 0
        self._due.clear()
        self._bindings.close()
        self._tell([*self._serving, *self._leaving], passed_on)

    def _tell(self, processes: Iterable[int], number: int) -> None:
        for pid in processes:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                # It has died since, and its SIGCHLD waits.
                pass


def _cause(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with status {os.WEXITSTATUS(status)}"
