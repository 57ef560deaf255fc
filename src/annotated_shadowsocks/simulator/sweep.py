"""Many scenarios at once: on all processors of this machine, or on a cluster.

Both are an ``Executor`` of concurrent.futures, so the code is the same. A scenario goes there as a
value and comes back as a report, and since a report depends on nothing else, where and in which
order they were run makes no difference.
"""

import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..errors import ConfigError
from .report import Report
from .scenario import Scenario
from .simulation import simulate

__all__ = ["cluster", "grid", "processors", "sweep"]


def grid(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of one value from each axis; the last axis turns fastest."""
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def sweep(
    points: Sequence[tuple[Scenario, int]],
    executor: Executor | None = None,
    done: Callable[[int], None] = lambda finished: None,
) -> list[Report]:
    """The report of each scenario with its seed, in the order of ``points``.

    Without an executor they are run here, one after the other. ``done`` is told how many are.
    """
    reports: list[Report] = []
    if executor is None:
        for scenario, seed in points:
            reports.append(simulate(scenario, seed))
            done(len(reports))
        return reports
    futures = [executor.submit(simulate, scenario, seed) for scenario, seed in points]
    try:
        for finished, _ in enumerate(as_completed(futures), 1):
            done(finished)
        # What was sent somewhere and came back is not the same object; give back what was sent.
        return [
            replace(future.result(), scenario=scenario)
            for future, (scenario, _) in zip(futures, points, strict=True)
        ]
    finally:
        for future in futures:
            future.cancel()


@contextmanager
def processors(number: int | None = None) -> Iterator[Executor]:
    """So many processes of this machine, or one for each processor."""
    # A process that begins anew inherits neither threads nor signal handlers of this one.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, mp_context=context) as executor:
        yield executor


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The Dask cluster whose scheduler is at ``address``, like ``tcp://10.0.0.1:8786``.

    Its workers need this package, of this version. Raises ``ConfigError`` where dask.distributed is
    not installed or the scheduler does not answer.
    """
    try:
        from distributed import Client
    except ImportError:
        problem = "dask.distributed is not installed"
        remedy = "install annotated-shadowsocks[dask], or leave --dask out"
        raise ConfigError("--dask", problem, remedy) from None
    connect: Any = Client
    try:
        client = connect(address, timeout=10)
    except (OSError, ValueError) as error:
        problem = f"no scheduler answers at {address}: {error}"
        raise ConfigError("--dask", problem, "start one with dask-scheduler") from None
    with client, client.get_executor() as executor:
        yield executor
