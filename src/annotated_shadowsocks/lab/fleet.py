"""Many comparisons at once, each in a process of its own with namespaces of its own.

A script on a kernel mostly waits for timers, so that far more of them run at once than there are
cores; too many, and we are late to each of them, which is not what they are about.
"""

import multiprocessing
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from threading import Thread
from typing import NamedTuple

from ..errors import Error
from ..scripts.parser import parse
from .compare import compare

__all__ = ["Fleet", "Outcome"]


class Outcome(NamedTuple):
    """What came of one comparison.

    ``told`` is the difference, or where it could not be run, why; empty where there is none. A
    script that the model does not agree with could not be run.
    """

    name: str
    text: str
    ran: bool
    told: str
    seconds: float

    @property
    def agreed(self) -> bool:
        """Whether model and kernel did the same."""
        return self.ran and not self.told


class Fleet:
    """A pool of processes; a context manager. ``size`` is how many scripts run at a time."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or 4 * (os.cpu_count() or 1)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._pool = ProcessPoolExecutor(self.size, context, _die_with, (os.getpid(),))

    def run(self, scripts: Iterable[tuple[str, str]]) -> Iterator[Outcome]:
        """Compare scripts, each a name and a text; outcomes come as they are there."""
        waiting = [self.begin(name, text) for name, text in scripts]
        for one in as_completed(waiting):
            yield one.result()

    def begin(self, name: str, text: str) -> "Future[Outcome]":
        """Compare one script, when its turn comes."""
        return self._pool.submit(play, name, text)

    def close(self) -> None:
        """End the processes; what they have not begun is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def play(name: str, text: str) -> Outcome:
    """One comparison, in whichever process this is."""
    began = time.monotonic()
    try:
        found = compare(parse(text, name))
        # A script that the model does not play as it is written says nothing about a kernel.
        verdicts = (found.kernel,) if found.model.agreed else (found.model,)
        faults = [str(one) for one in verdicts if not one.agreed]
        if found.disagreement is not None:
            faults.append(str(found.disagreement))
        ran, told = found.ran and found.model.agreed, "\n".join(faults)
    except (Error, OSError) as error:
        ran, told = False, str(error)
    return Outcome(name, text, ran, told, time.monotonic() - began)


def _die_with(holder: int) -> None:
    """Leave nobody behind: neither on Ctrl-C, which everybody gets, nor where ``holder`` dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # [man prctl(2)] PR_SET_PDEATHSIG would tell of the wrong death: the parent is a server of
    # forks, and that lives as long as we do, for each child holds the pipe whose end it waits for.
    Thread(target=_await_death, args=(os.pidfd_open(holder),), daemon=True).start()


def _await_death(holder: int) -> None:
    # [man pidfd_open(2)] readable when the process has ended
    select.select([holder], [], [])
    os.kill(os.getpid(), signal.SIGKILL)
