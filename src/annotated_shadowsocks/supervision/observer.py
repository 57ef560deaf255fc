"""The process that watches the others: it probes the queues and serves the figures of all.

It is a process of its own, so that nothing that reads figures can slow a connection down, and so
that it answers when the workers do not: a worker that hangs or was stopped is exactly when somebody
looks. It holds the listening sockets, which it never accepts from.

=============  =================================================================================
``/metrics``   the figures of all processes
``/healthz``   200 where every worker has given its figures lately, 503 and their names elsewhere
``/readyz``    200 where every accept queue has headroom, 503 and the crowded ones elsewhere
=============  =================================================================================
"""

import asyncio
import gc
import http
import logging
import signal
import time

from .. import __version__
from ..config.model import Config
from ..errors import ObserveError
from ..services.bindings import Bindings
from ..telemetry.board import Board
from ..telemetry.exposition import CONTENT_TYPE, exposition
from ..telemetry.figures import Figures
from ..telemetry.processes import process_figures
from ..telemetry.queue_probe import QueueProbe
from .pages import Page, Pages
from .process import END_AT_ONCE, loop_factory
from .queue_watch import QueueWatch
from .systemd import Notifier

__all__ = ["NAME", "Observer"]

_log = logging.getLogger(__name__)

#: What it is called among the workers.
NAME = "observer"

#: Seconds after which what a process wrote says nothing about what it is at.
_FRESH = 5.0

#: What a supervisor's other signals mean to workers, and nothing here.
_DEAF = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2)


class Observer:
    """Watches ``config.workers`` workers by ``board``, where ``place`` is its own.

    ``started`` is when the program did, in seconds since 1970; ``lifeline`` a descriptor whose end
    of file says that the supervisor is gone. Where there is none, it runs in another's process.
    """

    def __init__(
        self,
        config: Config,
        bindings: Bindings,
        board: Board,
        place: int,
        notifier: Notifier,
        started: float,
        lifeline: int | None = None,
    ) -> None:
        self._config = config
        self._bindings = bindings
        self._board = board
        self._place = place
        self._notifier = notifier
        self._started = started
        self._lifeline = lifeline
        self._probe = QueueProbe()

    def run(self) -> int:
        """Watch until the supervisor ends it or is gone; returns the exit status."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(self._serve())
        return 0

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_signal_handler(END_AT_ONCE, over.set)
        for number in _DEAF:
            signal.signal(number, signal.SIG_IGN)
        if self._lifeline is not None:
            loop.add_reader(self._lifeline, over.set)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        await self.begin(loop)
        gc.freeze()
        await over.wait()
        if self._lifeline is not None:
            loop.remove_reader(self._lifeline)
        self.end()

    async def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch, and serve figures, until ``end``."""
        self._watch = QueueWatch(loop, self._looked, self._probe)
        self._watch.start(self._config, self._bindings)
        self._remember()
        metrics = self._config.metrics
        content = {"/metrics": self._metrics, "/healthz": self._health, "/readyz": self._ready}
        self._pages = Pages(content, metrics.token if metrics else None)
        await self._pages.serve(self._bindings.metrics)
        for sock in self._bindings.metrics:
            _log.info("metrics at http://%s:%d/metrics", *sock.getsockname()[:2])

    def changed(self, config: Config) -> None:
        """Watch what ``config`` listens on, from now on."""
        self._config = config
        self._watch.start(config, self._bindings)

    def end(self) -> None:
        """Watch no more."""
        self._pages.close()
        self._watch.stop()

    def _remember(self) -> None:
        """Go on counting where the observer before this one ended."""
        try:
            gone, _ = self._board.read()
        except ObserveError:
            return
        for one in self._probe.watched:
            counted = gone.get("listener_overflows_total", one.name, one.worker, one.source)
            one.overflows = int(counted)

    def _looked(self) -> None:
        self._notifier.status(self._probe.status())
        try:
            self._board.write(self._place, self._own(), time.monotonic())
            # A watchdog that is not fed ends the whole service, so one that hangs ends it too.
            if not self._silent():
                self._notifier.alive()
        except ObserveError as error:
            _log.warning("%s", error)

    def _own(self) -> Figures:
        figures = Figures()
        self._probe.figures(figures)
        process_figures(figures, NAME)
        return figures

    def _metrics(self) -> Page:
        try:
            text = exposition(self._all())
        except ObserveError as error:
            return Page(http.HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")
        return Page(http.HTTPStatus.OK, text, CONTENT_TYPE)

    def _all(self) -> Figures:
        """Those of all processes, and of those that are gone what they have counted."""
        # What the queues are at this moment, and not at the last look.
        self._probe.glance()
        now = time.monotonic()
        whole, reports = self._board.read()
        for place, report in reports.items():
            if place != self._place:
                whole.add(report.figures, levels=now - report.at < _FRESH)
        for worker, age in self._ages().items():
            whole.set("worker_report_age_seconds", round(age, 3), worker)
        whole.add(self._own())
        whole.set("build_info", 1, __version__, _program(self._config))
        whole.set("start_time_seconds", self._started)
        return whole

    def _ages(self) -> dict[str, float]:
        """Seconds since each worker wrote, the youngest of those that have the same number."""
        now = time.monotonic()
        ages: dict[str, float] = {}
        for report in self._board.read()[1].values():
            for (worker,) in report.figures.values.get(_REPORTED, {}):
                ages[worker] = min(now - report.at, ages.get(worker, now))
        return ages

    def _silent(self) -> list[str]:
        """The workers that have not written lately, in words."""
        ages = self._ages()
        workers = map(str, range(self._config.workers))
        return [
            f"worker {worker} has not reported for {ages[worker]:.0f} s"
            if worker in ages
            else f"worker {worker} has not reported"
            for worker in workers
            if ages.get(worker, _FRESH) >= _FRESH
        ]

    def _health(self) -> Page:
        try:
            return _verdict(self._silent())
        except ObserveError as error:
            return _verdict([str(error)])

    def _ready(self) -> Page:
        self._probe.glance()
        return _verdict(self._probe.crowded())


def _program(config: Config) -> str:
    if config.manager is not None:
        return "ssmanager"
    return "sslocal" if config.locals else "ssserver"


_REPORTED = "shadowsocks_worker_report_age_seconds"


def _verdict(problems: list[str]) -> Page:
    if problems:
        return Page(http.HTTPStatus.SERVICE_UNAVAILABLE, "".join(f"{one}\n" for one in problems))
    return Page(http.HTTPStatus.OK, "ok\n")
